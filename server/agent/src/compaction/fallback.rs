//! A summary without a model: what the branch says by itself, in the sections of a written one.

use super::material::{clip, clip_to_tokens};
use crate::journal::{Record, Stored, history};

/// The latest ones.
const PROMPTS: usize = 20;
const PROMPT_CHARS: usize = 500;
const TEXT_CHARS: usize = 2_000;
const PREVIOUS_CHARS: usize = 8_000;

pub(super) fn fallback(previous: Option<&str>, old: &[Stored], max_tokens: u64) -> String {
    let mut out = String::from(
        "No model could be asked for this summary; Opal put it together from the conversation itself.\n",
    );
    if let Some(previous) = previous {
        let previous = clip(previous.trim(), PREVIOUS_CHARS);
        out += &format!("\n<previous_summary>\n{previous}\n</previous_summary>\n");
    }
    out += "\n## Goal\n\nWhat the user said, oldest first:\n";
    out += &said(old);
    out += "\n## Constraints and preferences\n\nWhat the user said above binds.\n";
    out += "\n## Done\n\nNot summarised. The ledger lists the files changed and the commands run.\n";
    out += "\n## In progress\n\n";
    out += &match last_text(old) {
        Some(text) => format!("The last that was said to the user:\n\n{}\n", quote(&text)),
        None => "Nothing was said to the user yet.\n".into(),
    };
    out += "\n## Decisions\n\nNot summarised.\n";
    out +=
        "\n## Next steps\n\nLook at what stands in the files before going on; do not repeat what is done.\n";
    out += "\n## Facts to keep\n\n";
    out += &match last_failure(old) {
        Some((tool, text)) => format!("What failed last was `{tool}`:\n\n{}\n", quote(&text)),
        None => "No call has failed.\n".into(),
    };
    clip_to_tokens(&out, max_tokens)
}

fn said(old: &[Stored]) -> String {
    let said = old.iter().filter_map(|stored| match &stored.record {
        Record::User(user) => Some(user.text.as_str()),
        Record::Steering(steering) => Some(steering.text.as_str()),
        _ => None,
    });
    let said: Vec<&str> = said.collect();
    let n_left_out = said.len().saturating_sub(PROMPTS);
    let mut out = String::new();
    if n_left_out > 0 {
        out += &format!("- ({n_left_out} earlier left out)\n");
    }
    for text in &said[n_left_out..] {
        out += &format!("- {}\n", clip(text.trim(), PROMPT_CHARS).replace('\n', "\n  "));
    }
    if said.is_empty() {
        out += "- (nothing new)\n";
    }
    out
}

fn last_text(old: &[Stored]) -> Option<String> {
    let texts = old.iter().rev().filter_map(|stored| match &stored.record {
        Record::Assistant(answer) => Some(answer.clone().into_answer().text()),
        _ => None,
    });
    texts.filter(|text| !text.trim().is_empty()).map(|text| clip(text.trim(), TEXT_CHARS)).next()
}

fn last_failure(old: &[Stored]) -> Option<(&str, String)> {
    old.iter().rev().find_map(|stored| match &stored.record {
        Record::ToolResult(result) if !result.ok || result.exit_code.is_some_and(|code| code != 0) => {
            Some((result.tool.as_str(), clip(history::text(&result.parts).trim(), TEXT_CHARS)))
        }
        _ => None,
    })
}

fn quote(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;

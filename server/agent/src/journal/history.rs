//! A stored conversation for reading.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use store::{Entry, LoadedSession};

use super::entry::Record;
use super::load::{Loaded, branch, load};
use super::record::{AssistantRecord, BlockRecord, PartRecord};
use crate::event::Trigger;

/// One entry of the branch that the leaf ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub entry: store::EntryId,
    pub created_at_ms: i64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    User {
        turn_id: String,
        text: String,
    },
    Steering {
        text: String,
    },
    Assistant {
        text: String,
        interrupted: bool,
    },
    ToolResult {
        tool: String,
        call_id: String,
        /// As the model wrote them, if the answer that called is there.
        args: Option<Value>,
        ok: bool,
        text: String,
        diff: Option<String>,
        exit_code: Option<i32>,
    },
    /// The model is shown less of what is before.
    Compaction {
        /// In its place. `None`: only tool output was blanked.
        summary: Option<String>,
        trigger: Trigger,
        tokens_before: u64,
        tokens_after: u64,
    },
    /// From here on another model answers, or it thinks longer or shorter.
    ModelChange {
        model: String,
        thinking_level: Option<String>,
    },
    /// Changes were taken back.
    Undo {
        turn_id: String,
        files: Vec<String>,
    },
}

/// The conversation from its first prompt to where it stands.
pub fn history(session: &LoadedSession) -> Vec<Told> {
    let mut calls = Calls::default();
    let told = |entry: &Entry| {
        let what = what(entry, &mut calls)?;
        Some(Told { entry: entry.id, created_at_ms: entry.created_at_ms, what })
    };
    branch(session).into_iter().filter_map(told).collect()
}

/// The calls of an answer, whose results follow it: what was called with which arguments, by call id.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<HashMap<String, Value>>);

impl Calls {
    fn note(&mut self, answer: &AssistantRecord) {
        let call = |block: &BlockRecord| match block {
            BlockRecord::ToolCall { call_id, arguments, .. } => Some((call_id.clone(), args(arguments))),
            BlockRecord::Thinking { .. } | BlockRecord::Text { .. } => None,
        };
        let calls: HashMap<_, _> = answer.blocks.iter().filter_map(call).collect();
        if !calls.is_empty() {
            self.0 = Arc::new(calls);
        }
    }
}

/// As they are told when the call begins: what is no object is told as it was written.
fn args(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(args @ Value::Object(_)) => args,
        _ => Value::String(arguments.to_owned()),
    }
}

/// `None`: of no concern to a reader, or not understood. `calls` are those of the latest answer above, and
/// then those of this one.
pub(super) fn what(entry: &Entry, calls: &mut Calls) -> Option<What> {
    Some(match Record::read(entry)? {
        Record::User(user) => What::User { turn_id: user.turn_id, text: user.text },
        Record::Steering(steering) => What::Steering { text: steering.text },
        Record::Assistant(assistant) => {
            calls.note(&assistant);
            let interrupted = assistant.interrupted;
            What::Assistant { text: assistant.into_answer().text(), interrupted }
        }
        Record::ToolResult(result) => What::ToolResult {
            args: calls.0.get(&result.call_id).cloned(),
            tool: result.tool,
            call_id: result.call_id,
            ok: result.ok,
            text: text(&result.parts),
            diff: result.diff,
            exit_code: result.exit_code,
        },
        Record::Compaction(compaction) => What::Compaction {
            summary: compaction.summary,
            trigger: compaction.trigger.into(),
            tokens_before: compaction.tokens_before,
            tokens_after: compaction.tokens_after,
        },
        Record::Undo(undo) => What::Undo { turn_id: undo.turn_id, files: undo.files },
        Record::ModelChange(change) => {
            What::ModelChange { model: change.model, thinking_level: change.thinking_level }
        }
        Record::Note(_) => return None,
    })
}

/// The conversation as Markdown.
pub fn markdown(session: &LoadedSession) -> String {
    let record = &session.record;
    let mut out = format!("# {}\n\n", record.name.as_deref().unwrap_or(record.id.as_str()));
    out += &format!("Directory: `{}`\n", record.working_dir);
    if let Some(model) = &record.model {
        out += &format!("Model: {model}\n");
    }
    for told in history(session) {
        match told.what {
            What::User { text, .. } => out += &format!("\n## User\n\n{}\n", text.trim_end()),
            What::Steering { text } => out += &format!("\n## User, meanwhile\n\n{}\n", text.trim_end()),
            What::Assistant { text, interrupted } => {
                if !text.trim().is_empty() {
                    out += &format!("\n## Opal\n\n{}\n", text.trim_end());
                }
                if interrupted {
                    out += "\n*The answer was cut off here.*\n";
                }
            }
            What::ToolResult { tool, text, diff, .. } => {
                let (shown, language) = match &diff {
                    Some(diff) => (diff, "diff"),
                    None => (&text, ""),
                };
                let fence = fence(shown);
                out += &format!("\n### {tool}\n\n{fence}{language}\n{}\n{fence}\n", shown.trim_end());
            }
            What::Compaction { summary, tokens_before, tokens_after, .. } => {
                out += &format!(
                    "\n*The conversation was compacted here: about {tokens_before} tokens before, {tokens_after} after.*\n"
                );
                if let Some(summary) = summary {
                    out += &format!("\n## Summary\n\n{}\n", demoted(&summary));
                }
            }
            What::ModelChange { model, .. } => out += &format!("\n*From here on {model} answers.*\n"),
            What::Undo { files, .. } => {
                let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
                out += &format!("\n*Changes were taken back: {}.*\n", files.join(", "));
            }
        }
    }
    let Loaded { usage, cost, used, window, .. } = load(session);
    if usage.total > 0 {
        let cost = cost.map(|cost| format!(", ${cost:.4}")).unwrap_or_default();
        out += &format!(
            "\n*{} tokens in ({} of them cached), {} out ({} of them thinking){cost}; the conversation takes {}.*\n",
            grouped(usage.input_total),
            grouped(usage.input_cached),
            grouped(usage.output_total),
            grouped(usage.output_reasoning),
            taken(used, window),
        );
    }
    out
}

/// How much of the model's window.
fn taken(used: u64, window: Option<u64>) -> String {
    match window.filter(|window| *window > 0) {
        Some(window) => {
            let percent = used.saturating_mul(100) / window;
            format!("{} of {} tokens ({percent} %)", grouped(used), grouped(window))
        }
        None => format!("{} tokens of the model's window", grouped(used)),
    }
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A text whose headings stand below the ones of the conversation.
fn demoted(text: &str) -> String {
    let lines = text
        .trim_end()
        .lines()
        .map(|line| if line.starts_with("##") { format!("#{line}") } else { line.into() });
    lines.collect::<Vec<String>>().join("\n")
}

/// A fence that does not stand in the text.
pub(crate) fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

pub(crate) fn text(parts: &[PartRecord]) -> String {
    let texts = parts.iter().map(|part| match part {
        PartRecord::Text { text } => text.as_str(),
        PartRecord::Image { .. } => "[image]",
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;

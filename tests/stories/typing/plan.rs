//! What the model wants: edits of lines, each with a mark that stands nowhere else.

use serde_json::{Value, json};

use crate::crash::Random;

/// The calls of a turn, planned as if nobody but the model changed the text.
pub(super) struct Plan {
    calls: Vec<Vec<Replacement>>,
}

struct Replacement {
    old_text: String,
    new_text: String,
    /// Stands in the new text and nowhere else.
    mark: String,
}

/// Replacements in one call.
const REPLACEMENTS: u64 = 3;

impl Plan {
    pub(super) fn new(mut lines: Vec<String>, n_calls: u64, random: &mut Random) -> Self {
        let mut calls = Vec::new();
        for call in 0..n_calls {
            let mut replacements = Vec::new();
            for number in 0..=random.below(REPLACEMENTS) {
                let at = random.below(lines.len() as u64) as usize;
                let old_text = lines[at].clone();
                let mark = mark(call as usize, number as usize);
                let is_used = |other: &Replacement| other.new_text.contains(&old_text);
                if old_text.is_empty() || replacements.iter().any(is_used) {
                    continue;
                }
                // One line, changed, grown or split; the marks of earlier calls may go.
                let words = old_text.split(' ').next().unwrap_or_default();
                let new_text = match random.below(4) {
                    0 => format!("{old_text} {mark}"),
                    1 => format!("{words} {mark}"),
                    2 => format!("{old_text}\n{mark} 𝄞 below"),
                    _ => format!("é {mark} above\n{old_text}"),
                };
                let after: Vec<String> = new_text.split('\n').map(str::to_owned).collect();
                lines.splice(at..=at, after);
                replacements.push(Replacement { old_text, new_text, mark });
            }
            calls.push(replacements);
        }
        calls.retain(|replacements| !replacements.is_empty());
        Self { calls }
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// The `edits` of each call.
    pub(super) fn calls(&self) -> impl Iterator<Item = Value> {
        self.calls.iter().map(|replacements| {
            let edits = replacements.iter().map(
                |replacement| json!({"old_text": replacement.old_text, "new_text": replacement.new_text}),
            );
            edits.collect()
        })
    }

    /// The marks of each call that a text contains: how much of the call stands there.
    pub(super) fn marks_in(&self, text: &str) -> Vec<usize> {
        let of = |replacements: &Vec<Replacement>| {
            let stands = |replacement: &&Replacement| text.contains(&replacement.mark);
            replacements.iter().filter(stands).count()
        };
        self.calls.iter().map(of).collect()
    }

    /// How many marks each call has.
    pub(super) fn marks(&self) -> Vec<usize> {
        self.calls.iter().map(Vec::len).collect()
    }
}

fn mark(call: usize, number: usize) -> String {
    format!("<<{call}.{number}>>")
}

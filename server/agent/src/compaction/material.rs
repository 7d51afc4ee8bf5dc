//! What a summary is made of: the old entries as text, within bounds.
//!
//! Each entry begins at the start of a line with its label; further lines are indented. So nothing inside
//! a file or an output can pass for the user's word or for the end of the conversation.

use std::collections::VecDeque;

use text::HeadTail;

use crate::journal::record::{BlockRecord, NoteRecord};
use crate::journal::{Record, Stored, history};
use crate::tokens;

/// Characters of one tool output.
const OUTPUT: usize = 2_000;
/// Characters of any other text, if there is not room for all.
const CLIPPED: usize = 2_000;
const GONE: &str = "[output left out]";

#[derive(Debug)]
struct Piece {
    label: String,
    text: String,
    is_output: bool,
}

/// The request to the model that summarises; takes about `max_tokens` at most.
pub(super) fn request(previous: Option<&str>, old: &[Stored], max_tokens: u64) -> String {
    let mut request = String::new();
    if let Some(previous) = previous {
        let previous = clip_to_tokens(previous.trim(), max_tokens / 2);
        request += &format!("<previous_summary>\n{previous}\n</previous_summary>\n\n");
    }
    let room = max_tokens.saturating_sub(tokens::of_text(&request));
    let conversation = conversation(pieces(old), room);
    request += &format!("<conversation>\n{conversation}</conversation>\n\n");
    request += match previous {
        Some(_) => "Update the summary with what is in the conversation.",
        None => "Summarise the conversation.",
    };
    request
}

fn pieces(old: &[Stored]) -> VecDeque<Piece> {
    let mut pieces = VecDeque::new();
    let mut push = |label: String, text: &str, is_output: bool| {
        if !text.trim().is_empty() {
            pieces.push_back(Piece { label, text: text.trim_end().to_owned(), is_output });
        }
    };
    for stored in old {
        match &stored.record {
            Record::User(user) => push("[User]".into(), &user.text, false),
            Record::Steering(steering) => push("[User, meanwhile]".into(), &steering.text, false),
            Record::Undo(undo) => push("[Note]".into(), &undo.told, false),
            Record::Note(NoteRecord::Shown(parts)) => {
                push("[Attached]".into(), &clip(&history::text(parts), OUTPUT), true);
            }
            Record::Assistant(assistant) => {
                for block in &assistant.blocks {
                    match block {
                        BlockRecord::Text { text, .. } => push("[Assistant]".into(), text, false),
                        BlockRecord::ToolCall { name, arguments, .. } => {
                            push(format!("[Tool call] {name}"), &clip(arguments, OUTPUT), false);
                        }
                        BlockRecord::Thinking { .. } => {}
                    }
                }
                if assistant.interrupted {
                    push("[Note]".into(), "The user interrupted the answer here.", false);
                }
            }
            Record::ToolResult(result) => {
                let failed = if result.ok { "" } else { ", failed" };
                let label = format!("[Tool result] {}{failed}:", result.tool);
                push(label, &clip(&history::text(&result.parts), OUTPUT), true);
            }
            Record::Compaction(_) | Record::ModelChange(_) | Record::Note(_) => {}
        }
    }
    pieces
}

/// Makes room from the oldest on: outputs are emptied, then texts clipped, then entries left out.
fn conversation(mut pieces: VecDeque<Piece>, max_tokens: u64) -> String {
    let mut used: u64 = pieces.iter().map(Piece::tokens).sum();
    for piece in pieces.iter_mut().filter(|piece| piece.is_output) {
        if used > max_tokens {
            used -= piece.shorten(GONE.into());
        }
    }
    for piece in &mut pieces {
        if used > max_tokens {
            used -= piece.shorten(clip(&piece.text, CLIPPED));
        }
    }
    let mut n_left_out = 0;
    while used > max_tokens && pieces.len() > 1 {
        used -= pieces.pop_front().map_or(0, |oldest| oldest.tokens());
        n_left_out += 1;
    }
    if let Some(last) = pieces.front_mut().filter(|_| used > max_tokens) {
        last.shorten(clip_to_tokens(&last.text, max_tokens));
    }
    let mut out = String::new();
    if n_left_out > 0 {
        out += &format!("[Left out for want of room: the oldest entries, {n_left_out} in all.]\n");
    }
    for piece in &pieces {
        out += &piece.render();
    }
    out
}

impl Piece {
    fn tokens(&self) -> u64 {
        tokens::of_text(&self.render())
    }

    /// Takes the text if it is shorter, and returns how many tokens that saves.
    fn shorten(&mut self, text: String) -> u64 {
        let shorter = Self { label: self.label.clone(), text, is_output: self.is_output };
        let saved = self.tokens().saturating_sub(shorter.tokens());
        if saved > 0 {
            *self = shorter;
        }
        saved
    }

    fn render(&self) -> String {
        let text = self.text.replace("\r\n", "\n").replace(['\n', '\r'], "\n  ");
        format!("{} {text}\n", self.label)
    }
}

/// The ends of a text that is longer than so many characters.
pub(super) fn clip(text: &str, max_chars: usize) -> String {
    let mut kept = HeadTail::with_limit(max_chars);
    kept.push(text);
    kept.finish()
}

/// The ends of a text that takes more than about so many tokens.
pub(super) fn clip_to_tokens(text: &str, max_tokens: u64) -> String {
    let tokens = tokens::of_text(text);
    if tokens <= max_tokens {
        return text.to_owned();
    }
    let n_chars = text.chars().count() as u64 * max_tokens / tokens;
    clip(text, usize::try_from(n_chars).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;

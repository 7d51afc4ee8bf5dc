//! Thinking that a server did not take out of the text: `<think>…</think>` at its beginning.

use super::Kind;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Splits the content of an answer. Blank lines at its beginning are no text: many models write some after
/// their thinking, even if nothing but a call follows.
#[derive(Debug)]
pub(super) enum Inline {
    /// Nothing but this, which may become the tag.
    Start(String),
    /// This much of it may become the tag's end.
    Thinking(String),
    Text,
}

impl Default for Inline {
    fn default() -> Self {
        Self::Start(String::new())
    }
}

impl Inline {
    pub(super) fn split(&mut self, text: &str, say: &mut dyn FnMut(Kind, &str)) {
        match self {
            Self::Text => say(Kind::Text, text),
            Self::Start(held) => {
                held.push_str(text);
                let begun = held.trim_start();
                if let Some(thinking) = begun.strip_prefix(OPEN) {
                    let thinking = thinking.to_owned();
                    *self = Self::Thinking(String::new());
                    self.split(&thinking, say);
                } else if !OPEN.starts_with(begun) {
                    say(Kind::Text, without_blank_lines(held));
                    *self = Self::Text;
                }
            }
            Self::Thinking(held) => {
                held.push_str(text);
                if let Some((thinking, text)) = held.split_once(CLOSE) {
                    say(Kind::Thinking, thinking.trim_end());
                    let text = text.to_owned();
                    *self = Self::default();
                    self.split(&text, say);
                } else {
                    let tag = (0..CLOSE.len()).rev().find(|&n| held.ends_with(&CLOSE[..n])).unwrap_or(0);
                    let rest = held.split_off(held.len() - tag);
                    say(Kind::Thinking, held);
                    *held = rest;
                }
            }
        }
    }

    /// The end of the content.
    pub(super) fn finish(&mut self, say: &mut dyn FnMut(Kind, &str)) {
        match std::mem::replace(self, Self::Text) {
            Self::Start(held) if held.trim().is_empty() => {}
            Self::Start(held) => say(Kind::Text, without_blank_lines(&held)),
            Self::Thinking(held) => say(Kind::Thinking, &held),
            Self::Text => {}
        }
    }
}

fn without_blank_lines(text: &str) -> &str {
    let margin = &text[..text.len() - text.trim_start().len()];
    &text[margin.rfind('\n').map_or(0, |end| end + 1)..]
}

//! What chunks look like on the wire.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Kind;
use crate::lenient::{Index, Text, parse, present, texts};

/// A chunk, or an answer that came whole.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    object: Text<'a>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) delta: Option<Message<'a>>,
    /// In place of the delta in an answer that came whole.
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Text<'a>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reasoning: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reasoning_text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) reasoning_opaque: Text<'a>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) thinking: Text<'a>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(default)]
    pub(super) index: Index,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) function: Option<FunctionDelta<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl Chunk<'_> {
    pub(super) fn is_error(&self) -> bool {
        let error = present(self.error).is_some_and(|error| !["false", "\"\""].contains(&error));
        error || self.object.as_str() == "error"
    }

    /// Whether all it tells is what the answer cost.
    pub(super) fn is_usage(&self) -> bool {
        present(self.usage).is_some() && self.choices.as_ref().is_none_or(Vec::is_empty)
    }
}

impl<'a> Message<'a> {
    /// The content: a string as a rule, a list of parts at Mistral's.
    pub(super) fn each_piece(&self, mut say: impl FnMut(Kind, &str)) {
        let text: Text<'a> = parse(self.content).unwrap_or_default();
        say(Kind::Text, text.as_str());
        if present(self.content).is_some_and(|content| content.starts_with('[')) {
            let parts: Vec<Part<'a>> = parse(self.content).unwrap_or_default();
            for part in parts {
                say(Kind::Thinking, &texts(part.thinking).concat());
                say(Kind::Text, part.text.as_str());
            }
        }
        say(Kind::Text, self.refusal.as_str());
    }
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

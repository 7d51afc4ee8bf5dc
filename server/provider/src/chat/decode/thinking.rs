//! The fields that thinking comes in, and what has to go back of them.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::wire::Message;
use crate::lenient::parse;

#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// The one that the server uses.
    field: Option<&'static str>,
    /// What Copilot wants back along with the text.
    opaque: String,
    /// What OpenRouter wants back as it came.
    details: Vec<Map<String, Value>>,
}

impl Thinking {
    /// The text in one piece of a message.
    pub(super) fn take(&mut self, message: &Message<'_>) -> String {
        let details = self.take_details(message.reasoning_details);
        self.opaque.push_str(message.reasoning_opaque.as_str());
        // Some servers send two of them with the same text.
        let said = [
            ("reasoning_content", &message.reasoning_content),
            ("reasoning", &message.reasoning),
            ("reasoning_text", &message.reasoning_text),
            ("thinking", &message.thinking),
        ];
        match said.into_iter().find(|(_, text)| text.is_some()) {
            Some((field, text)) => {
                self.field.get_or_insert(field);
                text.as_str().to_owned()
            }
            None => details,
        }
    }

    /// Keeps the details, pieces of one put together, and returns what they say.
    fn take_details(&mut self, details: Option<&RawValue>) -> String {
        let mut said = String::new();
        let details: Vec<Map<String, Value>> = parse(details).unwrap_or_default();
        for detail in details {
            for field in ["text", "summary"] {
                said.push_str(detail.get(field).and_then(Value::as_str).unwrap_or_default());
            }
            let is_more = |last: &&mut Map<String, Value>| {
                let is_text = !detail.contains_key("data");
                is_text && ["type", "index"].iter().all(|field| last.get(*field) == detail.get(*field))
            };
            match self.details.last_mut().filter(is_more) {
                Some(last) => extend(last, detail),
                None => self.details.push(detail),
            }
        }
        said
    }

    /// The fields of the message that goes back. `text`: all that was thought.
    pub(super) fn replay(&self, text: &str) -> Option<String> {
        let fields = match self.field {
            _ if !self.details.is_empty() => json!({ "reasoning_details": self.details }),
            _ if !self.opaque.is_empty() => {
                json!({ "reasoning_text": text, "reasoning_opaque": self.opaque })
            }
            Some(field) => json!({ field: text }),
            None => return None,
        };
        Some(fields.to_string())
    }
}

fn extend(last: &mut Map<String, Value>, more: Map<String, Value>) {
    for (field, value) in more {
        match (last.get_mut(&field), value) {
            (Some(Value::String(text)), Value::String(more)) if ["text", "summary"].contains(&&*field) => {
                text.push_str(&more);
            }
            (_, Value::Null) => {}
            (_, value) => {
                last.insert(field, value);
            }
        }
    }
}

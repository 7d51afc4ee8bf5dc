//! The wires that the fake model speaks.

mod anthropic;
mod chat;
mod responses;

use replay::Reply;
use serde_json::{Value, json};

pub(super) use self::anthropic::SIGNATURE;
use super::script::{Event, Script};
use super::{Request, check};

/// Whose API a model service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Responses,
    Chat,
    Anthropic,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::Responses, Self::Chat, Self::Anthropic];

    /// The value of `api` in a configuration, and of `OPAL_API`.
    pub fn api(self) -> &'static str {
        match self {
            Self::Responses => "responses",
            Self::Chat => "chat",
            Self::Anthropic => "anthropic",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Responses => "/v1/responses",
            Self::Chat => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// The field with the conversation.
    pub(super) fn items(self) -> &'static str {
        match self {
            Self::Responses => "input",
            Self::Chat | Self::Anthropic => "messages",
        }
    }

    pub(super) fn stream(self, script: &Script, number: u32) -> Vec<Event> {
        match self {
            Self::Responses => responses::stream(script, number),
            Self::Chat => chat::stream(script, number),
            Self::Anthropic => anthropic::stream(script, number),
        }
    }

    /// Everything that a strict service would refuse about a body.
    pub fn problems(self, body: &Value) -> Vec<String> {
        let request = Request {
            family: self,
            headers: vec![("anthropic-version".into(), "2023-06-01".into())],
            path: self.path().into(),
            bytes: body.to_string().into_bytes(),
            body: body.clone(),
        };
        self.check(&request, None)
    }

    /// Everything that a strict service would refuse about a request.
    pub(super) fn check(self, request: &Request, context_limit: Option<usize>) -> Vec<String> {
        match self {
            Self::Responses => check::check_body(&request.body, context_limit),
            Self::Chat => check::chat::check(&request.body, context_limit),
            Self::Anthropic => check::anthropic::check(request, context_limit),
        }
    }

    /// What is wrong with the beginning of a body, given the one before of the same conversation.
    pub fn check_prefix(self, previous: &[u8], body: &[u8]) -> Vec<String> {
        match self {
            Self::Responses => check::check_prefix(previous, body),
            Self::Chat => check::check_beginning(&check::chat::parts(previous), &check::chat::parts(body)),
            Self::Anthropic => {
                check::check_beginning(&check::anthropic::parts(previous), &check::anthropic::parts(body))
            }
        }
    }

    /// Which conversation a request goes on with. Only one family says so; of the others a model can have
    /// one session and its summaries at a time.
    pub(super) fn conversation(self, body: &Value) -> String {
        match self {
            Self::Responses => body["prompt_cache_key"].as_str().unwrap_or_default().to_owned(),
            Self::Chat | Self::Anthropic => {
                let has_tools = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
                if has_tools { "session" } else { "summary" }.to_owned()
            }
        }
    }

    pub(super) fn user_texts(self, items: &[Value]) -> Vec<String> {
        let users = items.iter().filter(|item| item["role"] == "user");
        let texts = users.map(|item| text_of(&item["content"]));
        // Messages of results alone are the user's too.
        texts.filter(|text| self != Self::Anthropic || !text.is_empty()).collect()
    }

    pub(super) fn results(self, items: &[Value]) -> Vec<String> {
        let blocks = || items.iter().filter_map(|item| item["content"].as_array()).flatten();
        match self {
            Self::Responses => items
                .iter()
                .filter(|item| item["type"] == "function_call_output")
                .map(|item| text_of(&item["output"]))
                .collect(),
            Self::Chat => items
                .iter()
                .filter(|item| item["role"] == "tool")
                .map(|item| text_of(&item["content"]))
                .collect(),
            Self::Anthropic => blocks()
                .filter(|block| block["type"] == "tool_result")
                .map(|block| text_of(&block["content"]))
                .collect(),
        }
    }

    /// By which an image is known.
    pub(crate) fn image(self) -> &'static str {
        match self {
            Self::Responses => r#""type":"input_image""#,
            Self::Chat => r#""type":"image_url""#,
            Self::Anthropic => r#""type":"image""#,
        }
    }

    pub(super) fn n_thoughts(self, items: &[Value]) -> usize {
        let blocks = || items.iter().filter_map(|item| item["content"].as_array()).flatten();
        match self {
            Self::Responses => items.iter().filter(|item| item["type"] == "reasoning").count(),
            Self::Chat => items.iter().filter(|item| item.get("reasoning_content").is_some()).count(),
            Self::Anthropic => blocks().filter(|block| block["type"] == "thinking").count(),
        }
    }

    /// A refusal in the service's shape.
    pub(super) fn refusal(self, status: u16, error: Value) -> Reply {
        let body = match self {
            Self::Responses | Self::Chat => json!({ "error": error }),
            Self::Anthropic => json!({ "type": "error", "error": error, "request_id": "req_1" }),
        };
        Reply::json(status, body.to_string())
    }

    pub(super) fn overflow(self) -> Reply {
        let error = match self {
            Self::Responses => json!({
                "code": "context_length_exceeded", "type": "invalid_request_error",
                "message": "Your input exceeds the context window of this model.",
            }),
            Self::Chat => json!({
                "code": 400, "type": "BadRequestError",
                "message": "This model's maximum context length is 40000 tokens. However, you requested 50000 tokens.",
            }),
            Self::Anthropic => json!({
                "type": "invalid_request_error", "message": "prompt is too long: 50000 tokens > 40000 maximum",
            }),
        };
        self.refusal(400, error)
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The id of a call that the script gives none.
fn call_id(number: u32, place: usize) -> String {
    format!("call_{number}_{place}")
}

/// Pieces of a few characters, as models send them.
fn pieces(text: &str) -> Vec<String> {
    const CHARS: usize = 12;
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(CHARS).map(|piece| piece.iter().collect()).collect()
}

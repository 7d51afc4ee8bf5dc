//! From a request to the JSON that goes out.
//!
//! The body is a list of pieces, most of them kept from the request before: the instructions with the
//! tools, and each item. `input` comes last, so that a longer conversation only adds to the end.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::body::{Body, Preludes, element, field};
use crate::conversation::{self, CallIds, NO_OUTPUT, NO_RESULT, Piece, in_order};
use crate::item::{Rendered, Rendering};
use crate::lenient::Text;
use crate::{Answer, Block, ItemKind, Part, Request, ThinkingLevel, ToolCall, ToolSpec};

/// As the service limits it, for ids and for the cache key.
const MAX_ID_CHARS: usize = 64;
const CALL_IDS: CallIds = CallIds::UpTo(MAX_ID_CHARS);
/// The service refuses a smaller `max_output_tokens`.
const MIN_OUTPUT_TOKENS: u32 = 16;

/// The whole body. `replays` tells whether the thinking of an answer may go back to this model.
pub(super) fn body(request: &Request, preludes: &Preludes, replays: impl Fn(&Answer) -> bool) -> Body {
    let mut body = Body::new(request);
    body.push(preludes.get(request, prelude));
    body.open(options(request));
    for piece in in_order(&request.items) {
        match piece {
            Piece::Item(item) => {
                let replay = match &item.kind {
                    ItemKind::Assistant(answer) => answer.has_replay() && replays(answer),
                    ItemKind::User { .. } | ItemKind::ToolResult { .. } => false,
                };
                let how = Rendering { form: "responses", replay, images: request.shows_images() };
                body.item(item.rendered(how, |kind, how| render(kind, how.replay)).here);
            }
            Piece::Unanswered(call_id) => {
                let mut out = Vec::new();
                element(&mut out, &InputItem::result(call_id, Output::Text(NO_RESULT.into())));
                body.item(out);
            }
        }
    }
    body.close("]}")
}

fn prelude(instructions: &str, tools: &[ToolSpec]) -> Vec<u8> {
    let mut out = Vec::new();
    if !instructions.is_empty() {
        field(&mut out, "instructions", instructions);
    }
    if !tools.is_empty() {
        // `strict` is on unless told otherwise, and refuses schemas with optional properties.
        field(&mut out, "tools", &tools.iter().map(Tool::from).collect::<Vec<_>>());
        field(&mut out, "tool_choice", "auto");
        field(&mut out, "parallel_tool_calls", &true);
    }
    out
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a serde_json::Value,
    strict: bool,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(ToolSpec { name, description, parameters }: &'a ToolSpec) -> Self {
        // `strict` is on unless told otherwise, and refuses schemas with optional properties.
        Self { kind: "function", name, description, parameters, strict: false }
    }
}

/// What follows the tools, up to the items.
fn options(request: &Request) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        effort: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<&'static str>,
    }
    let reasoning = match request.thinking {
        Some(ThinkingLevel::Off) => {
            Some(Reasoning { effort: Some(ThinkingLevel::Off.effort()), summary: None })
        }
        Some(level) => Some(Reasoning { effort: Some(level.effort()), summary: Some("auto") }),
        None if request.is_for_reasoning_model() => Some(Reasoning { effort: None, summary: Some("auto") }),
        None => None,
    };
    let mut out = Vec::new();
    if let Some(reasoning) = reasoning {
        field(&mut out, "reasoning", &reasoning);
    }
    field(&mut out, "store", &false);
    field(&mut out, "stream", &request.streams);
    field(&mut out, "include", &["reasoning.encrypted_content"]);
    let cache_key: String = request.cache_key.chars().take(MAX_ID_CHARS).collect();
    if !cache_key.is_empty() {
        field(&mut out, "prompt_cache_key", &cache_key);
    }
    if let Some(tokens) = request.max_output_tokens {
        field(&mut out, "max_output_tokens", &tokens.max(MIN_OUTPUT_TOKENS));
    }
    out.extend_from_slice(b",\"input\":[");
    out
}

/// One item, each piece of it after a comma; empty if there is nothing to show.
fn render(item: &ItemKind, replay: bool) -> Rendered {
    let mut out = Vec::new();
    match item {
        ItemKind::User { parts } => {
            let content = content(parts);
            element(&mut out, &InputItem::Message { role: "user", status: None, phase: None, content });
        }
        ItemKind::Assistant(answer) => assistant(&mut out, answer, replay),
        ItemKind::ToolResult { call_id, output } => {
            let output = match conversation::texts(output, "\n") {
                _ if conversation::has_images(output) => Output::Parts(content(output)),
                text if text.is_empty() => Output::Text(NO_OUTPUT.into()),
                text => Output::Text(text),
            };
            element(&mut out, &InputItem::result(call_id, output));
        }
    }
    out.into()
}

/// Thinking goes back only where it may, and only in front of what it led to.
fn assistant(out: &mut Vec<u8>, answer: &Answer, replay: bool) {
    let mut thinking: Vec<&str> = Vec::new();
    for block in &answer.blocks {
        let item = match block {
            Block::Thinking { replay: Some(item), .. } if replay => {
                thinking.push(item);
                continue;
            }
            Block::Thinking { .. } => continue,
            Block::Text { text, .. } if text.is_empty() => continue,
            Block::Text { text, phase } => InputItem::Message {
                role: "assistant",
                status: Some("completed"),
                phase: phase.as_deref(),
                content: vec![Content::OutputText { text, annotations: [] }],
            },
            Block::ToolCall(call) => InputItem::call(call),
        };
        for item in thinking.drain(..) {
            if let Some(item) = reasoning(item) {
                element(out, item);
            }
        }
        element(out, &item);
    }
}

/// Thinking as this API gave it. It went through a store since; broken, it would break the whole body.
fn reasoning(replay: &str) -> Option<&RawValue> {
    #[derive(serde::Deserialize)]
    struct Item<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Text<'a>,
    }
    let item: Item<'_> = serde_json::from_str(replay).ok()?;
    serde_json::from_str(replay).ok().filter(|_| item.kind.as_str() == "reasoning")
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum InputItem<'a> {
    Message {
        role: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
        content: Vec<Content<'a>>,
    },
    FunctionCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: Cow<'a, str>,
        output: Output<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Content<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String, detail: &'static str },
    OutputText { text: &'a str, annotations: [&'static str; 0] },
}

impl<'a> InputItem<'a> {
    fn call(call: &'a ToolCall) -> Self {
        Self::FunctionCall {
            call_id: CALL_IDS.fit(&call.call_id),
            name: conversation::tool_name(&call.name),
            arguments: conversation::arguments(call),
        }
    }

    fn result(call_id: &'a str, output: Output<'a>) -> Self {
        Self::FunctionCallOutput { call_id: CALL_IDS.fit(call_id), output }
    }
}

fn content(parts: &[Part]) -> Vec<Content<'_>> {
    let content: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) if text.is_empty() => None,
            Part::Text(text) => Some(Content::InputText { text }),
            Part::Image { mime_type, data } => {
                let image_url = conversation::data_url(mime_type, data);
                Some(Content::InputImage { image_url, detail: "auto" })
            }
        })
        .collect();
    if content.is_empty() { vec![Content::InputText { text: "(empty)" }] } else { content }
}

#[cfg(test)]
mod tests;

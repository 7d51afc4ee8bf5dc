//! From a request to the JSON that goes out.
//!
//! The body is a list of pieces, most of them kept from the request before: the instructions with the
//! tools, and each item. `input` comes last, so that a longer conversation only adds to the end.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::Segments;
use crate::item::Rendering;
use crate::{Answer, Block, Item, ItemKind, Part, Request, ThinkingLevel, ToolCall, ToolSpec};

/// As the service limits it, for ids and for the cache key.
const MAX_ID_CHARS: usize = 64;
/// The service refuses a smaller `max_output_tokens`.
const MIN_OUTPUT_TOKENS: u32 = 16;

/// The whole body. `replays` tells whether the thinking of an answer may go back to this model.
pub(super) fn body(request: &Request, preludes: &Preludes, replays: impl Fn(&Answer) -> bool) -> Segments {
    Segments::new(pieces(request, preludes, replays))
}

fn pieces(request: &Request, preludes: &Preludes, replays: impl Fn(&Answer) -> bool) -> Vec<Bytes> {
    let mut start = b"{\"model\":".to_vec();
    json(&mut start, &request.model);
    let mut segments =
        vec![start.into(), preludes.get(&request.instructions, &request.tools), options(request)];

    let first = segments.len();
    for piece in in_order(&request.items) {
        let mut segment = match piece {
            Piece::Item(item) => {
                let replay = match &item.kind {
                    ItemKind::Assistant(answer) => has_replay(answer) && replays(answer),
                    ItemKind::User { .. } | ItemKind::ToolResult { .. } => false,
                };
                item.rendered(Rendering { family: "responses", replay }, |how| render(&item.kind, how.replay))
            }
            Piece::Unanswered(call_id) => {
                let mut out = Vec::new();
                input(&mut out, &InputItem::result(call_id, Output::Text("Aborted".into())));
                out.into()
            }
        };
        if segment.is_empty() {
            continue;
        }
        // Each item brings the comma that parts it from the one before.
        if segments.len() == first {
            segment = segment.slice(1..);
        }
        segments.push(segment);
    }
    segments.push(Bytes::from_static(b"]}"));
    segments
}

/// Instructions and tools as JSON, kept for the conversations at hand: they are long and seldom change.
#[derive(Debug, Default)]
pub(super) struct Preludes(Mutex<VecDeque<Prelude>>);

#[derive(Debug)]
struct Prelude {
    instructions: Arc<str>,
    tools: Arc<[ToolSpec]>,
    json: Bytes,
}

impl Preludes {
    /// More than the sessions that are busy at one time; what falls out is rendered again.
    const KEPT: usize = 8;

    fn get(&self, instructions: &Arc<str>, tools: &Arc<[ToolSpec]>) -> Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|prelude| {
            Arc::ptr_eq(&prelude.instructions, instructions) && Arc::ptr_eq(&prelude.tools, tools)
        });
        if let Some(prelude) = found {
            return prelude.json.clone();
        }
        let json = prelude(instructions, tools);
        if kept.len() == Self::KEPT {
            kept.pop_front();
        }
        let (instructions, tools) = (instructions.clone(), tools.clone());
        kept.push_back(Prelude { instructions, tools, json: json.clone() });
        json
    }
}

fn prelude(instructions: &str, tools: &[ToolSpec]) -> Bytes {
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
    out.into()
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
fn options(request: &Request) -> Bytes {
    #[derive(Serialize)]
    struct Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        effort: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<&'static str>,
    }
    let reasoning = match request.thinking {
        Some(ThinkingLevel::Off) => Some(Reasoning { effort: Some("none"), summary: None }),
        Some(level) => Some(Reasoning { effort: Some(effort(level)), summary: Some("auto") }),
        None if is_reasoning_model(&request.model) => Some(Reasoning { effort: None, summary: Some("auto") }),
        None => None,
    };
    let mut out = Vec::new();
    if let Some(reasoning) = reasoning {
        field(&mut out, "reasoning", &reasoning);
    }
    field(&mut out, "store", &false);
    field(&mut out, "stream", &true);
    field(&mut out, "include", &["reasoning.encrypted_content"]);
    let cache_key: String = request.cache_key.chars().take(MAX_ID_CHARS).collect();
    if !cache_key.is_empty() {
        field(&mut out, "prompt_cache_key", &cache_key);
    }
    if let Some(tokens) = request.max_output_tokens {
        field(&mut out, "max_output_tokens", &tokens.max(MIN_OUTPUT_TOKENS));
    }
    out.extend_from_slice(b",\"input\":[");
    out.into()
}

fn effort(level: ThinkingLevel) -> &'static str {
    match level {
        ThinkingLevel::Off => "none",
        ThinkingLevel::Minimal => "minimal",
        ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
        ThinkingLevel::XHigh => "xhigh",
        ThinkingLevel::Max => "max",
    }
}

/// Models that take `reasoning`; others refuse the whole request for it.
fn is_reasoning_model(model: &str) -> bool {
    let id = model.rsplit('/').next().unwrap_or(model);
    let begins = ["gpt-5", "o1", "o3", "o4"].iter().any(|name| id.starts_with(name));
    (begins && !id.contains("-chat")) || id.contains("codex")
}

enum Piece<'a> {
    Item(&'a Item),
    /// A call whose result is missing.
    Unanswered(&'a str),
}

/// The items so that each call has exactly one result and nothing stands between the calls of an
/// answer and their results, which strict services insist on.
fn in_order(items: &[Arc<Item>]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(items.len());
    let mut open: Vec<&str> = Vec::new();
    let mut held: Vec<&Item> = Vec::new();
    for item in items {
        match &item.kind {
            ItemKind::ToolResult { call_id, .. } => match open.iter().position(|open| open == call_id) {
                Some(at) => {
                    open.remove(at);
                    pieces.push(Piece::Item(item));
                    if open.is_empty() {
                        pieces.extend(held.drain(..).map(Piece::Item));
                    }
                }
                None => tracing::warn!(call_id, "left out a result without a call"),
            },
            ItemKind::User { .. } if open.is_empty() => pieces.push(Piece::Item(item)),
            ItemKind::User { .. } => held.push(item),
            ItemKind::Assistant(answer) => {
                pieces.extend(open.drain(..).map(Piece::Unanswered));
                pieces.extend(held.drain(..).map(Piece::Item));
                pieces.push(Piece::Item(item));
                open.extend(answer.tool_calls().map(|call| call.call_id.as_str()));
            }
        }
    }
    pieces.extend(open.into_iter().map(Piece::Unanswered));
    pieces.extend(held.into_iter().map(Piece::Item));
    pieces
}

/// One item, each piece of it after a comma; empty if there is nothing to show.
fn render(item: &ItemKind, replay: bool) -> Bytes {
    let mut out = Vec::new();
    match item {
        ItemKind::User { parts } => {
            input(
                &mut out,
                &InputItem::Message { role: "user", status: None, phase: None, content: content(parts) },
            );
        }
        ItemKind::Assistant(answer) => assistant(&mut out, answer, replay),
        ItemKind::ToolResult { call_id, output } => {
            let texts: Option<Vec<&str>> = output
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Some(text.as_str()),
                    Part::Image { .. } => None,
                })
                .collect();
            let output = match texts.map(|texts| texts.join("\n")) {
                // Models read an empty result as a failure of the tool.
                Some(text) if text.is_empty() => Output::Text("(no output)".into()),
                Some(text) => Output::Text(text.into()),
                None => Output::Parts(content(output)),
            };
            input(&mut out, &InputItem::result(call_id, output));
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
            Block::ToolCall(ToolCall { call_id, name, arguments }) => {
                // Servers that parse it refuse the whole conversation for one slip of the model.
                let is_object = arguments.trim_start().starts_with('{')
                    && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok();
                let arguments = if is_object { arguments } else { "{}" };
                InputItem::FunctionCall { call_id: id(call_id), name, arguments }
            }
        };
        for item in thinking.drain(..) {
            // It went through a store since; broken, it would break the whole body.
            if let Ok(item) = serde_json::from_str::<&RawValue>(item) {
                out.push(b',');
                out.extend_from_slice(item.get().as_bytes());
            }
        }
        input(out, &item);
    }
}

fn has_replay(answer: &Answer) -> bool {
    answer.blocks.iter().any(|block| matches!(block, Block::Thinking { replay: Some(_), .. }))
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
        name: &'a str,
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
    fn result(call_id: &'a str, output: Output<'a>) -> Self {
        Self::FunctionCallOutput { call_id: id(call_id), output }
    }
}

fn content(parts: &[Part]) -> Vec<Content<'_>> {
    let content: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) if text.is_empty() => None,
            Part::Text(text) => Some(Content::InputText { text }),
            Part::Image { mime_type, data } => {
                let image_url = format!("data:{mime_type};base64,{data}");
                Some(Content::InputImage { image_url, detail: "auto" })
            }
        })
        .collect();
    if content.is_empty() { vec![Content::InputText { text: "(empty)" }] } else { content }
}

/// A call id that the service takes: itself, or a name made of it for ids of other services.
fn id(call_id: &str) -> Cow<'_, str> {
    let plain = call_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if plain && (1..=MAX_ID_CHARS).contains(&call_id.len()) && !call_id.ends_with('_') {
        return Cow::Borrowed(call_id);
    }
    // FNV-1a: the same in every process, so that the prompt cache still matches after a restart.
    let hash = call_id.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    Cow::Owned(format!("call_{hash:032x}"))
}

fn input(out: &mut Vec<u8>, item: &InputItem<'_>) {
    out.push(b',');
    json(out, item);
}

fn field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    json(out, value);
}

fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok(), "JSON of own types into memory: {written:?}");
}

#[cfg(test)]
mod tests;

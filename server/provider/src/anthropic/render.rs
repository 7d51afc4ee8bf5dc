//! From a request to the JSON that goes out.
//!
//! Messages alternate between user and assistant, so an item is rendered as the blocks it adds to one, and
//! the messages are put around them here.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::thinking::Thinking;
use crate::body::{Body, Preludes, element, field};
use crate::conversation::{self, CallIds, NO_OUTPUT, NO_RESULT, Piece, in_order};
use crate::item::{Rendered, Rendering};
use crate::{Answer, Block, ItemKind, Part, Request, ToolCall, ToolSpec};

const CALL_IDS: CallIds = CallIds::UpTo(64);
/// The service wants a limit. All models that are offered take this one.
const DEFAULT_MAX_TOKENS: u32 = 32_000;
/// Up to here the service keeps what it has read, until a few minutes after it was last used.
const CACHE_MARK: &str = r#","cache_control":{"type":"ephemeral"}"#;

/// How the blocks begin that some rule is about.
const THINKING: [&str; 2] = [r#"{"type":"thinking""#, r#"{"type":"redacted_thinking""#];
const RESULT: &str = r#"{"type":"tool_result""#;

/// The whole body. `replays` tells whether the thinking of an answer may go back to this model.
pub(super) fn body(request: &Request, preludes: &Preludes, replays: impl Fn(&Answer) -> bool) -> Body {
    let messages = messages(request, replays);
    let mut body = Body::new(request);
    body.push(options(request, &messages));
    body.push(preludes.get(request, prelude));
    body.open(&b",\"messages\":["[..]);
    // The end of this request, and that of the one before: it is as far as the cache reaches, and a mark
    // finds only what lies a few blocks back. Tools and instructions have the two other marks there may be.
    let n_user = messages.iter().filter(|message| message.role == Role::User).count();
    let mut nth_user = 0;
    for message in messages {
        nth_user += usize::from(message.role == Role::User);
        let marked = message.role == Role::User && nth_user + 2 > n_user;
        message.add_to(&mut body, marked);
    }
    body.close("]}")
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    User,
    Assistant,
}

/// A message and its blocks, each piece of them after a comma.
struct Message {
    role: Role,
    blocks: Vec<Bytes>,
}

/// The conversation as messages, the first of them the user's and none like its neighbour.
fn messages(request: &Request, replays: impl Fn(&Answer) -> bool) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for piece in in_order(&request.items) {
        let (role, blocks) = match piece {
            Piece::Item(item) => {
                let (role, replay) = match &item.kind {
                    ItemKind::Assistant(answer) => (Role::Assistant, answer.has_replay() && replays(answer)),
                    ItemKind::User { .. } | ItemKind::ToolResult { .. } => (Role::User, false),
                };
                let how = Rendering { form: "anthropic", replay, images: request.shows_images() };
                (role, item.rendered(how, |kind, how| render(kind, how.replay)).here)
            }
            Piece::Unanswered(call_id) => {
                let mut out = Vec::new();
                let content = Content::Text(NO_RESULT.into());
                element(&mut out, &InputBlock::result(call_id, content, true));
                (Role::User, out.into())
            }
        };
        if blocks.is_empty() {
            continue;
        }
        if messages.is_empty() && role == Role::Assistant {
            let first = Bytes::from_static(br#",{"type":"text","text":"(continued)"}"#);
            messages.push(Message { role: Role::User, blocks: vec![first] });
        }
        match messages.last_mut() {
            Some(last) if last.role == role => last.blocks.push(blocks),
            _ => messages.push(Message { role, blocks: vec![blocks] }),
        }
    }
    messages
}

impl Message {
    /// Whether a model may not think now that did not think before: it is still at what the calls of this
    /// message led to.
    fn is_thoughtless(&self, next: Option<&Self>) -> bool {
        let begins = |message: &Self, with: &str| {
            let first = message.blocks.first().and_then(|blocks| blocks.strip_prefix(b","));
            first.is_some_and(|first| first.starts_with(with.as_bytes()))
        };
        next.is_some_and(|next| begins(next, RESULT)) && !THINKING.iter().any(|with| begins(self, with))
    }

    fn add_to(mut self, body: &mut Body, marked: bool) {
        body.open(match self.role {
            Role::User => &br#",{"role":"user","content":["#[..],
            Role::Assistant => br#",{"role":"assistant","content":["#,
        });
        let last = self.blocks.pop().unwrap_or_default();
        self.blocks.into_iter().for_each(|blocks| body.item(blocks));
        if marked && last.ends_with(b"}") {
            body.item(last.slice(..last.len() - 1));
            body.push(CACHE_MARK.as_bytes());
            body.push(&b"}"[..]);
        } else {
            body.item(last);
        }
        body.push(&b"]}"[..]);
    }
}

fn options(request: &Request, messages: &[Message]) -> Vec<u8> {
    #[derive(Serialize)]
    struct OutputConfig {
        effort: &'static str,
    }
    let mut out = Vec::new();
    let max_tokens = request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    field(&mut out, "max_tokens", &max_tokens);
    field(&mut out, "stream", &request.streams);
    let thinking = Thinking::of(&request.model, request.thinking, max_tokens).map(|thinking| {
        let last = messages.iter().rposition(|message| message.role == Role::Assistant);
        let thoughtless = last.is_some_and(|at| messages[at].is_thoughtless(messages.get(at + 1)));
        match thinking {
            Thinking::Enabled { .. } if thoughtless => Thinking::Disabled,
            thinking => thinking,
        }
    });
    if let Some(thinking) = &thinking {
        field(&mut out, "thinking", thinking);
    }
    if let Some(Thinking::Adaptive { effort, .. }) = thinking {
        field(&mut out, "output_config", &OutputConfig { effort });
    }
    if request.tools.is_empty() && conversation::has_calls(&request.items) {
        // The service wants a list where tools have been called.
        out.extend_from_slice(br#","tools":[]"#);
    }
    out
}

/// Tools and instructions, each with its mark.
fn prelude(instructions: &str, tools: &[ToolSpec]) -> Vec<u8> {
    let mut out = Vec::new();
    if !tools.is_empty() {
        field(&mut out, "tools", &tools.iter().map(Tool::from).collect::<Vec<_>>());
        mark_last(&mut out);
    }
    if !instructions.trim().is_empty() {
        field(&mut out, "system", &[InputBlock::Text { text: instructions }]);
        mark_last(&mut out);
    }
    out
}

/// Puts the mark into the last object of the list that `out` ends with.
fn mark_last(out: &mut Vec<u8>) {
    debug_assert!(out.ends_with(b"}]"), "a list of objects");
    out.truncate(out.len() - 2);
    out.extend_from_slice(CACHE_MARK.as_bytes());
    out.extend_from_slice(b"}]");
}

/// The blocks of one item, each after a comma; empty if there is nothing to show.
fn render(item: &ItemKind, replay: bool) -> Rendered {
    let mut out = Vec::new();
    match item {
        ItemKind::User { parts } => {
            blocks(parts).iter().for_each(|block| element(&mut out, block));
            if out.is_empty() {
                element(&mut out, &InputBlock::Text { text: "(empty)" });
            }
        }
        ItemKind::Assistant(answer) => assistant(&mut out, answer, replay),
        ItemKind::ToolResult { call_id, output } => {
            let content = match conversation::texts(output, "\n") {
                _ if conversation::has_images(output) => Content::Blocks(blocks(output)),
                text if text.trim().is_empty() => Content::Text(NO_OUTPUT.into()),
                text => Content::Text(text),
            };
            element(&mut out, &InputBlock::result(call_id, content, false));
        }
    }
    out.into()
}

/// Thinking goes back only where it may, and only in front of what it led to.
fn assistant(out: &mut Vec<u8>, answer: &Answer, replay: bool) {
    let mut thinking: Vec<&RawValue> = Vec::new();
    for block in &answer.blocks {
        let block = match block {
            Block::Thinking { replay: Some(block), .. } if replay => {
                thinking.extend(thinking_block(block));
                continue;
            }
            Block::Thinking { .. } => continue,
            Block::Text { text, .. } if text.trim().is_empty() => continue,
            Block::Text { text, .. } => InputBlock::Text { text },
            Block::ToolCall(call) => InputBlock::call(call),
        };
        thinking.drain(..).for_each(|block| element(out, block));
        element(out, &block);
    }
}

/// Thinking as this API gave it. It went through a store since; broken, it would break the whole body.
fn thinking_block(replay: &str) -> Option<&RawValue> {
    let ours = THINKING.iter().any(|beginning| replay.starts_with(beginning));
    serde_json::from_str(replay).ok().filter(|_| ours)
}

/// Blocks of white space alone are refused.
fn blocks(parts: &[Part]) -> Vec<InputBlock<'_>> {
    let blocks = parts.iter().filter_map(|part| match part {
        Part::Text(text) if text.trim().is_empty() => None,
        Part::Text(text) => Some(InputBlock::Text { text }),
        Part::Image { mime_type, data } => {
            Some(InputBlock::Image { source: Source { kind: "base64", media_type: mime_type, data } })
        }
    });
    blocks.collect()
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a serde_json::Value,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(ToolSpec { name, description, parameters }: &'a ToolSpec) -> Self {
        Self { name, description, input_schema: parameters }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum InputBlock<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: &'a RawValue,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Content<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    media_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<InputBlock<'a>>),
}

impl<'a> InputBlock<'a> {
    fn call(call: &'a ToolCall) -> Self {
        Self::ToolUse {
            id: CALL_IDS.fit(&call.call_id),
            name: conversation::tool_name(&call.name),
            input: serde_json::from_str(conversation::arguments(call)).unwrap_or(RawValue::NULL),
        }
    }

    fn result(call_id: &'a str, content: Content<'a>, is_error: bool) -> Self {
        Self::ToolResult { tool_use_id: CALL_IDS.fit(call_id), content, is_error }
    }
}

#[cfg(test)]
mod tests;

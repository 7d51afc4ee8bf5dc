//! From a request to the JSON that goes out.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::dialect::Dialect;
use crate::body::{Body, Preludes, element, field, json};
use crate::conversation::{self, CallIds, NO_OUTPUT, NO_RESULT, Piece, in_order};
use crate::item::{Rendered, Rendering};
use crate::{Answer, Block, ItemKind, Part, Request, ToolCall, ToolSpec};

/// As the service limits it.
const MAX_CACHE_KEY_CHARS: usize = 64;

/// The whole body. `replays` tells whether the thinking of an answer may go back to this model.
pub(super) fn body(
    request: &Request,
    dialect: Dialect,
    preludes: &Preludes,
    replays: impl Fn(&Answer) -> bool,
) -> Body {
    let ids = dialect.call_ids(&request.model);
    let form = match ids {
        CallIds::UpTo(_) => "chat",
        CallIds::Nine => "chat, nine",
    };
    let mut body = Body::new(request);
    body.push(options(request, dialect));
    body.open(preludes.get(request, prelude));

    let images = request.shows_images();
    let pieces = in_order(&request.items);
    let last_user = pieces.iter().rposition(Piece::is_user);
    let mut shown_below = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let rendered = match piece {
            Piece::Item(item) => {
                // Thinking matters until the calls it led to are done. Later on most servers leave it out
                // themselves.
                let replay = match &item.kind {
                    ItemKind::Assistant(answer) => {
                        Some(at) > last_user && answer.has_replay() && replays(answer)
                    }
                    ItemKind::User { .. } | ItemKind::ToolResult { .. } => false,
                };
                item.rendered(Rendering { form, replay, images }, |kind, how| render(kind, ids, how.replay))
            }
            Piece::Unanswered(call_id) => result(ids, call_id, NO_RESULT.into()).into(),
        };
        if !piece.is_result() {
            show(&mut body, shown_below.drain(..));
        }
        body.item(rendered.here);
        shown_below.extend(Some(rendered.after).filter(|after| !after.is_empty()));
    }
    show(&mut body, shown_below.drain(..));
    body.close("]}")
}

/// The images of tool results, in a message that may hold them.
fn show(body: &mut Body, images: impl ExactSizeIterator<Item = Bytes>) {
    if images.len() > 0 {
        let words =
            r#",{"role":"user","content":[{"type":"text","text":"Images from the tool results above:"}"#;
        body.item(words.as_bytes());
        images.for_each(|images| body.push(images));
        body.push(&b"]}"[..]);
    }
}

fn options(request: &Request, dialect: Dialect) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reasoning {
        effort: &'static str,
    }
    let mut out = Vec::new();
    field(&mut out, "stream", &request.streams);
    if request.streams {
        out.extend_from_slice(br#","stream_options":{"include_usage":true}"#);
    }
    if let Some(effort) = request.thinking.map(|level| level.effort()) {
        match dialect {
            Dialect::OpenRouter => field(&mut out, "reasoning", &Reasoning { effort }),
            _ => field(&mut out, "reasoning_effort", effort),
        }
    }
    if let Some(tokens) = request.max_output_tokens {
        field(&mut out, dialect.max_tokens(request), &tokens);
    }
    if dialect == Dialect::OpenAi {
        field(&mut out, "store", &false);
        let cache_key: String = request.cache_key.chars().take(MAX_CACHE_KEY_CHARS).collect();
        if !cache_key.is_empty() {
            field(&mut out, "prompt_cache_key", &cache_key);
        }
    } else if request.tools.is_empty() && conversation::has_calls(&request.items) {
        // Gateways to other APIs need a list where tools have been called; OpenAI refuses an empty one.
        out.extend_from_slice(br#","tools":[]"#);
    }
    out
}

/// Up to the first message that is not always there.
fn prelude(instructions: &str, tools: &[ToolSpec]) -> Vec<u8> {
    let mut out = Vec::new();
    if !tools.is_empty() {
        field(&mut out, "tools", &tools.iter().map(Tool::from).collect::<Vec<_>>());
    }
    out.extend_from_slice(b",\"messages\":[");
    if !instructions.is_empty() {
        json(&mut out, &Message { role: "system", content: Content::Text(instructions.into()) });
    }
    out
}

/// One item, after a comma; empty if there is nothing to show.
fn render(item: &ItemKind, ids: CallIds, replay: bool) -> Rendered {
    match item {
        ItemKind::User { parts } => {
            let mut out = Vec::new();
            element(&mut out, &Message { role: "user", content: content(parts) });
            out.into()
        }
        ItemKind::Assistant(answer) => assistant(answer, ids, replay).into(),
        ItemKind::ToolResult { call_id, output } => {
            let mut images = Vec::new();
            for part in output {
                if let Part::Image { mime_type, data } = part {
                    element(&mut images, &ContentPart::image(mime_type, data));
                }
            }
            let text = match conversation::texts(output, "\n") {
                text if !text.is_empty() => text,
                _ if !images.is_empty() => "(an image, shown below)".into(),
                _ => NO_OUTPUT.into(),
            };
            Rendered { here: result(ids, call_id, text).into(), after: images.into() }
        }
    }
}

fn assistant(answer: &Answer, ids: CallIds, replay: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let text = answer.text();
    let calls: Vec<_> = answer.tool_calls().map(|call| Call::new(ids, call)).collect();
    if text.is_empty() && calls.is_empty() {
        return out;
    }
    // Text is always there, as a string: some servers take neither null nor parts.
    element(&mut out, &Message { role: "assistant", content: Content::Text(text.into()) });
    out.pop();
    for block in answer.blocks.iter().filter(|_| replay) {
        if let Block::Thinking { replay: Some(echo), .. } = block {
            // It went through a store since, and may be of another API.
            if let Ok(echo) = serde_json::from_str::<Echo<'_>>(echo) {
                echo.add_to(&mut out);
            }
        }
    }
    if !calls.is_empty() {
        field(&mut out, "tool_calls", &calls);
    }
    out.push(b'}');
    out
}

fn result(ids: CallIds, call_id: &str, content: Cow<'_, str>) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, &ToolMessage { role: "tool", tool_call_id: ids.fit(call_id), content });
    out
}

fn content(parts: &[Part]) -> Content<'_> {
    if !conversation::has_images(parts) {
        let text = conversation::texts(parts, "\n\n");
        return Content::Text(if text.is_empty() { "(empty)".into() } else { text });
    }
    let parts = parts.iter().filter_map(|part| match part {
        Part::Text(text) if text.is_empty() => None,
        Part::Text(text) => Some(ContentPart::Text { text }),
        Part::Image { mime_type, data } => Some(ContentPart::image(mime_type, data)),
    });
    Content::Parts(parts.collect())
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: &'a ToolSpec,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(function: &'a ToolSpec) -> Self {
        Self { kind: "function", function }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
struct ToolMessage<'a> {
    role: &'static str,
    tool_call_id: Cow<'a, str>,
    content: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

impl ContentPart<'_> {
    fn image(mime_type: &str, data: &str) -> Self {
        Self::ImageUrl { image_url: ImageUrl { url: conversation::data_url(mime_type, data) } }
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

impl<'a> Call<'a> {
    fn new(ids: CallIds, call: &'a ToolCall) -> Self {
        let function =
            Function { name: conversation::tool_name(&call.name), arguments: conversation::arguments(call) };
        Self { id: ids.fit(&call.call_id), kind: "function", function }
    }
}

/// Thinking as it goes back: the fields of the message it came in, and no others.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasoning_text: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasoning_opaque: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a RawValue>,
}

impl Echo<'_> {
    /// Adds the fields to an object that has one.
    fn add_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        json(out, self);
        match &out[start..] {
            b"{}" => out.truncate(start),
            _ => {
                out[start] = b',';
                out.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! A model's answer, written as a script and rendered as the stream a service would send.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{Reply, Step};

/// One answer in the shape of the Responses API, built block by block.
///
/// Everything about the rendering is determined by the script: ids, pieces and numbers come out the
/// same each time.
#[derive(Debug, Clone)]
pub struct Recording {
    model: String,
    number: u32,
    blocks: Vec<Block>,
    usage: Option<(u64, u64, u64)>,
    cache_written: u64,
    ending: Ending,
}

#[derive(Debug, Clone)]
enum Block {
    Thinking(String),
    Text(String),
    ToolCall { call_id: Option<String>, name: String, arguments: String },
}

#[derive(Debug, Clone)]
enum Ending {
    Completed,
    Incomplete {
        reason: String,
    },
    Failed {
        code: String,
        message: String,
    },
    /// No final event, and the connection breaks.
    Cut,
    /// No final event, and silence.
    Hang,
}

impl Recording {
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            number: 1,
            blocks: Vec::new(),
            usage: None,
            cache_written: 0,
            ending: Ending::Completed,
        }
    }

    /// Which answer of its conversation this is: ids are made of it, and those of tool calls have to
    /// differ within a conversation.
    pub fn number(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    pub fn thinking(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Thinking(text.into()));
        self
    }

    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// A call with an id of its own making, `call_<number>_<position>`. `arguments` is JSON text, or
    /// whatever a model might write in its place.
    pub fn tool_call(mut self, name: impl Into<String>, arguments: impl ToString) -> Self {
        self.blocks.push(Block::ToolCall {
            call_id: None,
            name: name.into(),
            arguments: arguments.to_string(),
        });
        self
    }

    pub fn tool_call_with_id(
        mut self,
        call_id: impl Into<String>,
        name: impl Into<String>,
        arguments: impl ToString,
    ) -> Self {
        self.blocks.push(Block::ToolCall {
            call_id: Some(call_id.into()),
            name: name.into(),
            arguments: arguments.to_string(),
        });
        self
    }

    /// Tokens: of the input, of it cached, of the output.
    pub fn usage(mut self, input: u64, cached: u64, output: u64) -> Self {
        self.usage = Some((input, cached, output));
        self
    }

    /// Tokens of the input that are written to the cache.
    pub fn cache_written(mut self, tokens: u64) -> Self {
        self.cache_written = tokens;
        self
    }

    /// Ends as incomplete, as in `max_output_tokens`. The last block stays unfinished.
    pub fn incomplete(mut self, reason: impl Into<String>) -> Self {
        self.ending = Ending::Incomplete { reason: reason.into() };
        self
    }

    /// Ends with a failure that the service reports within the stream.
    pub fn failed(mut self, code: impl Into<String>, message: impl Into<String>) -> Self {
        self.ending = Ending::Failed { code: code.into(), message: message.into() };
        self
    }

    /// Ends with a broken connection. The last block stays unfinished.
    pub fn cut(mut self) -> Self {
        self.ending = Ending::Cut;
        self
    }

    /// Never ends. The last block stays unfinished.
    pub fn hang(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }

    /// The stream as one text. What follows the last event, a cut or silence, is not in it.
    pub fn sse(&self) -> String {
        self.events().iter().map(Event::sse).collect()
    }

    /// All events in one step, as fast as the socket takes them.
    pub fn reply(&self) -> Reply {
        let mut steps = vec![Step::from(self.sse())];
        steps.extend(self.last_step());
        Reply::stream(steps)
    }

    /// With a pause before each delta, as a model would write.
    pub fn paced(&self, pause: Duration) -> Reply {
        let mut steps = Vec::new();
        for event in self.events() {
            if event.kind.ends_with(".delta") {
                steps.push(Step::Pause(pause));
            }
            steps.push(Step::Send(Bytes::from(event.sse())));
        }
        steps.extend(self.last_step());
        Reply::stream(steps)
    }

    fn last_step(&self) -> Option<Step> {
        match self.ending {
            Ending::Cut => Some(Step::Cut),
            Ending::Hang => Some(Step::Hang),
            Ending::Completed | Ending::Incomplete { .. } | Ending::Failed { .. } => None,
        }
    }

    fn events(&self) -> Vec<Event> {
        let mut writer = Writer::default();
        writer.event("response.created", json!({ "response": self.response("in_progress", &[]) }));
        writer.event("response.in_progress", json!({ "response": self.response("in_progress", &[]) }));
        let mut output = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let last = index + 1 == self.blocks.len();
            let finished = !last || matches!(self.ending, Ending::Completed | Ending::Failed { .. });
            output.push(self.item(&mut writer, index, block, finished));
        }
        match &self.ending {
            Ending::Completed => {
                writer
                    .event("response.completed", json!({ "response": self.response("completed", &output) }));
            }
            Ending::Incomplete { reason } => {
                let mut response = self.response("incomplete", &output);
                response["incomplete_details"] = json!({ "reason": reason });
                writer.event("response.incomplete", json!({ "response": response }));
            }
            Ending::Failed { code, message } => {
                let mut response = self.response("failed", &output);
                response["error"] = json!({ "code": code, "message": message });
                writer.event("response.failed", json!({ "response": response }));
            }
            Ending::Cut | Ending::Hang => {}
        }
        writer.events
    }

    fn response(&self, status: &str, output: &[Value]) -> Value {
        let usage = match self.usage {
            Some((input, cached, generated)) if status != "in_progress" => json!({
                "input_tokens": input,
                "input_tokens_details": { "cached_tokens": cached, "cache_write_tokens": self.cache_written },
                "output_tokens": generated,
                "output_tokens_details": { "reasoning_tokens": 0 },
                "total_tokens": input + generated,
            }),
            _ => Value::Null,
        };
        json!({
            "id": format!("resp_{}", self.number),
            "object": "response",
            "created_at": 0,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "model": self.model,
            "output": output,
            "store": false,
            "usage": usage,
        })
    }

    /// Writes the events of one block and returns its item as the terminal event repeats it.
    fn item(&self, writer: &mut Writer, index: usize, block: &Block, finished: bool) -> Value {
        let status = if finished { "completed" } else { "incomplete" };
        let id = |prefix: &str| format!("{prefix}_{}_{index}", self.number);
        match block {
            Block::Thinking(text) => {
                let id = id("rs");
                let part = |text: &str| json!({ "type": "summary_text", "text": text });
                let item = |summary: Vec<Value>, blob: Value| json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": blob });
                writer.added(index, item(vec![], Value::Null));
                let at = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
                let mut out = |kind: &str, more: Value| {
                    writer.event(&format!("response.reasoning_summary_{kind}"), merged(&at, more));
                };
                out("part.added", json!({ "part": part("") }));
                for piece in words(text) {
                    out("text.delta", json!({ "delta": piece }));
                }
                let whole = item(vec![part(text)], format!("cmVwbGF5LQ-{}-{index}", self.number).into());
                if finished {
                    out("text.done", json!({ "text": text }));
                    out("part.done", json!({ "part": part(text) }));
                    writer.done(index, &whole);
                }
                whole
            }
            Block::Text(text) => {
                let id = id("msg");
                let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
                let item = |status: &str, content: Vec<Value>| {
                    json!({
                        "id": id, "type": "message", "role": "assistant",
                        "status": status, "content": content,
                    })
                };
                writer.added(index, item("in_progress", vec![]));
                let at = json!({ "item_id": id, "output_index": index, "content_index": 0 });
                let mut out =
                    |kind: &str, more: Value| writer.event(&format!("response.{kind}"), merged(&at, more));
                out("content_part.added", json!({ "part": part("") }));
                for piece in words(text) {
                    out("output_text.delta", json!({ "delta": piece }));
                }
                let whole = item(status, vec![part(text)]);
                if finished {
                    out("output_text.done", json!({ "text": text }));
                    out("content_part.done", json!({ "part": part(text) }));
                    writer.done(index, &whole);
                }
                whole
            }
            Block::ToolCall { call_id, name, arguments } => {
                let id = id("fc");
                let call_id = call_id.clone().unwrap_or_else(|| format!("call_{}_{index}", self.number));
                let item = |status: &str, arguments: &str| {
                    json!({
                        "id": id, "type": "function_call", "status": status,
                        "call_id": call_id, "name": name, "arguments": arguments,
                    })
                };
                writer.added(index, item("in_progress", ""));
                let at = json!({ "item_id": id, "output_index": index });
                let mut out = |kind: &str, more: Value| {
                    writer.event(&format!("response.function_call_arguments.{kind}"), merged(&at, more));
                };
                for piece in pieces(arguments) {
                    out("delta", json!({ "delta": piece }));
                }
                let whole = item(status, arguments);
                if finished {
                    out("done", json!({ "arguments": arguments }));
                    writer.done(index, &whole);
                }
                whole
            }
        }
    }
}

#[derive(Default)]
struct Writer {
    events: Vec<Event>,
}

struct Event {
    kind: String,
    data: Value,
}

impl Writer {
    fn event(&mut self, kind: &str, fields: Value) {
        let head = json!({ "type": kind, "sequence_number": self.events.len() });
        self.events.push(Event { kind: kind.to_owned(), data: merged(&head, fields) });
    }

    fn added(&mut self, index: usize, item: Value) {
        self.event("response.output_item.added", json!({ "output_index": index, "item": item }));
    }

    fn done(&mut self, index: usize, item: &Value) {
        self.event("response.output_item.done", json!({ "output_index": index, "item": item }));
    }
}

impl Event {
    fn sse(&self) -> String {
        format!("event: {}\ndata: {}\n\n", self.kind, self.data)
    }
}

fn merged(object: &Value, more: Value) -> Value {
    let mut object = object.clone();
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// Words with the white space that follows them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let gap = rest[word..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - word);
        let (piece, tail) = rest.split_at(word + gap);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Pieces of a few characters, as models send arguments.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    const CHARS: usize = 12;
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

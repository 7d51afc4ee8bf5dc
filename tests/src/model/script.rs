//! One answer of the model, as a story writes it.

use std::sync::Arc;

use replay::{Reply, Step};
use serde_json::json;
use tokio::sync::Notify;

use super::Family;

/// Holds an answer back until the story opens it.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    notify: Arc<Notify>,
}

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets one answer go on.
    pub fn open(&self) {
        self.notify.notify_one();
    }
}

/// What the model answers to one request. Nothing said: an empty answer.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub(super) blocks: Vec<Block>,
    /// Gates in front of the block with that place; one beyond the last is in front of the end.
    gates: Vec<(usize, Gate)>,
    usage: Option<(u64, u64, u64)>,
    pub(super) cache_written: u64,
    headers: Vec<(String, String)>,
    pub(super) end: End,
}

#[derive(Debug, Clone)]
pub(super) enum Block {
    Thinking(String),
    Text(String),
    Tool { call_id: Option<String>, name: String, arguments: String },
}

#[derive(Debug, Clone, Default)]
pub(super) enum End {
    #[default]
    Completed,
    /// At the limit of the output.
    Length,
    Failed {
        code: String,
        message: String,
    },
    Cut,
    Hang,
    /// Refuses with a status and a message.
    Refused {
        status: u16,
        message: String,
        headers: Vec<(String, String)>,
    },
    /// Refuses a conversation that is too long.
    Overflow,
    /// Another reply altogether.
    Reply(Reply),
}

/// An event of a stream.
#[derive(Debug)]
pub(super) struct Event {
    /// The place of the block that begins with it; one beyond the last: the end begins.
    pub(super) begins: Option<usize>,
    pub(super) text: String,
}

impl Script {
    pub fn text(self, text: impl Into<String>) -> Self {
        self.block(Block::Text(text.into()))
    }

    pub fn thinking(self, text: impl Into<String>) -> Self {
        self.block(Block::Thinking(text.into()))
    }

    /// A tool call; `arguments` is a JSON value, or a string for what is not JSON.
    pub fn tool(self, name: &str, arguments: impl ToString) -> Self {
        self.block(Block::Tool { call_id: None, name: name.into(), arguments: arguments.to_string() })
    }

    pub fn tool_with_id(self, call_id: &str, name: &str, arguments: impl ToString) -> Self {
        let call_id = Some(call_id.to_owned());
        self.block(Block::Tool { call_id, name: name.into(), arguments: arguments.to_string() })
    }

    fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Waits here until the story opens the gate.
    pub fn pause_until(mut self, gate: &Gate) -> Self {
        self.gates.push((self.blocks.len(), gate.clone()));
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

    /// Never ends; the last block stays unfinished.
    pub fn hang(self) -> Self {
        self.end(End::Hang)
    }

    /// Breaks the connection; the last block stays unfinished.
    pub fn cut(self) -> Self {
        self.end(End::Cut)
    }

    /// Stops at the output limit; the last block stays unfinished.
    pub fn length(self) -> Self {
        self.end(End::Length)
    }

    /// Fails within the stream.
    pub fn failed(self, code: &str, message: &str) -> Self {
        self.end(End::Failed { code: code.into(), message: message.into() })
    }

    /// Refuses with a status and an error body.
    pub fn status(self, status: u16) -> Self {
        self.refused(status, &format!("scripted {status}"))
    }

    /// Refuses with a status, saying this.
    pub fn refused(self, status: u16, message: &str) -> Self {
        self.end(End::Refused { status, message: message.into(), headers: Vec::new() })
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.end, End::Refused { status: 400, .. })
    }

    /// Refuses, in the words of the service, because the conversation is too long.
    pub fn overflow(self) -> Self {
        self.end(End::Overflow)
    }

    /// A header that comes with the stream.
    pub fn answer_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A header of a refusal; stands after it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match &mut self.end {
            End::Refused { headers, .. } => headers.push((name.into(), value.into())),
            End::Reply(reply) => reply.headers.push((name.into(), value.into())),
            _ => panic!("`header` goes after `status`, `html` or `body`"),
        }
        self
    }

    pub fn retry_after(self, seconds: &str) -> Self {
        self.header("retry-after", seconds)
    }

    /// Answers a page for humans, as a proxy in between does.
    pub fn html(self, status: u16) -> Self {
        let page = "<html><head><title>Welcome</title></head><body>Log in to the network</body></html>";
        self.end(End::Reply(Reply::new(status, "text/html", page)))
    }

    /// Accepts the request and sends not one byte of the stream.
    pub fn silent(self) -> Self {
        self.end(End::Reply(Reply::stream(vec![Step::Hang])))
    }

    /// Sends these bytes as the stream.
    pub fn body(self, steps: Vec<Step>) -> Self {
        self.end(End::Reply(Reply::stream(steps)))
    }

    fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// The whole stream as one text.
    pub fn sse(&self, family: Family, number: u32) -> String {
        family.stream(self, number).into_iter().map(|event| event.text).collect()
    }

    /// Tokens: of the input, of it cached, of the output.
    pub(super) fn tokens(&self) -> (u64, u64, u64) {
        self.usage.unwrap_or((100, 0, 10))
    }

    /// Whether the block at this place comes to its end.
    pub(super) fn finishes(&self, place: usize) -> bool {
        place + 1 < self.blocks.len() || matches!(self.end, End::Completed | End::Failed { .. })
    }

    pub(super) fn reply(self, family: Family, number: u32) -> Reply {
        match &self.end {
            End::Reply(reply) => return reply.clone(),
            End::Refused { status, message, headers } => {
                let refusal = family.refusal(*status, json!({ "type": "scripted", "message": message }));
                return headers.iter().fold(refusal, |reply, (name, value)| reply.header(name, value));
            }
            End::Overflow => return family.overflow(),
            End::Completed | End::Length | End::Failed { .. } | End::Cut | End::Hang => {}
        }
        let mut steps = self.steps(family.stream(&self, number));
        match self.end {
            End::Cut => steps.push(Step::Cut),
            End::Hang => steps.push(Step::Hang),
            _ => {}
        }
        self.headers.iter().fold(Reply::stream(steps), |reply, (name, value)| reply.header(name, value))
    }

    /// The stream, cut where the gates are.
    fn steps(&self, events: Vec<Event>) -> Vec<Step> {
        let mut gates = self.gates.iter().peekable();
        let mut steps = Vec::new();
        let mut unsent = String::new();
        for event in events {
            while let Some((_, gate)) = gates.next_if(|(place, _)| event.begins == Some(*place)) {
                steps.push(Step::from(std::mem::take(&mut unsent)));
                steps.push(Step::Wait(gate.notify.clone()));
            }
            unsent.push_str(&event.text);
        }
        steps.push(Step::from(unsent));
        steps.extend(gates.map(|(_, gate)| Step::Wait(gate.notify.clone())));
        steps
    }
}

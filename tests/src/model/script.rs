//! One answer of the model, as a story writes it.

use std::sync::Arc;

use replay::{Recording, Reply, Step};
use tokio::sync::Notify;

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
    blocks: Vec<Block>,
    /// Gates in front of the block with that place; one beyond the last is in front of the end.
    gates: Vec<(usize, Gate)>,
    usage: Option<(u64, u64, u64)>,
    end: End,
}

#[derive(Debug, Clone)]
enum Block {
    Thinking(String),
    Text(String),
    Tool { call_id: Option<String>, name: String, arguments: String },
}

#[derive(Debug, Clone, Default)]
enum End {
    #[default]
    Completed,
    Incomplete(String),
    Failed {
        code: String,
        message: String,
    },
    Cut,
    Hang,
    /// Another reply altogether.
    Reply(Reply),
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
        self.end(End::Incomplete("max_output_tokens".into()))
    }

    /// Fails within the stream.
    pub fn failed(self, code: &str, message: &str) -> Self {
        self.end(End::Failed { code: code.into(), message: message.into() })
    }

    /// Refuses with a status and an error body.
    pub fn status(self, status: u16) -> Self {
        let body = format!(r#"{{"error":{{"message":"scripted {status}","type":"scripted","code":null}}}}"#);
        self.end(End::Reply(Reply::json(status, body)))
    }

    /// A header of a refusal; stands after it.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.end = match self.end {
            End::Reply(reply) => End::Reply(reply.header(name, value)),
            _ => panic!("`header` goes after `status`, `html` or `body`"),
        };
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

    pub(super) fn reply(self, number: u32) -> Reply {
        if let End::Reply(reply) = self.end {
            return reply;
        }
        let mut recording = Recording::new("fake-model").number(number);
        for block in &self.blocks {
            recording = match block.clone() {
                Block::Thinking(text) => recording.thinking(text),
                Block::Text(text) => recording.text(text),
                Block::Tool { call_id: Some(id), name, arguments } => {
                    recording.tool_call_with_id(id, name, arguments)
                }
                Block::Tool { call_id: None, name, arguments } => recording.tool_call(name, arguments),
            };
        }
        let (input, cached, output) = self.usage.unwrap_or((100, 0, 10));
        recording = recording.usage(input, cached, output);
        let mut last = None;
        recording = match &self.end {
            End::Completed | End::Reply(_) => recording,
            End::Incomplete(reason) => recording.incomplete(reason),
            End::Failed { code, message } => recording.failed(code, message),
            End::Cut => {
                last = Some(Step::Cut);
                recording.cut()
            }
            End::Hang => {
                last = Some(Step::Hang);
                recording.hang()
            }
        };
        let mut steps = self.steps(&recording.sse());
        steps.extend(last);
        Reply::stream(steps)
    }

    /// The stream, cut where the gates are.
    fn steps(&self, stream: &str) -> Vec<Step> {
        let mut gates = self.gates.iter().peekable();
        let mut steps = Vec::new();
        let mut sent = 0;
        let starts = stream.match_indices("event: ").map(|(at, _)| at);
        for at in starts.filter(|at| *at == 0 || stream[..*at].ends_with("\n\n")) {
            let event = &stream[at..];
            while let Some((_, gate)) = gates.next_if(|(block, _)| self.begins(event, *block)) {
                steps.push(Step::from(stream[sent..at].to_owned()));
                steps.push(Step::Wait(gate.notify.clone()));
                sent = at;
            }
        }
        steps.push(Step::from(stream[sent..].to_owned()));
        steps.extend(gates.map(|(_, gate)| Step::Wait(gate.notify.clone())));
        steps
    }

    /// Whether this is the event with which the block at `place`, or the end after the last, begins.
    fn begins(&self, event: &str, place: usize) -> bool {
        let (name, rest) = event.split_once('\n').unwrap_or((event, ""));
        let data = rest.lines().next().and_then(|line| line.strip_prefix("data: ")).unwrap_or_default();
        let data: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
        match place < self.blocks.len() {
            true => name == "event: response.output_item.added" && data["output_index"] == place,
            false => ["completed", "incomplete", "failed"]
                .iter()
                .any(|end| name == format!("event: response.{end}")),
        }
    }
}

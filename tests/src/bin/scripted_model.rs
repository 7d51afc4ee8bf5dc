//! A model that plays the answers of a script, for tests that cannot live in this crate: those of the editors.
//!
//! `scripted_model SCRIPT LOG`; `tests/nvim/model.md` says what it reads, prints and writes. It decides nothing:
//! the n-th request gets the n-th answer, whatever it asks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use replay::{Received, Recording, Reply, Server, Step as Played};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// How often it is looked whether a file is there.
const POLL: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    answers: Vec<Vec<Step>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Thinking(Vec<String>),
    Text(Vec<String>),
    Call { name: String, arguments: Value },
    WaitFor(PathBuf),
    Fail(bool),
    Hang(bool),
}

/// What becomes of the script's steps: the model's blocks, and where in them it waits.
#[derive(Default)]
struct Answer {
    blocks: Vec<Block>,
    /// In front of the final event.
    waits: Vec<PathBuf>,
    end: End,
}

struct Block {
    kind: Kind,
    /// In front of the block.
    waits: Vec<PathBuf>,
    /// Each with the files it waits for. A call has none: its arguments come as [`Recording`] cuts them.
    deltas: Vec<(Vec<PathBuf>, String)>,
}

#[derive(PartialEq)]
enum Kind {
    Thinking,
    Text,
    Call { name: String, arguments: Value },
}

#[derive(Default, Clone, Copy)]
enum End {
    #[default]
    Completed,
    Fail,
    Hang,
}

struct Model {
    answers: std::vec::IntoIter<Vec<Step>>,
    number: u32,
    log: File,
}

#[allow(clippy::disallowed_methods, reason = "a program of the tests, for a test to read")]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(script), Some(log)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: scripted_model SCRIPT LOG");
    };
    let script = std::fs::read(&script).with_context(|| format!("could not read {}", script.display()))?;
    let script: Script = serde_json::from_slice(&script).context("the script is not one")?;
    let log = OpenOptions::new().create(true).append(true).open(log).context("could not open the log")?;
    let model = Mutex::new(Model { answers: script.answers.into_iter(), number: 0, log });

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _inside = runtime.enter();
    let server = Server::start(move |received| {
        let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
        model.reply(&received)
    })?;
    writeln!(io::stdout(), "{}/v1", server.url())?;

    // Whoever started it holds the other end; when that is gone nobody needs a model.
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}

impl Model {
    fn reply(&mut self, received: &Received) -> Reply {
        if received.path != "/v1/responses" {
            return refuse(404, "there is only /v1/responses");
        }
        let mut line: Vec<u8> =
            received.body.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
        line.push(b'\n');
        if let Err(error) = self.log.write_all(&line) {
            return refuse(500, &format!("could not write the log: {error}"));
        }
        self.number += 1;
        match self.answers.next() {
            Some(steps) => Answer::new(steps).reply(self.number),
            None => refuse(400, "the script has no answer left"),
        }
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({ "error": { "message": message, "code": "not_scripted" } }).to_string())
}

impl Answer {
    fn new(steps: Vec<Step>) -> Self {
        let mut answer = Self::default();
        for step in steps {
            match step {
                Step::Thinking(deltas) => answer.say(Kind::Thinking, deltas),
                Step::Text(deltas) => answer.say(Kind::Text, deltas),
                Step::Call { name, arguments } => {
                    let waits = std::mem::take(&mut answer.waits);
                    let kind = Kind::Call { name, arguments };
                    answer.blocks.push(Block { kind, waits, deltas: Vec::new() });
                }
                Step::WaitFor(path) => answer.waits.push(path),
                Step::Fail(true) => answer.end = End::Fail,
                Step::Hang(true) => answer.end = End::Hang,
                Step::Fail(false) | Step::Hang(false) => {}
            }
        }
        answer
    }

    /// Says more in the last block if it is of this kind, else in a new one.
    fn say(&mut self, kind: Kind, deltas: Vec<String>) {
        let mut waits = std::mem::take(&mut self.waits);
        let mut block = match self.blocks.pop() {
            Some(last) if last.kind == kind => last,
            other => {
                self.blocks.extend(other);
                Block { kind, waits: std::mem::take(&mut waits), deltas: Vec::new() }
            }
        };
        block.deltas.extend(deltas.into_iter().map(|delta| (std::mem::take(&mut waits), delta)));
        self.blocks.push(block);
    }

    fn recording(&self, number: u32) -> Recording {
        let mut recording = Recording::new("scripted").number(number).usage(100, 0, 10);
        for block in &self.blocks {
            let text = || block.deltas.iter().map(|(_, delta)| delta.as_str()).collect::<String>();
            recording = match &block.kind {
                Kind::Thinking => recording.thinking(text()),
                Kind::Text => recording.text(text()),
                Kind::Call { name, arguments } => recording.tool_call(name, arguments),
            };
        }
        match self.end {
            End::Completed => recording,
            End::Fail => recording.cut(),
            End::Hang => recording.hang(),
        }
    }

    /// The recorded stream, with the script's own deltas in place of the recording's, and its waits.
    fn reply(mut self, number: u32) -> Reply {
        let stream = self.recording(number).sse();
        let mut steps = Vec::new();
        let mut sequence = 0;
        for event in stream.split_terminator("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            let kind = data["type"].as_str().unwrap_or_default();
            let block = data["output_index"].as_u64().and_then(|index| self.blocks.get_mut(index as usize));
            let mut send = |steps: &mut Vec<Played>, mut data: Value| {
                data["sequence_number"] = json!(sequence);
                sequence += 1;
                steps.push(Played::from(format!(
                    "event: {}\ndata: {data}\n\n",
                    data["type"].as_str().unwrap_or_default()
                )));
            };
            match (kind, block) {
                ("response.output_item.added", Some(block)) => {
                    wait(&mut steps, std::mem::take(&mut block.waits));
                    send(&mut steps, data);
                }
                ("response.output_text.delta" | "response.reasoning_summary_text.delta", Some(block)) => {
                    // All of them with the recording's first; the later ones find none.
                    for (waits, delta) in std::mem::take(&mut block.deltas) {
                        wait(&mut steps, waits);
                        let mut data = data.clone();
                        data["delta"] = json!(delta);
                        send(&mut steps, data);
                    }
                }
                ("response.completed", _) => {
                    wait(&mut steps, std::mem::take(&mut self.waits));
                    send(&mut steps, data);
                }
                _ => send(&mut steps, data),
            }
        }
        wait(&mut steps, self.waits);
        match self.end {
            End::Completed => {}
            End::Fail => steps.push(Played::Cut),
            End::Hang => steps.push(Played::Hang),
        }
        Reply::stream(steps)
    }
}

/// Goes on when all these files are there.
fn wait(steps: &mut Vec<Played>, paths: Vec<PathBuf>) {
    for path in paths {
        let there = Arc::new(Notify::new());
        steps.push(Played::Wait(there.clone()));
        tokio::spawn(async move {
            while !path.exists() {
                tokio::time::sleep(POLL).await;
            }
            there.notify_one();
        });
    }
}

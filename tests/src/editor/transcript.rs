//! The conversation: kept whole for a failing test, and told briefly for snapshots.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Everything that was said, in order.
#[derive(Debug)]
pub(super) struct Log {
    start: Instant,
    entries: Vec<(Duration, Entry)>,
}

#[derive(Debug)]
enum Entry {
    Sent(Value),
    Received(Value),
    Note(String),
}

impl Default for Log {
    fn default() -> Self {
        Self { start: Instant::now(), entries: Vec::new() }
    }
}

impl Log {
    fn push(&mut self, entry: Entry) {
        self.entries.push((self.start.elapsed(), entry));
    }

    pub(super) fn sent(&mut self, message: Value) {
        self.push(Entry::Sent(message));
    }

    /// The params of every event received.
    pub(super) fn events(&self) -> Vec<Value> {
        let received = self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Received(message) if message["method"] == "agent/event" => Some(message["params"].clone()),
            _ => None,
        });
        received.collect()
    }

    /// Everything received, to the letter.
    pub(super) fn everything(&self) -> String {
        self.received_from(0).map(|(_, message)| format!("{message}\n")).collect()
    }

    pub(super) fn received(&mut self, message: Value) {
        self.push(Entry::Received(message));
    }

    pub(super) fn note(&mut self, note: String) {
        self.push(Entry::Note(note));
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn received_from(&self, from: usize) -> impl Iterator<Item = (usize, &Value)> {
        self.entries.iter().enumerate().skip(from).filter_map(|(at, (_, entry))| match entry {
            Entry::Received(message) => Some((at, message)),
            Entry::Sent(_) | Entry::Note(_) => None,
        })
    }

    /// The first message of this name from a place on: place, id and params.
    pub(super) fn find(
        &self,
        from: usize,
        name: &str,
        session: Option<&str>,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<(usize, Option<Value>, Value)> {
        let mut messages = self.received_from(from);
        let found = messages.find(|(_, message)| {
            let params = &message["params"];
            let in_session =
                session.is_none_or(|session| params["session_id"].as_str().is_none_or(|id| id == session));
            is_named(message, name) && in_session && fits(params)
        });
        found.map(|(at, message)| {
            let content = if message.get("error").is_some() { "error" } else { "params" };
            (at, message.get("id").cloned(), message[content].clone())
        })
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.received_from(0).filter(|(_, message)| is_named(message, name)).count()
    }

    pub(super) fn asked_question(&self, question: &str) -> bool {
        let mut messages = self.received_from(0);
        messages
            .any(|(_, message)| message["params"]["question_id"] == question && message.get("id").is_some())
    }
}

/// By method, by the type of an event, or `error` for an answer that refuses.
fn is_named(message: &Value, name: &str) -> bool {
    match message["method"].as_str() {
        Some("agent/event") => message["params"]["type"] == name || name == "agent/event",
        Some(method) => method == name,
        None => name == "refusal" && message.get("error").is_some(),
    }
}

/// Only the end is shown, and only the beginning of each message.
impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: usize = 150;
        let skipped = self.entries.len().saturating_sub(LAST);
        if skipped > 0 {
            writeln!(f, "… {skipped} earlier")?;
        }
        for (after, entry) in &self.entries[skipped..] {
            let (arrow, text) = match entry {
                Entry::Sent(message) => ("-->", message.to_string()),
                Entry::Received(message) => ("<--", message.to_string()),
                Entry::Note(note) => ("   ", note.clone()),
            };
            let text: String = text.chars().take(400).collect();
            writeln!(f, "{:>8.3} {arrow} {text}", after.as_secs_f64())?;
        }
        Ok(())
    }
}

/// One line for each thing a person would have seen.
pub(super) fn render(log: &Log, directory: &Path) -> String {
    let mut transcript = String::new();
    for (_, message) in log.received_from(0) {
        if let Some((what, text)) = line(message) {
            let text = text.trim_end().replace('\n', "\n            ");
            transcript.push_str(format!("{what:<12}{text}").trim_end());
            transcript.push('\n');
        }
    }
    let directory = directory.display().to_string();
    transcript
        .replace(&format!("file://{directory}/"), "")
        .replace(&format!("{directory}/"), "")
        .replace(&directory, ".")
}

fn line(message: &Value) -> Option<(&'static str, String)> {
    let params = &message["params"];
    let text = |field: &str| match &params[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let line = match message["method"].as_str()? {
        "client/confirm" => ("confirm", text("title")),
        "client/input" => ("input", text("prompt")),
        "client/resolved" => ("resolved", String::new()),
        "client/save_documents" => ("save", strings(&params["uris"])),
        "window/showMessageRequest" => ("ask", text("message")),
        "window/showMessage" => ("show", text("message")),
        "workspace/applyEdit" => ("edit", uris(&params["edit"])),
        "agent/event" => match params["type"].as_str()? {
            "turn_start" => ("turn_start", text("text")),
            "message_end" if params["text"] == "" => return None,
            "message_end" => ("message", text("text")),
            "thinking_end" => ("thinking", text("text")),
            "tool_execution_start" => ("tool", format!("{} {}", text("tool"), params["args"])),
            "tool_execution_end" => {
                let result = &params["result"];
                let (what, told) = match result["ok"] == true {
                    true => ("tool_ok", &result["output"]),
                    false => ("tool_failed", &result["error"]),
                };
                (what, told.as_str().unwrap_or_default().to_owned())
            }
            "document_edited" => ("edited", text("uri")),
            "message_queued" => ("queued", text("text")),
            "message_applied" => ("applied", String::new()),
            "message_withdrawn" => ("withdrawn", String::new()),
            "retry" => ("retry", format!("{} {}", text("attempt"), text("reason"))),
            "error" => ("error", format!("{}: {}", text("code"), text("message"))),
            "agent_end" => ("agent_end", text("reason")),
            _ => return None,
        },
        _ => return None,
    };
    Some(line)
}

fn strings(array: &Value) -> String {
    let strings = array.as_array().into_iter().flatten().filter_map(Value::as_str);
    strings.collect::<Vec<_>>().join(" ")
}

fn uris(edit: &Value) -> String {
    let changes = edit["documentChanges"].as_array().into_iter().flatten();
    let versioned =
        changes.filter_map(|change| change["uri"].as_str().or(change["textDocument"]["uri"].as_str()));
    let plain =
        edit["changes"].as_object().into_iter().flat_map(|changes| changes.keys().map(String::as_str));
    let mut uris: Vec<_> = versioned.chain(plain).collect();
    uris.dedup();
    uris.join(" ")
}

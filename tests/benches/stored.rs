//! Sessions as an earlier run has left them: written through the store, with records as the agent writes them.

use std::path::Path;

use serde_json::{Value, json};
use store::{
    Append, Commit, EntryId, EntryKind, NewEntry, Options, SessionId, SessionRecord, Store, SyncMode,
};
use tempfile::TempDir;

/// A data directory for servers to come.
pub(crate) struct Stored {
    directory: TempDir,
    store: Store,
    sessions: Vec<SessionId>,
}

/// One entry: what it is, its record, and what a search finds.
pub(crate) type Told = (EntryKind, Value, String);

/// Entries of a turn: the prompt, four calls with their results, and the answer.
const TURN: u64 = 10;

/// Characters of a tool's result.
const RESULT: usize = 1000;

impl Stored {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { sync: SyncMode::Off, ..Options::default() };
        let store = Store::open(directory.path().join("data"), options);
        Self { directory, store, sessions: Vec::new() }
    }

    /// A session of so many entries.
    pub(crate) fn session(&mut self, n_entries: u64, tell: impl FnMut(u64) -> Told) -> Commit {
        let number = self.sessions.len() as i64;
        let id = SessionId::random();
        let created = self.store.create(SessionRecord {
            id: id.clone(),
            working_dir: self.directory.path().to_str().unwrap().to_owned(),
            name: None,
            model: Some("env/bench".to_owned()),
            created_at_ms: number,
            updated_at_ms: number,
            leaf: None,
            parent: None,
            settings_json: json!({ "permission_mode": "full" }).to_string(),
        });
        // It is done before what comes after it, whose outcome tells.
        drop(created);
        let entry = |(n, (kind, record, found_by)): (u64, Told)| NewEntry {
            id: EntryId(n),
            parent: (n > 1).then(|| EntryId(n - 1)),
            kind,
            created_at_ms: number,
            payload: record.to_string(),
            search_text: Some(found_by),
        };
        let entries = (0..n_entries).map(tell).zip(1..).map(|(told, n)| entry((n, told)));
        let append =
            Append { entries: entries.collect(), leaf: Some(EntryId(n_entries)), ..Append::default() };
        let appended = self.store.append(&id, append);
        self.sessions.push(id);
        appended
    }

    pub(crate) fn sessions(&self) -> &[SessionId] {
        &self.sessions
    }

    /// Bytes of all records.
    pub(crate) fn n_bytes(&self) -> u64 {
        let loaded = self.sessions.iter().map(|id| self.store.load(id).unwrap());
        loaded.flat_map(|loaded| loaded.entries).map(|entry| entry.payload.len() as u64).sum()
    }

    /// Lets go of the files, as the earlier run has when it ended.
    pub(crate) fn close(&self) {
        self.store.close();
    }

    /// `OPAL_DATA_DIR`.
    pub(crate) fn data(&self) -> &Path {
        self.store.directory()
    }

    /// The store as a program of its own would open it.
    pub(crate) fn open(&self) -> Store {
        Store::open(self.data(), Options::default())
    }
}

/// The n-th entry of a session in which files are read.
pub(crate) fn work(n: u64) -> Told {
    let (turn, place) = (n / TURN, n % TURN);
    let path = format!("src/part{turn}/file{place}.rs");
    let result = |call: u64| format!("call_{turn}_{call}");
    match place {
        0 => prompt(
            turn,
            &format!("What does part {turn} do when a rate is missing, and where is it rounded?"),
        ),
        9 => {
            let text = format!("Part {turn} rounds each line and then the sum. ").repeat(8);
            answer(n, &text, &[])
        }
        place if place % 2 == 1 => {
            let arguments = json!({ "path": path, "offset": 1, "limit": 40 }).to_string();
            let call = json!({
                "type": "tool_call", "call_id": result(place), "name": "read", "arguments": arguments,
            });
            answer(n, &format!("I look at {path} to see how it is done there."), &[call])
        }
        place => {
            let line = format!("    let total = round(price * rate({turn}), 2); // {place}\n");
            let text = line.repeat(RESULT / line.len());
            let record = json!({
                "call_id": result(place - 1), "tool": "read", "ok": true,
                "parts": [{ "type": "text", "text": text }],
                "file": { "path": path, "hash": format!("{n:016x}") },
            });
            (EntryKind::ToolResult, record, format!("read {path}"))
        }
    }
}

pub(crate) fn prompt(turn: u64, text: &str) -> Told {
    (EntryKind::User, json!({ "turn_id": format!("t{turn}"), "text": text }), text.to_owned())
}

pub(crate) fn answer(n: u64, text: &str, calls: &[Value]) -> Told {
    let mut blocks = vec![json!({ "type": "text", "text": text })];
    blocks.extend_from_slice(calls);
    let record = json!({
        "message_id": format!("m{n}"), "provider": "env", "model": "bench", "response_id": format!("resp_{n}"),
        "blocks": blocks, "stop": if calls.is_empty() { "stop" } else { "tool_use" },
        "usage": {
            "input": 12_000, "cached": 11_000, "cache_write": 0, "output": 100, "reasoning": 0, "total": 12_100,
        },
    });
    (EntryKind::Assistant, record, text.to_owned())
}

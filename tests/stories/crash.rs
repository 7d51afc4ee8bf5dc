//! The crash harness: a server that works is killed at a random moment, again and again, and after each
//! restart everything it had announced is there, no file is half written, and the session goes on.
//!
//! `OPAL_CRASH_ROUNDS` says how often (100 by default), `OPAL_CRASH_SEED` repeats a run.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::FakeModel;
use tests::editor::{Editor, Options, Profile};
use tests::process::Process;

/// Lines of the file that is written; long enough to be caught in the middle.
const LINES: usize = 20_000;
/// The latest moment of the kill after the prompt was sent.
const LATEST_KILL: u64 = 60_000;

pub(super) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A small generator: the same seed gives the same run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What the server has said yes to, or told as done.
#[derive(Default)]
pub(super) struct Announced {
    pub(super) prompts: BTreeSet<String>,
    answers: BTreeSet<String>,
    results: BTreeSet<String>,
}

impl Announced {
    pub(super) fn event(&mut self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("turn_start") => drop(self.prompts.insert(text("text"))),
            Some("message_end") if event["text"] != "" => drop(self.answers.insert(text("text"))),
            Some("tool_execution_end") => drop(self.results.insert(text("call_id"))),
            _ => {}
        }
    }

    /// What is announced and not in the stored conversation.
    pub(super) fn lost(&self, history: &Value) -> Vec<String> {
        let entries = history["entries"].as_array().unwrap();
        let stored = |kind: &str, field: &str| -> BTreeSet<String> {
            let of_kind =
                entries.iter().map(|entry| &entry["content"]).filter(|content| content["kind"] == kind);
            of_kind.map(|content| content[field].as_str().unwrap_or_default().to_owned()).collect()
        };
        let lost = |announced: &BTreeSet<String>, stored: &BTreeSet<String>| {
            announced.difference(stored).cloned().collect::<Vec<_>>()
        };
        let mut all = lost(&self.prompts, &stored("user", "text"));
        all.extend(lost(&self.answers, &stored("assistant", "text")));
        all.extend(lost(&self.results, &stored("tool_result", "call_id")));
        all
    }
}

#[tokio::test]
async fn nothing_announced_is_lost() {
    let rounds = number("OPAL_CRASH_ROUNDS", 100);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("OPAL_CRASH_SEED", u64::from(clock.subsec_nanos()));
    let mut random = Random(seed);
    let root = tempfile::TempDir::with_prefix_in("opal-story-", std::env::temp_dir().canonicalize().unwrap());
    let root = root.unwrap();
    let directory = root.path().join("workspace");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("numbers.txt");
    let model = FakeModel::start().await;
    let environment =
        vec![("OPAL_BASE_URL".to_owned(), model.url()), ("OPAL_MODEL".to_owned(), "fake-model".to_owned())];
    let mut announced = Announced::default();
    let mut session: Option<String> = None;
    let mut n_events = 0;
    for round in 0..rounds {
        let (mut process, stdin, stdout) =
            Process::start(&["lsp", "--stdio"], &directory, root.path(), environment.clone()).await;
        let options = Options { directory: directory.clone(), profile: Profile::Plain, ..Options::default() };
        let editor = Editor::connect(stdout, stdin, options);
        editor.initialize().await;
        let session = match &session {
            None => {
                let params = json!({ "working_dir": directory, "permission_mode": "full" });
                let started = editor.request("session/start", params).await.unwrap();
                session.insert(started["session_id"].as_str().unwrap().to_owned()).clone()
            }
            Some(session) => {
                // Killed before its first prompt was kept, it does not exist.
                let resumed = editor.request("session/resume", json!({ "session_id": session })).await;
                match resumed {
                    Ok(_) => session.clone(),
                    Err(error) => panic!("seed {seed}, round {round}: {error}"),
                }
            }
        };
        let params = json!({ "session_id": session, "limit": 1000 });
        if round > 0 {
            let history = history(&editor, params).await;
            let lost = announced.lost(&history);
            assert!(lost.is_empty(), "seed {seed}, round {round}: lost {lost:?} of {history}");
        }
        whole(&file, seed, round);

        // The model's request checks that every call has its result.
        model.forget_scripts();
        let content = format!("version {round}\n").repeat(LINES);
        model.next(|t| {
            t.text(format!("I write version {round}.")).tool("read", json!({ "path": "numbers.txt" }))
        });
        model.next(|t| t.tool("write", json!({ "path": "numbers.txt", "content": content })));
        model.next(|t| t.tool("shell", json!({ "command": format!("echo {round} >> log.txt") })));
        model.next(|t| t.text(format!("Version {round} is written.")));
        let from = editor.place();
        let kill = Duration::from_micros(random.below(LATEST_KILL));
        let prompt = json!({ "session_id": session, "text": format!("prompt {round}") });
        let prompt = async {
            if editor.request("agent/prompt", prompt).await.is_ok() {
                let _ = editor.until(None, from, "agent_end", |_| true).await;
            }
        };
        // The first prompt is waited for: without it there is no session to come back to.
        if round == 0 {
            prompt.await;
        } else {
            let _ = tokio::time::timeout(kill, prompt).await;
        }
        editor.forgive();
        process.kill().await;
        for event in editor.events(&session) {
            announced.event(&event);
            n_events += 1;
        }
    }
    whole(&file, seed, rounds);
    model.forgive();
    let session = session.unwrap();
    let (mut process, stdin, stdout) =
        Process::start(&["lsp", "--stdio"], &directory, root.path(), environment).await;
    let options = Options { directory, profile: Profile::Plain, ..Options::default() };
    let editor = Editor::connect(stdout, stdin, options);
    editor.initialize().await;
    editor.request("session/resume", json!({ "session_id": session })).await.unwrap();
    the_tree_is_whole(&editor, &session, seed).await;
    every_change_can_be_taken_back(&editor, &session, &file, seed).await;
    editor.forgive();
    process.kill().await;
    println!("{rounds} rounds, {n_events} events, nothing lost (seed {seed})");
}

async fn the_tree_is_whole(editor: &Editor, session: &str, seed: u64) {
    let tree = pages(editor, "session/tree", json!({ "session_id": session, "limit": 1000 })).await;
    let mut ids = BTreeSet::new();
    for entry in tree["entries"].as_array().unwrap() {
        let parent = entry["parent_id"].as_str();
        assert!(parent.is_none_or(|parent| ids.contains(parent)), "seed {seed}: an orphan in {tree}");
        ids.insert(entry["entry_id"].as_str().unwrap().to_owned());
    }
}

/// The session has made the file: without its changes there is none, and with them it is as it was.
async fn every_change_can_be_taken_back(editor: &Editor, session: &str, file: &std::path::Path, seed: u64) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let params = json!({ "session_id": session, "path": file });
    let undone = editor.request("session/undo", params).await.unwrap();
    assert!(!file.exists() && undone["conflicts"] == json!([]), "seed {seed}: {undone}");
    let params = json!({ "session_id": session, "turn_id": undone["turn_id"] });
    editor.request("session/undo", params).await.unwrap();
    assert!(std::fs::read_to_string(file).unwrap() == text, "seed {seed}: another text came back");
}

pub(super) async fn history(editor: &Editor, params: Value) -> Value {
    pages(editor, "session/history", params).await
}

/// All pages.
async fn pages(editor: &Editor, method: &str, mut params: Value) -> Value {
    let mut entries = Vec::new();
    loop {
        let page = editor.request(method, params.clone()).await.unwrap();
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page.get("next_cursor") {
            Some(cursor) => params["cursor"] = cursor.clone(),
            None => return json!({ "entries": entries }),
        }
    }
}

/// The file is one version from the first to the last line.
#[track_caller]
fn whole(file: &std::path::Path, seed: u64, round: u64) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let first = text.lines().next().unwrap_or_default();
    let n_same = text.lines().filter(|line| *line == first).count();
    assert!(n_same == LINES && text.lines().count() == LINES, "seed {seed}, round {round}: a torn file");
}

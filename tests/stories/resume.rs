//! Sessions that survive the end of their server.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tests::editor::{Confirm, Editor, Options};
use tests::process::{Process, binary};
use tests::{FakeModel, calls};

/// A server process with an editor, on the data directory of the one before.
struct Run {
    process: Process,
    editor: Editor,
}

impl Run {
    async fn start(root: &Path, model: &FakeModel) -> Self {
        let directory = root.join("workspace");
        std::fs::create_dir_all(&directory).unwrap();
        let environment = vec![
            ("OPAL_BASE_URL".to_owned(), model.url()),
            ("OPAL_MODEL".to_owned(), "fake-model".to_owned()),
        ];
        let (process, stdin, stdout) =
            Process::start(&["lsp", "--stdio"], &directory, root, environment).await;
        let editor = Editor::connect(stdout, stdin, Options { directory, ..Options::default() });
        editor.initialize().await;
        Self { process, editor }
    }

    async fn new_session(&self, root: &Path) -> String {
        let params = json!({ "working_dir": root.join("workspace") });
        let started = self.editor.request("session/start", params).await.unwrap();
        started["session_id"].as_str().unwrap().to_owned()
    }

    async fn resume(&self, root: &Path) -> Value {
        let params = json!({ "working_dir": root.join("workspace") });
        self.editor.request("session/resume", params).await.unwrap()
    }

    /// A prompt and its whole run.
    async fn run(&self, session: &str, text: &str) -> String {
        let from = self.editor.place();
        self.prompt(session, text).await;
        let end = self.editor.until(None, from, "agent_end", |_| true).await;
        end["reason"].as_str().unwrap().to_owned()
    }

    async fn prompt(&self, session: &str, text: &str) {
        let params = json!({ "session_id": session, "text": text });
        self.editor.request("agent/prompt", params).await.unwrap();
    }

    /// `kill -9`.
    async fn kill(mut self) {
        self.editor.forgive();
        self.process.kill().await;
    }
}

fn house() -> tempfile::TempDir {
    tempfile::TempDir::with_prefix_in("opal-story-", std::env::temp_dir().canonicalize().unwrap()).unwrap()
}

#[tokio::test]
async fn the_conversation_stands_after_a_kill_in_the_middle_of_an_answer() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.text("The first answer."));
    model.next(|t| t.text("The second").hang());
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    assert_eq!(run.run(&session, "first").await, "completed");
    let from = run.editor.place();
    run.prompt(&session, "second").await;
    run.editor.until(None, from, "message_delta", |_| true).await;
    run.kill().await;

    model.next(|t| t.text("The third answer."));
    let run = Run::start(root, &model).await;
    let resumed = run.resume(root).await;
    assert_eq!(resumed["session_id"], session.as_str());
    assert_eq!(resumed["state"]["status"], "idle");
    assert_eq!(run.run(&session, "third").await, "completed");
    assert_eq!(model.last_request().user_texts(), ["first", "second", "third"]);
    let history = run.editor.request("session/history", json!({ "session_id": session })).await.unwrap();
    let kinds: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["content"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["user", "assistant", "user", "user", "assistant"]);
    run.kill().await;
}

#[tokio::test]
async fn a_call_that_was_cut_off_gets_a_result_once() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.tool("shell", calls::shell("true")));
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    let from = run.editor.place();
    run.editor.always_confirm(Confirm::Hold);
    run.prompt(&session, "run it").await;
    run.editor.until(None, from, "client/confirm", |_| true).await;
    run.kill().await;

    for (n, answer) in ["It was cut off.", "Still so."].into_iter().enumerate() {
        model.next(|t| t.text(answer));
        let run = Run::start(root, &model).await;
        run.resume(root).await;
        assert_eq!(run.run(&session, &format!("go on {n}")).await, "completed");
        let results = model.last_request().results();
        assert_eq!(results.len(), 1, "{results:?}");
        assert!(results[0].contains("ended before this call had finished"), "{results:?}");
        run.kill().await;
    }
}

#[tokio::test]
async fn what_was_queued_is_listed_and_starts_only_when_told() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.text("Half").hang());
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    let from = run.editor.place();
    run.prompt(&session, "first").await;
    run.editor.until(None, from, "message_delta", |_| true).await;
    let params = json!({ "session_id": session, "text": "and then this" });
    run.editor.request("agent/follow_up", params).await.unwrap();
    run.kill().await;

    let run = Run::start(root, &model).await;
    let resumed = run.resume(root).await;
    assert_eq!(resumed["state"]["status"], "idle");
    assert_eq!(resumed["state"]["queue"][0]["text"], "and then this");
    model.next(|t| t.text("Second."));
    model.next(|t| t.text("Third."));
    assert_eq!(run.run(&session, "second").await, "completed");
    assert_eq!(model.last_request().user_texts(), ["first", "second", "and then this"]);
    run.kill().await;
}

#[tokio::test]
async fn the_latest_of_a_directory_is_not_one_that_was_just_begun() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.text("Mine."));
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    assert_eq!(run.run(&session, "hello").await, "completed");
    run.kill().await;

    let run = Run::start(root, &model).await;
    run.new_session(root).await;
    assert_eq!(run.resume(root).await["session_id"], session.as_str());
    run.kill().await;
}

#[tokio::test]
async fn a_session_goes_on_without_what_is_gone() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    let (old, new) = (root.join("old"), root.join("workspace"));
    std::fs::create_dir(&old).unwrap();
    model.next(|t| t.text("Here."));
    let run = Run::start(root, &model).await;
    let params = json!({ "working_dir": old, "tools": ["read", "shell"] });
    let started = run.editor.request("session/start", params).await.unwrap();
    let session = started["session_id"].as_str().unwrap().to_owned();
    assert_eq!(run.run(&session, "hello").await, "completed");
    run.kill().await;
    std::fs::remove_dir(&old).unwrap();
    let settings = r#"{"tools":["read","gone","nosh"],"shell":"nosh"}"#;
    let database = rusqlite::Connection::open(root.join("data/sessions.db")).unwrap();
    database.execute("UPDATE sessions SET settings_json = ?1", [settings]).unwrap();
    drop(database);

    let run = Run::start(root, &model).await;
    let params = json!({ "session_id": session });
    let error = run.editor.request("session/resume", params).await.unwrap_err();
    assert!(error.message.contains("old is gone"), "{error:?}");
    assert!(error.data["hint"].as_str().unwrap().contains("working_dir"));
    let from = run.editor.place();
    let params = json!({ "session_id": session, "working_dir": new });
    let resumed = run.editor.request("session/resume", params).await.unwrap();
    assert_eq!(resumed["state"]["working_dir"], new.to_str().unwrap());
    run.editor.until(None, from, "window/showMessage", |told| says(told, "no shell nosh")).await;
    run.editor.until(None, from, "window/showMessage", |told| says(told, "no tool `gone`")).await;
    // It has moved.
    run.kill().await;
    let run = Run::start(root, &model).await;
    assert_eq!(run.resume(root).await["session_id"], session.as_str());
    run.kill().await;
}

#[tokio::test]
async fn on_the_command_line_a_session_without_its_directory_goes_on_in_this_one() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    let old = root.join("old");
    std::fs::create_dir(&old).unwrap();
    std::fs::create_dir(root.join("workspace")).unwrap();
    model.next(|t| t.text("Here."));
    assert_eq!(opal(root, &model, &["run", "-C", old.to_str().unwrap(), "hello"]).0, 0);
    let (_, listed) = opal(root, &model, &["sessions"]);
    std::fs::remove_dir(&old).unwrap();
    model.next(|t| t.text("There."));
    model.expect_new_prefix();
    let resume = format!("--resume={}", listed.split(' ').next().unwrap());
    let (code, said) = opal(root, &model, &["run", &resume, "again"]);
    assert!(code == 0 && said.contains("old is gone") && said.contains("There."), "{said}");
    let (_, listed) = opal(root, &model, &["sessions"]);
    assert!(listed.contains("workspace") && !listed.contains("/old"), "{listed}");
}

#[tokio::test]
async fn only_one_process_writes_a_session() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.text("Mine."));
    let first = Run::start(root, &model).await;
    let session = first.new_session(root).await;
    assert_eq!(first.run(&session, "hello").await, "completed");

    let second = Run::start(root, &model).await;
    let params = json!({ "session_id": session });
    let error = second.editor.request("session/resume", params.clone()).await.unwrap_err();
    assert_eq!(error.code, -31005, "{error:?}");
    let holder = format!("session {session} is held by process {} (fake ", first.process.id());
    assert!(error.message.starts_with(&holder), "{error:?}");
    let (_, told) = opal(root, &model, &["sessions", "delete", &session]);
    assert!(told.contains(&holder), "{told}");
    let listed = second.editor.request("session/list", json!({})).await.unwrap();
    assert_eq!(listed["sessions"][0]["session_id"], session.as_str());
    // A dead holder's lock is free at once.
    first.kill().await;
    second.editor.request("session/resume", params).await.unwrap();
    second.kill().await;
}

#[tokio::test]
async fn a_prompt_that_cannot_be_kept_is_refused_and_its_turn_stops() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    std::fs::create_dir_all(root.join("data/sessions.db")).unwrap();
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    // The model may have been asked already; what it says does not count.
    model.always(|t| t.text("half").hang());
    let from = run.editor.place();
    let params = json!({ "session_id": session, "text": "hello" });
    let error = run.editor.request("agent/prompt", params).await.unwrap_err();
    assert_eq!(error.code, -31007, "{error:?}");
    let end = run.editor.until(None, from, "agent_end", |_| true).await;
    assert_eq!(end["reason"], "error");
    // It names the cause, not what follows from it.
    assert!(error.message.contains("sessions.db"), "{error:?}");

    // When the trouble is over the same session goes on, and is stored.
    std::fs::remove_dir(root.join("data/sessions.db")).unwrap();
    model.always(|t| t.text("Here."));
    model.expect_new_prefix();
    assert_eq!(run.run(&session, "again").await, "completed");
    assert_eq!(model.last_request().user_texts(), ["again"], "what was refused is not said");
    let history = run.editor.request("session/history", json!({ "session_id": session })).await.unwrap();
    assert!(history.to_string().contains("again"), "{history}");
    run.kill().await;
}

fn says(told: &Value, text: &str) -> bool {
    told["message"].as_str().is_some_and(|message| message.contains(text))
}

/// `opal` with arguments, on the data directory of the runs.
fn opal(root: &Path, model: &FakeModel, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(binary())
        .args(arguments)
        .current_dir(root.join("workspace"))
        .env("HOME", root)
        .env("OPAL_DATA_DIR", root.join("data"))
        .env("OPAL_BASE_URL", model.url())
        .env("OPAL_MODEL", "fake-model")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test]
async fn sessions_on_the_command_line() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    std::fs::create_dir(root.join("workspace")).unwrap();
    model.next(|t| t.text("A quokka is a marsupial."));
    assert_eq!(opal(root, &model, &["run", "what is a quokka"]).0, 0);
    model.next(|t| t.tool("read", json!({ "path": "animals/size.txt" })));
    model.next(|t| t.text("About forty centimetres."));
    assert_eq!(opal(root, &model, &["run", "--resume", "how big is it"]).0, 0);
    assert_eq!(model.last_request().user_texts(), ["what is a quokka", "how big is it"]);

    let (code, listed) = opal(root, &model, &["sessions"]);
    assert!(code == 0 && listed.contains("what is a quokka"), "{listed}");
    let id = listed.split_whitespace().next().unwrap().to_owned();
    let (_, found) = opal(root, &model, &["sessions", "search", "marsupial"]);
    assert!(found.contains(&id) && found.contains("A quokka is a marsupial."), "{found}");
    let (_, found) = opal(root, &model, &["sessions", "search", "animals/size.txt"]);
    assert!(found.contains(&id) && found.contains("tool_result"), "{found}");
    let (_, shown) = opal(root, &model, &["sessions", "show", &id]);
    assert!(shown.contains("## User\n\nhow big is it"), "{shown}");
    model.next(|t| t.text("In Australia."));
    assert_eq!(opal(root, &model, &["run", "--resume", &id, "where does it live"]).0, 0);
    assert_eq!(model.last_request().user_texts().len(), 3);

    assert_eq!(opal(root, &model, &["sessions", "name", &id, "little", "animals"]).0, 0);
    assert!(opal(root, &model, &["sessions"]).1.contains("little animals"));
    let (_, exported) = opal(root, &model, &["sessions", "export", &id]);
    let file = root.join("exported.jsonl");
    std::fs::write(&file, exported).unwrap();
    let (code, imported) = opal(root, &model, &["sessions", "import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{imported}");
    assert_ne!(imported.trim(), "");
    assert_eq!(opal(root, &model, &["sessions", "delete", &id]).0, 0);
    let (code, gone) = opal(root, &model, &["sessions", "show", &id]);
    assert!(code == 1 && gone.contains("no session"), "{gone}");
    assert!(opal(root, &model, &["sessions", "show", imported.trim()]).1.contains("In Australia."));
}

#[tokio::test]
async fn what_an_imported_session_brings_does_nothing_by_itself() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    std::fs::create_dir(root.join("workspace")).unwrap();
    model.next(|t| t.tool("write", calls::write("made.txt", "theirs\n")));
    model.next(|t| t.text("Written."));
    let (code, said) = opal(root, &model, &["run", "--permission-mode", "full", "write it"]);
    assert_eq!(code, 0, "{said}");
    let (_, listed) = opal(root, &model, &["sessions"]);
    let (_, exported) = opal(root, &model, &["sessions", "export", listed.split(' ').next().unwrap()]);
    let file = root.join("exported.jsonl");
    std::fs::write(
        &file,
        exported.replace("{\"json\":{\"permission", "{\"json\":{\"shell\":\"sh\",\"permission"),
    )
    .unwrap();
    let (code, imported) = opal(root, &model, &["sessions", "import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{imported}");
    let (session, told) = imported.split_once('\n').unwrap();
    assert_eq!(
        told,
        "These of its settings are left out: permission_mode, shell.\n\
         What it changed in files cannot be taken back here.\n"
    );

    let run = Run::start(root, &model).await;
    let params = json!({ "session_id": session });
    let resumed = run.editor.request("session/resume", params.clone()).await.unwrap();
    assert_eq!(resumed["state"]["permission_mode"], "ask");
    let params = json!({ "session_id": session, "path": "made.txt" });
    let error = run.editor.request("session/undo", params).await.unwrap_err();
    assert!(error.message.contains("changed nothing in made.txt"), "{error:?}");
    assert_eq!(std::fs::read_to_string(root.join("workspace/made.txt")).unwrap(), "theirs\n");
    run.kill().await;
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_said_so() {
    let (root, model) = (house(), FakeModel::start().await);
    let root = root.path();
    model.next(|t| t.text("Hello."));
    let run = Run::start(root, &model).await;
    let session = run.new_session(root).await;
    assert_eq!(run.run(&session, "first").await, "completed");
    run.kill().await;
    let files = walk(root);
    let database = files.iter().find(|path| path.ends_with("sessions.db")).unwrap();
    std::fs::write(database, "this is no database, and never was one ".repeat(500)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", database.display()));
    }

    let run = Run::start(root, &model).await;
    let from = run.editor.place();
    let params = json!({ "session_id": session });
    assert!(run.editor.request("session/resume", params).await.is_err());
    let told = run.editor.until(None, from, "window/showMessage", |_| true).await;
    let message = told.params["message"].as_str().unwrap();
    assert!(message.contains("was damaged") && message.contains("It is kept as"), "{message}");
    // And it goes on with a new one.
    model.expect_new_prefix();
    model.next(|t| t.text("Hello again."));
    let session = run.new_session(root).await;
    assert_eq!(run.run(&session, "again").await, "completed");
    run.kill().await;
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

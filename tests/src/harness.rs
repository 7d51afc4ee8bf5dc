//! A house for one story: a workspace on disk, a server, an editor, a session.

mod limits;
mod start;
mod turn;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use protocol::{AbortResult, SessionParams, SessionState};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::background::{self, DEADLINE};
use crate::editor::{Editor, Options};
use crate::leak;
use crate::process::Process;

pub use start::Start;
pub use turn::Turn;

/// A running Opal with an editor in front of it. Dropping it says goodbye, and fails the test if anything was
/// wrong.
pub struct Opal {
    pub editor: Editor,
    /// The session that was started with it.
    pub session: String,
    house: Option<House>,
}

/// What outlives the story while it ends.
struct House {
    editors: Vec<Editor>,
    /// `workspace` and, for a process, `private`.
    root: TempDir,
    server: Server,
}

enum Server {
    Memory { server: opal::Server, connections: Vec<JoinHandle<()>> },
    Process(Box<Process>),
}

impl Opal {
    /// Starts a server in memory, which asks this model. More is said on the result; then it is awaited.
    pub fn start(model: &crate::FakeModel) -> Start {
        Start::new(Some(model.url()), model.family())
    }

    /// As [`Opal::start`], with no model but those of Copilot; no session is started.
    pub fn start_with_github(github: &crate::GitHub) -> Start {
        Start::with_github(github)
    }

    fn house(&self) -> &House {
        self.house.as_ref().expect("the story is not over")
    }

    fn house_mut(&mut self) -> &mut House {
        self.house.as_mut().expect("the story is not over")
    }

    /// The folder that is open in the editor and the session's working directory.
    pub fn directory(&self) -> PathBuf {
        self.house().directory()
    }

    /// A directory beside the workspace: outside of it.
    pub fn outside(&self) -> PathBuf {
        let outside = self.house().root.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        outside
    }

    /// Where Opal keeps what it keeps.
    pub fn data_directory(&self) -> PathBuf {
        let name = if matches!(self.house().server, Server::Process(_)) { "private/data" } else { "data" };
        self.house().root.path().join(name)
    }

    /// Starts the first session, where the house was built without one.
    pub async fn start_first_session(&mut self, params: Value) {
        let mut params = params;
        params["working_dir"] = json!(self.directory());
        self.session = self.start_session_with(params).await.session_id;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// A file's text on disk.
    pub fn file(&self, name: &str) -> String {
        let bytes = self.file_bytes(name);
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("{name} is not UTF-8: {error}"))
    }

    pub fn file_bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name))
            .unwrap_or_else(|error| panic!("{name} cannot be read: {error}\n{}", self.editor))
    }

    pub fn has_file(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Writes a file on disk, behind everybody's back.
    pub fn put_file(&self, name: &str, content: impl AsRef<[u8]>) {
        put(&self.path(name), content.as_ref());
    }

    /// The text of an open document.
    pub fn text(&self, name: &str) -> String {
        self.editor.text(name)
    }

    /// Starts a turn in the first session.
    pub async fn prompt(&self, text: &str) -> Turn {
        self.prompt_in(&self.session, text).await
    }

    pub async fn prompt_in(&self, session: &str, text: &str) -> Turn {
        self.prompt_with(json!({ "session_id": session, "text": text })).await
    }

    /// Starts a turn with params of any kind.
    pub async fn prompt_with(&self, params: Value) -> Turn {
        let session = params["session_id"].as_str().unwrap_or(&self.session).to_owned();
        let from = self.editor.place();
        match self.editor.request("agent/prompt", params).await {
            Ok(result) => {
                assert_eq!(result["ok"], true);
                let turn_id = result["turn_id"].as_str().expect("the answer has a turn_id");
                Turn::new(self.editor.clone(), session, turn_id.to_owned(), from)
            }
            Err(error) => panic!("the prompt was refused: {error}\n{}", self.editor),
        }
    }

    /// Starts a turn that is known to end, and waits for its end; returns the reason.
    pub async fn run(&self, text: &str) -> String {
        self.prompt(text).await.end().await
    }

    /// Starts another session in the same directory.
    pub async fn start_session(&self) -> String {
        let params = json!({ "working_dir": self.directory() });
        self.start_session_with(params).await.session_id
    }

    pub async fn start_session_with(&self, params: Value) -> protocol::SessionStartResult {
        let params = serde_json::from_value(params).unwrap();
        self.editor.call::<protocol::methods::SessionStart>(params).await
    }

    pub async fn state(&self) -> SessionState {
        self.editor.call::<protocol::methods::State>(SessionParams { session_id: self.session.clone() }).await
    }

    pub async fn steer(&self, text: &str) -> protocol::SteerResult {
        let params = protocol::SteerParams { session_id: self.session.clone(), text: text.into() };
        self.editor.call::<protocol::methods::Steer>(params).await
    }

    /// Queues a follow-up; returns its message id.
    pub async fn follow_up(&self, text: &str) -> String {
        let params = protocol::FollowUpParams { session_id: self.session.clone(), text: text.into() };
        self.editor.call::<protocol::methods::FollowUp>(params).await.message_id
    }

    pub async fn cancel_queued(&self, message_id: &str) -> bool {
        let params =
            protocol::CancelQueuedParams { session_id: self.session.clone(), message_id: message_id.into() };
        self.editor.call::<protocol::methods::CancelQueued>(params).await.ok
    }

    pub async fn abort(&self) -> AbortResult {
        self.editor.call::<protocol::methods::Abort>(SessionParams { session_id: self.session.clone() }).await
    }

    pub fn transcript(&self) -> String {
        self.editor.transcript()
    }

    /// Another editor on the same server, initialized and attached to the first session.
    pub async fn second_editor(&mut self, options: Options) -> Editor {
        let editor = self.connect(Options { directory: self.directory(), ..options });
        editor.initialize().await;
        let params = json!({ "session_id": self.session });
        let resumed = editor.request("session/resume", params).await;
        resumed.unwrap_or_else(|error| panic!("the session cannot be attached to: {error}"));
        editor
    }

    /// Another connection to the same server, on which nothing has been said.
    pub fn connect(&mut self, options: Options) -> Editor {
        let house = self.house_mut();
        let Server::Memory { server, connections } = &mut house.server else {
            panic!("a process has one connection");
        };
        let (editor, connection) = start::connect(server, options);
        connections.push(connection);
        house.editors.push(editor.clone());
        editor
    }

    /// Waits until the server has let go of the connection made last.
    pub async fn last_connection_ended(&mut self) {
        let editor = self.editor.clone();
        let Server::Memory { connections, .. } = &mut self.house_mut().server else {
            panic!("a process has one connection");
        };
        let connection = connections.pop().expect("there is a connection");
        let ended = tokio::time::timeout(DEADLINE, connection).await;
        ended.unwrap_or_else(|_| panic!("the server keeps the connection\n{editor}")).unwrap();
    }

    /// The process, for stories that look at it.
    pub fn process(&mut self) -> &mut Process {
        match &mut self.house_mut().server {
            Server::Process(process) => process,
            Server::Memory { .. } => panic!("this story runs in memory"),
        }
    }

    /// Commands that run now.
    pub fn commands(&self) -> Vec<String> {
        let own = match &self.house().server {
            Server::Process(process) => format!("{} ", process.id()),
            Server::Memory { .. } => String::new(),
        };
        let processes = leak::processes_in(self.house().root.path());
        processes.into_iter().filter(|process| own.is_empty() || !process.starts_with(&own)).collect()
    }

    /// Ends the story here and now; the drop does the same.
    pub async fn finish(mut self) {
        if let Some(house) = self.house.take() {
            report(background::spawn(house.close()).await.unwrap(), &self.editor);
        }
    }
}

impl House {
    fn directory(&self) -> PathBuf {
        self.root.path().join("workspace")
    }

    /// Says goodbye on every connection; returns everything that was wrong.
    async fn close(mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for editor in &self.editors {
            problems.extend(editor.finish().await);
        }
        match &mut self.server {
            Server::Memory { connections, .. } => {
                for connection in connections {
                    match tokio::time::timeout(DEADLINE, connection).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => problems.push(format!("the server panicked: {error}")),
                        Err(_) => problems.push("the server did not let go of a closed connection".into()),
                    }
                }
            }
            Server::Process(process) => {
                let status = process.exited().await;
                if !status.success() {
                    problems.push(format!("opal ended with {status}; its stderr:\n{}", process.stderr()));
                }
            }
        }
        for process in leak::left_behind(self.root.path()).await {
            problems.push(format!("left running: {process}"));
        }
        problems
    }
}

fn report(problems: Vec<String>, editor: &Editor) {
    if problems.is_empty() {
        return;
    }
    let problems = format!("{editor}\n--- what was wrong:\n  {}", problems.join("\n  "));
    match std::thread::panicking() {
        true => eprintln!("{problems}"),
        false => panic!("{problems}"),
    }
}

impl Drop for Opal {
    fn drop(&mut self) {
        let Some(house) = self.house.take() else { return };
        if std::thread::panicking() {
            // The story has failed already: do not wait for a goodbye that may never come.
            for editor in &house.editors {
                editor.vanish();
            }
            return;
        }
        match background::block_on(house.close()) {
            Some(problems) => report(problems, &self.editor),
            None => panic!("the server did not end\n{}", self.editor),
        }
    }
}

pub(crate) fn put(path: &Path, content: &[u8]) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap();
    }
    fs::write(path, content).unwrap();
}

impl fmt::Debug for Opal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opal").field("session", &self.session).finish_non_exhaustive()
    }
}

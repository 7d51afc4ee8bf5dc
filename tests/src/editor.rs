//! A fake editor: a strict LSP client that does what a story says and checks what the server sends.
//!
//! It has documents of its own, applies workspace edits to them for real, saves to a real directory, and
//! answers questions by a script. Whatever the story is about, it also checks that each request is answered
//! exactly once, that every frame and message is well formed, that sessions keep their promises
//! (`check.rs`), and that the connection ends cleanly.

mod check;
mod connection;
mod document;
mod edits;
mod profile;
mod requests;
mod state;
mod transcript;
mod user;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::background::DEADLINE;

pub use connection::Options;
pub use document::{Document, Encoding, Habits};
pub use edits::{Apply, Confirm, Order, Outcome, Reply, Save, Stale, Typing};
pub use profile::Profile;
use state::State;
pub use user::file_uri;

/// One connected editor. Cheap to clone; all clones are the same editor.
#[derive(Clone)]
pub struct Editor {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something was received, or the connection ended.
    changed: Notify,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// False: the editor does not read, as if it hung.
    reading: watch::Sender<bool>,
    /// The editor has closed the direction it reads from.
    deaf: CancellationToken,
    reader: Mutex<Option<JoinHandle<()>>>,
    /// The editor died.
    gone: CancellationToken,
}

/// The first half of a surrogate pair in a text of the editor. A string cannot hold it, so a private character
/// stands for it until it is sent.
pub const HIGH_HALF: char = '\u{e83d}';
/// The second half, as [`HIGH_HALF`].
pub const LOW_HALF: char = '\u{ee00}';

fn encoded(message: &Value) -> String {
    message.to_string().replace(HIGH_HALF, r"\ud83d").replace(LOW_HALF, r"\ude00")
}

enum Outgoing {
    Bytes(Vec<u8>),
    /// Close this direction.
    Close,
}

/// The error of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
    pub data: Value,
}

/// A request whose answer has not been waited for yet.
#[derive(Debug)]
pub struct Pending {
    editor: Editor,
    pub id: Value,
}

/// A message the server sent.
#[derive(Debug, Clone)]
pub struct Seen {
    editor: Editor,
    /// Its place in the conversation.
    pub at: usize,
    /// The id, if it is a request.
    id: Option<Value>,
    pub params: Value,
}

impl Editor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then sends what the change wants to send.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        for message in std::mem::take(&mut state.outbox) {
            state.note_sent(&message);
            let frame = state.framing.wrap(encoded(&message).as_bytes());
            self.send(Outgoing::Bytes(frame));
        }
        result
    }

    fn send(&self, outgoing: Outgoing) {
        // Nobody listens once the connection has ended; a story finds that out by what it waits for.
        let _ = self.shared.outgoing.send(outgoing);
    }

    /// Sends bytes as they are.
    pub fn send_raw(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.state()
            .log
            .note(format!("raw bytes: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)])));
        self.send(Outgoing::Bytes(bytes));
    }

    /// Sends a message that has no answer, or is an answer.
    pub fn send_message(&self, message: Value) {
        self.with(|state| state.outbox.push(message));
    }

    pub fn notify(&self, method: &str, params: Value) {
        self.with(|state| state.notify(method, params));
    }

    /// Sends a request; the answer is waited for later.
    pub fn start_request(&self, method: &str, params: Value) -> Pending {
        let id = self.with(|state| {
            let id = state.next_id();
            state.request(id, method, params)
        });
        Pending { editor: self.clone(), id }
    }

    /// As [`Editor::start_request`], with an id of the story's own.
    pub fn start_request_as(&self, id: Value, method: &str, params: Value) -> Pending {
        let id = self.with(|state| state.request(id, method, params));
        Pending { editor: self.clone(), id }
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        self.start_request(method, params).answer().await
    }

    /// As [`Editor::request`], by the types of the protocol; an error fails the test.
    pub async fn call<R: protocol::Request>(&self, params: R::Params) -> R::Result {
        let params = serde_json::to_value(params).unwrap();
        match self.request(R::METHOD, params).await {
            Ok(result) => serde_json::from_value(result.clone())
                .unwrap_or_else(|error| panic!("{} answered {result}: {error}", R::METHOD)),
            Err(error) => panic!("{} was refused: {error}\n{self}", R::METHOD),
        }
    }

    /// Waits until `find` finds something in the state; `what` names it should it never come.
    async fn wait<T>(&self, what: &str, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let mut state = self.state();
                    if let Some(found) = find(&mut state) {
                        return Some(found);
                    }
                    if state.closed.is_some() {
                        return None;
                    }
                }
                changed.await;
            }
        };
        match tokio::time::timeout(DEADLINE, waiting).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the connection ended while the story waited for {what}\n{self}"),
            Err(_) => panic!("{what} did not come\n{self}"),
        }
    }

    /// Waits for a message after the place `from`: a method such as `client/confirm`, or the type of an event
    /// such as `message_delta`, of `session` if one is given, that `fits`.
    pub async fn until(
        &self,
        session: Option<&str>,
        from: usize,
        name: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Seen {
        let mut from = from;
        let (at, id, params) = self
            .wait(name, |state| {
                let found = state.log.find(from, name, session, &fits);
                from = state.log.len();
                found
            })
            .await;
        Seen { editor: self.clone(), at, id, params }
    }

    /// How much has been said so far: where a later [`Editor::until`] may begin.
    pub fn place(&self) -> usize {
        self.state().log.len()
    }

    /// How many messages of this name the server has sent.
    pub fn count(&self, name: &str) -> usize {
        self.state().log.count(name)
    }

    /// What a person would have seen, one line each.
    pub fn transcript(&self) -> String {
        let state = self.state();
        transcript::render(&state.log, &state.options.directory)
    }

    /// Stops reading, as an editor that hangs.
    pub fn stop_reading(&self) {
        let _ = self.shared.reading.send(false); // The reader is gone only after the connection.
    }

    pub fn go_on_reading(&self) {
        let _ = self.shared.reading.send(true); // As above.
    }

    /// Says that what the server did wrong was the point of the story.
    pub fn forgive(&self) {
        self.state().problems.clear();
    }
}

impl Pending {
    pub async fn answer(self) -> Result<Value, RpcError> {
        let what = self.editor.state().describe_request(&self.id);
        self.editor.wait(&format!("the answer to {what}"), |state| state.take_answer(&self.id)).await
    }

    pub async fn error(self) -> RpcError {
        let editor = self.editor.clone();
        match self.answer().await {
            Ok(result) => panic!("this should have been refused, but was answered {result}\n{editor}"),
            Err(error) => error,
        }
    }

    /// Asks the server to give it up. It still has to be answered.
    pub fn cancel(&self) {
        self.editor.notify("$/cancelRequest", json!({ "id": self.id }));
    }
}

impl Seen {
    /// Answers the request this is.
    pub fn answer(&self, result: Value) {
        let id = self.id.clone().expect("this is a request");
        self.editor.with(|state| state.answer(&id, Ok(result)));
    }

    pub fn answer_error(&self, code: i64, message: &str) {
        let id = self.id.clone().expect("this is a request");
        self.editor.with(|state| state.answer(&id, Err((code, message.to_owned()))));
    }

    pub fn allow(&self) {
        self.answer(json!({ "action": "allow" }));
    }

    pub fn deny(&self, word: &str) {
        self.answer(json!({ "action": "deny", "message": word }));
    }
}

impl std::ops::Index<&str> for Seen {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.params[field]
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// The whole conversation, for a failing test.
impl fmt::Display for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        writeln!(f, "--- the conversation ---\n{}", state.log)?;
        write!(f, "--- problems: {:#?}", state.problems)
    }
}

impl fmt::Debug for Editor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editor").finish_non_exhaustive()
    }
}

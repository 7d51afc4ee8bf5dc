//! A fake model: plays scripted answers over real HTTP and checks every request it gets.
//!
//! Answers are played in the order in which they were scripted, or to the session whose prompt they are
//! for. A request without a script, a script without a request and a request that a real service would
//! refuse all fail the test when the model is dropped.

mod check;
mod script;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use replay::{Received, Reply, Server};
use serde_json::Value;
use tokio::sync::Notify;

use crate::background::{self, DEADLINE};

pub use check::{check_body, check_prefix};
pub use script::{Gate, Script};

/// A model service on loopback. Cheap to clone.
#[derive(Clone)]
pub struct FakeModel {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    scripts: VecDeque<(For, Script)>,
    /// Played whenever no other script is left.
    fallback: Option<Script>,
    requests: Vec<Request>,
    problems: Vec<String>,
    /// The last body of each conversation.
    previous: BTreeMap<String, Vec<u8>>,
    n_answers: u32,
    /// Tokens, estimated as a quarter of the body.
    context_limit: Option<usize>,
    may_stay_unplayed: bool,
}

/// Whose request a script answers.
enum For {
    Anyone,
    /// Conversations that contain this text in a user message.
    Saying(String),
}

/// One request to the model, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub path: String,
    pub bytes: Vec<u8>,
    pub body: Value,
}

impl FakeModel {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let changed = Arc::new(Notify::new());
        let (to_state, to_changed) = (state.clone(), changed.clone());
        let handler = move |received: Received| {
            let reply = lock(&to_state).reply(received);
            to_changed.notify_waiters();
            reply
        };
        let server = background::spawn(async { Server::start(handler) }).await.unwrap().unwrap();
        Self { shared: Arc::new(Shared { server, state, changed }) }
    }

    /// What to set `OPAL_BASE_URL` to.
    pub fn url(&self) -> String {
        format!("{}/v1", self.shared.server.url())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    /// Scripts the next answer.
    pub fn next(&self, write: impl FnOnce(Script) -> Script) {
        self.state().scripts.push_back((For::Anyone, write(Script::default())));
    }

    /// Scripts the next answer in a conversation in which the user says `text`.
    pub fn next_for(&self, text: &str, write: impl FnOnce(Script) -> Script) {
        self.state().scripts.push_back((For::Saying(text.into()), write(Script::default())));
    }

    /// Scripts what to answer whenever nothing else is scripted, any number of times.
    pub fn always(&self, write: impl FnOnce(Script) -> Script) {
        self.state().fallback = Some(write(Script::default()));
    }

    /// Refuses conversations longer than this.
    pub fn context_limit(&self, tokens: usize) {
        self.state().context_limit = Some(tokens);
    }

    /// Says that what has been scripted may stay unplayed.
    pub fn forget_scripts(&self) {
        self.state().may_stay_unplayed = true;
    }

    /// Takes back what has been scripted and was not played.
    pub fn take_back(&self) {
        self.state().scripts.clear();
    }

    /// Says that the next request of each conversation need not begin as the one before.
    pub fn expect_new_prefix(&self) {
        self.state().previous.clear();
    }

    /// Says that what was wrong with a request was the point of the story.
    pub fn forgive(&self) {
        self.state().problems.clear();
    }

    pub fn n_requests(&self) -> usize {
        self.state().requests.len()
    }

    /// How many connections the server has opened.
    pub fn n_connections(&self) -> usize {
        self.shared.server.connections()
    }

    /// Waits until the request with this number, counted from 1, has come.
    pub async fn request(&self, number: usize) -> Request {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(request) = self.state().requests.get(number - 1) {
                    return request.clone();
                }
                changed.await;
            }
        };
        let came = tokio::time::timeout(DEADLINE, waiting).await;
        came.unwrap_or_else(|_| panic!("request {number} did not come; {} did", self.n_requests()))
    }

    pub fn last_request(&self) -> Request {
        self.state().requests.last().cloned().expect("a request came")
    }

    /// Waits until the client has closed `n` connections.
    pub async fn closed(&self, n: usize) {
        let closed = tokio::time::timeout(DEADLINE, self.shared.server.closed(n)).await;
        closed.unwrap_or_else(|_| panic!("{n} connections were not closed"));
    }
}

impl State {
    fn reply(&mut self, received: Received) -> Reply {
        let body = received.json();
        let request = Request {
            headers: received.headers.clone(),
            path: received.path.clone(),
            bytes: received.body.to_vec(),
            body,
        };
        if received.method != "POST" || request.path != "/v1/responses" {
            self.problems.push(format!("a request to {} {}", received.method, request.path));
            return Reply::json(404, r#"{"error":{"message":"not found"}}"#);
        }
        let n = self.requests.len() + 1;
        let mut problems = check_body(&request.body, self.context_limit);
        let conversation = request.body["prompt_cache_key"].as_str().unwrap_or_default().to_owned();
        if let Some(previous) = self.previous.insert(conversation, request.bytes.clone()) {
            problems.extend(check_prefix(&previous, &request.bytes));
        }
        self.problems.extend(problems.into_iter().map(|problem| format!("request {n}: {problem}")));

        let texts = request.user_texts();
        let script = self.scripts.iter().position(|(whose, _)| match whose {
            For::Anyone => true,
            For::Saying(text) => texts.iter().any(|said| said.contains(text)),
        });
        let script = script.and_then(|at| self.scripts.remove(at)).map(|(_, script)| script);
        self.requests.push(request);
        self.n_answers += 1;
        match script.or_else(|| self.fallback.clone()) {
            Some(script) => script.reply(self.n_answers),
            None => {
                self.problems.push(format!("request {n} was not scripted; the user said {texts:?}"));
                Reply::json(400, r#"{"error":{"message":"not scripted","code":"not_scripted"}}"#)
            }
        }
    }
}

impl Request {
    /// The value of a header; names are in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn input(&self) -> &[Value] {
        self.body["input"].as_array().map_or(&[], Vec::as_slice)
    }

    /// What the user items say, each as one text.
    pub fn user_texts(&self) -> Vec<String> {
        self.input()
            .iter()
            .filter(|item| item["role"] == "user")
            .map(|item| text_of(&item["content"]))
            .collect()
    }

    /// What the model is told its calls came to, in order.
    pub fn results(&self) -> Vec<String> {
        let outputs = self.input().iter().filter(|item| item["type"] == "function_call_output");
        outputs.map(|item| text_of(&item["output"])).collect()
    }

    /// The last of [`Request::results`].
    pub fn last_result(&self) -> String {
        self.results().pop().unwrap_or_else(|| panic!("no tool result in {:#}", self.body["input"]))
    }

    pub fn tools(&self) -> Vec<&str> {
        self.body["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()).collect()
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last clone of the model goes: whatever was wrong fails the test.
impl Drop for Shared {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if !state.may_stay_unplayed && !state.scripts.is_empty() {
            let n_left = state.scripts.len();
            state.problems.push(format!("{n_left} scripted answers were never asked for"));
        }
        if state.problems.is_empty() {
            return;
        }
        let problems = format!("the requests to the model:\n  {}", state.problems.join("\n  "));
        match std::thread::panicking() {
            true => eprintln!("{problems}"),
            false => panic!("{problems}"),
        }
    }
}

impl fmt::Debug for FakeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeModel").field("url", &self.url()).finish_non_exhaustive()
    }
}

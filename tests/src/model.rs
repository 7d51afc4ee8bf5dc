//! A fake model: plays scripted answers over real HTTP and checks every request it gets.
//!
//! Answers are played in the order in which they were scripted, or to the session whose prompt they are
//! for, on the wire of one [`Family`]. A request without a script, a script without a request and a request
//! that a real service would refuse all fail the test when the model is dropped. The list of models is asked
//! for whenever the server likes, and counts as no request.

mod check;
mod family;
mod script;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use replay::{Received, Reply, Server};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::background::{self, DEADLINE};

pub use check::{check_body, check_prefix};
pub use family::Family;
pub use script::{Gate, Script};

/// A model service on loopback. Cheap to clone.
#[derive(Clone)]
pub struct FakeModel {
    shared: Arc<Shared>,
}

struct Shared {
    family: Family,
    server: Server,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

struct State {
    family: Family,
    /// What is answered to who asks for the models.
    list: Reply,
    n_lists: usize,
    scripts: VecDeque<(For, Script)>,
    /// Played whenever no other script is left.
    fallback: Option<Script>,
    requests: Vec<Request>,
    problems: Vec<String>,
    /// The last body of each conversation.
    previous: BTreeMap<String, Vec<u8>>,
    n_answers: u32,
    /// Prompts that the server has given up; their requests may still be on the way.
    given_up: Vec<String>,
    /// Tokens, estimated as a quarter of the body.
    context_limit: Option<usize>,
    is_blind: bool,
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
    family: Family,
    pub headers: Vec<(String, String)>,
    pub path: String,
    pub bytes: Vec<u8>,
    pub body: Value,
}

impl FakeModel {
    /// One that speaks the Responses API.
    pub async fn start() -> Self {
        Self::start_as(Family::Responses).await
    }

    pub async fn start_as(family: Family) -> Self {
        Self::serve(family, |state, received| state.reply(received)).await
    }

    /// One behind a gate, which names the family of a request for an answer, or replies itself.
    pub(crate) async fn behind(
        gate: impl Fn(&Received) -> Result<Family, Reply> + Send + Sync + 'static,
    ) -> Self {
        let reply = move |state: &mut State, received: Received| match gate(&received) {
            Ok(family) => state.answer(family, received),
            Err(reply) => reply,
        };
        Self::serve(Family::Responses, reply).await
    }

    async fn serve(
        family: Family,
        reply: impl Fn(&mut State, Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(State::new(family)));
        let changed = Arc::new(Notify::new());
        let (to_state, to_changed) = (state.clone(), changed.clone());
        let handler = move |received: Received| {
            let reply = reply(&mut lock(&to_state), received);
            to_changed.notify_waiters();
            reply
        };
        let server = background::spawn(async { Server::start(handler) }).await.unwrap().unwrap();
        Self { shared: Arc::new(Shared { family, server, state, changed }) }
    }

    pub fn family(&self) -> Family {
        self.shared.family
    }

    /// What to set `OPAL_BASE_URL` to.
    pub fn url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// As [`FakeModel::url`], without a path.
    pub fn origin(&self) -> String {
        self.shared.server.url()
    }

    pub fn port(&self) -> u16 {
        self.shared.server.url().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Lists these models, each an object as the service describes one. At first there are none.
    pub fn lists(&self, models: Value) {
        self.state().list = list(&models);
    }

    /// Answers this to who asks for the models.
    pub fn list_replies(&self, reply: Reply) {
        self.state().list = reply;
    }

    /// How often the models were asked for.
    pub fn n_lists(&self) -> usize {
        self.state().n_lists
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

    /// Refuses images, as a model does that sees none.
    pub fn refuse_images(&self) {
        self.state().is_blind = true;
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

    /// Ignores requests for this prompt from now on. The server sent them before it gave the prompt up, and
    /// under load they arrive when the next prompt has been scripted.
    pub fn give_up(&self, prompt: &str) {
        self.state().given_up.push(prompt.to_owned());
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
    fn new(family: Family) -> Self {
        Self {
            family,
            list: list(&json!([])),
            n_lists: 0,
            scripts: VecDeque::new(),
            fallback: None,
            requests: Vec::new(),
            problems: Vec::new(),
            previous: BTreeMap::new(),
            n_answers: 0,
            given_up: Vec::new(),
            context_limit: None,
            is_blind: false,
            may_stay_unplayed: false,
        }
    }

    fn reply(&mut self, received: Received) -> Reply {
        let not_found = || Reply::json(404, r#"{"error":{"message":"not found"}}"#);
        let path = received.path.split('?').next().unwrap_or_default();
        match (received.method.as_str(), path) {
            ("POST", path) if path == self.family.path() => {}
            ("GET", "/v1/models") => {
                self.n_lists += 1;
                return self.list.clone();
            }
            // Where servers on the own machine tell more; this one has none of it.
            ("GET", "/api/v0/models" | "/api/ps" | "/props") => return not_found(),
            (method, path) => {
                self.problems.push(format!("a request to {method} {path}"));
                return not_found();
            }
        }
        self.answer(self.family, received)
    }

    fn answer(&mut self, family: Family, received: Received) -> Reply {
        let request = Request {
            family,
            headers: received.headers.clone(),
            path: received.path.clone(),
            bytes: received.body.to_vec(),
            body: received.json(),
        };
        if request.user_texts().last().is_some_and(|text| self.given_up.contains(text)) {
            return Reply::json(400, r#"{"error":{"message":"given up"}}"#);
        }
        let n = self.requests.len() + 1;
        let mut problems = family.check(&request, self.context_limit);
        if self.is_blind && request.n_images() > 0 {
            problems.push("an image for a model that sees none".into());
        }
        let conversation = format!("{family:?} {}", family.conversation(&request.body));
        if let Some(previous) = self.previous.insert(conversation.clone(), request.bytes.clone()) {
            problems.extend(family.check_prefix(&previous, &request.bytes));
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
        // What is refused may be sent in another form.
        if script.as_ref().is_some_and(Script::is_refusal) {
            self.previous.remove(&conversation);
        }
        match script.or_else(|| self.fallback.clone()) {
            Some(script) => script.reply(family, self.n_answers),
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

    /// The items of the conversation, as the family has them: `input`, or `messages`.
    pub fn input(&self) -> &[Value] {
        self.body[self.family.items()].as_array().map_or(&[], Vec::as_slice)
    }

    /// What the user items say, each as one text.
    pub fn user_texts(&self) -> Vec<String> {
        self.family.user_texts(self.input())
    }

    /// What the model is told its calls came to, in order.
    pub fn results(&self) -> Vec<String> {
        self.family.results(self.input())
    }

    /// How many images the model is shown.
    pub fn n_images(&self) -> usize {
        self.body.to_string().matches(self.family.image()).count()
    }

    /// How much thinking goes back.
    pub fn n_thoughts(&self) -> usize {
        self.family.n_thoughts(self.input())
    }

    /// The last of [`Request::results`].
    pub fn last_result(&self) -> String {
        self.results().pop().unwrap_or_else(|| panic!("no tool result in {:#?}", self.input()))
    }

    pub fn tools(&self) -> Vec<&str> {
        let tools = self.body["tools"].as_array().into_iter().flatten();
        tools.filter_map(|tool| tool["name"].as_str().or(tool["function"]["name"].as_str())).collect()
    }
}

fn list(models: &Value) -> Reply {
    Reply::json(200, json!({ "object": "list", "data": models }).to_string())
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

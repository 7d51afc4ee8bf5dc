//! What the editor knows, and what it does with each message.

use std::collections::{BTreeMap, VecDeque};

use protocol::{AgentEvent, DeviceCodeParams, EventParams, SessionStartResult, SessionState};
use serde_json::{Value, json};

use super::RpcError;
use super::check::SessionCheck;
use super::connection::Options;
use super::document::{Document, Encoding};
use super::edits::{Apply, Confirm, Save};
use super::transcript::Log;
use crate::frame::Framing;

pub(super) struct State {
    pub(super) options: Options,
    pub(super) framing: Framing,
    pub(super) log: Log,
    /// Messages to send when the lock is released.
    pub(super) outbox: Vec<Value>,
    pub(super) documents: BTreeMap<String, Document>,
    pub(super) encoding: Encoding,
    pub(super) problems: Vec<String>,
    /// How the connection ended, if it has.
    pub(super) closed: Option<String>,
    pub(super) vanished: bool,

    initialized: bool,
    next_id: i64,
    /// By the id's JSON.
    requests: BTreeMap<String, Request>,
    sessions: BTreeMap<String, SessionCheck>,
    /// Requests of the server that wait for an answer: by the id's JSON.
    pub(super) asked: BTreeMap<String, Asked>,
    pub(super) held_edits: Vec<(Value, Value, Apply)>,
    pub(super) held_saves: Vec<(Value, Value)>,

    pub(super) applies: VecDeque<Apply>,
    pub(super) saves: VecDeque<Save>,
    pub(super) confirms: VecDeque<Confirm>,
    pub(super) confirm_always: Confirm,
}

/// A request of ours.
struct Request {
    method: String,
    answer: Option<Result<Value, RpcError>>,
    n_answers: usize,
}

/// A request of theirs.
pub(super) struct Asked {
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) question: Option<String>,
    /// Nobody means to answer it.
    pub(super) forgotten: bool,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        Self {
            framing: options.framing,
            options,
            log: Log::default(),
            outbox: Vec::new(),
            documents: BTreeMap::new(),
            encoding: Encoding::Utf16,
            problems: Vec::new(),
            closed: None,
            vanished: false,
            initialized: false,
            next_id: 0,
            requests: BTreeMap::new(),
            sessions: BTreeMap::new(),
            asked: BTreeMap::new(),
            held_edits: Vec::new(),
            held_saves: Vec::new(),
            applies: VecDeque::new(),
            saves: VecDeque::new(),
            confirms: VecDeque::new(),
            confirm_always: Confirm::Hold,
        }
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.initialized
    }

    pub(super) fn encodings(&self) -> Vec<&'static str> {
        self.options.encodings.clone().unwrap_or_else(|| self.options.profile.encodings().to_vec())
    }

    pub(super) fn note_sent(&mut self, message: &Value) {
        self.log.sent(message.clone());
    }

    pub(super) fn next_id(&mut self) -> Value {
        self.next_id += 1;
        json!(self.next_id)
    }

    /// Queues a request to send; returns its id.
    pub(super) fn request(&mut self, id: Value, method: &str, params: Value) -> Value {
        let request = Request { method: method.into(), answer: None, n_answers: 0 };
        self.requests.insert(id.to_string(), request);
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.outbox.push(message);
        id
    }

    pub(super) fn describe_request(&self, id: &Value) -> String {
        self.requests
            .get(&id.to_string())
            .map_or_else(String::new, |request| format!("{} (id {id})", request.method))
    }

    pub(super) fn take_answer(&mut self, id: &Value) -> Option<Result<Value, RpcError>> {
        self.requests.get_mut(&id.to_string())?.answer.take()
    }

    /// Queues an answer to a request of the server.
    pub(super) fn answer(&mut self, id: &Value, answer: Result<Value, (i64, String)>) {
        self.asked.remove(&id.to_string());
        self.outbox.push(match answer {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, message)) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
            }
        });
    }

    pub(super) fn notify(&mut self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.outbox.push(message);
    }

    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Takes one frame.
    pub(super) fn receive(&mut self, body: &[u8]) {
        let message: Value = match serde_json::from_slice(body) {
            Ok(message) => message,
            Err(error) => {
                self.problem(format!("a frame is not JSON: {error}: {}", String::from_utf8_lossy(body)));
                return;
            }
        };
        self.log.received(message.clone());
        // Nobody reads any more; what was on its way is nobody's.
        if self.vanished {
            return;
        }
        if self.closed.is_some() {
            self.problem(format!("a message after the end: {message}"));
        }
        let Some(object) = message.as_object() else {
            return self.problem(format!("a message is not an object: {message}"));
        };
        if object.get("jsonrpc") != Some(&json!("2.0")) {
            self.problem(format!("a message without jsonrpc 2.0: {message}"));
        }
        let allowed = ["jsonrpc", "id", "method", "params", "result", "error"];
        if let Some(field) = object.keys().find(|key| !allowed.contains(&key.as_str())) {
            self.problem(format!("a message has the field {field:?}: {message}"));
        }
        let id = object.get("id").cloned();
        let params = object.get("params").cloned().unwrap_or_default();
        match (object.get("method").and_then(Value::as_str), id) {
            (Some(method), Some(id)) => self.receive_request(method, id, params),
            (Some(method), None) => self.receive_notification(method, params),
            (None, Some(id)) => self.receive_answer(&id, object.get("result"), object.get("error")),
            (None, None) => self.problem(format!("a message is neither request nor answer: {message}")),
        }
    }

    fn receive_answer(&mut self, id: &Value, result: Option<&Value>, error: Option<&Value>) {
        let answer = match (result, error) {
            (Some(result), None) => Ok(result.clone()),
            (None, Some(error)) => {
                let code = error["code"].as_i64();
                let message = error["message"].as_str();
                if code.is_none() || message.is_none() {
                    self.problem(format!("an error without code or message: {error}"));
                }
                Err(RpcError {
                    code: code.unwrap_or_default(),
                    message: message.unwrap_or_default().to_owned(),
                    data: error["data"].clone(),
                })
            }
            _ => {
                return self.problem(format!("the answer to {id} has not exactly one of result and error"));
            }
        };
        // What was no message gets an error with its id, if that could be read; it is in the log for the story.
        const NO_MESSAGE: [i64; 2] = [-32700, -32600];
        let is_known = self.requests.contains_key(&id.to_string());
        if !is_known && answer.as_ref().is_err_and(|error| NO_MESSAGE.contains(&error.code)) {
            return;
        }
        let Some(request) = self.requests.get_mut(&id.to_string()) else {
            return self.problem(format!("an answer to {id}, which was never asked: {answer:?}"));
        };
        request.n_answers += 1;
        if request.n_answers > 1 {
            let problem = format!("{} (id {id}) was answered {} times", request.method, request.n_answers);
            return self.problem(problem);
        }
        request.answer = Some(answer.clone());
        let method = request.method.clone();
        if let Ok(result) = answer {
            self.learn(&method, result);
        }
    }

    /// Takes from an answer what the checks need.
    fn learn(&mut self, method: &str, result: Value) {
        match method {
            "initialize" => self.negotiated(&result),
            "session/start" | "session/resume" => {
                match serde_json::from_value::<SessionStartResult>(result) {
                    Ok(SessionStartResult { session_id, state }) => {
                        let session = self.sessions.entry(session_id).or_default();
                        session.attach(&state, &mut self.problems);
                    }
                    Err(error) => self.problem(format!("the answer to {method} does not decode: {error}")),
                }
            }
            "agent/state" => match serde_json::from_value::<SessionState>(result) {
                Ok(state) => {
                    let session = self.sessions.entry(state.session_id.clone()).or_default();
                    session.state(state, &mut self.problems);
                }
                Err(error) => self.problem(format!("the answer to {method} does not decode: {error}")),
            },
            _ => {}
        }
    }

    fn negotiated(&mut self, result: &Value) {
        self.initialized = true;
        let name = result["capabilities"]["positionEncoding"].as_str().unwrap_or("utf-16");
        if name != "utf-16" && !self.encodings().contains(&name) {
            self.problem(format!("the server chose {name}, which was not offered"));
        }
        match Encoding::from_name(name) {
            Some(encoding) => self.encoding = encoding,
            None => self.problem(format!("the server chose the encoding {name}")),
        }
        if self.options.profile.knows_opal() {
            let opal = &result["capabilities"]["experimental"]["opal"];
            match serde_json::from_value::<protocol::ServerCapabilities>(opal.clone()) {
                Ok(opal) if opal.position_encoding != name => {
                    self.problem(format!("two position encodings: {name} and {}", opal.position_encoding));
                }
                Ok(_) => {}
                Err(error) => self.problem(format!("no capabilities of Opal in the answer: {error}")),
            }
        }
    }

    fn receive_notification(&mut self, method: &str, params: Value) {
        match method {
            "agent/event" => self.receive_event(params),
            "client/resolved" => self.resolved(&params),
            "auth/device_code" => match serde_json::from_value::<DeviceCodeParams>(params) {
                Ok(code) if code.verification_uri.starts_with("http") && !code.user_code.is_empty() => {}
                Ok(code) => self.problem(format!("nobody can sign in with {code:?}")),
                Err(error) => self.problem(format!("a code for signing in does not decode: {error}")),
            },
            "$/cancelRequest" => {
                let id = &params["id"];
                if self.asked.get(&id.to_string()).is_some_and(|asked| !asked.forgotten) {
                    self.answer(id, Err((-32800, "cancelled".into())));
                }
                self.held_edits.retain(|(held, ..)| held != id);
                self.held_saves.retain(|(held, _)| held != id);
            }
            "window/logMessage" | "window/showMessage" | "$/progress" | "telemetry/event" | "$/logTrace" => {}
            _ => self.problem(format!("a notification that no client knows: {method}")),
        }
        let early = ["window/logMessage", "window/showMessage", "telemetry/event"];
        if !self.initialized && !early.contains(&method) {
            self.problem(format!("{method} came before the answer to initialize"));
        }
    }

    fn receive_event(&mut self, params: Value) {
        // An answer may be overtaken by the first event.
        let starts = |request: &Request| request.method.starts_with("session/") && request.n_answers == 0;
        let has_session = !self.sessions.is_empty() || self.requests.values().any(starts);
        if !self.options.profile.knows_opal() && !has_session {
            self.problem(format!("an event for a client that started no session: {params}"));
        }
        let event: EventParams = match serde_json::from_value(params.clone()) {
            Ok(event) => event,
            Err(error) => return self.problem(format!("an event does not decode: {error}: {params}")),
        };
        if let AgentEvent::DocumentEdited { uri, diff } = &event.event {
            self.check_diff(uri, diff);
        }
        let session = self.sessions.entry(event.session_id.clone()).or_default();
        session.event(event, &mut self.problems);
    }

    /// What a diff says was put into a document must have stood there.
    fn check_diff(&mut self, uri: &str, diff: &str) {
        let Some(document) = self.documents.get(uri) else {
            return;
        };
        if document.text.len() > 1 << 16 {
            return;
        }
        let texts: Vec<_> =
            document.texts().map(|text| text.replace("\r\n", "\n").replace('\r', "\n")).collect();
        for hunk in diff.split("\n@@ ").skip(1) {
            let lines = hunk.lines().skip(1).filter(|line| line.starts_with([' ', '+']));
            let new: Vec<_> = lines.map(|line| line[1..].trim_end_matches('\r')).collect();
            let new = new.join("\n");
            if !texts.iter().any(|text| text.contains(&new)) {
                self.problems.push(format!(
                    "document_edited of {uri} tells of a text that never stood there: {new:?}"
                ));
            }
        }
    }

    /// A question was answered elsewhere or withdrawn: its dialog closes.
    fn resolved(&mut self, params: &Value) {
        let question = params["question_id"].as_str().unwrap_or_default();
        if !self.log.asked_question(question) {
            self.problem(format!("client/resolved for {question:?}, which was never asked"));
        }
        let open = self.asked.values().find(|asked| asked.question.as_deref() == Some(question));
        if let Some(Asked { id, forgotten: false, .. }) = open {
            let id = id.clone();
            self.answer(&id, Err((-32800, "the dialog was closed".into())));
        }
    }

    /// Whether a call has started, as far as this client can know.
    pub(super) fn may_have_call(&self, session: &str, call_id: &str) -> bool {
        self.sessions.get(session).is_none_or(|session| session.may_have_call(call_id))
    }

    pub(super) fn close(&mut self, how: &str) {
        if self.closed.is_none() {
            self.log.note(format!("the connection ended {how}"));
            self.closed = Some(how.to_owned());
        }
    }

    /// Returns everything that was wrong in this conversation.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut problems = std::mem::take(&mut self.problems);
        if self.vanished {
            return problems;
        }
        for (id, request) in &self.requests {
            if request.n_answers == 0 {
                problems.push(format!("{} (id {id}) was never answered", request.method));
            }
        }
        for asked in self.asked.values().filter(|asked| !asked.forgotten) {
            problems.push(format!("the story left {} (id {}) unanswered", asked.method, asked.id));
        }
        for (name, session) in &self.sessions {
            session.finish(name, &mut problems);
        }
        problems
    }

    /// The sessions in which a run is going on.
    pub(super) fn running(&self) -> Vec<String> {
        let running = self.sessions.iter().filter(|(_, session)| session.is_running());
        running.map(|(name, _)| name.clone()).collect()
    }

    /// The number of the last event of a session.
    pub(super) fn seq(&self, session: &str) -> Option<u64> {
        self.sessions.get(session)?.seq()
    }
}

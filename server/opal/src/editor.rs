//! Asking the editor.
//!
//! A request goes into the outbox when [`Editor::call`] returns, so it keeps its place among events and
//! notifications. The answer goes straight to whoever waits. Whoever stops waiting withdraws the request;
//! an answer that comes late falls on the floor.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::transport::Outbox;

#[derive(Debug)]
pub(crate) struct Editor {
    outbox: Arc<Outbox>,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    last_id: u64,
    answers: HashMap<u64, oneshot::Sender<Result<Value, CallError>>>,
    closed: bool,
}

/// Why the editor gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{message} ({code})")]
    Refused { code: i64, message: String },
    #[error("the editor has gone")]
    Gone,
}

/// A request on its way. Dropping it withdraws the request.
#[derive(Debug)]
pub(crate) struct Call {
    editor: Arc<Editor>,
    id: u64,
    answer: oneshot::Receiver<Result<Value, CallError>>,
    answered: bool,
}

impl Editor {
    pub(crate) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, pending: Mutex::default() }
    }

    pub(crate) fn call(self: &Arc<Self>, method: &str, params: &impl Serialize) -> Call {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut pending = self.lock();
            pending.last_id += 1;
            let id = pending.last_id;
            if pending.closed {
                let _ = sender.send(Err(CallError::Gone));
            } else {
                pending.answers.insert(id, sender);
            }
            id
        };
        self.outbox.push(&Message { jsonrpc: "2.0", id: Some(id), method, params });
        self.outbox.flush();
        Call { editor: self.clone(), id, answer, answered: false }
    }

    pub(crate) fn notify(&self, method: &str, params: &impl Serialize) {
        self.outbox.push(&Message { jsonrpc: "2.0", id: None, method, params });
        self.outbox.flush();
    }

    /// Takes an answer of the editor.
    pub(crate) fn answer(&self, id: &Value, result: Result<Value, CallError>) {
        let waiting = id.as_u64().and_then(|id| self.lock().answers.remove(&id));
        match waiting {
            // Whoever asked may have gone in this moment.
            Some(waiting) => drop(waiting.send(result)),
            None => tracing::debug!(%id, "an answer that nobody waits for"),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.lock().closed
    }

    /// The editor has gone: every call fails now.
    pub(crate) fn close(&self) {
        let mut pending = self.lock();
        pending.closed = true;
        for (_, waiting) in pending.answers.drain() {
            let _ = waiting.send(Err(CallError::Gone));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
struct Message<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: P,
}

impl Call {
    /// Stops waiting without withdrawing the request.
    pub(crate) fn abandon(mut self) {
        self.answered = true;
        self.editor.lock().answers.remove(&self.id);
    }
}

impl Future for Call {
    type Output = Result<Value, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        self.answered = true;
        Poll::Ready(answer.unwrap_or(Err(CallError::Gone)))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.answered && self.editor.lock().answers.remove(&self.id).is_some() {
            self.editor.notify("$/cancelRequest", &json!({"id": self.id}));
        }
    }
}

//! The step between frames and handlers: everything comes in here, in wire order.
//!
//! The reader never waits for a handler. Each is polled once right away, so that commands reach their
//! owners in wire order; what is not done by then goes on in a task. Answers of the editor go straight to
//! whoever waits, and documents are brought up to date before the next message is looked at.

mod json;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::future::FutureExt;
use serde_json::{Map, Value};
use text::printable;
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::lsp_types::MessageType;
use tower_lsp::{LanguageServer, LspService};
use tower_service::Service;

use crate::connection::Connection;
use crate::documents::OpenDocument;
use crate::editor::CallError;
use crate::transport::{Frame, FrameReader, Outbox};
use crate::uri::escape_uris;

use json::Json;

pub(crate) struct Edge<B> {
    pub(crate) service: LspService<B>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) outbox: Arc<Outbox>,
    /// Handlers that go on.
    pub(crate) tasks: TaskTracker,
    /// Fires at `exit`, and when the client's process has gone.
    pub(crate) stop: CancellationToken,
    pub(crate) farewell: Farewell,
}

/// What the client said before it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Farewell {
    pub shutdown: bool,
    pub exit: bool,
}

/// What a frame holds.
enum Message {
    /// A notification has no id.
    Request {
        id: Option<Id>,
        method: String,
        params: Option<Value>,
    },
    Response {
        id: Value,
        result: Result<Value, CallError>,
    },
    Invalid {
        id: Id,
        why: String,
    },
}

impl<B: LanguageServer> Edge<B> {
    /// Reads until the stream ends or `exit` comes.
    pub(crate) async fn read<R: AsyncRead + Unpin>(&mut self, mut frames: FrameReader<R>) {
        loop {
            let next = async {
                self.outbox.room().await;
                frames.next().await
            };
            let frame = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                frame = next => frame,
            };
            if let Some(framing) = frames.framing() {
                self.outbox.set_framing(framing);
            }
            match frame {
                None => return,
                Some(Frame::Bad(why)) => self.reply(Response::from_error(Id::Null, invalid_request(why))),
                Some(Frame::TooLarge { why, beginning }) => {
                    self.lose_documents(&beginning, true);
                    self.reply(Response::from_error(Id::Null, invalid_request(why)));
                }
                Some(Frame::Message(bytes)) => {
                    if let Err(why) = self.message(&bytes) {
                        self.lose_documents(&bytes, false);
                        frames.reject(&bytes);
                        let mut error = Error::parse_error();
                        error.message = why.into();
                        self.reply(Response::from_error(Id::Null, error));
                    }
                }
            }
        }
    }

    /// `Err`: it is not JSON.
    fn message(&mut self, bytes: &Bytes) -> Result<(), String> {
        let Json { value, is_damaged } =
            json::parse(bytes).map_err(|error| format!("the frame is not JSON: {error}"))?;
        match classify(value) {
            Message::Request { id: None, method, params }
                if is_damaged && self.damaged(&method, params.as_ref()) => {}
            Message::Request { id, method, params } => self.request(id, method, params),
            Message::Response { id, result } => self.connection.editor.answer(&id, result),
            Message::Invalid { id, why } => self.reply(Response::from_error(id, invalid_request(why))),
        }
        Ok(())
    }

    fn request(&mut self, id: Option<Id>, method: String, mut params: Option<Value>) {
        match (method.as_str(), &id) {
            (method, None) if self.document(method, params.as_ref()) => return,
            // The router takes these for notifications, which need no answer.
            (method, Some(id)) if method.starts_with("$/") => {
                return self.reply(Response::from_error(id.clone(), Error::method_not_found()));
            }
            ("shutdown", _) => self.farewell.shutdown = true,
            ("exit", _) => {
                self.farewell.exit = true;
                self.stop.cancel();
            }
            _ => {}
        }
        // Opal's own methods take URIs as the client spells them, and nothing for no params.
        if crate::handlers::is_own(&method) {
            params = params.filter(|params| !params.is_null()).or_else(|| Some(Value::Object(Map::new())));
        } else {
            params.iter_mut().for_each(escape_uris);
        }
        let mut request = Request::build(method);
        if let Some(params) = params {
            request = request.params(params);
        }
        if let Some(id) = id.clone() {
            request = request.id(id);
        }
        let request = request.finish();
        // Run the handler up to its first await now, so that commands reach their owners in wire order.
        let begun = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut reply = self.service.call(request);
            let polled = reply.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            (polled, reply)
        }));
        match begun {
            Ok((Poll::Ready(Ok(Some(response))), _)) => self.reply(response),
            Ok((Poll::Ready(Ok(None) | Err(_)), _)) => {}
            Ok((Poll::Pending, reply)) => {
                let outbox = self.outbox.clone();
                self.tasks.spawn(async move {
                    match AssertUnwindSafe(reply).catch_unwind().await {
                        Ok(Ok(Some(response))) => push(&outbox, &response),
                        Ok(Ok(None) | Err(_)) => {}
                        Err(_panic) => id.into_iter().for_each(|id| push(&outbox, &bug_report(id))),
                    }
                });
            }
            Err(_panic) => id.into_iter().for_each(|id| self.reply(bug_report(id))),
        }
    }

    /// Takes a notification about a document. False: it is about something else.
    fn document(&self, method: &str, params: Option<&Value>) -> bool {
        if !method.starts_with("textDocument/") || !self.connection.is_initialized() {
            return false;
        }
        let params = params.unwrap_or(&Value::Null);
        let was_lost = self.lost(params).is_some();
        let notify = || self.connection.documents.notify(method, params);
        let why = match std::panic::catch_unwind(AssertUnwindSafe(notify)) {
            Ok(None) => return false,
            Ok(Some(Ok(()))) => {
                self.connection.resolve_documents();
                return true;
            }
            Ok(Some(Err(error))) => error.to_string(),
            Err(_panic) => {
                self.connection.documents.lose(method, params);
                "this is a bug in Opal; its log has the details".to_owned()
            }
        };
        self.not_followed(method, params, &why, was_lost);
        true
    }

    /// Gives up the text of a document that is told of in bytes that are no text. False: the notification is about
    /// something else.
    fn damaged(&self, method: &str, params: Option<&Value>) -> bool {
        let params = params.unwrap_or(&Value::Null);
        let was_lost = self.lost(params).is_some();
        let is_lost = self.connection.is_initialized() && self.connection.documents.lose(method, params);
        if is_lost {
            self.not_followed(method, params, "the text is not UTF-8", was_lost);
        }
        is_lost
    }

    /// The document of a notification, if its text is not known.
    fn lost(&self, params: &Value) -> Option<OpenDocument> {
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str)?;
        self.connection.documents.get_by_uri(uri).filter(OpenDocument::is_lost)
    }

    /// Tells the client, and the user once if Opal does not know a document's text any more.
    fn not_followed(&self, method: &str, params: &Value, why: &str, was_lost: bool) {
        tracing::warn!(method, why, "a document notification could not be taken");
        // A document may have been opened all the same, with a text that is not known.
        self.connection.resolve_documents();
        match self.lost(params) {
            Some(document) if !was_lost => self.show_lost(&document.uri, why),
            _ => {
                let message = format!("Opal could not follow {method}: {why}");
                self.connection.log_message(MessageType::WARNING, &message);
            }
        }
    }

    /// Gives up the documents that an unreadable frame may have been about. `is_cut`: only its beginning is given.
    fn lose_documents(&self, frame: &[u8], is_cut: bool) {
        let lost = self.connection.documents.lose_in(frame, is_cut);
        self.connection.resolve_documents();
        if let Some(documents) = lost {
            tracing::warn!(documents, "a change of a document was in a frame that is no message");
            self.show_lost(&documents, "a message of the editor could not be read");
        }
    }

    fn show_lost(&self, documents: &str, why: &str) {
        let message = format!(
            "Opal does not know the text of {documents} any more: {why}. Close the document and open it again."
        );
        self.connection.show_message(MessageType::WARNING, &message);
    }

    fn reply(&self, response: Response) {
        push(&self.outbox, &response);
    }
}

fn push(outbox: &Outbox, response: &Response) {
    match response.error() {
        Some(error) => outbox.push(&Response::from_error(response.id().clone(), shown(error.clone()))),
        None => outbox.push(response),
    }
    outbox.flush();
}

/// An error as a person may see it: it can repeat anything that came from outside.
fn shown(mut error: Error) -> Error {
    error.message = printable(&error.message).into_owned().into();
    if let Some(Value::String(hint)) = error.data.as_mut().and_then(|data| data.get_mut("hint")) {
        *hint = printable(hint).into_owned();
    }
    error
}

fn classify(mut value: Value) -> Message {
    let Value::Object(message) = &mut value else {
        let why = if value.is_array() { "batches are not supported" } else { "a message must be an object" };
        return Message::Invalid { id: Id::Null, why: why.into() };
    };
    let raw_id = message.remove("id");
    let id = raw_id.clone().map(serde_json::from_value::<Id>).transpose();
    let Ok(id) = id else {
        return Message::Invalid { id: Id::Null, why: "id: expected a string, a number or null".into() };
    };
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        let why = "jsonrpc: expected \"2.0\"".into();
        return Message::Invalid { id: id.unwrap_or_default(), why };
    }
    match message.remove("method") {
        Some(Value::String(method)) => Message::Request { id, method, params: message.remove("params") },
        Some(_) => Message::Invalid { id: id.unwrap_or_default(), why: "method: expected a string".into() },
        None => response(id, raw_id, message),
    }
}

fn response(id: Option<Id>, raw_id: Option<Value>, message: &mut Map<String, Value>) -> Message {
    // Some clients send both, the error as `null`.
    let error = message.remove("error").filter(|error| !error.is_null());
    let result = match (error, message.remove("result")) {
        (Some(error), _) => {
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
            Some(Err(CallError::Refused { code, message: message.into() }))
        }
        (None, result) => result.map(Ok),
    };
    match (raw_id, result) {
        (Some(id), Some(result)) => Message::Response { id, result },
        _ => Message::Invalid {
            id: id.unwrap_or_default(),
            why: "expected `method`, or `id` with `result` or `error`".into(),
        },
    }
}

fn invalid_request(why: String) -> Error {
    let mut error = Error::new(ErrorCode::InvalidRequest);
    error.message = why.into();
    error
}

/// A panic: our mistake. The server goes on.
fn bug_report(id: Id) -> Response {
    let mut error = Error::internal_error();
    error.message = "the request failed because of a bug in Opal; the log has the details".into();
    Response::from_error(id, error)
}

#[cfg(test)]
mod tests;

//! Errors as a client gets them: the code, the text, and what the user can do about it.

use agent::session::CommandError;
use protocol::{BUSY, ErrorData, NOT_SIGNED_IN, OVERLOADED, UNKNOWN_SESSION};
use tower_lsp::jsonrpc::{Error, ErrorCode};

use crate::server::{NoSession, StartError};

pub(crate) fn command(error: CommandError) -> Error {
    match error {
        CommandError::Busy => own(BUSY, &error, "Steer the turn, queue a follow-up, or abort it."),
        CommandError::Overloaded => own(OVERLOADED, &error, "Wait for the answers to what was sent."),
        CommandError::Closed => own(UNKNOWN_SESSION, &error, "Start a new session."),
    }
}

pub(crate) fn unknown_session(error: NoSession) -> Error {
    own(UNKNOWN_SESSION, &error, "Start a session with session/start.")
}

pub(crate) fn start(error: StartError) -> Error {
    match &error {
        StartError::NoModel(inner) => own(NOT_SIGNED_IN, &error, inner.hint()),
        StartError::Params { .. } => Error::invalid_params(error.to_string()),
    }
}

fn own(code: i64, error: &impl std::error::Error, hint: &str) -> Error {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let data = ErrorData { hint: Some(hint.to_owned()) };
    Error { code: ErrorCode::ServerError(code), message: chain.into(), data: serde_json::to_value(data).ok() }
}

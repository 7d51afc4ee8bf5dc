//! Errors as a client gets them: the code, the text, and what the user can do about it.

use agent::changes::undone::UndoError;
use agent::command::CommandError;
use protocol::{
    BUSY, ErrorData, HELD_ELSEWHERE, NOT_SIGNED_IN, NOT_STORED, NOTHING_TO_DO, OVERLOADED, UNKNOWN_SESSION,
};
use tower_lsp::jsonrpc::{Error, ErrorCode};

use provider::ProviderError;
use store::{ExportError, LockError, StoreError};

use crate::auth::{CredentialsError, LoginError};
use crate::causes::chain;
use crate::server::{NoSession, ResumeError, StartError};
use crate::settings::NoModel;

pub(crate) fn command(error: CommandError) -> Error {
    match &error {
        CommandError::Store(failure) => {
            own(NOT_STORED, &error, failure.hint.as_deref().unwrap_or("Look at the data directory."))
        }
        CommandError::Busy => own(BUSY, &error, "Steer the turn, queue a follow-up, or abort it."),
        CommandError::Overloaded => own(OVERLOADED, &error, "Wait for the answers to what was sent."),
        CommandError::Undo(UndoError::Nothing(_)) => {
            own(NOTHING_TO_DO, &error, "session/changes lists what there is.")
        }
        CommandError::Undo(UndoError::Failed(failure)) => {
            own(NOT_STORED, &error, failure.hint.as_deref().unwrap_or("Look at the data directory."))
        }
        CommandError::Undo(UndoError::Store(_)) => own(NOT_STORED, &error, "Look at the data directory."),
        CommandError::NothingToCompact => own(NOTHING_TO_DO, &error, "Go on with the conversation."),
        CommandError::UnknownEntry(_) => Error::invalid_params(format!("entry_id: {error}")),
        CommandError::Closed => own(UNKNOWN_SESSION, &error, "Start a new session."),
    }
}

pub(crate) fn unknown_session(error: NoSession) -> Error {
    own(UNKNOWN_SESSION, &error, "Start a session with session/start.")
}

pub(crate) fn resume(error: ResumeError) -> Error {
    match error {
        ResumeError::None(error) => unknown_session(error),
        ResumeError::Held(_) => own(
            HELD_ELSEWHERE,
            &error,
            "Close it there, or read it here with session/history or opal sessions show.",
        ),
        ResumeError::Store(error) => stored(error),
        ResumeError::Start(error) => start(error),
    }
}

pub(crate) fn stored(error: StoreError) -> Error {
    match &error {
        StoreError::UnknownSession(_) | StoreError::Ambiguous { .. } => {
            own(UNKNOWN_SESSION, &error, error.hint().unwrap_or("Start a session with session/start."))
        }
        StoreError::InvalidCursor(_) => Error::invalid_params(format!("cursor: {error}")),
        _ => own(NOT_STORED, &error, error.hint().unwrap_or("Look at the data directory.")),
    }
}

pub(crate) fn export(error: ExportError) -> Error {
    match error {
        ExportError::Store(error) => stored(error),
        error => own(NOT_STORED, &error, "Look at the data directory."),
    }
}

pub(crate) fn held(error: LockError) -> Error {
    match error {
        LockError::Store(error) => stored(error),
        error => own(HELD_ELSEWHERE, &error, "Close it there first."),
    }
}

/// A live session is not deleted under the hands of its clients.
pub(crate) fn live() -> Error {
    #[derive(Debug, thiserror::Error)]
    #[error("the session is live")]
    struct Live;
    own(BUSY, &Live, "End the server that has it, or delete it later.")
}

pub(crate) fn start(error: StartError) -> Error {
    match error {
        StartError::NoModel(error) => no_model(error),
        StartError::Params { .. } => Error::invalid_params(error.to_string()),
        StartError::DirectoryGone(_) => own(
            ErrorCode::InvalidParams.code(),
            &error,
            "Make it again, or resume the session with another as working_dir.",
        ),
    }
}

pub(crate) fn no_model(error: NoModel) -> Error {
    match &error {
        NoModel::Form(_) | NoModel::UnknownProvider { .. } => {
            Error::invalid_params(format!("model: {error}. {}", error.hint()))
        }
        _ => {
            let hint = error.hint();
            let mut error = own(NOT_SIGNED_IN, &error, hint);
            error.message = format!("no model to talk to: {}", error.message).into();
            error
        }
    }
}

pub(crate) fn login(error: LoginError) -> Error {
    match &error {
        LoginError::Domain(_) | LoginError::NoSuchToken(_) => Error::invalid_params(error.to_string()),
        LoginError::Credentials(_) => own(NOT_STORED, &error, error.hint()),
        LoginError::SignIn(_) | LoginError::Refused(_) | LoginError::Gone => {
            own(NOT_SIGNED_IN, &error, error.hint())
        }
    }
}

/// A service that was asked for something else than an answer.
pub(crate) fn provider(error: ProviderError) -> Error {
    match &error {
        ProviderError::ModelUnavailable { .. } => Error::invalid_params(format!("model: {error}")),
        _ => own(NOT_SIGNED_IN, &error, error.hint().unwrap_or("Try again in a while.")),
    }
}

pub(crate) fn credentials(error: CredentialsError) -> Error {
    own(NOT_STORED, &error, error.hint())
}

fn own(code: i64, error: &impl std::error::Error, hint: &str) -> Error {
    let data = ErrorData { hint: Some(hint.to_owned()) };
    // A service may repeat what it was sent, and so do some parsers.
    let message = provider::mask(&chain(error)).into_owned().into();
    Error { code: ErrorCode::ServerError(code), message, data: serde_json::to_value(data).ok() }
}

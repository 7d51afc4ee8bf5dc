//! The methods, a group in a file. A handler is parse, send, wait; it never computes or blocks.

mod agent;
mod changes;
mod lifecycle;
mod models;
mod session;
mod sessions;

use std::sync::Arc;

use ::agent::command::CommandError;
use ::agent::session::{Attempt, Reply, SessionHandle};
use protocol::{Request, methods};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::{ClientSocket, LspService};

use crate::connection::Connection;
use crate::errors;
use crate::server::Server;

/// One connection's handlers.
#[derive(Debug)]
pub(crate) struct Backend {
    server: Server,
    connection: Arc<Connection>,
}

/// The router of one connection. The socket is not used: requests to the editor keep their place among
/// the events, see [`crate::editor`].
pub(crate) fn service(server: Server, connection: Arc<Connection>) -> (LspService<Backend>, ClientSocket) {
    LspService::build(|_client| Backend { server, connection })
        .custom_method(methods::SessionStart::METHOD, Backend::session_start)
        .custom_method(methods::SessionResume::METHOD, Backend::session_resume)
        .custom_method(methods::SessionList::METHOD, Backend::session_list)
        .custom_method(methods::SessionHistory::METHOD, Backend::session_history)
        .custom_method(methods::SessionTree::METHOD, Backend::session_tree)
        .custom_method(methods::SessionBranch::METHOD, Backend::session_branch)
        .custom_method(methods::SessionCompact::METHOD, Backend::session_compact)
        .custom_method(methods::SessionChanges::METHOD, Backend::session_changes)
        .custom_method(methods::SessionUndo::METHOD, Backend::session_undo)
        .custom_method(methods::SessionSet::METHOD, Backend::session_set)
        .custom_method(methods::SessionDelete::METHOD, Backend::session_delete)
        .custom_method(methods::SessionExport::METHOD, Backend::session_export)
        .custom_method(methods::ModelsList::METHOD, Backend::models_list)
        .custom_method(methods::ModelsEnable::METHOD, Backend::models_enable)
        .custom_method(methods::AuthStatus::METHOD, Backend::auth_status)
        .custom_method(methods::AuthLogin::METHOD, Backend::auth_login)
        .custom_method(methods::AuthLogout::METHOD, Backend::auth_logout)
        .custom_method(methods::Prompt::METHOD, Backend::prompt)
        .custom_method(methods::Steer::METHOD, Backend::steer)
        .custom_method(methods::FollowUp::METHOD, Backend::follow_up)
        .custom_method(methods::CancelQueued::METHOD, Backend::cancel_queued)
        .custom_method(methods::Abort::METHOD, Backend::abort)
        .custom_method(methods::State::METHOD, Backend::state)
        .finish()
}

/// Whether a method is Opal's own.
pub(crate) fn is_own(method: &str) -> bool {
    ["agent/", "session/", "models/", "auth/"].iter().any(|group| method.starts_with(group))
}

impl Backend {
    fn session(&self, id: &str) -> Result<SessionHandle> {
        self.server.find(id).map_err(errors::unknown_session)
    }
}

/// Decodes params; the error names the parameter.
fn decode<T: DeserializeOwned>(params: Value) -> Result<T> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        Error::invalid_params(if path == "." { inner.to_string() } else { format!("{path}: {inner}") })
    })
}

/// Waits for what a session says to a command.
async fn reply<T>(reply: Attempt<T>) -> Result<T> {
    told(reply).await?.map_err(errors::command)
}

/// Waits for a session's answer to what it does not refuse.
async fn told<T>(reply: Reply<T>) -> Result<T> {
    let reply = reply.map_err(errors::command)?;
    reply.await.map_err(|_gone| errors::command(CommandError::Closed))
}

#[cfg(test)]
mod tests;

//! `session/tree|branch|compact|changes|undo`: what a user does to a conversation and to what it changed.

use std::sync::Arc;

use ::agent::changes::list;
use ::agent::changes::undone::Target;
use ::agent::command::BranchTo;
use ::agent::journal::StoredSession;
use ::agent::session::SessionHandle;
use ::agent::{TurnId, Workspace};
use protocol::{
    SessionBranchParams, SessionBranchResult, SessionChangesParams, SessionChangesResult,
    SessionCompactParams, SessionDone, SessionUndoParams, SessionUndoResult,
};
use serde_json::Value;
use store::EntryId;
use tower_lsp::jsonrpc::{Error, Result};

use super::{Backend, decode, reply, told};
use crate::{errors, to_proto};

impl Backend {
    pub(super) async fn session_branch(&self, params: Value) -> Result<SessionBranchResult> {
        let params: SessionBranchParams = decode(params)?;
        let entry = params.entry_id.parse().map(EntryId).map_err(|_| {
            Error::invalid_params("entry_id: expected an id of session/tree or session/history")
        })?;
        let session = self.session(&params.session_id)?;
        let to = BranchTo { entry, before: params.before, restore_files: params.restore_files };
        let branched = reply(session.branch(to)).await?;
        Ok(SessionBranchResult {
            leaf: branched.leaf.map(|leaf| leaf.to_string()),
            restored: to_proto::undone(branched.restored, session.context()),
        })
    }

    pub(super) async fn session_compact(&self, params: Value) -> Result<SessionDone> {
        let params: SessionCompactParams = decode(params)?;
        let session = self.session(&params.session_id)?;
        reply(session.compact(params.keep_recent)).await?;
        Ok(SessionDone { ok: true })
    }

    pub(super) async fn session_undo(&self, params: Value) -> Result<SessionUndoResult> {
        let params: SessionUndoParams = decode(params)?;
        let session = self.session(&params.session_id)?;
        let what = match (params.turn_id, params.path, params.hunk_id) {
            (Some(turn), None, None) => Target::Turn(TurnId::new(turn)),
            (None, Some(path), None) => Target::File(resolved(&session, &path).await?),
            (turn, Some(path), Some(hunk)) => {
                let (file, turn) = (resolved(&session, &path).await?, turn.map(TurnId::new));
                Target::Hunk { file, hunk, turn }
            }
            _ => return Err(Error::invalid_params("turn_id: expected this, or path, or path and hunk_id")),
        };
        let undone = reply(session.undo(what)).await?;
        Ok(to_proto::undone(undone, session.context()))
    }

    pub(super) async fn session_changes(&self, params: Value) -> Result<SessionChangesResult> {
        let params: SessionChangesParams = decode(params)?;
        let turn = params.turn_id.map(TurnId::new);
        let store = self.server.store().clone();
        let (stored, context) = match self.server.find(&params.session_id) {
            Ok(session) => {
                // Target was said so far is stored when the state comes.
                told(session.state()).await?;
                let id = store::SessionId::parse(session.id().as_str());
                let id = id.map_err(|error| Error::invalid_params(error.to_string()))?;
                (StoredSession { store, session: id }, session.context().clone())
            }
            Err(_) => {
                let record = self.record(params.session_id).await?;
                let context = self.server.context_of(&record, &self.connection).await;
                let context = context.map_err(errors::start)?;
                (StoredSession { store, session: record.id }, context)
            }
        };
        let _room = self.connection.room_for_answer().await;
        let workspace: Arc<dyn Workspace> = context.workspace.clone();
        let changes = list::changes(&stored, turn.as_ref(), workspace, |name| context.display(name)).await;
        Ok(to_proto::changes(changes.map_err(errors::stored)?, &context))
    }
}

/// A file as changes name it: symlinks followed.
async fn resolved(session: &SessionHandle, path: &str) -> Result<::agent::workspace::FileName> {
    use ::agent::workspace::FileName;
    let context = session.context();
    match context.name(path) {
        FileName::Path(path) => {
            let resolved = context.workspace.resolve(&path).await;
            Ok(FileName::Path(resolved.map_err(|error| Error::invalid_params(format!("path: {error}")))?))
        }
        document => Ok(document),
    }
}

//! `session/*`.

use protocol::{SessionResumeParams, SessionStartParams, SessionStartResult};
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};

use super::{Backend, decode, told};
use crate::server::Which;
use crate::{errors, to_proto};

impl Backend {
    pub(super) async fn session_start(&self, params: Value) -> Result<SessionStartResult> {
        let params: SessionStartParams = decode(params)?;
        let session = self.server.start_session(params, &self.connection).await.map_err(errors::start)?;
        self.attach(session).await
    }

    pub(super) async fn session_resume(&self, params: Value) -> Result<SessionStartResult> {
        let params: SessionResumeParams = decode(params)?;
        let which = match (params.session_id, params.working_dir) {
            (Some(id), working_dir) => Which::Id { id, working_dir },
            (None, Some(directory)) => Which::LatestIn(directory),
            (None, None) => return Err(Error::invalid_params("session_id: expected this or working_dir")),
        };
        let session = self.server.resume(which, &self.connection).await.map_err(errors::resume)?;
        self.attach(session).await
    }

    async fn attach(&self, session: agent::SessionHandle) -> Result<SessionStartResult> {
        self.server.attach(&session, &self.connection);
        self.server.warn_of_wide_roots(&session.context().working_dir, &self.connection).await;
        let state = told(session.attach(self.connection.clone())).await?;
        Ok(SessionStartResult { session_id: session.id().to_string(), state: to_proto::state(state) })
    }
}

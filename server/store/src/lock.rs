//! One writer a session: a lock of the operating system, which frees it when the holder dies.

use std::path::PathBuf;

use crate::error::StoreError;
use crate::record::SessionId;

/// The right to write a session. Dropping it gives it back; so does the end of the process, however it ends.
#[derive(Debug)]
pub struct SessionLock {
    session: SessionId,
    path: PathBuf,
}

impl SessionLock {
    /// The session that is locked.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

/// Who has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub process_id: u32,
    /// What the holder calls itself, such as the editor it serves.
    pub client: String,
    pub since_ms: i64,
}

/// Why a session was not locked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockError {
    /// Another has it. `None` if it has not yet noted who it is.
    #[error("session {session} is held elsewhere")]
    Held { session: SessionId, holder: Option<Holder> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

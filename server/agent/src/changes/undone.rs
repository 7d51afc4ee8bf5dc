//! What can be taken back, and what came of it.

use store::StoreError;

use crate::event::Failure;
use crate::id::TurnId;
use crate::workspace::FileName;

/// What to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A turn, or an earlier undo.
    Turn(TurnId),
    /// Everything the session changed in a file.
    File(FileName),
    /// One hunk of what [`super::list`] shows of a file, for the session or for a turn.
    Hunk { file: FileName, hunk: String, turn: Option<TurnId> },
    /// Everything since an entry.
    Since(u64),
}

/// What came of it, file by file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Undone {
    /// The undo's own, by which it can be taken back.
    pub turn_id: Option<TurnId>,
    pub files: Vec<UndoneFile>,
    /// Files that were left as they are.
    pub conflicts: Vec<Conflict>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct UndoneFile {
    pub name: FileName,
    /// Unified, from before the undo to after it.
    pub diff: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub name: FileName,
    pub why: String,
    /// What clashes, with markers.
    pub shown: Option<String>,
}

/// Why nothing could be taken back at all.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UndoError {
    #[error("there is nothing to take back: {0}")]
    Nothing(String),
    #[error("the session cannot be read: {0}")]
    Store(String),
    /// The session's own state could not be kept, so that nothing more was changed.
    #[error("{}", .0.message)]
    Failed(Failure),
}

impl From<StoreError> for UndoError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

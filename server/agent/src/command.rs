//! What a session is asked from outside, and what it answers.

use store::EntryId;

use crate::changes::undone::{UndoError, Undone};
use crate::event::{Attachment, Failure};
use crate::id::{MessageId, TurnId};
use crate::journal::Loaded;

#[derive(Debug, Clone, Default)]
pub struct Prompt {
    pub text: String,
    pub attachments: Vec<Attachment>,
    /// Chosen by the client to make the prompt repeatable.
    pub turn_id: Option<TurnId>,
}

/// Where a steering text went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steered {
    Queued(MessageId),
    /// The session was idle: it began a turn.
    Began(TurnId),
}

/// Where to go in the tree.
#[derive(Debug, Clone, Copy)]
pub struct BranchTo {
    pub entry: EntryId,
    /// As if it had never been said.
    pub before: bool,
    /// Files become what they were there.
    pub restore_files: bool,
}

/// A place in the tree that was found, and what the conversation is there.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) leaf: Option<EntryId>,
    pub(crate) loaded: Loaded,
    pub(crate) restored: Undone,
    /// Files were changed since, and not all were put back.
    pub(crate) files_differ: bool,
}

/// Why a session did not take a command.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CommandError {
    #[error("a turn is running")]
    Busy,
    #[error("the session has too many commands waiting")]
    Overloaded,
    #[error("the session has been closed")]
    Closed,
    /// Nothing was promised: it could not be stored.
    #[error("{}", .0.message)]
    Store(Failure),
    #[error(transparent)]
    Undo(#[from] UndoError),
    #[error("there is nothing to compact yet")]
    NothingToCompact,
    #[error("the session has no entry {0}")]
    UnknownEntry(EntryId),
}

/// Where the conversation goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Branched {
    /// `None`: before the first entry.
    pub leaf: Option<EntryId>,
    /// The files that were put back.
    pub restored: Undone,
}

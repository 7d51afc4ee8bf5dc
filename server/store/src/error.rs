//! What can go wrong, one variant for each thing a caller decides.

use std::path::PathBuf;
use std::sync::Arc;

use crate::id::{EntryId, SessionId};

/// Why something was not stored or not read. What was stored before is untouched in every case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("no session {0}")]
    UnknownSession(String),
    #[error("{n_sessions} sessions begin with {prefix}")]
    Ambiguous { prefix: String, n_sessions: usize },
    #[error("session {0} is already stored")]
    SessionExists(SessionId),
    #[error("session {session} already has an entry {entry}")]
    EntryExists { session: SessionId, entry: EntryId },
    /// The parent of an entry, or a leaf.
    #[error("session {session} has no entry {entry}")]
    UnknownEntry { session: SessionId, entry: EntryId },
    #[error("{0:?} is not the cursor of a page")]
    InvalidCursor(String),
    #[error("{} cannot be written", .path.display())]
    ReadOnly { path: PathBuf },
    #[error("the disk of {} is full", .path.display())]
    Full { path: PathBuf },
    /// Another process kept it busy for as long as was waited.
    #[error("{} is locked by another process", .path.display())]
    Locked { path: PathBuf },
    #[error("{} is damaged: {detail}", .path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("{} was made by a newer Opal (version {found}, this one knows {known})", .path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// The disk does not keep up: too much waits to be written.
    #[error("{waiting_bytes} bytes wait to be written to {}", .path.display())]
    Overloaded { path: PathBuf, waiting_bytes: u64 },
    #[error("the store is closed")]
    Closed,
    #[error("{} failed", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownSession(_) => Some("List the sessions to see which there are."),
            Self::Ambiguous { .. } => Some("Give more characters of the id."),
            Self::ReadOnly { .. } => {
                Some("Make the directory writable, or name another one with OPAL_DATA_DIR.")
            }
            Self::Full { .. } => Some("Free some space; what was stored before is safe."),
            Self::Locked { .. } => Some("Close other programs that have the file open, then try again."),
            Self::Damaged { .. } => {
                Some("End all Opal processes; the next start puts the file aside and begins a new one.")
            }
            Self::Newer { .. } => Some("Update Opal, or name another directory with OPAL_DATA_DIR."),
            Self::Overloaded { .. } => Some("Check the disk: it takes writes more slowly than they come."),
            Self::Io { .. } => Some("Check the disk and the permissions of the directory."),
            Self::SessionExists(_)
            | Self::EntryExists { .. }
            | Self::UnknownEntry { .. }
            | Self::InvalidCursor(_)
            | Self::Closed => None,
        }
    }
}

/// Why a session was not imported. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input is not an export, or a damaged one. Lines count from 1.
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: String },
    #[error("the input could not be read")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the output could not be written")]
    Write(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

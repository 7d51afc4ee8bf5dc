//! Sessions on disk: an append-only tree for each, in one SQLite file that several processes share.
//!
//! A [`Store`] takes writes at once and does them in order; one thread of its own groups them into
//! transactions, and a [`Commit`] resolves when the disk has it. What was committed survives `kill -9` and power
//! cuts. Reads run on the caller's thread.
//!
//! Deliberately absent: what an entry means. Its payload is JSON that the caller makes; the store knows the tree,
//! the text that a search finds, and nothing of models, tools or the wire. Nor is there a runtime: the one future
//! here is a oneshot channel.

mod store;

mod blob;
mod id;
mod record;

mod write;
mod writer;

mod read;
mod search;

mod export;
mod lock;

mod database;
mod schema;

mod error;
mod options;

#[cfg(test)]
mod tests;

pub use blob::{BlobError, BlobHash, Budget, InvalidBlobHash, NewBlob, Retention};
pub use error::{ExportError, ImportError, StoreError};
pub use id::{EntryId, InvalidSessionId, SessionId};
pub use lock::{Holder, LockError, SessionLock};
pub use options::{BeforeCommit, Faults, Group, Notice, Options, SyncMode};
pub use record::{
    Append, Draft, Entry, EntryKind, Hit, ListQuery, LoadedSession, NewEntry, Page, SessionRecord,
    SessionSummary, SessionUpdate,
};
pub use store::{Commit, Store};

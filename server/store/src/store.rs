//! The store as its callers see it.

use std::future::Future;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::blob::{BlobError, BlobHash};
use crate::error::{ExportError, ImportError, StoreError};
use crate::lock::{LockError, SessionLock};
use crate::options::Options;
use crate::record::{
    Append, EntryId, Hit, ListQuery, LoadedSession, Page, SessionId, SessionRecord, SessionUpdate,
};

/// The sessions of one data directory. Cheap to clone; all clones share one writer.
///
/// Writes return at once and are done in the order of the calls; the [`Commit`] tells when the disk has them.
/// Reads block for as long as the disk takes and belong on a thread that may block; they see every commit that
/// was told before.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    options: Options,
}

impl Store {
    /// Names the directory. Nothing is opened, made or started before the first read or write.
    pub fn open(directory: impl Into<PathBuf>, options: Options) -> Self {
        Self { inner: Arc::new(Inner { directory: directory.into(), options }) }
    }

    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Stores a new session, its leaf included if that is `None`.
    pub fn create(&self, session: SessionRecord) -> Commit {
        todo!()
    }

    /// Stores entries, the leaf, blobs and the draft of a session, all or nothing.
    pub fn append(&self, session: &SessionId, append: Append) -> Commit {
        todo!()
    }

    /// Moves the leaf to an entry of any branch.
    pub fn set_leaf(&self, session: &SessionId, leaf: EntryId) -> Commit {
        todo!()
    }

    /// Gives the session a name; `None` takes it away.
    pub fn rename(&self, session: &SessionId, name: Option<String>) -> Commit {
        todo!()
    }

    /// Changes model and settings.
    pub fn update(&self, session: &SessionId, update: SessionUpdate) -> Commit {
        todo!()
    }

    /// Removes the session, its sub-agents' sessions, and the blobs that no other session has.
    pub fn delete(&self, session: &SessionId) -> Commit {
        todo!()
    }

    /// Reads a session with its whole tree.
    pub fn load(&self, session: &SessionId) -> Result<LoadedSession, StoreError> {
        todo!()
    }

    /// Finds the only session whose id begins with `prefix`.
    pub fn find(&self, prefix: &str) -> Result<SessionRecord, StoreError> {
        todo!()
    }

    /// The session of this directory that was last updated.
    pub fn latest(&self, working_dir: &str) -> Result<Option<SessionRecord>, StoreError> {
        todo!()
    }

    /// Lists sessions, latest first.
    pub fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        todo!()
    }

    /// Searches all text, best hits first.
    pub fn search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, StoreError> {
        todo!()
    }

    /// Reads a blob.
    pub fn blob(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        todo!()
    }

    /// Writes a session as JSON Lines: a header, the entries, the blobs, and a line that says how many.
    pub fn export(&self, session: &SessionId, out: &mut dyn Write) -> Result<(), ExportError> {
        todo!()
    }

    /// Stores what [`export`](Self::export) wrote, under a new id if its own is taken. Blocks until the disk has it.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<SessionId, ImportError> {
        todo!()
    }

    /// Takes the right to write a session.
    pub fn lock(&self, session: &SessionId, client: &str) -> Result<SessionLock, LockError> {
        todo!()
    }

    /// Writes what waits, ends the writer and closes the files. Blocks; later writes are refused.
    pub fn close(&self) {
        todo!()
    }
}

/// Resolves when the write is durable, or will never be. Dropping it does not take the write back.
#[must_use = "the write is durable only when this resolves"]
#[derive(Debug)]
pub struct Commit {
    done: oneshot::Receiver<Result<(), StoreError>>,
}

impl Commit {
    /// Blocks until the write is durable; for callers without a runtime.
    pub fn wait(self) -> Result<(), StoreError> {
        todo!()
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.done).poll(cx).map(|done| done.unwrap_or(Err(StoreError::Closed)))
    }
}

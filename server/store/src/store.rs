//! The store as its callers see it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::blob::{BlobError, BlobHash};
use crate::database::{Database, Files};
use crate::error::{ExportError, ImportError, StoreError};
use crate::export;
use crate::id::{EntryId, SessionId};
use crate::lock::{LockError, SessionLock};
use crate::options::Options;
use crate::read::{self, Blob, ReadError};
use crate::record::{
    Append, Hit, ListQuery, LoadedSession, Page, SessionRecord, SessionSummary, SessionUpdate,
};
use crate::search::{self, Query};
use crate::write::Write;
use crate::writer::Writer;

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
    files: Arc<Files>,
    writer: Writer,
    /// The connection of the last read, for the next one.
    reader: Mutex<Option<Database>>,
}

impl Store {
    /// Names the directory. Nothing is opened, made or started before the first read or write.
    pub fn open(directory: impl Into<PathBuf>, options: Options) -> Self {
        let files = Arc::new(Files::new(directory.into(), options));
        let writer = Writer::new(files.clone());
        Self { inner: Arc::new(Inner { files, writer, reader: Mutex::default() }) }
    }

    /// Where everything is.
    pub fn directory(&self) -> &Path {
        &self.inner.files.directory
    }

    /// Stores a new session. It has no entries yet, so its leaf must be `None`.
    pub fn create(&self, session: SessionRecord) -> Commit {
        self.write(Write::Create(session))
    }

    /// Stores entries, leaf, blobs and draft of a session: all of it or nothing.
    pub fn append(&self, session: &SessionId, append: Append) -> Commit {
        self.write(Write::Append(session.clone(), append))
    }

    /// Moves the leaf to an entry of any branch, or before the first one. A draft belonged to the leaf and is
    /// cleared.
    pub fn set_leaf(&self, session: &SessionId, leaf: Option<EntryId>) -> Commit {
        self.write(Write::SetLeaf(session.clone(), leaf))
    }

    /// Gives the session a name; `None` takes it away.
    pub fn rename(&self, session: &SessionId, name: Option<String>) -> Commit {
        self.write(Write::Rename(session.clone(), name))
    }

    /// Changes directory, model and settings.
    pub fn update(&self, session: &SessionId, update: SessionUpdate) -> Commit {
        self.write(Write::Update(session.clone(), update))
    }

    /// Removes the session, those of its sub-agents, and the blobs that no other session has.
    pub fn delete(&self, session: &SessionId) -> Commit {
        self.write(Write::Delete(session.clone()))
    }

    /// Reads a session with its whole tree.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`], or what is wrong with the file.
    pub fn load(&self, session: &SessionId) -> Result<LoadedSession, StoreError> {
        self.inner
            .read(|database| {
                let snapshot = database.snapshot()?;
                read::load(&snapshot, session)
            })?
            .ok_or_else(|| StoreError::UnknownSession(session.to_string()))
    }

    /// Finds the only session whose id begins with `prefix`, sub-agents' included.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`] or [`StoreError::Ambiguous`], or what is wrong with the file.
    pub fn find(&self, prefix: &str) -> Result<SessionRecord, StoreError> {
        self.inner
            .read(|database| read::find(database, prefix))?
            .ok_or_else(|| StoreError::UnknownSession(prefix.to_owned()))
    }

    /// What a list shows of one session, sub-agents' included.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`], or what is wrong with the file.
    pub fn summary(&self, session: &SessionId) -> Result<SessionSummary, StoreError> {
        let summary = self.inner.read(|database| read::summary_of(database, session))?;
        summary.flatten().ok_or_else(|| StoreError::UnknownSession(session.to_string()))
    }

    /// The session of this directory that was last updated.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn latest(&self, working_dir: &str) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.inner.read(|database| read::latest(database, working_dir))?.flatten())
    }

    /// Lists sessions, last updated first.
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`], or what is wrong with the file.
    pub fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let page = self.inner.read(|database| read::list(database, query))?;
        Ok(page.unwrap_or(Page { sessions: Vec::new(), next_cursor: None }))
    }

    /// Finds the entries that have all of `words`, best first.
    ///
    /// Whole words in any case; `"two words"` side by side; `migr*` for a beginning of three letters or more. Nothing
    /// that is typed is an error. Among more than 1,000 hits those of the newest sessions are ranked.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let query = Query::parse(words);
        Ok(self.inner.read(|database| search::search(database, &query, limit))?.unwrap_or_default())
    }

    /// Finds the sessions that have all of `words` in one entry, each by its best, best first. With a directory only
    /// those of it; never those of sub-agents. Words are as for [`search`](Self::search).
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn search_sessions(
        &self,
        words: &str,
        working_dir: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Hit>, StoreError> {
        let query = Query::parse(words);
        let hits =
            self.inner.read(|database| search::search_sessions(database, &query, working_dir, limit))?;
        Ok(hits.unwrap_or_default())
    }

    /// Reads a blob.
    ///
    /// # Errors
    /// [`BlobError::Gone`] if it made room for newer ones, [`BlobError::Unknown`] if it never was here.
    pub fn blob(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        match self.inner.read(|database| read::blob(database, hash))? {
            Some(Blob::Content(content)) => Ok(content),
            Some(Blob::Gone) => Err(BlobError::Gone(hash)),
            None | Some(Blob::Unknown) => Err(BlobError::Unknown(hash)),
            Some(Blob::Damaged) => {
                let path = self.inner.files.path();
                Err(StoreError::Damaged { path, detail: format!("blob {hash} is not what it was") }.into())
            }
        }
    }

    /// Writes a session as JSON Lines: a header, the entries, the blobs, and a line that counts them.
    ///
    /// # Errors
    /// As [`load`](Self::load), or if `out` fails.
    pub fn export(&self, session: &SessionId, out: &mut dyn io::Write) -> Result<(), ExportError> {
        let exported = self
            .inner
            .read(|database| export::collect(database, session))?
            .ok_or_else(|| StoreError::UnknownSession(session.to_string()))?;
        Ok(export::write(exported, out)?)
    }

    /// Stores what [`export`](Self::export) wrote, under a new id if its own is taken, and blocks until the disk
    /// has it. `admit` changes it before: the file may be anybody's.
    ///
    /// # Errors
    /// [`ImportError::Line`] names the first line that is damaged; then nothing is stored.
    pub fn import(
        &self,
        input: &mut dyn io::BufRead,
        admit: impl FnOnce(&mut SessionRecord, &mut Append),
    ) -> Result<SessionId, ImportError> {
        let (mut record, mut append) = export::read(input)?;
        admit(&mut record, &mut append);
        loop {
            let id = record.id.clone();
            match self.write(Write::Import(record.clone(), append.clone())).wait() {
                Err(StoreError::SessionExists(_)) => record.id = SessionId::random(),
                other => return Ok(other.map(|()| id)?),
            }
        }
    }

    /// Takes the right to write a session, stored or not. Whoever does not get it may still read.
    ///
    /// # Errors
    /// [`LockError::Held`] says by whom.
    pub fn lock(&self, session: &SessionId, client: &str) -> Result<SessionLock, LockError> {
        SessionLock::acquire(&self.inner.files, session, client)
    }

    /// Writes what waits, ends the writer and closes the files. Blocks; later writes are refused.
    pub fn close(&self) {
        self.inner.writer.close();
        self.inner.reader().take();
    }

    fn write(&self, write: Write) -> Commit {
        Commit { done: self.inner.writer.write(write) }
    }
}

impl Inner {
    fn reader(&self) -> MutexGuard<'_, Option<Database>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads with the connection of the last read, or a new one. `None` if nothing was ever stored.
    fn read<T>(&self, read: impl FnOnce(&Database) -> Result<T, ReadError>) -> Result<Option<T>, StoreError> {
        let idle = self.reader().take();
        let idle = idle.filter(|database| database.is_current() && !self.files.is_suspect());
        let database = match idle {
            Some(database) => database,
            None => match Database::open_for_reading(&self.files)? {
                Some(database) => database,
                None => return Ok(None),
            },
        };
        let outcome = read(&database).map_err(|error| match error {
            ReadError::Store(error) => error,
            ReadError::Sqlite(error) => self.files.error(error),
        });
        if self.files.is_suspect() {
            // The writer lets go of the file too, so that it can be set aside.
            self.writer.wake();
        } else {
            database.shrink();
            *self.reader() = Some(database);
        }
        outcome.map(Some)
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
    ///
    /// # Errors
    /// Why it was not stored.
    pub fn wait(self) -> Result<(), StoreError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut commit = pin!(self);
        loop {
            match commit.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The writer drops a write only if it panics.
        Pin::new(&mut self.done).poll(cx).map(|done| done.unwrap_or(Err(StoreError::Closed)))
    }
}

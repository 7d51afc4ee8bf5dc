//! The one thread that writes. Whatever waits when it comes round goes into one transaction.
//!
//! The thread starts with the first write and ends when there was nothing to do for a while, or when the store is
//! closed. Writes are done in the order they were asked for; a write that is refused takes none of its group along,
//! a failure of the disk takes all.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::database::{Database, Files};
use crate::error::StoreError;
use crate::options::Group;
use crate::write::{self, Refused, Write};

/// Writes are refused while this much waits: the disk is stuck, and memory is not endless.
const MAX_WAITING_BYTES: u64 = 256 << 20;

/// Writes of one transaction. Bounds how long the first of them waits for the last.
const MAX_GROUP: usize = 1024;

/// The log is moved into the file at this many pages (4 MiB), between groups and after they were told.
const CHECKPOINT_PAGES: i64 = 1024;

/// Free pages that are worth giving back to the file system, and how many at a time (16 and 4 MiB).
const MIN_FREE_PAGES: i64 = 4096;
const VACUUM_STEP: i64 = 1024;

/// A handle on the writer. Dropping it ends the thread once what waits is written.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: Arc<Files>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    waiting_bytes: u64,
    is_running: bool,
    is_closed: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    write: Write,
    size: u64,
    at_ms: i64,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(crate) fn new(files: Arc<Files>) -> Self {
        Self { shared: Arc::new(Shared { files, queue: Mutex::default(), changed: Condvar::new() }) }
    }

    /// Puts a write behind all others, and starts the thread if there is none.
    pub(crate) fn write(&self, write: Write) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, wait) = oneshot::channel();
        let size = write.size();
        let at_ms = (self.shared.files.options.clock)();
        let mut queue = self.shared.lock();
        let path = || self.shared.files.path();
        let waiting_bytes = queue.waiting_bytes;
        let refusal = if queue.is_closed {
            Some(StoreError::Closed)
        } else if waiting_bytes > MAX_WAITING_BYTES {
            Some(StoreError::Overloaded { path: path(), waiting_bytes })
        } else if queue.is_running {
            None
        } else {
            match self.shared.clone().start() {
                Ok(thread) => {
                    queue.is_running = true;
                    queue.thread = Some(thread);
                    None
                }
                Err(error) => Some(self.shared.files.io_error(&path(), error)),
            }
        };
        match refusal {
            // Nobody waits for it: the caller dropped the commit.
            Some(error) => drop(done.send(Err(error))),
            None => {
                queue.waiting_bytes += size;
                queue.jobs.push_back(Job { write, size, at_ms, done });
                self.shared.changed.notify_all();
            }
        }
        wait
    }

    /// Has the file looked at again if a reader found it damaged.
    pub(crate) fn wake(&self) {
        let _queue = self.shared.lock();
        self.shared.changed.notify_all();
    }

    /// Writes what waits, and waits for the thread to end.
    pub(crate) fn close(&self) {
        let thread = {
            let mut queue = self.shared.lock();
            queue.is_closed = true;
            self.shared.changed.notify_all();
            queue.thread.take()
        };
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the writer of the store panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

/// Ends the writer's term even if it panics: the writes it had are told, and the next write starts a new thread.
struct Term(Arc<Shared>);

impl Drop for Term {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut queue = self.0.lock();
            queue.is_running = false;
            queue.jobs.clear();
            queue.waiting_bytes = 0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let term = Term(self);
            term.0.run();
        })
    }

    fn run(&self) {
        let mut database = None;
        loop {
            if self.files.is_suspect() {
                database = None;
            }
            let Some(jobs) = self.next(database.is_some()) else { break };
            if jobs.is_empty() {
                continue;
            }
            let size: u64 = jobs.iter().map(|job| job.size).sum();
            self.write(&mut database, jobs);
            let is_idle = {
                let mut queue = self.lock();
                queue.waiting_bytes = queue.waiting_bytes.saturating_sub(size);
                queue.jobs.is_empty()
            };
            if let Some(database) = &database {
                checkpoint(database, is_idle);
            }
        }
        if let Some(database) = &database {
            give_back(database);
        }
    }

    /// Waits for writes. Empty: look at the file again. `None`: the thread is to end.
    fn next(&self, is_open: bool) -> Option<Vec<Job>> {
        let idle_at = Instant::now() + self.files.options.idle_timeout;
        let mut queue = self.lock();
        loop {
            if !queue.jobs.is_empty() {
                let n_jobs = queue.jobs.len().min(MAX_GROUP);
                return Some(queue.jobs.drain(..n_jobs).collect());
            }
            let left = idle_at.saturating_duration_since(Instant::now());
            if queue.is_closed || left.is_zero() {
                // Under the lock: a write that comes after this starts a new thread.
                queue.is_running = false;
                return None;
            }
            if is_open && self.files.is_suspect() {
                return Some(Vec::new());
            }
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes a group and tells each how it went.
    fn write(&self, database: &mut Option<Database>, jobs: Vec<Job>) {
        let (mut writes, mut waiting) = (Vec::new(), Vec::new());
        for job in jobs {
            writes.push((job.write, job.at_ms));
            waiting.push(job.done);
        }
        let outcome = self.commit(database, writes);
        if outcome.is_err() {
            // Nothing is known of the connection now; the next group opens its own.
            *database = None;
        }
        let outcomes: Vec<_> = match outcome {
            Ok(refused) => refused.into_iter().map(|refused| refused.map_or(Ok(()), Err)).collect(),
            Err(error) => waiting.iter().map(|_| Err(error.clone())).collect(),
        };
        for (done, outcome) in waiting.into_iter().zip(outcomes) {
            // Fails if the caller dropped the commit: nobody wants to know.
            let _ = done.send(outcome);
        }
    }

    /// Makes a group durable. For each write: why it was refused, if it was.
    fn commit(
        &self,
        slot: &mut Option<Database>,
        writes: Vec<(Write, i64)>,
    ) -> Result<Vec<Option<StoreError>>, StoreError> {
        let files = &self.files;
        let database = match slot.take() {
            Some(database) if database.is_current() => slot.insert(database),
            _ => slot.insert(Database::open(files)?),
        };
        let fail = |error| files.error(error);
        // Rolls back when dropped.
        let transaction = database.begin().map_err(fail)?;
        let group = Group { n_writes: writes.len() };
        let mut texts = Vec::new();
        let mut refused = Vec::with_capacity(writes.len());
        for (write, at_ms) in writes {
            transaction.execute_batch("SAVEPOINT one").map_err(fail)?;
            match write::apply(&transaction, write, at_ms, &files.options.budget) {
                Ok(new_texts) => {
                    texts.extend(new_texts);
                    refused.push(None);
                }
                Err(Refused::By(error)) => {
                    transaction.execute_batch("ROLLBACK TO one").map_err(fail)?;
                    refused.push(Some(error));
                }
                Err(Refused::Sqlite(error)) => return Err(fail(error)),
            }
            transaction.execute_batch("RELEASE one").map_err(fail)?;
        }
        write::index(&transaction, texts).map_err(fail)?;
        if let Some(before_commit) = &files.options.faults.before_commit {
            before_commit(group).map_err(|error| files.io_error(&files.path(), error))?;
        }
        transaction.commit().map_err(fail)?;
        Ok(refused)
    }
}

/// Moves the log into the file when it has grown, at once if nobody waits.
fn checkpoint(database: &Database, is_idle: bool) {
    let limit = if is_idle { CHECKPOINT_PAGES } else { 8 * CHECKPOINT_PAGES };
    let pages = |mode: &str| -> rusqlite::Result<i64> {
        database.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
        })
    };
    let outcome = pages("NOOP").and_then(|n| if n >= limit { pages("PASSIVE") } else { Ok(n) });
    if let Err(error) = outcome {
        // Everything is safe in the log; the next group tries again.
        tracing::debug!(%error, "no checkpoint");
    }
}

/// Gives free pages back to the file system, a little at a time so that other processes get in between.
fn give_back(database: &Database) {
    let free = || database.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let mut n_free = match free() {
        Ok(n_free) if n_free >= MIN_FREE_PAGES => n_free,
        _ => return,
    };
    while n_free > 0 {
        let step = database.execute_batch(&format!("PRAGMA incremental_vacuum({VACUUM_STEP})"));
        let before = mem::replace(&mut n_free, free().unwrap_or(0));
        if step.is_err() || n_free >= before {
            // Another process is busy; the room is used again anyway.
            return;
        }
    }
}

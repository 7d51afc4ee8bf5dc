//! The one thread that writes. Whatever waits when it comes round goes into one transaction.
//!
//! The thread starts with the first write and ends when there was nothing to do for a while, or when the store is
//! closed. Writes are done in the order they were asked for; a write that is refused takes none of its group along,
//! a failure of the disk takes all.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::database::{Database, Files, io_error};
use crate::error::StoreError;
use crate::options::Group;
use crate::write::{self, Refused, Write};

/// Writes are refused while this much waits: the disk is stuck, and memory is not endless.
const MAX_WAITING_BYTES: u64 = 256 << 20;

/// Writes of one transaction, and their bytes. Bounds how long the first of them waits for the last.
const MAX_GROUP: usize = 1024;
const MAX_GROUP_BYTES: u64 = 16 << 20;

/// The log is moved into the file at this many pages (4 MiB) once nobody writes, and at the second number (32 MiB)
/// whoever waits.
const CHECKPOINT_PAGES: i64 = 1024;
const MAX_LOG_PAGES: i64 = 8192;

/// Free pages that are worth giving back to the file system, and how many at a time (16 and 4 MiB).
const MIN_FREE_PAGES: i64 = 4096;
const VACUUM_STEP: i64 = 1024;

/// Nobody writes if nothing came for this long.
const PAUSE: Duration = Duration::from_millis(50);

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
                Err(error) => Some(io_error(&path(), error)),
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

/// What the thread does next.
enum Next {
    /// A group, and how many bytes it holds.
    Write(Vec<Job>, u64),
    /// Nobody writes: time to tidy up.
    Pause,
    /// A reader found the file damaged: close it, so that it can be set aside.
    LetGo,
    End,
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
        let mut is_untidy = false;
        loop {
            match self.next(database.is_some(), is_untidy) {
                Next::Write(jobs, n_bytes) => {
                    if self.files.is_suspect() {
                        database = None;
                    }
                    self.write(&mut database, jobs, n_bytes);
                    is_untidy = database.as_ref().is_some_and(is_in_need);
                }
                Next::Pause => is_untidy = database.as_ref().is_some_and(tidy),
                Next::LetGo => database = None,
                Next::End => break,
            }
        }
    }

    /// Waits for something to do.
    fn next(&self, is_open: bool, is_untidy: bool) -> Next {
        let idle_timeout = if is_untidy { PAUSE } else { self.files.options.idle_timeout };
        let since = Instant::now();
        let mut queue = self.lock();
        loop {
            if !queue.jobs.is_empty() {
                let (mut jobs, mut n_bytes) = (Vec::new(), 0);
                while jobs.len() < MAX_GROUP
                    && n_bytes < MAX_GROUP_BYTES
                    && let Some(job) = queue.jobs.pop_front()
                {
                    n_bytes += job.size;
                    jobs.push(job);
                }
                return Next::Write(jobs, n_bytes);
            }
            let left = idle_timeout.saturating_sub(since.elapsed());
            if queue.is_closed || (left.is_zero() && !is_untidy) {
                // Under the lock: a write that comes after this starts a new thread.
                queue.is_running = false;
                return Next::End;
            }
            if left.is_zero() {
                return Next::Pause;
            }
            if is_open && self.files.is_suspect() {
                return Next::LetGo;
            }
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes a group of so many bytes and tells each how it went.
    fn write(&self, database: &mut Option<Database>, jobs: Vec<Job>, n_bytes: u64) {
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
        let mut queue = self.lock();
        queue.waiting_bytes = queue.waiting_bytes.saturating_sub(n_bytes);
        if matches!(outcome, Err(StoreError::Locked { .. })) {
            // What came meanwhile has waited for the other process too. Taken before anybody is told: what
            // is asked for after that is tried.
            queue.waiting_bytes = 0;
            waiting.extend(queue.jobs.drain(..).map(|job| job.done));
        }
        drop(queue);
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
            before_commit(group).map_err(|error| io_error(&files.path(), error))?;
        }
        transaction.commit().map_err(fail)?;
        Ok(refused)
    }
}

/// Whether the file wants tidying when there is time. Moves the log into the file at once if it is long.
fn is_in_need(database: &Database) -> bool {
    let log = log_pages(database, "NOOP");
    if log >= MAX_LOG_PAGES {
        log_pages(database, "PASSIVE");
        return false;
    }
    log >= CHECKPOINT_PAGES || free_pages(database) >= MIN_FREE_PAGES
}

/// Moves the log into the file and gives some free pages back to the file system. Whether there is more to do.
fn tidy(database: &Database) -> bool {
    log_pages(database, "PASSIVE");
    let n_free = free_pages(database);
    if n_free < MIN_FREE_PAGES {
        return false;
    }
    // Each page is a row: only reading all of them does the work.
    let give_back = || -> rusqlite::Result<()> {
        let mut pragma = database.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_STEP})"))?;
        let mut rows = pragma.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    };
    match give_back() {
        // Another process may have filled them meanwhile.
        Ok(()) => free_pages(database) < n_free,
        Err(error) => {
            tracing::debug!(%error, "no pages given back; they are used again");
            false
        }
    }
}

/// Pages of the log that are not in the file, after a checkpoint of this kind.
fn log_pages(database: &Database, kind: &str) -> i64 {
    let pages = database.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |row| {
        Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)
    });
    pages.unwrap_or_else(|error| {
        // Everything is safe in the log; the next group tries again.
        tracing::debug!(%error, "no checkpoint");
        0
    })
}

fn free_pages(database: &Database) -> i64 {
    // A file that cannot tell fails with the next write.
    database.pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap_or(0)
}

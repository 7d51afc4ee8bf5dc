//! How a store is opened, and what it tells while it works.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::blob::Budget;

/// How a store is opened. The default is right for users; tests set a clock and faults.
#[derive(Clone)]
pub struct Options {
    pub sync: SyncMode,
    pub budget: Budget,
    /// How long to wait for another process before [`Locked`](crate::StoreError::Locked).
    pub busy_timeout: Duration,
    /// How long the writer keeps its thread and its file open with nothing to do.
    pub idle_timeout: Duration,
    /// Milliseconds since 1970.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Told what the user should know. Called on the thread where it happens, so it must not block.
    pub notice: Arc<dyn Fn(Notice) + Send + Sync>,
    pub faults: Faults,
}

/// When a commit counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// When the disk has it: survives a power cut.
    #[default]
    Full,
    /// When the operating system has it: survives `kill -9`. For tests and benches.
    Off,
}

/// What the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The file was damaged; it is kept under the new name, and an empty one was begun.
    SetAside { path: PathBuf, kept_as: PathBuf, detail: String },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { path, kept_as, detail } => write!(
                f,
                "{} was damaged ({detail}). It is kept as {}, and a new one was begun.",
                path.display(),
                kept_as.display()
            ),
        }
    }
}

/// Failures below the store, for tests.
#[derive(Clone, Default)]
pub struct Faults {
    /// Called before each commit; an error is the commit's.
    pub before_commit: Option<BeforeCommit>,
    /// The file may not have more pages than this, as if the disk were full.
    pub max_pages: Option<u32>,
    /// SQLite's name of another way to reach files, such as `unix-dotfile`, which has no shared memory.
    pub vfs: Option<&'static str>,
}

/// See [`Faults::before_commit`].
pub type BeforeCommit = Arc<dyn Fn(Group) -> io::Result<()> + Send + Sync>;

/// What is about to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Calls of [`Store`](crate::Store) that become durable together.
    pub n_writes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: SyncMode::Full,
            budget: Budget::default(),
            busy_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            clock: Arc::new(now_ms),
            notice: Arc::new(|notice| tracing::warn!("{notice}")),
            faults: Faults::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("sync", &self.sync)
            .field("budget", &self.budget)
            .field("busy_timeout", &self.busy_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("max_pages", &self.max_pages)
            .field("vfs", &self.vfs)
            .finish_non_exhaustive()
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

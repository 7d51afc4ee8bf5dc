//! One writer a session: a lock of the operating system, which frees it when the holder dies.
//!
//! The lock is on one file, the note of who holds it in another beside it, because a locked file cannot be read
//! everywhere. The note is only for people: the lock decides.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::database::{Files, Identity, beside, create_private_file, io_error, open_lock_file};
use crate::error::StoreError;
use crate::id::SessionId;

const DIRECTORY: &str = "locks";

/// The right to write a session. Dropping it gives it back; so does the end of the process, however it ends.
#[derive(Debug)]
pub struct SessionLock {
    session: SessionId,
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

/// Who has a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[error("session {session} is held {}", by(.holder.as_ref(), *.at_ms))]
    Held { session: SessionId, holder: Option<Holder>, at_ms: i64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionLock {
    pub(crate) fn acquire(files: &Files, session: &SessionId, client: &str) -> Result<Self, LockError> {
        let directory = files.directory.join(DIRECTORY);
        files.create_directory(&directory)?;
        let path = directory.join(format!("{session}.lock"));
        loop {
            let failed = |error| io_error(&path, error);
            let file = open_lock_file(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let (holder, at_ms) = (read_note(&path), (files.options.clock)());
                    return Err(LockError::Held { session: session.clone(), holder, at_ms });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error).into()),
            }
            // The last holder removes the file: what was locked may be a file that no longer has the name.
            if !is_named(&file, &path) {
                continue;
            }
            let process_id = std::process::id();
            let since_ms = (files.options.clock)();
            write_note(&path, &Holder { process_id, client: client.to_owned(), since_ms });
            return Ok(Self { session: session.clone(), path, _file: file });
        }
    }

    /// The session that is locked.
    pub fn session(&self) -> &SessionId {
        &self.session
    }
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        // While the lock is held, so that nobody's note or lock but this one's is removed. What fails to go stays
        // as an empty file or an old note, and the next holder takes both over.
        let _ = fs::remove_file(note_path(&self.path));
        // Elsewhere an open file cannot be told from its successor; there it stays.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Who has it, and for how long: the hours of this process may not be those of whoever reads it.
fn by(holder: Option<&Holder>, at_ms: i64) -> String {
    let Some(Holder { process_id, client, since_ms }) = holder else { return "elsewhere".to_owned() };
    let seconds = at_ms.saturating_sub(*since_ms).max(0) / 1000;
    let (n, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("by process {process_id} ({client}) for {n} {unit}")
}

#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    Identity::of_open(file) == Identity::of(path)
}

#[cfg(not(unix))]
fn is_named(_file: &File, _path: &Path) -> bool {
    true
}

fn note_path(lock: &Path) -> PathBuf {
    beside(lock, ".holder")
}

fn read_note(lock: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(note_path(lock)).ok()?).ok()
}

fn write_note(lock: &Path, holder: &Holder) {
    let path = note_path(lock);
    // Never the note of one who is gone.
    let _ = fs::remove_file(&path);
    let written = serde_json::to_vec(holder).map_err(Into::into).and_then(|note| {
        create_private_file(&path)?;
        fs::write(&path, note)
    });
    if let Err(error) = written {
        tracing::warn!(%error, path = %path.display(), "who holds the session is not noted");
    }
}

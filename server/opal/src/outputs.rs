//! The whole of long outputs, which the model is shown the beginning and the end of: files that it can read, in
//! a directory for each session.
//!
//! They go with their session, and before it when they are old or too much: what is left of them then is what
//! the conversation has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use store::SessionId;

/// Nobody reads an output that long after.
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Of all sessions together; the oldest go first.
const BYTES: u64 = 2 << 30;
/// What is younger stays, however much it is: somebody may be writing or reading it.
const YOUNG: Duration = Duration::from_secs(24 * 3600);

/// The outputs of all sessions.
#[derive(Debug, Clone)]
pub struct Outputs {
    directory: PathBuf,
}

struct Kept {
    path: PathBuf,
    n_bytes: u64,
    age: Duration,
}

impl Outputs {
    pub fn new(data_dir: &Path) -> Self {
        Self { directory: data_dir.join("outputs") }
    }

    /// Where those of a session are.
    pub(crate) fn of(&self, session: &str) -> PathBuf {
        self.directory.join(session)
    }

    /// Removes those of a session that is deleted.
    pub fn forget(&self, session: &SessionId) {
        match fs::remove_dir_all(self.of(session.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%session, %error, "its outputs could not be removed");
            }
            _ => {}
        }
    }

    /// Removes what is old, and the oldest of what is too much. What cannot be removed stays until the next time.
    pub(crate) fn sweep(&self, now: SystemTime) {
        self.sweep_to(now, BYTES);
    }

    fn sweep_to(&self, now: SystemTime, bytes: u64) {
        let mut all: Vec<Kept> = files(&self.directory)
            .flat_map(|session| files(&session))
            .filter_map(|path| kept(path, now))
            .collect();
        all.sort_by_key(|kept| kept.age);
        let mut n_bytes = 0_u64;
        for Kept { path, n_bytes: more, age } in all {
            n_bytes = n_bytes.saturating_add(more);
            if age > AGE || (n_bytes > bytes && age > YOUNG) {
                tracing::debug!(path = %path.display(), "an old output is removed");
                let removed = fs::remove_file(&path);
                // It goes only if nothing is left in it.
                if let (Ok(()), Some(session)) = (removed, path.parent()) {
                    let _ = fs::remove_dir(session);
                }
            }
        }
    }
}

/// What is in a directory; nothing if it cannot be read.
fn files(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// `None` for what is not a file.
fn kept(path: PathBuf, now: SystemTime) -> Option<Kept> {
    let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    // A clock that was set back makes none of them old.
    let age = now.duration_since(metadata.modified().ok()?).unwrap_or_default();
    Some(Kept { path, n_bytes: metadata.len(), age })
}

#[cfg(test)]
mod tests;

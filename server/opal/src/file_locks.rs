//! One lock for each file, for every writer of this process: sessions, tools, undo and branch, written by
//! the server or through an editor.
//!
//! A lock is held from the last look at the file to the end of the write, and never while the user is
//! asked. So the second of two writers finds that its base has changed, and computes its edit again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use agent::workspace::FileName;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use crate::blocking::blocking;
use crate::platform;

#[derive(Debug, Clone, Default)]
pub(crate) struct FileLocks {
    locks: Arc<Mutex<HashMap<Key, Weak<Lock<()>>>>>,
}

/// A file under whatever name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(FileName),
    /// A file with several names (hard links).
    Identity((u64, u64)),
}

impl Key {
    async fn of(name: &FileName) -> Self {
        let identity = match name.clone() {
            FileName::Path(path) => blocking(move || platform::shared_identity(path.as_path())).await,
            FileName::Document(_) => None,
        };
        identity.map_or_else(|| Self::Name(name.clone()), Self::Identity)
    }
}

/// Only its holder may write the file.
#[derive(Debug)]
pub(crate) struct FileLock {
    _guard: OwnedMutexGuard<()>,
}

impl FileLocks {
    /// Waits until nobody else writes the file. The name is a resolved one.
    pub(crate) async fn lock(&self, name: &FileName) -> FileLock {
        let lock = self.of(Key::of(name).await);
        FileLock { _guard: lock.lock_owned().await }
    }

    fn of(&self, key: Key) -> Arc<Lock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(Lock::new(()));
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use text::AbsPath;

    use super::*;

    #[tokio::test]
    #[cfg(unix)]
    async fn all_names_of_a_file_have_one_lock() {
        let directory = tempfile::tempdir().unwrap();
        let name = |name: &str| FileName::Path(AbsPath::new(directory.path().join(name)).unwrap());
        std::fs::write(directory.path().join("a"), "").unwrap();
        assert_ne!(Key::of(&name("a")).await, Key::of(&name("b")).await);
        std::fs::hard_link(directory.path().join("a"), directory.path().join("b")).unwrap();
        assert_eq!(Key::of(&name("a")).await, Key::of(&name("b")).await);
    }

    #[tokio::test]
    async fn a_lock_is_waited_for_and_forgotten_when_nobody_has_it() {
        let locks = FileLocks::default();
        let name = |name: &str| FileName::Document(name.into());
        let a = name("a");
        let held = locks.lock(&a).await;
        let mut second = std::pin::pin!(locks.lock(&a));
        assert!(futures::poll!(&mut second).is_pending());
        locks.lock(&name("b")).await;
        drop(held);
        drop(second.await);
        locks.lock(&name("c")).await;
        assert_eq!(locks.locks.lock().unwrap().len(), 1);
    }
}

//! Paths that a client has named and whose links are still being followed.
//!
//! The reader must not wait for the disk: a mount that does not answer would stop the whole connection. So a
//! document or folder is known by the path that the client wrote at once, and by the resolved one as soon as
//! the disk has answered. A look-up of a file waits for that, though not for long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use text::AbsPath;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Connection;
use crate::resolve::resolve;

#[derive(Debug)]
pub(super) struct Resolving {
    /// When each began, by its number.
    pending: Mutex<BTreeMap<u64, Instant>>,
    /// Counts those that began.
    numbers: watch::Sender<u64>,
}

impl Resolving {
    pub(super) fn new() -> Self {
        Self { pending: Mutex::default(), numbers: watch::Sender::new(0) }
    }

    fn begin(&self) -> u64 {
        let mut number = 0;
        self.numbers.send_modify(|numbers| {
            *numbers += 1;
            number = *numbers;
        });
        self.pending().insert(number, Instant::now());
        number
    }

    fn end(&self, number: u64) {
        self.pending().remove(&number);
        self.numbers.send_modify(|_| {});
    }

    /// Waits until all are resolved, but for those that have been pending for longer than the limit.
    async fn settled(&self, limit: Duration) {
        let mut ended = self.numbers.subscribe();
        loop {
            ended.borrow_and_update();
            let Some(latest) = self.pending().values().max().copied() else { return };
            tokio::select! {
                biased;
                changed = ended.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(latest + limit) => return,
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Follows the links of documents that were opened, so that each is known by its file.
    pub(crate) fn resolve_documents(self: &Arc<Self>) {
        for opened in self.documents.take_opened() {
            self.resolve_then(opened.path.clone(), move |connection, resolved| {
                connection.documents.set_path(&opened, resolved);
            });
        }
    }

    /// Adds and removes folders.
    pub(crate) fn change_folders(self: &Arc<Self>, added: Vec<AbsPath>, removed: &[AbsPath]) {
        let mut folders = self.lock_folders();
        folders.retain(|(named, _)| !removed.contains(named));
        for named in added {
            if folders.iter().any(|(other, _)| *other == named) {
                continue;
            }
            folders.push((named.clone(), None));
            self.resolve_then(named.clone(), move |connection, resolved| {
                let mut folders = connection.lock_folders();
                if let Some((_, path)) = folders.iter_mut().find(|(other, _)| *other == named) {
                    *path = Some(resolved);
                }
            });
        }
    }

    /// Waits until the documents and folders named so far are known by their resolved paths.
    pub(crate) async fn names_settled(&self, limit: Duration) {
        self.resolving.settled(limit).await;
    }

    /// Follows a path's links on a thread that may block. One that cannot be resolved goes on as it was named.
    fn resolve_then(self: &Arc<Self>, path: AbsPath, then: impl FnOnce(&Self, AbsPath) + Send + 'static) {
        let number = self.resolving.begin();
        let connection = self.clone();
        // Not waited for when the connection ends: it may never come back.
        drop(tokio::task::spawn_blocking(move || {
            match resolve(&path) {
                Ok(resolved) => then(&connection, resolved),
                Err(error) => tracing::debug!(%error, "a path of the client cannot be resolved"),
            }
            connection.resolving.end(number);
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn a_look_up_waits_for_what_is_being_resolved_but_not_for_long() {
        let resolving = Resolving::new();
        let began = Instant::now();
        resolving.settled(LIMIT).await;
        assert_eq!(began.elapsed(), Duration::ZERO);

        let (first, second) = (resolving.begin(), resolving.begin());
        let mut settled = Box::pin(resolving.settled(LIMIT));
        assert!(futures::poll!(&mut settled).is_pending());
        resolving.end(first);
        assert!(futures::poll!(&mut settled).is_pending());
        resolving.end(second);
        settled.await;
        assert_eq!(began.elapsed(), Duration::ZERO);

        // A mount that does not answer is waited for once, and by nobody after that.
        let stuck = resolving.begin();
        for _ in 0..2 {
            resolving.settled(LIMIT).await;
            assert_eq!(began.elapsed(), LIMIT);
        }
        resolving.end(stuck);
    }
}

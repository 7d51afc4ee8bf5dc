//! Work that waits for the disk, where waiting harms nobody.

use std::sync::{Arc, Weak};

/// Runs it on a thread that may block. Its panic is the caller's.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Gives freed memory back to the system, which takes milliseconds where there is much of it.
pub(crate) fn release_memory() {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        drop(runtime.spawn_blocking(crate::platform::release_memory));
    }
}

/// As [`blocking`], for work with an effect. A thread that blocks cannot be stopped, so before the effect the
/// work asks whether anybody still waits for it.
pub(crate) async fn blocking_while_awaited<T: Send + 'static>(
    work: impl FnOnce(&Awaited) -> T + Send + 'static,
) -> T {
    let waiting = Arc::new(());
    let awaited = Awaited(Arc::downgrade(&waiting));
    let result = blocking(move || work(&awaited)).await;
    drop(waiting);
    result
}

/// Whether the result of some work is still waited for.
#[derive(Debug)]
pub(crate) struct Awaited(Weak<()>);

impl Awaited {
    #[cfg(test)]
    pub(crate) fn by(waiting: &Arc<()>) -> Self {
        Self(Arc::downgrade(waiting))
    }

    /// False when the call that wanted the work was aborted.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.strong_count() > 0
    }
}

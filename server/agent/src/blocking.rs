//! Work that takes long, off the thread on which everything waits.

use text::{Rope, UnifiedDiff, unified};

/// Runs it on a thread that may block. Its panic is the caller's.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Returns the diff between two texts of a file, which takes up to a second where they are large.
pub(crate) async fn unified_diff(old: &Rope, new: &Rope, shown: &str) -> UnifiedDiff {
    let (old, new, shown) = (old.clone(), new.clone(), shown.to_owned());
    blocking(move || unified(&old, &new, &shown, &shown)).await
}

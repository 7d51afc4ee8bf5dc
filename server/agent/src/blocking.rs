//! Work on texts: where it may take long, off the thread on which everything waits.

use text::{EditSet, Rope, UnifiedDiff, smallest_edits, unified};

/// Bytes of texts that are worked on where they are: that takes less than a few milliseconds.
pub(crate) const SMALL_BYTES: usize = 64 * 1024;
/// Lines of the same: the cost of a diff grows with the square of those that differ.
const SMALL_LINES: usize = 4_000;

/// Returns true if work on these texts is soon done.
pub(crate) fn are_small(texts: &[&Rope]) -> bool {
    let n_bytes: usize = texts.iter().map(|text| text.len_bytes()).sum();
    let n_lines: usize = texts.iter().map(|text| text.len_lines()).sum();
    n_bytes <= SMALL_BYTES && n_lines <= SMALL_LINES
}

/// Runs the work on a thread that may block, or here if it is small. Its panic is the caller's.
pub(crate) async fn blocking_unless<T: Send + 'static>(
    is_small: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if is_small {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Returns the diff between two texts of a file, which takes up to a second where they are large.
pub(crate) async fn unified_diff(old: &Rope, new: &Rope, shown: &str) -> UnifiedDiff {
    let is_small = are_small(&[old, new]);
    let (old, new, shown) = (old.clone(), new.clone(), shown.to_owned());
    blocking_unless(is_small, move || unified(&old, &new, &shown, &shown)).await
}

/// Returns the edits from one text to another; as for time, see [`unified_diff`].
pub(crate) async fn edits_between(old: &Rope, new: &Rope) -> EditSet {
    if old.is_instance(new) {
        return EditSet::default();
    }
    let is_small = are_small(&[old, new]);
    let (old, new) = (old.clone(), new.clone());
    blocking_unless(is_small, move || smallest_edits(&old, &new)).await
}

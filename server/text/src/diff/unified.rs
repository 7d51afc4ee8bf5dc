//! The diff that people and models read.

use ropey::Rope;

use super::hunks::hunks;

/// A diff to read, or to apply with `patch`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnifiedDiff {
    /// Empty if the texts are equal.
    pub text: String,
    /// Lines that only the new text has.
    pub added: usize,
    /// Lines that only the old text has.
    pub removed: usize,
}

/// Returns the diff from `old` to `new`: a header with both names, then all [`hunks`].
///
/// The names go into the header as they are; git writes `a/…`, `b/…` and `/dev/null`.
pub fn unified(old: &Rope, new: &Rope, old_name: &str, new_name: &str) -> UnifiedDiff {
    let mut diff = UnifiedDiff::default();
    for hunk in hunks(old, new) {
        if diff.text.is_empty() {
            diff.text = format!("--- {old_name}\n+++ {new_name}\n");
        }
        diff.text.push_str(&hunk.text);
        diff.added += hunk.added;
        diff.removed += hunk.removed;
    }
    diff
}

//! Where a conversation may be cut: a call and its result stay on the same side.

use crate::journal::{Record, Stored};

/// The index of the first entry of the longest tail that takes at most `keep` tokens and begins where
/// the conversation may be cut.
pub(super) fn first_kept(entries: &[Stored], tokens: &[u64], keep: u64) -> Option<usize> {
    let mut used = 0;
    let mut first = None;
    for (at, (stored, tokens)) in entries.iter().zip(tokens).enumerate().rev() {
        used += tokens;
        if used > keep {
            break;
        }
        if may_begin(&stored.record) {
            first = Some(at);
        }
    }
    first
}

/// A result belongs to its call, and what is noted to what it was noted beside.
pub(super) fn may_begin(record: &Record) -> bool {
    matches!(record, Record::User(_) | Record::Steering(_) | Record::Assistant(_))
}

#[cfg(test)]
mod tests;

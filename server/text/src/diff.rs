//! Differences between two texts: as edits for an editor, as a unified diff for a reader, and as
//! hunks that can be taken back one by one.
//!
//! Cost grows with the part between the first and the last difference, apart from one scan that
//! compares bytes. It is bounded by counting lines and never by the clock, so that the same texts
//! give the same diff on every machine. It does not detect moved text.

mod common;
mod hunks;
mod unified;

use std::ops::Range;

use ropey::Rope;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::edit::{Edit, EditSet};
use common::{Middle, common_prefix, common_suffix};

pub use common::same_text;
pub use hunks::{Hunk, hunks, revert_hunk};
pub use unified::{UnifiedDiff, unified};

/// The most lines, old and new together, between first and last difference that are diffed line
/// by line. Above, they are one replacement. Just below, the worst texts found (a few different
/// lines in random order) took 0.1 s in a release build.
pub const MAX_DIFF_LINES: usize = 40_000;

/// The most neighbouring lines that get an edit each. An editor takes time for every edit, and who
/// looks at more than this sees a rewritten block anyway.
const MAX_PAIRED_LINES: usize = 1_000;

/// Returns a small set of edits that turns `old` into `new`; empty if they are equal.
///
/// Lines are compared first; within lines that were replaced one for one, only what lies between
/// the first and the last different character is. More than [`MAX_DIFF_LINES`] are one edit.
pub fn smallest_edits(old: &Rope, new: &Rope) -> EditSet {
    let prefix = common_prefix(old, new);
    let suffix = common_suffix(old, new, prefix);
    let (old_end, new_end) = (old.len_bytes() - suffix, new.len_bytes() - suffix);
    if prefix == old_end && prefix == new_end {
        return EditSet::default();
    }
    // Within one line, which needs no copy however long the line is.
    let is_inline = |text: &Rope, end| text.byte_to_line(prefix) == text.byte_to_line(end);
    if is_inline(old, old_end) && is_inline(new, new_end) {
        let edit = Edit::new(prefix..old_end, new.byte_slice(prefix..new_end).to_string());
        return EditSet::from_sorted(vec![edit]);
    }
    let middle = Middle::new(old, new, prefix, suffix, 0);
    let (old_lines, new_lines) = (lines(&middle.old), lines(&middle.new));
    let mut edits = Vec::new();
    let mut old_offset = middle.start;
    for op in line_ops(&old_lines, &new_lines, MAX_DIFF_LINES) {
        let (old_lines, new_lines) = (&old_lines[op.old_range()], &new_lines[op.new_range()]);
        if !matches!(op, DiffOp::Equal { .. }) {
            push_refined(&mut edits, old_offset, old_lines, new_lines);
        }
        old_offset += n_bytes(old_lines);
    }
    EditSet::from_sorted(edits)
}

/// Whole lines that differ, in bytes of each text; one side may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangedLines {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// Returns the lines that differ, in order; there is an equal line between one and the next.
///
/// More than `max_lines` between the first and the last difference are one change.
pub(crate) fn changed_lines(old: &Rope, new: &Rope, max_lines: usize) -> Vec<ChangedLines> {
    let prefix = common_prefix(old, new);
    let suffix = common_suffix(old, new, prefix);
    if prefix + suffix == old.len_bytes() && prefix + suffix == new.len_bytes() {
        return Vec::new();
    }
    let middle = Middle::new(old, new, prefix, suffix, 0);
    let (old_lines, new_lines) = (lines(&middle.old), lines(&middle.new));
    let mut changes: Vec<ChangedLines> = Vec::new();
    let (mut old_offset, mut new_offset) = (middle.start, middle.start);
    for op in line_ops(&old_lines, &new_lines, max_lines) {
        let old = old_offset..old_offset + n_bytes(&old_lines[op.old_range()]);
        let new = new_offset..new_offset + n_bytes(&new_lines[op.new_range()]);
        (old_offset, new_offset) = (old.end, new.end);
        match changes.last_mut() {
            _ if matches!(op, DiffOp::Equal { .. }) => {}
            Some(last) if last.old.end == old.start && last.new.end == new.start => {
                (last.old.end, last.new.end) = (old.end, new.end);
            }
            _ => changes.push(ChangedLines { old, new }),
        }
    }
    changes
}

fn n_bytes(lines: &[&str]) -> usize {
    lines.iter().map(|line| line.len()).sum()
}

fn push_refined(edits: &mut Vec<Edit>, offset: usize, old_lines: &[&str], new_lines: &[&str]) {
    if old_lines.len() != new_lines.len() || old_lines.len() > MAX_PAIRED_LINES {
        edits.extend(trimmed(offset, &old_lines.concat(), &new_lines.concat()));
        return;
    }
    let mut offset = offset;
    for (old_line, new_line) in old_lines.iter().zip(new_lines) {
        edits.extend(trimmed(offset, old_line, new_line));
        offset += old_line.len();
    }
}

fn trimmed(offset: usize, old: &str, new: &str) -> Option<Edit> {
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let len = |(c, _): (char, char)| c.len_utf8();
    let prefix: usize = old.chars().zip(new.chars()).take_while(same).map(len).sum();
    let (old, new) = (&old[prefix..], &new[prefix..]);
    let suffix: usize = old.chars().rev().zip(new.chars().rev()).take_while(same).map(len).sum();
    let (old, new) = (&old[..old.len() - suffix], &new[..new.len() - suffix]);
    let start = offset + prefix;
    (!old.is_empty() || !new.is_empty()).then(|| Edit::new(start..start + old.len(), new))
}

/// The lines of a text, each with its line break.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let mut start = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
        if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
            continue;
        }
        lines.push(&text[start..at + 1]);
        start = at + 1;
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

pub(crate) fn line_ops(old: &[&str], new: &[&str], max_lines: usize) -> Vec<DiffOp> {
    if old.len() + new.len() <= max_lines {
        return capture_diff_slices(Algorithm::Myers, old, new);
    }
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[prefix..], &new[prefix..]);
    let suffix = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_len, new_len) = (old.len() - suffix, new.len() - suffix);
    let equal =
        |old: Range<usize>, new_index| DiffOp::Equal { old_index: old.start, new_index, len: old.len() };
    vec![
        equal(0..prefix, 0),
        DiffOp::Replace { old_index: prefix, old_len, new_index: prefix, new_len },
        equal(prefix + old_len..prefix + old.len(), prefix + new_len),
    ]
}

#[cfg(test)]
mod tests;

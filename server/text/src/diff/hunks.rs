//! The parts of a unified diff as values, each of which can be taken back alone.
//!
//! It does not keep hunks: they are computed from the two texts whenever they are needed, so that
//! what is shown and what is taken back is always what stands there.

use std::collections::HashMap;
use std::ops::Range;

use ropey::Rope;
use similar::{DiffOp, group_diff_ops};
use xxhash_rust::xxh3::xxh3_64;

use super::common::{Middle, common_prefix, common_suffix};
use super::{MAX_DIFF_LINES, line_ops, lines, n_bytes, push_refined};
use crate::edit::EditSet;

/// Equal lines shown around a change: what `diff -u` and git show.
const CONTEXT_LINES: usize = 3;

/// Changes that are near each other, with three equal lines before, after and between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Names the hunk among those of the same two texts: 12 hex digits that depend on its lines
    /// and not on where they stand, so changes far away leave it as it is. Of hunks that read the
    /// same, all but the first have their number after it (`0123456789ab-2`), counted from the top.
    pub id: String,
    /// 0-based lines of the old text that are shown, context included.
    pub old: Range<usize>,
    /// 0-based lines of the new text that are shown, context included.
    pub new: Range<usize>,
    /// Lines that only the new text has.
    pub added: usize,
    /// Lines that only the old text has.
    pub removed: usize,
    /// The `@@` header and the lines, each with its sign.
    pub text: String,
}

/// Returns the hunks of the diff from `old` to `new`, from the top; none if they are equal.
///
/// Lines are numbered as in the editor, and a line that ends with a lone `\r` is shown with `\r\n`.
/// Above [`MAX_DIFF_LINES`] all that changed is one hunk.
pub fn hunks(old: &Rope, new: &Rope) -> Vec<Hunk> {
    match differing(old, new) {
        Some(middle) => Grouped::new(&middle).hunks(),
        None => Vec::new(),
    }
}

/// Returns the edits of `new` that give one hunk the lines `old` has there, and touch nothing
/// else; `None` if there is no such hunk, as when the text in it has changed since.
///
/// Of hunks that read the same, those below the one taken back move up by one number.
pub fn revert_hunk(old: &Rope, new: &Rope, id: &str) -> Option<EditSet> {
    let middle = differing(old, new)?;
    let grouped = Grouped::new(&middle);
    let idx = grouped.hunks().iter().position(|hunk| hunk.id == id)?;
    Some(grouped.revert(&grouped.groups[idx]))
}

fn differing(old: &Rope, new: &Rope) -> Option<Middle> {
    let prefix = common_prefix(old, new);
    let suffix = common_suffix(old, new, prefix);
    let is_equal = prefix + suffix == old.len_bytes() && prefix + suffix == new.len_bytes();
    (!is_equal).then(|| Middle::new(old, new, prefix, suffix, CONTEXT_LINES))
}

/// The lines of two texts, and the changes that make up each hunk.
struct Grouped<'a> {
    /// Where the lines begin, in both texts.
    start: usize,
    first_line_idx: usize,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    groups: Vec<Vec<DiffOp>>,
}

impl<'a> Grouped<'a> {
    fn new(middle: &'a Middle) -> Self {
        let (old, new) = (lines(&middle.old), lines(&middle.new));
        let groups = group_diff_ops(line_ops(&old, &new, MAX_DIFF_LINES), CONTEXT_LINES);
        Self { start: middle.start, first_line_idx: middle.first_line_idx, old, new, groups }
    }

    fn hunks(&self) -> Vec<Hunk> {
        let mut hunks: Vec<Hunk> = self.groups.iter().map(|group| self.hunk(group)).collect();
        let mut n_alike: HashMap<String, usize> = HashMap::new();
        for hunk in &mut hunks {
            let n_alike = n_alike.entry(hunk.id.clone()).or_default();
            *n_alike += 1;
            if *n_alike > 1 {
                hunk.id.push_str(&format!("-{n_alike}"));
            }
        }
        hunks
    }

    fn hunk(&self, group: &[DiffOp]) -> Hunk {
        let (mut body, mut added, mut removed) = (String::new(), 0, 0);
        for op in group {
            let (old, new) = (&self.old[op.old_range()], &self.new[op.new_range()]);
            if matches!(op, DiffOp::Equal { .. }) {
                push_lines(&mut body, ' ', old);
                continue;
            }
            push_lines(&mut body, '-', old);
            push_lines(&mut body, '+', new);
            removed += old.len();
            added += new.len();
        }
        let old = self.shown(group, DiffOp::old_range);
        let new = self.shown(group, DiffOp::new_range);
        let id = format!("{:012x}", xxh3_64(body.as_bytes()) >> 16);
        let text = format!("@@ -{} +{} @@\n{body}", span(&old), span(&new));
        Hunk { id, old, new, added, removed, text }
    }

    fn shown(&self, group: &[DiffOp], side: impl Fn(&DiffOp) -> Range<usize>) -> Range<usize> {
        let start = group.first().map_or(0, |op| side(op).start);
        let end = group.last().map_or(0, |op| side(op).end);
        self.first_line_idx + start..self.first_line_idx + end
    }

    /// The edits that turn the new lines of a group into the old ones.
    fn revert(&self, group: &[DiffOp]) -> EditSet {
        let first = group.first().map_or(0, |op| op.new_range().start);
        let mut offset = self.start + n_bytes(&self.new[..first]);
        let mut edits = Vec::new();
        for op in group {
            let (old, new) = (&self.old[op.old_range()], &self.new[op.new_range()]);
            if !matches!(op, DiffOp::Equal { .. }) {
                push_refined(&mut edits, offset, new, old);
            }
            offset += n_bytes(new);
        }
        EditSet::from_sorted(edits)
    }
}

fn push_lines(text: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        text.push(sign);
        text.push_str(line.strip_suffix('\n').unwrap_or(line));
        text.push('\n');
        if !line.ends_with(['\n', '\r']) {
            text.push_str("\\ No newline at end of file\n");
        }
    }
}

/// `first,count` as diff writes it: a count of 1 is left out, and no lines are said to come after
/// the line before them.
fn span(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        n => format!("{},{n}", lines.start + 1),
    }
}

#[cfg(test)]
mod tests;

//! The diff that people and models read.

use std::fmt::Write as _;
use std::ops::Range;

use ropey::Rope;
use similar::{DiffOp, group_diff_ops};

use super::common::{Middle, common_prefix, common_suffix};
use super::{line_ops, lines};

/// Equal lines shown around a change: what `diff -u` and git show.
const CONTEXT_LINES: usize = 3;

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

/// Returns the diff from `old` to `new` with three lines of context.
///
/// The names go into the header as they are; git writes `a/…`, `b/…` and `/dev/null`. Lines are
/// numbered as in the editor, and a line that ends with a lone `\r` is shown with `\r\n`.
/// Above [`MAX_DIFF_LINES`](super::MAX_DIFF_LINES) all that changed is one block.
pub fn unified(old: &Rope, new: &Rope, old_name: &str, new_name: &str) -> UnifiedDiff {
    let prefix = common_prefix(old, new);
    let suffix = common_suffix(old, new, prefix);
    let mut diff = UnifiedDiff::default();
    if prefix + suffix == old.len_bytes() && prefix + suffix == new.len_bytes() {
        return diff;
    }
    let middle = Middle::new(old, new, prefix, suffix, CONTEXT_LINES);
    let (old_lines, new_lines) = (lines(&middle.old), lines(&middle.new));
    diff.text = format!("--- {old_name}\n+++ {new_name}\n");
    for group in group_diff_ops(line_ops(&old_lines, &new_lines), CONTEXT_LINES) {
        diff.push_header(&group, middle.first_line_idx);
        for op in group {
            let (old_lines, new_lines) = (&old_lines[op.old_range()], &new_lines[op.new_range()]);
            if matches!(op, DiffOp::Equal { .. }) {
                diff.push_lines(' ', old_lines);
                continue;
            }
            diff.push_lines('-', old_lines);
            diff.push_lines('+', new_lines);
            diff.removed += old_lines.len();
            diff.added += new_lines.len();
        }
    }
    diff
}

impl UnifiedDiff {
    fn push_header(&mut self, group: &[DiffOp], first_line_idx: usize) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return;
        };
        let old = first.old_range().start..last.old_range().end;
        let new = first.new_range().start..last.new_range().end;
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "@@ -{} +{} @@", span(old, first_line_idx), span(new, first_line_idx));
    }

    fn push_lines(&mut self, sign: char, lines: &[&str]) {
        for line in lines {
            self.text.push(sign);
            self.text.push_str(line.strip_suffix('\n').unwrap_or(line));
            self.text.push('\n');
            if !line.ends_with(['\n', '\r']) {
                self.text.push_str("\\ No newline at end of file\n");
            }
        }
    }
}

/// `first,count` as diff writes it: a count of 1 is left out, and no lines are said to come after
/// the line before them.
fn span(lines: Range<usize>, first_line_idx: usize) -> String {
    let idx = first_line_idx + lines.start;
    match lines.len() {
        0 => format!("{idx},0"),
        1 => format!("{}", idx + 1),
        n => format!("{},{n}", idx + 1),
    }
}

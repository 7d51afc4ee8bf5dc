//! Two changes of one text, put together.
//!
//! It is how a change is taken back after the user typed on: the text that the change left is the
//! base, from which both the text that stands now and the text before the change differ.
//!
//! It works on lines and never guesses: what touches is left to the user, and nothing is merged.
//! It does not write conflict markers into a text, and it does not detect moved text.

use std::ops::Range;

use ropey::Rope;

use crate::diff::{ChangedLines, changed_lines, lines};
use crate::notice;

/// The most lines, of the base and one side together, between that side's first and last difference
/// that are compared line by line. Above, the side is one change, which everything in between
/// touches. Just below, the worst texts found (a few hundred different lines in random order on both
/// sides) took 2 s in a release build; ten changes on each side of 100,000 lines take 0.06 s.
pub const MAX_MERGE_LINES: usize = 250_000;

/// Bounds on what [`Conflict::shown`] shows: lines of each text, characters of a line, and bytes
/// after which no further region is begun.
const MAX_SHOWN_LINES: usize = 20;
const MAX_SHOWN_LINE_CHARS: usize = 200;
const MAX_SHOWN_BYTES: usize = 8 * 1024;
/// The most places that the error's own text names.
const MAX_NAMED_LINES: usize = 10;

/// Why two changes could not be put together. There is at least one region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the changes touch at {}", line_list(.regions))]
pub struct Conflict {
    /// From the top. They do not touch each other.
    pub regions: Vec<ConflictRegion>,
}

/// Lines that were changed on both sides, in different ways, or next to each other.
///
/// The texts are whole lines with their line breaks, and empty where a text has no lines there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRegion {
    /// The 1-based line of ours where the region begins. If ours has no lines there, the line
    /// before which they would stand: at most one beyond the last.
    pub line: usize,
    pub base: String,
    pub ours: String,
    pub theirs: String,
}

/// Returns `ours` with the change from `base` to `theirs`.
///
/// Lines that both changed in the same way are taken once. Changes of lines next to each other
/// touch, as in git: what one line says often depends on the next. The result is the same, and so
/// is whether there is one, if `ours` and `theirs` change places. Cost grows with the lines between
/// the first and the last difference of each side, up to [`MAX_MERGE_LINES`].
///
/// # Errors
/// [`Conflict`] with every region where changes touch.
pub fn merge(base: &Rope, ours: &Rope, theirs: &Rope) -> Result<Rope, Conflict> {
    if is_equal(theirs, base) || is_equal(ours, theirs) {
        return Ok(ours.clone());
    }
    if is_equal(ours, base) {
        return Ok(theirs.clone());
    }
    let our_changes = changed_lines(base, ours, MAX_MERGE_LINES);
    let their_changes = changed_lines(base, theirs, MAX_MERGE_LINES);
    let mut taken = Vec::new();
    let mut regions = Vec::new();
    for range in touching(&our_changes, &their_changes) {
        let (our_range, their_range) = (side(&our_changes, &range), side(&their_changes, &range));
        let our_lines = ours.byte_slice(our_range.clone());
        let their_lines = theirs.byte_slice(their_range);
        let base_lines = base.byte_slice(range);
        if their_lines == base_lines || their_lines == our_lines {
            continue;
        }
        if our_lines == base_lines {
            taken.push((our_range, their_lines));
            continue;
        }
        regions.push(ConflictRegion {
            line: ours.byte_to_line(our_range.start) + 1,
            base: base_lines.to_string(),
            ours: our_lines.to_string(),
            theirs: their_lines.to_string(),
        });
    }
    if !regions.is_empty() {
        return Err(Conflict { regions });
    }
    let mut merged = ours.clone();
    for (our_range, their_lines) in taken.into_iter().rev() {
        let chars = ours.byte_to_char(our_range.start)..ours.byte_to_char(our_range.end);
        merged.remove(chars.clone());
        merged.insert(chars.start, &their_lines.to_string());
    }
    Ok(merged)
}

impl Conflict {
    /// Shows all texts of each region, with the markers that git uses and with `\n` at every end.
    ///
    /// The names are those of a change being taken back. At most 20 lines of each text and 200
    /// characters of each line are shown, and no further region after 8 KiB; what is left out is
    /// counted.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for (idx, region) in self.regions.iter().enumerate() {
            if shown.len() > MAX_SHOWN_BYTES {
                shown.push_str(&format!("{}\n", notice::more_places(self.regions.len() - idx)));
                break;
            }
            shown.push_str(&format!("<<<<<<< now, line {}\n", region.line));
            push_shown(&mut shown, &region.ours);
            shown.push_str("||||||| left by Opal\n");
            push_shown(&mut shown, &region.base);
            shown.push_str("=======\n");
            push_shown(&mut shown, &region.theirs);
            shown.push_str(">>>>>>> before\n");
        }
        shown
    }
}

/// Whether two texts are the same; clones of one rope are compared at no cost.
fn is_equal(a: &Rope, b: &Rope) -> bool {
    a.is_instance(b) || a == b
}

/// The ranges of the base that either side changed, joined where they touch.
fn touching(ours: &[ChangedLines], theirs: &[ChangedLines]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = ours.iter().chain(theirs).map(|change| change.old.clone()).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    ranges
}

/// What a side has in place of a range of the base, whose ends lie in no change of that side.
fn side(changes: &[ChangedLines], base: &Range<usize>) -> Range<usize> {
    let offset = |n_before, base_offset| match changes[..n_before].last() {
        Some(ChangedLines { old, new }) => new.end + (base_offset - old.end),
        None => base_offset,
    };
    let n_before_start = changes.partition_point(|change| change.old.start < base.start);
    let n_before_end = changes.partition_point(|change| change.old.start <= base.end);
    offset(n_before_start, base.start)..offset(n_before_end, base.end)
}

fn push_shown(shown: &mut String, text: &str) {
    let lines = lines(text);
    for line in lines.iter().take(MAX_SHOWN_LINES) {
        let line = line.trim_end_matches(['\r', '\n']);
        let cut = line.char_indices().nth(MAX_SHOWN_LINE_CHARS).map_or(line.len(), |(at, _)| at);
        shown.push_str(&line[..cut]);
        if cut < line.len() {
            shown.push_str(&notice::more_characters(line[cut..].chars().count()));
        }
        shown.push('\n');
    }
    if lines.len() > MAX_SHOWN_LINES {
        shown.push_str(&format!("{}\n", notice::more_lines(lines.len() - MAX_SHOWN_LINES)));
    }
}

/// The first few places, as part of a sentence.
fn line_list(regions: &[ConflictRegion]) -> String {
    let numbers: Vec<String> =
        regions.iter().take(MAX_NAMED_LINES).map(|region| region.line.to_string()).collect();
    let plural = if regions.len() == 1 { "" } else { "s" };
    let more = regions.len() - numbers.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("line{plural} {}{more}", numbers.join(", "))
}

#[cfg(test)]
mod tests;

//! Whether what came back from an editor shows that an edit was applied.

use std::ops::Range;

use ropey::Rope;

use crate::diff::smallest_edits;
use crate::position::has_lone_cr;

/// How far an ambiguous difference is followed, in bytes. Further away it no longer matters which
/// of two equal lines is the new one.
const MAX_SLIDE: usize = 4_096;

/// Whether `actual` is `expected` except for differences outside of what was written: the user
/// typed while an edit was applied.
///
/// `written` are byte ranges of `expected`, as from
/// [`changed_ranges_after`](super::EditSet::changed_ranges_after) of a smallest edit set; an empty
/// one is a place where something was deleted, where nothing may stand again. Text that touches
/// written text is outside of it. Where equal neighbours leave open which of them differs, the
/// answer is the cautious one: believing in an edit that is not there costs more than asking.
///
/// A lone CR ends a line for one editor and not for another, so an edit may have landed in another line.
/// With one in either text nothing but the expected text counts.
///
/// This does not know the text before the edit. Compare with that first: in a text of few
/// different lines, its return can be explained as typing.
pub fn differs_only_outside(expected: &Rope, actual: &Rope, written: &[Range<usize>]) -> bool {
    if has_lone_cr(expected) || has_lone_cr(actual) {
        return expected == actual;
    }
    let edits = smallest_edits(expected, actual);
    edits.edits().iter().zip(edits.changed_ranges_after()).all(|(edit, after)| {
        let difference = Difference::new(expected, actual, edit.range.clone(), &after);
        !written.iter().any(|written| difference.touches(written))
    })
}

/// A difference, in offsets of the expected text. Among equal neighbours it is not clear which one
/// was inserted or deleted; `first` and `last` are the outermost places that explain the text.
enum Difference {
    Inserted { first: usize, last: usize },
    Deleted { first: Range<usize>, last: Range<usize> },
    Replaced { range: Range<usize> },
}

impl Difference {
    fn new(expected: &Rope, actual: &Rope, range: Range<usize>, after: &Range<usize>) -> Self {
        if range.is_empty() {
            let (left, right) = slack(actual, after);
            Self::Inserted { first: range.start.saturating_sub(left), last: range.end + right }
        } else if after.is_empty() {
            let (left, right) = slack(expected, &range);
            Self::Deleted {
                first: range.start - left..range.end - left,
                last: range.start + right..range.end + right,
            }
        } else {
            Self::Replaced { range }
        }
    }

    fn touches(&self, written: &Range<usize>) -> bool {
        match self {
            // Here something was deleted; it may not have been.
            Self::Inserted { first, last } if written.is_empty() => {
                *first <= written.start && written.start <= *last
            }
            Self::Inserted { first, last } => written.start < *first && *last < written.end,
            // Deleting more around a deletion does not bring it back.
            Self::Deleted { .. } if written.is_empty() => false,
            Self::Deleted { first, last } => {
                let may_cover =
                    first.start <= written.start && written.end <= last.end && written.len() <= first.len();
                let may_avoid = first.end <= written.start || written.end <= last.start;
                may_cover || !may_avoid
            }
            Self::Replaced { range } if written.is_empty() => {
                range.start <= written.start && written.start <= range.end
            }
            Self::Replaced { range } => range.start < written.end && written.start < range.end,
        }
    }
}

/// How far `span` can move left and right in `text` and still leave the same rest without it.
fn slack(text: &Rope, span: &Range<usize>) -> (usize, usize) {
    let equal = |pair: &(u8, u8)| pair.0 == pair.1;
    let backwards = text.bytes_at(span.start).reversed().zip(text.bytes_at(span.end).reversed());
    let forwards = text.bytes_at(span.start).zip(text.bytes_at(span.end));
    let left = backwards.take(MAX_SLIDE).take_while(equal).count();
    let right = forwards.take(MAX_SLIDE).take_while(equal).count();
    (left, right)
}

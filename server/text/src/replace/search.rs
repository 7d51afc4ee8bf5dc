//! The search for many texts in one.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem::Finder;

/// Up to this many needles are searched one after the other, which is faster and needs no automaton.
const MAX_SINGLE: usize = 8;
/// The most bytes of all needles together that an automaton is built of; it takes about 30 times as
/// many. Of longer needles it finds the beginning.
const MAX_AUTOMATON_BYTES: usize = 1 << 20;

/// A text to look for, which is not empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needle<'a> {
    pub(super) text: &'a str,
    pub(super) wanted: Wanted,
}

/// Which matches a search reports.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// All that do not overlap, from the left.
    All,
    /// The first few, overlapping ones too: `\n\n` is in `\n\n\n` twice.
    AtMost(usize),
}

/// Returns where each needle stands in `haystack`, of those places that are acceptable.
///
/// Cost is one scan of the haystack for a few needles, and also for many; it grows only with the
/// matches.
pub(super) fn search(
    haystack: &str,
    needles: &[Needle<'_>],
    is_acceptable: impl Fn(usize, &Range<usize>) -> bool,
) -> Vec<Vec<Range<usize>>> {
    let mut found: Vec<Found> = needles.iter().map(|needle| Found::new(needle.wanted)).collect();
    match automaton(needles) {
        Some((automaton, max_piece)) => {
            for piece in automaton.find_overlapping_iter(haystack) {
                let idx = piece.pattern().as_usize();
                let needle = needles[idx].text.as_bytes();
                let span = piece.start()..piece.start() + needle.len();
                let is_whole = needle.len() <= max_piece
                    || haystack.as_bytes().get(piece.end()..span.end) == Some(&needle[piece.len()..]);
                if is_whole && found[idx].would_take(&span) && is_acceptable(idx, &span) {
                    found[idx].spans.push(span);
                }
            }
        }
        None => {
            for (idx, (needle, found)) in needles.iter().zip(&mut found).enumerate() {
                let finder = Finder::new(needle.text);
                let mut from = 0;
                while !found.is_full()
                    && let Some(at) = finder.find(&haystack.as_bytes()[from..])
                {
                    let span = from + at..from + at + needle.text.len();
                    let is_taken = found.would_take(&span) && is_acceptable(idx, &span);
                    from = if is_taken && matches!(needle.wanted, Wanted::All) {
                        span.end
                    } else {
                        span.start + 1
                    };
                    if is_taken {
                        found.spans.push(span);
                    }
                }
            }
        }
    }
    found.into_iter().map(|found| found.spans).collect()
}

/// An automaton that finds all needles at once, and how many bytes of each it knows. `None` for a few
/// needles.
fn automaton(needles: &[Needle<'_>]) -> Option<(AhoCorasick, usize)> {
    if needles.len() <= MAX_SINGLE {
        return None;
    }
    let max_piece = (MAX_AUTOMATON_BYTES / needles.len()).max(1);
    let pieces = needles.iter().map(|needle| &needle.text.as_bytes()[..needle.text.len().min(max_piece)]);
    // An automaton with too many states is the only error.
    let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(pieces).ok()?;
    Some((automaton, max_piece))
}

/// The matches of one needle so far; they come from the left.
struct Found {
    wanted: Wanted,
    spans: Vec<Range<usize>>,
}

impl Found {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, spans: Vec::new() }
    }

    fn is_full(&self) -> bool {
        matches!(self.wanted, Wanted::AtMost(max) if self.spans.len() >= max)
    }

    fn would_take(&self, span: &Range<usize>) -> bool {
        match self.wanted {
            Wanted::All => self.spans.last().is_none_or(|last| last.end <= span.start),
            Wanted::AtMost(_) => !self.is_full(),
        }
    }
}

//! A set of ranges of bytes.

use std::ops::Range;

use text::EditSet;

/// Ranges in order, none empty, no two of which touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<usize>>);

impl Ranges {
    pub fn add(&mut self, mut range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|other| other.end < range.start);
        let last = self.0.partition_point(|other| other.start <= range.end);
        for other in &self.0[first..last] {
            range = range.start.min(other.start)..range.end.max(other.end);
        }
        self.0.splice(first..last, [range]);
    }

    /// Returns the first of `len` bytes that is in no range.
    pub fn gap(&self, len: usize) -> Option<usize> {
        let gap = self.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end);
        (gap < len).then_some(gap)
    }

    /// Returns the ranges as they are after the edits, without what was replaced.
    #[must_use]
    pub fn carried(&self, edits: &EditSet) -> Self {
        let mut carried = Self::default();
        // Where the text between two edits begins, before and after.
        let (mut old_start, mut new_start) = (0, 0);
        for (edit, written) in edits.edits().iter().zip(edits.changed_ranges_after()) {
            self.carry(old_start..edit.range.start, new_start, &mut carried);
            (old_start, new_start) = (edit.range.end, written.end);
        }
        self.carry(old_start..usize::MAX, new_start, &mut carried);
        carried
    }

    /// Adds what lies in `kept` to `to`, where `kept` begins at `start`.
    fn carry(&self, kept: Range<usize>, start: usize, to: &mut Self) {
        let first = self.0.partition_point(|range| range.end <= kept.start);
        for range in self.0[first..].iter().take_while(|range| range.start < kept.end) {
            let (from, until) = (range.start.max(kept.start), range.end.min(kept.end));
            to.add(start + (from - kept.start)..start + (until - kept.start));
        }
    }
}

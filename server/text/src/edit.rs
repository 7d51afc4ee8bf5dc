//! Edits of one text: a set that can be checked, applied, inverted and sent.
//!
//! A set is not a list of [`Change`](crate::Change)s: all its offsets are of the same old text.
//! It does not find edits; [`diff`](mod@crate::diff) and [`replace`](mod@crate::replace) do.

mod landing;
mod verify;

use std::ops::Range;

use ropey::Rope;

use crate::document::{Document, DocumentVersion};
use crate::position::{Counter, Counting, PositionRange};

pub use landing::{Landing, Step};
pub use verify::differs_only_outside;

/// `range`, in bytes of the old text, becomes `new_text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub new_text: String,
}

/// Sorted edits of one text that do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EditSet(Vec<Edit>);

/// Edits, and the version of the document they were computed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedEdit {
    pub version: DocumentVersion,
    pub edits: EditSet,
}

/// Why edits could not be put together or applied. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("edits overlap: bytes {}..{} and {}..{}", .first.start, .first.end, .second.start, .second.end)]
    Overlap { first: Range<usize>, second: Range<usize> },
    #[error("edit ends at byte {}, before its start at {}", .range.end, .range.start)]
    Reversed { range: Range<usize> },
    #[error("edit of bytes {}..{} is beyond the text of {len} bytes", .range.start, .range.end)]
    OutOfRange { range: Range<usize>, len: usize },
    #[error("edit of bytes {}..{} begins or ends inside a character", .range.start, .range.end)]
    NotOnCharBoundary { range: Range<usize> },
    /// The text moved on; the edit must be computed again.
    #[error("edit was made for version {made_for}, document is at {document}")]
    OtherVersion { made_for: DocumentVersion, document: DocumentVersion },
}

impl Edit {
    pub fn new(range: Range<usize>, new_text: impl Into<String>) -> Self {
        Self { range, new_text: new_text.into() }
    }
}

impl EditSet {
    /// Sorts edits into a set. Inserts at the same offset keep their order, and come before a
    /// replacement that starts there.
    ///
    /// # Errors
    /// [`EditError::Overlap`] with both ranges, or [`EditError::Reversed`].
    pub fn new(mut edits: Vec<Edit>) -> Result<Self, EditError> {
        if let Some(edit) = edits.iter().find(|edit| edit.range.end < edit.range.start) {
            return Err(EditError::Reversed { range: edit.range.clone() });
        }
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        for pair in edits.windows(2) {
            if pair[1].range.start < pair[0].range.end {
                return Err(EditError::Overlap {
                    first: pair[0].range.clone(),
                    second: pair[1].range.clone(),
                });
            }
        }
        Ok(Self(edits))
    }

    /// A set of edits that are known to be sorted and apart.
    pub(crate) fn from_sorted(edits: Vec<Edit>) -> Self {
        debug_assert_eq!(Self::new(edits.clone()).as_ref().map(Self::edits), Ok(edits.as_slice()));
        Self(edits)
    }

    /// The set that replaces a whole text of `old_len` bytes.
    pub fn whole(old_len: usize, new: &str) -> Self {
        Self(vec![Edit::new(0..old_len, new)])
    }

    /// The set that a list of ranges of `old` means, as a client sends it (a rename, for example).
    ///
    /// # Errors
    /// As [`EditSet::new`].
    pub fn from_ranges(
        old: &Rope,
        ranges: &[(PositionRange, String)],
        counting: impl Into<Counting>,
    ) -> Result<Self, EditError> {
        let counter = Counter::new(old, counting.into());
        let offset = |position| counter.offset(old, position).offset;
        Self::new(
            ranges
                .iter()
                .map(|(range, new)| Edit::new(offset(range.start)..offset(range.end), new))
                .collect(),
        )
    }

    pub fn edits(&self) -> &[Edit] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the new text. Cost grows with the edits, not with the text.
    ///
    /// # Errors
    /// [`EditError::OutOfRange`] or [`EditError::NotOnCharBoundary`] if this is not a set of
    /// edits of `old`.
    pub fn apply(&self, old: &Rope) -> Result<Rope, EditError> {
        let mut chars = Vec::with_capacity(self.0.len());
        for edit in &self.0 {
            chars.push(char_range(old, &edit.range)?);
        }
        let mut new = old.clone();
        for (edit, chars) in self.0.iter().zip(chars).rev() {
            let start = chars.start;
            new.remove(chars);
            new.insert(start, &edit.new_text);
        }
        Ok(new)
    }

    /// Returns the set that turns the new text back into `old`.
    ///
    /// `old` must be the text this set applies to; what lies beyond it is taken as empty.
    pub fn invert(&self, old: &Rope) -> Self {
        let restore =
            |edit: &Edit| old.get_byte_slice(edit.range.clone()).map(String::from).unwrap_or_default();
        let written = self.changed_ranges_after();
        Self(self.0.iter().zip(written).map(|(edit, range)| Edit::new(range, restore(edit))).collect())
    }

    /// The bytes of the new text that each edit wrote, one range per edit; empty for a deletion.
    pub fn changed_ranges_after(&self) -> Vec<Range<usize>> {
        let mut written = 0;
        let mut removed = 0;
        let mut ranges = Vec::with_capacity(self.0.len());
        for edit in &self.0 {
            let start = edit.range.start + written - removed;
            ranges.push(start..start + edit.new_text.len());
            written += edit.new_text.len();
            removed += edit.range.len();
        }
        ranges
    }

    /// Returns the edits as ranges of `old`, for sending. All are of the old text, in order.
    ///
    /// To most clients no position lies between `\r` and `\n`, so an edit that begins or ends there is widened
    /// by the half it did not touch; edits that meet there become one.
    pub fn to_ranges(&self, old: &Rope, counting: impl Into<Counting>) -> Vec<(PositionRange, String)> {
        let mut edits: Vec<Edit> = Vec::with_capacity(self.0.len());
        for edit in &self.0 {
            match edits.last_mut() {
                Some(last) if last.range.end == edit.range.start && inside_crlf(old, edit.range.start) => {
                    last.range.end = edit.range.end;
                    last.new_text.push_str(&edit.new_text);
                }
                _ => edits.push(edit.clone()),
            }
        }
        let counter = Counter::new(old, counting.into());
        let position = |offset| counter.position(old, offset);
        edits
            .into_iter()
            .map(|edit| {
                let Edit { range, new_text } = outside_crlf(old, edit);
                (PositionRange::new(position(range.start), position(range.end)), new_text)
            })
            .collect()
    }
}

impl ProposedEdit {
    /// Returns the text that `document` has with the edit.
    ///
    /// # Errors
    /// [`EditError::OtherVersion`] if the document is not at the version the edit was made for;
    /// otherwise as [`EditSet::apply`].
    pub fn apply_to(&self, document: &Document) -> Result<Rope, EditError> {
        if document.version() != self.version {
            return Err(EditError::OtherVersion { made_for: self.version, document: document.version() });
        }
        self.edits.apply(document.text())
    }
}

fn char_range(text: &Rope, range: &Range<usize>) -> Result<Range<usize>, EditError> {
    if range.end > text.len_bytes() {
        return Err(EditError::OutOfRange { range: range.clone(), len: text.len_bytes() });
    }
    let chars = text.byte_to_char(range.start)..text.byte_to_char(range.end);
    if text.char_to_byte(chars.start) != range.start || text.char_to_byte(chars.end) != range.end {
        return Err(EditError::NotOnCharBoundary { range: range.clone() });
    }
    Ok(chars)
}

fn outside_crlf(text: &Rope, mut edit: Edit) -> Edit {
    if inside_crlf(text, edit.range.end) {
        edit.new_text.push('\n');
        edit.range.end += 1;
    }
    if inside_crlf(text, edit.range.start) {
        edit.new_text.insert(0, '\r');
        edit.range.start -= 1;
    }
    edit
}

/// Whether an offset lies between `\r` and `\n`.
pub(crate) fn inside_crlf(text: &Rope, offset: usize) -> bool {
    offset > 0 && text.get_byte(offset) == Some(b'\n') && text.byte(offset - 1) == b'\r'
}

#[cfg(test)]
mod tests;

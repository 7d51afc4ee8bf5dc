//! An open document: the text of one version, and the changes that lead to the next.
//!
//! It does not know where the document lives or who has it open, and it keeps no history: a clone
//! is cheap, so whoever needs an older text keeps one.

use ropey::Rope;

use crate::position::{PositionEncoding, PositionRange, to_offset};

/// The number an editor gives each state of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentVersion(pub i32);

impl std::fmt::Display for DocumentVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A text and its version. Clones share the text.
#[derive(Debug, Clone)]
pub struct Document {
    version: DocumentVersion,
    text: Rope,
}

/// One step of a list of changes: each applies to the result of the one before.
///
/// Not an [`Edit`](crate::Edit), which belongs to a set that applies to one text at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole text is now this.
    Full(String),
    /// The range, in the text that the earlier changes left, is now this.
    Splice { range: PositionRange, text: String },
}

/// Why a list of changes was refused. The document is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The client's text is unknown from here on; guessing would let the two drift apart.
    #[error(
        "change {} ends at {}:{}, before its start at {}:{}",
        .index + 1, .range.end.line, .range.end.character, .range.start.line, .range.start.character
    )]
    Reversed { index: usize, range: PositionRange },
}

impl Document {
    pub fn new(version: DocumentVersion, text: &str) -> Self {
        Self { version, text: Rope::from_str(text) }
    }

    pub fn version(&self) -> DocumentVersion {
        self.version
    }

    pub fn text(&self) -> &Rope {
        &self.text
    }

    /// Applies a list of changes, all or none, and takes on `version`.
    ///
    /// The version is not judged: a client that repeats one has changed its text all the same.
    ///
    /// # Errors
    /// [`ChangeError::Reversed`] if a range ends before it starts.
    pub fn apply_changes(
        &mut self,
        version: DocumentVersion,
        changes: &[Change],
        encoding: PositionEncoding,
    ) -> Result<(), ChangeError> {
        let mut text = self.text.clone();
        for (index, change) in changes.iter().enumerate() {
            match change {
                Change::Full(new) => text = Rope::from_str(new),
                Change::Splice { range, text: new } => {
                    if range.end < range.start {
                        return Err(ChangeError::Reversed { index, range: *range });
                    }
                    let start = text.byte_to_char(to_offset(&text, range.start, encoding));
                    let end = text.byte_to_char(to_offset(&text, range.end, encoding));
                    text.remove(start..end);
                    text.insert(start, new);
                }
            }
        }
        self.text = text;
        self.version = version;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

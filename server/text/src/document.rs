//! An open document: the text of one version, and the changes that lead to the next.
//!
//! It does not know where the document lives or who has it open, and it keeps no history: a clone
//! is cheap, so whoever needs an older text keeps one.

use std::borrow::Cow;

use ropey::Rope;

use crate::edit::Step;
use crate::position::{Counter, Counting, PositionRange, has_lone_cr};

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
    /// May be true of a text that has none any more, never the other way round.
    has_lone_cr: bool,
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
        let text = Rope::from_str(text);
        Self { version, has_lone_cr: has_lone_cr(&text), text }
    }

    pub fn version(&self) -> DocumentVersion {
        self.version
    }

    pub fn text(&self) -> &Rope {
        &self.text
    }

    /// Applies a list of changes, all or none, and takes on `version`. Returns what each of them did.
    ///
    /// The version is not judged: a client that repeats one has changed its text all the same.
    ///
    /// # Errors
    /// [`ChangeError::Reversed`] if a range ends before it starts.
    pub fn apply_changes(
        &mut self,
        version: DocumentVersion,
        changes: &[Change],
        counting: impl Into<Counting>,
    ) -> Result<Vec<Step>, ChangeError> {
        let counting = counting.into();
        let mut new = self.clone();
        let mut steps = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            steps.push(match change {
                Change::Full(text) => {
                    new = Self::new(version, text);
                    Step { change: None, after: new.text.clone() }
                }
                Change::Splice { range, .. } if range.end < range.start => {
                    return Err(ChangeError::Reversed { index, range: *range });
                }
                Change::Splice { range, text } => new.splice(*range, text, counting),
            });
        }
        new.version = version;
        *self = new;
        Ok(steps)
    }

    fn splice(&mut self, range: PositionRange, new: &str, counting: Counting) -> Step {
        let text = &mut self.text;
        let counter = Counter::knowing(counting, || self.has_lone_cr);
        let (from, to) = (counter.offset(text, range.start), counter.offset(text, range.end));
        let (start, mut end) = (text.byte_to_char(from.offset), text.byte_to_char(to.offset));
        // A half of a pair that the client leaves standing counts one unit, as U+FFFD does.
        let half = |stays: bool| if stays { "\u{fffd}" } else { "" };
        let new = match from.splits_pair || to.splits_pair {
            true => Cow::Owned([half(from.splits_pair), new, half(to.splits_pair)].concat()),
            false => Cow::Borrowed(new),
        };
        end += usize::from(to.splits_pair);
        let replaced = text.char_to_byte(start)..text.char_to_byte(end);
        text.remove(start..end);
        text.insert(start, &new);
        let step = Step { change: Some((replaced, new.len())), after: text.clone() };
        // A CR may have come, or lost its LF.
        let mut after = (start + new.chars().count() + 1).min(text.len_chars());
        after += usize::from(text.get_char(after) == Some('\n'));
        let around = start.saturating_sub(1)..after;
        self.has_lone_cr |= has_lone_cr(&Rope::from(text.slice(around)));
        step
    }
}

#[cfg(test)]
mod tests;

//! Which files the model has seen, and how much of each.

mod ranges;

use std::collections::HashMap;

use text::{EditSet, Rope, same_text};

use crate::workspace::FileName;
pub use ranges::Ranges;

/// What the model has been shown of files, in this conversation.
#[derive(Debug, Default)]
pub struct FileTracker {
    files: HashMap<FileName, ShownText>,
    /// The text that the last edit made, which the next one begins with, and its fingerprint.
    last_made: Option<(Rope, u128)>,
}

/// The text of a file when it was shown, and how much of it was.
#[derive(Debug)]
struct ShownText {
    fingerprint: u128,
    ranges: Ranges,
}

/// What the model knows of a file's text as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadState {
    /// It has seen nothing of the file.
    Unread,
    /// It has seen a part; `gap` is the first byte that it has not.
    Partial { gap: usize },
    /// It has seen all of it.
    Current,
    /// It has seen another text of the file.
    Stale,
}

impl FileTracker {
    /// Notes that these bytes of the text were shown. What was shown of the same text before adds up.
    pub fn shown(
        &mut self,
        name: &FileName,
        text: &Rope,
        ranges: impl IntoIterator<Item = std::ops::Range<usize>>,
    ) {
        let fingerprint = self.fingerprint(text);
        let mut known = self.take(name, fingerprint);
        ranges.into_iter().for_each(|range| known.add(range));
        self.files.insert(name.clone(), ShownText { fingerprint, ranges: known });
    }

    /// Notes that `edits` made `new` of `old`: what was shown of `old` still is. The text that they wrote counts as
    /// shown if the model wrote it or was told of it. Returns true if the model had seen another text than `old`.
    pub fn edited(
        &mut self,
        name: &FileName,
        old: &Rope,
        edits: &EditSet,
        new: &Rope,
        is_shown: bool,
    ) -> bool {
        let old = self.fingerprint(old);
        let was_stale = self.files.get(name).is_some_and(|shown| shown.fingerprint != old);
        let mut ranges = self.take(name, old).carried(edits);
        if is_shown {
            edits.changed_ranges_after().into_iter().for_each(|range| ranges.add(range));
        }
        let fingerprint = self.fingerprint(new);
        self.files.insert(name.clone(), ShownText { fingerprint, ranges });
        self.last_made = Some((new.clone(), fingerprint));
        was_stale
    }

    pub fn state(&self, name: &FileName, text: &Rope) -> ReadState {
        match self.files.get(name) {
            None => ReadState::Unread,
            Some(shown) if shown.fingerprint != self.fingerprint(text) => ReadState::Stale,
            Some(shown) => match shown.ranges.gap(text.len_bytes()) {
                Some(gap) => ReadState::Partial { gap },
                None => ReadState::Current,
            },
        }
    }

    /// Returns a hash of the text that is the same in every process.
    pub(crate) fn fingerprint(&self, text: &Rope) -> u128 {
        match &self.last_made {
            Some((made, fingerprint)) if same_text(made, text) => *fingerprint,
            _ => fingerprint(text),
        }
    }

    /// Lets go of the text that the last edit made.
    pub(crate) fn release(&mut self) {
        self.last_made = None;
    }

    /// Forgets every file: the model has another conversation now.
    pub fn clear(&mut self) {
        self.files.clear();
        self.last_made = None;
    }

    /// Returns what was shown of this very text.
    fn take(&mut self, name: &FileName, fingerprint: u128) -> Ranges {
        let shown = self.files.remove(name).filter(|shown| shown.fingerprint == fingerprint);
        shown.map(|shown| shown.ranges).unwrap_or_default()
    }
}

fn fingerprint(text: &Rope) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    for chunk in text.chunks() {
        hash.update(chunk.as_bytes());
    }
    hash.digest128()
}

#[cfg(test)]
mod tests;

//! An edit on its way into a document that its user goes on changing.

use std::collections::VecDeque;
use std::ops::Range;

use ropey::Rope;

use super::{Edit, EditSet};
use crate::diff::same_text;

/// Texts before which the edit may have been applied. An editor that has not answered after so many changes
/// is judged by its last text alone.
const MAX_CANDIDATES: usize = 256;

/// One change of a document, and the text after it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The bytes of the text before that were replaced, and how many bytes replaced them. `None`: the text was sent
    /// whole.
    pub change: Option<(Range<usize>, usize)>,
    pub after: Rope,
}

/// Follows a document, change by change, from the moment an edit was sent.
///
/// The last text alone does not tell whether an edit was applied: the user may have typed inside it since, or
/// undone it. So each text on the way is compared with those that the edit makes of the texts before it.
#[derive(Debug)]
pub struct Landing {
    text: Rope,
    /// The texts that the edit would make, each of one text since it was sent.
    candidates: VecDeque<Rope>,
    /// The edit as one of the present text, while all changes were beside it.
    edits: Option<EditSet>,
    /// Nothing that the edit replaces has changed.
    base_stands: bool,
    has_landed: bool,
}

impl Landing {
    /// Begins with the text that the edit was made for.
    pub fn new(base: &Rope, edits: &EditSet) -> Self {
        let mut landing = Self {
            text: base.clone(),
            candidates: VecDeque::new(),
            edits: Some(edits.clone()),
            base_stands: true,
            has_landed: false,
        };
        landing.expect_after(base);
        landing
    }

    /// Takes the next change. Once the edit has landed, what follows no longer matters.
    pub fn step(&mut self, step: &Step) {
        if self.has_landed {
            return;
        }
        if self.candidates.iter().any(|candidate| same_text(candidate, &step.after)) {
            self.has_landed = true;
            return;
        }
        let before = std::mem::replace(&mut self.text, step.after.clone());
        let Some(edits) = self.edits.take() else { return };
        let (range, new_len) = step.change.clone().unwrap_or_else(|| difference(&before, &step.after));
        match beside(&edits, &range, new_len) {
            Beside::Yes(moved) => {
                self.edits = Some(moved);
                self.expect_after(&step.after);
            }
            // An editor that merges may put the edit before or behind what was typed at its place.
            Beside::SamePlace => {}
            Beside::No => self.base_stands = false,
        }
    }

    /// Returns true once a text was exactly what the edit makes of an earlier one.
    pub fn has_landed(&self) -> bool {
        self.has_landed
    }

    /// Returns true while all changes were beside what the edit replaces: then it was not applied, not even
    /// in part, and can be computed again.
    pub fn base_stands(&self) -> bool {
        self.base_stands && !self.has_landed
    }

    fn expect_after(&mut self, text: &Rope) {
        // An edit that does not fit its text was never sent.
        let Some(expected) = self.edits.as_ref().and_then(|edits| edits.apply(text).ok()) else { return };
        if self.candidates.len() == MAX_CANDIDATES {
            self.candidates.pop_front();
        }
        self.candidates.push_back(expected);
    }
}

enum Beside {
    /// The edits in the text after the change.
    Yes(EditSet),
    /// An insertion at the place of an insertion.
    SamePlace,
    No,
}

/// Returns the bytes in which the first text differs from the second, and how many bytes stand there in the second.
fn difference(before: &Rope, after: &Rope) -> (Range<usize>, usize) {
    let equal = |pair: &(u8, u8)| pair.0 == pair.1;
    let most = before.len_bytes().min(after.len_bytes());
    let start = before.bytes().zip(after.bytes()).take_while(equal).count();
    let ends = before.bytes_at(before.len_bytes()).reversed();
    let ends = ends.zip(after.bytes_at(after.len_bytes()).reversed());
    let n_end = ends.take(most - start).take_while(equal).count();
    (start..before.len_bytes() - n_end, after.len_bytes() - start - n_end)
}

fn beside(edits: &EditSet, changed: &Range<usize>, new_len: usize) -> Beside {
    let mut moved = Vec::with_capacity(edits.edits().len());
    for Edit { range, new_text } in edits.edits() {
        let range = if changed.is_empty() && range.is_empty() && changed.start == range.start {
            return Beside::SamePlace;
        } else if changed.end <= range.start {
            let shift = |offset: usize| offset - changed.len() + new_len;
            shift(range.start)..shift(range.end)
        } else if range.end <= changed.start {
            range.clone()
        } else {
            return Beside::No;
        };
        moved.push(Edit::new(range, new_text.clone()));
    }
    Beside::Yes(EditSet::from_sorted(moved))
}

#[cfg(test)]
mod tests;

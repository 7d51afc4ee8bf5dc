//! What of a branch the model is shown: less after each compaction.

use provider::Part;
use store::EntryId;

use super::entry::{Record, Stored};
use super::record::CompactionRecord;
use super::shown::is_long;

#[derive(Debug, Default)]
pub(crate) struct View {
    /// Stands in place of what is before `begins_at`.
    pub(crate) summary: Option<CompactionRecord>,
    /// The index of the first entry that is shown as it was.
    pub(crate) begins_at: usize,
    /// Long tool output of entries before this one is not shown.
    blanked_before: u64,
}

impl View {
    pub(crate) fn of(branch: &[Stored]) -> Self {
        let mut view = Self::default();
        for (at, stored) in branch.iter().enumerate() {
            let Record::Compaction(compaction) = &stored.record else { continue };
            view.blanked_before = view.blanked_before.max(compaction.blanked_before.unwrap_or_default());
            if compaction.summary.is_some() {
                // Ids grow along a branch, so this finds the place even if that entry is damaged.
                let kept_from = |id| branch.partition_point(|stored| stored.id.0 < id);
                let after = at + 1;
                view.begins_at = compaction.kept_from.map_or(after, kept_from).min(after);
                view.summary = Some(compaction.clone());
            }
        }
        view
    }

    pub(crate) fn blanks(&self, id: EntryId, output: &[Part]) -> bool {
        id.0 < self.blanked_before && is_long(output)
    }
}

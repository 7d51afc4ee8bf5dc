//! How many tokens entries take.

use provider::ItemKind;
use store::Entry;
use text::notice;

use super::shown::is_long;
use super::{Record, Stored, View};
use crate::tokens::{self, ITEM, of_text};

/// As if no compaction had changed what is shown of it.
pub(crate) fn of_entry(entry: &Entry) -> u64 {
    Record::read(entry).and_then(Record::into_item).map_or(0, |item| tokens::of_item(&item))
}

/// What came after the last answer whose usage is known, or after the last compaction.
pub(crate) fn since_measured(branch: &[&Entry]) -> u64 {
    let measured = |entry: &&&Entry| match Record::read(entry) {
        Some(Record::Assistant(assistant)) => assistant.usage.is_some(),
        Some(Record::Compaction(_)) => true,
        _ => false,
    };
    branch.iter().rev().take_while(|entry| !measured(entry)).map(|entry| of_entry(entry)).sum()
}

/// As the view shows it.
pub(crate) fn of_stored(stored: &Stored, view: &View) -> u64 {
    match stored.record.clone().into_item() {
        Some(ItemKind::ToolResult { output, .. }) if view.blanks(stored.id, &output) => {
            ITEM + of_text(&notice::removed_output())
        }
        Some(item) => tokens::of_item(&item),
        None => 0,
    }
}

pub(crate) fn saved_by_blanking(stored: &Stored, view: &View) -> u64 {
    match stored.record.clone().into_item() {
        Some(ItemKind::ToolResult { output, .. }) if is_long(&output) && !view.blanks(stored.id, &output) => {
            tokens::of_parts(&output).saturating_sub(of_text(&notice::removed_output()))
        }
        _ => 0,
    }
}

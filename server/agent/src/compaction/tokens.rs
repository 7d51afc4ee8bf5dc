//! How many tokens something takes: an estimate, good enough between two measures of the service.

use provider::{Answer, Block, ItemKind, Part};
use store::Entry;

use super::shown::{BLANKED, is_long};
use crate::journal::{Record, Stored, View};

const BYTES_PER_TOKEN: u64 = 4;
/// Services count an image by its size in pixels; this is one of about 1,000 by 1,000.
const IMAGE: u64 = 1_500;
/// Roles, ids and what else stands around an item.
const ITEM: u64 = 8;

pub(super) fn of_text(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}

pub(super) fn of_parts(parts: &[Part]) -> u64 {
    let tokens = parts.iter().map(|part| match part {
        Part::Text(text) => of_text(text),
        Part::Image { .. } => IMAGE,
    });
    tokens.sum()
}

pub(crate) fn of_item(item: &ItemKind) -> u64 {
    ITEM + match item {
        ItemKind::User { parts } => of_parts(parts),
        ItemKind::Assistant(answer) => of_answer(answer),
        ItemKind::ToolResult { output, .. } => of_parts(output),
    }
}

/// Thinking counts as what goes back to the service.
fn of_answer(answer: &Answer) -> u64 {
    let tokens = answer.blocks.iter().map(|block| match block {
        Block::Thinking { replay, .. } => replay.as_deref().map_or(0, of_text),
        Block::Text { text, .. } => of_text(text),
        Block::ToolCall(call) => ITEM + of_text(&call.name) + of_text(&call.arguments),
    });
    tokens.sum()
}

/// As if no compaction had changed what is shown of it.
pub(crate) fn of_entry(entry: &Entry) -> u64 {
    Record::read(entry).and_then(Record::into_item).map_or(0, |item| of_item(&item))
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
pub(super) fn of_stored(stored: &Stored, view: &View) -> u64 {
    match stored.record.clone().into_item() {
        Some(ItemKind::ToolResult { output, .. }) if view.blanks(stored.id, &output) => {
            ITEM + of_text(BLANKED)
        }
        Some(item) => of_item(&item),
        None => 0,
    }
}

pub(super) fn saved_by_blanking(stored: &Stored, view: &View) -> u64 {
    match stored.record.clone().into_item() {
        Some(ItemKind::ToolResult { output, .. }) if is_long(&output) && !view.blanks(stored.id, &output) => {
            of_parts(&output).saturating_sub(of_text(BLANKED))
        }
        _ => 0,
    }
}

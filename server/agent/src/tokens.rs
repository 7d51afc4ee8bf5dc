//! How many tokens something takes: an estimate, good enough between two measures of the service.

use provider::{Answer, Block, ItemKind, Part};

const BYTES_PER_TOKEN: u64 = 4;
/// Services count an image by its size in pixels; this is one of about 1,000 by 1,000.
const IMAGE: u64 = 1_500;
/// Roles, ids and what else stands around an item.
pub(crate) const ITEM: u64 = 8;

pub(crate) fn of_text(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}

pub(crate) fn of_parts(parts: &[Part]) -> u64 {
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

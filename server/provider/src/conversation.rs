//! What every family asks of a conversation before it is sent: calls paired with their results, and
//! ids, names and arguments that the service takes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Item, ItemKind, Part, ToolCall};

/// What stands for the result of a call that has none.
pub(crate) const NO_RESULT: &str = "Aborted";
/// Models read an empty result as a failure of the tool.
pub(crate) const NO_OUTPUT: &str = "(no output)";
/// The name of a call that came without one.
pub const UNNAMED: &str = "unnamed";
/// Longest name of a tool that all services take.
const MAX_NAME_CHARS: usize = 64;

/// What is shown of a conversation, in the order of [`in_order`].
pub(crate) enum Piece<'a> {
    Item(&'a Item),
    /// A call whose result is missing.
    Unanswered(&'a str),
}

impl Piece<'_> {
    pub(crate) fn is_user(&self) -> bool {
        matches!(self, Self::Item(Item { kind: ItemKind::User { .. }, .. }))
    }

    pub(crate) fn is_result(&self) -> bool {
        matches!(self, Self::Unanswered(_) | Self::Item(Item { kind: ItemKind::ToolResult { .. }, .. }))
    }
}

/// The items so that each call has exactly one result and nothing stands between the calls of an
/// answer and their results, which strict services insist on.
pub(crate) fn in_order(items: &[Arc<Item>]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::with_capacity(items.len());
    let mut open: Vec<&str> = Vec::new();
    let mut held: Vec<&Item> = Vec::new();
    for item in items {
        match &item.kind {
            ItemKind::ToolResult { call_id, .. } => match open.iter().position(|open| open == call_id) {
                Some(at) => {
                    open.remove(at);
                    pieces.push(Piece::Item(item));
                    if open.is_empty() {
                        pieces.extend(held.drain(..).map(Piece::Item));
                    }
                }
                None => tracing::warn!(call_id, "left out a result without a call"),
            },
            ItemKind::User { .. } if open.is_empty() => pieces.push(Piece::Item(item)),
            ItemKind::User { .. } => held.push(item),
            ItemKind::Assistant(answer) => {
                pieces.extend(open.drain(..).map(Piece::Unanswered));
                pieces.extend(held.drain(..).map(Piece::Item));
                pieces.push(Piece::Item(item));
                open.extend(answer.tool_calls().map(|call| call.call_id.as_str()));
            }
        }
    }
    pieces.extend(open.into_iter().map(Piece::Unanswered));
    pieces.extend(held.into_iter().map(Piece::Item));
    pieces
}

/// Whether tools have been called: some services want to know them then, even if none is offered.
pub(crate) fn has_calls(items: &[Arc<Item>]) -> bool {
    items.iter().any(|item| match &item.kind {
        ItemKind::Assistant(answer) => answer.tool_calls().next().is_some(),
        ItemKind::User { .. } | ItemKind::ToolResult { .. } => false,
    })
}

/// All text of these parts, which may be none.
pub(crate) fn texts<'a>(parts: &'a [Part], gap: &str) -> Cow<'a, str> {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image { .. } => None,
        })
        .collect();
    match texts[..] {
        [text] => text.into(),
        _ => texts.join(gap).into(),
    }
}

pub(crate) fn data_url(mime_type: &str, data: &str) -> String {
    format!("data:{mime_type};base64,{data}")
}

pub(crate) fn has_images(parts: &[Part]) -> bool {
    parts.iter().any(Part::is_image)
}

/// The arguments of a call as the JSON of an object. Servers that parse them refuse the whole conversation
/// for one slip of the model.
pub(crate) fn arguments(call: &ToolCall) -> &str {
    let is_object = call.arguments.trim_start().starts_with('{') && is_json(&call.arguments);
    if is_object { &call.arguments } else { "{}" }
}

pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The name of a tool as services take it. Models make names up, and those stay in the conversation.
pub(crate) fn tool_name(name: &str) -> Cow<'_, str> {
    let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(takes) {
        return name.into();
    }
    let taken = name.chars().map(|c| if takes(c) { c } else { '_' }).take(MAX_NAME_CHARS);
    Some(taken.collect::<String>()).filter(|name| !name.is_empty()).unwrap_or_else(|| UNNAMED.into()).into()
}

/// What a service takes as the id of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallIds {
    /// Letters, digits, `_` and `-`, up to this many.
    UpTo(usize),
    /// Nine letters and digits, as Mistral wants them.
    Nine,
}

impl CallIds {
    /// The id itself, or one made of it: the same for a call and its result, and the same in every process,
    /// so that the prompt cache still matches after a restart.
    pub(crate) fn fit(self, id: &str) -> Cow<'_, str> {
        let fits = match self {
            Self::UpTo(max) => {
                let plain =
                    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
                plain && (1..=max).contains(&id.len()) && !id.ends_with('_')
            }
            Self::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        match self {
            _ if fits => id.into(),
            Self::UpTo(_) => made_call_id(id).into(),
            Self::Nine => {
                let mut hash = hash(id);
                let digit = |_| {
                    let digit = (hash % 36) as u32;
                    hash /= 36;
                    char::from_digit(digit, 36).unwrap_or('0')
                };
                (0..9).map(digit).collect::<String>().into()
            }
        }
    }
}

/// An id that every service but Mistral's takes.
pub(crate) fn made_call_id(of: &str) -> String {
    format!("call_{:032x}", hash(of))
}

/// FNV-1a.
pub(crate) fn hash(text: &str) -> u128 {
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests;

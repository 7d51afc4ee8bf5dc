//! Tool calls, put together from pieces that servers number in many ways.

use serde_json::value::RawValue;

use super::wire::CallDelta;
use crate::ToolCall;
use crate::conversation::is_json;
use crate::lenient::{parse, text_or_json};

#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Call {
    /// Some servers send a call in which there is nothing.
    fn is_nothing(&self) -> bool {
        [&self.id, &self.name, &self.arguments].iter().all(|said| said.trim().is_empty())
    }
}

impl Calls {
    /// Takes the pieces of one chunk. Returns whether there were any.
    pub(super) fn take(&mut self, pieces: Option<&RawValue>) -> bool {
        let pieces: Vec<&RawValue> = parse(pieces).unwrap_or_default();
        let any = !pieces.is_empty();
        for piece in pieces {
            if let Some(piece) = parse(Some(piece)) {
                self.take_one(piece);
            }
        }
        any
    }

    fn take_one(&mut self, piece: CallDelta<'_>) {
        let function = piece.function.unwrap_or_default();
        let name = function.name.as_str();
        let at = self.place(piece.index.0, piece.id.as_str(), name).unwrap_or_else(|| {
            self.0.push(Call { index: piece.index.0, ..Call::default() });
            self.0.len() - 1
        });
        let call = &mut self.0[at];
        if call.id.is_empty() {
            piece.id.as_str().clone_into(&mut call.id);
        }
        // Some servers repeat the name with each piece.
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(&text_or_json(function.arguments).unwrap_or_default());
    }

    /// The call that a piece belongs to; `None`: it begins one.
    fn place(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let at_index = match index {
            Some(index) => self.0.iter().rposition(|call| call.index == Some(index)),
            None => self.0.len().checked_sub(1),
        };
        if !id.is_empty() {
            let known = self.0.iter().position(|call| call.id == id);
            // An index alone means nothing: some servers give every call the first one.
            return known.or(at_index.filter(|&at| self.0[at].id.is_empty() && self.0[at].name.is_empty()));
        }
        at_index.filter(|&at| {
            let call = &self.0[at];
            name.is_empty() || call.name.is_empty() || !is_json(&call.arguments)
        })
    }

    /// The calls that there are, with a name or without. Unless the answer is `complete`, there may be half a call
    /// among them.
    pub(super) fn finished(&self, complete: bool) -> impl Iterator<Item = ToolCall> {
        let usable = move |call: &&Call| !call.is_nothing() && (complete || is_json(&call.arguments));
        self.0.iter().filter(usable).map(|call| ToolCall {
            call_id: call.id.clone(),
            name: call.name.clone(),
            arguments: if call.arguments.trim().is_empty() { "{}".into() } else { call.arguments.clone() },
        })
    }
}

#[cfg(test)]
mod tests;

//! The conversation as the model is shown it. Keeps one rule: every tool call is followed by exactly one
//! result, in call order, before anything else is said.

use std::sync::Arc;

use provider::{Answer, Block, Item, ItemKind, Part, StopReason, ToolCall};

use crate::id::CallId;
use crate::tokens;

/// What calls of an answer that was cut off are told.
const CUT_OFF: &str = "not run: the answer was cut off at the output limit";

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// Shared with requests. They are done before the next item comes, so nothing is copied then.
    items: Arc<Vec<Arc<Item>>>,
    /// Calls of the last answer, until each has its result.
    open: Vec<OpenCall>,
    /// Whether the last item was typed by the user.
    typed: bool,
    /// Tokens, estimated, of what came after the last answer whose usage is known.
    unmeasured: u64,
}

/// A place in the transcript, where no call is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    n_items: usize,
    typed: bool,
    unmeasured: u64,
}

#[derive(Debug)]
struct OpenCall {
    call: ToolCall,
    result: Option<Vec<Part>>,
}

impl Transcript {
    /// All items. Calls must be closed.
    pub(crate) fn items(&self) -> Arc<Vec<Arc<Item>>> {
        debug_assert!(self.open.is_empty(), "a request must not hold calls without results");
        self.items.clone()
    }

    /// Where it ends now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { n_items: self.items.len(), typed: self.typed, unmeasured: self.unmeasured }
    }

    /// Forgets what came since.
    pub(crate) fn go_back(&mut self, mark: Mark) {
        if mark.n_items < self.items.len() {
            Arc::make_mut(&mut self.items).truncate(mark.n_items);
            (self.typed, self.unmeasured) = (mark.typed, mark.unmeasured);
            self.open.clear();
        }
    }

    /// Whether the last word is not the model's.
    pub(crate) fn wants_answer(&self) -> bool {
        self.items.last().is_some_and(|item| !matches!(item.kind, ItemKind::Assistant(_)))
    }

    pub(crate) fn has_answer(&self) -> bool {
        self.items.iter().any(|item| matches!(item.kind, ItemKind::Assistant(_)))
    }

    pub(crate) fn last_is_typed(&self) -> bool {
        self.typed
    }

    pub(crate) fn push_user(&mut self, parts: Vec<Part>) {
        self.push(ItemKind::User { parts });
        self.typed = true;
    }

    /// Takes something that is said to the model in the user's place.
    pub(crate) fn push_told(&mut self, text: String) {
        self.push(ItemKind::User { parts: vec![Part::Text(text)] });
    }

    /// Takes an answer; its calls are open until [`Transcript::end_call`], except those of one that was cut
    /// off: they are never run.
    pub(crate) fn push_answer(&mut self, answer: Answer) {
        let is_cut_off = answer.stop == StopReason::Length;
        self.open = answer.tool_calls().map(|call| OpenCall { call: call.clone(), result: None }).collect();
        self.push(ItemKind::Assistant(answer));
        if is_cut_off {
            self.close_open(CUT_OFF);
        }
    }

    pub(crate) fn unmeasured(&self) -> u64 {
        self.unmeasured
    }

    pub(crate) fn set_unmeasured(&mut self, tokens: u64) {
        self.unmeasured = tokens;
    }

    /// Takes what the user saw of an answer that was interrupted.
    pub(crate) fn push_partial(&mut self, provider: &str, model: &str, text: String) {
        if !text.is_empty() {
            self.push(ItemKind::Assistant(Answer {
                provider: provider.into(),
                model: model.into(),
                response_id: None,
                blocks: vec![Block::Text { text, phase: None }],
                stop: StopReason::Stop,
                usage: None,
            }));
        }
        self.push(ItemKind::User {
            parts: vec![Part::Text("[The user interrupted the answer here.]".into())],
        });
    }

    /// Takes a call's result. When the last one is there, all go into the transcript in call order.
    pub(crate) fn end_call(&mut self, call_id: &CallId, result: Vec<Part>) {
        let open =
            self.open.iter_mut().find(|open| open.call.call_id == call_id.as_str() && open.result.is_none());
        match open {
            Some(open) => open.result = Some(result),
            // In a stored conversation, damage that is mended by leaving it out.
            None => tracing::warn!(%call_id, "a result without a call"),
        }
        if self.open.iter().all(|open| open.result.is_some()) {
            self.close_open("");
        }
    }

    /// The calls that have no result yet: id and tool.
    pub(crate) fn open_calls(&self) -> Vec<(String, String)> {
        let open = self.open.iter().filter(|open| open.result.is_none());
        open.map(|open| (open.call.call_id.clone(), open.call.name.clone())).collect()
    }

    /// Gives every call that has no result one that says why.
    pub(crate) fn close_open(&mut self, why: &str) {
        for OpenCall { call, result } in std::mem::take(&mut self.open) {
            let output = result.unwrap_or_else(|| vec![Part::Text(why.into())]);
            self.push(ItemKind::ToolResult { call_id: call.call_id, output });
        }
    }

    fn push(&mut self, kind: ItemKind) {
        self.typed = false;
        self.unmeasured = match &kind {
            ItemKind::Assistant(Answer { usage: Some(_), .. }) => 0,
            kind => self.unmeasured + tokens::of_item(kind),
        };
        Arc::make_mut(&mut self.items).push(Arc::new(Item::new(kind)));
    }
}

#[cfg(test)]
mod tests;

//! An answer on its way: what every family has to say about it, and in the same words.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use serde::Deserialize;

use crate::classify::{Class, Failure};
use crate::conversation::{self, UNNAMED};
use crate::halves::without_halves;
use crate::lenient::Text;
use crate::{Answer, AnswerEvent, Block, Item, ItemKind, Request, StopReason, Usage, sse};

/// The part of an answer that is not its blocks.
#[derive(Debug)]
pub(crate) struct Draft {
    provider: String,
    /// As last reported; until then as asked for.
    pub(crate) model: String,
    pub(crate) response_id: Option<String>,
    pub(crate) usage: Option<Usage>,
    context_window: Option<u64>,
    /// What was said before.
    items: Arc<Vec<Arc<Item>>>,
    started: bool,
    /// Some text has been handed out, so that the next block begins with a blank line.
    any_text: bool,
    any_readable: bool,
}

impl Draft {
    pub(crate) fn new(request: &Request, provider: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: request.model.clone(),
            response_id: None,
            usage: None,
            context_window: request.context_window,
            items: request.items.clone(),
            started: false,
            any_text: false,
            any_readable: false,
        }
    }

    /// The data of an event; `None` for what is no event of an answer, such as the word `ping`.
    ///
    /// # Errors
    /// A cut, if it is a damaged one: the answer would have a gap that nobody sees.
    pub(crate) fn read<'e, E: Deserialize<'e>>(
        &mut self,
        event: &'e sse::Event<'_>,
    ) -> Result<Option<E>, Failure> {
        match serde_json::from_str(&event.data) {
            Ok(data) => {
                self.any_readable = true;
                Ok(Some(data))
            }
            Err(error) if !error.is_data() && event.data.trim_start().starts_with('{') => {
                self.any_readable = true;
                Err(Failure::new(Class::Cut, format!("an event of the stream cannot be read: {error}")))
            }
            Err(error) => {
                tracing::warn!(%error, name = event.name, "skipped an unreadable event");
                Ok(None)
            }
        }
    }

    pub(crate) fn start(&mut self, out: &mut Vec<AnswerEvent>) {
        if !mem::replace(&mut self.started, true) {
            out.push(AnswerEvent::Started);
        }
    }

    /// Takes what the service says of itself: the first id, the last model.
    pub(crate) fn reported(&mut self, response_id: &Text<'_>, model: &Text<'_>) {
        if self.response_id.is_none() {
            self.response_id = response_id.owned();
        }
        if model.is_some() && model.as_str() != self.model {
            model.as_str().clone_into(&mut self.model);
        }
    }

    /// Shows some text. `first`: of its block.
    pub(crate) fn text(&mut self, first: bool, delta: &str, out: &mut Vec<AnswerEvent>) {
        let gap = if first && self.any_text { "\n\n" } else { "" };
        self.any_text = true;
        out.push(AnswerEvent::TextDelta([gap, delta].concat()));
    }

    /// Ends the answer. Without a `stop` its blocks tell why the model stopped.
    ///
    /// # Errors
    /// A failure, if what came is no answer: the conversation did not fit, or nothing was said.
    pub(crate) fn finish(
        &mut self,
        mut blocks: Vec<Block>,
        stop: Option<StopReason>,
        out: &mut Vec<AnswerEvent>,
    ) -> Result<(), Failure> {
        self.start(out);
        // Some servers send zeros for what they did not count.
        let usage = self.usage.filter(|usage| usage.total > 0);
        if let Some(failure) = self.overflow(&blocks, stop.as_ref()) {
            return Err(failure);
        }
        if stop != Some(StopReason::Length) && !says_something(&blocks) {
            return Err(Failure {
                usage: usage.map(Box::new),
                ..Failure::new(Class::Empty, nothing_said(&blocks))
            });
        }
        let has_calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
        if has_calls {
            mend_calls(&mut blocks);
            self.tell_calls_apart(&mut blocks);
        }
        let stop = match stop {
            // Their results let the model go on.
            None | Some(StopReason::Paused) if has_calls => StopReason::ToolUse,
            None => StopReason::Stop,
            Some(stop) => stop,
        };
        out.push(AnswerEvent::Finished(Box::new(Answer {
            provider: self.provider.clone(),
            model: self.model.clone(),
            response_id: self.response_id.clone(),
            blocks,
            stop,
            usage,
        })));
        Ok(())
    }

    /// The failure that an answer amounts to for which the prompt left no room. An answer that says something
    /// is one, even if by our count it cannot be: the count may be wrong, and the user has read it.
    fn overflow(&self, blocks: &[Block], stop: Option<&StopReason>) -> Option<Failure> {
        let (window, usage) = (self.context_window.filter(|window| *window > 0)?, self.usage?);
        let prompt = usage.input_total;
        let without_a_word = stop == Some(&StopReason::Length) && usage.output_total == 0;
        let fills_it = prompt.saturating_mul(100) >= window.saturating_mul(99);
        (!says_something(blocks) && (prompt > window || without_a_word && fills_it)).then(|| {
            let message = format!("the answer is empty: the prompt has {prompt} tokens, the window {window}");
            Failure::new(Class::ContextOverflow, message)
        })
    }

    /// Why an answer that ends here is none.
    pub(crate) fn cut(&self) -> Failure {
        if self.any_readable {
            Failure::new(Class::Cut, "the stream ended before its final event")
        } else {
            Failure::new(Class::Server, "the answer is not a stream of events that could be read")
        }
    }

    /// Gives a call without an id one, and likewise a call whose id another one of the conversation has:
    /// some servers number them anew in each answer, and others accept an id once only.
    ///
    /// The ids are made of what was said, so the same stream yields the same ones.
    fn tell_calls_apart(&self, blocks: &mut [Block]) {
        let mut taken: HashSet<&str> = HashSet::new();
        for item in &*self.items {
            if let ItemKind::Assistant(answer) = &item.kind {
                taken.extend(answer.tool_calls().map(|call| call.call_id.as_str()));
            }
        }
        let mut made: HashSet<String> = HashSet::new();
        let response_id = self.response_id.as_deref().unwrap_or_default();
        for (position, block) in blocks.iter_mut().enumerate() {
            let Block::ToolCall(call) = block else { continue };
            if call.call_id.is_empty() || taken.contains(&*call.call_id) || made.contains(&call.call_id) {
                let n_items = self.items.len();
                call.call_id = conversation::made_call_id(&format!(
                    "{n_items} {response_id} {position} {} {}",
                    call.name, call.arguments
                ));
            }
            made.insert(call.call_id.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn any_readable(&self) -> bool {
        self.any_readable
    }
}

/// Whether there is anything for the user to read or for a tool to do.
fn says_something(blocks: &[Block]) -> bool {
    blocks.iter().any(|block| match block {
        Block::Thinking { .. } => false,
        Block::Text { text, .. } => !text.trim().is_empty(),
        Block::ToolCall(_) => true,
    })
}

fn nothing_said(blocks: &[Block]) -> &'static str {
    if blocks.iter().any(|block| matches!(block, Block::Thinking { .. })) {
        "the model thought, and then neither said nor called anything"
    } else {
        "it has neither text nor a tool call"
    }
}

/// Makes calls such that they can be run or refused, and go back to any service.
fn mend_calls(blocks: &mut [Block]) {
    for block in blocks {
        if let Block::ToolCall(call) = block {
            if call.name.trim().is_empty() {
                UNNAMED.clone_into(&mut call.name);
            }
            if let Some(arguments) = without_halves(&call.arguments) {
                call.arguments = arguments;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToolCall;
    use crate::samples::{answer, call, request, said, thought};

    fn ids(calls: Vec<Block>) -> Vec<String> {
        let mut draft = Draft::new(&request(vec![answer(vec![call("call_0")])]), "work");
        let mut out = Vec::new();
        draft.finish(calls, None, &mut out).unwrap();
        let Some(AnswerEvent::Finished(answer)) = out.pop() else { panic!() };
        answer.tool_calls().map(|call| call.call_id.clone()).collect()
    }

    #[track_caller]
    fn check_overflow(
        window: Option<u64>,
        (input, output): (u64, u64),
        stop: Option<StopReason>,
        blocks: Vec<Block>,
        overflows: bool,
    ) {
        let mut draft = Draft::new(&Request { context_window: window, ..request(vec![]) }, "work");
        draft.usage = Some(Usage { input_total: input, output_total: output, ..Usage::default() });
        let mut out = Vec::new();
        let class = draft.finish(blocks, stop, &mut out).err().map(|failure| failure.class);
        assert_eq!(class == Some(Class::ContextOverflow), overflows, "{class:?}");
    }

    #[test]
    fn an_empty_answer_to_a_full_window_is_none() {
        let (window, length) = (Some(1000), || Some(StopReason::Length));
        check_overflow(window, (990, 0), length(), vec![], true);
        check_overflow(window, (989, 0), length(), vec![], false);
        check_overflow(window, (990, 0), None, vec![], false);
        // It ran out of room while it thought: with a smaller prompt it may get further, but it did begin.
        check_overflow(window, (990, 10), length(), vec![thought("{}")], false);
        check_overflow(None, (990, 0), length(), vec![], false);
        check_overflow(Some(0), (0, 0), length(), vec![], false);

        check_overflow(window, (1001, 0), None, vec![], true);
        check_overflow(window, (1001, 5), None, vec![thought("{}")], true);
        check_overflow(window, (1000, 5), None, vec![], false);
        // These say something.
        check_overflow(window, (1001, 5), None, vec![said("Yes.")], false);
        check_overflow(window, (1001, 5), None, vec![call("call_1")], false);
        check_overflow(Some(u64::MAX), (u64::MAX, 0), length(), vec![], true);
    }

    #[track_caller]
    fn check_empty(blocks: Vec<Block>, stop: Option<StopReason>, shown: Option<&str>) {
        let mut draft = Draft::new(&request(vec![]), "work");
        draft.usage = Some(Usage { output_total: 7, total: 7, ..Usage::default() });
        let failure = draft.finish(blocks, stop, &mut Vec::new()).err();
        let message = failure.map(|failure| {
            assert_eq!((failure.class, failure.usage.as_deref()), (Class::Empty, draft.usage.as_ref()));
            failure.message
        });
        assert_eq!(message.as_deref(), shown);
    }

    #[test]
    fn an_answer_without_text_or_call_is_none() {
        let (nothing, thinking) = (
            Some("it has neither text nor a tool call"),
            Some("the model thought, and then neither said nor called anything"),
        );
        check_empty(vec![], None, nothing);
        check_empty(vec![said("\n")], None, nothing);
        check_empty(vec![thought("{}")], None, thinking);
        check_empty(vec![], Some(StopReason::Paused), nothing);
        check_empty(vec![], Some(StopReason::Unknown("new".into())), nothing);
        check_empty(vec![thought("{}"), said("Yes.")], None, None);
        check_empty(vec![call("call_1")], None, None);
        // The reason says enough.
        check_empty(vec![], Some(StopReason::Length), None);
    }

    #[test]
    fn a_call_without_a_name_is_one_that_can_be_answered() {
        let nameless =
            ToolCall { call_id: String::new(), name: " ".into(), arguments: r#"{"a":"\ud83d"}"#.into() };
        let mut out = Vec::new();
        let mut draft = Draft::new(&request(vec![]), "work");
        draft.finish(vec![Block::ToolCall(nameless)], None, &mut out).unwrap();
        let Some(AnswerEvent::Finished(answer)) = out.pop() else { panic!() };
        let call = answer.tool_calls().next().unwrap();
        assert_eq!((call.name.as_str(), call.arguments.as_str()), (UNNAMED, r#"{"a":"\ufffd"}"#));
        assert!(!call.call_id.is_empty());
    }

    #[test]
    fn calls_are_told_apart_within_a_conversation() {
        let calls = || vec![call("call_1"), call(""), call("call_0"), call("call_1"), call("")];
        let ids_of_calls = ids(calls());
        assert_eq!(ids_of_calls[0], "call_1");
        assert!(!ids_of_calls.contains(&"call_0".to_owned()), "{ids_of_calls:?}");
        assert_eq!(ids_of_calls.iter().collect::<HashSet<_>>().len(), 5, "{ids_of_calls:?}");
        assert_eq!(ids(calls()), ids_of_calls, "the same each time");
        assert!(ids_of_calls.iter().all(|id| id.len() <= 40), "{ids_of_calls:?}");
    }
}

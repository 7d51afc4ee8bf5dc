//! From the events of a stream to an answer.
//!
//! State is kept by the index of a block. Nothing is said twice: the deltas are the answer.

mod wire;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use self::wire::{BlockStart, Delta, Event, Message};
use crate::classify::{Class, Failure, Report};
use crate::conversation::is_json;
use crate::draft::Draft;
use crate::ending::{self, Ending, Endings};
use crate::lenient::{count, parse};
use crate::service::{Decode, Progress};
use crate::{AnswerEvent, Block, StopReason, ToolCall, Usage, sse};

/// The values of `stop_reason` (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons), and
/// some that servers with this API add.
const ENDINGS: &Endings = &[
    ("end_turn", Ending::Done),
    ("tool_use", Ending::Done),
    ("stop_sequence", Ending::Done),
    ("stop", Ending::Done),
    ("tool_calls", Ending::Done),
    ("max_tokens", Ending::Length),
    ("length", Ending::Length),
    ("pause_turn", Ending::Paused),
    ("refusal", Ending::Filtered),
    ("sensitive", Ending::Filtered), // Zhipu
    ("content_filter", Ending::Filtered),
    ("content_filtered", Ending::Filtered),     // Bedrock
    ("guardrail_intervened", Ending::Filtered), // Bedrock
    ("model_context_window_exceeded", Ending::Overflow),
    ("error", Ending::Broken),
    ("network_error", Ending::Broken), // Zhipu
    ("abort", Ending::Broken),         // vLLM
];

#[derive(Debug)]
pub(crate) struct Decoder {
    draft: Draft,
    slots: BTreeMap<u64, Slot>,
    counts: Counts,
    stop_reason: Option<String>,
    /// Why the model would not answer.
    explanation: Option<String>,
}

/// One block.
#[derive(Debug)]
enum Slot {
    Text(String),
    Thinking {
        text: String,
        signature: String,
        ended: bool,
    },
    /// Thinking that only the service can read.
    Redacted {
        data: String,
    },
    Call {
        call_id: String,
        name: String,
        /// The pieces of the input.
        arguments: String,
        /// What the start of the block had of it, which counts if no pieces come.
        given: Option<String>,
    },
    /// Blocks that only the service itself has a use for.
    Other,
}

/// Tokens as this API counts them: `input` is without what is cached.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    input: u64,
    cache_read: u64,
    cache_creation: u64,
    output: u64,
    thinking: u64,
}

impl Decoder {
    pub(crate) fn new(draft: Draft) -> Self {
        Self {
            draft,
            slots: BTreeMap::new(),
            counts: Counts::default(),
            stop_reason: None,
            explanation: None,
        }
    }

    fn message_start(&mut self, message: &Message<'_>, out: &mut Vec<AnswerEvent>) {
        self.draft.start(out);
        self.draft.reported(&message.id, &message.model);
        self.usage(message.usage);
    }

    fn block_start(&mut self, index: u64, block: &BlockStart<'_>, out: &mut Vec<AnswerEvent>) {
        self.draft.start(out);
        self.slots.entry(index).or_insert_with(|| Slot::of(block));
        self.text(index, block.text.as_str(), out);
        self.thinking(index, block.thinking.as_str(), block.signature.as_str(), out);
    }

    fn block_delta(&mut self, index: u64, delta: &Delta<'_>, out: &mut Vec<AnswerEvent>) {
        self.draft.start(out);
        match delta.kind.as_str() {
            "text_delta" => self.text(index, delta.text.as_str(), out),
            "thinking_delta" => self.thinking(index, delta.thinking.as_str(), "", out),
            "signature_delta" => self.thinking(index, "", delta.signature.as_str(), out),
            "input_json_delta" => {
                if let Some(Slot::Call { arguments, .. }) = self.slots.get_mut(&index) {
                    arguments.push_str(delta.partial_json.as_str());
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, index: u64, delta: &str, out: &mut Vec<AnswerEvent>) {
        if !delta.is_empty()
            && let Slot::Text(text) = self.slots.entry(index).or_insert_with(|| Slot::Text(String::new()))
        {
            let first = text.is_empty();
            text.push_str(delta);
            self.draft.text(first, delta, out);
        }
    }

    fn thinking(&mut self, index: u64, delta: &str, signed: &str, out: &mut Vec<AnswerEvent>) {
        if !(delta.is_empty() && signed.is_empty())
            && let Slot::Thinking { text, signature, .. } =
                self.slots.entry(index).or_insert_with(Slot::thinking)
        {
            signature.push_str(signed);
            text.push_str(delta);
            if !delta.is_empty() {
                out.push(AnswerEvent::ThinkingDelta(delta.to_owned()));
            }
        }
    }

    fn stop(&mut self, delta: &Delta<'_>) {
        if let Some(reason) = delta.stop_reason.owned() {
            self.stop_reason = Some(reason);
        }
        let details: Option<Value> = parse(delta.stop_details);
        let explanation = details.as_ref().and_then(|details| details["explanation"].as_str());
        self.explanation = explanation.map(str::to_owned).or(self.explanation.take());
    }

    /// The counts are totals, and those that are not there stay as they were.
    fn usage(&mut self, usage: Option<&RawValue>) {
        let Some(usage) = parse::<Value>(usage).filter(Value::is_object) else {
            return;
        };
        let Counts { input, cache_read, cache_creation, output, thinking } = &mut self.counts;
        for (known, pointer) in [
            (input, "/input_tokens"),
            (cache_read, "/cache_read_input_tokens"),
            (cache_creation, "/cache_creation_input_tokens"),
            (output, "/output_tokens"),
            (thinking, "/output_tokens_details/thinking_tokens"),
        ] {
            *known = count(&usage, pointer).unwrap_or(*known);
        }
        self.draft.usage = Some(self.counts.normalised());
    }

    /// Ends the answer for the reason that was given, if it is one for an answer.
    fn finish(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let stop = match self.stop_reason.as_deref() {
            Some("refusal") => {
                let why = self.explanation.as_deref().unwrap_or("no reason given");
                let message = format!("the model declined to answer: {why}");
                return Err(Failure::new(Class::ContentFilter, message));
            }
            reason => ending::stop(reason, ENDINGS)?,
        };
        self.finish_with(stop, out)
    }

    fn finish_with(&mut self, stop: Option<StopReason>, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        self.slots.values_mut().for_each(|slot| slot.end(out));
        let blocks = self.blocks(stop != Some(StopReason::Length));
        self.draft.finish(blocks, stop, out)
    }

    /// What has been received. Unless the answer is `complete`, there may be half a call among it.
    fn blocks(&self, complete: bool) -> Vec<Block> {
        self.slots.values().filter_map(|slot| slot.block(complete)).collect()
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure> {
        let Some(data) = self.draft.read::<Event<'_>>(event)? else {
            return Ok(if self.stop_reason.is_some() { Progress::Ending } else { Progress::More });
        };
        let kind = if data.kind.is_some() { data.kind.as_str() } else { event.name };
        // Without an index an event is about the last block there is.
        let index = data.index.0.or_else(|| Some(*self.slots.last_key_value()?.0)).unwrap_or_default();
        match kind {
            "error" => return Err(Failure::reported(Report::from_body(event.data.as_bytes()))),
            "message_start" => {
                if let Some(message) = parse(data.message) {
                    self.message_start(&message, out);
                }
            }
            "content_block_start" => {
                if let Some(block) = parse(data.content_block) {
                    self.block_start(index, &block, out);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = &data.delta {
                    self.block_delta(index, delta, out);
                }
            }
            "content_block_stop" => {
                if let Some(slot) = self.slots.get_mut(&index) {
                    slot.end(out);
                }
            }
            "message_delta" => {
                if let Some(delta) = &data.delta {
                    self.stop(delta);
                }
                self.usage(data.usage);
            }
            "message_stop" => {
                self.finish(out)?;
                return Ok(Progress::Finished);
            }
            _ => {}
        }
        let is_ending = self.stop_reason.is_some() && !kind.starts_with("content_block");
        Ok(if is_ending { Progress::Ending } else { Progress::More })
    }

    fn whole(&mut self, body: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let Ok(message) = serde_json::from_str::<Message<'_>>(body) else {
            return Err(Failure::new(Class::Cut, "the answer could not be read to its end"));
        };
        let Some(content) = parse::<Vec<&RawValue>>(message.content) else {
            return Err(Failure::reported(Report::from_body(body.as_bytes())));
        };
        self.message_start(&message, out);
        for (index, block) in (0..).zip(content) {
            if let Some(block) = parse(Some(block)) {
                self.block_start(index, &block, out);
            }
            if let Some(slot) = self.slots.get_mut(&index) {
                slot.end(out);
            }
        }
        self.stop_reason = message.stop_reason.owned();
        self.finish(out)
    }

    fn end(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        if self.stop_reason.is_some() { self.finish(out) } else { Err(self.draft.cut()) }
    }

    fn cut_short(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        self.finish_with(Some(StopReason::Length), out)
    }
}

impl Slot {
    fn thinking() -> Self {
        Self::Thinking { text: String::new(), signature: String::new(), ended: false }
    }

    fn of(block: &BlockStart<'_>) -> Self {
        match block.kind.as_str() {
            "text" => Self::Text(String::new()),
            "thinking" => Self::thinking(),
            "redacted_thinking" => Self::Redacted { data: block.data.as_str().to_owned() },
            "tool_use" => Self::Call {
                call_id: block.id.as_str().to_owned(),
                name: block.name.as_str().to_owned(),
                arguments: String::new(),
                given: block.input(),
            },
            _ => Self::Other,
        }
    }

    fn end(&mut self, out: &mut Vec<AnswerEvent>) {
        if let Self::Thinking { text, ended: ended @ false, .. } = self {
            *ended = true;
            if !text.is_empty() {
                out.push(AnswerEvent::ThinkingEnd(text.clone()));
            }
        }
    }

    fn block(&self, complete: bool) -> Option<Block> {
        match self {
            Self::Text(text) => (!text.is_empty()).then(|| Block::Text { text: text.clone(), phase: None }),
            Self::Thinking { text, signature, .. } => {
                let replay = (!signature.is_empty()).then(|| wire::thinking(text, signature));
                let kept = !text.is_empty() || replay.is_some();
                kept.then(|| Block::Thinking { text: text.clone(), replay })
            }
            Self::Redacted { data } => {
                Some(Block::Thinking { text: String::new(), replay: Some(wire::redacted_thinking(data)) })
            }
            Self::Call { call_id, name, arguments, given } => {
                let said = if arguments.trim().is_empty() { given.as_deref() } else { Some(&**arguments) };
                let usable = complete || said.is_some_and(is_json);
                let arguments = said.unwrap_or("{}");
                usable.then(|| {
                    Block::ToolCall(ToolCall {
                        call_id: call_id.clone(),
                        name: name.clone(),
                        arguments: arguments.to_owned(),
                    })
                })
            }
            Self::Other => None,
        }
    }
}

impl Counts {
    fn normalised(self) -> Usage {
        let input_total = self.input.saturating_add(self.cache_read).saturating_add(self.cache_creation);
        Usage {
            input_total,
            input_cached: self.cache_read,
            input_cache_write: self.cache_creation,
            output_total: self.output,
            output_reasoning: self.thinking,
            total: input_total.saturating_add(self.output),
        }
    }
}

#[cfg(test)]
mod tests;

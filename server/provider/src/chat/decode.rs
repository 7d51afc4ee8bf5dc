//! From the chunks of a stream to an answer.
//!
//! Chunks only add. What they add to has to be told from habits that differ from server to server: see
//! [`Calls`] and [`Thinking`].

mod calls;
mod inline;
mod thinking;
mod wire;

use std::mem;

use serde_json::Value;
use serde_json::value::RawValue;

use self::calls::Calls;
use self::inline::Inline;
use self::thinking::Thinking;
use self::wire::{Chunk, Message};
use crate::classify::{Class, Failure, Report};
use crate::draft::Draft;
use crate::ending::{self, Ending, Endings};
use crate::lenient::{count, parse};
use crate::service::{Decode, Progress};
use crate::{AnswerEvent, Block, StopReason, Usage, sse};

/// The reasons that services are known to give; of many of them no two agree.
const ENDINGS: &Endings = &[
    ("stop", Ending::Done),
    ("tool_calls", Ending::Done),
    ("tool_call", Ending::Done),
    ("tool_use", Ending::Done),
    ("function_call", Ending::Done),
    ("end", Ending::Done),
    ("end_turn", Ending::Done),
    ("eos", Ending::Done),
    ("eos_token", Ending::Done), // Together, text-generation-inference
    ("stop_sequence", Ending::Done),
    ("complete", Ending::Done), // Cohere
    ("completed", Ending::Done),
    ("done", Ending::Done),
    ("length", Ending::Length),
    ("max_tokens", Ending::Length),
    ("max_output_tokens", Ending::Length),
    ("model_length", Ending::Length), // Mistral
    ("pause_turn", Ending::Paused),   // gateways to Anthropic
    ("content_filter", Ending::Filtered),
    ("content-filter", Ending::Filtered),
    ("refusal", Ending::Filtered),
    ("sensitive", Ending::Filtered), // Zhipu
    ("safety", Ending::Filtered),    // Google, as the next ones
    ("recitation", Ending::Filtered),
    ("blocklist", Ending::Filtered),
    ("prohibited_content", Ending::Filtered),
    ("spii", Ending::Filtered),
    ("guardrail_intervened", Ending::Filtered), // Bedrock
    ("error_toxic", Ending::Filtered),          // Cohere
    ("model_context_window_exceeded", Ending::Overflow),
    ("error", Ending::Broken),
    ("network_error", Ending::Broken),                // Zhipu
    ("insufficient_system_resource", Ending::Broken), // DeepSeek
    ("malformed_function_call", Ending::Broken),      // Google, as the next one
    ("unexpected_tool_call", Ending::Broken),
    ("abort", Ending::Broken), // vLLM, SGLang
    ("aborted", Ending::Broken),
    ("cancelled", Ending::Broken),
    ("timeout", Ending::Broken),
    ("load", Ending::Broken), // Ollama, as the next one
    ("unload", Ending::Broken),
];

#[derive(Debug)]
pub(crate) struct Decoder {
    draft: Draft,
    said: Vec<Said>,
    calls: Calls,
    thinking: Thinking,
    inline: Inline,
    finish_reason: Option<String>,
}

/// A block, as far as it has come.
#[derive(Debug)]
enum Said {
    Thinking { text: String, ended: bool },
    Text(String),
}

/// What a piece of the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Thinking,
    Text,
}

impl Decoder {
    pub(crate) fn new(draft: Draft) -> Self {
        Self {
            draft,
            said: Vec::new(),
            calls: Calls::default(),
            thinking: Thinking::default(),
            inline: Inline::default(),
            finish_reason: None,
        }
    }

    /// Returns whether anything of the answer was in it.
    fn chunk(&mut self, chunk: Chunk<'_>, out: &mut Vec<AnswerEvent>) -> bool {
        self.draft.start(out);
        let n_events = out.len();
        let mut has_calls = false;
        self.draft.reported(&chunk.id, &chunk.model);
        self.usage(chunk.usage);
        // A gateway may spread one answer over several choices; no more than one is asked for.
        for choice in chunk.choices.unwrap_or_default() {
            if let Some(message) = choice.delta.or(choice.message) {
                has_calls |= self.message(&message, out);
            }
            // Some servers spell out that there is none.
            if choice.finish_reason.is_some() && choice.finish_reason.as_str() != "null" {
                self.finish_reason = choice.finish_reason.owned();
            }
            self.usage(choice.usage);
        }
        has_calls || out.len() > n_events
    }

    /// Returns whether there was a piece of a call in it.
    fn message(&mut self, message: &Message<'_>, out: &mut Vec<AnswerEvent>) -> bool {
        let thought = self.thinking.take(message);
        self.say(Kind::Thinking, &thought, out);
        message.each_piece(|kind, text| match kind {
            Kind::Thinking => self.say(kind, text, out),
            Kind::Text => self.content(|inline, say| inline.split(text, say), out),
        });
        let has_calls = self.calls.take(message.tool_calls);
        if has_calls {
            self.end_thinking(out);
        }
        has_calls
    }

    /// Says what comes through `inline`.
    fn content(
        &mut self,
        split: impl FnOnce(&mut Inline, &mut dyn FnMut(Kind, &str)),
        out: &mut Vec<AnswerEvent>,
    ) {
        let mut inline = mem::take(&mut self.inline);
        split(&mut inline, &mut |kind, text| self.say(kind, text, out));
        self.inline = inline;
    }

    fn say(&mut self, kind: Kind, delta: &str, out: &mut Vec<AnswerEvent>) {
        match (kind, self.said.last_mut()) {
            _ if delta.is_empty() => {}
            (Kind::Thinking, Some(Said::Thinking { text, ended: false })) => {
                text.push_str(delta);
                out.push(AnswerEvent::ThinkingDelta(delta.to_owned()));
            }
            (Kind::Thinking, _) => {
                self.said.push(Said::Thinking { text: delta.to_owned(), ended: false });
                out.push(AnswerEvent::ThinkingDelta(delta.to_owned()));
            }
            (Kind::Text, Some(Said::Text(text))) => {
                text.push_str(delta);
                self.draft.text(false, delta, out);
            }
            (Kind::Text, _) => {
                self.end_thinking(out);
                self.said.push(Said::Text(delta.to_owned()));
                self.draft.text(true, delta, out);
            }
        }
    }

    fn end_thinking(&mut self, out: &mut Vec<AnswerEvent>) {
        if let Some(Said::Thinking { text, ended: ended @ false }) = self.said.last_mut() {
            *ended = true;
            out.push(AnswerEvent::ThinkingEnd(text.clone()));
        }
    }

    fn usage(&mut self, usage: Option<&RawValue>) {
        if let Some(usage) = parse(usage).filter(Value::is_object) {
            self.draft.usage = Some(normalised(&usage));
        }
    }

    /// Ends the answer for the reason that was given, if it is one for an answer.
    fn finish(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let stop = ending::stop(self.finish_reason.as_deref(), ENDINGS)?;
        let is_complete = stop != Some(StopReason::Length) && self.finish_reason.is_some();
        self.finish_with(stop, is_complete, out)
    }

    fn finish_with(
        &mut self,
        stop: Option<StopReason>,
        is_complete: bool,
        out: &mut Vec<AnswerEvent>,
    ) -> Result<(), Failure> {
        self.content(|inline, say| inline.finish(say), out);
        self.end_thinking(out);
        let blocks = self.blocks(is_complete);
        self.draft.finish(blocks, stop, out)
    }

    /// What has been received. Unless the answer is `complete`, there may be half a call among it.
    fn blocks(&self, complete: bool) -> Vec<Block> {
        let thoughts = self.said.iter().filter_map(|said| match said {
            Said::Thinking { text, .. } => Some(text.as_str()),
            Said::Text(_) => None,
        });
        let thoughts: Vec<&str> = thoughts.collect();
        let mut replay = self.thinking.replay(&thoughts.join("\n\n"));
        let mut blocks = Vec::new();
        if thoughts.is_empty() && replay.is_some() {
            blocks.push(Block::Thinking { text: String::new(), replay: replay.take() });
        }
        blocks.extend(self.said.iter().map(|said| match said {
            // All thinking of the answer goes back with the first block.
            Said::Thinking { text, .. } => Block::Thinking { text: text.clone(), replay: replay.take() },
            Said::Text(text) => Block::Text { text: text.clone(), phase: None },
        }));
        blocks.extend(self.calls.finished(complete).map(Block::ToolCall));
        blocks
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure> {
        if event.data == "[DONE]" {
            let said_something =
                self.blocks(false).iter().any(|block| !matches!(block, Block::Thinking { .. }));
            if self.finish_reason.is_none() && !said_something {
                return Err(self.draft.cut());
            }
            self.finish(out)?;
            return Ok(Progress::Finished);
        }
        if event.name == "error" {
            return Err(Failure::reported(Report::from_body(event.data.as_bytes())));
        }
        let so_far = if self.finish_reason.is_some() { Progress::Ending } else { Progress::More };
        let Some(chunk) = self.draft.read::<Chunk<'_>>(event)? else {
            return Ok(so_far);
        };
        if chunk.is_error() {
            self.draft.reported(&chunk.id, &chunk.model);
            return Err(Failure::reported(Report::from_body(event.data.as_bytes())));
        }
        let has_usage = chunk.is_usage();
        let has_more = self.chunk(chunk, out);
        if so_far == Progress::Ending && has_usage {
            self.finish(out)?;
            return Ok(Progress::Finished);
        }
        let is_ending = self.finish_reason.is_some() && (so_far == Progress::More || !has_more);
        Ok(if is_ending { Progress::Ending } else { Progress::More })
    }

    fn whole(&mut self, body: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let Ok(answer) = serde_json::from_str::<Chunk<'_>>(body) else {
            return Err(Failure::new(Class::Cut, "the answer could not be read to its end"));
        };
        if answer.is_error() || answer.choices.is_none() {
            return Err(Failure::reported(Report::from_body(body.as_bytes())));
        }
        self.chunk(answer, out);
        self.finish_reason.get_or_insert_with(|| "stop".to_owned());
        self.finish(out)
    }

    fn end(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        if self.finish_reason.is_some() { self.finish(out) } else { Err(self.draft.cut()) }
    }

    fn cut_short(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        self.finish_with(Some(StopReason::Length), false, out)
    }
}

fn normalised(usage: &Value) -> Usage {
    let count = |pointer| count(usage, pointer).unwrap_or(0);
    let (input_total, output_total) = (count("/prompt_tokens"), count("/completion_tokens"));
    Usage {
        input_total,
        // DeepSeek has a name of its own.
        input_cached: count("/prompt_tokens_details/cached_tokens").max(count("/prompt_cache_hit_tokens")),
        input_cache_write: count("/prompt_tokens_details/cache_write_tokens"),
        output_total,
        output_reasoning: count("/completion_tokens_details/reasoning_tokens"),
        total: match count("/total_tokens") {
            0 => input_total.saturating_add(output_total),
            total => total,
        },
    }
}

#[cfg(test)]
mod tests;

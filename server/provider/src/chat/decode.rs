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
use crate::lenient::{count, parse};
use crate::service::{Decode, Progress};
use crate::{AnswerEvent, Block, StopReason, Usage, sse};

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

    fn chunk(&mut self, chunk: Chunk<'_>, out: &mut Vec<AnswerEvent>) {
        self.draft.start(out);
        self.draft.reported(&chunk.id, &chunk.model);
        self.usage(chunk.usage);
        // A gateway may spread one answer over several choices; no more than one is asked for.
        for choice in chunk.choices.unwrap_or_default() {
            if let Some(message) = choice.delta.or(choice.message) {
                self.message(&message, out);
            }
            if choice.finish_reason.is_some() {
                self.finish_reason = choice.finish_reason.owned();
            }
            self.usage(choice.usage);
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Vec<AnswerEvent>) {
        let thought = self.thinking.take(message);
        self.say(Kind::Thinking, &thought, out);
        message.each_piece(|kind, text| match kind {
            Kind::Thinking => self.say(kind, text, out),
            Kind::Text => self.content(|inline, say| inline.split(text, say), out),
        });
        if self.calls.take(message.tool_calls) {
            self.end_thinking(out);
        }
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
        let stop = match self.finish_reason.as_deref() {
            Some("content_filter") => {
                let message = "the answer was stopped by a content filter";
                return Err(Failure::new(Class::ContentFilter, message));
            }
            Some("error") => return Err(Failure::new(Class::Server, "the service broke the answer off")),
            Some("length" | "max_tokens" | "model_length") => Some(StopReason::Length),
            _ => None,
        };
        self.content(|inline, say| inline.finish(say), out);
        self.end_thinking(out);
        let blocks = self.blocks(stop.is_none() && self.finish_reason.is_some());
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
        let Some(chunk) = self.draft.read::<Chunk<'_>>(event) else {
            return Ok(Progress::More);
        };
        if chunk.is_error() {
            self.draft.reported(&chunk.id, &chunk.model);
            return Err(Failure::reported(Report::from_body(event.data.as_bytes())));
        }
        let last = self.finish_reason.is_some() && chunk.is_usage();
        self.chunk(chunk, out);
        if last {
            self.finish(out)?;
            return Ok(Progress::Finished);
        }
        Ok(Progress::More)
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

//! From the events of a stream to an answer.
//!
//! State is kept by `output_index`; ids of items and responses are not stable on every service. What
//! deltas said is for display: the `done` events and then the terminal event have the last word.

mod wire;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use self::wire::{Event, OutputItem, Response};
use crate::classify::{Class, Failure, Report};
use crate::draft::Draft;
use crate::ending::{self, Ending, Endings};
use crate::lenient::{count, parse, texts};
use crate::service::{Decode, Progress};
use crate::{AnswerEvent, Block, StopReason, ToolCall, Usage, sse};

/// The final states of a response, and behind them why one is incomplete.
const ENDINGS: &Endings = &[
    ("completed", Ending::Done),
    ("done", Ending::Done),
    ("cancelled", Ending::Broken),
    // A final event that says this of itself is none.
    ("queued", Ending::Broken),
    ("in_progress", Ending::Broken),
    ("max_output_tokens", Ending::Length),
    ("max_tokens", Ending::Length),
    ("length", Ending::Length),
    ("content_filter", Ending::Filtered),
    ("refusal", Ending::Filtered),
    ("model_context_window_exceeded", Ending::Overflow),
    ("pause_turn", Ending::Paused),
];

#[derive(Debug)]
pub(crate) struct Decoder {
    draft: Draft,
    slots: BTreeMap<u64, Slot>,
    /// The index an event without one means.
    current: u64,
}

/// One item of the output.
#[derive(Debug)]
struct Slot {
    content: Content,
    /// Its own `done` event, or the terminal event, has told all of it.
    done: bool,
}

#[derive(Debug)]
enum Content {
    Message {
        parts: Parts,
        phase: Option<String>,
    },
    Reasoning {
        parts: Parts,
        source: Option<Source>,
        replay: Option<String>,
        ended: bool,
    },
    Call {
        call_id: String,
        name: String,
        arguments: String,
        complete: bool,
    },
    /// Items that only the service itself has a use for.
    Other,
}

/// Where the text of a reasoning item comes from. Some servers send both, with the same text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Summary,
    Raw,
}

/// The text of an item, by the index of its part.
#[derive(Debug, Default)]
struct Parts(Vec<(u64, String)>);

impl Decoder {
    pub(crate) fn new(draft: Draft) -> Self {
        Self { draft, slots: BTreeMap::new(), current: 0 }
    }

    fn text_delta(&mut self, index: u64, part: u64, delta: &str, out: &mut Vec<AnswerEvent>) {
        let slot = self.slots.entry(index).or_insert_with(|| Slot::new(Content::message()));
        if let Content::Message { parts, .. } = &mut slot.content
            && !slot.done
            && !delta.is_empty()
        {
            let first = parts.is_empty();
            parts.append(part, delta);
            self.draft.text(first, delta, out);
        }
    }

    fn text_done(&mut self, index: u64, part: u64, whole: &str, out: &mut Vec<AnswerEvent>) {
        let slot = self.slots.entry(index).or_insert_with(|| Slot::new(Content::message()));
        if let Content::Message { parts, .. } = &mut slot.content
            && !slot.done
        {
            let first = parts.is_empty();
            if let Some(tail) = parts.settle(part, whole) {
                self.draft.text(first, &tail, out);
            }
        }
    }

    fn thinking(
        &mut self,
        index: u64,
        said: (Source, u64),
        text: &str,
        done: bool,
        out: &mut Vec<AnswerEvent>,
    ) {
        let slot = self.slots.entry(index).or_insert_with(|| Slot::new(Content::reasoning()));
        let Content::Reasoning { parts, source, .. } = &mut slot.content else {
            return;
        };
        if slot.done || text.is_empty() || *source.get_or_insert(said.0) != said.0 {
            return;
        }
        let gap = if parts.opens_another(said.1) { "\n\n" } else { "" };
        let shown = if done {
            parts.settle(said.1, text)
        } else {
            parts.append(said.1, text);
            Some(text.to_owned())
        };
        if let Some(shown) = shown {
            out.push(AnswerEvent::ThinkingDelta([gap, &shown].concat()));
        }
    }

    fn arguments(&mut self, index: u64, text: &str, done: bool) {
        let slot = self.slots.entry(index).or_insert_with(|| Slot::new(Content::call()));
        if let Content::Call { arguments, complete, .. } = &mut slot.content
            && !slot.done
        {
            if !done {
                arguments.push_str(text);
                return;
            }
            *complete = true;
            if !text.is_empty() {
                text.clone_into(arguments);
            }
        }
    }

    fn item_added(&mut self, index: u64, item: &OutputItem<'_>) {
        let Some(mut content) = Content::of_kind(item.kind()) else {
            return;
        };
        match &mut content {
            Content::Message { phase, .. } => *phase = item.phase.owned(),
            Content::Call { call_id, name, .. } => {
                *call_id = item.call_id.owned().unwrap_or_default();
                *name = item.name.owned().unwrap_or_default();
            }
            Content::Reasoning { .. } | Content::Other => {}
        }
        self.slots.entry(index).or_insert_with(|| Slot::new(content));
    }

    /// Takes an item as the service finally has it.
    fn item_done(&mut self, index: u64, item: &OutputItem<'_>, out: &mut Vec<AnswerEvent>) {
        let Some(empty) = Content::of_kind(item.kind()) else {
            return;
        };
        let slot = self.slots.entry(index).or_insert_with(|| Slot::new(Content::Other));
        if std::mem::discriminant(&slot.content) != std::mem::discriminant(&empty) {
            slot.content = empty;
        }
        slot.done = true;
        match &mut slot.content {
            Content::Message { parts, phase } => {
                if let Some(said) = item.phase.owned() {
                    *phase = Some(said);
                }
                let first = parts.is_empty();
                if let Some(tail) = parts.replace(texts(item.content).concat(), "") {
                    self.draft.text(first, &tail, out);
                }
            }
            Content::Reasoning { parts, replay, ended, .. } => {
                *replay = item.replay();
                if let Some(tail) = parts.replace(item.thinking(), "\n\n") {
                    out.push(AnswerEvent::ThinkingDelta(tail));
                }
                end_thinking(parts, ended, out);
            }
            Content::Call { call_id, name, arguments, complete } => {
                if let Some(said) = item.call_id.owned() {
                    *call_id = said;
                }
                if let Some(said) = item.name.owned() {
                    *name = said;
                }
                if let Some(said) = item.arguments().filter(|said| !said.is_empty()) {
                    *arguments = said;
                }
                *complete = item.status.as_str() != "incomplete";
            }
            Content::Other => {}
        }
    }

    /// Adds what only the terminal event tells.
    ///
    /// Unless the answer is `complete`, a call has to say so of itself to count.
    fn fill_gaps(&mut self, output: &[OutputItem<'_>], complete: bool, out: &mut Vec<AnswerEvent>) {
        let numbered = || (0_u64..).zip(output);
        // Some servers leave items out here, so that positions do not match.
        let aligned = numbered().all(|(index, item)| {
            let kind = Content::of_kind(item.kind());
            self.slots.get(&index).zip(kind).is_none_or(|(slot, kind)| {
                std::mem::discriminant(&slot.content) == std::mem::discriminant(&kind)
            })
        });
        if !aligned {
            return;
        }
        for (index, item) in numbered() {
            match self.slots.get_mut(&index) {
                Some(Slot { done: true, content: Content::Reasoning { replay: replay @ None, .. } }) => {
                    *replay = item.replay();
                }
                Some(Slot { done: true, .. }) => {}
                _ if !complete && item.kind() == "function_call" && item.status.as_str() != "completed" => {}
                _ => self.item_done(index, item, out),
            }
        }
    }

    fn terminal(
        &mut self,
        response: &Response<'_>,
        status: &str,
        out: &mut Vec<AnswerEvent>,
    ) -> Result<Progress, Failure> {
        let reported = response.error.and_then(|error| serde_json::from_str::<Value>(error.get()).ok());
        let stop = match status {
            "failed" => {
                return Err(Failure::reported(Report::from_json(&reported.unwrap_or_default())));
            }
            "incomplete" => {
                let details: Value = parse(response.incomplete_details).unwrap_or_default();
                let reason = details["reason"].as_str();
                match ending::stop(reason, ENDINGS)? {
                    // It is not complete, whatever the reason.
                    None | Some(StopReason::Unknown(_)) => {
                        let reason = reason.unwrap_or("no reason given");
                        let message = format!("the answer was left incomplete: {reason}");
                        return Err(Failure::new(Class::Server, message));
                    }
                    stop => stop,
                }
            }
            "" => None,
            status => ending::stop(Some(status), ENDINGS)?,
        };
        let is_complete = stop != Some(StopReason::Length);
        self.draft.start(out);
        let output: Vec<&RawValue> = parse(response.output).unwrap_or_default();
        let output: Vec<OutputItem<'_>> = output.into_iter().filter_map(|item| parse(Some(item))).collect();
        self.fill_gaps(&output, is_complete, out);
        self.draft.usage = parse(response.usage).map(|usage| normalised(&usage));
        self.finish_with(stop, out)?;
        Ok(Progress::Finished)
    }

    fn finish_with(&mut self, stop: Option<StopReason>, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        for slot in self.slots.values_mut() {
            if let Content::Reasoning { parts, ended, .. } = &mut slot.content {
                end_thinking(parts, ended, out);
            }
        }
        let blocks = self.blocks(stop != Some(StopReason::Length));
        self.draft.finish(blocks, stop, out)
    }

    /// What has been received. `ended`: the service says that the answer is complete, so that a call
    /// whose arguments are counts even without its own `done`.
    fn blocks(&self, ended: bool) -> Vec<Block> {
        self.slots.values().filter_map(|slot| slot.block(ended)).collect()
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure> {
        if event.data == "[DONE]" {
            return Ok(Progress::More);
        }
        let Some(data) = self.draft.read::<Event<'_>>(event)? else {
            return Ok(Progress::More);
        };
        let kind = if data.kind.is_some() { data.kind.as_str() } else { event.name };
        if kind == "error" || (kind.is_empty() && data.error.is_some()) {
            return Err(Failure::reported(Report::from_body(event.data.as_bytes())));
        }
        let Some(kind) = kind.strip_prefix("response.") else {
            return Ok(Progress::More);
        };
        let index = data.output_index.0.unwrap_or(self.current);
        self.current = index;
        let content = data.content_index.0.unwrap_or_default();
        let summary = data.summary_index.0.unwrap_or_default();
        let (delta, text) = (data.delta.as_str(), data.text.as_str());
        match kind {
            "output_text.delta" | "refusal.delta" => {
                self.draft.start(out);
                self.text_delta(index, content, delta, out);
            }
            "function_call_arguments.delta" => self.arguments(index, delta, false),
            "reasoning_summary_text.delta" => {
                self.draft.start(out);
                self.thinking(index, (Source::Summary, summary), delta, false, out);
            }
            "reasoning_text.delta" => {
                self.draft.start(out);
                self.thinking(index, (Source::Raw, content), delta, false, out);
            }
            "output_text.done" => self.text_done(index, content, text, out),
            "refusal.done" => self.text_done(index, content, data.refusal.as_str(), out),
            "function_call_arguments.done" => self.arguments(index, data.arguments.as_str(), true),
            "reasoning_summary_text.done" => {
                self.thinking(index, (Source::Summary, summary), text, true, out)
            }
            "reasoning_text.done" => self.thinking(index, (Source::Raw, content), text, true, out),
            "output_item.added" | "output_item.done" => {
                self.draft.start(out);
                let Some(item) = parse(data.item) else {
                    return Ok(Progress::More);
                };
                // Without an index an item follows those there are.
                if data.output_index.0.is_none() && kind == "output_item.added" {
                    self.current = self.slots.last_key_value().map_or(0, |(last, _)| last + 1);
                }
                match kind {
                    "output_item.added" => self.item_added(self.current, &item),
                    _ => self.item_done(self.current, &item, out),
                }
            }
            "queued" | "created" | "in_progress" | "completed" | "done" | "incomplete" | "failed"
            | "cancelled" => {
                let Some(response) = parse::<Response<'_>>(data.response) else {
                    let message = "the final event could not be read";
                    return match kind {
                        "queued" | "created" | "in_progress" => Ok(Progress::More),
                        _ => Err(Failure::new(Class::Server, message)),
                    };
                };
                self.draft.reported(&response.id, &response.model);
                return match kind {
                    "queued" | "created" | "in_progress" => {
                        self.draft.start(out);
                        Ok(Progress::More)
                    }
                    "done" => self.terminal(&response, response.status.as_str(), out),
                    kind => self.terminal(&response, kind, out),
                };
            }
            _ => {}
        }
        Ok(Progress::More)
    }

    fn whole(&mut self, body: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let Ok(response) = serde_json::from_str::<Response<'_>>(body) else {
            return Err(Failure::new(Class::Cut, "the answer could not be read to its end"));
        };
        if response.output.is_none() {
            return Err(Failure::reported(Report::from_body(body.as_bytes())));
        }
        self.draft.reported(&response.id, &response.model);
        let status = if response.error.is_some() { "failed" } else { response.status.as_str() };
        self.terminal(&response, status, out).map(|_| ())
    }

    fn end(&mut self, _: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        Err(self.draft.cut())
    }

    fn cut_short(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        self.finish_with(Some(StopReason::Length), out)
    }
}

impl Slot {
    fn new(content: Content) -> Self {
        Self { content, done: false }
    }

    fn block(&self, ended: bool) -> Option<Block> {
        match &self.content {
            Content::Message { parts, phase } => {
                let text = parts.joined("");
                (!text.is_empty()).then(|| Block::Text { text, phase: phase.clone() })
            }
            Content::Reasoning { parts, replay, .. } => {
                let text = parts.joined("\n\n");
                let kept = !text.is_empty() || replay.is_some();
                kept.then(|| Block::Thinking { text, replay: replay.clone() })
            }
            Content::Call { call_id, name, arguments, complete } => {
                let usable = *complete && (self.done || ended);
                let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
                usable.then(|| {
                    Block::ToolCall(ToolCall {
                        call_id: call_id.clone(),
                        name: name.clone(),
                        arguments: arguments.to_owned(),
                    })
                })
            }
            Content::Other => None,
        }
    }
}

impl Content {
    fn message() -> Self {
        Self::Message { parts: Parts::default(), phase: None }
    }

    fn reasoning() -> Self {
        Self::Reasoning { parts: Parts::default(), source: None, replay: None, ended: false }
    }

    fn call() -> Self {
        Self::Call { call_id: String::new(), name: String::new(), arguments: String::new(), complete: false }
    }

    /// An empty item of this type; `None` where the type is not told.
    fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "message" => Self::message(),
            "reasoning" => Self::reasoning(),
            "function_call" => Self::call(),
            "" => return None,
            _ => Self::Other,
        })
    }
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether text for this part would begin a part after others.
    fn opens_another(&self, index: u64) -> bool {
        !self.is_empty() && self.0.iter().all(|(known, _)| *known != index)
    }

    fn part(&mut self, index: u64) -> &mut String {
        let at = match self.0.iter().rposition(|(known, _)| *known <= index) {
            Some(at) if self.0[at].0 == index => at,
            before => {
                let at = before.map_or(0, |before| before + 1);
                self.0.insert(at, (index, String::new()));
                at
            }
        };
        &mut self.0[at].1
    }

    fn append(&mut self, index: u64, delta: &str) {
        self.part(index).push_str(delta);
    }

    /// Sets a part to what it finally is. Returns what deltas have not told, if they told the rest.
    fn settle(&mut self, index: u64, whole: &str) -> Option<String> {
        if whole.is_empty() {
            return None;
        }
        let is_last = self.0.last().is_none_or(|(last, _)| *last <= index);
        let part = self.part(index);
        let tail =
            whole.strip_prefix(part.as_str()).filter(|tail| is_last && !tail.is_empty()).map(str::to_owned);
        whole.clone_into(part);
        tail
    }

    /// The same for all parts at once.
    fn replace(&mut self, whole: String, gap: &str) -> Option<String> {
        if whole.is_empty() {
            return None;
        }
        let told = self.joined(gap);
        let tail = whole.strip_prefix(&told).filter(|tail| !tail.is_empty()).map(str::to_owned);
        self.0 = vec![(0, whole)];
        tail
    }

    fn joined(&self, gap: &str) -> String {
        let texts = self.0.iter().map(|(_, text)| text.as_str()).filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>().join(gap)
    }
}

fn end_thinking(parts: &Parts, ended: &mut bool, out: &mut Vec<AnswerEvent>) {
    if !std::mem::replace(ended, true) && !parts.is_empty() {
        out.push(AnswerEvent::ThinkingEnd(parts.joined("\n\n")));
    }
}

fn normalised(usage: &Value) -> Usage {
    let count = |pointer| count(usage, pointer).unwrap_or(0);
    let (input_total, output_total) = (count("/input_tokens"), count("/output_tokens"));
    Usage {
        input_total,
        input_cached: count("/input_tokens_details/cached_tokens"),
        input_cache_write: count("/input_tokens_details/cache_write_tokens"),
        output_total,
        output_reasoning: count("/output_tokens_details/reasoning_tokens"),
        total: match count("/total_tokens") {
            0 => input_total.saturating_add(output_total),
            total => total,
        },
    }
}

#[cfg(test)]
mod tests;

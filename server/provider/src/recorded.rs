//! Streams played to a decoder: recorded ones whole, in pieces and cut off, and made-up ones as a story.

use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::Expect;
use serde_json::{Value, json};

use crate::classify::{Class, Failure};
use crate::decoding::{Decoding, MAX_TEXT};
use crate::draft::Draft;
use crate::samples::request;
use crate::service::Decode;
use crate::{Answer, AnswerEvent, Block, Request, StopReason, ToolCall, sse};

/// A decoder whose inside can be looked at.
pub(crate) trait Inspect: Decode + Sized {
    /// What the names of its recordings begin with.
    const API: &str;
    fn new(draft: Draft) -> Self;
    fn draft(&self) -> &Draft;
    /// What has been received.
    fn blocks(&self) -> Vec<Block>;
}

/// What came of a stream.
pub(crate) struct Played<D> {
    pub(crate) events: Vec<AnswerEvent>,
    pub(crate) failure: Option<Failure>,
    decoder: D,
}

pub(crate) fn play<'a, D: Inspect>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Played<D> {
    let mut stream = sse::Decoder::default();
    let decoder = D::new(Draft::new(&Request { model: "asked-for".into(), ..request(vec![]) }, "work"));
    let mut decoding = Decoding::new(decoder, Duration::from_secs(2));
    let mut events = Vec::new();
    let mut take = |event: sse::Event<'_>| decoding.event(&event, &mut events);
    let fed = pieces.into_iter().try_for_each(|piece| stream.feed(piece, &mut take));
    let ended = fed.and_then(|()| stream.finish(&mut take)).and_then(|()| decoding.end(&mut events));
    Played { events, failure: ended.err(), decoder: decoding.decoder }
}

/// Plays an answer that never ends, in events with a mebibyte of text in place of `TEXT`.
#[track_caller]
pub(crate) fn check_endless<D: Inspect>(event: &str) {
    let event = format!("data: {}\n\n", event.replace("TEXT", &"x".repeat(1 << 20)));
    let played = play::<D>(std::iter::repeat_n(event.as_bytes(), 20));
    assert!(played.failure.is_none(), "{:?}", played.failure);
    let answer = played.answer().unwrap();
    assert_eq!(answer.stop, StopReason::Length);
    assert_eq!(answer.text().len(), MAX_TEXT + (1 << 20));
}

impl<D: Inspect> Played<D> {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.events.iter().find_map(|event| match event {
            AnswerEvent::Finished(answer) => Some(&**answer),
            _ => None,
        })
    }

    pub(crate) fn told(&self) -> String {
        let text = |event: &AnswerEvent| match event {
            AnswerEvent::TextDelta(delta) => Some(delta.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    /// In the shape of the recorded expectations.
    fn shown(&self) -> Value {
        let mut without_calls = self.decoder.blocks();
        without_calls.retain(|block| !matches!(block, Block::ToolCall(_)));
        let blocks = self.answer().map_or(&without_calls, |answer| &answer.blocks);
        let texts: Vec<&str> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let stop = self.answer().map_or("error", |answer| match answer.stop {
            StopReason::Stop => "stop",
            StopReason::ToolUse => "tool_use",
            StopReason::Length => "length",
            StopReason::Paused => "paused",
            StopReason::Unknown(_) => "unknown",
        });
        let error = self.failure.clone().map(|failure| {
            let cut = failure.class == Class::Cut;
            json!({
                "class": failure.class.name(),
                "code": failure.code,
                "message": (!cut).then_some(&failure.message),
                "retry_after_ms": failure.retry_after.map(|pause| pause.as_millis()),
                "retryable": failure.into_error("p", "m").is_retryable(),
            })
        });
        let draft = self.decoder.draft();
        json!({
            "api": D::API,
            "outcome": if self.failure.is_none() { "ok" } else { "error" },
            "stop_reason": stop,
            "error": error,
            "response_id": draft.response_id,
            "model": draft.model,
            "blocks": blocks.iter().map(show_block).collect::<Vec<_>>(),
            "text": texts.concat(),
            "usage": draft.usage.map(|usage| json!({
                "input_total": usage.input_total,
                "input_cached": usage.input_cached,
                "input_cache_write": usage.input_cache_write,
                "output_total": usage.output_total,
                "output_reasoning": usage.output_reasoning,
                "total": usage.total,
            })),
        })
    }
}

fn show_block(block: &Block) -> Value {
    match block {
        Block::Thinking { text, replay } => {
            json!({ "type": "thinking", "text": text, "replay": replay.as_deref().map(show_replay) })
        }
        Block::Text { text, phase: None } => json!({ "type": "text", "text": text }),
        Block::Text { text, phase } => json!({ "type": "text", "text": text, "phase": phase }),
        Block::ToolCall(ToolCall { call_id, name, arguments }) => {
            let arguments: Value = serde_json::from_str(arguments).unwrap();
            json!({ "type": "tool_call", "call_id": call_id, "name": name, "arguments": arguments })
        }
    }
}

/// What the service signed or encrypted of some thinking; plain words that may go back are not shown.
fn show_replay(item: &str) -> Value {
    let mut item: Value = serde_json::from_str(item).unwrap();
    let fields = item.as_object_mut().unwrap();
    fields.retain(|name, _| ["id", "encrypted_content", "signature"].contains(&name.as_str()));
    if fields.is_empty() { Value::Null } else { item }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The names of all recorded streams.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(fixtures()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".sse").map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn every_recording_belongs_to_a_family() {
    let families = ["responses_", "chat_", "anthropic_"];
    for name in names() {
        assert!(families.iter().any(|family| name.starts_with(family)), "{name}");
    }
}

/// All recordings of a family.
pub(crate) fn check_recordings<D: Inspect>() {
    let names: Vec<String> = names().into_iter().filter(|name| name.starts_with(D::API)).collect();
    assert!(!names.is_empty());
    for name in names {
        let stream = std::fs::read(fixtures().join(format!("{name}.sse"))).unwrap();
        let expected =
            std::fs::read_to_string(fixtures().join("expected").join(format!("{name}.json"))).unwrap();
        check_recording::<D>(&name, &stream, &expected);
    }
}

#[track_caller]
fn check_recording<D: Inspect>(name: &str, stream: &[u8], expected: &str) {
    let mut expected: Value = serde_json::from_str(expected).unwrap();
    for not_shown in ["fixture", "events"] {
        expected.as_object_mut().unwrap().remove(not_shown);
    }
    let whole = play::<D>([stream]);
    assert_eq!(whole.shown(), expected, "{name}, whole");
    assert_eq!(play::<D>(stream.chunks(1)).events, whole.events, "{name}, byte by byte");

    // Pieces of changing sizes, the same in every run.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..50 {
        let mut pieces = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let (piece, tail) = rest.split_at((seed % 300 + 1).min(rest.len() as u64) as usize);
            pieces.push(piece);
            rest = tail;
        }
        let played = play::<D>(pieces);
        assert_eq!(played.events, whole.events, "{name}, round {round}");
        assert_eq!(played.failure, whole.failure, "{name}, round {round}");
    }
    if let Some(answer) = whole.answer() {
        assert_eq!(whole.told(), answer.text(), "{name}");
    }
    check_cuts(name, stream, &whole);
}

/// A stream that breaks off anywhere yields the same answer or none. What it cost may come last.
#[track_caller]
fn check_cuts<D: Inspect>(name: &str, stream: &[u8], whole: &Played<D>) {
    for at in 0..stream.len() {
        let cut = play::<D>([&stream[..at]]);
        match (cut.answer(), &cut.failure) {
            (Some(answer), None) => {
                let mut same = whole.answer().unwrap().clone();
                same.usage = answer.usage.and(same.usage);
                assert_eq!(*answer, same, "{name} cut at {at}");
            }
            (None, Some(failure)) => {
                let started = cut.decoder.draft().any_readable();
                let as_whole = Some(failure) == whole.failure.as_ref();
                assert!(
                    as_whole || failure.class == Class::Cut || !started,
                    "{name} cut at {at}: {failure:?}"
                );
            }
            other => panic!("{name} cut at {at}: {other:?}"),
        }
    }
}

pub(crate) fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// The events of a stream, one a line, an answer in full.
#[track_caller]
pub(crate) fn check<D: Inspect>(events: &[Value], shown: Expect) {
    check_stream::<D>(&stream(events), shown);
}

#[track_caller]
pub(crate) fn check_stream<D: Inspect>(stream: &str, shown: Expect) {
    let played = play::<D>([stream.as_bytes()]);
    let mut lines = String::new();
    for event in &played.events {
        let line = match event {
            AnswerEvent::Started => "started".into(),
            AnswerEvent::ThinkingDelta(delta) => format!("thinking {delta:?}"),
            AnswerEvent::ThinkingEnd(text) => format!("thinking end {text:?}"),
            AnswerEvent::TextDelta(delta) => format!("text {delta:?}"),
            AnswerEvent::Finished(answer) => {
                assert_eq!(played.told(), answer.text());
                let blocks: Vec<String> =
                    answer.blocks.iter().map(|block| format!("\n  {block:?}")).collect();
                format!("{:?}{}", answer.stop, blocks.concat())
            }
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    if let Some(failure) = played.failure {
        lines.push_str(&format!("{:?} {}\n", failure.class, failure.message));
    }
    shown.assert_eq(&lines);
}

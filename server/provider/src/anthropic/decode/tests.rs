use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::recorded::{self, Inspect, check_recordings};

impl Inspect for Decoder {
    const API: &str = "anthropic";

    fn new(draft: Draft) -> Self {
        Self::new(draft)
    }

    fn draft(&self) -> &Draft {
        &self.draft
    }

    fn blocks(&self) -> Vec<Block> {
        self.blocks(false)
    }
}

#[test]
fn recorded_streams() {
    check_recordings::<Decoder>();
}

#[track_caller]
fn check(events: &[Value], shown: Expect) {
    recorded::check::<Decoder>(events, shown);
}

fn start(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, kind: &str, field: &str, text: &str) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": { "type": kind, field: text } })
}

fn text(index: u64, text: &str) -> Value {
    delta(index, "text_delta", "text", text)
}

fn thinking(index: u64, text: &str) -> Value {
    delta(index, "thinking_delta", "thinking", text)
}

fn signature(index: u64, text: &str) -> Value {
    delta(index, "signature_delta", "signature", text)
}

fn call(index: u64, input: Value) -> Value {
    start(index, json!({ "type": "tool_use", "id": "toolu_1", "name": "run", "input": input }))
}

fn input(index: u64, text: &str) -> Value {
    delta(index, "input_json_delta", "partial_json", text)
}

fn stopped(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn reason(reason: &str) -> Value {
    json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 3 } })
}

fn end() -> Value {
    json!({ "type": "message_stop" })
}

#[test]
fn thinking_between_the_blocks() {
    check(
        &[
            thinking(0, "A"),
            signature(0, "s1"),
            stopped(0),
            text(1, "B"),
            stopped(1),
            start(2, json!({ "type": "redacted_thinking", "data": "x/=" })),
            stopped(2),
            start(3, json!({ "type": "thinking", "thinking": "", "signature": "s2" })),
            text(4, "C"),
            thinking(5, "unsigned"),
            call(6, json!({})),
            input(6, ""),
            input(6, "{\"a\""),
            input(6, ":1}"),
            reason("tool_use"),
            end(),
        ],
        expect![[r#"
            started
            thinking "A"
            thinking end "A"
            text "B"
            text "\n\nC"
            thinking "unsigned"
            thinking end "unsigned"
            ToolUse
              Thinking { text: "A", replay: Some("{\"type\":\"thinking\",\"thinking\":\"A\",\"signature\":\"s1\"}") }
              Text { text: "B", phase: None }
              Thinking { text: "", replay: Some("{\"type\":\"redacted_thinking\",\"data\":\"x/=\"}") }
              Thinking { text: "", replay: Some("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s2\"}") }
              Text { text: "C", phase: None }
              Thinking { text: "unsigned", replay: None }
              ToolCall(ToolCall { call_id: "toolu_1", name: "run", arguments: "{\"a\":1}" })
        "#]],
    );
}

#[test]
fn the_input_may_be_given_at_once_or_not_at_all() {
    check(
        &[call(0, json!({ "a": 1 })), stopped(0), end()],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "toolu_1", name: "run", arguments: "{\"a\":1}" })
    "#]],
    );
    check(
        &[call(0, json!({})), stopped(0), end()],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "toolu_1", name: "run", arguments: "{}" })
    "#]],
    );
    check(
        &[call(0, json!({})), input(0, "{broken"), stopped(0), end()],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "toolu_1", name: "run", arguments: "{broken" })
    "#]],
    );
}

#[test]
fn endings() {
    check(
        &[text(0, "A"), reason("max_tokens"), end()],
        expect![[r#"
        started
        text "A"
        Length
          Text { text: "A", phase: None }
    "#]],
    );
    check(
        &[call(0, json!({})), input(0, "{\"a\":"), stopped(0), reason("max_tokens"), end()],
        expect![[r#"
        started
        Length
    "#]],
    );
    check(
        &[call(0, json!({})), stopped(0), reason("max_tokens"), end()],
        expect![[r#"
        started
        Length
    "#]],
    );
    for (other, stop) in [
        ("stop_sequence", StopReason::Stop),
        ("pause_turn", StopReason::Paused),
        ("something_new", StopReason::Unknown("something_new".into())),
    ] {
        let events = [text(0, "A"), reason(other), end()];
        let played = recorded::play::<Decoder>([recorded::stream(&events).as_bytes()]);
        assert_eq!(played.answer().unwrap().stop, stop, "{other}");
    }
    // With its results the model goes on by itself.
    let events = [call(0, json!({})), reason("pause_turn"), end()];
    let played = recorded::play::<Decoder>([recorded::stream(&events).as_bytes()]);
    assert_eq!(played.answer().unwrap().stop, StopReason::ToolUse);
    check(
        &[text(0, "A"), reason("network_error"), end()],
        expect![[r#"
            started
            text "A"
            Server the service broke the answer off (network_error)
        "#]],
    );
    check(
        &[text(0, "A"), reason("refusal"), end()],
        expect![[r#"
        started
        text "A"
        ContentFilter the model declined to answer: no reason given
    "#]],
    );
    let mut refusal = reason("refusal");
    refusal["delta"]["stop_details"] = json!({ "type": "refusal", "explanation": "not that" });
    check(
        &[refusal, end()],
        expect![[r#"
        ContentFilter the model declined to answer: not that
    "#]],
    );
    check(
        &[text(0, "A"), reason("model_context_window_exceeded"), end()],
        expect![[r#"
        started
        text "A"
        ContextOverflow the answer ran into the end of the context window
    "#]],
    );
    // The last event may be missing, if the one before it came.
    check(
        &[text(0, "A"), reason("end_turn")],
        expect![[r#"
        started
        text "A"
        Stop
          Text { text: "A", phase: None }
    "#]],
    );
    check(
        &[text(0, "A"), stopped(0)],
        expect![[r#"
        started
        text "A"
        Cut the stream ended before its final event
    "#]],
    );
}

#[test]
fn a_call_without_a_name_is_kept_to_be_answered() {
    check(
        &[
            start(0, json!({ "type": "tool_use", "id": "toolu_1" })),
            input(0, "{}"),
            reason("tool_use"),
            end(),
        ],
        expect![[r#"
            started
            ToolUse
              ToolCall(ToolCall { call_id: "toolu_1", name: "unnamed", arguments: "{}" })
        "#]],
    );
}

#[test]
fn half_a_character_waits_for_the_other_half() {
    let delta = |index: u64, delta: &str| {
        format!("data: {{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{{{delta}}}}}\n\n")
    };
    let halves = delta(0, r#""type":"thinking_delta","thinking":"\ud83d""#)
        + &delta(0, r#""type":"thinking_delta","thinking":"\ude00""#)
        + &delta(0, r#""type":"signature_delta","signature":"s""#)
        + &delta(1, r#""type":"text_delta","text":"hi \ud83d""#)
        + &delta(1, r#""type":"text_delta","text":"\ude00 there\ud83d""#);
    let end = recorded::stream(&[reason("end_turn"), end()]);
    recorded::check_stream::<Decoder>(
        &(halves + &end),
        expect![[r#"
        started
        thinking "😀"
        text "hi "
        text "😀 there"
        thinking end "😀"
        text "�"
        Stop
          Thinking { text: "😀", replay: Some("{\"type\":\"thinking\",\"thinking\":\"😀\",\"signature\":\"s\"}") }
          Text { text: "hi 😀 there�", phase: None }
    "#]],
    );
}

#[test]
fn a_damaged_event_is_no_gap() {
    let damaged = "data: {\"type\":\"content_block_delta\",\n\n";
    let stream = recorded::stream(&[text(0, "A")]) + damaged + &recorded::stream(&[end()]);
    recorded::check_stream::<Decoder>(
        &stream,
        expect![[r#"
        started
        text "A"
        Cut an event of the stream cannot be read: EOF while parsing a value at line 1 column 30
    "#]],
    );
}

#[test]
fn errors() {
    let error =
        |kind: &str, message: &str| json!({ "type": "error", "error": { "type": kind, "message": message } });
    check(
        &[text(0, "A"), error("overloaded_error", "Overloaded")],
        expect![[r#"
        started
        text "A"
        Server Overloaded
    "#]],
    );
    check(
        &[error("rate_limit_error", "This would exceed your organization's rate limit")],
        expect![[r#"
        RateLimit This would exceed your organization's rate limit
    "#]],
    );
    check(
        &[error("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum")],
        expect![[r#"
        ContextOverflow prompt is too long: 2 tokens > 1 maximum
    "#]],
    );
    check(
        &[error("invalid_request_error", "max_tokens: too many")],
        expect![[r#"
        InvalidRequest max_tokens: too many
    "#]],
    );
    check(
        &[error("timeout_error", "")],
        expect![[r#"
        Server the service did not say why
    "#]],
    );
}

#[test]
fn counts_are_totals() {
    let begin = json!({ "type": "message_start", "message": { "id": "m1", "model": "c", "usage": {
        "input_tokens": 10, "cache_read_input_tokens": null, "cache_creation_input_tokens": 5, "output_tokens": 1,
    } } });
    let later = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": {
        "input_tokens": null, "cache_read_input_tokens": 20, "output_tokens": 7,
        "output_tokens_details": { "thinking_tokens": 4 },
    } });
    let events = [begin, text(0, "A"), later, end()];
    let played = recorded::play::<Decoder>([recorded::stream(&events).as_bytes()]);
    expect!["Usage { input_total: 35, input_cached: 20, input_cache_write: 5, output_total: 7, output_reasoning: 4, total: 42 }"].assert_eq(&format!("{:?}", played.answer().unwrap().usage.unwrap()));
}

#[test]
fn what_is_unknown_or_odd_is_read_past() {
    check(
        &[
            json!({ "type": "ping" }),
            json!({ "type": "message_start", "message": null }),
            json!([1]),
            json!({ "type": "something_new", "delta": {} }),
            start(0, json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} })),
            input(0, "{}"),
            text(0, "not text of that"),
            start(1, json!({ "type": "text", "text": "Hi" })),
            json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "citations_delta", "citation": {} } }),
            json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": "!" } }),
            json!({ "type": "content_block_delta", "index": 1, "delta": null }),
            json!({ "type": "content_block_stop", "index": 9 }),
            end(),
            text(1, "after the end"),
        ],
        expect![[r#"
            started
            text "Hi"
            text "!"
            Stop
              Text { text: "Hi!", phase: None }
        "#]],
    );
}

#[test]
fn an_answer_may_come_whole() {
    let whole = |body: &str| {
        let mut decoder = Decoder::new(Draft::new(&crate::samples::request(vec![]), "work"));
        let mut out = Vec::new();
        decoder.whole(body, &mut out).map(|()| out.pop()).map_err(|failure| (failure.class, failure.message))
    };
    let body = json!({
        "type": "message", "id": "m1", "model": "c", "stop_reason": "tool_use",
        "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "s" },
            { "type": "text", "text": "Yes." },
            { "type": "tool_use", "id": "toolu_1", "name": "run", "input": { "a": 1 } },
        ],
        "usage": { "input_tokens": 1, "output_tokens": 2 },
    });
    let Ok(Some(AnswerEvent::Finished(answer))) = whole(&body.to_string()) else { panic!() };
    assert_eq!((answer.text().as_str(), &answer.stop), ("Yes.", &StopReason::ToolUse));
    assert_eq!(answer.tool_calls().next().unwrap().arguments, r#"{"a":1}"#);
    assert!(answer.has_replay());
    let class = |body: &str| whole(body).unwrap_err().0;
    assert_eq!(class(r#"{"content":["#), Class::Cut);
    assert_eq!(
        class(r#"{"type":"error","error":{"type":"rate_limit_error","message":"no"}}"#),
        Class::RateLimit
    );
}

#[test]
fn an_answer_without_end_is_cut_short() {
    recorded::check_endless::<Decoder>(
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}"#,
    );
}

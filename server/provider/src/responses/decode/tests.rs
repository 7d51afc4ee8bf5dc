use serde_json::json;

use super::*;
use crate::recorded::{self, Inspect, Played, check_recordings, stream};

impl Inspect for Decoder {
    const API: &str = "responses";

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
fn check(events: &[Value], shown: expect_test::Expect) {
    recorded::check::<Decoder>(events, shown);
}

fn play<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Played<Decoder> {
    recorded::play(pieces)
}

fn text(index: u64, delta: &str) -> Value {
    json!({ "type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": delta })
}

fn done(index: u64, item: Value) -> Value {
    json!({ "type": "response.output_item.done", "output_index": index, "item": item })
}

fn message(text: &str) -> Value {
    json!({ "type": "message", "content": [{ "type": "output_text", "text": text }] })
}

fn call(name: &str, arguments: &str) -> Value {
    json!({ "type": "function_call", "call_id": "call_1", "name": name, "arguments": arguments })
}

fn completed(output: &[Value]) -> Value {
    json!({ "type": "response.completed", "response": { "output": output } })
}

mod stories {
    use expect_test::expect;

    use super::*;

    #[test]
    fn blocks_of_text_are_parted_by_a_blank_line() {
        check(
            &[text(0, "One"), text(0, "."), text(1, "Two."), text(1, " Three."), completed(&[])],
            expect![[r#"
                started
                text "One"
                text "."
                text "\n\nTwo."
                text " Three."
                Stop
                  Text { text: "One.", phase: None }
                  Text { text: "Two. Three.", phase: None }
            "#]],
        );
    }

    #[test]
    fn done_tells_what_deltas_did_not() {
        check(
            &[text(0, "One"), done(0, message("One two.")), done(1, message("Three.")), completed(&[])],
            expect![[r#"
                started
                text "One"
                text " two."
                text "\n\nThree."
                Stop
                  Text { text: "One two.", phase: None }
                  Text { text: "Three.", phase: None }
            "#]],
        );
    }

    #[test]
    fn done_wins_where_deltas_differ_and_an_empty_one_does_not() {
        let deltas =
            json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": "\u{1}x" });
        check(
            &[
                deltas.clone(),
                done(0, call("run", r#"{"a":1}"#)),
                text(1, "kept"),
                done(1, message("")),
                completed(&[]),
            ],
            expect![[r#"
                started
                text "kept"
                ToolUse
                  ToolCall(ToolCall { call_id: "call_1", name: "run", arguments: "{\"a\":1}" })
                  Text { text: "kept", phase: None }
            "#]],
        );
    }

    #[test]
    fn the_final_event_fills_gaps() {
        let reasoning =
            json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "blob" });
        let bare = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": null });
        check(
            &[done(0, bare), text(1, "Hel"), completed(&[reasoning, message("Hello."), call("run", "")])],
            expect![[r#"
                started
                text "Hel"
                text "lo."
                ToolUse
                  Thinking { text: "", replay: Some("{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_content\":\"blob\"}") }
                  Text { text: "Hello.", phase: None }
                  ToolCall(ToolCall { call_id: "call_1", name: "run", arguments: "{}" })
            "#]],
        );
    }

    #[test]
    fn an_output_that_leaves_items_out_fills_nothing() {
        let reasoning =
            json!({ "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Hm." }] });
        check(
            &[done(0, reasoning), done(1, call("run", "{}")), completed(&[call("run", "{}")])],
            expect![[r#"
                started
                thinking "Hm."
                thinking end "Hm."
                ToolUse
                  Thinking { text: "Hm.", replay: None }
                  ToolCall(ToolCall { call_id: "call_1", name: "run", arguments: "{}" })
            "#]],
        );
    }

    #[test]
    fn summaries_and_raw_thinking() {
        let summary = |part: u64, delta: &str| {
            json!({
                "type": "response.reasoning_summary_text.delta", "output_index": 0,
                "summary_index": part, "delta": delta,
            })
        };
        let raw = |delta: &str| json!({ "type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": delta });
        check(
            &[summary(0, "A"), summary(1, "B"), raw("C"), summary(1, "b"), text(1, "D"), completed(&[])],
            expect![[r#"
                started
                thinking "A"
                thinking "\n\nB"
                thinking "b"
                text "D"
                thinking end "A\n\nBb"
                Stop
                  Thinking { text: "A\n\nBb", replay: None }
                  Text { text: "D", phase: None }
            "#]],
        );
        check(
            &[raw("A"), raw("b"), text(1, "C"), completed(&[])],
            expect![[r#"
                started
                thinking "A"
                thinking "b"
                text "C"
                thinking end "Ab"
                Stop
                  Thinking { text: "Ab", replay: None }
                  Text { text: "C", phase: None }
            "#]],
        );
    }

    #[test]
    fn a_call_counts_only_when_it_is_done() {
        let added =
            json!({ "type": "response.output_item.added", "output_index": 0, "item": call("run", "") });
        let delta =
            json!({ "type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}" });
        let arguments =
            json!({ "type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{}" });
        check(
            &[added.clone(), delta.clone(), completed(&[])],
            expect![[r#"
                started
                Empty it has neither text nor a tool call
            "#]],
        );
        check(
            &[added.clone(), delta, arguments.clone(), completed(&[])],
            expect![[r#"
                started
                ToolUse
                  ToolCall(ToolCall { call_id: "call_1", name: "run", arguments: "{}" })
            "#]],
        );

        let mut half = call("run", "{");
        half["status"] = json!("incomplete");
        let incomplete = json!({
            "type": "response.incomplete",
            "response": { "output": [half], "incomplete_details": { "reason": "max_output_tokens" } },
        });
        check(
            &[added.clone(), incomplete.clone()],
            expect![[r#"
            started
            Length
        "#]],
        );
        check(
            &[incomplete],
            expect![[r#"
            started
            Length
        "#]],
        );
        check(
            &[added, arguments],
            expect![[r#"
            started
            Cut the stream ended before its final event
        "#]],
        );
    }

    #[test]
    fn other_endings() {
        let ending = |kind: &str, response: Value| json!({ "type": kind, "response": response });
        let filtered = json!({ "incomplete_details": { "reason": "content_filter" } });
        check(
            &[text(0, "A"), ending("response.incomplete", filtered)],
            expect![[r#"
                started
                text "A"
                ContentFilter the answer was stopped by a content filter
            "#]],
        );
        check(
            &[ending("response.incomplete", json!({ "incomplete_details": null }))],
            expect![[r#"
                Server the answer was left incomplete: no reason given
            "#]],
        );
        check(
            &[ending("response.failed", json!({ "error": null }))],
            expect![[r#"
                Server the service did not say why
            "#]],
        );
        check(
            &[ending("response.cancelled", json!({}))],
            expect![[r#"
                Server the service broke the answer off (cancelled)
            "#]],
        );
        check(
            &[text(0, "A"), ending("response.done", json!({ "status": "completed" }))],
            expect![[r#"
                started
                text "A"
                Stop
                  Text { text: "A", phase: None }
            "#]],
        );
        let failed = json!({ "status": "failed", "error": { "code": "server_error", "message": "no" } });
        check(
            &[ending("response.done", failed)],
            expect![[r#"
            Server no
        "#]],
        );
    }

    #[test]
    fn reasons_are_good_or_broken_off_or_filtered_or_told() {
        let check = |kind: &str, response: Value, shown: &str| {
            let event = json!({ "type": kind, "response": response });
            let played = play([stream(&[text(0, "A"), event]).as_bytes()]);
            let stop = played.answer().map(|answer| format!("{:?}", answer.stop));
            let failure = played.failure.map(|failure| format!("{:?}: {}", failure.class, failure.message));
            assert_eq!(stop.or(failure).unwrap(), shown);
        };
        let incomplete = |reason: &str| json!({ "incomplete_details": { "reason": reason } });
        check("response.incomplete", incomplete("max_output_tokens"), "Length");
        let filtered = "ContentFilter: the answer was stopped by a content filter";
        check("response.incomplete", incomplete("content_filter"), filtered);
        check("response.incomplete", incomplete("new"), "Server: the answer was left incomplete: new");
        check("response.done", json!({}), "Stop");
        check("response.done", json!({ "status": "new" }), "Unknown(\"new\")");
        let broken = "Server: the service broke the answer off (in_progress)";
        check("response.done", json!({ "status": "in_progress" }), broken);
    }

    #[test]
    fn a_call_without_a_name_is_kept_to_be_answered() {
        let played = play([stream(&[done(0, call("", "{}")), completed(&[])]).as_bytes()]);
        let call = played.answer().unwrap().tool_calls().next().unwrap().clone();
        assert_eq!((call.call_id.as_str(), call.name.as_str()), ("call_1", crate::UNNAMED));
    }

    #[test]
    fn half_a_character_waits_for_the_other_half() {
        let delta = |delta: &str| {
            let begin = r#"data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"#;
            format!("{begin}\"delta\":\"{delta}\"}}\n\n")
        };
        let whole = "hi \u{1f600} there";
        for end in [vec![completed(&[])], vec![done(0, message(whole)), completed(&[])]] {
            let stream = delta(r"hi \ud83d") + &delta(r"\ude00 there") + &stream(&end);
            let played = play([stream.as_bytes()]);
            assert_eq!((played.told().as_str(), played.answer().unwrap().text().as_str()), (whole, whole));
        }
    }

    #[test]
    fn a_damaged_event_is_no_gap() {
        let damaged = "data: {\"type\":\"response.output_te\n\n";
        let stream = stream(&[text(0, "A")]) + damaged + &stream(&[completed(&[])]);
        assert_eq!(play([stream.as_bytes()]).failure.unwrap().class, Class::Cut);
    }

    #[test]
    fn errors_are_flat_or_nested() {
        check(
            &[json!({ "type": "error", "code": null, "message": "flat", "param": null })],
            expect![[r#"
                Server flat
            "#]],
        );
        let nested =
            json!({ "type": "error", "error": { "code": "rate_limit_exceeded", "message": "nested" } });
        check(
            &[text(0, "A"), nested],
            expect![[r#"
            started
            text "A"
            RateLimit nested
        "#]],
        );
        check(
            &[json!({ "error": { "code": 502, "message": "bare" } })],
            expect![[r#"
                Server bare
            "#]],
        );
    }

    #[test]
    fn what_is_unknown_or_odd_is_read_past() {
        check(
            &[
                json!({ "type": "response.audio.delta", "output_index": null, "delta": { "a": [1, { "b": 2 }] } }),
                json!({ "type": "keepalive" }),
                json!([1, 2]),
                json!({ "type": 7, "output_index": -1.5, "item": null, "response": null }),
                json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "new_thing" } }),
                text(0, "not text of that"),
                done(2, json!({ "type": "web_search_call", "action": {} })),
                json!({ "type": "response.output_text.delta", "delta": "no index" }),
                text(3, "Hi"),
                json!({ "type": "response.output_text.delta", "delta": "!" }),
                completed(&[]),
                text(3, "after the end"),
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
    fn a_call_without_an_id_gets_one() {
        let played = play([stream(&[
            done(0, json!({ "type": "function_call", "name": "run", "arguments": { "a": 1 } })),
            completed(&[]),
        ])
        .as_bytes()]);
        let calls: Vec<_> = played.answer().unwrap().tool_calls().collect();
        assert_eq!(calls[0].arguments, r#"{"a":1}"#);
        assert_eq!(calls[0].call_id.len(), "call_".len() + 32);
    }

    #[test]
    fn the_event_name_counts_where_the_type_is_missing() {
        let played = play([&b"event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\nevent: error\ndata: {\"message\":\"no\"}\n\n"[..]]);
        assert_eq!(played.told(), "a");
        assert_eq!(played.failure.unwrap().message, "no");
    }

    #[test]
    fn a_stream_that_nobody_can_read_is_no_cut() {
        let class = |stream: &[u8]| play([stream]).failure.unwrap().class;
        assert_eq!(class(b"hello\n\ndata: what\n\n"), Class::Server);
        assert_eq!(class(b"data: what\n\ndata: {}\n\n"), Class::Cut);
        assert_eq!(class(b"data: [DONE]\n\n"), Class::Server);
    }
}

/// Not a test but a measurement: `cargo test --release -p provider cost_of_a_delta -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_delta() {
    const DELTAS: u32 = 200_000;
    let delta = r#"{"type":"response.output_text.delta","sequence_number":12345,"item_id":"msg_0a11c3f0fixture01","output_index":0,"content_index":0,"delta":" several","logprobs":[],"obfuscation":"zXq8Lw02R"}"#;
    let stream = format!("event: response.output_text.delta\ndata: {delta}\n\n").repeat(DELTAS as usize);
    for size in [16 << 10, 1400] {
        let begun = std::time::Instant::now();
        let played = play(stream.as_bytes().chunks(size));
        assert!(played.events.len() > DELTAS as usize);
        println!("pieces of {size}: {} ns per delta", (begun.elapsed() / DELTAS).as_nanos());
    }
}

#[test]
fn an_answer_without_end_is_cut_short() {
    recorded::check_endless::<Decoder>(
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"TEXT"}"#,
    );
}

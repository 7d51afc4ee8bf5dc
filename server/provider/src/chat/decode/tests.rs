use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::recorded::{self, Inspect, Played, check_recordings, stream};

impl Inspect for Decoder {
    const API: &str = "chat";

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

fn delta(delta: Value) -> Value {
    json!({ "id": "c1", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn text(text: &str) -> Value {
    delta(json!({ "content": text }))
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn call(name: &str, arguments: &str) -> Value {
    delta(
        json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": name, "arguments": arguments } }] }),
    )
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
fn thinking_comes_in_many_fields() {
    let two = json!({ "reasoning_content": "Hm", "reasoning": "Hm", "content": "" });
    check(
        &[delta(two), delta(json!({ "reasoning_content": "m." })), text("Yes."), finish("stop")],
        expect![[r#"
            started
            thinking "Hm"
            thinking "m."
            thinking end "Hmm."
            text "Yes."
            Stop
              Thinking { text: "Hmm.", replay: Some("{\"reasoning_content\":\"Hmm.\"}") }
              Text { text: "Yes.", phase: None }
        "#]],
    );
    for field in ["reasoning", "reasoning_text", "thinking"] {
        let played = play(&[delta(json!({ field: "Hm." })), text("Yes."), finish("stop")]);
        let replay = Some(format!(r#"{{"{field}":"Hm."}}"#));
        assert_eq!(played.answer().unwrap().blocks[0], Block::Thinking { text: "Hm.".into(), replay });
    }
    check(
        &[
            delta(json!({ "reasoning_text": "Hm." })),
            delta(json!({ "reasoning_opaque": "b+/=" })),
            call("run", "{}"),
            finish("tool_calls"),
        ],
        expect![[r#"
            started
            thinking "Hm."
            thinking end "Hm."
            ToolUse
              Thinking { text: "Hm.", replay: Some("{\"reasoning_opaque\":\"b+/=\",\"reasoning_text\":\"Hm.\"}") }
              ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{}" })
        "#]],
    );
    let mistral = json!({ "content": [
        { "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] },
        { "type": "text", "text": "Yes." },
    ] });
    check(
        &[delta(mistral), text(" No."), finish("stop")],
        expect![[r#"
        started
        thinking "Hm."
        thinking end "Hm."
        text "Yes."
        text " No."
        Stop
          Thinking { text: "Hm.", replay: None }
          Text { text: "Yes. No.", phase: None }
    "#]],
    );
}

#[test]
fn details_of_thinking_are_put_together() {
    let details = |details: Value| delta(json!({ "reasoning_details": details }));
    check(
        &[
            details(json!([{ "type": "reasoning.text", "text": "H", "index": 0, "signature": null }])),
            details(json!([{ "type": "reasoning.text", "text": "m.", "index": 0 }])),
            details(json!([{ "type": "reasoning.text", "text": "", "index": 0, "signature": "s" }])),
            details(json!([{ "type": "reasoning.encrypted", "data": "x", "index": 1 }])),
            details(json!([{ "type": "reasoning.encrypted", "data": "y", "index": 1 }])),
            text("Yes."),
            finish("stop"),
        ],
        expect![[r#"
            started
            thinking "H"
            thinking "m."
            thinking end "Hm."
            text "Yes."
            Stop
              Thinking { text: "Hm.", replay: Some("{\"reasoning_details\":[{\"index\":0,\"signature\":\"s\",\"text\":\"Hm.\",\"type\":\"reasoning.text\"},{\"data\":\"x\",\"index\":1,\"type\":\"reasoning.encrypted\"},{\"data\":\"y\",\"index\":1,\"type\":\"reasoning.encrypted\"}]}") }
              Text { text: "Yes.", phase: None }
        "#]],
    );
}

#[test]
fn thinking_within_the_text() {
    check(
        &[
            text("\n<th"),
            text("ink>\nHm <"),
            text("b> </thi"),
            text("nk>\n"),
            text("\n  Yes.</think>"),
            finish("stop"),
        ],
        expect![[r#"
            started
            thinking "\nHm "
            thinking "<b> "
            thinking end "\nHm <b> "
            text "  Yes.</think>"
            Stop
              Thinking { text: "\nHm <b> ", replay: None }
              Text { text: "  Yes.</think>", phase: None }
        "#]],
    );
    check(
        &[text("\n\n"), call("run", "{}"), finish("stop")],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{}" })
    "#]],
    );
    check(
        &[text("<thin"), text("g>"), finish("stop")],
        expect![[r#"
        started
        text "<thing>"
        Stop
          Text { text: "<thing>", phase: None }
    "#]],
    );
    check(
        &[text("<think>No end"), text("</"), finish("length")],
        expect![[r#"
            started
            thinking "No end"
            thinking "</"
            thinking end "No end</"
            Length
              Thinking { text: "No end</", replay: None }
        "#]],
    );
    check(
        &[text("<thi"), finish("stop")],
        expect![[r#"
        started
        text "<thi"
        Stop
          Text { text: "<thi", phase: None }
    "#]],
    );
}

#[test]
fn blocks_alternate() {
    let think = |text: &str| delta(json!({ "reasoning": text }));
    check(
        &[think("A"), text("B"), think("C"), text("D"), text("E"), finish("stop")],
        expect![[r#"
        started
        thinking "A"
        thinking end "A"
        text "B"
        thinking "C"
        thinking end "C"
        text "\n\nD"
        text "E"
        Stop
          Thinking { text: "A", replay: Some("{\"reasoning\":\"A\\n\\nC\"}") }
          Text { text: "B", phase: None }
          Thinking { text: "C", replay: None }
          Text { text: "DE", phase: None }
    "#]],
    );
}

#[test]
fn endings() {
    check(
        &[text("A"), finish("length")],
        expect![[r#"
        started
        text "A"
        Length
          Text { text: "A", phase: None }
    "#]],
    );
    check(
        &[call("run", "{\"a\":"), finish("length")],
        expect![[r#"
        started
        Length
    "#]],
    );
    check(
        &[call("run", ""), finish("length")],
        expect![[r#"
        started
        Length
    "#]],
    );
    check(
        &[call("run", "{\"a\":"), finish("stop")],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{\"a\":" })
    "#]],
    );
    check(
        &[text("A"), finish("content_filter")],
        expect![[r#"
        started
        text "A"
        ContentFilter the answer was stopped by a content filter
    "#]],
    );
    check(
        &[text("A"), finish("error")],
        expect![[r#"
            started
            text "A"
            Server the service broke the answer off (error)
        "#]],
    );
    check(
        &[text("A"), finish("something new")],
        expect![[r#"
            started
            text "A"
            Unknown("something new")
              Text { text: "A", phase: None }
        "#]],
    );
    check(
        &[text("A"), finish("null")],
        expect![[r#"
            started
            text "A"
            Cut the stream ended before its final event
        "#]],
    );
    check(
        &[text("A"), finish("")],
        expect![[r#"
        started
        text "A"
        Cut the stream ended before its final event
    "#]],
    );
    check(
        &[finish("stop")],
        expect![[r#"
            started
            Empty it has neither text nor a tool call
        "#]],
    );
}

/// What becomes of half a sentence that ends for this reason.
#[track_caller]
fn check_reason(reason: &str, shown: &str) {
    let played = play(&[text("A"), finish(reason)]);
    let stop = played.answer().map(|answer| format!("{:?}", answer.stop));
    let failure = played.failure.map(|failure| format!("{:?}: {}", failure.class, failure.message));
    assert_eq!(stop.or(failure).unwrap(), shown, "{reason}");
}

#[test]
fn reasons_are_good_or_broken_off_or_filtered_or_told() {
    for reason in ["stop", "STOP", "tool_calls", "eos", "end_turn", "COMPLETE"] {
        check_reason(reason, "Stop");
    }
    for reason in ["length", "MAX_TOKENS", "model_length"] {
        check_reason(reason, "Length");
    }
    check_reason("pause_turn", "Paused");
    check_reason("SAFETY", "ContentFilter: the answer was stopped by a content filter (safety)");
    check_reason("sensitive", "ContentFilter: the answer was stopped by a content filter (sensitive)");
    check_reason("refusal", "ContentFilter: the answer was stopped by a content filter (refusal)");
    for reason in ["network_error", "insufficient_system_resource", "abort", "error"] {
        check_reason(reason, &format!("Server: the service broke the answer off ({reason})"));
    }
    let overflow = "ContextOverflow: the answer ran into the end of the context window";
    check_reason("model_context_window_exceeded", overflow);
    check_reason("new\u{1b}[2J", "Unknown(\"new [2J\")");
    check_reason(&"x".repeat(100), &format!("Unknown({:?})", "x".repeat(60)));
}

#[test]
fn a_call_without_a_name_is_kept_to_be_answered() {
    check(
        &[call("", "{\"path\":\"a\"}"), finish("tool_calls")],
        expect![[r#"
            started
            ToolUse
              ToolCall(ToolCall { call_id: "a", name: "unnamed", arguments: "{\"path\":\"a\"}" })
        "#]],
    );
    check(
        &[
            delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{}" } }] })),
            finish("stop"),
        ],
        expect![[r#"
            started
            ToolUse
              ToolCall(ToolCall { call_id: "call_5bd0a2e9bff8db7b7a052f2632fd1367", name: "unnamed", arguments: "{}" })
        "#]],
    );
}

#[test]
fn an_answer_that_says_nothing_is_none() {
    check(
        &[finish("tool_calls")],
        expect![[r#"
        started
        Empty it has neither text nor a tool call
    "#]],
    );
    check(
        &[delta(json!({ "reasoning": "Hm." })), text("\n"), finish("stop")],
        expect![[r#"
        started
        thinking "Hm."
        thinking end "Hm."
        Empty the model thought, and then neither said nor called anything
    "#]],
    );
}

/// What is told of these deltas, whose JSON stands here as a service sends it.
#[track_caller]
fn check_raw(deltas: &[&str], shown: Expect) {
    let event = |delta: &&str| format!("data: {{\"choices\":[{{\"delta\":{{{delta}}}}}]}}\n\n");
    let stream = deltas.iter().map(event).collect::<String>() + &stream(&[finish("stop")]);
    recorded::check_stream::<Decoder>(&stream, shown);
}

#[test]
fn half_a_character_waits_for_the_other_half() {
    check_raw(
        &[r#""content":"hi \ud83d""#, r#""content":"\ude00 there""#],
        expect![[r#"
        started
        text "hi "
        text "😀 there"
        Stop
          Text { text: "hi 😀 there", phase: None }
    "#]],
    );
    // Half of another kind comes in between.
    check_raw(
        &[
            r#""reasoning":"\ud83d""#,
            r#""reasoning":"\ude00","content":"a\ud83d""#,
            r#""content":"""#,
            r#""content":"\uDE01\ud83d""#,
        ],
        expect![[r#"
            started
            thinking "😀"
            thinking end "😀"
            text "a"
            text "😁"
            text "�"
            Stop
              Thinking { text: "😀", replay: Some("{\"reasoning\":\"😀\"}") }
              Text { text: "a😁�", phase: None }
        "#]],
    );
    let call =
        r#""tool_calls":[{"index":0,"id":"a","function":{"name":"run","arguments":"{\"a\":\"\ud83d"}}]"#;
    let more = r#""tool_calls":[{"index":0,"function":{"arguments":"\ude00 \\ud83d\"}"}}]"#;
    check_raw(
        &[call, more],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{\"a\":\"😀 \\ufffd\"}" })
    "#]],
    );
    // Without their other halves.
    check_raw(
        &[r#""content":"\ude00a\ud83d""#, r#""content":"b\ud83d""#],
        expect![[r#"
        started
        text "�a"
        text "�b"
        text "�"
        Stop
          Text { text: "�a�b�", phase: None }
    "#]],
    );
}

#[test]
fn a_damaged_event_is_no_gap() {
    let around = |event: &str| stream(&[text("A")]) + event + "\n\n" + &stream(&[text("C"), finish("stop")]);
    recorded::check_stream::<Decoder>(
        &around(r#"data: {"choices":[{"delta":{"content":"B"#),
        expect![[r#"
            started
            text "A"
            Cut an event of the stream cannot be read: EOF while parsing a string at line 1 column 34
        "#]],
    );
    for word in ["data: ping", "data:", "data: null", "data: [1,"] {
        let played = recorded::play::<Decoder>([around(word).as_bytes()]);
        assert_eq!(played.answer().unwrap().text(), "AC", "{word}");
    }
    // What the answer cost is no part of it.
    let damaged = stream(&[text("A"), finish("stop")]) + "data: {\"usage\":{\n\n";
    assert_eq!(recorded::play::<Decoder>([damaged.as_bytes()]).answer().unwrap().text(), "A");
}

#[test]
fn a_stream_may_be_done_without_a_reason() {
    let done = |events: &[Value], shown: Expect| {
        recorded::check_stream::<Decoder>(&(stream(events) + DONE), shown);
    };
    done(
        &[text("A")],
        expect![[r#"
        started
        text "A"
        Stop
          Text { text: "A", phase: None }
    "#]],
    );
    done(
        &[text("A"), call("run", "{\"a\":")],
        expect![[r#"
        started
        text "A"
        Stop
          Text { text: "A", phase: None }
    "#]],
    );
    done(
        &[call("run", "{\"a\":1}")],
        expect![[r#"
        started
        ToolUse
          ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{\"a\":1}" })
    "#]],
    );
    done(
        &[call("run", "{\"a\":")],
        expect![[r#"
        started
        Cut the stream ended before its final event
    "#]],
    );
    done(
        &[],
        expect![[r#"
        Server the answer is not a stream of events that could be read
    "#]],
    );
}

#[test]
fn usage_comes_last_or_with_the_end_or_all_the_time() {
    let usage =
        |input: u64| json!({ "prompt_tokens": input, "completion_tokens": 2, "prompt_cache_hit_tokens": 1 });
    let last = json!({ "choices": [], "usage": usage(5) });
    let mut with_end = finish("stop");
    with_end["usage"] = usage(5);
    let mut in_choice = finish("stop");
    in_choice["choices"][0]["usage"] = usage(5);
    let mut early = text("A");
    early["usage"] = usage(4);
    for events in [
        vec![text("A"), finish("stop"), last],
        vec![text("A"), with_end.clone()],
        vec![text("A"), in_choice],
        vec![early, with_end],
    ] {
        let usage = play(&events).answer().unwrap().usage.unwrap();
        assert_eq!((usage.input_total, usage.input_cached, usage.output_total, usage.total), (5, 1, 2, 7));
    }
    assert_eq!(play(&[text("A"), finish("stop")]).answer().unwrap().usage, None);
}

#[test]
fn errors_come_in_many_shapes() {
    check(
        &[text("A"), json!({ "error": { "message": "no", "code": 502 } })],
        expect![[r#"
        started
        text "A"
        Server no
    "#]],
    );
    check(
        &[json!({ "error": "just words" })],
        expect![[r#"
        Server just words
    "#]],
    );
    check(
        &[json!({ "object": "error", "message": "too old", "type": "BadRequestError", "code": 400 })],
        expect![[r#"
            InvalidRequest too old
        "#]],
    );
    check(
        &[json!({ "error": { "message": "" }, "message": "outside" })],
        expect![[r#"
        Server outside
    "#]],
    );
    let overflow = "the request exceeds the available context size, try increasing it";
    check(
        &[json!({ "error": { "code": 400, "message": overflow, "type": "exceed_context_size_error" } })],
        expect![[r#"
            ContextOverflow the request exceeds the available context size, try increasing it
        "#]],
    );
    recorded::check_stream::<Decoder>(
        "event: error\ndata: {\"message\":\"by name\"}\n\n",
        expect![[r#"
        Server by name
    "#]],
    );
    check(
        &[json!({ "error": null, "choices": [] }), text("A"), finish("stop")],
        expect![[r#"
        started
        text "A"
        Stop
          Text { text: "A", phase: None }
    "#]],
    );
}

#[test]
fn what_is_unknown_or_odd_is_read_past() {
    check(
        &[
            json!({ "choices": [], "prompt_filter_results": [] }),
            json!({ "choices": null, "copilot_references": [] }),
            json!({ "id": 7, "model": null, "choices": [{ "delta": null }] }),
            json!([1]),
            delta(json!({ "role": "assistant", "content": null, "tool_calls": null, "refusal": null })),
            delta(json!({ "content": 7, "reasoning": { "a": 1 }, "tool_calls": [null, 1, {}] })),
            delta(json!({ "refusal": "I won't." })),
            finish("stop"),
        ],
        expect![[r#"
            started
            text "I won't."
            Stop
              Text { text: "I won't.", phase: None }
        "#]],
    );
}

#[test]
fn several_choices_are_one_answer() {
    let call = json!([{ "index": 0, "id": "a", "function": { "name": "run", "arguments": "{}" } }]);
    check(
        &[json!({ "choices": [
            { "index": 0, "delta": { "content": "A" }, "finish_reason": "stop" },
            { "index": 1, "delta": { "tool_calls": call }, "finish_reason": "tool_calls" },
        ] })],
        expect![[r#"
            started
            text "A"
            ToolUse
              Text { text: "A", phase: None }
              ToolCall(ToolCall { call_id: "a", name: "run", arguments: "{}" })
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
        "id": "c1", "object": "chat.completion", "model": "m",
        "choices": [{ "message": { "role": "assistant", "content": "Yes.", "tool_calls": [
            { "id": "a", "type": "function", "function": { "name": "run", "arguments": { "a": 1 } } },
        ] }, "finish_reason": "tool_calls" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2 },
    });
    let Ok(Some(AnswerEvent::Finished(answer))) = whole(&body.to_string()) else { panic!() };
    assert_eq!((answer.text().as_str(), &answer.stop), ("Yes.", &StopReason::ToolUse));
    assert_eq!(answer.tool_calls().next().unwrap().arguments, r#"{"a":1}"#);
    assert_eq!(answer.usage.unwrap().total, 3);
    let class = |body: &str| whole(body).unwrap_err().0;
    assert_eq!(class(r#"{"choices":["#), Class::Cut);
    assert_eq!(class(r#"{"error":{"message":"no","code":"rate_limit_exceeded"}}"#), Class::RateLimit);
    assert_eq!(class(r#"{"detail":"no"}"#), Class::Server);
}

fn play(events: &[Value]) -> Played<Decoder> {
    recorded::play([stream(events).as_bytes()])
}

/// Not a test but a measurement: `cargo test --release -p provider cost_of_a_chunk -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_chunk() {
    const CHUNKS: u32 = 200_000;
    let chunk = r#"{"id":"chatcmpl-fixtureTXT01","object":"chat.completion.chunk","created":1790000100,"model":"gpt-4.1-2025-04-14","system_fingerprint":"fp_fixture","usage":null,"obfuscation":"x9","choices":[{"index":0,"delta":{"content":" several"},"logprobs":null,"finish_reason":null}]}"#;
    let stream = format!("data: {chunk}\n\n").repeat(CHUNKS as usize);
    let begun = std::time::Instant::now();
    let played = recorded::play::<Decoder>(stream.as_bytes().chunks(16 << 10));
    assert!(played.events.len() > CHUNKS as usize);
    println!("{} ns per chunk", (begun.elapsed() / CHUNKS).as_nanos());
}

#[test]
fn an_answer_without_end_is_cut_short() {
    recorded::check_endless::<Decoder>(r#"{"choices":[{"index":0,"delta":{"content":"TEXT"}}]}"#);
}

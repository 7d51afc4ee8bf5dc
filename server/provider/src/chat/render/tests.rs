use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::samples::{
    answer, answer_of, call, call_with, check_shared, check_unseen, full_request, image, joined, lines,
    request, result, result_of, said, thought,
};
use crate::{Item, ThinkingLevel};

fn rendered(request: &Request, dialect: Dialect) -> String {
    joined(body(request, dialect, &Preludes::default(), |answer| answer.provider == "work").pieces())
}

fn json_of(request: &Request, dialect: Dialect) -> Value {
    serde_json::from_str(&rendered(request, dialect)).unwrap()
}

/// The messages, one a line.
#[track_caller]
fn check_messages(items: Vec<Item>, shown: Expect) {
    check_messages_of("llama", items, shown);
}

#[track_caller]
fn check_messages_of(model: &str, items: Vec<Item>, shown: Expect) {
    let request = Request { model: model.into(), instructions: "".into(), ..request(items) };
    shown.assert_eq(&lines(&json_of(&request, Dialect::Compatible)["messages"]));
}

#[test]
fn a_whole_request() {
    let mut request = full_request();
    expect![[r#"{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high","max_completion_tokens":3000,"store":false,"prompt_cache_key":"session","tools":[{"type":"function","function":{"name":"read","description":"Reads a file.","parameters":{"properties":{"path":{"type":"string"}},"type":"object"}}}],"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}]}"#]].assert_eq(&rendered(&request, Dialect::OpenAi));
    request.model = "qwen3".into();
    expect![[r#"{"model":"qwen3","stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high","max_tokens":3000,"tools":[{"type":"function","function":{"name":"read","description":"Reads a file.","parameters":{"properties":{"path":{"type":"string"}},"type":"object"}}}],"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}]}"#]].assert_eq(&rendered(&request, Dialect::Compatible));
    expect![[r#"{"model":"qwen3","stream":true,"stream_options":{"include_usage":true},"reasoning":{"effort":"high"},"max_tokens":3000,"tools":[{"type":"function","function":{"name":"read","description":"Reads a file.","parameters":{"properties":{"path":{"type":"string"}},"type":"object"}}}],"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}]}"#]].assert_eq(&rendered(&request, Dialect::OpenRouter));
}

#[test]
fn the_smallest_request() {
    let request = Request { instructions: "".into(), ..request(vec![]) };
    expect![[r#"{"model":"gpt-5","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#]]
        .assert_eq(&rendered(&request, Dialect::Compatible));
}

#[test]
fn effort_is_sent_where_it_is_given() {
    for (level, sent) in [
        (None, None),
        (Some(ThinkingLevel::Off), Some("none")),
        (Some(ThinkingLevel::Minimal), Some("minimal")),
        (Some(ThinkingLevel::Max), Some("max")),
    ] {
        let request = Request { thinking: level, ..request(vec![]) };
        let effort = &json_of(&request, Dialect::Compatible)["reasoning_effort"];
        assert_eq!(effort.as_str(), sent, "{level:?}");
    }
}

#[test]
fn the_limit_has_the_name_that_the_model_knows() {
    for (model, dialect, field) in [
        ("gpt-4.1", Dialect::OpenAi, "max_completion_tokens"),
        ("openai/gpt-5", Dialect::OpenRouter, "max_completion_tokens"),
        ("gpt-oss-20b", Dialect::Compatible, "max_tokens"),
        ("mistral-large", Dialect::Mistral, "max_tokens"),
    ] {
        let request = Request { model: model.into(), max_output_tokens: Some(7), ..request(vec![]) };
        assert_eq!(json_of(&request, dialect)[field], 7, "{model}");
    }
}

#[test]
fn a_conversation() {
    check_messages(
        vec![
            Item::new(ItemKind::User { parts: vec![Part::Text("Look:".into()), Part::Text("here.".into())] }),
            answer(vec![said("I \"look\"."), call("call_a"), said("Now.")]),
            result("call_a", &["one", "two"]),
            answer(vec![call("call_b")]),
            result("call_b", &[]),
            answer(vec![said(""), Block::Thinking { text: "Hm.".into(), replay: None }]),
            Item::new(ItemKind::User { parts: vec![Part::Text("And this?".into()), image()] }),
            Item::new(ItemKind::User { parts: vec![] }),
        ],
        expect![[r#"
            {"content":"Look:\n\nhere.","role":"user"}
            {"content":"I \"look\".\n\nNow.","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_a","type":"function"}]}
            {"content":"one\ntwo","role":"tool","tool_call_id":"call_a"}
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_b","type":"function"}]}
            {"content":"(no output)","role":"tool","tool_call_id":"call_b"}
            {"content":[{"text":"And this?","type":"text"},{"image_url":{"url":"data:image/png;base64,aGk="},"type":"image_url"}],"role":"user"}
            {"content":"(empty)","role":"user"}
        "#]],
    );
}

#[test]
fn images_of_results_come_after_all_results() {
    check_messages(
        vec![
            answer(vec![call("call_a"), call("call_b"), call("call_c")]),
            result_of("call_a", vec![Part::Text("see".into()), image()]),
            result_of("call_b", vec![image(), image()]),
            Item::user("And now?"),
            result("call_c", &["c"]),
            answer(vec![call("call_d"), call("call_e")]),
            result_of("call_d", vec![image()]),
        ],
        expect![[r#"
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_a","type":"function"},{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_b","type":"function"},{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_c","type":"function"}]}
            {"content":"see","role":"tool","tool_call_id":"call_a"}
            {"content":"(an image, shown below)","role":"tool","tool_call_id":"call_b"}
            {"content":"c","role":"tool","tool_call_id":"call_c"}
            {"content":[{"text":"Images from the tool results above:","type":"text"},{"image_url":{"url":"data:image/png;base64,aGk="},"type":"image_url"},{"image_url":{"url":"data:image/png;base64,aGk="},"type":"image_url"},{"image_url":{"url":"data:image/png;base64,aGk="},"type":"image_url"}],"role":"user"}
            {"content":"And now?","role":"user"}
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_d","type":"function"},{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_e","type":"function"}]}
            {"content":"(an image, shown below)","role":"tool","tool_call_id":"call_d"}
            {"content":"Aborted","role":"tool","tool_call_id":"call_e"}
            {"content":[{"text":"Images from the tool results above:","type":"text"},{"image_url":{"url":"data:image/png;base64,aGk="},"type":"image_url"}],"role":"user"}
        "#]],
    );
}

#[test]
fn thinking_goes_back_as_long_as_its_turn_lasts() {
    let thinking = || thought(r#"{"reasoning_content":"Hm."}"#);
    check_messages(
        vec![
            Item::user("One."),
            answer(vec![thinking(), call("call_a")]),
            result("call_a", &["a"]),
            answer(vec![thinking(), said("Two.")]),
            Item::user("Three."),
            answer(vec![thought(r#"{"reasoning_details":[{"a":1}]}"#), call("call_b")]),
            result("call_b", &["b"]),
            answer_of("home", vec![thinking(), call("call_c")]),
            result("call_c", &["c"]),
            answer(vec![thought(r#"{"type":"reasoning","id":"rs_1"}"#), call("call_d")]),
            result("call_d", &["d"]),
            answer(vec![thought("{broken"), thinking(), call("call_e")]),
        ],
        expect![[r#"
            {"content":"One.","role":"user"}
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_a","type":"function"}]}
            {"content":"a","role":"tool","tool_call_id":"call_a"}
            {"content":"Two.","role":"assistant"}
            {"content":"Three.","role":"user"}
            {"content":"","reasoning_details":[{"a":1}],"role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_b","type":"function"}]}
            {"content":"b","role":"tool","tool_call_id":"call_b"}
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_c","type":"function"}]}
            {"content":"c","role":"tool","tool_call_id":"call_c"}
            {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_d","type":"function"}]}
            {"content":"d","role":"tool","tool_call_id":"call_d"}
            {"content":"","reasoning_content":"Hm.","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_e","type":"function"}]}
            {"content":"Aborted","role":"tool","tool_call_id":"call_e"}
        "#]],
    );
}

#[test]
fn ids_and_names_are_made_to_fit_on_both_sides() {
    let items = || {
        let long = "c".repeat(41);
        let mut odd = call_with("functions.read:0", "[1]");
        if let Block::ToolCall(call) = &mut odd {
            call.name = "functions.read".into();
        }
        vec![answer(vec![call(&long), odd]), result(&long, &["1"]), result("functions.read:0", &["2"])]
    };
    check_messages(
        items(),
        expect![[r#"
        {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_b0dbf95afc27321e2514aef88f96f892","type":"function"},{"function":{"arguments":"{}","name":"functions_read"},"id":"call_284adafcda839f95f6b737ae5d9cad96","type":"function"}]}
        {"content":"1","role":"tool","tool_call_id":"call_b0dbf95afc27321e2514aef88f96f892"}
        {"content":"2","role":"tool","tool_call_id":"call_284adafcda839f95f6b737ae5d9cad96"}
    "#]],
    );
    check_messages_of(
        "Devstral-Small",
        items(),
        expect![[r#"
        {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"ishyqcy16","type":"function"},{"function":{"arguments":"{}","name":"functions_read"},"id":"252vpa74l","type":"function"}]}
        {"content":"1","role":"tool","tool_call_id":"ishyqcy16"}
        {"content":"2","role":"tool","tool_call_id":"252vpa74l"}
    "#]],
    );
}

#[test]
fn a_list_of_tools_is_sent_where_some_were_called() {
    let called = request(vec![answer(vec![call("call_a")])]);
    assert_eq!(json_of(&called, Dialect::Compatible)["tools"], serde_json::json!([]));
    assert_eq!(json_of(&called, Dialect::OpenAi).get("tools"), None);
    assert_eq!(json_of(&request(vec![answer(vec![said("A")])]), Dialect::Compatible).get("tools"), None);
}

#[test]
fn a_longer_conversation_only_adds_to_the_end() {
    let preludes = Preludes::default();
    let render =
        |request: &Request| body(request, Dialect::Compatible, &preludes, |_| true).pieces().to_vec();
    let mut request = request(vec![
        Item::user("One."),
        answer(vec![thought(r#"{"reasoning":"Hm."}"#), call("call_a")]),
        result("call_a", &["a"]),
    ]);
    let first = render(&request);
    Arc::make_mut(&mut request.items).push(Arc::new(answer(vec![call("call_b")])));
    Arc::make_mut(&mut request.items).push(Arc::new(result("call_b", &["b"])));
    check_shared(&first, &render(&request), 1);

    // The next prompt ends the thinking of this turn, once.
    Arc::make_mut(&mut request.items).push(Arc::new(Item::user("Two.")));
    let third = render(&request);
    assert!(!joined(&third).contains("reasoning"));
    check_shared(&third, &render(&request), 1);
}

#[test]
fn a_model_that_sees_no_images_reads_where_they_were() {
    let preludes = Preludes::default();
    let render =
        |request: &Request| body(request, Dialect::Compatible, &preludes, |_| true).pieces().to_vec();
    check_unseen(
        render,
        "messages",
        expect![[r#"
        {"content":"Be brief.","role":"system"}
        {"content":"One.","role":"user"}
        {"content":"Look:\n\n[An image (image/png) was here; this model cannot see images.]\n\nSee?","role":"user"}
        {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_a","type":"function"},{"function":{"arguments":"{\"path\":\"a\"}","name":"read"},"id":"call_b","type":"function"}]}
        {"content":"[An image (image/png) was here; this model cannot see images.]","role":"tool","tool_call_id":"call_a"}
        {"content":"b\n[An image (image/png) was here; this model cannot see images.]","role":"tool","tool_call_id":"call_b"}
    "#]],
    );
}

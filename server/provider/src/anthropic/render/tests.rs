use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::samples::{
    answer, answer_of, call, call_with, check_shared, check_unseen, full_request, image, joined, lines,
    request, result, result_of, said, thought,
};
use crate::{Item, ThinkingLevel};

fn thinking(signature: &str) -> Block {
    thought(format!(r#"{{"type":"thinking","thinking":"Hm.","signature":"{signature}"}}"#))
}

fn rendered(request: &Request) -> String {
    joined(body(request, &Preludes::default(), |answer| answer.provider == "work").pieces())
}

fn json_of(request: &Request) -> Value {
    serde_json::from_str(&rendered(request)).unwrap()
}

/// The messages, one a line.
#[track_caller]
fn check_messages(items: Vec<Item>, shown: Expect) {
    shown.assert_eq(&lines(&json_of(&request(items))["messages"]));
}

#[test]
fn a_whole_request() {
    let mut request = full_request();
    request.model = "claude-sonnet-4-5".into();
    expect![[r#"{"model":"claude-sonnet-4-5","max_tokens":3000,"stream":true,"thinking":{"type":"enabled","budget_tokens":1976},"tools":[{"name":"read","description":"Reads a file.","input_schema":{"properties":{"path":{"type":"string"}},"type":"object"},"cache_control":{"type":"ephemeral"}}],"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Why?","cache_control":{"type":"ephemeral"}}]}]}"#]].assert_eq(&rendered(&request));
    request.model = "claude-opus-4-6".into();
    request.max_output_tokens = None;
    request.tools = [].into();
    expect![[r#"{"model":"claude-opus-4-6","max_tokens":32000,"stream":true,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"},"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Why?","cache_control":{"type":"ephemeral"}}]}]}"#]].assert_eq(&rendered(&request));
}

#[test]
fn the_smallest_request() {
    let request = Request { instructions: "".into(), ..request(vec![]) };
    expect![[r#"{"model":"gpt-5","max_tokens":32000,"stream":true,"messages":[]}"#]]
        .assert_eq(&rendered(&request));
}

#[test]
fn a_conversation() {
    check_messages(
        vec![
            Item::new(ItemKind::User {
                parts: vec![Part::Text("Look:".into()), image(), Part::Text(" \n".into())],
            }),
            answer(vec![thinking("s"), said("I \"look\"."), call("toolu_a")]),
            result("toolu_a", &["one", "two"]),
            answer(vec![said("\n\n"), call("toolu_b"), call("toolu_c")]),
            result_of("toolu_b", vec![Part::Text("see".into()), image()]),
            result("toolu_c", &[]),
        ],
        expect![[r#"
            {"content":[{"text":"Look:","type":"text"},{"source":{"data":"aGk=","media_type":"image/png","type":"base64"},"type":"image"}],"role":"user"}
            {"content":[{"signature":"s","thinking":"Hm.","type":"thinking"},{"text":"I \"look\".","type":"text"},{"id":"toolu_a","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"cache_control":{"type":"ephemeral"},"content":"one\ntwo","tool_use_id":"toolu_a","type":"tool_result"}],"role":"user"}
            {"content":[{"id":"toolu_b","input":{"path":"a"},"name":"read","type":"tool_use"},{"id":"toolu_c","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":[{"text":"see","type":"text"},{"source":{"data":"aGk=","media_type":"image/png","type":"base64"},"type":"image"}],"tool_use_id":"toolu_b","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"content":"(no output)","tool_use_id":"toolu_c","type":"tool_result"}],"role":"user"}
        "#]],
    );
}

#[test]
fn messages_alternate_and_results_come_first() {
    check_messages(
        vec![
            answer(vec![said("Before it all.")]),
            answer(vec![call("toolu_a"), call("toolu_b")]),
            Item::user("Stop that!"),
            result("toolu_b", &["b"]),
            Item::user("Please."),
            result("toolu_a", &["a"]),
            result("toolu_x", &["nobody asked"]),
            answer(vec![said("")]),
            Item::user("Hello?"),
            Item::new(ItemKind::User { parts: vec![] }),
            answer(vec![call("toolu_c")]),
            Item::user("And now?"),
        ],
        expect![[r#"
            {"content":[{"text":"(continued)","type":"text"}],"role":"user"}
            {"content":[{"text":"Before it all.","type":"text"},{"id":"toolu_a","input":{"path":"a"},"name":"read","type":"tool_use"},{"id":"toolu_b","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":"b","tool_use_id":"toolu_b","type":"tool_result"},{"content":"a","tool_use_id":"toolu_a","type":"tool_result"},{"text":"Stop that!","type":"text"},{"text":"Please.","type":"text"},{"text":"Hello?","type":"text"},{"cache_control":{"type":"ephemeral"},"text":"(empty)","type":"text"}],"role":"user"}
            {"content":[{"id":"toolu_c","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":"Aborted","is_error":true,"tool_use_id":"toolu_c","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"text":"And now?","type":"text"}],"role":"user"}
        "#]],
    );
}

#[test]
fn thinking_goes_back_to_who_signed_it_and_only_in_front_of_what_it_led_to() {
    check_messages(
        vec![
            Item::user("One."),
            answer(vec![
                thinking("s1"),
                thought(r#"{"type":"redacted_thinking","data":"x"}"#),
                said("Two."),
                thinking("s2"),
                call("toolu_a"),
                thinking("s3"),
            ]),
            result("toolu_a", &["a"]),
            answer(vec![thinking("s4")]),
            Item::user("Three."),
            answer_of("home", vec![thinking("s5"), said("Four.")]),
            Item::user("Five."),
            answer(vec![
                thought(r#"{"type":"reasoning","id":"rs_1"}"#),
                thought(r#"{"reasoning":"Hm."}"#),
                thought(r#"{"type":"thinking","#),
                Block::Thinking { text: "Hm.".into(), replay: None },
                said("Six."),
            ]),
        ],
        expect![[r#"
            {"content":[{"text":"One.","type":"text"}],"role":"user"}
            {"content":[{"signature":"s1","thinking":"Hm.","type":"thinking"},{"data":"x","type":"redacted_thinking"},{"text":"Two.","type":"text"},{"signature":"s2","thinking":"Hm.","type":"thinking"},{"id":"toolu_a","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":"a","tool_use_id":"toolu_a","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"text":"Three.","type":"text"}],"role":"user"}
            {"content":[{"text":"Four.","type":"text"}],"role":"assistant"}
            {"content":[{"cache_control":{"type":"ephemeral"},"text":"Five.","type":"text"}],"role":"user"}
            {"content":[{"text":"Six.","type":"text"}],"role":"assistant"}
        "#]],
    );
}

#[test]
fn ids_names_and_arguments_are_made_to_fit() {
    let mut odd = call_with("functions.read:0", "[1]");
    if let Block::ToolCall(call) = &mut odd {
        call.name = "functions.read".into();
    }
    check_messages(
        vec![
            Item::user("Go."),
            answer(vec![odd, call_with("b", "{\"a\":"), call_with("c", " {\"a\": [1, 2]} ")]),
            result("functions.read:0", &["1"]),
        ],
        expect![[r#"
            {"content":[{"cache_control":{"type":"ephemeral"},"text":"Go.","type":"text"}],"role":"user"}
            {"content":[{"id":"call_284adafcda839f95f6b737ae5d9cad96","input":{},"name":"functions_read","type":"tool_use"},{"id":"b","input":{},"name":"read","type":"tool_use"},{"id":"c","input":{"a":[1,2]},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":"1","tool_use_id":"call_284adafcda839f95f6b737ae5d9cad96","type":"tool_result"},{"content":"Aborted","is_error":true,"tool_use_id":"b","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"content":"Aborted","is_error":true,"tool_use_id":"c","type":"tool_result"}],"role":"user"}
        "#]],
    );
}

/// Marks stand at the end of tools, of instructions, and of the last two messages of the user.
#[test]
fn four_marks_at_most() {
    let mut request = full_request();
    for n in 0..5 {
        let id = format!("toolu_{n}");
        Arc::make_mut(&mut request.items).push(Arc::new(answer(vec![thinking("s"), call(&id)])));
        Arc::make_mut(&mut request.items).push(Arc::new(result(&id, &["x"])));
        let body = json_of(&request);
        assert_eq!(body.to_string().matches("cache_control").count(), 4);
        let messages = body["messages"].as_array().unwrap();
        let marked = messages.iter().map(|message| message.to_string().contains("cache_control"));
        let marked: Vec<usize> = marked.enumerate().filter(|(_, marked)| *marked).map(|(at, _)| at).collect();
        assert_eq!(marked, [messages.len() - 3, messages.len() - 1]);
    }
}

#[test]
fn a_model_that_did_not_think_before_its_calls_does_not_think_after_them() {
    let thinks = |model: &str, items: Vec<Item>| {
        let request = Request { model: model.into(), thinking: Some(ThinkingLevel::High), ..request(items) };
        json_of(&request)["thinking"]["type"].as_str().unwrap().to_owned()
    };
    let (budgets, adaptive) = ("claude-sonnet-4-5", "claude-opus-4-6");
    let at_work = |blocks| vec![Item::user("Go."), answer(blocks), result("toolu_a", &["a"])];
    assert_eq!(thinks(budgets, at_work(vec![thinking("s"), call("toolu_a")])), "enabled");
    let redacted = thought(r#"{"type":"redacted_thinking","data":"x"}"#);
    assert_eq!(thinks(budgets, at_work(vec![redacted, call("toolu_a")])), "enabled");
    assert_eq!(thinks(budgets, at_work(vec![call("toolu_a")])), "disabled");
    assert_eq!(thinks(budgets, at_work(vec![said("A"), thinking("s"), call("toolu_a")])), "disabled");
    assert_eq!(thinks(adaptive, at_work(vec![call("toolu_a")])), "adaptive");
    assert_eq!(
        thinks(budgets, vec![Item::user("Go."), answer(vec![said("A")]), Item::user("On.")]),
        "enabled"
    );

    // The service would not have its thinking back.
    let mut request = request(at_work(vec![thinking("s"), call("toolu_a")]));
    request.model = budgets.into();
    request.thinking = Some(ThinkingLevel::High);
    assert_eq!(json_of(&request)["thinking"]["type"], "enabled");
    assert!(request.items[1].refuse_replay());
    assert_eq!(json_of(&request)["thinking"]["type"], "disabled");
}

#[test]
fn a_list_of_tools_is_sent_where_some_were_called() {
    assert_eq!(json_of(&request(vec![answer(vec![call("toolu_a")])]))["tools"], serde_json::json!([]));
    assert_eq!(json_of(&request(vec![answer(vec![said("A")])])).get("tools"), None);
}

#[test]
fn a_longer_conversation_only_adds_to_the_end() {
    let preludes = Preludes::default();
    let render = |request: &Request| body(request, &preludes, |_| true).pieces().to_vec();
    let mut request = request(vec![
        Item::user("One."),
        answer(vec![thinking("s"), call("toolu_a")]),
        result("toolu_a", &["a"]),
        answer(vec![thinking("s"), call("toolu_b")]),
        result("toolu_b", &["b"]),
    ]);
    let first = render(&request);
    Arc::make_mut(&mut request.items).push(Arc::new(answer(vec![thinking("s"), call("toolu_c")])));
    Arc::make_mut(&mut request.items).push(Arc::new(result("toolu_c", &["c"])));
    let second = render(&request);
    // The mark wanders on, so the messages that had it and have it now are put together anew.
    let unmarked = first.iter().position(|piece| piece.as_ref() == CACHE_MARK.as_bytes()).unwrap() - 1;
    check_shared(&first, &second, first.len() - unmarked);
    let without_marks = |pieces: &[Bytes]| joined(pieces).replace(CACHE_MARK, "");
    assert!(without_marks(&second).starts_with(without_marks(&first).trim_end_matches("]}")));
}

#[test]
fn a_model_that_sees_no_images_reads_where_they_were() {
    let preludes = Preludes::default();
    let render = |request: &Request| body(request, &preludes, |_| true).pieces().to_vec();
    check_unseen(
        render,
        "messages",
        expect![[r#"
        {"content":[{"text":"One.","type":"text"},{"text":"Look:","type":"text"},{"text":"[An image (image/png) was here; this model cannot see images.]","type":"text"},{"cache_control":{"type":"ephemeral"},"text":"See?","type":"text"}],"role":"user"}
        {"content":[{"id":"call_a","input":{"path":"a"},"name":"read","type":"tool_use"},{"id":"call_b","input":{"path":"a"},"name":"read","type":"tool_use"}],"role":"assistant"}
        {"content":[{"content":"[An image (image/png) was here; this model cannot see images.]","tool_use_id":"call_a","type":"tool_result"},{"cache_control":{"type":"ephemeral"},"content":"b\n[An image (image/png) was here; this model cannot see images.]","tool_use_id":"call_b","type":"tool_result"}],"role":"user"}
    "#]],
    );
}

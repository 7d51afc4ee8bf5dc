use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::Item;
use crate::samples::{
    answer, answer_of, call, call_with, check_shared, check_unseen, full_request, image, joined, lines,
    request, result, result_of, said, thought,
};

fn thinking(id: &str) -> Block {
    thought(format!(r#"{{"type":"reasoning","id":"{id}","summary":[],"encrypted_content":"b+/="}}"#))
}

fn rendered(request: &Request) -> String {
    joined(body(request, &Preludes::default(), |answer| answer.provider == "work").pieces())
}

/// The items of the input, one a line.
#[track_caller]
fn check_input(items: Vec<Item>, shown: Expect) {
    let body: Value = serde_json::from_str(&rendered(&request(items))).unwrap();
    shown.assert_eq(&lines(&body["input"]));
}

#[test]
fn a_whole_request() {
    let mut request = full_request();
    request.max_output_tokens = Some(3);
    expect![[r#"{"model":"gpt-5","instructions":"Be brief.","tools":[{"type":"function","name":"read","description":"Reads a file.","parameters":{"properties":{"path":{"type":"string"}},"type":"object"},"strict":false}],"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"high","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"session","max_output_tokens":16,"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Why?"}]}]}"#]].assert_eq(&rendered(&request));
}

#[test]
fn the_smallest_request() {
    let mut request = request(vec![]);
    request.model = "llama".into();
    request.instructions = "".into();
    request.cache_key = "x".repeat(100);
    expect![[r#"{"model":"llama","store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","input":[]}"#]].assert_eq(&rendered(&request));
}

#[test]
fn reasoning_is_asked_for_where_it_is_known() {
    let reasoning = |model: &str, thinking| {
        let mut request = request(vec![]);
        request.model = model.into();
        request.thinking = thinking;
        let body: Value = serde_json::from_str(&rendered(&request)).unwrap();
        body.get("reasoning").map(Value::to_string).unwrap_or_default()
    };
    for model in ["gpt-5", "gpt-5.4-mini", "openai/gpt-5", "o3", "o4-mini", "codex-mini-latest"] {
        assert_eq!(reasoning(model, None), r#"{"summary":"auto"}"#, "{model}");
    }
    for model in ["gpt-4.1", "llama3", "gpt-5-chat-latest", "qwen3", "olmo"] {
        assert_eq!(reasoning(model, None), "", "{model}");
    }
    assert_eq!(reasoning("gpt-4.1", Some(ThinkingLevel::XHigh)), r#"{"effort":"xhigh","summary":"auto"}"#);
    assert_eq!(reasoning("gpt-5", Some(ThinkingLevel::Off)), r#"{"effort":"none"}"#);
}

#[test]
fn a_conversation() {
    check_input(
        vec![
            Item::new(ItemKind::User { parts: vec![Part::Text("Look:".into()), image()] }),
            answer(vec![
                thinking("rs_1"),
                Block::Text { text: "I \"look\".".into(), phase: Some("commentary".into()) },
                call("call_a"),
            ]),
            result("call_a", &["one", "two"]),
            answer(vec![call("call_b"), call("call_c")]),
            result_of("call_b", vec![Part::Text("see".into()), image()]),
            result("call_c", &[]),
        ],
        expect![[r#"
            {"content":[{"text":"Look:","type":"input_text"},{"detail":"auto","image_url":"data:image/png;base64,aGk=","type":"input_image"}],"role":"user","type":"message"}
            {"encrypted_content":"b+/=","id":"rs_1","summary":[],"type":"reasoning"}
            {"content":[{"annotations":[],"text":"I \"look\".","type":"output_text"}],"phase":"commentary","role":"assistant","status":"completed","type":"message"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_a","name":"read","type":"function_call"}
            {"call_id":"call_a","output":"one\ntwo","type":"function_call_output"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_b","name":"read","type":"function_call"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_c","name":"read","type":"function_call"}
            {"call_id":"call_b","output":[{"text":"see","type":"input_text"},{"detail":"auto","image_url":"data:image/png;base64,aGk=","type":"input_image"}],"type":"function_call_output"}
            {"call_id":"call_c","output":"(no output)","type":"function_call_output"}
        "#]],
    );
}

#[test]
fn thinking_goes_back_only_in_front_of_what_it_led_to() {
    check_input(
        vec![
            answer(vec![thinking("rs_1"), thinking("rs_2"), said("One."), thinking("rs_3")]),
            answer(vec![thinking("rs_4")]),
            answer(vec![thinking("rs_5"), said(""), call("call_a")]),
            answer(vec![Block::Thinking { text: "No blob.".into(), replay: None }, said("Two.")]),
            answer(vec![Block::Thinking { text: "".into(), replay: Some("{broken".into()) }, said("Three.")]),
        ],
        expect![[r#"
            {"encrypted_content":"b+/=","id":"rs_1","summary":[],"type":"reasoning"}
            {"encrypted_content":"b+/=","id":"rs_2","summary":[],"type":"reasoning"}
            {"content":[{"annotations":[],"text":"One.","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}
            {"encrypted_content":"b+/=","id":"rs_5","summary":[],"type":"reasoning"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_a","name":"read","type":"function_call"}
            {"call_id":"call_a","output":"Aborted","type":"function_call_output"}
            {"content":[{"annotations":[],"text":"Two.","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}
            {"content":[{"annotations":[],"text":"Three.","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}
        "#]],
    );
}

#[test]
fn thinking_of_another_service_stays_out() {
    check_input(
        vec![
            answer_of("home", vec![thinking("rs_1"), said("One.")]),
            answer(vec![thought(r#"{"type":"thinking","signature":"s"}"#), said("Two.")]),
        ],
        expect![[r#"
            {"content":[{"annotations":[],"text":"One.","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}
            {"content":[{"annotations":[],"text":"Two.","type":"output_text"}],"role":"assistant","status":"completed","type":"message"}
        "#]],
    );
}

#[test]
fn results_stand_right_after_their_calls() {
    check_input(
        vec![
            result("call_x", &["nobody asked"]),
            answer(vec![call("call_a"), call("call_b")]),
            Item::user("Stop that!"),
            result("call_b", &["b"]),
            result("call_a", &["a"]),
            result("call_a", &["again"]),
            answer(vec![call("call_c")]),
            Item::user("Hello?"),
            answer(vec![call("call_d")]),
        ],
        expect![[r#"
            {"arguments":"{\"path\":\"a\"}","call_id":"call_a","name":"read","type":"function_call"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_b","name":"read","type":"function_call"}
            {"call_id":"call_b","output":"b","type":"function_call_output"}
            {"call_id":"call_a","output":"a","type":"function_call_output"}
            {"content":[{"text":"Stop that!","type":"input_text"}],"role":"user","type":"message"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_c","name":"read","type":"function_call"}
            {"call_id":"call_c","output":"Aborted","type":"function_call_output"}
            {"content":[{"text":"Hello?","type":"input_text"}],"role":"user","type":"message"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_d","name":"read","type":"function_call"}
            {"call_id":"call_d","output":"Aborted","type":"function_call_output"}
        "#]],
    );
}

#[test]
fn ids_of_other_services_are_mapped_on_both_sides() {
    let long = "c".repeat(65);
    check_input(
        vec![
            answer(vec![call(&long), call("functions.read:0"), call("")]),
            result(&long, &["1"]),
            result("functions.read:0", &["2"]),
            result("", &["3"]),
        ],
        expect![[r#"
            {"arguments":"{\"path\":\"a\"}","call_id":"call_3a63333ca02a2b8cad192aa56f89229a","name":"read","type":"function_call"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_284adafcda839f95f6b737ae5d9cad96","name":"read","type":"function_call"}
            {"arguments":"{\"path\":\"a\"}","call_id":"call_6c62272e07bb014262b821756295c58d","name":"read","type":"function_call"}
            {"call_id":"call_3a63333ca02a2b8cad192aa56f89229a","output":"1","type":"function_call_output"}
            {"call_id":"call_284adafcda839f95f6b737ae5d9cad96","output":"2","type":"function_call_output"}
            {"call_id":"call_6c62272e07bb014262b821756295c58d","output":"3","type":"function_call_output"}
        "#]],
    );
}

#[test]
fn arguments_that_are_no_object_go_out_as_an_empty_one() {
    for (written, sent) in [("{\"a\":", "{}"), ("[1]", "{}"), ("", "{}"), (" {\"a\": 1}", " {\"a\": 1}")] {
        let body: Value =
            serde_json::from_str(&rendered(&request(vec![answer(vec![call_with("c", written)])]))).unwrap();
        assert_eq!(body["input"][0]["arguments"], sent, "{written}");
    }
}

#[test]
fn a_longer_conversation_only_adds_to_the_end() {
    let preludes = Preludes::default();
    let render = |request: &Request| body(request, &preludes, |_| true).pieces().to_vec();
    let mut request = request(vec![
        Item::user("One."),
        answer(vec![thinking("rs_1"), call("call_a")]),
        result("call_a", &["a"]),
    ]);
    let first = render(&request);
    Arc::make_mut(&mut request.items).push(Arc::new(answer(vec![said("Two.")])));
    Arc::make_mut(&mut request.items).push(Arc::new(Item::user("Three.")));
    let second = render(&request);

    check_shared(&first, &second, 1);
    assert_eq!(second.len(), first.len() + 2);

    // Taking the thinking out is a change, once.
    assert!(request.items[1].refuse_replay());
    assert!(!request.items[0].refuse_replay());
    let third = render(&request);
    assert!(!third[4].windows(4).any(|window| window == b"rs_1"));
    assert_eq!(third[4].as_ptr(), render(&request)[4].as_ptr());
    assert!(!request.items[1].refuse_replay());
}

#[test]
fn a_model_that_sees_no_images_reads_where_they_were() {
    let preludes = Preludes::default();
    let render = |request: &Request| body(request, &preludes, |_| true).pieces().to_vec();
    check_unseen(
        render,
        "input",
        expect![[r#"
        {"content":[{"text":"One.","type":"input_text"}],"role":"user","type":"message"}
        {"content":[{"text":"Look:","type":"input_text"},{"text":"[An image (image/png) was here; this model cannot see images.]","type":"input_text"},{"text":"See?","type":"input_text"}],"role":"user","type":"message"}
        {"arguments":"{\"path\":\"a\"}","call_id":"call_a","name":"read","type":"function_call"}
        {"arguments":"{\"path\":\"a\"}","call_id":"call_b","name":"read","type":"function_call"}
        {"call_id":"call_a","output":"[An image (image/png) was here; this model cannot see images.]","type":"function_call_output"}
        {"call_id":"call_b","output":"b\n[An image (image/png) was here; this model cannot see images.]","type":"function_call_output"}
    "#]],
    );
}

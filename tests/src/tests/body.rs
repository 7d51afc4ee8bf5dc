use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::model::{check_body, check_prefix};

fn body(input: Value) -> Value {
    json!({
        "model": "m", "instructions": "Help.", "stream": true, "store": false, "prompt_cache_key": "s",
        "tools": [{
            "type": "function", "name": "read", "description": "Reads.", "strict": false,
            "parameters": { "type": "object", "properties": {} },
        }],
        "input": input,
    })
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": [{ "type": "input_text", "text": text }] })
}

fn call(id: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": "read", "arguments": "{}" })
}

fn output(id: &str) -> Value {
    json!({ "type": "function_call_output", "call_id": id, "output": "done" })
}

fn said(text: &str) -> Value {
    json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": text }] })
}

fn thought() -> Value {
    json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x" })
}

#[track_caller]
fn check(input: Vec<Value>, problems: Expect) {
    problems.assert_eq(&check_body(&body(json!(input)), None).join("\n"));
}

#[test]
fn accepts_what_a_service_accepts() {
    check(
        vec![
            user("a"),
            thought(),
            said("b"),
            call("1"),
            call("2"),
            output("1"),
            output("2"),
            user("steer"),
            said("c"),
            user("d"),
        ],
        expect![""],
    );
}

#[test]
fn wants_each_call_answered_once_and_in_order() {
    check(vec![user("a"), call("1")], expect![[r#"no output for the calls ["1"]"#]]);
    check(
        vec![user("a"), output("1")],
        expect![[r#"input[1]: the output of "1" stands where that of None belongs"#]],
    );
    check(
        vec![user("a"), call("1"), output("1"), output("1")],
        expect![[r#"input[3]: the output of "1" stands where that of None belongs"#]],
    );
    check(
        vec![user("a"), call("1"), user("b"), output("1")],
        expect![[r#"input[2]: message between calls and their outputs; ["1"] have none"#]],
    );
    check(
        vec![user("a"), call("1"), call("2"), output("2"), output("1")],
        expect![[r#"
            input[3]: the output of "2" stands where that of Some("1") belongs
            no output for the calls ["2"]"#]],
    );
    check(
        vec![user("a"), call("1"), output("1"), call("1"), output("1")],
        expect![[r#"input[3]: the call id "1" is bad or used twice"#]],
    );
}

#[test]
fn wants_reasoning_followed_by_what_it_led_to() {
    check(vec![user("a"), thought(), user("b")], expect!["input[1]: reasoning without the item it led to"]);
}

#[test]
fn wants_the_flags() {
    let mut body = body(json!([user("a")]));
    body["store"] = json!(true);
    body["tools"][0]["name"] = json!("no spaces");
    body["previous_response_id"] = json!("r");
    expect![[r#"
        `store` is not false
        `previous_response_id` needs a store
        a tool named "no spaces", or two of them"#]]
    .assert_eq(&check_body(&body, None).join("\n"));
}

#[test]
fn knows_the_context_limit() {
    let body = body(json!([user(&"word ".repeat(1000))]));
    assert_eq!(check_body(&body, Some(5000)), [""; 0]);
    assert_eq!(check_body(&body, Some(1000)), ["the conversation is longer than the model's context"]);
}

#[test]
fn wants_the_beginning_to_stay() {
    let bytes = |input: Value, stream: bool| {
        format!(r#"{{"model":"m","input":{input},"stream":{stream}}}"#).into_bytes()
    };
    let first = bytes(json!([user("a")]), true);
    assert_eq!(check_prefix(&first, &bytes(json!([user("a"), said("b")]), false)), [""; 0]);
    assert_eq!(check_prefix(&first, &first), [""; 0]);
    assert_eq!(check_prefix(&first, &bytes(json!([user("x"), said("b")]), true)).len(), 1);
    assert_eq!(check_prefix(&first, &bytes(json!([user("a b")]), true)).len(), 1);
}

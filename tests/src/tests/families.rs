//! The checks of the further families find what their services would.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::model::Family;

#[track_caller]
fn check_chat(messages: Value, problems: Expect) {
    let body = json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true }, "messages": messages,
    });
    problems.assert_eq(&Family::Chat.problems(&body).join("\n"));
}

#[track_caller]
fn check_anthropic(thinking: Value, messages: Value, problems: Expect) {
    let body = json!({
        "model": "m", "stream": true, "max_tokens": 4000, "thinking": thinking, "messages": messages,
    });
    problems.assert_eq(&Family::Anthropic.problems(&body).join("\n"));
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn calling(id: &str) -> Value {
    let call = json!({ "id": id, "type": "function", "function": { "name": "read", "arguments": "{}" } });
    json!({ "role": "assistant", "content": "", "tool_calls": [call] })
}

fn result(id: &str) -> Value {
    json!({ "role": "tool", "tool_call_id": id, "content": "done" })
}

#[test]
fn chat_wants_results_after_their_calls() {
    check_chat(json!([user("a"), calling("1"), result("1"), user("b")]), expect![""]);
    check_chat(json!([user("a"), calling("1")]), expect![[r#"no results for the calls ["1"]"#]]);
    check_chat(
        json!([user("a"), calling("1"), user("b")]),
        expect![[r#"messages[2]: a message of user before the results of ["1"]"#]],
    );
    check_chat(
        json!([user("a"), result("1")]),
        expect![[r#"messages[1]: the result of "1" stands where that of None belongs"#]],
    );
    check_chat(
        json!([user("a"), { "role": "assistant", "content": "" }]),
        expect!["messages[1]: an assistant who says nothing"],
    );
}

#[test]
fn chat_wants_no_thinking_of_a_turn_that_is_over() {
    let thought = json!({ "role": "assistant", "content": "b", "reasoning_content": "Hm." });
    check_chat(json!([user("a"), thought]), expect![""]);
    check_chat(
        json!([user("a"), thought, user("c")]),
        expect!["messages[1]: thinking of a turn that is over"],
    );
}

fn blocks(role: &str, blocks: Value) -> Value {
    json!({ "role": role, "content": blocks })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn tool_use(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "read", "input": {} })
}

fn tool_result(id: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": "done" })
}

#[test]
fn anthropic_wants_results_first_and_at_once() {
    let asked = blocks("user", json!([text("a")]));
    let called = blocks("assistant", json!([tool_use("1")]));
    let good = json!([asked, called, blocks("user", json!([tool_result("1"), text("b")]))]);
    check_anthropic(Value::Null, good, expect![""]);
    let late = json!([asked, called, blocks("user", json!([text("b"), tool_result("1")]))]);
    check_anthropic(Value::Null, late, expect!["messages[2]: a result after something else"]);
    let none = json!([asked, called, blocks("user", json!([text("b")]))]);
    check_anthropic(Value::Null, none, expect![[r#"messages[2]: no results for the calls ["1"]"#]]);
    let twice = json!([asked, asked]);
    check_anthropic(
        Value::Null,
        twice,
        expect![[r#"messages[1]: a message of "user" where one of assistant belongs"#]],
    );
}

#[test]
fn anthropic_wants_its_own_thinking_while_a_model_thinks() {
    let enabled = json!({ "type": "enabled", "budget_tokens": 2000 });
    let asked = blocks("user", json!([text("a")]));
    let called = blocks("assistant", json!([tool_use("1")]));
    let answered = blocks("user", json!([tool_result("1")]));
    check_anthropic(
        enabled,
        json!([asked, called, answered]),
        expect!["messages[1]: calls without the thinking that led to them, while the model is to think"],
    );
    let foreign = json!({ "type": "thinking", "thinking": "Hm.", "signature": "of another" });
    let thought = blocks("assistant", json!([foreign, tool_use("1")]));
    check_anthropic(
        Value::Null,
        json!([asked, thought, answered]),
        expect![[
            r#"messages[1]: thinking that was not signed here: {"signature":"of another","thinking":"Hm.","type":"thinking"}"#
        ]],
    );
    check_anthropic(
        json!({ "type": "enabled", "budget_tokens": 5000 }),
        json!([asked]),
        expect!["a budget beyond what may be said, or below 1024"],
    );
}

#[test]
fn the_beginning_stays_but_for_marks_and_thinking() {
    let body = |messages: Value| json!({ "model": "m", "messages": messages }).to_string().into_bytes();
    let marked = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#;
    let moved = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#;
    assert_eq!(Family::Anthropic.check_prefix(marked.as_bytes(), moved.as_bytes()), [""; 0]);
    assert_eq!(Family::Anthropic.check_prefix(moved.as_bytes(), marked.as_bytes()).len(), 1);
    let thought =
        r#"{"model":"m","messages":[{"role":"assistant","content":"b","reasoning_content":"Hm."}]}"#;
    let plain =
        r#"{"model":"m","messages":[{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#;
    assert_eq!(Family::Chat.check_prefix(thought.as_bytes(), plain.as_bytes()), [""; 0]);
    assert_eq!(Family::Chat.check_prefix(&body(json!([user("a")])), &body(json!([user("x")]))).len(), 1);
}

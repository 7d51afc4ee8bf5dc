use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

#[track_caller]
fn check(value: Value, expected: Expect) {
    expected.assert_eq(&match classify(value) {
        Message::Request { id, method, params } => format!("request {id:?} {method} {params:?}"),
        Message::Response { id, result } => format!("response {id} {result:?}"),
        Message::Invalid { id, why } => format!("invalid {} {why}", serde_json::to_string(&id).unwrap()),
    });
}

#[test]
fn messages() {
    check(
        json!({"jsonrpc": "2.0", "id": 1, "method": "agent/prompt", "params": {"uri": "file:///[a]"}}),
        expect![[r#"request Some(Number(1)) agent/prompt Some(Object {"uri": String("file:///[a]")})"#]],
    );
    check(json!({"jsonrpc": "2.0", "id": 7, "result": null}), expect!["response 7 Ok(Null)"]);
    check(
        json!({"jsonrpc": "2.0", "id": "x", "error": {"code": -32601, "message": "no", "more": 1}}),
        expect![[r#"response "x" Err(Refused { code: -32601, message: "no" })"#]],
    );
}

#[test]
fn what_is_no_message_is_answered_with_what_was_expected() {
    check(json!([]), expect!["invalid null batches are not supported"]);
    check(json!("x"), expect!["invalid null a message must be an object"]);
    check(json!({"id": 3, "method": "x"}), expect![[r#"invalid 3 jsonrpc: expected "2.0""#]]);
    check(
        json!({"jsonrpc": "1.0", "id": 3, "method": "x"}),
        expect![[r#"invalid 3 jsonrpc: expected "2.0""#]],
    );
    check(
        json!({"jsonrpc": "2.0", "id": {}, "method": "x"}),
        expect!["invalid null id: expected a string, a number or null"],
    );
    check(json!({"jsonrpc": "2.0", "id": 3, "method": 4}), expect!["invalid 3 method: expected a string"]);
    check(
        json!({"jsonrpc": "2.0", "id": 3}),
        expect!["invalid 3 expected `method`, or `id` with `result` or `error`"],
    );
}

use expect_test::{Expect, expect};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::*;

/// The calls that come of these pieces, one chunk each: id, name, arguments.
#[track_caller]
fn check(pieces: &[Value], shown: Expect) {
    let mut calls = Calls::default();
    for piece in pieces {
        calls.take(Some(&to_raw_value(&[piece]).unwrap()));
    }
    let lines =
        calls.finished(true).map(|call| format!("{:?} {} {}\n", call.call_id, call.name, call.arguments));
    shown.assert_eq(&lines.collect::<String>());
}

fn begin(index: u64, id: &str, name: &str) -> Value {
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } })
}

fn more(index: u64, arguments: &str) -> Value {
    json!({ "index": index, "function": { "arguments": arguments } })
}

fn whole(index: u64, id: &str, name: &str) -> Value {
    json!({ "index": index, "id": id, "function": { "name": name, "arguments": "{\"a\":1}" } })
}

#[test]
fn pieces_by_index() {
    check(
        &[
            begin(0, "a", "run"),
            begin(1, "b", "read"),
            more(1, "{\"b\""),
            more(0, "{\"a\""),
            more(1, ":2}"),
            more(0, ":1}"),
        ],
        expect![[r#"
            "a" run {"a":1}
            "b" read {"b":2}
        "#]],
    );
    // Counted from one, and with the id and name in each piece.
    let again = |arguments: &str| json!({ "index": 1, "id": "a", "function": { "name": "run", "arguments": arguments } });
    check(
        &[begin(1, "a", "run"), again("{\"a\""), again(":1}")],
        expect![[r#"
        "a" run {"a":1}
    "#]],
    );
    // Empty strings in place of what is known.
    let empty = json!({ "index": 0, "id": "", "function": { "name": "", "arguments": ":1}" } });
    check(
        &[begin(0, "a", "run"), more(0, "{\"a\""), empty],
        expect![[r#"
        "a" run {"a":1}
    "#]],
    );
}

#[test]
fn one_index_for_all() {
    check(
        &[whole(0, "a", "run"), whole(0, "b", "read")],
        expect![[r#"
        "a" run {"a":1}
        "b" read {"a":1}
    "#]],
    );
    check(
        &[begin(0, "a", "run"), more(0, "{}"), begin(0, "b", "read"), more(0, "{\"b\":2}")],
        expect![[r#"
        "a" run {}
        "b" read {"b":2}
    "#]],
    );
}

#[test]
fn no_ids() {
    check(
        &[whole(0, "", "run"), whole(0, "", "run"), whole(1, "", "read")],
        expect![[r#"
        "" run {"a":1}
        "" run {"a":1}
        "" read {"a":1}
    "#]],
    );
    check(
        &[begin(0, "", "run"), more(0, "{\"a\""), more(0, ":1}")],
        expect![[r#"
        "" run {"a":1}
    "#]],
    );
}

#[test]
fn no_index() {
    let begin = |id: &str| json!({ "id": id, "function": { "name": "run" } });
    let more = |arguments: &str| json!({ "function": { "arguments": arguments } });
    check(
        &[begin("a"), more("{\"a\""), more(":1}"), begin("b"), more("{}")],
        expect![[r#"
        "a" run {"a":1}
        "b" run {}
    "#]],
    );
}

#[test]
fn an_id_that_comes_before_the_rest() {
    check(
        &[json!({ "index": 0, "id": "a" }), begin(0, "", "run"), more(0, "{}")],
        expect![[r#"
        "a" run {}
    "#]],
    );
    check(
        &[json!({ "index": 0 }), begin(0, "a", "run"), more(0, "{}")],
        expect![[r#"
        "a" run {}
    "#]],
    );
}

#[test]
fn odd_arguments() {
    let object = json!({ "index": 0, "id": "a", "function": { "name": "run", "arguments": { "a": [1] } } });
    check(
        &[object],
        expect![[r#"
        "a" run {"a":[1]}
    "#]],
    );
    check(
        &[begin(0, "a", "run"), json!({ "index": 0, "function": { "arguments": null } })],
        expect![[r#"
        "a" run {}
    "#]],
    );
    check(
        &[begin(0, "a", "run"), more(0, "{broken")],
        expect![[r#"
        "a" run {broken
    "#]],
    );
    check(
        &[json!({ "index": 0, "id": "a", "function": null }), json!({ "index": "x" })],
        expect![[r#"
        "a"  {}
    "#]],
    );
}

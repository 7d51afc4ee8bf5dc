use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// Sends notifications and shows what is open then.
#[track_caller]
fn check(notifications: &[(&str, Value)], expected: Expect) {
    let documents = Documents::new();
    documents.set_counting(Counting::default());
    let mut out = String::new();
    for (method, params) in notifications {
        match documents.notify(&format!("textDocument/{method}"), params) {
            Some(Ok(())) => {}
            Some(Err(error)) => out += &format!("{method}: {error}\n"),
            None => out += &format!("{method}: not about documents\n"),
        }
    }
    let open = documents.lock();
    let mut shown: Vec<String> = open
        .documents
        .iter()
        .map(|(uri, open)| {
            let lost = if open.is_lost() { ", lost" } else { "" };
            format!("{} as {uri} v{} {:?}{lost}\n", open.name, open.version().0, open.text().to_string())
        })
        .collect();
    shown.sort();
    expected.assert_eq(&(out + &shown.concat()));
}

fn open(uri: &str, version: i32, text: &str) -> (&'static str, Value) {
    let document = json!({"uri": uri, "languageId": "x", "version": version, "text": text});
    ("didOpen", json!({"textDocument": document}))
}

fn change(uri: &str, version: i32, changes: Value) -> (&'static str, Value) {
    ("didChange", json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}))
}

fn close(uri: &str) -> (&'static str, Value) {
    ("didClose", json!({"textDocument": {"uri": uri}}))
}

fn range(line: u32, start: u32, end: u32) -> Value {
    json!({"start": {"line": line, "character": start}, "end": {"line": line, "character": end}})
}

#[test]
#[cfg(unix)]
fn changes_are_applied_one_after_another() {
    check(
        &[
            open("file:///none/a", 1, "x𝄞y\n"),
            change(
                "file:///none/a",
                2,
                json!([
                    {"range": range(0, 1, 3), "text": "--"},
                    {"range": range(0, 3, 4), "text": "z"},
                ]),
            ),
        ],
        expect![[r#"
            /none/a as file:///none/a v2 "x--z\n"
        "#]],
    );
}

#[test]
#[cfg(unix)]
fn a_document_is_known_however_it_is_spelt() {
    check(
        &[
            open("file:///none/%5Bid%5D%20%C3%A9.tsx", 1, "a"),
            open("file:///none/[id] é.tsx", 7, "b"),
            close("file:///none/%5Bid%5D%20%C3%A9.tsx"),
        ],
        expect![[r#"
            /none/[id] é.tsx as file:///none/[id] é.tsx v7 "b"
        "#]],
    );
}

#[test]
#[cfg(unix)]
fn two_spellings_of_a_file_are_two_documents_of_their_client() {
    check(
        &[
            open("file:///none/a", 1, "one"),
            open("file:///none/./a", 1, "other"),
            change("file:///none/a", 2, json!([{"range": range(0, 0, 3), "text": "1"}])),
            change("file:///none/./a", 2, json!([{"range": range(0, 5, 5), "text": "!"}])),
        ],
        expect![[r#"
            /none/a as file:///none/./a v2 "other!"
            /none/a as file:///none/a v2 "1"
        "#]],
    );
}

#[test]
#[cfg(unix)]
fn closing_and_opening_again_begins_anew() {
    check(
        &[open("file:///none/a", 9, "a"), close("file:///none/a"), open("file:///none/a", 0, "b")],
        expect![[r#"
            /none/a as file:///none/a v0 "b"
        "#]],
    );
}

#[test]
fn documents_that_are_no_files() {
    check(
        &[
            open("untitled:Untitled-1", 1, "a"),
            change("untitled:Untitled-1", 2, json!([{"text": "all new"}])),
        ],
        expect![[r#"
            untitled:Untitled-1 as untitled:Untitled-1 v2 "all new"
        "#]],
    );
}

#[test]
fn what_cannot_be_taken_is_said() {
    check(
        &[
            open("untitled:a", 1, "abc"),
            change("untitled:b", 2, json!([{"text": "x"}])),
            close("untitled:c"),
            ("hover", json!({})),
        ],
        expect![[r#"
            didChange: untitled:b is not open
            didClose: untitled:c is not open
            hover: not about documents
            untitled:a as untitled:a v1 "abc"
        "#]],
    );
}

#[test]
fn a_document_whose_change_cannot_be_taken_is_lost_until_it_is_whole() {
    check(
        &[
            open("untitled:a", 1, "abc"),
            open("untitled:b", 1, "abc"),
            open("untitled:c", 1, "abc"),
            ("didOpen", json!({"textDocument": {"uri": "untitled:d", "version": 1}})),
            change("untitled:a", 2, json!([{"text": "x"}, {"range": range(0, 2, 1), "text": "y"}])),
            change("untitled:b", 2, json!([{"range": range(0, 1, 2)}])),
            change("untitled:b", 3, json!([{"range": range(0, 0, 0), "text": "x"}])),
            change("untitled:c", 2, json!([{"range": range(0, 1, 2)}])),
            change(
                "untitled:c",
                3,
                json!([{"range": range(9, 9, 0), "text": "x"}, {"text": "y"}, {"range": range(0, 0, 0), "text": "x"}]),
            ),
        ],
        expect![[r#"
            didOpen: bad params: textDocument: missing field `text`
            didChange: untitled:a: change 2 ends at 0:1, before its start at 0:2
            didChange: bad params: contentChanges[0]: missing field `text`
            didChange: bad params: contentChanges[0]: missing field `text`
            untitled:a as untitled:a v1 "abc", lost
            untitled:b as untitled:b v1 "abc", lost
            untitled:c as untitled:c v3 "xy"
            untitled:d as untitled:d v0 "", lost
        "#]],
    );
}

#[test]
#[cfg(unix)]
fn a_document_is_known_by_its_file_once_that_is_resolved() {
    let documents = Documents::new();
    let notify = |(method, params): (&str, Value)| {
        documents.notify(&format!("textDocument/{method}"), &params).unwrap().unwrap();
    };
    let path = |path: &str| AbsPath::new(path).unwrap();
    let text = |name: &str| Some(documents.get(&FileName::Path(path(name)))?.text().to_string());
    notify(open("file:///none/link", 1, "one"));
    notify(open("file:///none/real", 1, "other"));
    let [link, real] = documents.take_opened().try_into().unwrap();
    assert_eq!(text("/none/link").as_deref(), Some("one"));
    notify(change("file:///none/link", 2, json!([{"text": "two"}])));
    documents.set_path(&real, path("/none/real"));
    documents.set_path(&link, path("/none/real"));
    assert_eq!(text("/none/link"), None);
    assert_eq!(text("/none/real").as_deref(), Some("other"), "the one opened last");
    notify(close("file:///none/real"));
    assert_eq!(text("/none/real").as_deref(), Some("two"));

    // An answer that comes when the document was opened anew is not of it.
    notify(open("file:///none/link", 1, "three"));
    documents.set_path(&link, path("/none/real"));
    assert_eq!(text("/none/link").as_deref(), Some("three"));
    assert_eq!(text("/none/real"), None);
}

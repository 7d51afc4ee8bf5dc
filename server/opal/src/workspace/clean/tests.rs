use serde_json::{Value, json};

use super::*;
use crate::documents::Documents;

const MAX: u64 = 1 << 20;

/// A file with these bytes and a document of it, to which the client's notifications have come.
#[track_caller]
fn check(file: Option<&[u8]>, notifications: &[(&str, Value)], expected: Standing) {
    let directory = tempfile::tempdir().unwrap();
    let path = AbsPath::new(directory.path().canonicalize().unwrap().join("file")).unwrap();
    if let Some(bytes) = file {
        std::fs::write(path.as_path(), bytes).unwrap();
    }
    let documents = Documents::new();
    for (method, params) in notifications {
        let mut params = params.clone();
        params["textDocument"]["uri"] = json!(path.to_uri());
        documents.notify(&format!("textDocument/{method}"), &params).unwrap().unwrap();
    }
    let document = documents.get(&FileName::Path(path)).unwrap();
    assert_eq!(standing(&document, MAX), expected);
}

fn open(text: &str) -> (&'static str, Value) {
    ("didOpen", json!({"textDocument": {"version": 1, "text": text}}))
}

fn change(text: &str) -> (&'static str, Value) {
    ("didChange", json!({"textDocument": {"version": 2}, "contentChanges": [{"text": text}]}))
}

fn save() -> (&'static str, Value) {
    ("didSave", json!({"textDocument": {}}))
}

#[test]
fn the_file_decides_line_ends_and_byte_order_mark_aside() {
    check(Some(b"a\r\nb\r\n"), &[open("a\nb\n")], Standing::Clean);
    check(Some(b"a\r\nb\n"), &[open("a\r\nb\r\n")], Standing::Clean);
    check(Some(b"\xef\xbb\xbfa\r\n"), &[open("a\n")], Standing::Clean);
    check(Some(b"\xff\xfea\0\r\0\n\0"), &[open("a\n")], Standing::Clean);
    check(Some(b"typed\r\n"), &[open("a\n"), change("typed\n")], Standing::Clean);
    check(Some(b"a\n"), &[open("a\n"), change("typed\n")], Standing::Typed);
    check(Some(b"a\n"), &[open("a\n"), change("typed\n"), change("a\n")], Standing::Clean);
}

#[test]
fn a_difference_without_typing_is_nobodys() {
    check(Some(b"a\n"), &[open("restored\n")], Standing::Differs);
    check(Some(b"from another program\n"), &[open("a\n"), change("b\n"), save()], Standing::Differs);
    check(None, &[open("a\n")], Standing::Differs);
    check(None, &[open(""), change("typed")], Standing::Typed);
}

#[test]
fn a_file_that_is_not_unicode_is_asked_whether_the_text_comes_from_it() {
    check(Some(b"caf\xe9\r\n"), &[open("café\n")], Standing::Clean);
    check(Some(b"caf\xe9\n"), &[open("café, restored\n")], Standing::Differs);
    check(Some(b"caf\xe9\n"), &[open("café\n"), change("thé\n")], Standing::Typed);
    // The editor could not read it, and would write U+FFFD.
    check(Some(b"caf\xe9\n"), &[open("caf\u{fffd}\n")], Standing::Differs);
}

#[test]
fn where_the_file_says_nothing_the_client_is_believed_to_have_saved() {
    // A code of three bytes, in EUC-JP.
    let file = b"\x8f\xb0\xa1\n";
    check(Some(file), &[open("\u{4e02}\n")], Standing::Differs);
    check(Some(file), &[open("x\n"), change("\u{4e02}\n"), save()], Standing::Clean);
    check(Some(file), &[open("x\n"), save(), change("\u{4e02}\n")], Standing::Typed);
}

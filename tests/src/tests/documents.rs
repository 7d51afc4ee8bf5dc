use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::editor::{Document, Encoding, file_uri};

/// Applies edits written as `line:character-line:character -> text`.
#[track_caller]
fn check(encoding: Encoding, before: &str, edits: &[&str], after: Expect) {
    let mut document = Document::new("file:///a", before.as_bytes());
    let edits: Vec<Value> = edits.iter().map(|edit| parse(edit)).collect();
    let shown = match document.parse_edits(&json!(edits), encoding) {
        Ok(replacements) => {
            let changes = document.replace(&replacements, encoding);
            assert_eq!(replay(before, &changes, encoding), document.text, "the changes tell another story");
            document.text
        }
        Err(bad) => format!("refused: {bad}"),
    };
    after.assert_eq(&shown.escape_debug().to_string());
}

fn parse(edit: &str) -> Value {
    let (range, text) = edit.split_once(" -> ").unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let position = |text: &str| {
        let (line, character) = text.split_once(':').unwrap();
        json!({ "line": line.parse::<u32>().unwrap(), "character": character.parse::<u32>().unwrap() })
    };
    json!({ "range": { "start": position(start), "end": position(end) }, "newText": text })
}

/// What a server makes of content changes, one after another.
fn replay(before: &str, changes: &[Value], encoding: Encoding) -> String {
    let mut text = before.to_owned();
    for change in changes {
        let document = Document::new("file:///a", text.as_bytes());
        let edit = json!([{ "range": change["range"], "newText": change["text"] }]);
        let replacement = document.parse_edits(&edit, encoding).unwrap().remove(0);
        text.replace_range(replacement.start..replacement.end, &replacement.text);
    }
    text
}

#[test]
fn counts_in_each_encoding() {
    check(Encoding::Utf8, "aé🦀b\n", &["0:7-0:8 -> c"], expect!["aé🦀c\\n"]);
    check(Encoding::Utf16, "aé🦀b\n", &["0:4-0:5 -> c"], expect!["aé🦀c\\n"]);
    check(Encoding::Utf32, "aé🦀b\n", &["0:3-0:4 -> c"], expect!["aé🦀c\\n"]);
    check(
        Encoding::Utf16,
        "aé🦀b\n",
        &["0:3-0:5 -> c"],
        expect![[
            r#"refused: the position {\"character\":3,\"line\":0} is beyond the end of its line or inside a character"#
        ]],
    );
}

#[test]
fn breaks_lines_where_lsp_does() {
    check(Encoding::Utf16, "a\r\nb\rc\nd", &["1:0-1:1 -> B", "3:1-3:1 -> !"], expect!["a\\r\\nB\\rc\\nd!"]);
    check(Encoding::Utf16, "a\u{2028}b", &["0:2-0:3 -> c"], expect!["a\\u{2028}c"]);
    check(Encoding::Utf16, "a\n", &["1:0-1:0 -> b"], expect!["a\\nb"]);
}

#[test]
fn is_strict_with_edits() {
    check(
        Encoding::Utf16,
        "abc",
        &["0:0-0:2 -> x", "0:1-0:3 -> y"],
        expect![[
            r#"refused: the edits overlap: Replacement { start: 0, end: 2, text: \"x\" } and Replacement { start: 1, end: 3, text: \"y\" }"#
        ]],
    );
    check(
        Encoding::Utf16,
        "abc",
        &["0:0-0:4 -> x"],
        expect![[
            r#"refused: the position {\"character\":4,\"line\":0} is beyond the end of its line or inside a character"#
        ]],
    );
    check(
        Encoding::Utf16,
        "abc",
        &["2:0-2:0 -> x"],
        expect![[r#"refused: the position {\"character\":0,\"line\":2} is after the last line"#]],
    );
}

#[test]
fn tells_any_change_as_one_that_holds() {
    let texts = [
        "",
        "a",
        "a\r\nb",
        "a\rb",
        "a\nb",
        "é🦀",
        "é🐙",
        "a\r\n\r\nb\r\n",
        "x\r\ny\r\n",
        "\n",
        "\r\n",
        "a\r",
        "\r\nb",
    ];
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
        for (before, after) in texts.iter().flat_map(|before| texts.iter().map(move |after| (before, after)))
        {
            let mut document = Document::new("file:///a", before.as_bytes());
            let changes = document.become_text(after, encoding);
            assert_eq!(document.text, **after, "{before:?} to {after:?}");
            assert_eq!(replay(before, &changes, encoding), **after, "{before:?} to {after:?}");
        }
    }
}

#[test]
fn keeps_the_byte_order_mark_apart() {
    let document = Document::new("file:///a", b"\xef\xbb\xbfa");
    assert_eq!((document.text.as_str(), document.bytes().as_slice()), ("a", &b"\xef\xbb\xbfa"[..]));
}

#[test]
fn spells_uris_as_clients_do() {
    let path = std::path::Path::new("/tmp/[id] é.tsx");
    assert_eq!(file_uri(path, false), "file:///tmp/%5Bid%5D%20%C3%A9.tsx");
    assert_eq!(file_uri(path, true), "file:///tmp/[id] é.tsx");
}

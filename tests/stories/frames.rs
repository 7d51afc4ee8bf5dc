//! Frames and messages that are none: each gets an error, and the stream goes on.

use serde_json::json;
use tests::editor::HIGH_HALF;
use tests::{FakeModel, Framing, Opal};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;

fn framed(body: impl AsRef<[u8]>) -> Vec<u8> {
    Framing::Header.wrap(body.as_ref())
}

/// Sends bytes, waits for the error, and sees that the server still listens.
async fn check(bytes: Vec<u8>, code: i64) {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let from = opal.editor.place();
    opal.editor.send_raw(bytes);
    let refusal = opal.editor.until(None, from, "refusal", |_| true).await;
    assert_eq!(refusal["code"], code, "{}", refusal.params);
    opal.state().await;
}

#[tokio::test]
async fn not_json() {
    check(framed("{\"jsonrpc\": nonsense"), PARSE_ERROR).await;
}

#[tokio::test]
async fn empty() {
    check(framed(""), PARSE_ERROR).await;
}

#[tokio::test]
async fn not_utf8() {
    check(framed(b"{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\xff}"), PARSE_ERROR).await;
}

#[tokio::test]
async fn a_request_with_half_of_a_pair_is_answered_under_its_id() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hello"));
    let opal = Opal::start(&model).await;
    assert_eq!(opal.run(&format!("hello {HIGH_HALF} there")).await, "completed");
    let asked = model.last_request().user_texts();
    assert!(asked.concat().contains("hello \u{fffd} there"), "{asked:?}");
    assert_eq!(opal.editor.count("refusal"), 0);
}

#[tokio::test]
async fn nested_too_deep() {
    let depth = 100_000;
    check(framed("[".repeat(depth) + &"]".repeat(depth)), PARSE_ERROR).await;
}

#[tokio::test]
async fn a_batch() {
    check(framed(r#"[{"jsonrpc":"2.0","id":900,"method":"agent/state"}]"#), INVALID_REQUEST).await;
}

#[tokio::test]
async fn another_jsonrpc() {
    check(framed(r#"{"jsonrpc":"1.0","id":900,"method":"agent/state"}"#), INVALID_REQUEST).await;
    check(framed(r#"{"id":900,"method":"agent/state"}"#), INVALID_REQUEST).await;
}

#[tokio::test]
async fn neither_request_nor_answer() {
    check(framed(r#"{"jsonrpc":"2.0"}"#), INVALID_REQUEST).await;
    check(framed("17"), INVALID_REQUEST).await;
}

#[tokio::test]
async fn too_large() {
    const MAX: usize = 64 << 20;
    check(framed(vec![b' '; MAX + 1]), INVALID_REQUEST).await;
}

#[tokio::test]
async fn a_length_that_is_none() {
    check(b"Content-Length: many\r\n\r\n".to_vec(), INVALID_REQUEST).await;
    check(b"Content-Type: none\r\n\r\n".to_vec(), INVALID_REQUEST).await;
}

#[tokio::test]
async fn a_line_that_is_no_message() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).framing(Framing::Lines).await;
    for line in ["nonsense\n", "[1]\n", "\u{0}\n"] {
        let from = opal.editor.place();
        opal.editor.send_raw(line);
        opal.editor.until(None, from, "refusal", |_| true).await;
    }
    opal.state().await;
}

#[tokio::test]
async fn cut_into_single_bytes() {
    for framing in [Framing::Header, Framing::Lines] {
        let model = FakeModel::start().await;
        model.next(|t| t.text("hello"));
        let opal = Opal::start(&model).framing(framing).await;
        let from = opal.editor.place();
        let params = json!({ "uri": "untitled:é🦀" });
        opal.editor.send_in_pieces(&json!({ "jsonrpc": "2.0", "method": "$/nothing", "params": params }));
        let end = opal.run("hello").await;
        assert_eq!((end.as_str(), opal.editor.count("refusal")), ("completed", 0));
        assert!(opal.editor.place() > from);
    }
}

#[tokio::test]
async fn the_stream_ends_inside_a_frame() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    opal.editor.send_raw("Content-Length: 1000\r\n\r\n{\"jsonrpc\"");
    opal.editor.close_writing();
    opal.editor.until_closed().await;
}

#[tokio::test]
async fn a_header_in_another_case_with_other_fields() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let from = opal.editor.place();
    let body = r#"{"jsonrpc":"2.0","method":"$/nothing"}"#;
    let kind = "application/vscode-jsonrpc; charset=utf-8";
    opal.editor.send_raw(format!("content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    opal.state().await;
    assert_eq!(opal.editor.count("refusal"), 0);
    assert!(opal.editor.place() > from);
}

use std::time::Duration;

use agent::client::ClientId;
use expect_test::{Expect, expect};
use serde_json::json;
use tower_lsp::lsp_types::{InitializeParams, InitializeResult};

use super::*;
use crate::connection::Profile;
use crate::transport::OutboxWriter;

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
        json!({"jsonrpc": "2.0", "id": 7, "error": null, "result": {"applied": true}}),
        expect![[r#"response 7 Ok(Object {"applied": Bool(true)})"#]],
    );
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

/// Handlers that panic before and after their first await.
struct Clumsy;

impl LanguageServer for Clumsy {
    async fn initialize(&self, _params: InitializeParams) -> tower_lsp::jsonrpc::Result<InitializeResult> {
        Ok(InitializeResult::default())
    }

    async fn shutdown(&self) -> tower_lsp::jsonrpc::Result<()> {
        Ok(())
    }
}

impl Clumsy {
    async fn at_once(&self) -> tower_lsp::jsonrpc::Result<()> {
        panic!("at once, as the test wants it")
    }

    async fn later(&self) -> tower_lsp::jsonrpc::Result<()> {
        tokio::task::yield_now().await;
        panic!("later, as the test wants it")
    }
}

/// What a client is sent that has been initialized, says this, and goes.
async fn serve<B: LanguageServer>(service: LspService<B>, said: &str) -> String {
    let outbox = Arc::new(Outbox::new(1 << 20));
    let stop = CancellationToken::new();
    let connection = Arc::new(Connection::new(ClientId(1), outbox.clone(), stop.clone()));
    connection.set_profile(Profile::default());
    let farewell = Farewell::default();
    let tasks = TaskTracker::new();
    let mut edge = Edge { service, connection, outbox: outbox.clone(), tasks, stop, farewell };
    edge.read(FrameReader::new(said.as_bytes(), 1 << 20)).await;
    edge.tasks.close();
    edge.tasks.wait().await;
    outbox.close();
    let mut written = Vec::new();
    OutboxWriter { outbox, stall: Duration::from_secs(1) }.run(&mut written).await.unwrap();
    String::from_utf8(written).unwrap()
}

#[tokio::test]
async fn the_user_is_told_once_that_a_text_is_not_known() {
    let (service, _socket) = LspService::new(|_client| Clumsy);
    let opened = r#"{"uri":"file:///a","languageId":"x","version":1,"text":"a"}"#;
    let said = format!(
        r#"{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{{"textDocument":{opened}}}}}
{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"file:///a"}}}}}}
{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"file:///a"}}}}}}
"#
    );
    let written = serve(service, &said).await;
    let count = |method: &str| written.matches(&format!("\"window/{method}\"")).count();
    assert_eq!((count("showMessage"), count("logMessage")), (1, 1), "{written}");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_answered_and_the_next_request_too() {
    let (service, _socket) = LspService::build(|_client| Clumsy)
        .custom_method("test/at_once", Clumsy::at_once)
        .custom_method("test/later", Clumsy::later)
        .finish();
    let requests = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
{"jsonrpc":"2.0","id":2,"method":"test/at_once"}
{"jsonrpc":"2.0","id":3,"method":"test/later"}
{"jsonrpc":"2.0","method":"test/later"}
{"jsonrpc":"2.0","id":4,"method":"shutdown"}
"#;
    let written = serve(service, requests).await;
    let mut answers: Vec<String> = written
        .lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(line).unwrap();
            let error = answer["error"]["message"].as_str();
            format!("{} {}\n", answer["id"], error.unwrap_or("ok"))
        })
        .collect();
    answers.sort();
    expect![[r#"
        1 ok
        2 the request failed because of a bug in Opal; the log has the details
        3 the request failed because of a bug in Opal; the log has the details
        4 ok
    "#]]
    .assert_eq(&answers.concat());
}

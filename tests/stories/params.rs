//! Requests that are wrong: the error says what and where.

use expect_test::expect;
use serde_json::{Value, json};
use tests::{FakeModel, Opal, Profile};

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_INITIALIZED: i64 = -32002;
const INVALID_REQUEST: i64 = -32600;

#[tokio::test]
async fn an_unknown_method() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    for method in ["agent/dance", "textDocument/hover/not", "$/dance"] {
        let error = opal.editor.start_request(method, json!({})).error().await;
        assert_eq!(error.code, METHOD_NOT_FOUND, "{method}: {error}");
    }
    opal.editor.notify("agent/dance", json!({}));
    opal.editor.notify("$/dance", json!({}));
    opal.state().await;
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let id = &opal.session;
    let long = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": "x", "character": 0 } });
    let cases: &[(&str, Value, &str)] = &[
        ("agent/prompt", json!({}), "session_id"),
        ("agent/prompt", Value::Null, ""),
        ("agent/prompt", json!([1, 2]), ""),
        ("agent/prompt", json!({ "session_id": 3, "text": "" }), "session_id"),
        ("agent/prompt", json!({ "session_id": id }), "text"),
        ("agent/prompt", json!({ "session_id": id, "text": 5 }), "text"),
        ("agent/prompt", json!({ "session_id": id, "text": "a", "attachments": 5 }), "attachments"),
        (
            "agent/prompt",
            json!({ "session_id": id, "text": "a", "attachments": [{ "type": "nonsense" }] }),
            "attachments[0]",
        ),
        (
            "agent/prompt",
            json!({ "session_id": id, "text": "a", "attachments": [{ "type": "selection", "uri": "file:///a", "range": long }] }),
            "attachments[0]",
        ),
        ("agent/prompt", json!({ "session_id": id, "text": "a", "turn_id": 7 }), "turn_id"),
        ("agent/prompt", json!({ "session_id": id, "text": "a", "turn_id": "t1" }), "turn_id"),
        ("agent/steer", json!({ "session_id": id }), "text"),
        ("agent/follow_up", json!({ "session_id": id, "text": null }), "text"),
        ("agent/cancel_queued", json!({ "session_id": id }), "message_id"),
        ("agent/abort", json!({}), "session_id"),
        ("agent/state", json!({ "session_id": [] }), "session_id"),
        ("session/start", json!({}), "working_dir"),
        ("session/start", json!({ "working_dir": "relative" }), "working_dir"),
        ("session/start", json!({ "working_dir": "/does/not/exist" }), "working_dir"),
        ("session/start", json!({ "working_dir": "/", "permission_mode": "yolo" }), "permission_mode"),
        ("session/start", json!({ "working_dir": "/", "thinking_level": 3 }), "thinking_level"),
        ("session/start", json!({ "working_dir": "/", "tools": "read" }), "tools"),
        ("session/start", json!({ "working_dir": "/", "tools": ["read", "fly"] }), "tools"),
        ("session/resume", json!({ "session_id": 1 }), "session_id"),
    ];
    for (method, params, path) in cases {
        let error = opal.editor.start_request(method, params.clone()).error().await;
        assert_eq!(error.code, INVALID_PARAMS, "{method} {params}: {error}");
        assert!(error.message.contains(path), "{method} {params}: {path:?} is not named: {error}");
    }
}

#[tokio::test]
async fn unknown_fields_do_no_harm() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hi"));
    let opal = Opal::start(&model).await;
    let params =
        json!({ "session_id": opal.session, "text": "hi", "of_a_later_version": true, "turn_id": null });
    assert_eq!(opal.prompt_with(params).await.end().await, "completed");
}

#[tokio::test]
async fn an_unknown_session() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    for method in [
        "agent/prompt",
        "agent/steer",
        "agent/follow_up",
        "agent/cancel_queued",
        "agent/abort",
        "agent/state",
        "session/resume",
    ] {
        let params = json!({ "session_id": "nobody", "text": "hi", "message_id": "m" });
        let error = opal.editor.start_request(method, params).error().await;
        assert_eq!(error.code, protocol::UNKNOWN_SESSION, "{method}: {error}");
    }
}

#[tokio::test]
async fn a_request_before_initialize() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).silent().await;
    for method in ["agent/state", "session/start", "textDocument/hover"] {
        let error = opal.editor.start_request(method, json!({})).error().await;
        assert_eq!(error.code, NOT_INITIALIZED, "{method}: {error}");
    }
    opal.editor.notify("textDocument/didOpen", json!({}));
    opal.editor.initialize().await;
    opal.start_session().await;
}

#[tokio::test]
async fn initialize_twice_and_requests_after_shutdown() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let params = opal.editor.initialize_params();
    let error = opal.editor.start_request("initialize", params).error().await;
    assert_eq!(error.code, INVALID_REQUEST, "{error}");
    assert_eq!(opal.editor.request("shutdown", Value::Null).await, Ok(Value::Null));
    let error = opal.editor.start_request("session/start", json!({ "working_dir": "/" })).error().await;
    assert_eq!(error.code, INVALID_REQUEST, "{error}");
    opal.editor.notify("exit", Value::Null);
    opal.editor.until_closed().await;
}

#[tokio::test]
async fn a_prompt_while_one_runs() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.pause_until(&gate).text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("first").await;
    let params = json!({ "session_id": opal.session, "text": "second" });
    let error = opal.editor.start_request("agent/prompt", params).error().await;
    assert_eq!(error.code, protocol::BUSY, "{error}");
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(model.n_requests(), 1);
}

#[tokio::test]
async fn the_same_turn_again_gets_the_first_answer() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.pause_until(&gate).text("Done."));
    let opal = Opal::start(&model).await;
    let params = json!({ "session_id": opal.session, "text": "hello", "turn_id": "mine" });
    let turn = opal.prompt_with(params.clone()).await;
    assert_eq!(turn.turn_id, "mine");
    assert_eq!(opal.prompt_with(params.clone()).await.turn_id, "mine");
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.prompt_with(params).await.turn_id, "mine");
    assert_eq!((model.n_requests(), opal.editor.count("turn_start")), (1, 1));
}

#[tokio::test]
async fn a_client_that_does_not_know_opal_gets_the_same_errors() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).await;
    let error =
        opal.editor.start_request("agent/prompt", json!({ "session_id": opal.session })).error().await;
    assert_eq!(error.code, INVALID_PARAMS, "{error}");
}

#[tokio::test]
async fn the_codes_are_those_of_the_protocol() {
    let shown: Vec<_> = protocol::CODES.iter().map(|info| format!("{} {}", info.code, info.name)).collect();
    expect![[r#"
        -32700 parse_error
        -32600 invalid_request
        -32601 method_not_found
        -32602 invalid_params
        -32603 internal_error
        -32002 server_not_initialized
        -32800 request_cancelled
        -31001 unknown_session
        -31002 busy
        -31003 not_signed_in
        -31008 nothing_to_do
        -31005 held_elsewhere
        -31007 not_stored
        -31004 overloaded"#]]
    .assert_eq(&shown.join("\n"));
}

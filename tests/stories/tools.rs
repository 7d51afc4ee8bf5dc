//! Models that call tools badly.

use serde_json::json;
use tests::{FakeModel, Opal, calls};

/// What the model is told of one call.
async fn told(tool: &str, arguments: impl ToString) -> String {
    let model = FakeModel::start().await;
    model.next(|t| t.tool(tool, arguments));
    model.next(|t| t.text("Sorry."));
    let opal = Opal::start(&model).mode("full").file("a", "one\n").await;
    let turn = opal.prompt("go").await;
    let refused = turn.result().await.unwrap_err();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(model.last_request().last_result(), refused);
    refused
}

#[tokio::test]
async fn an_unknown_tool() {
    let told = told("teleport", json!({ "to": "mars" })).await;
    assert!(
        told.contains("teleport") && told.contains("read"),
        "the tools there are should be named: {told}"
    );
}

#[tokio::test]
async fn arguments_that_are_not_json() {
    for arguments in ["{\"path\": \"a", "path=a", "[]", "\"a\"", "null", "{}{}"] {
        let told = told("read", arguments).await;
        assert!(!told.is_empty(), "{arguments}");
    }
}

#[tokio::test]
async fn arguments_that_are_missing_or_wrong_are_named() {
    assert!(told("read", json!({})).await.contains("path"));
    assert!(told("read", json!({ "path": {} })).await.contains("path"));
    assert!(
        told("edit", json!({ "path": "a", "edits": [{ "old_text": "one" }] })).await.contains("edits[0]")
    );
    assert!(told("edit", json!({ "path": "a", "edits": [] })).await.contains("edits"));
    assert!(told("shell", json!({ "command": "true", "timeout": -1 })).await.contains("timeout"));
}

#[tokio::test]
async fn empty_arguments_are_an_empty_object() {
    assert!(told("read", "").await.contains("path"));
}

#[tokio::test]
async fn the_same_call_forever() {
    let model = FakeModel::start().await;
    model.always(|t| t.tool("read", calls::read("a")));
    let opal = Opal::start(&model).file("a", "one\n").await;
    assert_eq!(opal.run("read it").await, "loop");
    assert_eq!(opal.editor.count("tool_execution_end"), 5);
    let results = model.last_request().results();
    let note = model.last_request().user_texts();
    assert!(
        results.len() >= 3 && (note.len() > 1 || results[2] != results[1]),
        "a note after the third: {results:?} {note:?}"
    );
}

#[tokio::test]
async fn the_same_call_with_other_results_is_no_loop() {
    let model = FakeModel::start().await;
    for _ in 0..7 {
        model.next(|t| t.tool("shell", calls::shell("echo x >> counter; wc -l < counter")));
    }
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("count").await, "completed");
}

#[tokio::test]
async fn two_calls_with_the_same_id() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool_with_id("call_x", "read", calls::read("a")).tool_with_id("call_x", "read", calls::read("a"))
    });
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).file("a", "one\n").await;
    assert_eq!(opal.run("read").await, "completed");
}

#[tokio::test]
async fn an_id_that_is_too_long() {
    let model = FakeModel::start().await;
    let id = "call_".to_owned() + &"x".repeat(500);
    model.next(|t| t.tool_with_id(&id, "read", calls::read("a")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).file("a", "one\n").await;
    assert_eq!(opal.run("read").await, "completed");
}

#[tokio::test]
async fn a_call_with_text_before_and_after() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Before.").tool("read", calls::read("a")).text("After."));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).file("a", "one\n").await;
    assert_eq!(opal.run("read").await, "completed");
}

#[tokio::test]
async fn the_shell_goes_by_its_own_name_and_by_shell() {
    for tool in ["shell", "bash"] {
        let model = FakeModel::start().await;
        model.next(|t| t.tool(tool, calls::shell("echo ran")));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).mode("full").session("shell", "bash").await;
        assert_eq!(opal.run("run").await, "completed");
        assert!(model.request(1).await.tools().contains(&"bash"));
        assert!(model.last_request().last_result().contains("ran"));
    }
}

#[tokio::test]
async fn a_model_that_is_slow_to_call_keeps_its_place() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("read", json!({ "path": "a", "offset": 2, "limit": 1 })));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).file("a", "one\ntwo\nthree\n").await;
    assert_eq!(opal.run("read").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.contains("two") && !told.contains("one") && !told.contains("three\n"), "{told}");
}

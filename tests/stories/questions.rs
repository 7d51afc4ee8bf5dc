//! Questions to the user, and users who answer badly.

use serde_json::{Value, json};
use tests::editor::Confirm;
use tests::{FakeModel, Opal, calls};

async fn command(confirm: Confirm) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo ran >> ran")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).confirm(confirm).await;
    (model, opal)
}

#[tokio::test]
async fn answered_twice() {
    let (_model, opal) = command(Confirm::Twice("allow")).await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(opal.file("ran"), "ran\n");
    opal.state().await;
}

#[tokio::test]
async fn answered_late() {
    let (_model, opal) = command(Confirm::Hold).await;
    let turn = opal.prompt("run it").await;
    let question = turn.until("client/confirm").await;
    for _ in 0..50 {
        opal.state().await;
    }
    question.allow();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.file("ran"), "ran\n");
}

#[tokio::test]
async fn never_answered() {
    let (model, opal) = command(Confirm::Never).await;
    model.forget_scripts();
    let turn = opal.prompt("run it").await;
    turn.until("client/confirm").await;
    let state = opal.state().await;
    assert_eq!((state.questions.len(), state.status), (1, protocol::SessionStatus::Running));
    turn.abort().await;
    assert_eq!(opal.state().await.questions.len(), 0);
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn refused_as_unknown() {
    let (model, opal) = command(Confirm::Unknown).await;
    assert_eq!(opal.run("run it").await, "completed");
    assert!(!opal.has_file("ran"));
    assert!(!model.last_request().last_result().is_empty());
}

#[tokio::test]
async fn the_question_says_what_where_and_why() {
    let (_model, opal) = command(Confirm::Hold).await;
    let turn = opal.prompt("run it").await;
    let start = turn.until("tool_execution_start").await;
    let question = turn.until("client/confirm").await;
    let details = &question["details"];
    assert_eq!(details["command"], "echo ran >> ran");
    assert_eq!(details["directory"], opal.directory().to_str().unwrap());
    assert_eq!(details["call_id"], start["call_id"]);
    assert_eq!(question["actions"], json!(["allow", "deny", "allow_session"]));
    assert!(
        !question["title"].as_str().unwrap().is_empty() && !question["message"].as_str().unwrap().is_empty()
    );
    question.deny("");
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
async fn the_model_asks_the_user() {
    for (answer, told) in [
        (json!({ "text": "the blue one" }), "the blue one"),
        (Value::Null, ""),
        (json!({ "text": null }), ""),
    ] {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("ask_user", json!({ "question": "Which?", "choices": ["red", "blue"] })));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).await;
        let turn = opal.prompt("choose").await;
        let question = turn.until("client/input").await;
        assert_eq!((&question["prompt"], &question["choices"]), (&json!("Which?"), &json!(["red", "blue"])));
        question.answer(answer);
        assert_eq!(turn.end().await, "completed");
        let result = model.last_request().last_result();
        assert!(result.contains(told) && !result.is_empty(), "{result}");
    }
}

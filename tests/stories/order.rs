//! Order under load: nothing waits for what it should not wait for.

use serde_json::json;
use tests::editor::Confirm;
use tests::{FakeModel, Opal, calls};

#[tokio::test]
async fn cancel_under_load() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo ran")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("run it").await;
    let question = turn.until("client/confirm").await;

    let session = json!({ "session_id": opal.session });
    let pending: Vec<_> =
        (0..200).map(|_| opal.editor.start_request("agent/state", session.clone())).collect();
    for request in &pending {
        request.cancel();
    }
    // The answer stands behind four hundred messages and still gets through.
    question.allow();
    assert_eq!(turn.end().await, "completed");
    for request in pending {
        if let Err(error) = request.answer().await {
            assert_eq!(error.code, -32800, "{error}");
        }
    }
}

#[tokio::test]
async fn cancelling_what_is_unknown_or_done() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    for id in [json!(1), json!(12345), json!("text"), json!(null), json!({}), json!(1.5)] {
        opal.editor.notify("$/cancelRequest", json!({ "id": id }));
    }
    opal.editor.notify("$/cancelRequest", json!({}));
    opal.state().await;
}

#[tokio::test]
async fn a_prompt_sees_every_change_before_it() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "0\n").open("a").await;
    for n in 1..20 {
        model.next(|t| t.tool("read", calls::read("a")));
        model.next(|t| t.text("Seen."));
        opal.editor.set_text("a", &format!("version {n}\n"));
        assert_eq!(opal.run("read").await, "completed");
        assert!(model.last_request().last_result().contains(&format!("version {n}")));
    }
}

#[tokio::test]
async fn steering_right_behind_the_prompt_belongs_to_its_turn() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.pause_until(&gate).tool("shell", calls::shell("true")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    let prompt =
        opal.editor.start_request("agent/prompt", json!({ "session_id": opal.session, "text": "first" }));
    let steer =
        opal.editor.start_request("agent/steer", json!({ "session_id": opal.session, "text": "second" }));
    prompt.answer().await.unwrap();
    assert!(steer.answer().await.unwrap()["message_id"].is_string());
    gate.open();
    opal.editor.until(Some(&opal.session), 0, "agent_end", |_| true).await;
    assert_eq!(opal.editor.count("turn_start"), 1);
    assert!(model.last_request().user_texts().iter().any(|text| text.contains("second")));
}

#[tokio::test]
async fn an_answer_to_what_nobody_asked() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    for id in [json!(77), json!("q1"), json!(null)] {
        opal.editor.send_message(json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "allow" } }));
        opal.editor
            .send_message(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": "no" } }));
    }
    opal.state().await;
}

#[tokio::test]
async fn an_id_of_a_request_may_be_text() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let session = json!({ "session_id": opal.session });
    for id in [json!("mine"), json!(""), json!(-1), json!("é\n")] {
        opal.editor.start_request_as(id, "agent/state", session.clone()).answer().await.unwrap();
    }
}

#[tokio::test]
async fn a_late_answer_after_cancel() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    let opal = Opal::start(&model).confirm(Confirm::Never).await;
    let turn = opal.prompt("run it").await;
    let question = turn.until("client/confirm").await;
    turn.abort().await;
    question.answer(json!({ "action": "allow_session" }));
    opal.state().await;
    assert!(!opal.has_file("ran"));
}

//! Several sessions on one connection.

use serde_json::json;
use tests::{FakeModel, Gate, Opal, calls};

#[tokio::test]
async fn sessions_run_at_the_same_time() {
    let model = FakeModel::start().await;
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let opal = Opal::start(&model).await;
    let mut turns = Vec::new();
    for (n, gate) in gates.iter().enumerate() {
        let prompt = format!("prompt number {n}");
        model.next_for(&prompt, |t| t.text(format!("half {n}")).pause_until(gate).text("whole"));
        let session = opal.start_session().await;
        let turn = opal.prompt_in(&session, &prompt).await;
        turn.until("message_delta").await;
        turns.push(turn);
    }
    assert_eq!(opal.editor.running().len(), 3);
    for (gate, turn) in gates.iter().zip(&turns).rev() {
        gate.open();
        assert_eq!(turn.end().await, "completed");
    }
}

#[tokio::test]
async fn each_has_its_own_directory_and_mode() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("sub/here", "in the directory below\n").await;
    let sub = opal.path("sub");
    let started =
        opal.start_session_with(json!({ "working_dir": sub, "permission_mode": "read_only" })).await;
    assert_eq!(started.state.permission_mode, protocol::PermissionMode::ReadOnly);
    assert_eq!(started.state.working_dir, sub.to_str().unwrap());
    model.next(|t| t.tool("read", calls::read("here")).tool("shell", calls::shell("true")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.prompt_in(&started.session_id, "look").await.end().await, "completed");
    let results = model.last_request().results();
    assert!(results[0].contains("in the directory below") && results[1].contains("read-only"), "{results:?}");
    assert_eq!(opal.state().await.permission_mode, protocol::PermissionMode::Ask);
}

#[tokio::test]
async fn aborting_one_leaves_the_other() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next_for("first", |t| t.text("half").hang());
    model.next_for("second", |t| t.pause_until(&gate).text("whole"));
    let opal = Opal::start(&model).await;
    let other = opal.start_session().await;
    let first = opal.prompt("first").await;
    first.until("message_delta").await;
    let second = opal.prompt_in(&other, "second").await;
    first.abort().await;
    gate.open();
    assert_eq!(second.end().await, "completed");
}

#[tokio::test]
async fn only_the_tools_that_were_asked_for_are_offered() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hi"));
    let opal = Opal::start(&model).await;
    let params = json!({ "working_dir": opal.directory(), "tools": ["read"], "system_prompt": "Be brief." });
    let started = opal.start_session_with(params).await;
    assert_eq!(opal.prompt_in(&started.session_id, "hello").await.end().await, "completed");
    let request = model.last_request();
    assert_eq!(request.tools(), ["read"]);
    assert!(request.body["instructions"].as_str().unwrap().contains("Be brief."));
}

#[tokio::test]
async fn the_directory_may_be_a_uri() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let uri = tests::editor::file_uri(&opal.directory(), false);
    let started = opal.start_session_with(json!({ "working_dir": uri })).await;
    assert_eq!(started.state.working_dir, opal.directory().to_str().unwrap());
}

#[tokio::test]
async fn a_hundred_sessions() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let params = json!({ "working_dir": opal.directory() });
    let starts: Vec<_> =
        (0..100).map(|_| opal.editor.start_request("session/start", params.clone())).collect();
    let mut ids = std::collections::BTreeSet::new();
    for start in starts {
        ids.insert(start.answer().await.unwrap()["session_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 100);
    model.always(|t| t.text("hi"));
    for id in ids.iter().take(5) {
        assert_eq!(opal.prompt_in(id, "hello").await.end().await, "completed");
    }
}

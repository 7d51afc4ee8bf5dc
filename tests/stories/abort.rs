//! Abort, in whatever state the run is: it stops, nothing is left behind, and the next prompt works.

use tests::editor::{Confirm, Save};
use tests::{FakeModel, Gate, Opal, calls};

/// Aborts, and sees that all is well afterwards; the fake model checks that every call got its result.
async fn abort_and_go_on(model: &FakeModel, opal: &Opal, turn: &tests::Turn) {
    let answer = turn.abort().await;
    assert_eq!(answer["ok"], true);
    assert_eq!(turn.end().await, "aborted");
    let state = opal.state().await;
    assert_eq!((state.status, state.questions.len()), (protocol::SessionStatus::Idle, 0));
    assert_eq!(opal.commands(), [""; 0]);

    model.next(|t| t.text("Here again."));
    assert_eq!(opal.run("go on").await, "completed");
}

#[tokio::test]
async fn while_the_model_thinks() {
    let model = FakeModel::start().await;
    model.next(|t| t.silent());
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("hello").await;
    model.request(1).await;
    abort_and_go_on(&model, &opal, &turn).await;
    model.closed(1).await;
}

#[tokio::test]
async fn while_text_streams() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half an answer").hang());
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("hello").await;
    turn.until("message_delta").await;
    abort_and_go_on(&model, &opal, &turn).await;
    model.closed(1).await;
    let said = serde_json::to_string(model.last_request().input()).unwrap();
    assert!(said.contains("half an answer"), "the partial answer is lost: {said}");
}

#[tokio::test]
async fn while_a_tool_call_streams() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("I will").tool("shell", calls::shell("touch ran")).hang());
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("hello").await;
    turn.until("message_delta").await;
    abort_and_go_on(&model, &opal, &turn).await;
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn while_a_command_runs() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo started; sleep 1000 & sleep 1000")));
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("hello").await;
    turn.until("tool_output").await;
    assert_ne!(opal.commands(), [""; 0]);
    abort_and_go_on(&model, &opal, &turn).await;
    assert!(model.last_request().last_result().contains("abort"));
}

#[tokio::test]
async fn while_a_command_runs_that_ignores_term() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("trap '' TERM; echo started; while :; do sleep 1; done")));
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("hello").await;
    turn.until("tool_output").await;
    abort_and_go_on(&model, &opal, &turn).await;
}

#[tokio::test]
async fn while_a_question_waits() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")).tool("edit", calls::edit("a", "one", "two")));
    let opal = Opal::start(&model).file("a", "one\n").open("a").await;
    let turn = opal.prompt("hello").await;
    turn.until("client/confirm").await;
    abort_and_go_on(&model, &opal, &turn).await;
    assert_eq!(opal.editor.count("client/resolved"), 1);
    assert!(!opal.has_file("ran"));
    assert_eq!(opal.text("a"), "one\n");
}

#[tokio::test]
async fn while_a_retry_waits() {
    let model = FakeModel::start().await;
    model.next(|t| t.status(500));
    let opal = Opal::start(&model).slow_retries().await;
    let turn = opal.prompt("hello").await;
    turn.until("retry").await;
    assert!(matches!(opal.state().await.waiting_for, Some(protocol::WaitingFor::Retry { .. })));
    abort_and_go_on(&model, &opal, &turn).await;
}

#[tokio::test]
async fn while_documents_are_saved_for_a_command() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    let patience = std::time::Duration::from_millis(500);
    let start = Opal::start(&model).mode("full").editor_patience(patience);
    let opal = start.file("a", "one\n").open("a").await;
    // After the edit, and before the command.
    opal.editor.on_save(Save::Fail);
    opal.editor.on_save(Save::Never);
    let turn = opal.prompt("hello").await;
    turn.until("client/save_documents").await;
    turn.until("client/save_documents").await;
    abort_and_go_on(&model, &opal, &turn).await;
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn while_the_editor_owes_an_answer() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").open("a").await;
    opal.editor.on_edit(tests::editor::Apply { reply: tests::editor::Reply::Held, ..Default::default() });
    let turn = opal.prompt("hello").await;
    turn.until("workspace/applyEdit").await;
    // An edit under way is applied or not, never half: the abort may wait for it.
    let abort = opal.editor.start_request("agent/abort", serde_json::json!({ "session_id": opal.session }));
    turn.until("agent_abort").await;
    opal.editor.release();
    abort.answer().await.unwrap();
    assert_eq!(turn.end().await, "aborted");
    model.next(|t| t.text("Here again."));
    assert_eq!(opal.run("go on").await, "completed");
}

/// A session that edits line one of `a`, aborted while the editor owes something, and another session on its way to
/// edit line two. `b` is edited meanwhile from beginning to end, so the other would have got through if it could.
async fn edited_by_two(owe: impl FnOnce(&tests::editor::Editor), owed: &str) -> Opal {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\ntwo\n").file("b", "b\n").open("a").await;
    let start_session = || async {
        let params = serde_json::json!({"working_dir": opal.directory(), "permission_mode": "auto_edit"});
        opal.start_session_with(params).await.session_id
    };
    let (second, third) = (start_session().await, start_session().await);
    for (prompt, file, old, new) in
        [("first", "a", "one", "1"), ("second", "a", "two", "2"), ("third", "b", "b", "c")]
    {
        model.next_for(prompt, |t| t.tool("edit", calls::edit(file, old, new)));
        if prompt != "first" {
            model.next_for(prompt, |t| t.text("Done."));
        }
    }
    owe(&opal.editor);
    let aborted = opal.prompt("first").await;
    aborted.until(owed).await;
    aborted.abort().await;
    assert_eq!(aborted.end().await, "aborted");

    let waiting = opal.prompt_in(&second, "second").await;
    waiting.until("tool_execution_start").await;
    assert_eq!(opal.prompt_in(&third, "third").await.end().await, "completed");
    // The first one's and the third one's.
    assert_eq!(opal.editor.count("workspace/applyEdit"), 2, "{}", opal.transcript());
    opal.editor.release();
    assert_eq!(waiting.end().await, "completed");
    opal
}

#[tokio::test]
async fn an_edit_that_the_editor_still_owes_keeps_other_writers_waiting() {
    let held = tests::editor::Apply { reply: tests::editor::Reply::Held, ..Default::default() };
    let opal = edited_by_two(|editor| editor.on_edit(held), "workspace/applyEdit").await;
    assert_eq!(opal.text("a"), "1\n2\n", "{}", opal.transcript());
}

#[tokio::test]
async fn a_save_that_the_editor_still_owes_keeps_other_writers_waiting() {
    let opal = edited_by_two(|editor| editor.on_save(Save::Held), "client/save_documents").await;
    assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("1\n2\n", "1\n2\n"));
}

#[tokio::test]
async fn when_idle() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let answer = opal.abort().await;
    assert!(answer.ok && answer.queued.is_empty());
    assert_eq!(opal.editor.count("agent_end"), 0);
}

#[tokio::test]
async fn twice_at_once() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half").hang());
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("hello").await;
    turn.until("message_delta").await;
    let session = serde_json::json!({ "session_id": opal.session });
    let aborts: Vec<_> = (0..5).map(|_| opal.editor.start_request("agent/abort", session.clone())).collect();
    for abort in aborts {
        assert_eq!(abort.answer().await.unwrap()["ok"], true);
    }
    assert_eq!(opal.editor.count("agent_end"), 1);
}

#[tokio::test]
async fn what_was_queued_is_handed_back() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half").hang());
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("hello").await;
    turn.until("message_delta").await;
    let message_id = opal.follow_up("then this").await;
    let answer = opal.abort().await;
    let queued: Vec<_> =
        answer.queued.iter().map(|queued| (queued.message_id.as_str(), queued.text.as_str())).collect();
    assert_eq!(queued, [(message_id.as_str(), "then this")]);
    assert_eq!(opal.state().await.queue.len(), 0);
    assert_eq!(model.n_requests(), 1);
}

#[tokio::test]
async fn answers_that_come_after_it_do_nothing() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    let opal = Opal::start(&model).confirm(Confirm::Never).await;
    let turn = opal.prompt("hello").await;
    let question = turn.until("client/confirm").await;
    turn.abort().await;
    question.allow();
    question.allow();
    model.next(|t| t.text("Here again."));
    assert_eq!(opal.run("go on").await, "completed");
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn an_aborted_request_can_be_cancelled() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("hello").await;
    model.request(1).await;
    let session = serde_json::json!({ "session_id": opal.session });
    let abort = opal.editor.start_request("agent/abort", session);
    abort.cancel();
    // Either answer is right: it was answered before it was cancelled, or not.
    let _ = abort.answer().await;
    assert_eq!(turn.end().await, "aborted");
}

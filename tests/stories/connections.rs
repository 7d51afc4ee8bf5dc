//! Several connections to one server, and editors that vanish or hang.

use std::time::Duration;

use serde_json::json;
use tests::editor::{Confirm, Options};
use tests::{FakeModel, Gate, Opal, Profile, calls};

#[tokio::test]
async fn two_editors_see_the_same_session() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hello to both"));
    let mut opal = Opal::start(&model).await;
    let second = opal.second_editor(Options::default()).await;
    assert_eq!(opal.run("hello").await, "completed");
    let end = second.until(Some(&opal.session), 0, "agent_end", |_| true).await;
    assert_eq!(end["reason"], "completed");
    assert_eq!(second.transcript(), opal.transcript());
    assert_eq!(second.seq(&opal.session), opal.editor.seq(&opal.session));
}

#[tokio::test]
async fn a_question_goes_to_both_and_the_first_answer_wins() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).await;
    let second = opal.second_editor(Options::default()).await;
    let turn = opal.prompt("run it").await;
    let first_question = turn.until("client/confirm").await;
    let second_question = second.until(Some(&opal.session), 0, "client/confirm", |_| true).await;
    assert_eq!(first_question["question_id"], second_question["question_id"]);

    second_question.allow();
    let resolved = turn.until("client/resolved").await;
    assert_eq!(resolved["question_id"], first_question["question_id"]);
    assert_eq!(turn.end().await, "completed");
    assert!(opal.has_file("ran"));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_changes_nothing() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).confirm(Confirm::Never).await;
    let second = opal.second_editor(Options::default()).await;
    let turn = opal.prompt("run it").await;
    let question = turn.until("client/confirm").await;
    second.until(Some(&opal.session), 0, "client/confirm", |_| true).await.deny("not this");
    turn.until("client/resolved").await;
    question.allow();
    assert_eq!(turn.end().await, "completed");
    assert!(!opal.has_file("ran"));
    assert!(model.last_request().last_result().contains("not this"));
}

#[tokio::test]
async fn one_who_comes_later_is_asked_too() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).await;
    let turn = opal.prompt("run it").await;
    turn.until("client/confirm").await;
    let second = opal.second_editor(Options::default()).await;
    second.until(Some(&opal.session), 0, "client/confirm", |_| true).await.allow();
    assert_eq!(turn.end().await, "completed");
    assert!(opal.has_file("ran"));
}

#[tokio::test]
async fn one_vanishes_and_the_other_goes_on() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.text("one").pause_until(&gate).text("two"));
    let mut opal = Opal::start(&model).await;
    let second = opal.second_editor(Options::default()).await;
    let turn = opal.prompt("hello").await;
    second.until(Some(&opal.session), 0, "message_delta", |_| true).await;
    second.vanish();
    gate.open();
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_process_of_one_editor_ends_and_the_other_goes_on() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("still here"));
    let mut opal = Opal::start(&model).await;
    let second = opal.connect(Options { directory: opal.directory(), ..Options::default() });
    let mut process = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let params = json!({ "processId": process.id(), "capabilities": {} });
    second.request("initialize", params).await.unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    second.until_closed().await;
    opal.last_connection_ended().await;
    second.vanish();
    assert_eq!(opal.run("hello").await, "completed");
}

#[tokio::test]
async fn a_second_editor_without_opal_only_edits() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).await;
    let second =
        opal.connect(Options { directory: opal.directory(), profile: Profile::Plain, ..Options::default() });
    second.initialize().await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(second.count("agent/event"), 0);
}

#[tokio::test]
async fn a_session_is_resumed_by_its_beginning_or_its_directory() {
    let model = FakeModel::start().await;
    let mut opal = Opal::start(&model).await;
    let second = opal.connect(Options { directory: opal.directory(), ..Options::default() });
    second.initialize().await;
    let beginning = &opal.session[..6];
    let resumed = second.request("session/resume", json!({ "session_id": beginning })).await.unwrap();
    assert_eq!(resumed["session_id"], opal.session.as_str());
    let resumed = second.request("session/resume", json!({ "working_dir": opal.directory() })).await.unwrap();
    assert_eq!(resumed["session_id"], opal.session.as_str());
}

#[tokio::test]
async fn the_editor_vanishes_while_text_streams() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half").hang());
    let opal = Opal::start(&model).process().await;
    opal.prompt("hello").await.until("message_delta").await;
    opal.editor.vanish();
    model.closed(1).await;
    opal.finish().await;
}

#[tokio::test]
async fn the_editor_vanishes_while_a_command_runs() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("trap '' TERM; echo started; sleep 1000 & sleep 1000")));
    let opal = Opal::start(&model).mode("full").process().await;
    opal.prompt("run it").await.until("tool_output").await;
    assert_ne!(opal.commands(), [""; 0]);
    opal.editor.vanish();
    opal.finish().await;
}

#[tokio::test]
async fn the_editor_closes_only_its_direction() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half").hang());
    let opal = Opal::start(&model).process().await;
    opal.prompt("hello").await.until("message_delta").await;
    opal.editor.close_writing();
    opal.editor.until_closed().await;
    model.closed(1).await;
    opal.editor.vanish();
}

#[tokio::test]
async fn the_editor_closes_only_the_servers_direction() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.text("half").pause_until(&gate).text("whole").hang());
    let opal = Opal::start(&model).process().await;
    opal.prompt("hello").await.until("message_delta").await;
    opal.editor.close_reading().await;
    gate.open();
    model.closed(1).await;
    opal.editor.vanish();
}

#[tokio::test]
async fn an_editor_that_does_not_read_slows_nobody() {
    let model = FakeModel::start().await;
    let n_words = 60_000;
    let text = "word ".repeat(n_words);
    model.next(|t| t.text(&text));
    let mut opal = Opal::start(&model).await;
    let second = opal.second_editor(Options::default()).await;
    opal.editor.stop_reading();

    // The prompt's answer is not read either; the other editor tells how it goes.
    let params = json!({ "session_id": opal.session, "text": "tell me" });
    let prompt = opal.editor.start_request("agent/prompt", params);
    second.until(Some(&opal.session), 0, "agent_end", |_| true).await;

    opal.editor.go_on_reading();
    prompt.answer().await.unwrap();
    opal.editor.until(Some(&opal.session), 0, "agent_end", |_| true).await;
    let n_deltas = opal.editor.count("message_delta");
    assert!(n_deltas < n_words / 2, "{n_deltas} deltas should have been merged");
}

#[tokio::test]
async fn an_editor_that_never_reads_again_is_let_go() {
    let model = FakeModel::start().await;
    // Results are never merged: sixty of 47 KB are more than an outbox of 1 MB takes.
    model.next(|t| {
        (0..60).fold(t, |t, n| t.tool("read", json!({ "path": "big", "offset": n + 1, "limit": 1100 })))
    });
    model.next(|t| t.text("Seen."));
    let big = "a line of some length that fills a file up\n".repeat(1200);
    let mut opal = Opal::start(&model)
        .window(2_000_000)
        .stall_patience(Duration::from_millis(300))
        .file("big", big)
        .await;
    let second = opal.second_editor(Options::default()).await;
    second.stop_reading();
    assert_eq!(opal.run("read it all").await, "completed");
    opal.last_connection_ended().await;
    second.vanish();
}

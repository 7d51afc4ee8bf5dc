//! What gets to disk, and when.

use std::time::Duration;

use serde_json::json;
use tests::editor::{Habits, Save};
use tests::{FakeModel, Opal, Profile, calls};

async fn edit(start: impl FnOnce(tests::harness::Start) -> tests::harness::Start) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let opal = start(Opal::start(&model).mode("auto_edit").file("a", "one\n")).await;
    (model, opal)
}

#[tokio::test]
async fn a_clean_document_is_saved() {
    let (_model, opal) = edit(|start| start.open("a")).await;
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("two\n", "two\n"));
    assert_eq!(opal.editor.count("client/save_documents"), 1);
}

#[tokio::test]
async fn a_dirty_document_is_never_saved() {
    let (_model, opal) = edit(|start| start.open("a")).await;
    opal.editor.set_text("a", "typed one\n");
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("typed two\n", "one\n"));
    assert_eq!(opal.editor.count("client/save_documents"), 0);
}

#[tokio::test]
async fn a_closed_file_goes_through_the_editor_too() {
    let (_model, opal) = edit(|start| start).await;
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.file("a"), "two\n");
    assert!(opal.editor.is_open("a"));
}

#[tokio::test]
async fn a_plain_client_gets_closed_files_written_by_the_server() {
    let (_model, opal) = edit(|start| start.profile(Profile::Helix)).await;
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.file("a"), "two\n");
    assert_eq!(opal.editor.count("workspace/applyEdit"), 0);
    assert_eq!(opal.editor.count("client/save_documents"), 0);
}

#[tokio::test]
async fn a_formatter_that_runs_on_save_is_told_to_the_model() {
    let (model, opal) = edit(|start| start.open("a")).await;
    opal.editor.on_save(Save::Format(|text| text.replace("two", "formatted")));
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("formatted\n", "formatted\n"));
    let told = model.last_request().last_result();
    assert!(told.contains("formatted"), "{told}");
}

#[tokio::test]
async fn a_save_that_fails_or_never_comes_loses_nothing() {
    for save in [Save::Fail, Save::Never] {
        let (model, opal) = edit(|start| start.open("a").editor_patience(Duration::from_millis(100))).await;
        opal.editor.on_save(save);
        assert_eq!(opal.run("edit").await, "completed");
        assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("two\n", "one\n"));
        assert!(!model.last_request().last_result().is_empty());
    }
}

#[tokio::test]
async fn nobody_there_to_edit_means_the_server_writes() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.pause_until(&gate).tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).mode("auto_edit").profile(Profile::Plain).file("a", "one\n").await;
    let second = opal.second_editor(tests::editor::Options::default()).await;
    let turn = opal.prompt("edit").await;
    second.vanish();
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.file("a"), "two\n");
}

/// A model that edits `a`, which is open in the second editor of a session.
async fn edit_in_second_editor() -> (FakeModel, Opal, tests::editor::Editor) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let mut opal = Opal::start(&model).mode("auto_edit").profile(Profile::Plain).file("a", "one\n").await;
    let second = opal.second_editor(tests::editor::Options::default()).await;
    second.open("a");
    (model, opal, second)
}

#[tokio::test]
async fn an_unsaved_edit_is_made_again_when_its_editor_ends() {
    let (model, opal, second) = edit_in_second_editor().await;
    second.on_save(Save::Never);
    let turn = opal.prompt("edit").await;
    second.until(None, 0, "client/save_documents", |_| true).await;
    second.vanish();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.file("a"), "two\n", "{}", opal.transcript());
    let told = model.last_request().last_result();
    assert!(!told.contains("not saved"), "{told}");
}

#[tokio::test]
async fn an_edit_whose_editor_goes_before_it_shows_it_is_made_again() {
    let (_model, opal, second) = edit_in_second_editor().await;
    let outcome = tests::editor::Outcome::Pretend;
    second.on_edit(tests::editor::Apply { outcome, ..Default::default() });
    let turn = opal.prompt("edit").await;
    second.until(None, 0, "workspace/applyEdit", |_| true).await;
    second.vanish();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.file("a"), "two\n", "{}", opal.transcript());
}

/// Lets the model edit `a`, and returns what it is told.
async fn told(model: &FakeModel, opal: &Opal, old: &str, new: &str) -> String {
    model.next(|t| t.tool("edit", calls::edit("a", old, new)));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("edit").await, "completed");
    model.last_request().last_result()
}

#[tokio::test]
async fn a_document_with_other_line_ends_than_its_file_is_clean() {
    let model = FakeModel::start().await;
    let habits = Habits { lf_buffers: true, ..Habits::default() };
    let start = Opal::start(&model).mode("full").habits(habits);
    let opal = start.file("a", "one\r\ntwo\r\n").open("a").file("b", "one\r\n").await;
    let told = told(&model, &opal, "one", "1").await;
    assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("1\ntwo\n", "1\r\ntwo\r\n"));
    assert!(!told.contains("not saved"), "{told}");
    model.next(|t| t.tool("edit", calls::edit("b", "one", "1")));
    model.next(|t| t.tool("shell", calls::shell("cat a b")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("edit").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.contains("1") && !told.contains("one") && !told.contains("unsaved"), "{told}");
}

#[tokio::test]
async fn a_document_in_another_encoding_than_unicode_is_clean() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", b"caf\xe9 one\r\n").open("a").await;
    let told = told(&model, &opal, "one", "très").await;
    assert_eq!(
        (opal.text("a").as_str(), opal.file_bytes("a").as_slice()),
        ("café très\r\n", &b"caf\xe9 tr\xe8s\r\n"[..])
    );
    assert!(!told.contains("not saved"), "{told}");
    opal.editor.type_over("a", "café", "thé");
    let told = self::told(&model, &opal, "très", "peu").await;
    assert_eq!(
        (opal.text("a").as_str(), opal.file_bytes("a").as_slice()),
        ("thé peu\r\n", &b"caf\xe9 tr\xe8s\r\n"[..])
    );
    assert!(told.contains("of the user"), "{told}");
}

#[tokio::test]
async fn a_text_that_the_editor_restored_is_not_saved() {
    for (file, restored, after) in [
        (&b"one\n"[..], "one, restored\n", "two, restored\n"),
        (b"caf\xe9 one\n", "café, restored: one\n", "café, restored: two\n"),
    ] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).mode("auto_edit").file("a", file).await;
        opal.editor.restore("a", restored);
        let told = told(&model, &opal, "one", "two").await;
        assert_eq!((opal.text("a").as_str(), opal.file_bytes("a").as_slice()), (after, file));
        assert!(told.contains("not saved") && !told.contains("changes of the user"), "{told}");
        assert_eq!(opal.editor.count("client/save_documents"), 0);
    }
}

#[tokio::test]
async fn the_user_is_not_named_for_what_another_program_wrote() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").open("a").await;
    opal.put_file("a", "from another program\n");
    for (old, new) in [("one", "two"), ("two", "three")] {
        let told = told(&model, &opal, old, new).await;
        assert_eq!(opal.file("a"), "from another program\n");
        assert!(told.contains("not saved") && !told.contains("changes of the user"), "{told}");
    }
}

#[tokio::test]
async fn an_edit_that_the_editor_saves_in_another_encoding_can_be_undone() {
    let habits = Habits { latin1: true, ..Habits::default() };
    for is_open in [true, false] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).mode("auto_edit").habits(habits).file("a", "old\n");
        let opal = if is_open { start.open("a").await } else { start.await };
        let told = told(&model, &opal, "old", "café").await;
        assert_eq!(opal.file_bytes("a"), b"caf\xe9\n", "{told}");
        assert!(told.contains("+1 −1") && !told.contains("not saved"), "{told}");
        let undone = opal
            .editor
            .request("session/undo", json!({ "session_id": opal.session, "path": "a" }))
            .await
            .unwrap();
        assert_eq!(undone["conflicts"], json!([]));
        assert_eq!((opal.text("a").as_str(), opal.file("a").as_str()), ("old\n", "old\n"));
    }
}

#[tokio::test]
async fn a_nul_is_refused_before_anything_is_sent() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one\n").open("a").await;
    for call in [("write", calls::write("new", "a\0b")), ("edit", calls::edit("a", "one", "t\0wo"))] {
        model.next(|t| t.tool(call.0, call.1.clone()));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("edit").await, "completed");
        let told = model.last_request().last_result();
        assert!(told.contains("NUL") && told.contains("nothing was changed"), "{told}");
    }
    assert_eq!((opal.file("a").as_str(), opal.has_file("new")), ("one\n", false));
    assert_eq!(opal.editor.count("workspace/applyEdit"), 0);
}

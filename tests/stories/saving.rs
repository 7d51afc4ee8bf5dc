//! What gets to disk, and when.

use std::time::Duration;

use tests::editor::Save;
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

//! What a session changed, and taking it back.

use std::time::Duration;

use serde_json::{Value, json};
use tests::editor::{Apply, Outcome, Reply, Save};
use tests::{FakeModel, Opal, Profile, calls};

trait Undo {
    async fn changes(&self) -> Value;
    async fn undo(&self, what: Value) -> Value;
    async fn refused(&self, what: Value) -> String;
}

impl Undo for Opal {
    async fn changes(&self) -> Value {
        let params = json!({ "session_id": self.session });
        self.editor.request("session/changes", params).await.unwrap()
    }

    async fn undo(&self, what: Value) -> Value {
        self.editor.request("session/undo", with_session(self, what)).await.unwrap()
    }

    async fn refused(&self, what: Value) -> String {
        let error = self.editor.request("session/undo", with_session(self, what)).await.unwrap_err();
        error.message
    }
}

fn with_session(opal: &Opal, mut params: Value) -> Value {
    params["session_id"] = json!(opal.session);
    params
}

fn paths(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

/// A turn of the model that makes these calls, one after the other.
async fn turn(model: &FakeModel, opal: &Opal, prompt: &str, edits: &[(&str, Value)]) -> String {
    for (tool, args) in edits {
        model.next(|t| t.tool(tool, args));
    }
    model.next(|t| t.text("Done."));
    let turn = opal.prompt(prompt).await;
    assert_eq!(turn.end().await, "completed", "{}", opal.editor);
    turn.turn_id.clone()
}

const NUMBERS: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

async fn numbers() -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", NUMBERS).open("a").await;
    (model, opal)
}

#[tokio::test]
async fn changes_go_from_the_first_text_to_what_stands() {
    let (model, opal) = numbers().await;
    let first = turn(
        &model,
        &opal,
        "1",
        &[("edit", calls::edit("a", "two", "2")), ("write", calls::write("new/b", "made\n"))],
    )
    .await;
    turn(&model, &opal, "2", &[("edit", calls::edit("a", "ten", "10"))]).await;
    let changes = opal.changes().await;
    assert_eq!(paths(&changes["files"]), ["a", "new/b"]);
    let a = &changes["files"][0];
    assert_eq!((&a["added_lines"], &a["removed_lines"]), (&json!(2), &json!(2)));
    assert!(a["diff"].as_str().unwrap().contains("-two\n+2\n"), "{a}");
    assert_eq!(a["hunks"].as_array().unwrap().len(), 2);
    assert_eq!(changes["files"][1]["created"], true);
    assert_eq!(changes["ran_commands"], json!([]));

    // One turn alone.
    let params = json!({ "session_id": opal.session, "turn_id": first });
    let of_turn = opal.editor.request("session/changes", params).await.unwrap();
    assert_eq!(paths(&of_turn["files"]), ["a", "new/b"]);
}

#[tokio::test]
async fn a_turn_that_ran_commands_says_so() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("full").file("a", "one\n").await;
    let id = turn(&model, &opal, "1", &[("shell", calls::shell("echo two > a"))]).await;
    let changes = opal.changes().await;
    assert_eq!((&changes["files"], &changes["ran_commands"]), (&json!([]), &json!([id])));
    assert!(opal.refused(json!({ "turn_id": id })).await.contains("changed no file"));
}

#[tokio::test]
async fn a_turn_is_taken_back_and_brought_again() {
    let (model, opal) = numbers().await;
    let id = turn(
        &model,
        &opal,
        "1",
        &[
            ("edit", calls::edit("a", "two", "2")),
            ("edit", calls::edit("a", "2", "zwei")),
            ("write", calls::write("b", "made\n")),
        ],
    )
    .await;
    assert_eq!(opal.text("a"), NUMBERS.replace("two", "zwei"));
    let before = opal.editor.count("workspace/applyEdit");

    let undone = opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(paths(&undone["files"]), ["a", "b"]);
    assert_eq!(undone["conflicts"], json!([]));
    // In the editor, as one edit for each file; and on the disk, because it was clean.
    assert_eq!(opal.editor.count("workspace/applyEdit") - before, 2);
    assert_eq!((opal.text("a"), opal.file("a")), (NUMBERS.into(), NUMBERS.into()));
    assert!(!opal.has_file("b"));
    assert_eq!(opal.changes().await["files"], json!([]));
    assert!(opal.refused(json!({ "turn_id": id })).await.contains("taken back already"));

    let again = opal.undo(json!({ "turn_id": undone["turn_id"] })).await;
    assert_eq!(paths(&again["files"]), ["a", "b"]);
    assert_eq!(opal.text("a"), NUMBERS.replace("two", "zwei"));
    assert_eq!(opal.file("b"), "made\n");
    // Which takes nothing away from the turn.
    opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(opal.text("a"), NUMBERS);
    assert!(!opal.has_file("b"));
}

#[tokio::test]
async fn the_model_is_told() {
    let (model, opal) = numbers().await;
    let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    opal.undo(json!({ "turn_id": id })).await;
    turn(&model, &opal, "go on", &[]).await;
    let texts = model.last_request().user_texts();
    assert!(texts[1].contains("The user took back changes of yours in: a."), "{texts:?}");
    assert_eq!(texts[2], "go on");
}

#[tokio::test]
async fn what_the_user_typed_since_stays() {
    for profile in [Profile::Opal, Profile::VsCode, Profile::Neovim, Profile::Plain] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).mode("auto_edit").profile(profile);
        let opal = start.file("a", NUMBERS).open("a").await;
        opal.editor.on_edit(Apply { ..profile.apply() });
        let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
        opal.editor.type_over("a", "nine", "typed");
        let undone = opal.undo(json!({ "turn_id": id })).await;
        assert_eq!(paths(&undone["files"]), ["a"], "{profile:?} {}", opal.editor);
        assert_eq!(opal.text("a"), NUMBERS.replace("nine", "typed"), "{profile:?}");
    }
}

#[tokio::test]
async fn what_the_user_typed_while_it_was_saved_stays() {
    for is_open in [true, false] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).mode("auto_edit").file("a", NUMBERS);
        let opal = if is_open { start.open("a").await } else { start.await };
        // A formatter, as far as anyone can tell.
        opal.editor.on_save(Save::Format(|text| text.replace("nine", "typed")));
        let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
        assert_eq!(opal.text("a"), NUMBERS.replace("two", "2").replace("nine", "typed"));
        opal.undo(json!({ "turn_id": id })).await;
        assert_eq!(opal.text("a"), NUMBERS.replace("nine", "typed"), "open: {is_open}");
    }
}

#[tokio::test]
async fn what_a_formatter_made_of_a_change_goes_with_it() {
    let (model, opal) = numbers().await;
    opal.editor.on_save(Save::Format(|text| text.replace("2", "2;")));
    let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    assert_eq!(opal.text("a"), NUMBERS.replace("two", "2;"));
    opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(opal.text("a"), NUMBERS);
}

#[tokio::test]
async fn what_clashes_is_shown_and_left() {
    let (model, opal) = numbers().await;
    let id = turn(
        &model,
        &opal,
        "1",
        &[("edit", calls::edit("a", "two", "2")), ("write", calls::write("b", "made\n"))],
    )
    .await;
    opal.editor.type_over("a", "2\n", "2 typed\n");
    opal.editor.type_over("b", "made\n", "made\nand changed\n");
    let undone = opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(paths(&undone["conflicts"]), ["a", "b"]);
    assert_eq!(undone["files"], json!([]));
    let shown = undone["conflicts"][0]["shown"].as_str().unwrap();
    assert!(shown.contains("2 typed") && shown.contains("two"), "{shown}");
    assert_eq!(undone["conflicts"][1]["reason"], "it was changed since it was made");
    assert_eq!(opal.text("a"), NUMBERS.replace("two", "2 typed"));
    assert_eq!(opal.text("b"), "made\nand changed\n");
    assert!(undone.get("turn_id").is_none());
    // Nothing was taken back, so it still can be.
    opal.editor.type_over("a", "2 typed\n", "2\n");
    let undone = opal.undo(json!({ "turn_id": id })).await;
    assert_eq!((paths(&undone["files"]), paths(&undone["conflicts"])), (vec!["a"], vec!["b"]));
}

#[tokio::test]
async fn a_made_file_that_another_program_wrote_under_the_editor_stays() {
    for profile in [Profile::Opal, Profile::Plain] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).mode("auto_edit").profile(profile).await;
        let id = turn(&model, &opal, "1", &[("write", calls::write("b", "made\n"))]).await;
        opal.editor.open("b");
        opal.put_file("b", "made\nand much more\n");
        let undone = opal.undo(json!({ "turn_id": id })).await;
        assert_eq!(opal.file("b"), "made\nand much more\n", "{profile:?}");
        assert_eq!(undone["conflicts"][0]["reason"], "the file on disk is not what the editor shows");
        // What was not done can be done later.
        opal.put_file("b", "made\n");
        opal.undo(json!({ "turn_id": id })).await;
        assert!(!opal.has_file("b"), "{profile:?}");
    }
}

#[tokio::test]
async fn a_file_goes_back_to_where_it_was_before_the_session() {
    let (model, opal) = numbers().await;
    turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    opal.editor.type_over("a", "ten", "typed");
    turn(&model, &opal, "2", &[("edit", calls::edit("a", "four", "4"))]).await;
    opal.undo(json!({ "path": "a" })).await;
    assert_eq!(opal.text("a"), NUMBERS.replace("ten", "typed"));
    assert!(opal.refused(json!({ "path": "a" })).await.contains("taken back already"));
    assert!(opal.refused(json!({ "path": "other" })).await.contains("changed nothing in other"));
}

#[tokio::test]
async fn a_hunk_goes_alone() {
    let (model, opal) = numbers().await;
    let edits = [("edit", calls::edit("a", "one", "1")), ("edit", calls::edit("a", "ten", "10"))];
    let id = turn(&model, &opal, "1", &edits).await;
    let changes = opal.changes().await;
    let hunk = changes["files"][0]["hunks"][1]["hunk_id"].clone();
    let undone = opal.undo(json!({ "path": "a", "hunk_id": hunk })).await;
    assert_eq!(opal.text("a"), NUMBERS.replace("one", "1"));
    let gone = opal.undo(json!({ "path": "a", "hunk_id": hunk })).await;
    assert!(gone["conflicts"][0]["reason"].as_str().unwrap().contains("no such hunk"), "{gone}");
    // And back, and the rest of the turn.
    opal.undo(json!({ "turn_id": undone["turn_id"] })).await;
    assert_eq!(opal.text("a"), NUMBERS.replace("one", "1").replace("ten", "10"));
    opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(opal.text("a"), NUMBERS);
}

#[tokio::test]
async fn a_file_that_nobody_has_open() {
    let model = FakeModel::start().await;
    let start = Opal::start(&model).mode("auto_edit").profile(Profile::Plain);
    let opal = start.file("a", "one\r\ntwo\r\n").await;
    let edits = [("edit", calls::edit("a", "two", "2")), ("write", calls::write("b", "made\n"))];
    let id = turn(&model, &opal, "1", &edits).await;
    assert_eq!(opal.file("a"), "one\r\n2\r\n");
    let undone = opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(paths(&undone["files"]), ["a", "b"]);
    assert_eq!(opal.file("a"), "one\r\ntwo\r\n");
    assert!(!opal.has_file("b"));
    assert_eq!(opal.editor.count("workspace/applyEdit"), 0);
}

#[tokio::test]
async fn an_undo_that_nobody_answered_can_be_tried_again() {
    let model = FakeModel::start().await;
    let start = Opal::start(&model).mode("auto_edit").editor_patience(Duration::from_millis(200));
    let opal = start.file("a", NUMBERS).open("a").await;
    let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    opal.editor.on_edit(Apply { outcome: Outcome::Pretend, reply: Reply::Never, ..Apply::default() });
    let undone = opal.undo(json!({ "turn_id": id })).await;
    assert!(undone["conflicts"][0]["reason"].as_str().unwrap().contains("did not answer"), "{undone}");
    assert_eq!(opal.text("a"), NUMBERS.replace("two", "2"));
    opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(opal.text("a"), NUMBERS);
    opal.editor.forgive();
}

#[tokio::test]
async fn not_while_a_turn_runs() {
    let (model, opal) = numbers().await;
    let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    model.next(|t| t.text("half").hang());
    let running = opal.prompt("2").await;
    running.until("message_delta").await;
    assert!(opal.refused(json!({ "turn_id": id })).await.contains("a turn is running"));
    for bad in [json!({}), json!({ "hunk_id": "x" }), json!({ "turn_id": "t1", "path": "a", "x": 1 })] {
        assert!(opal.refused(bad).await.contains("turn_id: expected"));
    }
    running.abort().await;
    opal.undo(json!({ "turn_id": id })).await;
    assert_eq!(opal.text("a"), NUMBERS);
}

#[tokio::test]
async fn another_editor_sees_it_too() {
    let (model, mut opal) = numbers().await;
    let second = opal.second_editor(tests::editor::Options::default()).await;
    let id = turn(&model, &opal, "1", &[("edit", calls::edit("a", "two", "2"))]).await;
    let from = second.place();
    let undone = opal.undo(json!({ "turn_id": id })).await;
    let told = second.until(None, from, "changes_undone", |_| true).await;
    assert_eq!((&told["turn_id"], &told["files"]), (&undone["turn_id"], &json!(["a"])));
    second.until(None, from, "agent_end", |_| true).await;
}

#[tokio::test]
async fn a_hunk_of_one_turn() {
    let (model, opal) = numbers().await;
    turn(&model, &opal, "1", &[("edit", calls::edit("a", "one", "1"))]).await;
    let second = turn(&model, &opal, "2", &[("edit", calls::edit("a", "ten", "10"))]).await;
    let params = json!({ "session_id": opal.session, "turn_id": second });
    let changes = opal.editor.request("session/changes", params).await.unwrap();
    let hunks = changes["files"][0]["hunks"].as_array().unwrap();
    assert_eq!(hunks.len(), 1);
    opal.undo(json!({ "path": "a", "hunk_id": hunks[0]["hunk_id"], "turn_id": second })).await;
    assert_eq!(opal.text("a"), NUMBERS.replace("one", "1"));
}

#[tokio::test]
async fn five_hundred_files_in_one_turn() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("full").window(10_000_000).await;
    let content = "a line of some length\n".repeat(40);
    model.next(|t| (0..500).fold(t, |t, n| t.tool("write", calls::write(&format!("file{n}"), &content))));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("make them").await;
    assert_eq!(turn.end().await, "completed");
    let begin = std::time::Instant::now();
    assert_eq!(opal.changes().await["files"].as_array().unwrap().len(), 500);
    println!("session/changes over 500 files of 40 lines: {:?}", begin.elapsed());
    let undone = opal.undo(json!({ "turn_id": turn.turn_id })).await;
    assert_eq!(undone["files"].as_array().unwrap().len(), 500);
    assert!(!opal.has_file("file0") && !opal.has_file("file499"));
}

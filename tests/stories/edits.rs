//! Edits, and what may happen on their way into the document.

use std::time::Duration;

use tests::editor::{Apply, Confirm, Order, Outcome, Reply, Typing};
use tests::{FakeModel, Gate, Opal, Profile, calls};

/// A document with `one` in it, and a model that makes it `two`.
async fn edit(start: impl FnOnce(tests::harness::Start) -> tests::harness::Start) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let start = start(Opal::start(&model).mode("auto_edit").file("a", "one 1\nlast\n").open("a"));
    let opal = start.await;
    (model, opal)
}

#[tokio::test]
async fn it_lands_in_the_document_and_on_disk() {
    let (model, opal) = edit(|start| start).await;
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "two 1\nlast\n");
    assert_eq!(opal.file("a"), "two 1\nlast\n");
    assert_eq!(opal.editor.count("workspace/applyEdit"), 1);
    assert_eq!(opal.editor.count("document_edited"), 1);
    assert!(!model.last_request().last_result().is_empty());
}

#[tokio::test]
async fn whatever_order_the_answers_come_in() {
    for order in [Order::ChangeFirst, Order::AnswerFirst] {
        let (_model, opal) = edit(|start| start).await;
        opal.editor.on_edit(Apply { order, ..Apply::default() });
        assert_eq!(opal.run("edit").await, "completed");
        assert_eq!(opal.text("a"), "two 1\nlast\n");
        assert_eq!(opal.editor.count("workspace/applyEdit"), 1, "{order:?}");
    }
}

#[tokio::test]
async fn the_user_types_between_read_and_edit() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.tool("read", calls::read("a")));
    model.next(|t| t.pause_until(&gate).tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one 1\nlast\n").open("a").await;
    let turn = opal.prompt("edit").await;
    turn.until("tool_execution_end").await;
    opal.editor.type_over("a", "one 1\n", "typed above\none 1\n");
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "typed above\ntwo 1\nlast\n");
}

#[tokio::test]
async fn the_user_types_while_the_edit_is_on_its_way() {
    for profile in [Profile::Opal, Profile::VsCode, Profile::Neovim] {
        let (_model, opal) = edit(|start| start.profile(profile)).await;
        opal.editor.on_edit(Apply { reply: Reply::Held, ..profile.apply() });
        let turn = opal.prompt("edit").await;
        turn.until("workspace/applyEdit").await;
        opal.editor.type_over("a", "one 1\n", "typed above\none 1\n");
        opal.editor.release();
        assert_eq!(turn.end().await, "completed");
        assert_eq!(opal.text("a"), "typed above\ntwo 1\nlast\n", "{profile:?} {}", opal.editor);
        assert_eq!(opal.editor.count("workspace/applyEdit"), 2, "{profile:?}");
    }
}

#[tokio::test]
async fn the_user_types_at_the_same_moment() {
    let (model, opal) = edit(|start| start).await;
    let typing = Typing { find: "last".into(), put: "last, typed".into() };
    opal.editor.on_edit(Apply { typing: Some(typing), ..Apply::default() });
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "two 1\nlast, typed\n");
    assert_eq!(opal.editor.count("workspace/applyEdit"), 1);
    assert_eq!(opal.editor.count("document_edited"), 1, "{}", model.last_request().last_result());
}

#[tokio::test]
async fn the_user_types_away_what_was_to_be_edited() {
    let (model, opal) = edit(|start| start).await;
    opal.editor.on_edit(Apply { reply: Reply::Held, ..Apply::default() });
    let turn = opal.prompt("edit").await;
    turn.until("workspace/applyEdit").await;
    opal.editor.set_text("a", "nothing of it left\n");
    opal.editor.release();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "nothing of it left\n");
    assert_eq!(opal.editor.count("document_edited"), 0);
    let told = model.last_request().last_result();
    assert!(told.contains("not found"), "{told}");
}

#[tokio::test]
async fn the_editor_rejects_it() {
    let (model, opal) = edit(|start| start).await;
    for _ in 0..3 {
        opal.editor.on_edit(Apply { outcome: Outcome::Refuse, ..Apply::default() });
    }
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "one 1\nlast\n");
    assert_eq!(opal.file("a"), "one 1\nlast\n");
    assert_eq!(opal.editor.count("document_edited"), 0);
    assert!(!model.last_request().last_result().is_empty());
}

#[tokio::test]
async fn the_editor_says_applied_and_does_nothing() {
    let (model, opal) = edit(|start| start.editor_patience(Duration::from_millis(100))).await;
    for _ in 0..3 {
        opal.editor.on_edit(Apply { outcome: Outcome::Pretend, ..Apply::default() });
    }
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "one 1\nlast\n");
    assert_eq!(opal.editor.count("document_edited"), 0, "{}", model.last_request().last_result());
}

#[tokio::test]
async fn the_editor_applies_it_differently() {
    let (model, opal) = edit(|start| start).await;
    opal.editor.on_edit(Apply { outcome: Outcome::Differently(str::to_uppercase), ..Apply::default() });
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "TWO 1\nLAST\n");
    assert_eq!(opal.editor.count("workspace/applyEdit"), 1, "what was applied is not sent again");
    let told = model.last_request().last_result();
    assert!(told.contains("TWO 1"), "the model is told what stands: {told}");
}

#[tokio::test]
async fn the_editor_never_answers() {
    let (model, opal) = edit(|start| start.editor_patience(Duration::from_millis(100))).await;
    opal.editor.on_edit(Apply { reply: Reply::Never, outcome: Outcome::Refuse, ..Apply::default() });
    let turn = opal.prompt("edit").await;
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "one 1\nlast\n");
    assert!(!model.last_request().last_result().is_empty());
}

#[tokio::test]
async fn the_editor_applies_it_and_never_answers() {
    let (_model, opal) = edit(|start| start.editor_patience(Duration::from_millis(100))).await;
    opal.editor.on_edit(Apply { reply: Reply::Never, ..Apply::default() });
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "two 1\nlast\n");
    assert_eq!(opal.editor.count("workspace/applyEdit"), 1, "it stands already");
}

#[tokio::test]
async fn the_editor_has_no_such_method() {
    let (model, opal) = edit(|start| start.profile(Profile::Plain)).await;
    for _ in 0..3 {
        opal.editor.on_edit(Apply { reply: Reply::Unknown, outcome: Outcome::Refuse, ..Apply::default() });
    }
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "one 1\nlast\n");
    assert!(!model.last_request().last_result().is_empty());
}

#[tokio::test]
async fn several_edits_are_all_or_nothing() {
    let model = FakeModel::start().await;
    let both = |last: &str| {
        serde_json::json!({ "path": "a", "edits": [
            { "old_text": "one", "new_text": "two" }, { "old_text": last, "new_text": "end" },
        ] })
    };
    model.next(|t| t.tool("edit", both("missing")));
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).tool("edit", both("last")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one 1\nlast\n").open("a").await;
    let turn = opal.prompt("edit").await;
    assert!(turn.result().await.is_err());
    assert_eq!(opal.text("a"), "one 1\nlast\n");
    gate.open();
    assert!(turn.result().await.is_ok());
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "two 1\nend\n");
}

#[tokio::test]
async fn an_edit_that_fits_twice_is_refused_with_the_places() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "same", "other")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("auto_edit").file("a", "same\nx\nsame\n").open("a").await;
    assert_eq!(opal.run("edit").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.contains('1') && told.contains('3'), "{told}");
    assert_eq!(opal.text("a"), "same\nx\nsame\n");
}

#[tokio::test]
async fn two_edits_of_one_answer_in_the_same_file() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool("edit", calls::edit("a", "one", "two")).tool("edit", calls::edit("a", "last", "end"))
    });
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("auto_edit").file("a", "one 1\nlast\n").open("a").await;
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "two 1\nend\n");
}

#[tokio::test]
async fn the_question_shows_the_change() {
    let (_model, opal) = edit(|start| start.mode("ask")).await;
    let turn = opal.prompt("edit").await;
    let question = turn.until("client/confirm").await;
    let diff = question["details"]["diff"].as_str().unwrap_or_default().to_owned();
    assert!(diff.contains("-one 1") && diff.contains("+two 1"), "{diff}");
    assert_eq!(question["details"]["path"], opal.path("a").to_str().unwrap());
    question.deny("leave it as it is");
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "one 1\nlast\n");
}

#[tokio::test]
async fn the_user_types_while_the_question_waits() {
    let (_model, opal) = edit(|start| start.mode("ask").confirm(Confirm::Hold)).await;
    let turn = opal.prompt("edit").await;
    let question = turn.until("client/confirm").await;
    opal.editor.type_over("a", "last", "last, typed");
    question.allow();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(opal.text("a"), "two 1\nlast, typed\n");
}

#[tokio::test]
async fn a_lone_cr_is_counted_as_the_editor_counts_it() {
    for profile in [Profile::Opal, Profile::Neovim, Profile::Helix, Profile::Emacs] {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("edit", calls::edit("a", "d", "D")));
        model.next(|t| t.text("Done."));
        let start = Opal::start(&model).mode("auto_edit").profile(profile);
        let opal = start.file("a", "a\rb\nc\nd\ne\n").open("a").await;
        assert_eq!(opal.run("edit").await, "completed");
        assert_eq!(opal.text("a"), "a\rb\nc\nD\ne\n", "{profile:?}");
        opal.editor.type_over("a", "c\n", "typed below\n");
        opal.editor.type_over("a", "a\rb", "a\r\nb");
        opal.editor.type_over("a", "e\n", "end\n");
        model.next(|t| t.tool("edit", calls::edit("a", "typed below\nD\nend", "followed")));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("edit").await, "completed");
        assert_eq!(
            opal.text("a"),
            "a\r\nb\nfollowed\n",
            "{profile:?}: {}",
            model.last_request().last_result()
        );
    }
}

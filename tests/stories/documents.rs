//! The open document is what counts, whatever the disk says.

use tests::{FakeModel, Opal, calls};

/// Lets the model read one file, and returns what it is told.
async fn read(model: &FakeModel, opal: &Opal, path: &str) -> String {
    model.next(|t| t.tool("read", calls::read(path)));
    model.next(|t| t.text("Seen."));
    assert_eq!(opal.run("read it").await, "completed");
    model.last_request().last_result()
}

#[tokio::test]
async fn unsaved_text_is_what_is_read() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "saved\n").open("a").await;
    opal.editor.set_text("a", "typed\n");
    let told = read(&model, &opal, "a").await;
    assert!(told.contains("typed") && !told.contains("saved"), "{told}");
}

#[tokio::test]
async fn a_closed_document_gives_way_to_the_disk() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "saved\n").open("a").await;
    opal.editor.set_text("a", "typed\n");
    opal.editor.close("a");
    assert!(read(&model, &opal, "a").await.contains("saved"));
    opal.editor.open("a");
    opal.editor.set_text("a", "typed again\n");
    assert!(read(&model, &opal, "a").await.contains("typed again"));
}

#[tokio::test]
async fn a_file_changed_on_disk_while_open() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "saved\n").open("a").await;
    opal.put_file("a", "changed behind the editor\n");
    assert!(read(&model, &opal, "a").await.contains("saved"));
}

#[tokio::test]
async fn a_document_without_a_file() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").await;
    let uri = "untitled:Untitled-1";
    opal.editor.open_untitled(uri, "a draft\n");
    assert!(read(&model, &opal, uri).await.contains("a draft"));
    model.next(|t| t.tool("edit", calls::edit(uri, "draft", "poem")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("edit it").await, "completed");
    assert_eq!(opal.text(uri), "a poem\n");
}

#[tokio::test]
async fn a_new_file_that_is_only_in_the_editor() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("new", "").open("new").mode("auto_edit").await;
    opal.editor.set_text("new", "typed\n");
    std::fs::remove_file(opal.path("new")).unwrap();
    assert!(read(&model, &opal, "new").await.contains("typed"));
    model.next(|t| t.tool("edit", calls::edit("new", "typed", "edited")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("edit it").await, "completed");
    assert_eq!(opal.text("new"), "edited\n");
    assert!(!opal.has_file("new"), "a document the user left dirty was saved");
}

#[tokio::test]
async fn sixty_four_changes_arrive_in_order() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "").open("a").await;
    let mut text = String::new();
    for n in 0..64 {
        text.push_str(&format!("{n} é🦀\r\n"));
        opal.editor.set_text("a", &text);
    }
    for n in (0..64).step_by(2) {
        text = text.replacen(&format!("{n} é🦀\r\n"), "", 1);
        opal.editor.set_text("a", &text);
    }
    let told = read(&model, &opal, "a").await;
    let mut rest = told.as_str();
    for n in (1..64).step_by(2) {
        let line = format!("{n} é🦀");
        let at = rest.find(&line).unwrap_or_else(|| panic!("{line:?} is missing or out of order in {told}"));
        rest = &rest[at + line.len()..];
    }
    assert!(!told.contains("\n2 é"), "{told}");
}

#[tokio::test]
async fn names_that_uris_may_not_contain() {
    // A client that does not escape cannot open a name with `%20` or `#` either.
    for (raw, name) in [(true, "app/[id] é.tsx"), (false, "app/[id] é%20 (1)&#?.tsx")] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).mode("auto_edit").file(name, "saved\n").open(name);
        let opal = if raw { start.raw_uris().await } else { start.await };
        opal.editor.set_text(name, "typed\n");
        assert!(read(&model, &opal, name).await.contains("typed"), "{name}");
        model.next(|t| t.tool("edit", calls::edit(name, "typed", "edited")));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("edit it").await, "completed");
        assert_eq!(opal.text(name), "edited\n", "{}", opal.editor);
    }
}

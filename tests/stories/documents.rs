//! The open document is what counts, whatever the disk says.

use serde_json::json;
use tests::editor::{HIGH_HALF, LOW_HALF};
use tests::{FakeModel, Framing, Opal, calls};

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

#[tokio::test]
async fn half_of_a_pair_keeps_what_follows_in_its_place() {
    for encoding in ["utf-8", "utf-16", "utf-32"] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).encodings(&[encoding]).file("a", "x end\n").open("a").await;
        opal.editor.set_text("a", &format!("x{HIGH_HALF} end\n"));
        opal.editor.set_text("a", &format!("x{HIGH_HALF}{LOW_HALF} end\n"));
        opal.editor.set_text("a", &format!("x{HIGH_HALF}{LOW_HALF} end, typed\n"));
        let told = read(&model, &opal, "a").await;
        assert!(told.contains("x\u{fffd}\u{fffd} end, typed\n"), "{encoding}: {told}");
    }
}

#[tokio::test]
async fn a_document_whose_change_cannot_be_read_is_unknown_until_it_is_sent_whole() {
    let model = FakeModel::start().await;
    let opal =
        Opal::start(&model).mode("auto_edit").file("a", "one\n").open("a").file("b", "one\n").open("b").await;
    let uri = opal.editor.uri("a");
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 3 } });
    let unreadable =
        json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [{ "range": range }] });
    let from = opal.editor.place();
    opal.editor.notify("textDocument/didChange", unreadable);
    let shown = opal.editor.until(None, from, "window/showMessage", |_| true).await;
    assert!(shown["message"].as_str().unwrap().contains(&uri), "{}", shown.params);

    let told = read(&model, &opal, "a").await;
    assert!(told.contains("not known") && !told.contains("one"), "{told}");
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("edit it").await, "completed");
    assert!(model.last_request().last_result().contains("not known"));
    assert_eq!((opal.file("a").as_str(), opal.editor.count("workspace/applyEdit")), ("one\n", 0));
    assert!(read(&model, &opal, "b").await.contains("one"));

    opal.editor.close("a");
    opal.editor.open("a");
    assert!(read(&model, &opal, "a").await.contains("one"));
}

#[tokio::test]
async fn a_change_in_a_frame_that_is_no_message_makes_its_document_unknown() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").open("a").file("b", "one\n").open("b").await;
    let from = opal.editor.place();
    let cut = format!(
        r#"{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"{}""#,
        opal.editor.uri("a")
    );
    opal.editor.send_raw(Framing::Header.wrap(cut.as_bytes()));
    opal.editor.until(None, from, "window/showMessage", |_| true).await;
    let told = read(&model, &opal, "a").await;
    assert!(told.contains("not known"), "{told}");
    assert!(read(&model, &opal, "b").await.contains("one"));
}

#[tokio::test]
async fn a_document_that_is_opened_in_too_large_a_frame_is_not_read_from_the_disk() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").await;
    let open = format!(
        r#"{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{{"textDocument":{{"uri":"{}","version":1,"languageId":"x","text":"{}"}}}}}}"#,
        opal.editor.uri("a"),
        "x".repeat(64 << 20)
    );
    opal.editor.send_raw(Framing::Header.wrap(open.as_bytes()));
    let told = read(&model, &opal, "a").await;
    assert!(told.contains("not known"), "{told}");
}

#[tokio::test]
async fn a_change_that_is_too_large_makes_its_document_unknown() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").open("a").file("b", "one\n").open("b").await;
    let large = "x".repeat(64 << 20);
    let request =
        format!(r#"{{"jsonrpc":"2.0","id":900,"method":"agent/prompt","params":{{"text":"{large}"}}}}"#);
    let change = format!(
        r#"{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"textDocument":{{"uri":"{}","version":2}},"contentChanges":[{{"text":"{large}"}}]}}}}"#,
        opal.editor.uri("a")
    );
    let answer = format!(r#"{{"jsonrpc":"2.0","id":900,"result":"{large}"}}"#);
    for (frame, is_known) in [(request, true), (answer, true), (change.clone(), false), (change, false)] {
        let from = opal.editor.place();
        // Many clients write the header by itself.
        opal.editor.send_raw(format!("Content-Length: {}\r\n\r\n", frame.len()));
        opal.editor.send_raw(frame);
        opal.editor.until(None, from, "refusal", |_| true).await;
        let told = read(&model, &opal, "a").await;
        assert_eq!(told.contains("one"), is_known, "{told}");
        assert_eq!(told.contains("not known"), !is_known, "{told}");
    }
    assert_eq!(opal.editor.count("window/showMessage"), 1, "it is told once");
    assert!(read(&model, &opal, "b").await.contains("one"));
}

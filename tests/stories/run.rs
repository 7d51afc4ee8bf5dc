//! From a prompt to an edit: what everything else is a part of.

use serde_json::json;
use tests::editor::Confirm;
use tests::{FakeModel, Framing, Opal, PNG_BASE64, Profile, calls};

/// Reads an unsaved buffer, runs a command, edits the buffer.
async fn whole_story(start: impl FnOnce(&FakeModel) -> tests::harness::Start) -> Opal {
    let model = FakeModel::start().await;
    model.next(|t| t.thinking("Look first.").text("Reading it.").tool("read", calls::read("a.rs")));
    model.next(|t| t.tool("shell", calls::shell("echo from the shell")));
    model.next(|t| t.tool("edit", calls::edit("a.rs", "unsaved", "edited")));
    model.next(|t| t.text("Done."));
    let opal = start(&model).file("a.rs", "fn saved() {}\n").open("a.rs").confirm(Confirm::Allow).await;
    opal.editor.type_over("a.rs", "saved", "unsaved");

    assert_eq!(opal.run("change it").await, "completed");

    assert!(model.request(2).await.last_result().contains("fn unsaved() {}"));
    assert!(model.request(3).await.last_result().contains("from the shell"));
    assert_eq!(opal.text("a.rs"), "fn edited() {}\n");
    opal
}

#[tokio::test]
async fn from_a_prompt_to_an_edit() {
    let opal = whole_story(Opal::start).await;
    let transcript = opal.transcript();
    for line in [
        "turn_start  change it",
        "thinking    Look first.",
        "message     Reading it.",
        "message     Done.",
        "agent_end   completed",
    ] {
        assert!(transcript.contains(line), "{line:?} is missing:\n{transcript}");
    }
}

#[tokio::test]
async fn with_one_message_a_line() {
    whole_story(|model| Opal::start(model).framing(Framing::Lines)).await;
}

#[tokio::test]
async fn as_a_process() {
    whole_story(|model| Opal::start(model).process()).await.finish().await;
}

#[tokio::test]
async fn in_every_kind_of_editor() {
    for profile in [Profile::VsCode, Profile::Neovim, Profile::Helix, Profile::Emacs, Profile::Plain] {
        whole_story(|model| Opal::start(model).profile(profile)).await.finish().await;
    }
}

#[tokio::test]
async fn text_comes_as_it_is_written() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.text("first part").pause_until(&gate).text("second part"));
    let opal = Opal::start(&model).await;

    let turn = opal.prompt("hello").await;
    turn.until_where("message_delta", |delta| {
        delta["delta"].as_str().is_some_and(|text| text.contains("part"))
    })
    .await;
    gate.open();
    let end = turn.until("message_end").await;
    assert_eq!(end["text"], "first part\n\nsecond part");
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
async fn several_calls_of_one_answer() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool("read", calls::read("a")).tool("read", calls::read("b")).tool("read", calls::read("missing"))
    });
    model.next(|t| t.text("Seen."));
    let opal = Opal::start(&model).file("a", "text of a\n").file("b", "text of b\n").await;

    assert_eq!(opal.run("read them").await, "completed");
    let results = model.last_request().results();
    assert!(results[0].contains("text of a") && results[1].contains("text of b"), "{results:?}");
    assert!(results[2].contains("missing"), "{results:?}");
}

#[tokio::test]
async fn the_answer_ran_into_the_output_limit() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("This goes on and").length());
    let opal = Opal::start(&model).await;
    assert_eq!(opal.run("tell me everything").await, "length");
}

#[tokio::test]
async fn what_it_waits_for_is_visible() {
    let model = FakeModel::start().await;
    let gate = tests::Gate::new();
    model.next(|t| t.pause_until(&gate).tool("shell", calls::shell("true")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).await;

    let turn = opal.prompt("run it").await;
    let status = |kind: &'static str| move |status: &serde_json::Value| status["waiting_for"]["kind"] == kind;
    turn.until_where("status_update", status("model")).await;
    assert!(matches!(opal.state().await.waiting_for, Some(protocol::WaitingFor::Model)));
    gate.open();
    let question = turn.until("client/confirm").await;
    let state = opal.state().await;
    assert!(matches!(state.waiting_for, Some(protocol::WaitingFor::Answer { .. })), "{state:?}");
    assert_eq!(state.questions.len(), 1);
    question.allow();
    assert_eq!(turn.end().await, "completed");
    let state = opal.state().await;
    assert_eq!((state.waiting_for, state.turn_id, state.questions.len()), (None, None, 0));
}

#[tokio::test]
async fn tokens_are_counted() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("one").usage(1000, 200, 30));
    model.next(|t| t.text("two").usage(2000, 1500, 40));
    let opal = Opal::start(&model).await;
    opal.run("first").await;
    opal.run("second").await;
    let usage = opal.state().await.usage;
    assert_eq!((usage.used, usage.window), (2040, Some(200_000)));
    assert_eq!((usage.input, usage.cached, usage.output), (3000, 1700, 70));
}

#[tokio::test]
async fn what_the_user_attached_is_taken_from_the_buffer() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Seen."));
    let opal = Opal::start(&model).file("a.rs", "one\ntwo\nthree\n").open("a.rs").await;
    opal.editor.type_over("a.rs", "two", "typed é");

    let uri = opal.editor.uri("a.rs");
    let range = opal.editor.range_of("a.rs", "typed é");
    let attachments = json!([
        { "type": "selection", "uri": uri, "range": range },
        { "type": "image", "mime_type": "image/png", "data": PNG_BASE64 },
    ]);
    let params = json!({ "session_id": opal.session, "text": "what is this", "attachments": attachments });
    assert_eq!(opal.prompt_with(params).await.end().await, "completed");

    let request = model.last_request();
    let shown = serde_json::to_string(request.input()).unwrap();
    assert!(shown.contains("typed é") && !shown.contains("three"), "{shown}");
    assert!(shown.contains(PNG_BASE64), "{shown}");
}

#[tokio::test]
async fn a_long_attachment_says_that_there_is_more() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Seen."));
    let opal = Opal::start(&model).file("long", "line\n".repeat(5000)).open("long").await;
    let attachments = json!([{ "type": "file", "uri": opal.editor.uri("long") }]);
    let params = json!({ "session_id": opal.session, "text": "what is this", "attachments": attachments });
    assert_eq!(opal.prompt_with(params).await.end().await, "completed");
    let shown = serde_json::to_string(model.last_request().input()).unwrap();
    assert!(shown.contains("the first 2000 of 5000 lines"), "{}", &shown[shown.len() - 300..]);
}

#[tokio::test]
async fn an_attached_image_that_is_none() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    for (data, why) in [
        ("aGVsbG8=", "an attached image (image/png) cannot be shown: it is no PNG, JPEG, GIF or WebP"),
        (&PNG_BASE64[..60], "it begins like a PNG but is cut off or damaged"),
        (&PNG_BASE64.replacen("UgAAAAMA", "UgAAQAMA", 1), "it has 16387×2 pixels"),
        ("no base64", "its data is not base64"),
    ] {
        let attachments = json!([{ "type": "image", "mime_type": "image/png", "data": data }]);
        let params =
            json!({ "session_id": opal.session, "text": "what is this", "attachments": attachments });
        let turn = opal.prompt_with(params).await;
        let error = turn.until("error").await;
        assert!(error["message"].as_str().unwrap().contains(why), "{:?}", error.params);
        assert_eq!(turn.end().await, "error");
    }
    assert_eq!(model.n_requests(), 0);
}

#[tokio::test]
async fn what_was_cut_off_an_attachment_was_not_seen() {
    let model = FakeModel::start().await;
    let lines: String = (1..=5_000).map(|n| format!("line {n}\n")).collect();
    let opal = Opal::start(&model).mode("full").file("long", &lines).open("long").await;
    let uri = opal.editor.uri("long");
    let first = json!({ "type": "file", "uri": uri });
    let rest = json!({ "type": "selection", "uri": uri, "range": {
        "start": { "line": 2_000, "character": 0 }, "end": { "line": 5_000, "character": 0 }
    } });
    let last = json!({ "type": "selection", "uri": uri, "range": {
        "start": { "line": 4_000, "character": 0 }, "end": { "line": 5_000, "character": 0 }
    } });
    for (attachment, told) in
        [(first, Some(r#""offset": 2001"#)), (rest, Some(r#""offset": 4001"#)), (last, None)]
    {
        model.next(|t| t.tool("write", calls::write("long", "short\n")));
        model.next(|t| t.text("Done."));
        let params = json!({ "session_id": opal.session, "text": "cut it", "attachments": [attachment] });
        let turn = opal.prompt_with(params).await;
        let result = turn.result().await;
        match told {
            Some(told) => assert!(result.as_ref().unwrap_err().contains(told), "{result:?}"),
            None => assert!(result.is_ok(), "{result:?}"),
        }
        assert_eq!(turn.end().await, "completed");
    }
    assert_eq!(opal.text("long"), "short\n");
}

#[tokio::test]
async fn an_attached_image_that_no_service_takes() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let data = "A".repeat(5_000_000);
    let attachments = json!([{ "type": "image", "mime_type": "image/png", "data": data }]);
    let params = json!({ "session_id": opal.session, "text": "what is this", "attachments": attachments });
    let turn = opal.prompt_with(params).await;
    let error = turn.until("error").await;
    assert!(error["message"].as_str().unwrap().contains("it has 3750000 bytes"), "{:?}", error.params);
    assert_eq!(turn.end().await, "error");
    // It is no part of the conversation.
    model.next(|t| t.text("Hello."));
    assert_eq!(opal.run("hello").await, "completed");
    assert!(!model.last_request().body.to_string().contains("AAAA"));
}

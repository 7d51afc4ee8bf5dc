//! Who the client is, and how positions are counted.

use serde_json::json;
use tests::editor::{Confirm, Encoding};
use tests::{FakeModel, Opal, Profile, calls};

#[tokio::test]
async fn the_server_says_what_it_can() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).silent().await;
    let result = opal.editor.initialize().await;
    let about: protocol::ServerCapabilities =
        serde_json::from_value(result["capabilities"]["experimental"]["opal"].clone()).unwrap();
    assert_eq!(about.version, protocol::PROTOCOL_VERSION);
    assert!(about.methods.iter().any(|method| method == "agent/prompt"), "{:?}", about.methods);
    assert_eq!(result["serverInfo"]["name"], "opal");
}

#[tokio::test]
async fn positions_are_counted_as_agreed() {
    let offers: [(&[&'static str], Encoding); 5] = [
        (&["utf-8", "utf-16"], Encoding::Utf8),
        (&["utf-16"], Encoding::Utf16),
        (&["utf-32", "utf-16"], Encoding::Utf32),
        (&["utf-7"], Encoding::Utf16),
        (&[], Encoding::Utf16),
    ];
    for (offered, agreed) in offers {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("read", calls::read("a.rs")));
        model.next(|t| t.tool("edit", calls::edit("a.rs", "é🦀b", "é🦀c")));
        model.next(|t| t.text("Done."));
        let text = "let a = \"é🦀b\"; // 🦀\nlet x = \"🦀\";\n";
        let opal =
            Opal::start(&model).encodings(offered).mode("auto_edit").file("a.rs", text).open("a.rs").await;
        assert_eq!(opal.editor.encoding(), agreed, "{offered:?}");
        opal.editor.type_over("a.rs", "x = \"🦀", "x = \"🦀typed");
        assert_eq!(opal.run("edit").await, "completed");
        assert!(model.request(2).await.last_result().contains("🦀typed"));
        assert_eq!(opal.text("a.rs"), "let a = \"é🦀c\"; // 🦀\nlet x = \"🦀typed\";\n", "{offered:?}");
    }
}

#[tokio::test]
async fn a_client_that_sends_whole_texts() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("read", calls::read("a")));
    model.next(|t| t.tool("edit", calls::edit("a", "typed", "edited")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).full_sync().mode("auto_edit").file("a", "one\n").open("a").await;
    opal.editor.type_over("a", "one", "typed");
    assert_eq!(opal.run("edit").await, "completed");
    assert_eq!(opal.text("a"), "edited\n");
}

#[tokio::test]
async fn a_plain_client_is_asked_with_buttons() {
    for (confirm, told) in
        [(Confirm::Allow, "ran"), (Confirm::AllowSession, "ran"), (Confirm::Deny(""), "denied")]
    {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("shell", calls::shell("echo ran")));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).profile(Profile::Helix).confirm(confirm).await;
        assert_eq!(opal.run("run it").await, "completed");
        assert_eq!(opal.editor.count("window/showMessageRequest"), 1);
        let result = model.last_request().last_result();
        assert!(result.contains(told), "{result}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_show_the_question_now_is_asked_again() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo ran")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).profile(Profile::Helix).confirm(Confirm::Hold).await;
    let turn = opal.prompt("run it").await;
    let first = turn.until("window/showMessageRequest").await;
    first.answer_error(-32603, "Internal error");
    turn.until("window/showMessage").await;
    let again = opal.editor.until(None, first.at + 1, "window/showMessageRequest", |_| true).await;
    assert_eq!(again.params, first.params);
    again.answer(serde_json::json!({"title": "Allow"}));
    assert_eq!(turn.end().await, "completed");
    assert!(model.last_request().last_result().contains("ran"));
}

#[tokio::test]
async fn a_client_that_closes_the_question_denies() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo ran")));
    model.next(|t| t.text("Done."));
    let closed = Confirm::Result(serde_json::Value::Null);
    let opal = Opal::start(&model).profile(Profile::Plain).confirm(closed).await;
    assert_eq!(opal.run("run it").await, "completed");
    assert!(!model.last_request().last_result().contains("ran\n"));
}

#[tokio::test]
async fn a_client_that_cannot_be_asked() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).profile(Profile::Kate).await;
    assert_eq!(opal.run("run it").await, "completed");
    let result = model.last_request().last_result();
    assert!(result.contains("nobody can be asked") || result.contains("denied"), "{result}");
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn strange_capabilities_do_no_harm() {
    for opal_says in [json!(null), json!(3), json!({}), json!({ "version": 99, "confirm": "yes", "new": [] })]
    {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).silent().profile(Profile::Plain).await;
        let mut params = opal.editor.initialize_params();
        params["capabilities"]["experimental"] = json!({ "opal": opal_says });
        let result = opal.editor.request("initialize", params).await;
        assert!(result.is_ok(), "{opal_says}: {result:?}");
        opal.editor.notify("initialized", json!({}));
        opal.start_session().await;
    }
}

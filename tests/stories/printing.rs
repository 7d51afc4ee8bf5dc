//! Foreign text on its way to a person: in editors, in message boxes of clients without Opal's dialogs, and in a
//! terminal (`terminal.rs`).

use serde_json::{Value, json};
use tests::editor::Confirm;
use tests::{FakeModel, Opal, Profile, calls};

/// Everything of a JSON text that a person could not see.
fn hidden(value: &Value) -> String {
    let text = value.to_string();
    text.chars().filter(|c| c.is_control() || "\u{202e}\u{61c}\u{200b}\u{2028}".contains(*c)).collect()
}

#[tokio::test]
async fn a_question_and_a_call_are_printable() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("\u{1b}[2J\u{202e}x", json!({})));
    model.next(|t| t.tool("shell", calls::shell("echo \u{202e}ok\u{200b} # \u{9b}2J")));
    model.next(|t| t.tool("ask_user", json!({"question": "a\u{61c}\nb", "choices": ["c\u{2028}\nd"]})));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).confirm(Confirm::Hold).await;
    let turn = opal.prompt("run it").await;

    let start = turn.until("tool_execution_start").await;
    assert_eq!(start["tool"], r"\u{1b}[2J\u{202e}x");
    assert!(turn.result().await.unwrap_err().starts_with(r"there is no tool `\u{1b}[2J\u{202e}x`"));

    let question = turn.until("client/confirm").await;
    assert_eq!(question["details"]["command"], r"echo \u{202e}ok\u{200b} # \u{9b}2J");
    assert_eq!(hidden(&question.params), "");
    let state = serde_json::to_value(opal.state().await).unwrap();
    assert_eq!((hidden(&state["questions"]), hidden(&state["waiting_for"])), (String::new(), String::new()));
    question.allow();

    let question = turn.until("client/input").await;
    assert_eq!(question["prompt"], "a\\u{61c}\nb");
    assert_eq!(question["choices"], json!([r"c\u{2028}⏎d"]));
    question.answer(json!({"text": "fine"}));
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
async fn what_a_service_says_is_printable() {
    let model = FakeModel::start().await;
    model.next(|t| t.refused(503, "\u{1b}]52;c;aGk=\u{7} later\u{202e}"));
    model.next(|t| t.refused(400, "never\u{61c}\u{9b}2J"));
    let opal = Opal::start(&model).fast_retries().await;
    let turn = opal.prompt("hello").await;
    let retry = turn.until("retry").await;
    assert!(retry["reason"].as_str().unwrap().contains(r"later\u{202e}"), "{:?}", retry.params);
    let error = turn.until("error").await;
    assert!(error["message"].as_str().unwrap().contains(r"never\u{61c}"), "{:?}", error.params);
    assert_eq!((hidden(&retry.params), hidden(&error.params)), (String::new(), String::new()));
    assert_eq!(turn.end().await, "error");
}

#[tokio::test]
async fn a_refused_request_is_printable() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    let params = json!({"session_id": "none\u{202e}\u{1b}[2J", "text": "hello"});
    let error = opal.editor.start_request("agent/prompt", params).error().await;
    assert!(error.message.contains(r"none\u{202e}\u{1b}[2J"), "{}", error.message);
}

/// The boxes of a plain client, by their buttons, until one of these is pressed.
async fn press(opal: &Opal, buttons: &[&str]) -> Vec<(String, Vec<String>)> {
    let turn = opal.prompt("run it").await;
    let mut shown = Vec::new();
    let mut from = 0;
    for button in buttons {
        let asked = opal.editor.until(None, from, "window/showMessageRequest", |_| true).await;
        from = asked.at + 1;
        let titles = asked["actions"].as_array().unwrap().iter();
        let titles: Vec<String> = titles.map(|it| it["title"].as_str().unwrap().to_owned()).collect();
        assert!(titles.iter().any(|title| title == button), "{button} is not among {titles:?}");
        shown.push((asked["message"].as_str().unwrap().to_owned(), titles));
        asked.answer(json!({"title": button}));
    }
    assert_eq!(turn.end().await, "completed");
    shown
}

async fn plain(model: &FakeModel, command: &str) -> Opal {
    model.next(|t| t.tool("shell", calls::shell(command)));
    model.next(|t| t.text("Done."));
    Opal::start(model).profile(Profile::Helix).confirm(Confirm::Hold).await
}

#[tokio::test]
async fn a_command_of_many_lines_is_allowed_in_the_last_message_box_only() {
    let model = FakeModel::start().await;
    let lines: String = (1..=26).map(|n| format!("echo {n} >> ran\n")).collect();
    let opal = plain(&model, &lines).await;
    let shown = press(&opal, &["Show the next part", "Allow"]).await;
    assert_eq!(shown[0].1, ["Deny", "Show the next part"]);
    assert!(shown[0].0.contains("part 1 of 2") && !shown[0].0.contains("echo 26"), "{}", shown[0].0);
    assert!(shown[1].0.contains("echo 26 >> ran"), "{}", shown[1].0);
    for (message, _) in &shown {
        assert!(message.contains(&format!("in {}", opal.directory().display())), "{message}");
    }
    assert_eq!(opal.file("ran").lines().count(), 26);
}

#[tokio::test]
async fn a_long_command_is_denied_in_its_first_message_box() {
    let model = FakeModel::start().await;
    let opal = plain(&model, &"touch ran\n".repeat(100)).await;
    press(&opal, &["Deny"]).await;
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn a_command_that_nobody_could_read_in_message_boxes_can_only_be_denied() {
    let model = FakeModel::start().await;
    let opal = plain(&model, &"touch ran\n".repeat(9_000)).await;
    let shown = press(&opal, &["Deny"]).await;
    assert_eq!(shown[0].1, ["Deny"]);
    assert!(shown[0].0.contains("⟨8980 lines left out⟩") && shown[0].0.contains("can only be denied"));
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn a_message_box_hides_nothing() {
    let model = FakeModel::start().await;
    let opal = plain(&model, &format!("echo ok #{}\u{202e}\u{1b}[2Jmore", " ".repeat(5_000))).await;
    let shown = press(&opal, &["Deny"]).await;
    assert!(shown[0].0.contains(r"echo ok #⟨5000 spaces⟩\u{202e}\u{1b}[2Jmore"), "{}", shown[0].0);
    assert!(shown[0].0.contains("“Allow for this session” allows"), "{}", shown[0].0);
}

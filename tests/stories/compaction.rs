//! Long conversations go on.

use serde_json::{Value, json};
use tests::harness::Start;
use tests::{FakeModel, Opal, calls};

/// With a window of 40,000 tokens: compacted at 30,000, and 15,000 stay.
const WINDOW: u64 = 40_000;
/// About 10,000 tokens, in lines.
fn long() -> String {
    "0123456789012345678901234567890123456789012345678\n".repeat(800)
}

async fn start(change: impl FnOnce(Start) -> Start) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    let start = change(Opal::start(&model).window(WINDOW).mode("full"));
    let opal = start.await;
    (model, opal)
}

/// Turns with a prompt of about 5,000 tokens each; the last one fills the window.
async fn talk(model: &FakeModel, opal: &Opal, n: u64) {
    for turn in 1..=n {
        let used = if turn == n { 31_000 } else { turn * 5_000 };
        model.next(|t| t.text(format!("answer {turn}")).usage(used, 0, 10));
        assert_eq!(opal.run(&format!("prompt {turn} {}", &long()[..20_000])).await, "completed");
    }
}

fn told(opal: &Opal, kind: &str) -> Vec<Value> {
    let events = opal.editor.events(&opal.session);
    events.into_iter().filter(|event| event["type"] == kind).collect()
}

#[tokio::test]
async fn the_state_tells_when() {
    let (model, opal) = start(|start| start).await;
    model.next(|t| t.text("hello").usage(1_000, 0, 10));
    assert_eq!(opal.run("hi").await, "completed");
    let usage = opal.state().await.usage;
    assert_eq!((usage.used, usage.window, usage.compact_at), (1_010, Some(WINDOW), Some(30_000)));
    assert_eq!(told(&opal, "usage_update")[0]["usage"]["compact_at"], 30_000);
}

#[tokio::test]
async fn old_output_goes_first() {
    let (model, opal) = start(|start| start.file("a", long())).await;
    for _ in 0..2 {
        model.next(|t| t.tool("read", calls::read("a")).usage(10_000, 0, 10));
    }
    model.next(|t| t.tool("read", calls::read("a")).usage(21_000, 0, 10));
    model.next(|t| t.text("Read it.").usage(31_000, 0, 10));
    assert_eq!(opal.run("read").await, "completed");
    model.expect_new_prefix();
    model.next(|t| t.text("On."));
    assert_eq!(opal.run("go on").await, "completed");
    let results = model.last_request().results();
    assert!(results[0].contains("removed to save space") && results[1].contains("removed to save space"));
    assert!(results[2].contains("0123456789"));
    assert_eq!(told(&opal, "compaction_start")[0]["reason"], "threshold");
    let end = &told(&opal, "compaction_end")[0];
    assert!(end.get("summary").is_none() && end.get("error").is_none(), "{end}");
    assert!(end["used"].as_u64().unwrap() < 22_500, "{end}");
}

#[tokio::test]
async fn then_a_summary_stands_for_what_is_older() {
    let (model, opal) = start(|start| start.file("a", "one\n")).await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")).tool("shell", calls::shell("exit 3")));
    model.next(|t| t.text("Changed."));
    assert_eq!(opal.run("change it").await, "completed");
    talk(&model, &opal, 6).await;

    model.next(|t| t.text("## Goal\nTo make it two.").usage(7_000, 0, 100));
    model.expect_new_prefix();
    model.next(|t| t.text("On.").usage(16_000, 0, 10));
    assert_eq!(opal.run("go on").await, "completed");
    let (asked, request) = (model.request(model.n_requests() - 1).await, model.last_request());
    assert!(asked.body["instructions"].as_str().unwrap().contains("## Goal"));
    assert!(asked.user_texts()[0].contains("prompt 1") && asked.tools().is_empty());
    let texts = request.user_texts();
    assert!(texts[0].contains("To make it two."), "{}", texts[0]);
    assert!(texts[0].contains("exit 3") && texts[0].contains("a ("), "{}", texts[0]);
    assert!(texts[0].contains("go on"), "the last instruction: {}", texts[0]);
    assert_eq!(texts.last().unwrap(), "go on");
    assert!(!texts.iter().skip(1).any(|text| text.starts_with("prompt 1 ")));
    assert!(texts.iter().any(|text| text.starts_with("prompt 6 ")));
    let end = &told(&opal, "compaction_end")[0];
    assert_eq!(end["summary"], "## Goal\nTo make it two.");
    // What the summary cost is paid for too.
    assert_eq!(opal.state().await.usage.output, 10 + 10 + 6 * 10 + 100 + 10);

    // From here on the beginning stays again: the fake model compares.
    model.next(|t| t.text("On and on.").usage(17_000, 0, 10));
    assert_eq!(opal.run("and on").await, "completed");
    let params = json!({ "session_id": opal.session, "limit": 1000 });
    let history = opal.editor.request("session/history", params).await.unwrap();
    let entries = history["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["content"]["kind"] == "compaction"));
    assert!(entries.iter().any(|entry| entry["content"]["text"].as_str().is_some_and(|t| t.starts_with("prompt 1 "))));
}

#[tokio::test]
async fn a_second_one_builds_on_the_first() {
    let (model, opal) = start(|start| start).await;
    talk(&model, &opal, 6).await;
    for n in 1..=2 {
        model.next(|t| t.text(format!("summary {n}")));
        model.expect_new_prefix();
        model.next(|t| t.text("On.").usage(16_000, 0, 10));
        assert_eq!(opal.run("go on").await, "completed");
        talk(&model, &opal, 4).await;
    }
    let requests: Vec<_> = (1..=model.n_requests()).collect();
    let mut previous = 0;
    for n in requests {
        let request = model.request(n).await;
        if request.tools().is_empty() && request.user_texts()[0].contains("summary 1") {
            previous += 1;
        }
    }
    assert_eq!(previous, 1, "the second summary was asked for with the first");
    assert!(model.last_request().user_texts()[0].contains("summary 2"));
}

#[tokio::test]
async fn on_overflow_once_and_again() {
    let (model, opal) = start(|start| start).await;
    talk(&model, &opal, 5).await;
    let too_long = "Your input exceeds the context window of this model.";
    // Not near the threshold as far as anybody has measured.
    model.next(|t| t.text("small").usage(5_000, 0, 10));
    model.next(|t| t.text("a summary"));
    model.expect_new_prefix();
    assert_eq!(opal.run("next").await, "completed");

    model.next(|t| t.failed("context_length_exceeded", too_long));
    model.next(|t| t.text("another summary"));
    model.expect_new_prefix();
    model.next(|t| t.text("It fits now."));
    assert_eq!(opal.run(&format!("go on {}", long())).await, "completed");
    assert_eq!(told(&opal, "compaction_start").last().unwrap()["reason"], "overflow");
    assert!(told(&opal, "error").is_empty());
}

//! Long conversations go on.

use serde_json::{Value, json};
use tests::harness::Start;
use tests::{FakeModel, Family, Gate, Opal, calls};

use crate::endings::ended;

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
        let used = if turn == n { 31_000 } else { turn * 1_000 };
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
    model.next(|t| t.tool("read", calls::read("a")).usage(12_000, 0, 10));
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
    assert!(texts[0].contains("exit 3") && texts[0].contains("- a "), "{}", texts[0]);
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
    assert!(
        entries
            .iter()
            .any(|entry| entry["content"]["text"].as_str().is_some_and(|t| t.starts_with("prompt 1 ")))
    );
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
    model.next(|t| t.text("a summary"));
    model.expect_new_prefix();
    model.next(|t| t.text("small").usage(5_000, 0, 10));
    assert_eq!(opal.run("next").await, "completed");

    model.next(|t| t.failed("context_length_exceeded", too_long));
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).text("another summary"));
    model.next(|t| t.text("It fits now."));
    let turn = opal.prompt(&format!("go on {}", long())).await;
    turn.until("compaction_start").await;
    model.expect_new_prefix();
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(told(&opal, "compaction_start").last().unwrap()["reason"], "overflow");
    assert!(told(&opal, "error").is_empty());
}

#[tokio::test]
async fn what_overflows_again_ends_the_turn() {
    let (model, opal) = start(|start| start).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let too_long = "Your input exceeds the context window of this model.";
    let gate = Gate::new();
    model.next(|t| t.failed("context_length_exceeded", too_long));
    model.next(|t| t.pause_until(&gate).text("a summary"));
    model.next(|t| t.failed("context_length_exceeded", too_long));
    let turn = opal.prompt(&long()).await;
    turn.until("compaction_start").await;
    model.expect_new_prefix();
    gate.open();
    assert_eq!(turn.end().await, "error");
    assert_eq!(told(&opal, "compaction_start").len(), 1);
    assert_eq!(told(&opal, "error")[0]["code"], "context_overflow");
}

#[tokio::test]
async fn a_window_that_fills_at_once_again_ends_the_turn() {
    let (model, opal) = start(|start| start).await;
    talk(&model, &opal, 6).await;
    // Much stands around the conversation: a compaction can do nothing about that.
    model.always(|t| t.text("hm").usage(45_000, 0, 10));
    let mut reasons = Vec::new();
    for n in 0..3 {
        model.expect_new_prefix();
        reasons.push(opal.run(&format!("prompt {n}")).await);
    }
    assert_eq!(reasons, ["completed", "completed", "error"]);
    assert_eq!(told(&opal, "compaction_start").len(), 2);
    let error = told(&opal, "error").pop().unwrap();
    assert!(error["message"].as_str().unwrap().contains("again right after it was compacted"), "{error}");
}

#[tokio::test]
async fn when_asked_for() {
    let (model, opal) = start(|start| start.fast_retries()).await;
    let params = json!({ "session_id": opal.session, "keep_recent": 100 });
    let compact = async || opal.editor.request("session/compact", params.clone()).await;
    assert!(compact().await.unwrap_err().message.contains("nothing to compact yet"));
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let from = opal.editor.place();
    // The model fails again and again, and it goes on all the same.
    for _ in 0..4 {
        model.next(|t| t.status(500));
    }
    compact().await.unwrap();
    let end = opal.editor.until(None, from, "compaction_end", |_| true).await;
    assert_eq!(end["fallback"], true);
    assert_eq!(model.n_requests(), 5);
    assert!(end["summary"].as_str().unwrap().contains("## Goal"), "{end:?}");
    opal.editor.until(None, from, "agent_end", |_| true).await;
    model.expect_new_prefix();
    model.next(|t| t.text("On."));
    assert_eq!(opal.run("go on").await, "completed");
    assert!(model.last_request().user_texts()[0].contains("was compacted"));
}

#[tokio::test]
async fn a_service_that_is_busy_for_a_moment_is_asked_again() {
    let (model, opal) = start(|start| start.fast_retries()).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let from = opal.editor.place();
    let gate = Gate::new();
    model.next(|t| t.status(429));
    model.next(|t| t.status(503));
    model.next(|t| t.pause_until(&gate).text("a summary"));
    let params = json!({ "session_id": opal.session, "keep_recent": 100 });
    opal.editor.request("session/compact", params).await.unwrap();
    model.request(4).await;
    gate.open();
    let end = opal.editor.until(None, from, "compaction_end", |_| true).await;
    assert_eq!((&end["summary"], &end["fallback"]), (&json!("a summary"), &Value::Null));
    opal.editor.until(None, from, "agent_end", |_| true).await;
    assert_eq!(told(&opal, "retry").len(), 2);
    let waits: Vec<_> =
        told(&opal, "status_update").iter().map(|told| told["waiting_for"]["kind"].clone()).collect();
    let waits: Vec<_> = waits.iter().skip_while(|wait| **wait != "compaction").collect();
    assert_eq!(waits[..5], ["compaction", "retry", "compaction", "retry", "compaction"]);
}

#[tokio::test]
async fn an_abort_ends_the_pause_too() {
    let (model, opal) = start(|start| start.slow_retries()).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let from = opal.editor.place();
    model.next(|t| t.status(503));
    let params = json!({ "session_id": opal.session, "keep_recent": 100 });
    opal.editor.request("session/compact", params).await.unwrap();
    opal.editor.until(None, from, "retry", |_| true).await;
    opal.editor.request("agent/abort", json!({ "session_id": opal.session })).await.unwrap();
    let end = opal.editor.until(None, from, "compaction_end", |_| true).await;
    assert_eq!(end["error"], "aborted by the user");
}

#[tokio::test]
async fn nothing_older_is_said() {
    let (model, opal) = start(|start| start).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run("hi").await, "completed");
    let from = opal.editor.place();
    opal.editor.request("session/compact", json!({ "session_id": opal.session })).await.unwrap();
    let end = opal.editor.until(None, from, "compaction_end", |_| true).await;
    assert_eq!(end["error"], "there is nothing older that could be left out");
    let end = opal.editor.until(None, from, "agent_end", |_| true).await;
    assert_eq!(end["reason"], "completed");
}

#[tokio::test]
async fn an_abort_leaves_everything_as_it_is() {
    let (model, opal) = start(|start| start).await;
    talk(&model, &opal, 6).await;
    model.next(|t| t.text("half a summary").hang());
    let turn = opal.prompt("go on").await;
    model.request(7).await;
    turn.abort().await;
    assert_eq!(told(&opal, "compaction_end")[0]["error"], "aborted by the user");
    assert_eq!(told(&opal, "agent_end").last().unwrap()["reason"], "aborted");

    model.next(|t| t.text("a summary"));
    model.expect_new_prefix();
    model.next(|t| t.text("On.").usage(16_000, 0, 10));
    assert_eq!(opal.run("again").await, "completed");
    assert!(model.last_request().user_texts()[0].contains("a summary"));
}

#[tokio::test]
async fn what_is_queued_meanwhile_comes_after() {
    let (model, opal) = start(|start| start).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).text("a summary"));
    let from = opal.editor.place();
    let params = json!({ "session_id": opal.session, "keep_recent": 10 });
    opal.editor.request("session/compact", params).await.unwrap();
    opal.editor.until(None, from, "compaction_start", |_| true).await;
    let refused = json!({ "session_id": opal.session, "text": "no" });
    assert!(opal.editor.request("agent/prompt", refused).await.unwrap_err().message.contains("running"));
    opal.steer("and then this").await;
    model.expect_new_prefix();
    model.next(|t| t.text("Then."));
    gate.open();
    opal.editor.until(None, from, "agent_end", |_| true).await;
    assert_eq!(model.last_request().user_texts().last().unwrap(), "and then this");
}

/// The fake model holds every request to the beginning of the one before it.
#[tokio::test]
async fn the_beginning_stays_over_a_long_session() {
    let (model, mut opal) = start(|start| start.window(200_000).file("a", "x\n").open("a")).await;
    let _second = opal.second_editor(tests::editor::Options::default()).await;
    for n in 0..30 {
        let (old, new) = (format!("x{}", "y".repeat(n)), format!("x{}", "y".repeat(n + 1)));
        model.next(|t| {
            t.thinking("hm").tool("edit", calls::edit("a", &old, &new)).tool("read", calls::read("a"))
        });
        model.next(|t| t.tool("shell", calls::shell("echo hi")));
        model.next(|t| t.text(format!("answer {n}")));
        opal.editor.type_over("a", "\n", "\n ");
        assert_eq!(opal.run(&format!("prompt {n}")).await, "completed");
    }
    assert_eq!(model.n_requests(), 90);
}

#[tokio::test]
async fn a_summary_that_ends_at_its_limit_is_asked_for_with_more_room_and_never_used() {
    let (model, opal) = start(|start| start).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    let compact = async || {
        let from = opal.editor.place();
        let params = json!({ "session_id": opal.session, "keep_recent": 100 });
        opal.editor.request("session/compact", params).await.unwrap();
        let end = opal.editor.until(None, from, "compaction_end", |_| true).await;
        opal.editor.until(None, from, "agent_end", |_| true).await;
        // Where the limit stands before the conversation, another one changes the beginning of the request.
        model.forgive();
        end
    };
    model.next(|t| t.text("## Goal\nTo make").length());
    model.next(|t| t.text("## Goal\nTo make it two."));
    let end = compact().await;
    assert_eq!((&end["summary"], &end["fallback"]), (&json!("## Goal\nTo make it two."), &Value::Null));
    let limits = [2, 3].map(|number| model.request(number));
    let [first, second] = futures::future::join_all(limits).await.try_into().unwrap();
    let limit = |request: &tests::model::Request| request.body["max_output_tokens"].as_u64();
    assert!(limit(&first) < limit(&second), "{:?} {:?}", limit(&first), limit(&second));

    model.expect_new_prefix();
    model.next(|t| t.text("more"));
    assert_eq!(opal.run(&long()).await, "completed");
    model.next(|t| t.text("## Goal").length());
    model.next(|t| t.text("## Goal").length());
    assert_eq!(compact().await["fallback"], true);
}

#[tokio::test]
async fn a_summary_that_the_service_has_paused_is_not_used() {
    let model = FakeModel::start_as(Family::Anthropic).await;
    let opal = Opal::start(&model).window(WINDOW).await;
    model.next(|t| t.text("hello"));
    assert_eq!(opal.run(&long()).await, "completed");
    for _ in 0..2 {
        model.next(|t| t.body(ended(Family::Anthropic, "## Goal", "pause_turn")));
    }
    let params = json!({ "session_id": opal.session, "keep_recent": 100 });
    opal.editor.request("session/compact", params).await.unwrap();
    let end = opal.editor.until(None, 0, "compaction_end", |_| true).await;
    assert_eq!(end["fallback"], true);
    model.forgive();
}

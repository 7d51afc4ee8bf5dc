//! How an answer ends, as services really end them: not whole, not at all, or saying nothing.

use std::time::Duration;

use replay::Step;
use serde_json::{Value, json};
use tests::process::CommandLine;
use tests::{FakeModel, Family, Opal, calls};

/// The stream of a text that ends for this reason.
pub(crate) fn ended(family: Family, text: &str, reason: &str) -> Vec<Step> {
    let events = match family {
        Family::Anthropic => vec![
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
            json!({ "type": "message_delta", "delta": { "stop_reason": reason } }),
        ],
        _ => vec![
            json!({ "choices": [{ "delta": { "content": text } }] }),
            json!({ "choices": [{ "delta": {}, "finish_reason": reason }] }),
        ],
    };
    vec![Step::from(events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>())]
}

/// The families in which a stream says why it ends.
const FAMILIES: [Family; 2] = [Family::Chat, Family::Anthropic];

fn last(opal: &Opal, kind: &str) -> Value {
    let events = opal.editor.events(&opal.session);
    events.into_iter().rfind(|event| event["type"] == kind).unwrap_or_default()
}

#[tokio::test]
async fn an_answer_that_the_service_broke_off_is_asked_for_again() {
    for family in FAMILIES {
        let model = FakeModel::start_as(family).await;
        model.next(|t| t.body(ended(family, "half a sen", "network_error")));
        model.next(|t| t.text("A whole sentence."));
        let opal = Opal::start(&model).fast_retries().await;
        assert_eq!(opal.run("hello").await, "completed");
        assert_eq!((opal.editor.count("retry"), model.n_requests()), (1, 2));
        let reason = last(&opal, "retry")["reason"].clone();
        assert!(reason.as_str().unwrap().contains("(network_error)"), "{reason}");
        assert_eq!(last(&opal, "turn_end")["message"], "A whole sentence.");
    }
}

#[tokio::test]
async fn an_answer_that_was_filtered_is_no_success() {
    let model = FakeModel::start_as(Family::Chat).await;
    model.next(|t| t.body(ended(Family::Chat, "half a sen", "SAFETY")));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "error");
    let error = last(&opal, "error");
    assert_eq!((error["code"].as_str(), model.n_requests()), (Some("content_filter"), 1));
    assert!(error["message"].as_str().unwrap().contains("(safety)"), "{error}");
}

#[tokio::test]
async fn an_unknown_reason_is_told_and_its_answer_kept() {
    for family in FAMILIES {
        let model = FakeModel::start_as(family).await;
        model.next(|t| t.body(ended(family, "All of it.", "new_reason")));
        model.next(|t| t.text("Yes."));
        let opal = Opal::start(&model).await;
        assert_eq!(opal.run("hello").await, "completed");
        let warning = last(&opal, "warning");
        assert_eq!(warning["code"], "unknown_stop");
        assert!(warning["message"].as_str().unwrap().contains("new_reason"), "{warning}");
        assert_eq!(opal.run("really?").await, "completed");
        assert!(model.last_request().body.to_string().contains("All of it."));
    }
}

#[tokio::test]
async fn a_paused_answer_goes_on() {
    for family in FAMILIES {
        let model = FakeModel::start_as(family).await;
        model.next(|t| t.body(ended(family, "First half.", "pause_turn")));
        model.next(|t| t.text("Second half."));
        let opal = Opal::start(&model).await;
        assert_eq!(opal.run("hello").await, "completed");
        let request = model.request(2).await;
        assert!(request.body.to_string().contains("First half."), "{}", request.body);
        let told = request.user_texts().pop().unwrap();
        assert!(told.contains("Go on"), "{told}");
        assert_eq!((opal.editor.count("warning"), opal.editor.count("retry")), (0, 0));
        model.next(|t| t.text("Yes."));
        assert_eq!(opal.run("really?").await, "completed");
    }
}

#[tokio::test]
async fn a_service_that_pauses_for_ever_is_left() {
    let model = FakeModel::start_as(Family::Anthropic).await;
    model.always(|t| t.body(ended(Family::Anthropic, "And", "pause_turn")));
    let opal = Opal::start(&model).await;
    assert_eq!(opal.run("hello").await, "error");
    assert_eq!((last(&opal, "error")["code"].as_str(), model.n_requests()), (Some("paused"), 10));
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_asked_for_again() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        model.next(|t| t.usage(100, 0, 1));
        model.next(|t| t.thinking("Hm.").usage(100, 0, 1));
        model.next(|t| t.text("Here I am.").usage(100, 0, 1));
        let opal = Opal::start(&model).fast_retries().await;
        assert_eq!(opal.run("hello").await, "completed");
        assert_eq!(last(&opal, "turn_end")["message"], "Here I am.");
        // Those that said nothing were paid for too.
        assert_eq!(last(&opal, "turn_end")["usage"]["output"], 3);

        model.always(|t| t.thinking("Hm."));
        assert_eq!(opal.run("and now?").await, "error");
        assert_eq!(model.n_requests(), 6);
        let error = last(&opal, "error");
        assert_eq!(error["code"], "empty_answer");
        assert!(error["hint"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn a_call_without_a_name_goes_back_as_failed() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        model.next(|t| t.tool("", calls::read("a")));
        model.next(|t| t.tool("read", calls::read("a")));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).file("a", "one\n").await;
        assert_eq!(opal.run("read").await, "completed");
        let told = model.request(2).await.last_result();
        assert!(told.contains("names no tool") && told.contains("read"), "{told}");
        assert!(model.last_request().last_result().contains("one"));
    }
}

#[tokio::test]
async fn an_answer_is_whole_though_its_connection_stays_open() {
    for family in FAMILIES {
        let model = FakeModel::start_as(family).await;
        let mut steps = ended(family, "All of it.", if family == Family::Chat { "stop" } else { "end_turn" });
        steps.push(Step::Hang);
        model.next(|t| t.body(steps));
        model.next(|t| t.text("Yes."));
        let grace = Duration::from_millis(50);
        let opal = Opal::start(&model).limits(|limits| limits.provider.ending = grace).await;
        assert_eq!(opal.run("hello").await, "completed");
        assert_eq!(opal.run("really?").await, "completed");
        assert_eq!((opal.editor.count("retry"), model.n_requests()), (0, 2));
    }
}

#[tokio::test]
async fn a_call_in_the_text_is_told_and_not_run() {
    let model = FakeModel::start_as(Family::Chat).await;
    let call = "<tool_call>\n{\"name\": \"write\", \"arguments\": {\"path\": \"a\", \"content\": \"x\"}}\n</tool_call>";
    model.next(|t| t.text(call));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("write").await, "completed");
    assert!(!opal.has_file("a"));
    let warning = last(&opal, "warning");
    assert_eq!(warning["code"], "call_as_text");
    assert!(warning["message"].as_str().unwrap().contains("write"), "{warning}");
    assert!(warning["hint"].as_str().unwrap().contains("--enable-auto-tool-choice"), "{warning}");
}

#[tokio::test]
async fn tokens_that_nobody_counted_are_estimated() {
    let model = FakeModel::start_as(Family::Chat).await;
    let opal = Opal::start(&model).window(50_000).await;
    model.next(|t| t.body(ended(Family::Chat, &"word ".repeat(4_000), "stop")));
    assert_eq!(opal.run("hello").await, "completed");
    let told = last(&opal, "usage_update")["usage"].clone();
    assert_eq!(told["estimated"], true);
    // The answer, and what stands around it.
    assert!((5_000..20_000).contains(&told["used"].as_u64().unwrap()), "{told}");
    let state = opal.state().await.usage;
    assert_eq!((state.estimated, Some(state.used)), (true, told["used"].as_u64()));

    model.next(|t| t.text("Counted.").usage(7_000, 0, 10));
    assert_eq!(opal.run("and now?").await, "completed");
    let told = last(&opal, "usage_update")["usage"].clone();
    assert_eq!((&told["used"], told.get("estimated")), (&json!(7_010), None));
}

#[tokio::test]
async fn on_the_command_line() {
    let model = FakeModel::start_as(Family::Chat).await;
    let opal = CommandLine::new(&format!(
        "model = \"work/fake-model\"\n[providers.work]\napi = \"chat\"\nbase_url = \"{}\"\n\
         models = [{{ id = \"fake-model\", context_window = 50000 }}]\n",
        model.url(),
    ));
    model.next(|t| t.body(ended(Family::Chat, "All of it.", "new_reason")));
    let ran = opal.run(&["run", "hello"]);
    assert!(ran.ok && ran.stdout == "All of it.\n", "{ran:?}");
    assert!(ran.stderr.contains("warning:") && ran.stderr.contains("new_reason"), "{ran:?}");
    assert!(ran.stderr.contains("context ~"), "{ran:?}");

    model.next(|t| t.body(ended(Family::Chat, "half a sen", "content_filter")));
    let ran = opal.run(&["run", "hello"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("content filter"), "{ran:?}");
}

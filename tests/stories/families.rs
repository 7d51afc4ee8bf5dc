//! The same conversations on every wire that models are reached by, and from one to the other.
//!
//! The fake models check each request as a strict service of their family would, and that the beginning of
//! a conversation stays.

use serde_json::{Value, json};
use tests::harness::Start;
use tests::{FakeModel, Family, Gate, Opal, PNG, PNG_BASE64, calls};

async fn start(family: Family, change: impl FnOnce(Start) -> Start) -> (FakeModel, Opal) {
    let model = FakeModel::start_as(family).await;
    let opal = change(Opal::start(&model).mode("full").fast_retries()).await;
    (model, opal)
}

fn told(opal: &Opal, kind: &str) -> Vec<Value> {
    let events = opal.editor.events(&opal.session);
    events.into_iter().filter(|event| event["type"] == kind).collect()
}

async fn set(opal: &Opal, field: &str, value: &str) {
    let params = json!({ "session_id": opal.session, field: value });
    opal.editor.request("session/set", params).await.unwrap();
}

/// How often the model of a session changed, as the history tells it.
async fn changes(opal: &Opal) -> Vec<Value> {
    let params = json!({ "session_id": opal.session, "limit": 1000 });
    let history = opal.editor.request("session/history", params).await.unwrap();
    let contents = history["entries"].as_array().unwrap().iter().map(|entry| entry["content"].clone());
    contents.filter(|content| content["kind"] == "model_change").collect()
}

#[tokio::test]
async fn thinking_and_text() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.session("thinking_level", "low")).await;
        model.next(|t| t.thinking("The user greets.").text("Hello to you.").usage(1_000, 600, 20));
        assert_eq!(opal.run("hello").await, "completed", "{family:?}");
        assert_eq!(told(&opal, "thinking_end")[0]["text"], "The user greets.", "{family:?}");
        assert_eq!(told(&opal, "message_end")[0]["text"], "Hello to you.", "{family:?}");
        let usage = &told(&opal, "turn_end")[0]["usage"];
        assert_eq!(
            (&usage["input"], &usage["cached"], &usage["output"]),
            (&json!(1_000), &json!(600), &json!(20))
        );
        model.next(|t| t.text("Well."));
        assert_eq!(opal.run("how are you").await, "completed", "{family:?}");
        assert_eq!(model.last_request().user_texts(), ["hello", "how are you"], "{family:?}");
        assert_eq!(model.n_requests(), 2, "{family:?}");
    }
}

#[tokio::test]
async fn tools_in_parallel() {
    for family in Family::ALL {
        let change =
            |start: Start| start.file("a", "one\n").file("b", "two\n").session("thinking_level", "low");
        let (model, opal) = start(family, change).await;
        model.next(|t| {
            t.thinking("Both.")
                .text("Reading both.")
                .tool("read", calls::read("a"))
                .tool("read", calls::read("b"))
                .tool("read", "{\"path\":")
        });
        model.next(|t| t.thinking("Again.").tool("shell", calls::shell("cat a b")));
        model.next(|t| t.text("Read."));
        assert_eq!(opal.run("read a and b").await, "completed", "{family:?}");
        let results = model.last_request().results();
        assert!(results[0].contains("one") && results[1].contains("two"), "{family:?}: {results:?}");
        assert!(results[2].contains("not run") || results[2].contains("JSON"), "{family:?}: {results:?}");
        assert!(results[3].contains("one\ntwo"), "{family:?}: {results:?}");
        assert_eq!(model.last_request().n_thoughts(), 2, "{family:?}");
        model.next(|t| t.text("Yes."));
        assert_eq!(opal.run("sure?").await, "completed", "{family:?}");
    }
}

#[tokio::test]
async fn images() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.file("picture.png", PNG).file("a", "one\n")).await;
        model.next(|t| t.tool("read", calls::read("picture.png")).tool("read", calls::read("a")));
        model.next(|t| t.text("Two pictures."));
        let image = json!({ "type": "image", "mime_type": "image/png", "data": PNG_BASE64 });
        let params = json!({ "session_id": opal.session, "text": "compare", "attachments": [image] });
        let turn = opal.prompt_with(params).await;
        assert_eq!(turn.end().await, "completed", "{family:?}");
        assert_eq!(model.request(1).await.n_images(), 1, "{family:?}");
        assert_eq!(model.last_request().n_images(), 2, "{family:?}");
        model.next(|t| t.text("The same."));
        assert_eq!(opal.run("and?").await, "completed", "{family:?}");
        assert_eq!(model.last_request().n_images(), 2, "{family:?}");
    }
}

#[tokio::test]
async fn an_image_for_a_model_that_sees_none() {
    for family in Family::ALL {
        let (model, opal) =
            start(family, |start| start.model("images = false").file("picture.png", PNG)).await;
        model.refuse_images();
        let image = json!({ "type": "image", "mime_type": "image/png", "data": PNG_BASE64 });
        let params = json!({ "session_id": opal.session, "text": "what is it", "attachments": [image] });
        assert_eq!(opal.prompt_with(params).await.end().await, "error", "{family:?}");
        let error = &told(&opal, "error")[0];
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("attachment"), &json!("fake/fake-model cannot see images"))
        );
        assert!(error["hint"].as_str().unwrap().contains("choose a model"), "{error}");
        assert_eq!(model.n_requests(), 0, "{family:?}");

        // What a tool comes upon is told in words.
        model.next(|t| t.tool("read", calls::read("picture.png")));
        model.next(|t| t.text("I cannot see it."));
        assert_eq!(opal.run("read the picture").await, "completed", "{family:?}");
        let result = model.last_request().last_result();
        assert!(result.contains("cannot see images"), "{family:?}: {result}");
    }
}

#[tokio::test]
async fn an_image_that_the_service_refuses_is_told_in_words() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.file("picture.png", PNG)).await;
        model.next(|t| t.tool("read", calls::read("picture.png")));
        model.next(|t| t.refused(400, "Could not process image"));
        model.next(|t| t.text("I cannot see it."));
        assert_eq!(opal.run("read the picture").await, "completed", "{family:?}");
        let result = model.last_request().last_result();
        assert!(result.contains("Could not process image"), "{family:?}: {result}");
        assert_eq!(model.last_request().n_images(), 0, "{family:?}");
        model.next(|t| t.text("Still not."));
        assert_eq!(opal.run("and now").await, "completed", "{family:?}");
        assert_eq!(model.last_request().n_images(), 0, "{family:?}");
    }
}

#[tokio::test]
async fn images_stay_for_those_who_see_them() {
    for family in Family::ALL {
        let (model, blind) = (FakeModel::start_as(family).await, FakeModel::start_as(family).await);
        blind.refuse_images();
        let opal = Opal::start(&model).mode("full").provider("blind", &blind, "images = false").await;
        let image = json!({ "type": "image", "mime_type": "image/png", "data": PNG_BASE64 });
        model.next(|t| t.text("A quokka."));
        let params = json!({ "session_id": opal.session, "text": "what is it", "attachments": [image] });
        assert_eq!(opal.prompt_with(params).await.end().await, "completed", "{family:?}");
        set(&opal, "model", "blind/fake-model").await;
        blind.next(|t| t.text("A quokka, as was said."));
        assert_eq!(opal.run("what was it").await, "completed", "{family:?}");
        let texts = blind.last_request().user_texts().join("\n");
        assert!(texts.contains("An image (image/png) was here"), "{family:?}: {texts}");
        set(&opal, "model", "fake/fake-model").await;
        model.next(|t| t.text("Still a quokka."));
        assert_eq!(opal.run("look again").await, "completed", "{family:?}");
        assert_eq!(model.last_request().n_images(), 1, "{family:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_cut() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.file("a", "one\n")).await;
        model.next(|t| t.thinking("Hm.").text("Half an ans").cut());
        model.next(|t| t.text("Reading.").tool("read", calls::read("a")).cut());
        model.next(|t| t.tool("read", calls::read("a")));
        model.next(|t| t.failed("overloaded_error", "too many are here"));
        model.next(|t| t.text("A whole answer."));
        assert_eq!(opal.run("hello").await, "completed", "{family:?}");
        assert_eq!((told(&opal, "retry").len(), model.n_requests()), (3, 5), "{family:?}");
        // The call that was cut off was not made.
        assert_eq!(told(&opal, "tool_execution_start").len(), 1, "{family:?}");
        assert_eq!(told(&opal, "message_end").last().unwrap()["text"], "A whole answer.", "{family:?}");
    }
}

#[tokio::test]
async fn an_answer_at_its_limit() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start).await;
        model.next(|t| t.text("As I was about to").length());
        assert_eq!(opal.run("tell me all").await, "length", "{family:?}");
        model.next(|t| t.text("say."));
        assert_eq!(opal.run("go on").await, "completed", "{family:?}");
    }
}

#[tokio::test]
async fn refusals() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start).await;
        model.next(|t| t.status(401));
        assert_eq!(opal.run("hello").await, "error", "{family:?}");
        let message = told(&opal, "error")[0]["message"].to_string();
        assert!(message.contains("scripted 401"), "{family:?}: {message}");
        model.next(|t| t.status(429).retry_after("0.01"));
        model.next(|t| t.status(503));
        model.next(|t| t.text("Here."));
        assert_eq!(opal.run("again").await, "completed", "{family:?}");
        assert_eq!(told(&opal, "retry").len(), 2, "{family:?}");
    }
}

#[tokio::test]
async fn a_conversation_that_does_not_fit() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.window(40_000)).await;
        let long = "0123456789 ".repeat(2_000);
        for turn in 1..=4 {
            model.next(|t| t.thinking("Hm.").text(format!("answer {turn}")).usage(turn * 5_000, 0, 10));
            assert_eq!(opal.run(&format!("prompt {turn} {long}")).await, "completed", "{family:?}");
        }
        let gate = Gate::new();
        model.next(|t| t.overflow());
        model.next(|t| t.pause_until(&gate).text("What was said so far."));
        model.next(|t| t.text("It fits now."));
        let turn = opal.prompt("and on").await;
        turn.until("compaction_start").await;
        model.expect_new_prefix();
        gate.open();
        assert_eq!(turn.end().await, "completed", "{family:?}");
        assert_eq!(told(&opal, "compaction_start")[0]["reason"], "overflow", "{family:?}");
        let texts = model.last_request().user_texts();
        assert!(texts[0].contains("What was said so far."), "{family:?}: {texts:?}");
        model.next(|t| t.text("On."));
        assert_eq!(opal.run("and on").await, "completed", "{family:?}");
    }
}

/// A turn with thinking, tools in parallel and an image.
async fn full_turn(model: &FakeModel, opal: &Opal, text: &str) {
    model.next(|t| {
        t.thinking("Let me look.")
            .text("Looking.")
            .tool("read", calls::read("a"))
            .tool("read", calls::read("picture.png"))
    });
    model.next(|t| t.thinking("Seen.").text(format!("Done: {text}.")));
    assert_eq!(opal.run(text).await, "completed", "{:?}\n{}", model.family(), opal.transcript());
}

/// From one service to another, and back.
async fn switch(from: Family, to: Family) {
    let (first, second) = (FakeModel::start_as(from).await, FakeModel::start_as(to).await);
    let opal = Opal::start(&first)
        .mode("full")
        .session("thinking_level", "medium")
        .file("a", "one\n")
        .file("picture.png", PNG)
        .provider("other", &second, "")
        .await;
    full_turn(&first, &opal, "first").await;
    set(&opal, "model", "other/fake-model").await;
    let changed = told(&opal, "model_changed");
    assert_eq!(changed[0]["model"], "other/fake-model");
    assert_eq!(opal.state().await.model, "other/fake-model");

    full_turn(&second, &opal, "second").await;
    let request = second.request(1).await;
    assert_eq!(request.n_thoughts(), 0, "{from:?} to {to:?}: nobody reads the thinking of another");
    assert_eq!((request.results().len(), request.n_images()), (2, 1), "{from:?} to {to:?}");
    assert_eq!(request.user_texts().last().unwrap(), "second");
    assert_eq!(second.request(2).await.n_thoughts(), 1, "{from:?} to {to:?}");

    set(&opal, "model", "fake/fake-model").await;
    full_turn(&first, &opal, "third").await;
    let request = first.last_request();
    assert_eq!((request.results().len(), request.n_images()), (6, 3), "{from:?} to {to:?} and back");
    // Its own is still good, as far as it wants any of a turn that is over.
    let own = if from == Family::Chat { 1 } else { 3 };
    assert_eq!(request.n_thoughts(), own, "{from:?} to {to:?} and back");
    let told: Vec<_> = changes(&opal).await.iter().map(|change| change["model"].clone()).collect();
    assert_eq!(told, ["other/fake-model", "fake/fake-model"]);
}

#[tokio::test]
async fn from_one_to_another_and_back() {
    for from in Family::ALL {
        for to in Family::ALL {
            switch(from, to).await;
        }
    }
}

/// How much the model is asked to think.
fn effort(family: Family, body: &Value) -> Value {
    match family {
        Family::Responses => body["reasoning"]["effort"].clone(),
        Family::Chat => body["reasoning_effort"].clone(),
        Family::Anthropic => body["thinking"]["budget_tokens"].clone(),
    }
}

#[tokio::test]
async fn thinking_longer_and_shorter() {
    for family in Family::ALL {
        let (model, opal) = start(family, |start| start.file("a", "one\n")).await;
        model.next(|t| t.tool("read", calls::read("a")));
        model.next(|t| t.text("One."));
        assert_eq!(opal.run("read").await, "completed", "{family:?}");
        assert_eq!(effort(family, &model.last_request().body), Value::Null, "{family:?}");
        for (level, effort_or_budget) in [("high", json!("high")), ("low", json!("low"))] {
            set(&opal, "thinking_level", level).await;
            // Some services have it before the conversation.
            model.expect_new_prefix();
            model.next(|t| t.thinking("Hm.").tool("read", calls::read("a")));
            model.next(|t| t.text("Still one."));
            assert_eq!(opal.run("read it again").await, "completed", "{family:?}");
            let expected = match (family, level) {
                (Family::Anthropic, "high") => json!(16_000),
                (Family::Anthropic, _) => json!(4_096),
                _ => effort_or_budget,
            };
            assert_eq!(effort(family, &model.last_request().body), expected, "{family:?}");
        }
        // The same again is no change.
        set(&opal, "thinking_level", "low").await;
        let levels: Vec<_> =
            told(&opal, "model_changed").iter().map(|event| event["thinking_level"].clone()).collect();
        assert_eq!(levels, ["high", "low"], "{family:?}");
        assert_eq!(changes(&opal).await.len(), 2, "{family:?}");
        assert_eq!(changes(&opal).await[1]["thinking_level"], "low", "{family:?}");
    }
}

#[tokio::test]
async fn a_change_while_a_turn_runs_waits_for_the_next() {
    let (model, second) = (FakeModel::start().await, FakeModel::start_as(Family::Anthropic).await);
    let opal = Opal::start(&model).mode("full").file("a", "one\n").provider("other", &second, "").await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).tool("read", calls::read("a")));
    model.next(|t| t.text("One."));
    let turn = opal.prompt("read").await;
    model.request(1).await;
    set(&opal, "model", "other/fake-model").await;
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!((model.n_requests(), second.n_requests()), (2, 0));
    second.next(|t| t.text("One, as was said."));
    assert_eq!(opal.run("again").await, "completed");
    assert_eq!(second.n_requests(), 1);
}

#[tokio::test]
async fn what_cannot_be_switched_to() {
    let (model, opal) = start(Family::Responses, |start| start).await;
    for (name, why) in [("nothing", "provider/model"), ("nobody/at-all", "no provider `nobody`")] {
        let params = json!({ "session_id": opal.session, "model": name });
        let error = opal.editor.request("session/set", params).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let params = json!({ "session_id": opal.session, "thinking_level": "endless" });
    assert!(opal.editor.request("session/set", params).await.is_err());
    assert_eq!(opal.state().await.model, "fake/fake-model");
    assert_eq!(told(&opal, "model_changed").len(), 0);
    model.next(|t| t.text("Still here."));
    assert_eq!(opal.run("hello").await, "completed");
}

//! What a conversation takes up, and what it costs.

use serde_json::{Value, json};
use tests::process::CommandLine;
use tests::{FakeModel, Family, Gate, Opal, calls};

/// USD for a million tokens.
const PRICE: &str = "price = { input = 2.0, cached_input = 0.5, output = 8.0 }";

fn told(opal: &Opal, kind: &str) -> Value {
    let events = opal.editor.events(&opal.session);
    events.into_iter().rfind(|event| event["type"] == kind).unwrap()["usage"].clone()
}

#[track_caller]
fn check_cost(cost: impl Into<Option<f64>>, dollars: f64) {
    let cost = cost.into().unwrap_or(f64::NAN);
    assert!((cost - dollars).abs() < 1e-9, "${cost}, not ${dollars}");
}

#[tokio::test]
async fn tokens_and_dollars() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        let opal = Opal::start(&model).mode("full").model(PRICE).file("a", "one\n").window(50_000).await;
        model.next(|t| t.tool("read", calls::read("a")).usage(1_000, 600, 20));
        model.next(|t| t.text("One.").usage(1_100, 1_000, 5));
        assert_eq!(opal.run("read").await, "completed");
        // 400 × 2 + 600 × 0.5 + 20 × 8 = 1,260 and 100 × 2 + 1,000 × 0.5 + 5 × 8 = 740 millionths.
        let turn = told(&opal, "turn_end");
        check_cost(turn["cost"].as_f64(), 0.002);
        assert_eq!(
            (&turn["input"], &turn["cached"], &turn["output"]),
            (&json!(2_100), &json!(1_600), &json!(25))
        );

        model.next(|t| t.text("Yes.").usage(1_200, 0, 10));
        assert_eq!(opal.run("sure?").await, "completed");
        // 1,200 × 2 + 10 × 8.
        check_cost(told(&opal, "turn_end")["cost"].as_f64(), 0.002_48);
        check_cost(told(&opal, "usage_update")["cost"].as_f64(), 0.004_48);
        let usage = opal.state().await.usage;
        check_cost(usage.cost, 0.004_48);
        assert_eq!((usage.used, usage.window), (1_210, Some(50_000)), "{family:?}");
        assert_eq!((usage.input, usage.cached, usage.output), (3_300, 1_600, 35), "{family:?}");
    }
}

#[tokio::test]
async fn writing_to_the_cache_has_a_price_of_its_own() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        let price = "price = { input = 4.0, cached_input = 0.4, cache_write = 5.0, output = 20.0 }";
        let opal = Opal::start(&model).model(price).await;
        model.next(|t| t.text("Hello.").usage(10_000, 6_000, 100).cache_written(3_000));
        assert_eq!(opal.run("hello").await, "completed");
        // 1,000 fresh × 4 + 6,000 × 0.4 + 3,000 × 5 + 100 × 20 = 23,400 millionths.
        check_cost(told(&opal, "turn_end")["cost"].as_f64(), 0.023_4);

        // Nothing is read from the cache, and all of it is written.
        model.next(|t| t.text("Again.").usage(11_000, 0, 50).cache_written(11_000));
        assert_eq!(opal.run("again").await, "completed");
        // 11,000 × 5 + 50 × 20 = 56,000.
        check_cost(told(&opal, "turn_end")["cost"].as_f64(), 0.056);
        let usage = opal.state().await.usage;
        check_cost(usage.cost, 0.079_4);
        assert_eq!((usage.input, usage.cached, usage.output), (21_000, 6_000, 150), "{family:?}");
    }
}

#[tokio::test]
async fn writing_to_the_cache_costs_what_input_costs_where_nothing_is_said() {
    let model = FakeModel::start_as(Family::Anthropic).await;
    let opal = Opal::start(&model).model(PRICE).await;
    model.next(|t| t.text("Hello.").usage(10_000, 6_000, 100).cache_written(3_000));
    assert_eq!(opal.run("hello").await, "completed");
    // 4,000 × 2 + 6,000 × 0.5 + 100 × 8 = 11,800 millionths.
    check_cost(opal.state().await.usage.cost, 0.011_8);
}

#[tokio::test]
async fn nothing_is_made_up_where_no_price_is_known() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).await;
    model.next(|t| t.text("Hello."));
    assert_eq!(opal.run("hello").await, "completed");
    assert!(opal.state().await.usage.cost.is_none());
    assert!(told(&opal, "turn_end").get("cost").is_none());
}

#[tokio::test]
async fn what_opal_knows_of_a_model_by_itself() {
    let model = FakeModel::start().await;
    let known = format!("[providers.known]\nbase_url = \"{}\"", model.url());
    let opal = Opal::start(&model).settings(&known).session("model", "known/gpt-5").await;
    model.next(|t| t.text("Hello.").usage(100_000, 40_000, 1_000));
    assert_eq!(opal.run("hello").await, "completed");
    let usage = opal.state().await.usage;
    // 60,000 × 1.25 + 40,000 × 0.125 + 1,000 × 10; the prompt is limited more than the window.
    check_cost(usage.cost, 0.09);
    assert_eq!(usage.window, Some(272_000));
    assert_eq!(model.n_lists(), 0, "nobody asks for what is known");
}

#[tokio::test]
async fn each_answer_at_the_price_of_who_gave_it() {
    let (model, other) = (FakeModel::start().await, FakeModel::start_as(Family::Chat).await);
    let dear = "price = { input = 200.0, output = 800.0 }";
    let opal =
        Opal::start(&model).mode("full").model(PRICE).file("a", "one\n").provider("other", &other, dear);
    let opal = opal.await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).tool("read", calls::read("a")).usage(1_000, 0, 0));
    model.next(|t| t.text("One.").usage(1_000, 0, 0));
    let turn = opal.prompt("read").await;
    model.request(1).await;
    let params = json!({ "session_id": opal.session, "model": "other/fake-model" });
    opal.editor.request("session/set", params).await.unwrap();
    gate.open();
    assert_eq!(turn.end().await, "completed");
    check_cost(opal.state().await.usage.cost, 0.004);
    // Nothing is said of a cache: as the rest of the input.
    other.next(|t| t.text("One.").usage(1_000, 500, 100));
    assert_eq!(opal.run("again").await, "completed");
    check_cost(opal.state().await.usage.cost, 0.004 + 0.2 + 0.08);
}

#[tokio::test]
async fn a_summary_is_paid_for_too() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).model(PRICE).window(40_000).await;
    model.next(|t| t.text("Hello.").usage(1_000, 0, 0));
    assert_eq!(opal.run(&"hello ".repeat(10_000)).await, "completed");
    model.next(|t| t.text("They greeted.").usage(10_000, 0, 100));
    let params = json!({ "session_id": opal.session, "keep_recent": 0 });
    let place = opal.editor.place();
    opal.editor.request("session/compact", params).await.unwrap();
    opal.editor.until(None, place, "agent_end", |_| true).await;
    check_cost(opal.state().await.usage.cost, 0.002 + 0.020_8);
}

fn config(model: &FakeModel) -> String {
    format!(
        "model = \"work/fake-model\"\npermission_mode = \"full\"\n[providers.work]\napi = \"{}\"\n\
         base_url = \"{}\"\nmodels = [{{ id = \"fake-model\", context_window = 50000, {PRICE} }}]\n",
        model.family().api(),
        model.url(),
    )
}

#[tokio::test]
async fn on_the_command_line_and_after_a_resume() {
    let model = FakeModel::start_as(Family::Anthropic).await;
    let opal = CommandLine::new(&config(&model));
    model.next(|t| t.text("Hello.").usage(10_000, 6_000, 200));
    let ran = opal.run(&["run", "hello"]);
    // 4,000 × 2 + 6,000 × 0.5 + 200 × 8 = 12,600 millionths.
    let told = "10000 tokens in (6000 cached), 200 out, $0.0126; context 10200 of 50000";
    assert!(ran.ok && ran.stderr.contains(told), "{ran:?}");

    model.next(|t| t.text("Again.").usage(11_000, 10_000, 100));
    let ran = opal.run(&["run", "--resume", "--json", "and again"]);
    let mut updates = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last = updates.rfind(|event| event["type"] == "usage_update").unwrap();
    // And 1,000 × 2 + 10,000 × 0.5 + 100 × 8 = 7,800.
    check_cost(last["usage"]["cost"].as_f64(), 0.020_4);

    let listed = opal.run(&["sessions"]).stdout;
    let id = listed.split_whitespace().next().unwrap();
    let shown = opal.run(&["sessions", "show", id]).stdout;
    let told = "21,000 tokens in (16,000 of them cached), 300 out (0 of them thinking), $0.0204; \
                the conversation takes 11,100 of 50,000 tokens (22 %).";
    assert!(shown.contains(told), "{shown}");
}

#[tokio::test]
async fn another_model_is_still_there_after_a_resume() {
    let (model, other) = (FakeModel::start().await, FakeModel::start_as(Family::Anthropic).await);
    let more = format!(
        "[providers.other]\napi = \"anthropic\"\nbase_url = \"{}\"\n\
         models = [{{ id = \"fake-model\", context_window = 80000 }}]\n",
        other.url()
    );
    let opal = CommandLine::new(&(config(&model) + &more));
    model.next(|t| t.thinking("Hm.").tool("shell", calls::shell("echo one")));
    model.next(|t| t.text("Hello."));
    assert!(opal.run(&["run", "hello"]).ok);
    let listed = opal.run(&["sessions"]).stdout;
    let id = listed.split_whitespace().next().unwrap().to_owned();
    let set = opal.set(&id, json!({ "model": "other/fake-model", "thinking_level": "high" })).await;
    assert_eq!(set["model"], "other/fake-model");

    other.next(|t| t.text("Hello, says another."));
    let ran = opal.run(&["run", "--resume", "and you"]);
    assert!(ran.ok && ran.stdout.contains("says another"), "{ran:?}");
    let request = other.last_request();
    assert_eq!(request.body["thinking"]["budget_tokens"], 16_000);
    assert_eq!((request.results().len(), request.n_thoughts()), (1, 0));
    let shown = opal.run(&["sessions", "show", &id]).stdout;
    assert!(shown.contains("From here on other/fake-model answers."), "{shown}");
    // One that is not configured any more is replaced by the one to use when nothing is said.
    opal.configure(&config(&model));
    // The level stays, and stands before the conversation.
    model.expect_new_prefix();
    model.next(|t| t.text("Back."));
    let ran = opal.run(&["run", "--resume", "still there?"]);
    assert!(ran.ok && ran.stdout.contains("Back."), "{ran:?}");
    assert!(ran.stderr.contains("other/fake-model cannot answer any more, so"), "{ran:?}");
    assert_eq!(model.last_request().user_texts(), ["hello", "and you", "still there?"]);
}

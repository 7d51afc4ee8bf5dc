//! Steering, follow-ups, and taking them back.

use tests::{FakeModel, Gate, Opal, calls};

#[tokio::test]
async fn steering_reaches_the_model_after_the_tool() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("echo ran")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("run it").await;
    let question = turn.until("client/confirm").await;
    let steered = opal.steer("and be quick").await;
    let message_id = steered.message_id.expect("a turn was running");
    assert_eq!(opal.state().await.queue.len(), 1);
    question.allow();
    let applied = turn.until("message_applied").await;
    assert_eq!(applied["message_id"], message_id.as_str());
    assert_eq!(turn.end().await, "completed");
    assert!(model.last_request().user_texts().last().unwrap().contains("and be quick"));
    assert_eq!(opal.editor.count("turn_start"), 1);
}

#[tokio::test]
async fn steering_while_the_last_answer_streams_goes_on() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.text("That is").pause_until(&gate).text("all."));
    model.next(|t| t.text("And this too."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("tell me").await;
    turn.until("message_delta").await;
    opal.steer("what about this").await;
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert!(model.last_request().user_texts().last().unwrap().contains("what about this"));
    assert_eq!(opal.state().await.queue.len(), 0);
}

#[tokio::test]
async fn calls_that_have_not_started_are_skipped() {
    let model = FakeModel::start().await;
    let command = "touch $$; while [ ! -e go ]; do sleep 0.02; done";
    model.next(|t| (0..12).fold(t, |t, _| t.tool("shell", calls::shell(command))));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("run them").await;
    turn.until("tool_execution_start").await;
    opal.steer("stop that").await;
    opal.put_file("go", "");
    assert_eq!(turn.end().await, "completed");
    let results = model.last_request().results();
    assert_eq!(results.len(), 12);
    assert!(results.last().unwrap().contains("skipped"), "{results:?}");
}

#[tokio::test]
async fn steering_an_idle_session_is_a_prompt() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hello"));
    let opal = Opal::start(&model).await;
    let steered = opal.steer("hello").await;
    assert!(steered.turn_id.is_some() && steered.message_id.is_none(), "{steered:?}");
    opal.editor.until(Some(&opal.session), 0, "agent_end", |_| true).await;
}

#[tokio::test]
async fn a_follow_up_waits_until_the_model_would_stop() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).tool("read", calls::read("a")));
    model.next(|t| t.text("First done."));
    model.next(|t| t.text("Second done."));
    let opal = Opal::start(&model).file("a", "one\n").await;
    let turn = opal.prompt("first").await;
    let message_id = opal.follow_up("second").await;
    gate.open();
    let applied = turn.until("message_applied").await;
    assert_eq!(applied["message_id"], message_id.as_str());
    assert_eq!(turn.end().await, "completed");
    assert!(!model.request(2).await.user_texts().iter().any(|text| text.contains("second")));
    assert!(model.request(3).await.user_texts().last().unwrap().contains("second"));
    let counts = ["agent_start", "turn_start", "turn_end", "agent_end"].map(|name| opal.editor.count(name));
    assert_eq!(counts, [1, 2, 2, 1]);
}

#[tokio::test]
async fn follow_ups_keep_their_order() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).text("0"));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("zero").await;
    for text in ["one", "two", "three"] {
        opal.follow_up(text).await;
        model.next(|t| t.text(text));
    }
    gate.open();
    assert_eq!(turn.end().await, "completed");
    let said = model.last_request().user_texts().join(" ");
    let places: Vec<_> =
        ["zero", "one", "two", "three"].iter().map(|text| said.find(text).unwrap()).collect();
    assert!(places.is_sorted(), "{said}");
}

#[tokio::test]
async fn a_follow_up_to_an_idle_session_begins_at_once() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hello"));
    let opal = Opal::start(&model).await;
    opal.follow_up("hello").await;
    opal.editor.until(Some(&opal.session), 0, "agent_end", |_| true).await;
    assert_eq!(model.n_requests(), 1);
}

#[tokio::test]
async fn what_is_queued_can_be_taken_back_once() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("first").await;
    let message_id = opal.follow_up("second").await;
    assert!(opal.cancel_queued(&message_id).await);
    assert!(!opal.cancel_queued(&message_id).await);
    turn.until("message_withdrawn").await;
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(model.n_requests(), 1);
    assert!(!opal.cancel_queued("nothing").await);
}

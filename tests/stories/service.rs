//! The model's service, on bad days.

use std::time::Duration;

use replay::Step;
use tests::{FakeModel, Opal, calls};

#[tokio::test]
async fn the_connection_is_refused() {
    let model = FakeModel::start().await;
    // Port 1 of loopback: nobody listens there.
    let opal = Opal::start(&model).base_url("http://127.0.0.1:1/v1").fast_retries().await;
    assert_eq!(opal.run("hello").await, "error");
    assert_eq!(opal.editor.count("retry"), 3);
    assert_eq!(opal.editor.count("error"), 1);
    let error = opal.editor.until(None, 0, "error", |_| true).await;
    assert!(error["message"].as_str().unwrap().contains("fake"), "{}", error.params);
}

/// A refusal that no retry can help.
async fn ends(status: u16) {
    let model = FakeModel::start().await;
    model.next(|t| t.status(status));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "error");
    assert_eq!(
        (opal.editor.count("retry"), opal.editor.count("error"), model.n_requests()),
        (0, 1, 1),
        "{status}"
    );
    let error = opal.editor.until(None, 0, "error", |_| true).await;
    assert!(error["message"].as_str().unwrap().contains(&format!("scripted {status}")), "{}", error.params);
    model.next(|t| t.text("Here again."));
    assert_eq!(opal.run("again").await, "completed");
}

#[tokio::test]
async fn refusals_that_no_retry_can_help() {
    for status in [400, 401, 402, 403] {
        ends(status).await;
    }
}

#[tokio::test]
async fn refusals_that_pass() {
    for status in [429, 500, 502, 503, 529] {
        let model = FakeModel::start().await;
        model.next(|t| t.status(status));
        model.next(|t| t.text("Here again."));
        let opal = Opal::start(&model).fast_retries().await;
        assert_eq!(opal.run("hello").await, "completed", "{status}");
        assert_eq!((opal.editor.count("retry"), model.n_requests()), (1, 2), "{status}");
    }
}

#[tokio::test]
async fn a_service_that_stays_down() {
    let model = FakeModel::start().await;
    model.always(|t| t.status(500));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "error");
    assert_eq!((opal.editor.count("retry"), model.n_requests()), (3, 4));
}

#[tokio::test]
async fn the_service_names_the_pause() {
    let model = FakeModel::start().await;
    model.next(|t| t.status(429).retry_after("1"));
    model.next(|t| t.text("Here again."));
    let opal = Opal::start(&model).slow_retries().await;
    let turn = opal.prompt("hello").await;
    let retry = turn.until("retry").await;
    assert_eq!(retry["delay_ms"], 1000);
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
async fn a_pause_that_is_too_long_ends_the_turn() {
    let model = FakeModel::start().await;
    model.next(|t| t.status(429).retry_after("3600"));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "error");
    assert_eq!((opal.editor.count("retry"), model.n_requests()), (0, 1));
    let error = opal.editor.until(None, 0, "error", |_| true).await;
    assert!(error["message"].as_str().unwrap().contains("asks to wait 1 h"), "{}", error.params);
}

#[tokio::test]
async fn a_page_for_humans() {
    for status in [200, 404, 502] {
        let model = FakeModel::start().await;
        model.always(|t| t.html(status));
        let opal = Opal::start(&model).fast_retries().await;
        assert_eq!(opal.run("hello").await, "error", "{status}");
        assert_eq!(opal.editor.count("error"), 1);
        let error = opal.editor.until(None, 0, "error", |_| true).await;
        assert!(!error.params.to_string().contains("<body>"), "{}", error.params);
    }
}

#[tokio::test]
async fn half_a_stream() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("half an ans").cut());
    model.next(|t| t.text("a whole answer"));
    let opal = Opal::start(&model).fast_retries().await;
    let turn = opal.prompt("hello").await;
    let voided = turn.until("message_start").await["message_id"].clone();
    let retry = turn.until("retry").await;
    assert_eq!(retry["message_id"], voided);
    let end = turn.until("message_end").await;
    assert_eq!(end["text"], "a whole answer");
    assert_ne!(end["message_id"], voided);
    assert_eq!(turn.end().await, "completed");
    assert_eq!(model.request(2).await.input().len(), model.request(1).await.input().len());
}

#[tokio::test]
async fn calls_of_half_a_stream_do_not_run() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")).text("and").cut());
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").fast_retries().await;
    assert_eq!(opal.run("hello").await, "completed");
    assert!(!opal.has_file("ran"));
    assert_eq!(opal.editor.count("tool_execution_start"), 0);
}

#[tokio::test]
async fn a_stream_that_ends_without_its_last_event() {
    let model = FakeModel::start().await;
    let event =
        r#"data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hm"}"#;
    model.next(|t| t.body(vec![Step::from(format!("{event}\n\n"))]));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(opal.editor.count("retry"), 1);
}

#[tokio::test]
async fn a_stream_of_nonsense() {
    let model = FakeModel::start().await;
    model.next(|t| t.body(vec![Step::from("data: {broken\n\ndata: [DONE]\n\nevent: \u{0}\n\n")]));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "completed");
}

#[tokio::test]
async fn it_fails_within_the_stream() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Let me").failed("server_error", "something broke"));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).fast_retries().await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(opal.editor.count("retry"), 1);
}

#[tokio::test]
async fn nothing_comes_for_a_long_time() {
    let model = FakeModel::start().await;
    model.next(|t| t.silent());
    model.next(|t| t.text("half").hang());
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).fast_retries().model_silence(Duration::from_millis(300)).await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(opal.editor.count("retry"), 2);
    model.closed(2).await;
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").await;
    for _ in 0..5 {
        model.next(|t| t.tool("read", calls::read("a")));
        model.next(|t| t.text("Seen."));
        assert_eq!(opal.run("read").await, "completed");
    }
    assert_eq!(model.n_requests(), 10);
    // Now and then the next request is quicker than the return of the connection to its pool.
    assert!(model.n_connections() <= 2, "{}", model.n_connections());
}

//! Whole requests in the further families, against the services' own streams.

use super::*;
use crate::{KeyHeader, ThinkingLevel};

type Connect = fn(Endpoint, Timeouts) -> Result<Arc<dyn Provider>, ConfigError>;

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/", $name, ".sse"))
    };
}

fn stream(text: &str) -> Reply {
    Reply::stream(vec![Step::from(text.to_owned())])
}

/// The stream up to this text, and then nothing more.
fn cut(stream: &str, at: &str) -> Reply {
    let end = stream.find(at).unwrap();
    Reply::stream(vec![Step::from(stream[..end].to_owned()), Step::Cut])
}

/// What is sent for one prompt, but for its body, and what comes back.
async fn told(connect: Connect, reply: Reply) -> String {
    let seen = Arc::new(Mutex::new(String::new()));
    let keep = seen.clone();
    let server = Server::start(move |received: Received| {
        let headers = ["authorization", "x-api-key", "anthropic-version"];
        let sent = headers.iter().filter_map(|name| Some(format!(" {name}={}", received.header(name)?)));
        assert_eq!(received.json()["stream"], true);
        keep.lock().unwrap().push_str(&format!("{}{}\n", received.path, sent.collect::<String>()));
        reply.clone()
    })
    .unwrap();
    let timeouts =
        Timeouts { connect: LONG, headers: LONG, local_headers: LONG, idle: LONG, ..Timeouts::default() };
    let provider = connect(endpoint(&format!("{}/v1", server.url())), timeouts).unwrap();
    let request = Request { thinking: Some(ThinkingLevel::Low), ..prompt() };
    let batches: Vec<_> = provider.answer(request).collect().await;
    let mut lines = std::mem::take(&mut *seen.lock().unwrap());
    for batch in batches {
        for event in batch.as_deref().unwrap_or_default() {
            match event {
                AnswerEvent::Started | AnswerEvent::TextDelta(_) | AnswerEvent::ThinkingDelta(_) => {}
                AnswerEvent::ThinkingEnd(text) => lines += &format!("thinking {text}\n"),
                AnswerEvent::Finished(answer) => {
                    lines += &format!("{:?} {}\n", answer.stop, answer.text().replace('\n', " "));
                    answer
                        .tool_calls()
                        .for_each(|call| lines += &format!("{} {}\n", call.name, call.arguments));
                    lines += &format!("{} tokens\n", answer.usage.map_or(0, |usage| usage.total));
                }
            }
        }
        if let Err(error) = batch {
            let retry = if error.is_retryable() { ", retryable" } else { "" };
            let pause = error.retry_after().map(|pause| format!(" after {} s", pause.as_secs()));
            lines += &format!("{}: {error}{retry}{}\n", error.code(), pause.unwrap_or_default());
        }
    }
    lines
}

#[tokio::test]
async fn a_day_with_chat_completions() {
    let overflow = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens";
    let overflow =
        format!(r#"{{"object":"error","message":"{overflow}","type":"BadRequestError","code":400}}"#);
    let whole = r#"{"choices":[{"message":{"content":"Whole."},"finish_reason":"stop"}]}"#;
    let mut lines = String::new();
    for reply in [
        stream(recorded!("chat_text")),
        stream(recorded!("chat_tool_calls")),
        stream(recorded!("chat_ollama_tool")),
        stream(recorded!("chat_reasoning_content")),
        stream(recorded!("chat_error_midstream")),
        cut(recorded!("chat_tool_calls"), "call_sh02"),
        // All of the answer is there.
        cut(recorded!("chat_text"), r#""usage":{"#),
        Reply::json(200, whole),
        Reply::json(400, overflow),
        Reply::json(429, r#"{"error":{"message":"Slow down","code":429}}"#).header("retry-after", "7"),
        Reply::json(503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#),
    ] {
        lines += &told(crate::chat, reply).await;
    }
    expect![[r#"
        /v1/chat/completions authorization=Bearer sk-very-secret
        Stop Two tests fail: `utf8_bom` and `crlf` – both in `sse.rs`.
        754 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        ToolUse Looking.
        list_dir {"path":"crates"}
        shell {"command":"git status --short","timeout_ms":5000}
        1549 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        thinking The user wants two lookups.
        ToolUse 
        read_file {"path":"README.md"}
        list_dir {}
        449 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        thinking Compare both versions.
        Stop Use 0.12 (newer).
        243 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        server: work failed: Provider disconnected unexpectedly, retryable
        /v1/chat/completions authorization=Bearer sk-very-secret
        cut: the connection to work broke: the connection was lost before the answer was complete: connection closed, retryable
        /v1/chat/completions authorization=Bearer sk-very-secret
        Stop Two tests fail: `utf8_bom` and `crlf` – both in `sse.rs`.
        0 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        Stop Whole.
        0 tokens
        /v1/chat/completions authorization=Bearer sk-very-secret
        context_overflow: the conversation is too long for gpt-5: This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (HTTP 400 Bad Request)
        /v1/chat/completions authorization=Bearer sk-very-secret
        rate_limited: work is limiting requests: Slow down (HTTP 429 Too Many Requests), retryable after 7 s
        /v1/chat/completions authorization=Bearer sk-very-secret
        server: work failed: Loading model (HTTP 503 Service Unavailable), retryable
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn a_day_with_messages() {
    let error = |kind: &str, message: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"r"}}"#)
    };
    let mut lines = String::new();
    for reply in [
        stream(recorded!("anthropic_text_thinking_tool")),
        stream(recorded!("anthropic_overloaded")),
        cut(recorded!("anthropic_text_thinking_tool"), "event: message_delta"),
        // All of the answer is there.
        cut(recorded!("anthropic_text_thinking_tool"), "event: message_stop"),
        Reply::json(400, error("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum")),
        Reply::json(401, error("authentication_error", "invalid x-api-key sk-very-secret")),
        Reply::json(429, error("rate_limit_error", "Slow down")).header("retry-after", "7"),
        Reply::json(529, error("overloaded_error", "Overloaded")).header("x-should-retry", "true"),
    ] {
        lines += &told(crate::anthropic, reply).await;
    }
    expect![[r#"
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        thinking The failing test is in sse.rs. I should open it.
        ToolUse I will open the failing test.
        read_file {"path": "src/sse.rs", "limit": 200}
        8940 tokens
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        server: work failed: Overloaded, retryable
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        thinking The failing test is in sse.rs. I should open it.
        cut: the connection to work broke: the connection was lost before the answer was complete: connection closed, retryable
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        thinking The failing test is in sse.rs. I should open it.
        ToolUse I will open the failing test.
        read_file {"path": "src/sse.rs", "limit": 200}
        8940 tokens
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        context_overflow: the conversation is too long for gpt-5: prompt is too long: 2 tokens > 1 maximum (HTTP 400 Bad Request)
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        unauthorized: work rejected the credentials: invalid x-api-key *** (HTTP 401 Unauthorized)
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        rate_limited: work is limiting requests: Slow down (HTTP 429 Too Many Requests), retryable after 7 s
        /v1/messages x-api-key=sk-very-secret anthropic-version=2023-06-01
        server: work failed: Overloaded (HTTP 529), retryable
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn a_key_goes_where_the_endpoint_says() {
    let bearer: Connect = |endpoint, timeouts| {
        crate::anthropic(Endpoint { key_header: Some(KeyHeader::Bearer), ..endpoint }, timeouts)
    };
    let lines = told(bearer, stream(recorded!("anthropic_overloaded"))).await;
    assert!(lines.contains(" authorization=Bearer sk-very-secret anthropic-version="), "{lines}");
    let own: Connect = |endpoint, timeouts| {
        crate::anthropic(
            Endpoint { headers: vec![("X-API-Key".into(), "other".into())], ..endpoint },
            timeouts,
        )
    };
    let lines = told(own, stream(recorded!("anthropic_overloaded"))).await;
    assert!(lines.contains(" x-api-key=other"), "{lines}");
}

/// What one family thought and called, another is told in its own way.
#[tokio::test]
async fn a_conversation_goes_on_in_another_family() {
    let families: [(Connect, &str); 3] = [
        (crate::anthropic, recorded!("anthropic_text_thinking_tool")),
        (crate::chat, recorded!("chat_ollama_tool")),
        (crate::responses, recorded!("responses_reasoning_then_tool_calls")),
    ];
    let signs = |sent: &str| {
        let signs =
            [("anthropic", "FixtureSignature"), ("chat", "two lookups"), ("responses", "REASONINGblob")];
        signs
            .iter()
            .filter(|(_, sign)| sent.contains(sign))
            .map(|(family, _)| format!(" {family}"))
            .collect::<String>()
    };
    let mut items = vec![Arc::new(Item::user("Go."))];
    let (mut ids, mut shown) = (Vec::<String>::new(), String::new());
    for (connect, reply) in families.into_iter().chain(families) {
        let last = Arc::new(Mutex::new(String::new()));
        let keep = last.clone();
        let server = Server::start(move |received: Received| {
            *keep.lock().unwrap() = received.json().to_string();
            stream(reply)
        })
        .unwrap();
        let provider = connect(endpoint(&server.url()), Timeouts::default()).unwrap();
        let mut answer =
            ask(&provider, Request { model: "m".into(), ..request(items.clone()) }).await.unwrap();
        // The same name and model throughout, as a gateway may have them.
        answer.model = "m".into();
        let sent = last.lock().unwrap().clone();
        // Every call of before with its result, and no thinking of another family.
        assert_eq!(sent.matches("Done with it.").count(), ids.len(), "{sent}");
        assert!(ids.iter().all(|id| sent.matches(id.as_str()).count() == 2), "{sent}");
        shown += &format!("{} items, thinking of:{}\n", items.len(), signs(&sent));
        let calls: Vec<_> = answer.tool_calls().map(|call| call.call_id.clone()).collect();
        items.push(Arc::new(Item::new(ItemKind::Assistant(answer))));
        for call_id in calls {
            assert!(!ids.contains(&call_id), "{call_id} again");
            ids.push(call_id.clone());
            let output = vec![crate::Part::Text("Done with it.".into())];
            items.push(Arc::new(Item::new(ItemKind::ToolResult { call_id, output })));
        }
    }
    expect![[r#"
        1 items, thinking of:
        3 items, thinking of:
        6 items, thinking of:
        9 items, thinking of: anthropic
        11 items, thinking of: chat
        14 items, thinking of: responses
    "#]]
    .assert_eq(&shown);
}

/// What some servers make of a conversation that does not fit, in each family.
#[tokio::test]
async fn a_prompt_that_leaves_no_room_is_an_overflow() {
    let chat = r#"{"choices":[{"message":{"content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":4095,"completion_tokens":0}}"#;
    let responses = r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":{"input_tokens":4095,"output_tokens":0}}"#;
    let anthropic = r#"{"type":"message","content":[],"stop_reason":"max_tokens","usage":{"input_tokens":4095,"output_tokens":0}}"#;
    let families: [(Connect, &str); 3] =
        [(crate::chat, chat), (crate::responses, responses), (crate::anthropic, anthropic)];
    for (connect, body) in families {
        let server = Server::start(move |_| Reply::json(200, body)).unwrap();
        let provider = connect(endpoint(&server.url()), Timeouts::default()).unwrap();
        for (window, code) in [(Some(4096), Some("context_overflow")), (Some(8192), None), (None, None)] {
            let answer = ask(&provider, Request { context_window: window, ..prompt() }).await;
            assert_eq!(answer.as_ref().err().map(ProviderError::code), code, "{answer:?}");
        }
    }
}

/// An answer whose connection stays open behind it, with this coming again and again.
async fn check_ending(connect: Connect, answer: String, heartbeat: &'static str) {
    let server = Server::start(move |_| {
        let mut steps = vec![Step::from(answer.clone())];
        for _ in 0..1000 {
            steps.extend([Step::from(heartbeat), Step::Pause(Duration::from_millis(10))]);
        }
        steps.push(Step::Hang);
        Reply::stream(steps)
    })
    .unwrap();
    let timeouts = Timeouts {
        connect: LONG,
        headers: LONG,
        local_headers: LONG,
        idle: LONG,
        ending: Duration::from_millis(100),
        ..Timeouts::default()
    };
    let provider = connect(endpoint(&format!("{}/v1", server.url())), timeouts).unwrap();
    let answered = tokio::time::timeout(LONG / 2, ask(&provider, prompt())).await;
    assert_eq!(answered.expect("the answer is whole").unwrap().text(), "Hi.", "{heartbeat:?}");
    // Nobody waits for what else it says.
    tokio::time::timeout(LONG, server.closed(1)).await.expect("the connection is of no more use");
}

#[tokio::test]
async fn an_answer_is_whole_though_its_connection_stays_open() {
    let chat = concat!(
        r#"data: {"choices":[{"delta":{"content":"Hi."}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        "\n\n"
    );
    let empty = "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    for heartbeat in ["", ": still here\n\n", "data: {\"choices\":[]}\n\n", empty] {
        check_ending(crate::chat, chat.to_owned(), heartbeat).await;
    }
    let begin =
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi."}}"#;
    let stop = r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    for heartbeat in ["", "data: {\"type\":\"ping\"}\n\n"] {
        check_ending(crate::anthropic, format!("{begin}\n\n{stop}\n\n"), heartbeat).await;
    }
    let responses = Recording::new("gpt-5").text("Hi.").sse();
    check_ending(crate::responses, responses, ": still here\n\n").await;
}

#[tokio::test]
async fn a_reason_that_is_no_end_ends_nothing() {
    let chunk = |content: &str| {
        let choice = format!(r#"{{"delta":{{"content":"{content}"}},"finish_reason":"stop"}}"#);
        format!("data: {{\"choices\":[{choice}]}}\n\n")
    };
    let gate = Arc::new(Notify::new());
    let open = gate.clone();
    let server = Server::start(move |_| {
        Reply::stream(vec![
            Step::from(chunk("A") + &chunk("B")),
            Step::Wait(gate.clone()),
            Step::from(chunk("C") + "data: [DONE]\n\n"),
        ])
    })
    .unwrap();
    let timeouts = Timeouts {
        connect: LONG,
        local_headers: LONG,
        idle: LONG,
        ending: Duration::from_millis(1),
        ..Timeouts::default()
    };
    let mut answer = crate::chat(endpoint(&server.url()), timeouts).unwrap().answer(prompt());
    answer.next().await.unwrap().unwrap();
    let rest = tokio::time::timeout(Duration::from_millis(100), answer.next()).await;
    assert!(rest.is_err(), "{rest:?}");
    open.notify_one();
    let rest = answer.next().await.unwrap().unwrap();
    assert!(matches!(rest.last(), Some(AnswerEvent::Finished(answer)) if answer.text() == "ABC"), "{rest:?}");
}

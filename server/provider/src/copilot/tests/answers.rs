//! Answers through each API, and what goes along with a request.

use expect_test::expect;
use replay::Step;

use super::*;
use crate::{Block, Initiator, Item, ItemKind, Part, ThinkingLevel};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/", $name))
    };
}

fn stream(text: &str) -> Reply {
    Reply::stream(vec![text.to_owned().into()])
}

/// A GitHub with the recorded models, which answer with the recorded streams.
fn recorded(received: &Received, nth: usize) -> Reply {
    match received.path.as_str() {
        EXCHANGE => token(nth + 1),
        "/models" => Reply::json(200, recorded!("copilot_models.json")),
        "/responses" => stream(recorded!("responses_copilot_rotating_ids.sse")),
        "/v1/messages" => stream(recorded!("anthropic_text_thinking_tool.sse")),
        "/chat/completions" => stream(recorded!("chat_tool_calls.sse")),
        _ => Reply::new(404, "text/plain", "no such path"),
    }
}

fn with_model(model: &str) -> Request {
    Request { model: model.into(), ..prompt() }
}

/// The headers of a request that are not the same with every server.
fn sent(received: &Received) -> String {
    let plain = ["host", "content-length", "accept-encoding"];
    let mut headers: Vec<_> = received
        .headers
        .iter()
        .filter(|(name, _)| !plain.contains(&name.as_str()))
        .map(|(name, value)| match name.as_str() {
            "x-request-id" => format!("  {name}: a UUID of {} characters\n", value.len()),
            _ => format!("  {name}: {}\n", value.replace(env!("CARGO_PKG_VERSION"), "VERSION")),
        })
        .collect();
    headers.sort();
    format!("{} {}\n{}", received.method, received.path, headers.concat())
}

#[tokio::test]
async fn what_is_sent() {
    let hub = Hub::start(recorded);
    let model = "claude-sonnet-4.5";
    hub.ask(Request { thinking: Some(ThinkingLevel::High), ..with_model(model) }).await.unwrap();
    let log = std::mem::take(&mut *hub.log.lock().unwrap());
    expect![[r#"
        GET /copilot_internal/v2/token
          accept: application/json
          authorization: Bearer ghu_VerySecret0000
          content-type: application/json
          copilot-integration-id: vscode-chat
          editor-plugin-version: opal/VERSION
          editor-version: Neovim/0.11.0
          user-agent: opal/VERSION
          x-github-api-version: 2025-04-01
        GET /models
          accept: application/json
          authorization: Bearer tid=secret1;exp=1;proxy-ep=proxy.individual.githubcopilot.com:mac
          content-type: application/json
          copilot-integration-id: vscode-chat
          editor-plugin-version: opal/VERSION
          editor-version: Neovim/0.11.0
          user-agent: opal/VERSION
          x-github-api-version: 2025-04-01
        POST /v1/messages
          accept: text/event-stream
          anthropic-beta: interleaved-thinking-2025-05-14
          anthropic-version: 2023-06-01
          authorization: Bearer tid=secret1;exp=1;proxy-ep=proxy.individual.githubcopilot.com:mac
          content-type: application/json
          copilot-integration-id: vscode-chat
          editor-plugin-version: opal/VERSION
          editor-version: Neovim/0.11.0
          openai-intent: conversation-edits
          user-agent: opal/VERSION
          x-github-api-version: 2025-04-01
          x-initiator: user
          x-request-id: a UUID of 36 characters
    "#]]
    .assert_eq(&log.iter().map(sent).collect::<String>());
}

#[tokio::test]
async fn each_model_through_its_api() {
    let hub = Hub::start(recorded);
    let mut shown = String::new();
    for model in [
        "gpt-5.4",
        "gpt-5-mini",
        "claude-sonnet-4.5",
        "gemini-3-pro-preview",
        "gpt-4.1",
        "gpt-3.5-turbo",
        "gpt-7",
        "claude-9",
    ] {
        let request = Request {
            thinking: Some(ThinkingLevel::Max),
            max_output_tokens: Some(500_000),
            ..with_model(model)
        };
        let answer = hub.ask(request).await.unwrap();
        let last = hub.last();
        let body = last.json();
        let asked = [
            "reasoning",
            "reasoning_effort",
            "thinking",
            "max_tokens",
            "max_output_tokens",
            "max_completion_tokens",
        ];
        let asked = asked.iter().filter_map(|field| Some(format!(" {field}={}", body.get(*field)?)));
        let calls: Vec<_> = answer.tool_calls().map(|call| call.name.as_str()).collect();
        shown +=
            &format!("{model}: {}{}; {} {calls:?}\n", last.path, asked.collect::<String>(), answer.text());
    }
    expect![[r#"
        gpt-5.4: /responses reasoning={"effort":"xhigh","summary":"auto"}; Checking `Cargo.toml` first. ["read_file"]
        gpt-5-mini: /responses reasoning={"effort":"xhigh","summary":"auto"}; Checking `Cargo.toml` first. ["read_file"]
        claude-sonnet-4.5: /v1/messages thinking={"budget_tokens":30976,"type":"enabled"} max_tokens=32000; I will open the failing test. ["read_file"]
        gemini-3-pro-preview: /chat/completions max_tokens=64000; Looking. ["list_dir", "shell"]
        gpt-4.1: /chat/completions max_tokens=16384; Looking. ["list_dir", "shell"]
        gpt-3.5-turbo: /chat/completions max_tokens=4096; Looking. ["list_dir", "shell"]
        gpt-7: /responses reasoning={"effort":"max","summary":"auto"} max_output_tokens=500000; Checking `Cargo.toml` first. ["read_file"]
        claude-9: /v1/messages thinking={"display":"summarized","type":"adaptive"} max_tokens=500000; I will open the failing test. ["read_file"]
    "#]].assert_eq(&shown);
    assert_eq!((hub.count(EXCHANGE), hub.count("/models")), (1, 1));
}

#[tokio::test]
async fn who_asks_and_with_images() {
    let hub = Hub::start(good);
    let image = || Part::Image { mime_type: "image/png".into(), data: "aGk=".into() };
    let call = crate::samples::answer_of("other", vec![crate::samples::call("c1")]);
    let result = |output| Item::new(ItemKind::ToolResult { call_id: "c1".into(), output });
    let user = |parts| Item::new(ItemKind::User { parts });
    let text = || Part::Text("Look.".into());
    let mut ids = std::collections::HashSet::new();
    for (initiator, items, expected) in [
        (Initiator::User, vec![user(vec![text()])], ("user", None)),
        (Initiator::Agent, vec![user(vec![text()])], ("agent", None)),
        (Initiator::User, vec![user(vec![text(), image()])], ("user", Some("true"))),
        (Initiator::Agent, vec![user(vec![text()]), call, result(vec![image()])], ("agent", Some("true"))),
    ] {
        let items = items.into_iter().map(Arc::new).collect();
        hub.ask(Request { initiator, ..request(items) }).await.unwrap();
        let last = hub.last();
        let seen = (last.header("x-initiator").unwrap(), last.header("copilot-vision-request"));
        assert_eq!(seen, expected);
        assert!(ids.insert(last.header("x-request-id").unwrap().to_owned()), "the same id twice");
    }
}

#[tokio::test]
async fn the_other_api_is_tried_once_and_remembered() {
    let wrong = || error(400, "model \"m\" is not accessible via this endpoint", "unsupported_api_for_model");
    for (model, listed_as, answers_at, paths) in [
        ("gpt-5", "/chat/completions", "/responses", ["/chat/completions", "/responses", "/responses"]),
        (
            "gpt-5",
            "/responses",
            "/chat/completions",
            ["/responses", "/chat/completions", "/chat/completions"],
        ),
        (
            "claude-5",
            "/chat/completions",
            "/v1/messages",
            ["/chat/completions", "/v1/messages", "/v1/messages"],
        ),
        (
            "claude-5",
            "/v1/messages",
            "/chat/completions",
            ["/v1/messages", "/chat/completions", "/chat/completions"],
        ),
    ] {
        let hub = Hub::start(move |received, nth| match received.path.as_str() {
            EXCHANGE => token(nth + 1),
            "/models" => listed(&[(model, listed_as)]),
            path if path == answers_at => match path {
                "/responses" => hello(),
                "/v1/messages" => stream(recorded!("anthropic_text_thinking_tool.sse")),
                _ => stream(recorded!("chat_text.sse")),
            },
            _ => wrong(),
        });
        hub.ask(with_model(model)).await.unwrap();
        hub.ask(with_model(model)).await.unwrap();
        assert_eq!(hub.paths()[2..], paths);
    }
    let hub = Hub::start(move |received, nth| match received.path.as_str() {
        EXCHANGE | "/models" => good(received, nth),
        _ => wrong(),
    });
    assert_eq!(hub.ask(prompt()).await.unwrap_err().code(), "wrong_api");
    assert_eq!(hub.paths(), [EXCHANGE, "/models", "/responses", "/chat/completions"]);
}

#[tokio::test]
async fn without_a_list_the_name_has_to_do() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/models" => Reply::new(500, "text/plain", "oops"),
        _ => recorded(received, nth),
    });
    for model in ["gpt-5.4", "claude-sonnet-4.5", "gpt-4.1"] {
        hub.ask(with_model(model)).await.unwrap();
    }
    // Not with each request.
    assert_eq!(hub.paths(), [EXCHANGE, "/models", "/responses", "/v1/messages", "/chat/completions"]);
    assert_eq!(hub.copilot.models().await.unwrap_err().code(), "server");
    hub.clock.pass(Duration::from_secs(61));
    hub.ask(with_model("gpt-5.4")).await.unwrap();
    assert_eq!(hub.paths(), ["/models", "/responses"]);
}

#[tokio::test]
async fn the_list_is_kept_for_ten_minutes_and_when_it_cannot_be_read() {
    let hub = Hub::start(|received, nth| match (received.path.as_str(), nth) {
        ("/models", 1) => Reply::new(429, "text/plain", "slow down"),
        _ => recorded(received, nth),
    });
    let n_models = async || hub.copilot.models().await.unwrap().len();
    assert_eq!(n_models().await, 8);
    hub.clock.pass(Duration::from_secs(599));
    assert_eq!((n_models().await, hub.count("/models")), (8, 1));
    hub.clock.pass(Duration::from_secs(2));
    assert_eq!((n_models().await, hub.count("/models")), (8, 2));
    assert_eq!((n_models().await, hub.count("/models")), (8, 2));
    hub.clock.pass(Duration::from_secs(61));
    assert_eq!((n_models().await, hub.count("/models")), (8, 3));
}

#[tokio::test]
async fn no_answer_waits_for_a_newer_list() {
    let hub = Hub::start(|received, nth| match (received.path.as_str(), nth) {
        ("/models", 1) => Reply::stream(vec![Step::Hang]),
        _ => recorded(received, nth),
    });
    hub.ask(with_model("gpt-4.1")).await.unwrap();
    hub.clock.pass(Duration::from_secs(601));
    hub.ask(with_model("gpt-4.1")).await.unwrap();
    hub.server.received(5).await;
    assert_eq!((hub.count("/models"), hub.count("/chat/completions")), (2, 2));
}

#[tokio::test]
async fn fifty_callers_read_the_list_once() {
    let hub = Hub::start(recorded);
    let lists = futures::future::join_all((0..50).map(|_| hub.copilot.models())).await;
    assert!(lists.into_iter().all(|list| list.unwrap().len() == 8));
    assert_eq!(hub.paths(), [EXCHANGE, "/models"]);
}

#[tokio::test]
async fn the_path_of_responses_is_a_setting() {
    let hub = Hub::with(
        |config| config.responses_path = "/v1/responses".into(),
        |received, nth| match received.path.as_str() {
            "/v1/responses" => hello(),
            _ => good(received, nth),
        },
    );
    assert_eq!(hub.told().await, "Hello there.");
}

/// Thinking goes back to the account and the model it came from, word for word, and nowhere else.
#[tokio::test]
async fn thinking_goes_back_to_its_account_only() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/models" => listed(&[("gpt-5", "/responses"), ("gpt-5.4", "/responses")]),
        "/responses" => stream(recorded!("responses_copilot_rotating_ids.sse")),
        _ => good(received, nth),
    });
    let answer = hub.ask(with_model("gpt-5.4")).await.unwrap();
    assert!(answer.provider.starts_with("copilot#") && answer.provider.len() == 16, "{}", answer.provider);
    let Some(Block::Thinking { replay: Some(replay), .. }) = answer.blocks.first() else { panic!() };
    let replay: serde_json::Value = serde_json::from_str(replay).unwrap();

    let model = answer.model.clone();
    let items = || -> Vec<Arc<Item>> {
        vec![Arc::new(Item::user("Go.")), Arc::new(Item::new(ItemKind::Assistant(answer.clone())))]
    };
    let reasoning = |received: &Received| -> Vec<serde_json::Value> {
        let body = received.json();
        let input = body["input"].as_array().unwrap().iter();
        assert!(input.clone().all(|item| item["type"] == "reasoning" || item.get("id").is_none()));
        input.filter(|item| item["type"] == "reasoning").cloned().collect()
    };
    hub.ask(Request { model: model.clone(), ..request(items()) }).await.unwrap();
    assert_eq!(reasoning(&hub.last()), [replay]);
    hub.ask(Request { model: "gpt-5".into(), ..request(items()) }).await.unwrap();
    assert_eq!(reasoning(&hub.last()).len(), 0);

    let config = config(&hub.server);
    let other = Copilot::new(config, Secret::new("ghu_of_another_account"), timeouts()).unwrap();
    let other: Arc<dyn Provider> = Arc::new(other);
    ask(&other, Request { model, ..request(items()) }).await.unwrap();
    assert_eq!(reasoning(&hub.last()).len(), 0);
}

#[tokio::test]
async fn a_model_that_does_not_stream_is_not_asked_to() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/models" => Reply::json(
            200,
            json!({ "data": [{ "id": "old", "capabilities": { "supports": { "streaming": false } } }] })
                .to_string(),
        ),
        "/chat/completions" => {
            let body = received.json();
            assert_eq!((&body["stream"], &body["stream_options"]), (&json!(false), &json!(null)));
            assert_eq!(received.header("accept"), Some("application/json"));
            let message = json!({ "role": "assistant", "content": "Hello as a whole." });
            let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
            Reply::json(200, json!({ "id": "1", "model": "old", "choices": [choice] }).to_string())
        }
        _ => good(received, nth),
    });
    assert_eq!(hub.ask(with_model("old")).await.unwrap().text(), "Hello as a whole.");
}

#[tokio::test]
async fn refused_thinking_is_left_out_and_no_token_is_exchanged() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/responses" if received.json().to_string().contains("encrypted_content\":\"") => {
            error(401, "input item ID does not belong to this connection", "")
        }
        _ => good(received, nth),
    });
    let origin = hub.copilot.inner.credentials.origin.clone();
    let thought = crate::samples::thought(
        r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"blob"}"#,
    );
    let earlier = crate::samples::answer_of(&origin, vec![thought, crate::samples::said("Hi.")]);
    let items = vec![Arc::new(Item::user("Go.")), Arc::new(earlier), Arc::new(Item::user("On."))];
    assert_eq!(hub.ask(request(items)).await.unwrap().text(), "Hello there.");
    assert_eq!(hub.paths(), [EXCHANGE, "/models", "/responses", "/responses"]);
}

#[tokio::test]
async fn a_stream_that_is_cut_is_told_as_such() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/responses" => Recording::new("gpt-5").text("One.").cut().reply(),
        _ => good(received, nth),
    });
    assert_eq!(hub.ask(prompt()).await.unwrap_err().code(), "cut");
    assert_eq!(hub.count("/responses"), 1);
}

//! Whole requests over a real socket, against a server that does as it is told.

mod families;

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};
use futures::StreamExt;
use replay::{Received, Recording, Reply, Server, Step};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    Answer, AnswerEvent, Block, ConfigError, Endpoint, Initiator, Item, ItemKind, Part, Provider,
    ProviderError, Request, Secret, StopReason, Timeouts,
};

/// Long enough for a busy machine, short enough for a test that fails.
pub(crate) const LONG: Duration = Duration::from_secs(20);

fn endpoint(base_url: &str) -> Endpoint {
    Endpoint {
        name: "work".into(),
        base_url: base_url.into(),
        api_key: Some(Secret::new("sk-very-secret")),
        key_header: None,
        headers: vec![],
    }
}

fn provider_at(base_url: &str) -> Arc<dyn Provider> {
    let timeouts =
        Timeouts { connect: LONG, headers: LONG, local_headers: LONG, idle: LONG, ..Timeouts::default() };
    crate::responses(endpoint(base_url), timeouts).unwrap()
}

fn provider(server: &Server) -> Arc<dyn Provider> {
    provider_at(&format!("{}/v1/", server.url()))
}

pub(crate) fn request(items: Vec<Arc<Item>>) -> Request {
    Request {
        model: "gpt-5".into(),
        instructions: "Be brief.".into(),
        tools: [].into(),
        items: Arc::new(items),
        thinking: None,
        cache_key: "session".into(),
        max_output_tokens: None,
        context_window: None,
        images: None,
        streams: true,
        initiator: Initiator::User,
    }
}

pub(crate) fn prompt() -> Request {
    request(vec![Arc::new(Item::user("Hello?"))])
}

pub(crate) async fn ask(provider: &Arc<dyn Provider>, request: Request) -> Result<Answer, ProviderError> {
    let batches: Vec<_> = provider.answer(request).collect().await;
    let mut answer = None;
    for batch in batches {
        match batch?.pop() {
            Some(AnswerEvent::Finished(finished)) => answer = Some(*finished),
            Some(_) => {}
            None => panic!("an empty batch"),
        }
    }
    Ok(answer.expect("a stream ends with an answer or an error"))
}

pub(crate) fn hello() -> Reply {
    Recording::new("gpt-5").text("Hello there.").usage(10, 4, 3).reply()
}

/// What the caller is told when the service gives this reply.
async fn told(reply: Reply) -> String {
    let server = Server::start(move |_| reply.clone()).unwrap();
    let error = ask(&provider(&server), prompt()).await.unwrap_err();
    let pause = error.retry_after().map(|pause| format!(", again after {} ms", pause.as_millis()));
    let retryable = if error.is_retryable() { ", retryable" } else { "" };
    format!("{}: {error}{retryable}{}", error.code(), pause.unwrap_or_default())
}

async fn check_told(reply: Reply, shown: Expect) {
    shown.assert_eq(&told(reply).await);
}

#[tokio::test]
async fn a_request_and_its_answer() {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let server = Server::start(move |received| {
        *keep.lock().unwrap() = Some(received);
        hello()
    })
    .unwrap();
    let answer = ask(&provider(&server), prompt()).await.unwrap();
    assert_eq!(answer.text(), "Hello there.");
    assert_eq!((answer.provider.as_str(), answer.stop), ("work", StopReason::Stop));
    assert_eq!(answer.usage.unwrap().input_cached, 4);

    let received: Received = seen.lock().unwrap().take().unwrap();
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/v1/responses"));
    let header = |name| received.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("authorization"), "Bearer sk-very-secret");
    assert_eq!(header("accept"), "text/event-stream");
    assert_eq!(header("accept-encoding"), "identity");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("content-length"), received.body.len().to_string());
    assert_eq!(received.json()["input"][0]["content"][0]["text"], "Hello?");
}

#[tokio::test]
async fn one_connection_serves_all_requests() {
    let server = Server::start(|_| hello()).unwrap();
    let provider = provider(&server);
    for _ in 0..5 {
        ask(&provider, prompt()).await.unwrap();
    }
    assert_eq!((server.requests(), server.connections()), (5, 1));
}

#[tokio::test]
async fn nothing_is_sent_before_the_stream_is_polled() {
    let server = Server::start(|_| hello()).unwrap();
    drop(provider(&server).answer(prompt()));
    ask(&provider(&server), prompt()).await.unwrap();
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let server = Server::start(|_| Recording::new("gpt-5").text("Wait").hang().reply()).unwrap();
    let mut answer = provider(&server).answer(prompt());
    let first = answer.next().await.unwrap().unwrap();
    assert_eq!(first.last(), Some(&AnswerEvent::TextDelta("Wait".into())));
    drop(answer);
    tokio::time::timeout(LONG, server.closed(1)).await.unwrap();
}

#[tokio::test]
async fn dropping_the_stream_before_the_answer_begins_closes_it_too() {
    let gate = Arc::new(Notify::new());
    let server = Server::start(move |_| Reply::stream(vec![Step::Wait(gate.clone())])).unwrap();
    let mut answer = provider(&server).answer(prompt());
    tokio::select! {
        _ = answer.next() => panic!("nothing was sent"),
        () = server.received(1) => {}
    }
    drop(answer);
    tokio::time::timeout(LONG, server.closed(1)).await.unwrap();
}

#[tokio::test]
async fn what_has_come_is_handed_out_at_once_and_in_one_batch() {
    let gate = Arc::new(Notify::new());
    let open = gate.clone();
    let server = Server::start(move |_| {
        let stream = Recording::new("gpt-5").text("One two three.").sse();
        let half = stream.find("three").unwrap();
        let half = stream[..half].rfind("event:").unwrap();
        let (head, tail) = stream.split_at(half);
        Reply::stream(vec![
            Step::from(head.to_owned()),
            Step::Wait(gate.clone()),
            Step::from(tail.to_owned()),
        ])
    })
    .unwrap();
    let mut answer = provider(&server).answer(prompt());
    let first = answer.next().await.unwrap().unwrap();
    let delta = |text: &str| AnswerEvent::TextDelta(text.into());
    assert_eq!(first, [AnswerEvent::Started, delta("One "), delta("two ")]);
    open.notify_one();
    let second = answer.next().await.unwrap().unwrap();
    assert_eq!(second.len(), 2);
    assert_eq!(second[0], delta("three."));
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn silence_ends_with_an_error() {
    let server = Server::start(|_| Recording::new("gpt-5").text("Wait").hang().reply()).unwrap();
    let timeouts = Timeouts { idle: Duration::from_millis(50), ..Timeouts::default() };
    let provider = crate::responses(endpoint(&server.url()), timeouts).unwrap();
    let error = ask(&provider, prompt()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Idle { .. }) && error.is_retryable(), "{error:?}");
    tokio::time::timeout(LONG, server.closed(1)).await.unwrap();
}

#[tokio::test]
async fn silence_before_the_headers_ends_too() {
    // A socket that accepts and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let short = Duration::from_millis(250);
    let timeouts = Timeouts { connect: short, local_headers: short, ..Timeouts::default() };
    let error = ask(&crate::responses(endpoint(&url), timeouts).unwrap(), prompt()).await.unwrap_err();
    assert_eq!(error.code(), "idle", "{error}");
}

#[tokio::test]
async fn comments_keep_an_answer_alive() {
    let idle = Duration::from_millis(400);
    let server = Server::start(move |_| {
        let mut steps = vec![];
        for _ in 0..6 {
            steps.extend([Step::from(": still here\n\n"), Step::Pause(idle / 4)]);
        }
        steps.push(Recording::new("gpt-5").text("Done.").sse().into());
        Reply::stream(steps)
    })
    .unwrap();
    let provider =
        crate::responses(endpoint(&server.url()), Timeouts { idle, ..Timeouts::default() }).unwrap();
    assert_eq!(ask(&provider, prompt()).await.unwrap().text(), "Done.");
}

#[tokio::test]
async fn nobody_listens() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://name:password@{}/v1?key=hidden", listener.local_addr().unwrap())
    };
    let error = ask(&provider_at(&url), prompt()).await.unwrap_err();
    let port = url.split(':').next_back().unwrap().split('/').next().unwrap();
    expect![
        "the connection to work broke: could not connect to http://127.0.0.1:PORT/v1: connection refused"
    ]
    .assert_eq(&error.to_string().replace(port, "PORT"));
    assert_eq!(error.code(), "cut");
}

#[tokio::test]
async fn a_cut_stream_says_so_after_what_came() {
    let server =
        Server::start(|_| Recording::new("gpt-5").text("One.").tool_call("run", "{}").cut().reply()).unwrap();
    let batches: Vec<_> = provider(&server).answer(prompt()).collect().await;
    let (last, before) = batches.split_last().unwrap();
    let error = last.as_ref().unwrap_err();
    assert!(matches!(error, ProviderError::Cut { .. }), "{error}");
    let events: Vec<_> = before.iter().flat_map(|batch| batch.as_ref().unwrap()).collect();
    assert_eq!(events, [&AnswerEvent::Started, &AnswerEvent::TextDelta("One.".into())]);

    check_told(
        Reply::stream(vec![Step::from(Recording::new("m").text("One.").cut().sse())]),
        expect!["cut: the connection to work broke: the stream ended before its final event, retryable"],
    )
    .await;
    check_told(
        Reply::stream(vec![]),
        expect!["cut: the connection to work broke: the answer is empty, retryable"],
    )
    .await;
}

#[tokio::test]
async fn refusals() {
    let json = |status, message: &str, code: &str| {
        Reply::json(status, serde_json::json!({ "error": { "message": message, "code": code } }).to_string())
    };
    check_told(
        json(
            401,
            "Incorrect API key provided: sk-very-secret.",
            "invalid_api_key",
        ),
        expect!["unauthorized: work rejected the credentials: Incorrect API key provided: *** (HTTP 401 Unauthorized)"],
    )
    .await;
    check_told(
        json(429, "Slow down.", "rate_limit_exceeded").header("retry-after", "7"),
        expect!["rate_limited: work is limiting requests: Slow down (HTTP 429 Too Many Requests), retryable, again after 7000 ms"],
    )
    .await;
    check_told(
        json(429, "No money.", "insufficient_quota"),
        expect!["quota: work reports a used-up quota: No money (HTTP 429 Too Many Requests)"],
    )
    .await;
    check_told(
        json(400, "Too long.", "context_length_exceeded"),
        expect!["context_overflow: the conversation is too long for gpt-5: Too long (HTTP 400 Bad Request)"],
    )
    .await;
    check_told(
        json(404, "No such model.", "model_not_found"),
        expect!["invalid_request: work refused the request: No such model (HTTP 404 Not Found)"],
    )
    .await;
    check_told(
        json(500, "Oops.", "server_error"),
        expect!["server: work failed: Oops (HTTP 500 Internal Server Error), retryable"],
    )
    .await;
    check_told(
        json(503, "", "").header("retry-after-ms", "20"),
        expect!["server: work failed: HTTP 503 Service Unavailable, retryable, again after 20 ms"],
    )
    .await;
    let page = "<html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>";
    check_told(
        Reply::new(502, "text/html", page),
        expect!["server: work failed: Bad gateway (HTTP 502 Bad Gateway), retryable"],
    )
    .await;
    check_told(
        Reply::new(400, "text/plain", "bad request: no\n"),
        expect!["invalid_request: work refused the request: bad request: no (HTTP 400 Bad Request)"],
    )
    .await;
    let moved =
        Reply::new(307, "text/plain", "").header("location", "https://user:pw@elsewhere.example/v1?key=1");
    check_told(moved, expect!["invalid_request: work refused the request: the address redirects to https://elsewhere.example/v1 (HTTP 307)"]).await;
    let long = Reply::new(500, "text/plain", format!("sk-very-secret {}", "x".repeat(1 << 20)));
    assert!(told(long).await.len() < 700);
}

#[tokio::test]
async fn successes_that_are_none() {
    check_told(
        Reply::new(200, "text/html", "<!doctype html><title>Sign in</title>"),
        expect!["invalid_request: work refused the request: a web page came in place of an answer: Sign in"],
    )
    .await;
    check_told(
        Reply::json(200, r#"{"error":{"message":"overloaded","code":"server_error"}}"#),
        expect!["server: work failed: overloaded, retryable"],
    )
    .await;
    check_told(
        Reply::json(200, r#"{"id":"resp_1","output":["#),
        expect!["cut: the connection to work broke: the answer could not be read to its end, retryable"],
    )
    .await;
    check_told(
        Recording::new("m").text("A").failed("rate_limit_exceeded", "Please try again in 28ms.").reply(),
        expect![
            "rate_limited: work is limiting requests: Please try again in 28ms, retryable, again after 28 ms"
        ],
    )
    .await;
    check_told(
        Recording::new("m").text("A").incomplete("content_filter").reply(),
        expect!["content_filter: work refused the content: the answer was stopped by a content filter"],
    )
    .await;
}

#[tokio::test]
async fn an_answer_may_come_whole() {
    let server = Server::start(|_| {
        let stream = Recording::new("gpt-5").text("Whole.").tool_call("run", "{}").usage(1, 0, 2).sse();
        let last = stream.rsplit("data: ").next().unwrap();
        let event: Value = serde_json::from_str(last).unwrap();
        Reply::json(200, event["response"].to_string())
    })
    .unwrap();
    let answer = ask(&provider(&server), prompt()).await.unwrap();
    assert_eq!((answer.text().as_str(), answer.stop), ("Whole.", StopReason::ToolUse));
}

#[tokio::test]
async fn refused_thinking_is_left_out_once_and_for_all() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let keep = bodies.clone();
    let server = Server::start(move |received| {
        let body = String::from_utf8(received.body.to_vec()).unwrap();
        let refused = body.contains("\"type\":\"reasoning\"");
        keep.lock().unwrap().push(body);
        if refused {
            let message = "input item ID does not belong to this connection";
            Reply::json(401, serde_json::json!({ "error": { "message": message } }).to_string())
        } else {
            hello()
        }
    })
    .unwrap();
    let thinking = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"blob"}"#;
    let earlier = Answer {
        provider: "work".into(),
        model: "gpt-5-2025-08-07".into(),
        response_id: None,
        blocks: vec![
            Block::Thinking { text: String::new(), replay: Some(thinking.into()) },
            Block::Text { text: "Hi.".into(), phase: None },
        ],
        stop: StopReason::Stop,
        usage: None,
    };
    let items = vec![Arc::new(Item::new(ItemKind::Assistant(earlier))), Arc::new(Item::user("And?"))];
    let provider = provider(&server);
    ask(&provider, request(items.clone())).await.unwrap();
    ask(&provider, request(items)).await.unwrap();

    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 3);
    assert!(bodies[0].contains(thinking));
    assert_eq!(bodies[1], bodies[2]);
    assert!(bodies[1].contains("\"Hi.\""));
}

/// A service that takes no request with one of these texts in it.
fn refuses(texts: &'static [&str], message: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let keep = bodies.clone();
    let server = Server::start(move |received| {
        let body = String::from_utf8(received.body.to_vec()).unwrap();
        let refused = texts.iter().any(|text| body.contains(text));
        keep.lock().unwrap().push(body);
        match refused {
            true => Reply::json(400, serde_json::json!({ "error": { "message": message } }).to_string()),
            false => hello(),
        }
    });
    (server.unwrap(), bodies)
}

/// A result of a tool with a picture of this name in it.
fn picture(name: &str) -> Arc<Item> {
    let part = Part::Image { mime_type: "image/png".into(), data: name.into() };
    Arc::new(Item::new(ItemKind::User { parts: vec![Part::Text(format!("see {name}")), part] }))
}

fn said(text: &str) -> Arc<Item> {
    Arc::new(Item::new(ItemKind::Assistant(Answer {
        provider: "work".into(),
        model: "gpt-5".into(),
        response_id: None,
        blocks: vec![Block::Text { text: text.into(), phase: None }],
        stop: StopReason::Stop,
        usage: None,
    })))
}

#[tokio::test]
async fn an_image_that_is_refused_is_told_in_words() {
    let (server, bodies) = refuses(&["base64,new"], "Could not process image");
    let items = vec![picture("old"), said("Seen."), picture("new")];
    let provider = provider(&server);
    ask(&provider, request(items.clone())).await.unwrap();
    ask(&provider, request(items)).await.unwrap();

    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies.len(), 3);
    // The one that was taken before stays.
    assert!(bodies[1].contains("base64,old") && !bodies[1].contains("base64,new"), "{}", bodies[1]);
    assert!(
        bodies[1]
            .contains("was here; the service refused it, or another one, and said: Could not process image")
    );
    assert_eq!(bodies[1], bodies[2]);
}

#[tokio::test]
async fn an_older_image_that_is_refused_is_told_in_words_too() {
    let (server, bodies) = refuses(&["base64,old"], "image exceeds 5 MB maximum");
    let items = vec![picture("old"), said("Seen."), picture("new")];
    ask(&provider(&server), request(items)).await.unwrap();
    let bodies = bodies.lock().unwrap();
    let shown: Vec<_> = bodies
        .iter()
        .map(|body| ["old", "new"].map(|name| body.contains(&format!("base64,{name}"))))
        .collect();
    assert_eq!(shown, [[true, true], [true, false], [false, false]]);
}

#[tokio::test]
async fn a_lasting_refusal_names_the_item_and_the_way_out() {
    let (server, bodies) = refuses(&["input"], "Invalid 'input[1].content[0].text': no image");
    let items = vec![Arc::new(Item::user("first")), picture("one")];
    let error = ask(&provider(&server), request(items)).await.unwrap_err();
    expect!["work refused the request: Invalid 'input[1].content[0].text': no image (HTTP 400 Bad Request); it is about the user message that begins with `see one`"].assert_eq(&error.to_string());
    assert_eq!(error.code(), "invalid_request");
    let hint = error.hint().unwrap();
    assert!(hint.contains("session/branch") && !hint.contains("base_url"), "{hint}");
    // Once with the image and once without it.
    assert_eq!(bodies.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refusal_that_no_retry_helps_is_told() {
    let reply = || Reply::json(400, r#"{"error":{"message":"no","code":"invalid_encrypted_content"}}"#);
    let server = Server::start(move |_| reply()).unwrap();
    let error = ask(&provider(&server), prompt()).await.unwrap_err();
    assert_eq!((error.code(), server.requests()), ("invalid_request", 1));
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_sent_again() {
    let server = Server::start(|_| Reply::new(401, "text/plain", "token expired")).unwrap();
    let error = ask(&provider(&server), prompt()).await.unwrap_err();
    assert_eq!((error.code(), server.requests()), ("unauthorized", 1));
}

#[tokio::test]
async fn thinking_goes_back_to_a_deployment_with_a_name_of_its_own() {
    let last = Arc::new(Mutex::new(String::new()));
    let keep = last.clone();
    let server = Server::start(move |received| {
        *keep.lock().unwrap() = String::from_utf8(received.body.to_vec()).unwrap();
        Recording::new("gpt-5-2025-08-07").thinking("Hm.").text("Hello.").reply()
    })
    .unwrap();
    let provider = provider(&server);
    let ask = async |mut request: Request| {
        request.model = "our-deployment".into();
        ask(&provider, request).await.unwrap()
    };
    let answer = ask(prompt()).await;
    ask(request(vec![Arc::new(Item::new(ItemKind::Assistant(answer)))])).await;
    assert!(last.lock().unwrap().contains("\"type\":\"reasoning\""));
}

#[tokio::test]
async fn a_long_answer_arrives_whole() {
    let text = "word ".repeat(20_000);
    let reply = Recording::new("gpt-5").text(text.clone()).reply();
    let server = Server::start(move |_| reply.clone()).unwrap();
    assert_eq!(ask(&provider(&server), prompt()).await.unwrap().text(), text);
}

/// The environment is the process's own, so the request is made in another one: this same test.
#[tokio::test]
async fn the_proxy_of_the_environment_is_used() {
    const INSIDE: &str = "PROVIDER_TEST_INSIDE_PROXY";
    if std::env::var_os(INSIDE).is_some() {
        let answer = ask(&provider_at("http://model.example/v1"), prompt()).await.unwrap();
        assert_eq!(answer.text(), "Hello there.");
        return;
    }
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let keep = hosts.clone();
    let server = Server::start(move |received| {
        keep.lock().unwrap().push(received.header("host").unwrap_or_default().to_owned());
        hello()
    })
    .unwrap();
    let mut inside = Command::new(std::env::current_exe().unwrap());
    inside.args(["--exact", "tests::the_proxy_of_the_environment_is_used"]).env(INSIDE, "1");
    inside
        .env("HTTP_PROXY", server.url())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("REQUEST_METHOD");
    let output = tokio::task::spawn_blocking(move || inside.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(*hosts.lock().unwrap(), ["model.example"]);
}

#[tokio::test]
async fn the_system_is_asked_whom_to_trust() {
    // Nothing behind it speaks TLS: it is enough that a client can be made and gets so far.
    let server = Server::start(|_| hello()).unwrap();
    let error = ask(&provider_at(&server.url().replace("http:", "https:")), prompt()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Cut { .. }), "{error}");
}

#[test]
pub(crate) fn endpoints_are_looked_at_when_they_are_configured() {
    let error = |change: fn(&mut Endpoint)| {
        let mut endpoint = endpoint("https://api.example/v1");
        change(&mut endpoint);
        crate::responses(endpoint, Timeouts::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(error(|it| it.base_url = "api.example/v1".into()), ConfigError::InvalidUrl { .. }));
    assert!(matches!(
        error(|it| it.base_url = "ftp://api.example".into()),
        ConfigError::UnsupportedScheme { .. }
    ));
    assert!(matches!(error(|it| it.api_key = Some(Secret::new("a\nb"))), ConfigError::InvalidKey { .. }));
    let header = error(|it| it.headers = vec![("X Team".into(), "core".into())]);
    assert_eq!(header.to_string(), "header \"X Team\" of provider work cannot be sent");
}

#[test]
fn secrets_are_shown_nowhere() {
    let mut endpoint = endpoint("https://name:password@api.example/v1?key=hidden");
    assert!(!format!("{endpoint:?}").contains("sk-very"));
    endpoint.headers = vec![("X-Api-Key".into(), "header-secret".into())];
    let provider = crate::responses(endpoint, Timeouts::default()).unwrap();
    let shown = format!("{provider:?}");
    for secret in ["sk-very", "password", "hidden", "header-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Not a test but a measurement, of everything between the socket and the caller:
/// `cargo test --release -p provider cost_of_an_answer -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_an_answer() {
    const DELTAS: u32 = 20_000;
    let reply = Recording::new("gpt-5").text("word ".repeat(DELTAS as usize)).reply();
    let server = Server::start(move |_| reply.clone()).unwrap();
    let provider = provider(&server);
    for round in ["first", "second", "third"] {
        let begun = std::time::Instant::now();
        let batches: Vec<_> = provider.answer(prompt()).collect().await;
        let each = begun.elapsed() / DELTAS;
        println!("{round}: {} batches, {} ns per delta", batches.len(), each.as_nanos());
    }
}

//! Lists over a real socket.

use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use replay::{Received, Reply, Server, Step};
use serde_json::json;

use super::*;
use crate::{ConfigError, Endpoint, Provider, Secret, Timeouts};

type Connect = fn(Endpoint, Timeouts) -> Result<Arc<dyn Provider>, ConfigError>;

fn provider(connect: Connect, server: &Server) -> Arc<dyn Provider> {
    let endpoint = Endpoint {
        name: "work".into(),
        base_url: format!("{}/v1?team=core", server.url()),
        api_key: Some(Secret::new("sk-very-secret")),
        key_header: None,
        headers: vec![("X-Team".into(), "core".into())],
    };
    connect(endpoint, Timeouts::default()).unwrap()
}

/// What the service has at each path; elsewhere it has nothing.
fn service(paths: &[(&'static str, Value)]) -> Server {
    let paths = paths.to_vec();
    Server::start(move |received| {
        let found = paths.iter().find(|(path, _)| received.path.split('?').next() == Some(*path));
        found.map_or(Reply::json(404, "{}"), |(_, json)| Reply::json(200, json.to_string()))
    })
    .unwrap()
}

fn shown(models: &[ModelInfo]) -> String {
    let line = |model: &ModelInfo| {
        let ModelInfo { id, name, context_window, max_output_tokens, tools, images, thinking, price, .. } =
            model;
        let levels =
            thinking.as_ref().map(|levels| levels.iter().map(|level| level.effort()).collect::<Vec<_>>());
        let price = price.map(|price| [price.input, price.cached_input, price.cache_write, price.output]);
        format!(
            "{id} ({}) window {context_window:?} out {max_output_tokens:?} tools {tools:?} images {images:?} thinks {levels:?} costs {price:?}\n",
            name.as_deref().unwrap_or("?"),
        )
        .replace("Some", "")
    };
    models.iter().map(line).collect()
}

async fn check_list(connect: Connect, list: Value, expected: Expect) {
    let server = service(&[("/v1/models", list)]);
    expected.assert_eq(&shown(&provider(connect, &server).models().await.unwrap()));
}

#[tokio::test]
async fn a_list_is_asked_for_as_answers_are() {
    for (connect, path, key) in [
        (crate::responses as Connect, "/v1/models?team=core", "authorization=Bearer sk-very-secret"),
        (crate::chat, "/v1/models?team=core", "authorization=Bearer sk-very-secret"),
        (crate::anthropic, "/v1/models?team=core&limit=1000", "x-api-key=sk-very-secret"),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = seen.clone();
        let server = Server::start(move |received: Received| {
            let (name, _) = key.split_once('=').unwrap();
            keep.lock().unwrap().push(format!(
                "{} {} {name}={} {} {:?}",
                received.method,
                received.path,
                received.header(name).unwrap_or_default(),
                received.header("x-team").unwrap_or_default(),
                received.header("accept"),
            ));
            Reply::json(200, r#"{"object":"list","data":[{"id":"m","context_length":1}]}"#)
        })
        .unwrap();
        let models = provider(connect, &server).models().await.unwrap();
        assert_eq!(models, [ModelInfo { context_window: Some(1), ..ModelInfo::new("m") }]);
        assert_eq!(*seen.lock().unwrap(), [format!("GET {path} {key} core Some(\"application/json\")")]);
    }
}

#[tokio::test]
async fn services_say_more_or_less() {
    let list = json!({ "object": "list", "data": [
        { "id": "gpt-5", "object": "model", "created": 1, "owned_by": "openai", "context_window": 2 },
        { "id": "m", "max_model_len": 32768, "permission": [] },
        { "id": "m", "max_model_len": 1 },
        "no entry", null, { "object": "model" }, { "id": "" }, { "id": 7 },
        { "id": "odd", "name": 3, "context_length": "many", "pricing": "cheap", "architecture": [], "type": {} },
        { "id": "mistral-x", "max_context_length": 131072, "capabilities": { "function_calling": true, "vision": false } },
        { "id": "groq-x", "context_window": 8192, "max_completion_tokens": 4096 },
        { "id": "text-embedding-3-small" }, { "id": "gpt-4o-mini-tts" }, { "id": "nomic", "type": "embeddings" },
    ] });
    check_list(crate::responses, list, expect![[r#"
        gpt-5 (GPT-5) window (2) out (128000) tools (true) images (true) thinks (["minimal", "low", "medium", "high"]) costs ([1.25, 0.125, 1.25, 10.0])
        m (?) window (32768) out None tools None images None thinks None costs None
        odd (?) window None out None tools None images None thinks None costs None
        mistral-x (?) window (131072) out None tools (true) images (false) thinks None costs None
        groq-x (?) window (8192) out (4096) tools None images None thinks None costs None
    "#]]).await;
}

#[tokio::test]
async fn openrouter_says_it_all() {
    let list = json!({ "data": [
        {
            "id": "anthropic/claude-sonnet-4.5",
            "name": "Anthropic: Claude Sonnet 4.5",
            "context_length": 1_000_000,
            "architecture": { "input_modalities": ["text", "image", "file"], "output_modalities": ["text"] },
            "pricing": {
                "prompt": "0.000003", "completion": "0.000015", "image": "0.0048",
                "input_cache_read": "0.0000003", "input_cache_write": "0.00000375",
            },
            "top_provider": { "context_length": 1_000_000, "max_completion_tokens": 64000, "is_moderated": true },
            "supported_parameters": ["max_tokens", "reasoning", "tools"],
        },
        {
            "id": "small/talker:free",
            "name": "Talker",
            "context_length": 8192,
            "architecture": { "input_modalities": ["text"], "output_modalities": ["text"] },
            "pricing": { "prompt": "0", "completion": "0" },
            "top_provider": { "max_completion_tokens": null },
            "supported_parameters": ["max_tokens"],
        },
        { "id": "openrouter/auto", "context_length": 2_000_000, "pricing": { "prompt": "-1", "completion": "-1" } },
        { "id": "painter", "architecture": { "output_modalities": ["image"] } },
    ] });
    check_list(crate::chat, list, expect![[r#"
        anthropic/claude-sonnet-4.5 (Anthropic: Claude Sonnet 4.5) window (1000000) out (64000) tools (true) images (true) thinks (["none", "minimal", "low", "medium", "high", "xhigh", "max"]) costs ([3.0, 0.3, 3.75, 15.0])
        small/talker:free (Talker) window (8192) out None tools (false) images (false) thinks ([]) costs ([0.0, 0.0, 0.0, 0.0])
        openrouter/auto (?) window (2000000) out None tools None images None thinks None costs None
    "#]]).await;
}

#[tokio::test]
async fn anthropic_gives_its_list_in_pages() {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let keep = pages.clone();
    let server = Server::start(move |received: Received| {
        let query = received.path.split_once('?').unwrap().1.to_owned();
        let last = query.contains("after_id=b");
        keep.lock().unwrap().push(query);
        let (yes, no) = (json!({ "supported": true }), json!({ "supported": false }));
        let page = if last {
            json!({ "data": [{ "id": "c" }], "has_more": false, "last_id": "c" })
        } else {
            let capabilities = json!({
                "image_input": yes,
                "thinking": { "supported": true, "types": { "adaptive": yes, "enabled": yes } },
                "effort": { "supported": true, "low": yes, "medium": yes, "high": yes, "xhigh": no, "max": yes },
            });
            let opus = json!({
                "type": "model", "id": "claude-opus-4-6", "display_name": "Claude Opus 4.6", "max_input_tokens": 200_000,
                "max_tokens": 128_000, "capabilities": capabilities,
            });
            json!({ "data": [opus, { "id": "b", "max_input_tokens": null }], "has_more": true, "last_id": "b" })
        };
        Reply::json(200, page.to_string())
    })
    .unwrap();
    expect![[r#"
        claude-opus-4-6 (Claude Opus 4.6) window (200000) out (128000) tools (true) images (true) thinks (["none", "low", "medium", "high", "max"]) costs ([5.0, 0.5, 6.25, 25.0])
        b (?) window None out None tools None images None thinks None costs None
        c (?) window None out None tools None images None thinks None costs None
    "#]].assert_eq(&shown(&provider(crate::anthropic, &server).models().await.unwrap()));
    assert_eq!(*pages.lock().unwrap(), ["team=core&limit=1000", "team=core&limit=1000&after_id=b"]);
}

#[tokio::test]
async fn a_list_without_an_end_is_left() {
    let endless = json!({ "data": [{ "id": "a", "max_input_tokens": 1 }], "has_more": true, "last_id": "a" });
    let server = service(&[("/v1/models", endless)]);
    assert_eq!(provider(crate::anthropic, &server).models().await.unwrap().len(), 1);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn local_servers_tell_the_rest_elsewhere() {
    let ids = |ids: &[&str]| json!({ "object": "list", "data": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() });
    let lm_studio = json!({ "object": "list", "data": [
        { "id": "qwen3-vl-8b", "type": "vlm", "state": "loaded", "max_context_length": 262_144, "loaded_context_length": 8192 },
        { "id": "gpt-oss-20b", "type": "llm", "max_context_length": 131_072, "capabilities": ["tool_use"] },
    ] });
    let ollama = json!({ "models": [{ "name": "qwen3:8b", "model": "qwen3:8b", "context_length": 4096 }] });
    let llama_cpp =
        json!({ "default_generation_settings": { "n_ctx": 16384 }, "modalities": { "vision": false } });
    let mut lines = String::new();
    for server in [
        service(&[("/v1/models", ids(&["qwen3-vl-8b", "gpt-oss-20b"])), ("/api/v0/models", lm_studio)]),
        service(&[("/v1/models", ids(&["qwen3:8b", "llama3.1:8b"])), ("/api/ps", ollama)]),
        service(&[("/v1/models", ids(&["model.gguf"])), ("/props", llama_cpp)]),
        service(&[("/v1/models", ids(&["gpt-5"]))]),
    ] {
        lines += &shown(&provider(crate::chat, &server).models().await.unwrap());
    }
    expect![[r#"
        qwen3-vl-8b (?) window (8192) out None tools (true) images (true) thinks None costs None
        gpt-oss-20b (?) window (131072) out None tools (true) images (false) thinks (["low", "medium", "high"]) costs None
        qwen3:8b (?) window (4096) out None tools (true) images (false) thinks None costs None
        llama3.1:8b (?) window None out None tools (true) images (false) thinks ([]) costs None
        model.gguf (?) window (16384) out None tools None images (false) thinks None costs None
        gpt-5 (GPT-5) window (400000) out (128000) tools (true) images (true) thinks (["minimal", "low", "medium", "high"]) costs ([1.25, 0.125, 1.25, 10.0])
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn a_service_without_a_list_has_an_empty_one() {
    for status in [404, 405, 501] {
        for connect in [crate::responses as Connect, crate::chat, crate::anthropic] {
            let server = Server::start(move |_| Reply::json(status, r#"{"error":"no such thing"}"#)).unwrap();
            assert_eq!(provider(connect, &server).models().await.unwrap(), [], "{status}");
        }
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_says_why() {
    let mut lines = String::new();
    for reply in [
        Reply::json(401, r#"{"error":{"message":"bad key sk-very-secret","type":"authentication_error"}}"#),
        Reply::json(429, r#"{"error":{"message":"Slow down"}}"#).header("retry-after", "7"),
        Reply::json(500, "{}"),
        Reply::json(400, ""),
        Reply::json(200, r#"{"error":{"message":"bad sk-very-secret","code":"invalid_api_key"}}"#),
        Reply::json(200, "<html>Hello</html>"),
        Reply::json(302, "").header("location", "https://elsewhere.example/login"),
        Reply::stream(vec![Step::from("{\"data\":[".to_owned()), Step::Cut]),
    ] {
        let server = Server::start(move |_| reply.clone()).unwrap();
        let error = provider(crate::responses, &server).models().await.unwrap_err();
        lines += &format!("{}: {error}\n", error.code()).replace(&server.url(), "http://server");
    }
    expect![[r#"
        unauthorized: work rejected the credentials: bad key *** (HTTP 401 Unauthorized)
        rate_limited: work is limiting requests: Slow down (HTTP 429 Too Many Requests)
        server: work failed: HTTP 500 Internal Server Error
        invalid_request: work refused the request: HTTP 400 Bad Request
        unauthorized: work rejected the credentials: bad ***
        invalid_request: work refused the request: what came is not a list of models
        invalid_request: work refused the request: the address redirects to https://elsewhere.example/login (HTTP 302)
        cut: the connection to work broke: the connection was lost before the answer was complete: connection closed
    "#]].assert_eq(&lines);
}

/// Asks the servers of these names, each of which answers as it is told.
async fn probed(servers: &[(&str, &Server)]) -> String {
    let port = |server: &Server| server.url().rsplit(':').next().unwrap().parse().unwrap();
    let candidates: Vec<_> =
        servers.iter().map(|(name, server)| Candidate::new(*name, port(server))).collect();
    let found = local::probe_within(Duration::from_secs(20), &candidates).await;
    let shown = found.iter().map(|LocalServer { name, base_url, models }| {
        let (_, server) = servers.iter().find(|(of, _)| of == name).unwrap();
        assert_eq!(*base_url, format!("{}/v1", server.url()));
        format!("{name}: {}", models.iter().map(|model| &*model.id).collect::<Vec<_>>().join(" "))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_local_server_is_known_by_its_list() {
    let of = |reply: Reply| Server::start(move |_| reply.clone()).unwrap();
    let page = of(Reply::new(200, "text/html", "<html>Jenkins</html>"));
    let other = of(Reply::json(200, r#"{"data":[{"name":"a"}]}"#));
    let bare = of(Reply::json(200, r#"[{"id":"a"}]"#));
    let missing = of(Reply::json(404, "{}"));
    let empty = of(Reply::json(200, r#"{"object":"list","data":null}"#));
    let ollama =
        of(Reply::json(200, r#"{"object":"list","data":[{"id":"qwen3:8b"},{"id":"nomic-embed-text"}]}"#));
    let llama_cpp =
        of(Reply::json(200, r#"{"object":"list","data":[{"id":"a.gguf","meta":{"n_ctx_train":8192}}]}"#));

    assert_eq!(
        probed(&[("ollama", &ollama), ("llamacpp", &llama_cpp)]).await,
        "ollama: qwen3:8b, llamacpp: a.gguf"
    );
    assert_eq!(
        probed(&[("llamacpp", &llama_cpp), ("ollama", &ollama)]).await,
        "llamacpp: a.gguf, ollama: qwen3:8b"
    );
    assert_eq!(probed(&[("page", &page), ("ollama", &ollama)]).await, "ollama: qwen3:8b");
    assert_eq!(probed(&[("ollama", &empty), ("llamacpp", &llama_cpp)]).await, "ollama: , llamacpp: a.gguf");
    assert_eq!(probed(&[("other", &other), ("ollama", &empty), ("bare", &bare)]).await, "ollama: ");
    assert_eq!(probed(&[("missing", &missing), ("page", &page), ("other", &other)]).await, "");
    assert_eq!(probed(&[]).await, "");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let server = Server::start(|_| Reply::stream(vec![Step::Wait(Arc::default())])).unwrap();
    let port = server.url().rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(probe(&[Candidate::new("silent", port)]).await, vec![]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(probe(&[Candidate::new("gone", port)]).await, vec![]);
}

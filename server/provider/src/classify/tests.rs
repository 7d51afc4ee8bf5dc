use std::time::UNIX_EPOCH;

use expect_test::expect;
use serde::Deserialize;

use super::*;

impl Class {
    /// As the fixtures name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::WrongEndpoint => "wrong_endpoint",
            Self::ContextOverflow => "context_overflow",
            Self::Quota => "quota",
            Self::RateLimit => "rate_limit",
            Self::Auth => "auth",
            Self::ContentFilter => "content_filter",
            Self::Server => "server",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::InvalidRequest => "invalid_request",
            Self::Image => "image",
        }
    }
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let parse = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
    list.iter().map(parse).collect::<Vec<(http::HeaderName, http::HeaderValue)>>().into_iter().collect()
}

/// A response with this status and body, and 1994-11-06 08:49:00 as the time.
fn response(status: u16, list: &[(&str, &str)], body: &str) -> Failure {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_740);
    Failure::response(StatusCode::from_u16(status).unwrap(), &headers(list), body.as_bytes(), now)
}

fn in_stream(code: &str, message: &str) -> Class {
    Failure::reported(Report { code: Some(code.into()), message: message.into(), ..Report::default() }).class
}

#[test]
fn every_recorded_body_is_classified() {
    #[derive(Deserialize)]
    struct Case {
        vendor: String,
        status: u16,
        headers: std::collections::BTreeMap<String, String>,
        body: String,
        class: String,
        retryable: bool,
        retry_after_ms: Option<u64>,
    }
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../tests/fixtures/error_bodies.json")).unwrap();
    for case in cases {
        let list: Vec<_> = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let failure = response(case.status, &list, &case.body);
        let about = format!("{} {} {}", case.vendor, case.status, case.body);
        assert_eq!(failure.class.name(), case.class, "{about}");
        assert_eq!(failure.retry_after, case.retry_after_ms.map(Duration::from_millis), "{about}");
        assert!(!failure.message.contains(['<', '\n']), "{about}: {}", failure.message);
        assert!(failure.said().contains(&case.status.to_string()), "{about}");
        assert_eq!(failure.into_error("p", "m").is_retryable(), case.retryable, "{about}");
    }
}

#[test]
fn overflow_is_known_by_its_wordings() {
    for message in [
        "Your input exceeds the context window of this model.",
        "This model's maximum context length is 128000 tokens. However, you requested 130000 tokens",
        "prompt token count of 146270 exceeds the limit of 128000",
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 1 + 2 > 3",
        "Input is too long for requested model.",
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "Please reduce the length of the messages or completion.",
        "The model's context length is only 4096 tokens",
        "The input length (5000) exceeds the model's context length (4096)",
        "exceeds the maximum allowed input length of 131,072 tokens",
        "you requested 4096 output tokens and your prompt is too large",
        "The prompt exceeds the model's maximum context length",
        "Input is longer than the model's context length",
        "the request exceeds the available context size, try increasing it",
        "Context size has been exceeded.",
        "The number of tokens to keep is greater than the context length",
        "prompt too long; exceeded max context length by 12 tokens",
        "Prompt contains 9 tokens, too large for model with 8 maximum context length",
        "context window exceeds limit (2013)",
        "Your request exceeded model token limit: 262144",
        "Request Entity Too Large",
    ] {
        assert_eq!(in_stream("", message), Class::ContextOverflow, "{message}");
    }
    for message in [
        "Rate limit reached: too many tokens",
        "Throttling: Too many tokens, please wait",
        "exceeds the limit of requests",
        "maximum context length is long",
    ] {
        assert_ne!(in_stream("", message), Class::ContextOverflow, "{message}");
    }
    assert_eq!(response(413, &[], "").class, Class::ContextOverflow);
    assert_eq!(response(400, &[], "").class, Class::ContextOverflow);
    assert_eq!(
        response(429, &[], r#"{"error":{"message":"too many tokens","code":"rate_limit_exceeded"}}"#).class,
        Class::RateLimit
    );
}

#[test]
fn failures_within_a_stream_are_known_by_their_codes() {
    for (code, class) in [
        ("server_error", Class::Server),
        ("rate_limit_exceeded", Class::RateLimit),
        ("context_length_exceeded", Class::ContextOverflow),
        ("insufficient_quota", Class::Quota),
        ("usage_not_included", Class::Quota),
        ("invalid_prompt", Class::InvalidRequest),
        ("server_is_overloaded", Class::Server),
        ("slow_down", Class::RateLimit),
        ("cyber_policy", Class::ContentFilter),
        ("bio_policy", Class::ContentFilter),
        ("invalid_image_format", Class::Image),
        ("image_too_small", Class::Image),
        ("data_residency_mismatch", Class::InvalidRequest),
        ("vector_store_timeout", Class::Server),
        ("invalid_encrypted_content", Class::Replay),
        ("something_new", Class::Server),
        ("", Class::Server),
        ("429", Class::RateLimit),
        ("502", Class::Server),
    ] {
        assert_eq!(in_stream(code, "no"), class, "{code}");
    }
}

#[test]
fn a_refused_replay_is_no_authentication_failure() {
    for message in [
        "input item ID does not belong to this connection",
        "The encrypted content for item rs_1 could not be verified. Reason: it did not match.",
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
        "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.",
        "Invalid 'input[3].id': string too long. Expected a string with maximum length 64",
    ] {
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        assert_eq!(response(401, &[], &body).class, Class::Replay, "{message}");
    }
    let call_id = "Invalid 'input[3].call_id': string too long. Expected a string with maximum length 64";
    assert_eq!(response(400, &[], call_id).class, Class::InvalidRequest);
}

#[test]
fn what_vendors_say() {
    let mut shown = String::new();
    let mut say = |vendor: &str, status: u16, list: &[(&str, &str)], body: &str| {
        let failure = response(status, list, body);
        let pause = failure.retry_after.map(|pause| format!(" after {} s", pause.as_secs()));
        let (class, said) = (failure.class.name(), failure.said());
        shown += &format!("{vendor}: {class}{} | {said}\n", pause.unwrap_or_default());
    };
    let anthropic = |kind: &str, message: &str| {
        let error = serde_json::json!({ "type": kind, "message": message });
        serde_json::json!({ "type": "error", "error": error, "request_id": "req_1" }).to_string()
    };
    let too_long = "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000";
    let limited =
        anthropic("rate_limit_error", "This request would exceed your rate limit of 30,000 input tokens");
    say("anthropic", 400, &[], &anthropic("invalid_request_error", too_long));
    say("anthropic", 413, &[], &anthropic("request_too_large", "Request exceeds the maximum size"));
    say("anthropic", 429, &[("retry-after", "12")], &limited);
    let resets = [
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "1994-11-06T08:49:01Z"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:49:30Z"),
    ];
    say("anthropic", 429, &resets, &limited);
    say("anthropic", 429, &resets[..2], &limited);
    say("anthropic", 429, &[("x-should-retry", "false")], &limited);
    say("anthropic", 402, &[], &anthropic("billing_error", "Payment required"));
    let credit = "Your credit balance is too low to access the Anthropic API.";
    say("anthropic", 400, &[], &anthropic("invalid_request_error", credit));
    say("anthropic", 401, &[], &anthropic("authentication_error", "invalid x-api-key"));
    say("anthropic", 403, &[], &anthropic("permission_error", "no access to this model"));
    say("anthropic", 404, &[], &anthropic("not_found_error", "model: claude-9"));
    say("anthropic", 409, &[], &anthropic("conflict", "busy"));
    say("anthropic", 500, &[], &anthropic("api_error", "Internal server error"));
    say("anthropic", 500, &[("x-should-retry", "false")], &anthropic("api_error", "Internal server error"));
    say("anthropic", 400, &[("x-should-retry", "true")], &anthropic("invalid_request_error", "odd"));
    say("anthropic", 504, &[], &anthropic("timeout_error", "Timed out"));
    let signature = "messages.1.content.0: Invalid `signature` in `thinking` block";
    say("anthropic", 400, &[], &anthropic("invalid_request_error", signature));

    let behind = r#"{"error":{"message":"This endpoint's maximum context length is 32768 tokens."}}"#;
    let openrouter = |code: u16, raw: &str| {
        let metadata = serde_json::json!({ "raw": raw, "provider_name": "SomeHost" });
        let error =
            serde_json::json!({ "message": "Provider returned error", "code": code, "metadata": metadata });
        serde_json::json!({ "error": error }).to_string()
    };
    say("openrouter", 400, &[], &openrouter(400, behind));
    say("openrouter", 429, &[], &openrouter(429, "SomeHost is rate-limited upstream"));
    say("openrouter", 402, &[], r#"{"error":{"message":"Insufficient credits","code":402}}"#);

    say(
        "ollama",
        400,
        &[],
        r#"{"error":{"message":"prompt too long; exceeded max context length by 12 tokens","type":"invalid_request_error"}}"#,
    );
    say(
        "ollama",
        500,
        &[],
        r#"{"error":{"message":"the input length exceeds the context length","type":"api_error"}}"#,
    );
    say(
        "ollama",
        400,
        &[],
        r#"{"error":{"message":"registry.ollama.ai/library/x does not support tools","type":"invalid_request_error"}}"#,
    );
    say(
        "llama.cpp",
        500,
        &[],
        r#"{"error":{"code":500,"message":"context size has been exceeded","type":"server_error"}}"#,
    );
    say(
        "llama.cpp",
        500,
        &[],
        r#"{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}"#,
    );
    say(
        "llama.cpp",
        500,
        &[],
        r#"{"error":{"code":500,"message":"image input is not supported - hint: mmproj","type":"server_error"}}"#,
    );
    say(
        "lm studio",
        400,
        &[],
        r#"{"error":"Trying to keep the first 9000 tokens when context the overflows. However, the number of tokens to keep from the initial prompt is greater than the context length."}"#,
    );
    say(
        "vllm",
        400,
        &[],
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400}"#,
    );
    say(
        "fastapi",
        422,
        &[],
        r#"{"detail":[{"loc":["body","messages",1,"reasoning"],"msg":"Extra inputs are not permitted"}]}"#,
    );
    say(
        "groq",
        400,
        &[],
        r#"{"error":{"message":"'messages.2' : for 'role:assistant' property 'reasoning_content' is unsupported","type":"invalid_request_error"}}"#,
    );
    say("mistral", 400, &[], "");
    expect![[r#"
        anthropic: context_overflow | input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000 (HTTP 400 Bad Request)
        anthropic: context_overflow | Request exceeds the maximum size (HTTP 413 Payload Too Large)
        anthropic: rate_limit after 12 s | This request would exceed your rate limit of 30,000 input tokens (HTTP 429 Too Many Requests)
        anthropic: rate_limit after 30 s | This request would exceed your rate limit of 30,000 input tokens (HTTP 429 Too Many Requests)
        anthropic: rate_limit after 1 s | This request would exceed your rate limit of 30,000 input tokens (HTTP 429 Too Many Requests)
        anthropic: quota | This request would exceed your rate limit of 30,000 input tokens (HTTP 429 Too Many Requests)
        anthropic: quota | Payment required (HTTP 402 Payment Required)
        anthropic: quota | Your credit balance is too low to access the Anthropic API (HTTP 400 Bad Request)
        anthropic: auth | invalid x-api-key (HTTP 401 Unauthorized)
        anthropic: invalid_request | no access to this model (HTTP 403 Forbidden)
        anthropic: invalid_request | model: claude-9 (HTTP 404 Not Found)
        anthropic: server | busy (HTTP 409 Conflict)
        anthropic: server | Internal server error (HTTP 500 Internal Server Error)
        anthropic: invalid_request | Internal server error (HTTP 500 Internal Server Error)
        anthropic: server | odd (HTTP 400 Bad Request)
        anthropic: server | Timed out (HTTP 504 Gateway Timeout)
        anthropic: replay | messages.1.content.0: Invalid `signature` in `thinking` block (HTTP 400 Bad Request)
        openrouter: context_overflow | Provider returned error: This endpoint's maximum context length is 32768 tokens (HTTP 400 Bad Request)
        openrouter: rate_limit | Provider returned error: SomeHost is rate-limited upstream (HTTP 429 Too Many Requests)
        openrouter: quota | Insufficient credits (HTTP 402 Payment Required)
        ollama: context_overflow | prompt too long; exceeded max context length by 12 tokens (HTTP 400 Bad Request)
        ollama: context_overflow | the input length exceeds the context length (HTTP 500 Internal Server Error)
        ollama: invalid_request | registry.ollama.ai/library/x does not support tools (HTTP 400 Bad Request)
        llama.cpp: context_overflow | context size has been exceeded (HTTP 500 Internal Server Error)
        llama.cpp: invalid_request | tools param requires --jinja flag (HTTP 500 Internal Server Error)
        llama.cpp: image | image input is not supported - hint: mmproj (HTTP 500 Internal Server Error)
        lm studio: context_overflow | Trying to keep the first 9000 tokens when context the overflows. However, the number of tokens to keep from the initial prompt is greater than the context length (HTTP 400 Bad Request)
        vllm: context_overflow | This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (HTTP 400 Bad Request)
        fastapi: replay | [{"loc":["body","messages",1,"reasoning"],"msg":"Extra inputs are not permitted"}] (HTTP 422 Unprocessable Entity)
        groq: replay | 'messages.2' : for 'role:assistant' property 'reasoning_content' is unsupported (HTTP 400 Bad Request)
        mistral: context_overflow | HTTP 400 Bad Request
    "#]].assert_eq(&shown);
}

#[test]
fn statuses_without_words() {
    for (status, class) in [
        (401, Class::Auth),
        (402, Class::Quota),
        (403, Class::InvalidRequest),
        (404, Class::InvalidRequest),
        (408, Class::Server),
        (409, Class::Server),
        (422, Class::InvalidRequest),
        (429, Class::RateLimit),
        (500, Class::Server),
        (501, Class::InvalidRequest),
        (505, Class::InvalidRequest),
        (529, Class::Server),
    ] {
        assert_eq!(response(status, &[], "").class, class, "{status}");
    }
}

#[test]
fn the_pause_comes_from_headers_or_text() {
    let pause = |list: &[(&str, &str)], message: &str| {
        let body = serde_json::json!({ "error": { "message": message } }).to_string();
        response(429, list, &body).retry_after.map(|pause| pause.as_millis())
    };
    assert_eq!(pause(&[("retry-after-ms", "850"), ("retry-after", "1")], ""), Some(850));
    assert_eq!(pause(&[("retry-after", "1.5")], "try again in 9s"), Some(1500));
    assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], ""), Some(37_000));
    assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], ""), Some(0));
    assert_eq!(pause(&[("retry-after", "soon")], "Please try again in 28ms."), Some(28));
    assert_eq!(pause(&[("retry-after", "-1")], ""), None);
    assert_eq!(pause(&[], "Try again in 1.898s. Visit"), Some(1898));
    assert_eq!(pause(&[], "try again in 20 seconds"), Some(20_000));
    assert_eq!(pause(&[], "try again in 2 minutes"), Some(120_000));
    assert_eq!(pause(&[], "try again in 1m30s"), Some(90_000));
    assert_eq!(pause(&[], "try again in a while"), None);
    let reset = [("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-reset-tokens", "6m0s")];
    assert_eq!(pause(&reset, ""), Some(120));
    assert_eq!(pause(&[reset[0], reset[1], ("x-ratelimit-remaining-tokens", "0")], ""), Some(360_000));
}

#[test]
fn messages_are_short_and_plain() {
    let message = |status, body: &str| response(status, &[], body).said();
    assert_eq!(message(502, "<html><head><title>502 Bad Gateway</title></head></html>"), "502 Bad Gateway");
    assert_eq!(
        message(503, "<!DOCTYPE html><style>p{}</style><p>Back <b>soon</b>.\n</p><script>x()</script>"),
        "Back soon (HTTP 503 Service Unavailable)"
    );
    assert_eq!(message(500, ""), "HTTP 500 Internal Server Error");
    assert_eq!(message(400, "bad\r\n\u{1b}[31mrequest\n"), "bad [31mrequest (HTTP 400 Bad Request)");
    assert_eq!(message(404, r#"{"detail":"Not Found"}"#), "Not Found (HTTP 404 Not Found)");
    assert_eq!(message(404, r#"{"error":"no such model"}"#), "no such model (HTTP 404 Not Found)");
    assert_eq!(message(400, r#"[{"error":{"message":"no","status":"X"}}]"#), "no (HTTP 400 Bad Request)");
    assert_eq!(
        message(400, r#"{"object":"error","message":"no.","code":40303}"#),
        "no (HTTP 400 Bad Request)"
    );
    let long = message(500, &"é".repeat(2000));
    assert!(long.chars().count() < 550 && long.contains('…'), "{long}");
}

/// How long a refusal with status 429 asks to wait. The time is 1994-11-06 08:49:00, which is 784111740.
#[track_caller]
fn check_pause(list: &[(&str, &str)], body: &str, seconds: Option<f64>) {
    let failure = response(429, list, body);
    assert_eq!(failure.class, Class::RateLimit, "{list:?} {body}");
    assert_eq!(failure.retry_after, seconds.map(Duration::from_secs_f64), "{list:?} {body}");
}

#[test]
fn the_pause_is_found_whatever_form_it_has() {
    let check_header = |name: &str, value: &str, seconds| check_pause(&[(name, value)], "", seconds);
    check_header("retry-after", "7", Some(7.0));
    check_header("retry-after", " 0.5 ", Some(0.5));
    check_header("retry-after", "20s", Some(20.0));
    check_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some(37.0));
    check_header("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0.0));
    check_header("retry-after", "soon", None);
    check_header("retry-after", "-1", None);
    check_header("retry-after-ms", "850", Some(0.85));
    check_header("x-ms-retry-after-ms", "1200", Some(1.2));
    check_header("x-ratelimit-reset-requests", "1s", Some(1.0));
    check_header("x-ratelimit-reset-tokens", "6m0s", Some(360.0));
    check_header("x-ratelimit-reset-tokens", "120ms", Some(0.12));
    check_header("x-ratelimit-reset-tokens-minute", "33.5", Some(33.5));
    check_header("anthropic-ratelimit-tokens-reset", "1994-11-06T08:49:30Z", Some(30.0));
    check_header("anthropic-ratelimit-tokens-reset", "1994-11-06T18446744073709551615:00:00Z", None);
    check_header("x-ratelimit-reset", "784111745000", Some(5.0));
    check_header("ratelimit-reset", "30", Some(30.0));
    // Of the limits it is the one that was met.
    check_pause(
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "20s"),
            ("x-ratelimit-remaining-tokens", "900"),
            ("x-ratelimit-reset-tokens", "1s"),
        ],
        "",
        Some(20.0),
    );
    // The shorter name wins over what is known of limits.
    check_pause(&[("retry-after", "3"), ("x-ratelimit-reset-tokens", "6m0s")], "", Some(3.0));

    let check_body = |body: Value, seconds| check_pause(&[], &body.to_string(), seconds);
    let google = serde_json::json!({ "error": {
        "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota.",
        "details": [
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure" },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s" },
        ],
    } });
    check_body(google.clone(), Some(20.0));
    check_body(serde_json::json!([google]), Some(20.0));
    let openrouter = |metadata: Value| serde_json::json!({ "error": { "message": "no", "code": 429, "metadata": metadata } });
    check_body(
        openrouter(serde_json::json!({ "headers": { "X-RateLimit-Reset": "784111752000" } })),
        Some(12.0),
    );
    check_body(openrouter(serde_json::json!({ "raw": google.to_string() })), Some(20.0));
    check_body(openrouter(serde_json::json!({ "retry_after_seconds": 9 })), Some(9.0));
    check_body(serde_json::json!({ "error": { "message": "no" }, "retry_after": 4.5 }), Some(4.5));
    check_body(serde_json::json!({ "error": { "message": "no", "retry_after_ms": 250 } }), Some(0.25));
    check_body(serde_json::json!({ "error": { "message": "no", "retryAfterMs": "1500" } }), Some(1.5));
    check_body(serde_json::json!({ "error": { "message": "no", "resets_at": 784_111_770 } }), Some(30.0));
    check_body(serde_json::json!({ "error": { "message": "no", "retry_after": {} } }), None);

    let check_text = |message: &str, seconds| check_body(serde_json::json!({ "message": message }), seconds);
    check_text("Rate limit reached. Please try again in 7.66s. Visit us", Some(7.66));
    check_text("Please try again in 6m0s.", Some(360.0));
    check_text("Requests have exceeded the limit. Please retry after 20 seconds.", Some(20.0));
    check_text("Please retry in 57.5s.", Some(57.5));
    check_text("Too many requests, please wait 2 minutes.", Some(120.0));
    check_text("Please try again in a while.", None);
    let huge = format!("try again in {0}s{0}s", u64::MAX);
    check_text(&huge, None);
}

#[test]
fn a_server_that_is_busy_says_for_how_long() {
    let failure = response(503, &[], r#"{"error":{"message":"Overloaded. Please retry after 20 seconds."}}"#);
    assert_eq!((failure.class, failure.retry_after), (Class::Server, Some(Duration::from_secs(20))));
}

#[test]
fn half_a_character_does_not_hide_an_error() {
    let failure = response(400, &[], r#"{"error":{"message":"no \ud83d","code":"context_length_exceeded"}}"#);
    assert_eq!((failure.class, &*failure.message), (Class::ContextOverflow, "no \u{fffd}"));
}

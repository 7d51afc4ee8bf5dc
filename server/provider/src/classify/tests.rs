use std::time::UNIX_EPOCH;

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
            Self::InvalidRequest => "invalid_request",
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
    Failure::reported(Report { code: Some(code.into()), kind: None, message: message.into() }).class
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
        ("invalid_image_format", Class::InvalidRequest),
        ("image_too_small", Class::InvalidRequest),
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

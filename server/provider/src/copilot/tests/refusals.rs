//! What the user is told when GitHub says no.

use expect_test::{Expect, expect};

use super::*;

/// What a prompt comes to when the exchange is refused, and how many were tried.
async fn check_exchange(reply: Reply, shown: Expect) {
    let hub = Hub::start(move |_, _| reply.clone());
    let told = hub.told().await;
    shown.assert_eq(&told.replace(&hub.server.url(), "GITHUB"));
    assert_eq!(hub.paths(), [EXCHANGE]);
}

/// The same when the model's API refuses; each reply in turn, then it answers.
async fn check_answer(replies: Vec<Reply>, shown: Expect) {
    let hub = Hub::start(move |received, nth| match received.path.as_str() {
        "/responses" => replies.get(nth).cloned().unwrap_or_else(hello),
        _ => good(received, nth),
    });
    let told = hub.told().await;
    let (exchanges, requests) = (hub.count(EXCHANGE), hub.count("/responses"));
    shown.assert_eq(&format!("{told} [{exchanges} exchanges, {requests} requests]"));
}

fn text(status: u16, message: &str) -> Reply {
    Reply::new(status, "text/plain; charset=utf-8", message.to_owned())
}

fn message(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        json!({ "message": message, "documentation_url": "https://docs.github.com" }).to_string(),
    )
}

#[tokio::test]
async fn the_exchange_says_no() {
    let recorded = include_str!("../../../tests/fixtures/copilot_token_401.json");
    check_exchange(
        Reply::json(401, recorded),
        expect![
            "sign_in_again: copilot does not accept the sign-in: Bad credentials (HTTP 401 Unauthorized)"
        ],
    )
    .await;
    let recorded = include_str!("../../../tests/fixtures/copilot_token_403.json");
    check_exchange(Reply::json(403, recorded), expect!["not_entitled: copilot is not available to this account: No access to GitHub Copilot found. You are currently logged in as octo-fixture; see https://github.com/github-copilot/signup"]).await;
    let details = json!({ "error_details": { "title": "Billing", "url": "javascript:alert(1)" } });
    check_exchange(
        Reply::json(403, details.to_string()),
        expect!["not_entitled: copilot is not available to this account: Billing"],
    )
    .await;
    check_exchange(message(403, "Resource not accessible by personal access token"), expect!["sign_in_again: copilot does not accept the sign-in: Copilot cannot be used with this kind of token: Resource not accessible by personal access token (HTTP 403 Forbidden)"]).await;
    check_exchange(message(404, "Not Found"), expect!["sign_in_again: copilot does not accept the sign-in: GITHUB does not know this kind of token: Not Found (HTTP 404 Not Found)"]).await;
    let limited = message(403, "API rate limit exceeded for user ID 1.").header("retry-after", "30");
    check_exchange(limited, expect!["rate_limited: copilot is limiting requests: API rate limit exceeded for user ID 1 (HTTP 403 Forbidden), retryable after 30 s"]).await;
    let limited = message(429, "API rate limit exceeded").header("x-ratelimit-reset", "1600000000");
    check_exchange(limited, expect!["rate_limited: copilot is limiting requests: API rate limit exceeded (HTTP 429 Too Many Requests), retryable after 0 s"]).await;
    check_exchange(
        text(502, "<html><title>Unicorn!</title></html>"),
        expect!["server: copilot failed: Unicorn! (HTTP 502 Bad Gateway), retryable"],
    )
    .await;
    check_exchange(
        Reply::json(200, "{}"),
        expect!["server: copilot failed: the answer to the exchange has no token, retryable"],
    )
    .await;
    check_exchange(
        Reply::new(200, "text/html", "<html>"),
        expect!["server: copilot failed: the answer to the exchange has no token, retryable"],
    )
    .await;
}

#[tokio::test]
async fn the_model_says_no() {
    let expired = || text(401, "IDE token expired: unauthorized: token expired\n");
    let forbidden = || text(403, "access to this endpoint is forbidden");
    let foreign = "input item ID does not belong to this connection";
    check_answer(vec![expired()], expect!["Hello there. [2 exchanges, 2 requests]"]).await;
    check_answer(vec![expired(), expired()], expect!["sign_in_again: copilot does not accept the sign-in: IDE token expired: unauthorized: token expired (HTTP 401 Unauthorized) [2 exchanges, 2 requests]"]).await;
    check_answer(vec![forbidden()], expect!["Hello there. [2 exchanges, 2 requests]"]).await;
    check_answer(vec![forbidden(), forbidden()], expect!["not_entitled: copilot is not available to this account: access to this endpoint is forbidden (HTTP 403 Forbidden) [2 exchanges, 2 requests]"]).await;
    // Not about the credentials; and there is no thinking to leave out.
    check_answer(vec![error(401, foreign, "")], expect!["invalid_request: copilot refused the request: input item ID does not belong to this connection (HTTP 401 Unauthorized) [1 exchanges, 1 requests]"]).await;
    check_answer(vec![error(402, "You have no quota", "quota_exceeded")], expect!["quota: copilot reports a used-up quota: You have no quota (HTTP 402 Payment Required) [1 exchanges, 1 requests]"]).await;
    check_answer(vec![error(402, "Over", "overage_limit_reached")], expect!["quota: copilot reports a used-up quota: Over (HTTP 402 Payment Required) [1 exchanges, 1 requests]"]).await;
    check_answer(
        vec![error(400, "The requested model is not supported.", "model_not_supported")],
        expect!["model_unavailable: copilot does not offer gpt-5: The requested model is not supported (HTTP 400 Bad Request) [1 exchanges, 1 requests]"],
    )
    .await;
    let long = "prompt token count of 146270 exceeds the limit of 128000";
    check_answer(vec![error(400, long, "model_max_prompt_tokens_exceeded")], expect!["context_overflow: the conversation is too long for gpt-5: prompt token count of 146270 exceeds the limit of 128000 (HTTP 400 Bad Request) [1 exchanges, 1 requests]"]).await;
    check_answer(vec![text(400, "bad request: missing Editor-Version header for IDE auth\n")], expect!["invalid_request: copilot refused the request: bad request: missing Editor-Version header for IDE auth (HTTP 400 Bad Request) [1 exchanges, 1 requests]"])
        .await;
    check_answer(vec![text(422, "content was filtered")], expect!["content_filter: copilot refused the content: content was filtered (HTTP 422 Unprocessable Entity) [1 exchanges, 1 requests]"]).await;
    check_answer(vec![text(424, "failed dependency")], expect!["invalid_request: copilot refused the request: failed dependency (HTTP 424 Failed Dependency) [1 exchanges, 1 requests]"]).await;
    check_answer(vec![text(466, "client not supported")], expect!["invalid_request: copilot refused the request: client not supported (HTTP 466) [1 exchanges, 1 requests]"]).await;
    let limited =
        error(429, "rate limit exceeded", "user_model_rate_limited:gpt-5").header("retry-after", "7");
    check_answer(vec![limited], expect!["rate_limited: copilot is limiting requests: rate limit exceeded (HTTP 429 Too Many Requests), retryable after 7 s [1 exchanges, 1 requests]"]).await;
    check_answer(vec![error(429, "busy", "model_overloaded")], expect!["rate_limited: copilot is limiting requests: busy (HTTP 429 Too Many Requests), retryable [1 exchanges, 1 requests]"]).await;
    check_answer(
        vec![text(499, "")],
        expect!["server: copilot failed: HTTP 499, retryable [1 exchanges, 1 requests]"],
    )
    .await;
    check_answer(vec![error(503, "upstream", "")], expect!["server: copilot failed: upstream (HTTP 503 Service Unavailable), retryable [1 exchanges, 1 requests]"]).await;
}

#[tokio::test]
async fn every_refusal_has_a_hint() {
    let hint = |error: ProviderError| error.hint().unwrap_or_default();
    let (provider, message) = ("copilot".to_owned(), "no".to_owned());
    let error = ProviderError::SignInAgain { provider: provider.clone(), message: message.clone() };
    assert_eq!(hint(error), "Sign in again, from the editor or with `opal login`.");
    let url = Some("https://github.com/settings/copilot".to_owned());
    let error = ProviderError::NotEntitled { provider, message, url };
    assert_eq!(
        error.to_string(),
        "copilot is not available to this account: no; see https://github.com/settings/copilot"
    );
    assert!(hint(error).starts_with("Open the address"));
}

#[tokio::test]
async fn recorded_refusals_end_as_their_class_says() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/error_bodies.json")).unwrap();
    for case in cases.as_array().unwrap().iter().filter(|case| case["vendor"] == "copilot") {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let mut reply = text(status, case["body"].as_str().unwrap());
        for (name, value) in case["headers"].as_object().unwrap() {
            reply = reply.header(name, value.as_str().unwrap());
        }
        let hub = Hub::start(move |received, nth| match received.path.as_str() {
            EXCHANGE | "/models" => good(received, nth),
            _ => reply.clone(),
        });
        let code = hub.ask(prompt()).await.unwrap_err().code();
        let expected = match case["class"].as_str().unwrap() {
            "auth" => "sign_in_again",
            "wrong_endpoint" => "wrong_api",
            "replay" => "invalid_request",
            "rate_limit" => "rate_limited",
            class => class,
        };
        assert_eq!(code, expected, "{case}");
    }
}

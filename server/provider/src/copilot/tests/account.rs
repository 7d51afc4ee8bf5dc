//! What an account is asked and told outside of answers.

use super::*;

#[tokio::test]
async fn an_account_and_its_quotas() {
    let hub = Hub::start(|received, _| {
        assert_eq!((received.method.as_str(), received.path.as_str()), ("GET", "/copilot_internal/user"));
        assert_eq!(received.header("authorization"), Some("Bearer ghu_VerySecret0000"));
        assert_eq!(received.header("accept"), Some("application/json"));
        Reply::json(200, r#"{"login":"octo","copilot_plan":"individual"}"#)
    });
    let (config, token) = (config(&hub.server), Secret::new(GITHUB_TOKEN));
    let account = tokio::spawn(async move { crate::account(&config, &token).await }).await.unwrap().unwrap();
    assert_eq!((account.login.as_deref(), account.plan.as_deref()), (Some("octo"), Some("individual")));
}

#[tokio::test]
async fn an_account_that_is_no_more() {
    let hub = Hub::start(|_, _| Reply::json(401, r#"{"message":"Bad credentials ghu_VerySecret0000"}"#));
    let error = crate::account(&config(&hub.server), &Secret::new(GITHUB_TOKEN)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "copilot does not accept the sign-in: Bad credentials *** (HTTP 401 Unauthorized)"
    );
}

#[tokio::test]
async fn a_model_is_enabled_when_the_user_says_so() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/models/gpt-5/policy" => {
            let header = |name| received.header(name).unwrap().to_owned();
            assert_eq!(header("openai-intent"), "chat-policy");
            assert_eq!(header("x-interaction-type"), "chat-policy");
            assert_eq!(received.json(), json!({ "state": "enabled" }));
            Reply::json(200, "{}")
        }
        _ => good(received, nth),
    });
    let copilot = hub.copilot.clone();
    // In a task, as its caller will have it.
    tokio::spawn(async move { copilot.enable_model("gpt-5").await }).await.unwrap().unwrap();
    hub.copilot.models().await.unwrap();
    assert_eq!(hub.paths(), [EXCHANGE, "/models", "/models/gpt-5/policy", "/models"]);
    let error = hub.copilot.enable_model("../evil").await.unwrap_err();
    assert_eq!(error.code(), "model_unavailable");
    assert_eq!(hub.paths().len(), 0);
}

#[tokio::test]
async fn a_model_that_the_service_does_not_know_has_the_list_read_again() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/responses" => error(400, "The requested model is not supported.", "model_not_supported"),
        _ => good(received, nth),
    });
    hub.told().await;
    hub.told().await;
    assert_eq!(hub.count("/models"), 2);
}

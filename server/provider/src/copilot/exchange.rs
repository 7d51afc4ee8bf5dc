//! The exchange of a GitHub token for a Copilot token, and what GitHub says when it refuses one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use reqwest::Method;
use serde_json::Value;

use super::token::Token;
use crate::classify::{Class, plain};
use crate::endpoint::Target;
use crate::http::{Http, Response};
use crate::secret::masked;
use crate::{CopilotConfig, ProviderError, Secret};

const PATH: &str = "copilot_internal/v2/token";

/// Exchanges once.
///
/// # Errors
/// What is retryable is transient; what is not, another try meets again.
pub(super) async fn exchange(
    http: &Http,
    config: &CopilotConfig,
    github: &Secret,
    now: SystemTime,
) -> Result<Token, ProviderError> {
    let target = config.api_target(PATH, github).map_err(|error| config.misfit(&error))?;
    let response = http.call(&target, Method::GET, None).await?;
    if !response.status.is_success() {
        return Err(refusal(&response, &target, now));
    }
    Token::read(&response.json(), config, now).ok_or_else(|| {
        let message = "the answer to the exchange has no token".to_owned();
        ProviderError::Server { provider: config.name.clone(), message, retry_after: None }
    })
}

fn refusal(response: &Response, target: &Target, now: SystemTime) -> ProviderError {
    let provider = target.name.clone();
    let mut failure = response.failure();
    failure.message = masked(failure.message);
    let message = failure.said();
    let status = response.status.as_u16();
    let is_limit = failure.message.to_lowercase().contains("rate limit");
    if status == 429 || (status == 403 && is_limit) {
        let retry_after = failure.retry_after.or_else(|| reset(&response.headers, now));
        return ProviderError::RateLimited { provider, message, retry_after };
    }
    if status == 403
        && let Some((message, url)) = details(&response.json())
    {
        return ProviderError::NotEntitled { provider, message: masked(message), url };
    }
    match status {
        401 => ProviderError::SignInAgain { provider, message },
        // A personal access token, or one of an app that may not use Copilot.
        403 => {
            let message = format!("Copilot cannot be used with this kind of token: {message}");
            ProviderError::SignInAgain { provider, message }
        }
        404 => {
            let message = format!("{} does not know this kind of token: {message}", target.shown);
            ProviderError::SignInAgain { provider, message }
        }
        _ => {
            // No model was asked, so nothing that is said is about one.
            if !matches!(failure.class, Class::Server | Class::Quota) {
                failure.class = Class::InvalidRequest;
            }
            failure.into_error(&provider, "")
        }
    }
}

/// What the user can be told, and where to go.
fn details(body: &Value) -> Option<(String, Option<String>)> {
    let text = |field: &str| {
        let text = plain(body.pointer(&format!("/error_details/{field}"))?.as_str()?);
        Some(text).filter(|text| !text.is_empty())
    };
    let message = text("message").or_else(|| text("title"))?;
    let url = text("url").filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    Some((message.trim_end_matches('.').to_owned(), url))
}

/// GitHub says when, in seconds since 1970.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let at = headers.get("x-ratelimit-reset")?.to_str().ok()?.trim().parse().ok()?;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(at))?;
    Some(at.duration_since(now).unwrap_or_default())
}

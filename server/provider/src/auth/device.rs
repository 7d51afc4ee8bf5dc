//! Signing in with a code that the user enters in a browser, on whatever machine (RFC 8628).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::SignInError;
use crate::classify::plain;
use crate::clock::{SharedClock, System};
use crate::endpoint::Target;
use crate::http::{Http, Response};
use crate::lenient::count;
use crate::secret::masked;
use crate::{CopilotConfig, Secret, Timeouts};

/// As GitHub's tools ask for; it grants no more than to see who it is.
const SCOPE: &str = "read:user";
/// Where the service does not say, as RFC 8628 has it.
const INTERVAL: Duration = Duration::from_secs(5);
/// As GitHub's codes live.
const EXPIRES_IN: Duration = Duration::from_secs(900);
/// No service asks for more, and no wrong number may lead to an endless wait.
const MAX_SECS: u64 = 24 * 3600;
/// Added to the interval by each `slow_down` that names none.
const SLOWER: Duration = Duration::from_secs(5);
/// Each wait is longer than asked for. Where the clock runs fast, as in some virtual machines, the service
/// finds every poll too early otherwise.
const MARGIN: f64 = 1.2;
/// The same once the service has found one too early.
const MARGIN_AFTER_SLOW_DOWN: f64 = 1.4;

/// A sign-in that waits for its user. Dropping it gives it up.
pub struct DeviceFlow {
    code: DeviceCode,
    http: Http,
    /// Where to ask for the token.
    target: Target,
    host: String,
    body: Vec<u8>,
    clock: SharedClock,
    deadline: Instant,
    interval: Duration,
    margin: f64,
    /// As long as a second of the service's.
    second: Duration,
}

/// What the user needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// To be typed, as in `WDJB-MJHT`.
    pub user_code: String,
    /// Where; `http` or `https`.
    pub verification_uri: String,
    /// The same with the code in it, where the service has that.
    pub verification_uri_complete: Option<String>,
    pub expires_in: Duration,
}

/// What signing in brings.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The GitHub token; it stays good for months, unless `expires_in` says otherwise.
    pub token: Secret,
    /// For a new token when this one has run out; with GitHub Apps whose tokens expire, not by default.
    pub refresh_token: Option<Secret>,
    pub expires_in: Option<Duration>,
}

/// What one poll tells.
#[derive(Debug)]
enum Poll {
    Granted(Granted),
    Pending,
    SlowDown(Option<Duration>),
    /// No sensible answer; the next may be one.
    Lost(SignInError),
    Failed(SignInError),
}

impl DeviceFlow {
    /// Asks for a code. Show it to the user, then [`wait`](Self::wait).
    ///
    /// # Errors
    /// When the service cannot be reached or gives none.
    pub async fn start(config: &CopilotConfig, timeouts: &Timeouts) -> Result<Self, SignInError> {
        Self::start_at(config, timeouts, Arc::new(System)).await
    }

    pub(crate) async fn start_at(
        config: &CopilotConfig,
        timeouts: &Timeouts,
        clock: SharedClock,
    ) -> Result<Self, SignInError> {
        let http = Http::new(*timeouts);
        let second = timeouts.code_second;
        let target = config.login_target("login/device/code")?;
        let host = config.github_host();
        let body = json!({ "client_id": config.identity.client_id, "scope": SCOPE }).to_string();
        let response = http
            .call(&target, Method::POST, Some(body.into_bytes()))
            .await
            .map_err(|error| SignInError::unreachable(&host, error))?;
        let answer = response.json();
        let Some((device_code, user_code)) = text(&answer, "device_code").zip(text(&answer, "user_code"))
        else {
            return Err(refusal(&host, &response, &answer));
        };
        let code = DeviceCode {
            user_code: plain(user_code),
            verification_uri: web_address(&answer, "verification_uri")
                .unwrap_or_else(|| format!("{}/login/device", config.github_url())),
            verification_uri_complete: web_address(&answer, "verification_uri_complete"),
            expires_in: seconds(&answer, "expires_in").unwrap_or(EXPIRES_IN),
        };
        let body = json!({
            "client_id": config.identity.client_id,
            "device_code": device_code,
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        });
        let mut target = config.login_target("login/oauth/access_token")?;
        target.also_uses(Secret::new(device_code));
        Ok(Self {
            deadline: clock.now() + second.mul_f64(code.expires_in.as_secs_f64()),
            interval: seconds(&answer, "interval").unwrap_or(INTERVAL),
            margin: MARGIN,
            second,
            body: body.to_string().into_bytes(),
            code,
            http,
            target,
            host,
            clock,
        })
    }

    pub fn code(&self) -> &DeviceCode {
        &self.code
    }

    /// Waits until the user has decided, the code has expired, or the service will not have it. A network
    /// that comes and goes is waited for.
    ///
    /// # Errors
    /// [`SignInError::Unreachable`] if the network was away when the code expired; else as the user or the
    /// service ended it.
    pub async fn wait(mut self) -> Result<Granted, SignInError> {
        let mut ending = SignInError::Expired;
        loop {
            let pause = self.second.mul_f64(self.interval.as_secs_f64() * self.margin);
            let left = self.deadline.saturating_duration_since(self.clock.now());
            self.clock.sleep(pause.min(left)).await;
            if self.clock.now() >= self.deadline {
                return Err(ending);
            }
            ending = SignInError::Expired;
            match self.poll().await {
                Poll::Granted(granted) => return Ok(granted),
                Poll::Pending => {}
                Poll::SlowDown(interval) => {
                    self.interval = interval.unwrap_or(self.interval + SLOWER);
                    self.margin = MARGIN_AFTER_SLOW_DOWN;
                    tracing::debug!(interval = ?self.interval, "asked to poll more slowly");
                }
                Poll::Lost(error) => {
                    tracing::debug!(%error, "a poll brought nothing");
                    ending = error;
                }
                Poll::Failed(error) => return Err(error),
            }
        }
    }

    async fn poll(&self) -> Poll {
        match self.http.call(&self.target, Method::POST, Some(self.body.clone())).await {
            Ok(response) => self.read(&response),
            Err(error) => Poll::Lost(SignInError::unreachable(&self.host, error)),
        }
    }

    /// The body tells, not the status: some services answer 400 while they wait.
    fn read(&self, response: &Response) -> Poll {
        let answer = response.json();
        if let Some(granted) = Granted::read(&answer) {
            return Poll::Granted(granted);
        }
        match text(&answer, "error") {
            Some("authorization_pending") => Poll::Pending,
            Some("slow_down") => Poll::SlowDown(seconds(&answer, "interval")),
            None if response.status == 429 => Poll::SlowDown(None),
            None if response.status.is_server_error() || !answer.is_object() => {
                let message = masked(response.failure().said());
                Poll::Lost(SignInError::Unreachable { host: self.host.clone(), message })
            }
            _ => Poll::Failed(refusal(&self.host, response, &answer)),
        }
    }
}

/// Gets another token in place of one that runs out. What comes has another refresh token with it: each is
/// good for one use.
///
/// # Errors
/// [`SignInError::Refused`] and its like if only signing in again can help.
pub async fn refresh(
    config: &CopilotConfig,
    refresh_token: &Secret,
    timeouts: &Timeouts,
) -> Result<Granted, SignInError> {
    let mut target = config.login_target("login/oauth/access_token")?;
    target.also_uses(refresh_token.clone());
    let body = json!({
        "client_id": config.identity.client_id,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token.reveal(),
    });
    let host = config.github_host();
    let response = Http::new(*timeouts)
        .call(&target, Method::POST, Some(body.to_string().into_bytes()))
        .await
        .map_err(|error| SignInError::unreachable(&host, error))?;
    let answer = response.json();
    Granted::read(&answer).ok_or_else(|| refusal(&host, &response, &answer))
}

impl Granted {
    fn read(answer: &Value) -> Option<Self> {
        Some(Self {
            token: Secret::new(text(answer, "access_token")?),
            refresh_token: text(answer, "refresh_token").map(Secret::new),
            expires_in: seconds(answer, "expires_in"),
        })
    }
}

/// The codes that stand in bodies are secret, and so are the tokens.
impl fmt::Debug for DeviceFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceFlow")
            .field("code", &self.code)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

fn refusal(host: &str, response: &Response, answer: &Value) -> SignInError {
    let error = text(answer, "error").unwrap_or_default();
    let described =
        text(answer, "error_description").map(|said| plain(said).trim_end_matches('.').to_owned());
    let message = described.unwrap_or_else(|| match error {
        "" if response.status.is_success() => "the answer could not be read".to_owned(),
        "" => response.failure().said(),
        error => plain(error),
    });
    let (host, message) = (host.to_owned(), masked(message));
    match error {
        "expired_token" => SignInError::Expired,
        "access_denied" => SignInError::Denied,
        "incorrect_device_code" | "bad_verification_code" => SignInError::BadCode { host, message },
        "incorrect_client_credentials" | "unauthorized_client" | "invalid_client" => {
            SignInError::BadClient { host, message }
        }
        "device_flow_disabled" => SignInError::FlowDisabled { host, message },
        // An unknown client id, and a host that is no GitHub.
        _ if response.status == 404 => SignInError::BadClient { host, message },
        _ if response.status.is_server_error() => SignInError::Unreachable { host, message },
        _ => SignInError::Refused { host, message },
    }
}

fn text<'a>(answer: &'a Value, field: &str) -> Option<&'a str> {
    answer.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// A number of seconds that says something.
fn seconds(answer: &Value, field: &str) -> Option<Duration> {
    let seconds = count(answer, &format!("/{field}")).filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.min(MAX_SECS)))
}

/// What a browser may be started with.
fn web_address(answer: &Value, field: &str) -> Option<String> {
    let url = Url::parse(text(answer, field)?).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

#[cfg(test)]
mod tests;

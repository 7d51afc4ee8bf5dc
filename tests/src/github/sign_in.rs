//! `github.com`: codes, and what users do with them.

use replay::{Received, Reply, Step};
use serde_json::{Value, json};

use super::{State, fixture, unique};

/// What a poll finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Poll {
    /// The user has entered the code.
    #[default]
    Granted,
    Pending,
    /// Too early; the interval in seconds that is wanted from now on.
    SlowDown(u64),
    /// The user has pressed cancel.
    Denied,
    Expired,
    /// The connection breaks in the middle of the answer.
    Lost,
    /// A page of the load balancer's.
    Busy,
}

impl State {
    pub(super) fn login(&mut self, received: &Received) -> Reply {
        self.check_secrets(received, "github.com", |state, secret| {
            state.device_code == secret || state.refresh_tokens.iter().any(|token| token == secret)
        });
        if received.header("authorization").is_some() {
            self.problem("a sign-in with an authorization");
        }
        if received.header("accept") != Some("application/json") {
            self.problem("a sign-in that does not ask for JSON");
        }
        let body = received.json();
        if received.method != "POST" || body["client_id"].as_str().is_none_or(str::is_empty) {
            self.problem(format!("a sign-in that is not one: {} {body}", received.path));
        }
        match received.path.as_str() {
            "/login/device/code" => self.code(),
            "/login/oauth/access_token" if body["grant_type"] == "refresh_token" => self.refresh(&body),
            "/login/oauth/access_token" => self.poll(&body),
            path => {
                self.problem(format!("a request to github.com{path}"));
                Reply::json(404, r#"{"error":"Not Found"}"#)
            }
        }
    }

    fn code(&mut self) -> Reply {
        let mut code: Value = serde_json::from_str(fixture!("device_code.json")).unwrap();
        self.n_codes += 1;
        self.device_code = unique();
        code["device_code"] = json!(self.device_code);
        code["interval"] = json!(self.interval);
        code["expires_in"] = json!(self.expires_in);
        Reply::json(200, code.to_string())
    }

    /// Each refresh token is good for one use.
    fn refresh(&mut self, body: &Value) -> Reply {
        self.n_refreshes += 1;
        let n_before = self.refresh_tokens.len();
        self.refresh_tokens.retain(|token| body["refresh_token"] != token.as_str());
        let answer = if self.refresh_tokens.len() < n_before {
            // The old one ends with it.
            self.tokens.iter_mut().for_each(|(_, good)| *good = false);
            let (token, refresh_token) = (self.new_token(), self.new_refresh_token());
            json!({ "access_token": token, "token_type": "bearer", "scope": "",
                "expires_in": self.lifetime, "refresh_token": refresh_token })
        } else {
            json!({ "error": "bad_refresh_token",
                "error_description": "The refresh token passed is incorrect or expired." })
        };
        Reply::json(200, answer.to_string())
    }

    fn poll(&mut self, body: &Value) -> Reply {
        if body["grant_type"] != "urn:ietf:params:oauth:grant-type:device_code" {
            self.problem(format!("a poll for {}", body["grant_type"]));
        }
        // Another sign-in may have been given a code since.
        if body["device_code"] != self.device_code.as_str() && self.n_codes < 2 {
            self.problem("a poll with another code");
        }
        let ok = |body: &str| Reply::json(200, body.to_owned());
        match self.polls.pop_front().unwrap_or(self.afterwards) {
            Poll::Granted => {
                let mut granted: Value = serde_json::from_str(fixture!("device_poll_success.json")).unwrap();
                granted["access_token"] = json!(self.new_token());
                if let Some(seconds) = self.lifetime {
                    granted["expires_in"] = json!(seconds);
                    granted["refresh_token"] = json!(self.new_refresh_token());
                }
                ok(&granted.to_string())
            }
            Poll::Pending => ok(fixture!("device_poll_pending.json")),
            Poll::SlowDown(interval) => {
                let mut answer: Value = serde_json::from_str(fixture!("device_poll_slow_down.json")).unwrap();
                answer["interval"] = json!(interval);
                ok(&answer.to_string())
            }
            Poll::Denied => ok(fixture!("device_poll_denied.json")),
            Poll::Expired => ok(fixture!("device_poll_expired.json")),
            Poll::Lost => Reply::stream(vec![Step::from("{\"acc"), Step::Cut]),
            Poll::Busy => Reply::new(502, "text/html", "<html><title>Unicorn!</title></html>"),
        }
    }
}

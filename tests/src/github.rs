//! A double of GitHub and of Copilot: three hosts on loopback, each of which takes its own token only.
//!
//! It signs users in with a code, exchanges tokens, tells accounts, lists models and lets a [`FakeModel`]
//! answer under each of the three APIs. A header that Copilot wants and does not get, and a secret that comes
//! to a host it is not for, fail the test when the double is dropped.

mod copilot;
mod sign_in;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use replay::{Received, Reply, Server};
use serde_json::{Value, json};

use crate::background::{self, DEADLINE};
use crate::model::FakeModel;

pub use sign_in::Poll;

/// Who is signed in with every token.
pub const ACCOUNT: &str = "octo-fixture";

/// GitHub, as Opal sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GitHub {
    shared: Arc<Shared>,
    /// What answers behind Copilot.
    pub model: FakeModel,
}

struct Shared {
    /// `github.com`.
    login: Server,
    /// `api.github.com`.
    api: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What the user does with the code, one for each poll; then the last.
    polls: VecDeque<Poll>,
    afterwards: Poll,
    interval: u64,
    expires_in: u64,
    /// Of the code that was given last.
    device_code: String,
    /// GitHub's tokens, and whether they are good.
    tokens: Vec<(String, bool)>,
    /// Tokens are good for so many seconds, and come with another for the next.
    lifetime: Option<u64>,
    /// Those that were not used yet.
    refresh_tokens: Vec<String>,
    n_refreshes: usize,
    /// Copilot takes GitHub's own tokens.
    takes_github_tokens: bool,
    /// Models that the account has no permission for yet.
    locked: Vec<String>,
    /// Copilot's tokens, and whether they are good.
    exchanged: Vec<(String, bool)>,
    /// What the exchange answers in place of a token.
    refusal: Option<Reply>,
    n_codes: usize,
    n_exchanges: usize,
    /// What Copilot answers to the next requests, in place of the model.
    copilot_refusals: VecDeque<Reply>,
    request_ids: BTreeSet<String>,
    problems: Vec<String>,
}

impl GitHub {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State { interval: 5, expires_in: 900, ..State::default() }));
        let on = |reply: fn(&mut State, &Received) -> Reply| {
            let state = state.clone();
            move |received: Received| reply(&mut lock(&state), &received)
        };
        let (login, api) = (on(State::login), on(State::api));
        let servers =
            background::spawn(async { (Server::start(login).unwrap(), Server::start(api).unwrap()) });
        let (login, api) = servers.await.unwrap();
        let behind = state.clone();
        let model = FakeModel::behind(move |received| lock(&behind).copilot(received)).await;
        Self { shared: Arc::new(Shared { login, api, state }), model }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    /// A `config.toml` with which Opal takes this for GitHub, and nothing else for a model.
    pub fn config(&self) -> String {
        let (github, api) = (self.shared.login.url(), self.shared.api.url());
        let base = self.model.origin();
        format!(
            "local_servers = {{}}\n[copilot]\ngithub_url = \"{github}\"\napi_url = \"{api}\"\nbase_url = \"{base}\"\n"
        )
    }

    /// What the user does with the code that comes next, as the polls see it. At first, and after the last
    /// of these: enters it.
    pub fn user(&self, polls: impl IntoIterator<Item = Poll>) {
        self.state().polls.extend(polls);
    }

    /// What the user does when nothing else was said.
    pub fn user_always(&self, poll: Poll) {
        self.state().afterwards = poll;
    }

    /// The seconds that come with a code: between two polls, and until it has run out.
    pub fn pace(&self, interval: u64, expires_in: u64) {
        let mut state = self.state();
        (state.interval, state.expires_in) = (interval, expires_in);
    }

    /// An `auth.json` of somebody who is signed in.
    pub fn auth_json(&self) -> String {
        let token = self.state().new_token();
        json!({ "copilot": { "domain": "github.com", "token": token, "account": ACCOUNT } }).to_string()
    }

    /// The same, with a token that runs out in so many seconds and one for the next, as all that follow.
    pub fn auth_json_for(&self, seconds: u64) -> String {
        let mut state = self.state();
        state.lifetime = Some(8 * 3600);
        let (token, refresh_token) = (state.new_token(), state.new_refresh_token());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires_at_ms = (now.as_millis() as u64) + seconds * 1000;
        json!({ "copilot": { "domain": "github.com", "token": token, "account": ACCOUNT,
            "expires_at_ms": expires_at_ms, "refresh_token": refresh_token } })
        .to_string()
    }

    /// Tokens of new sign-ins are good for so many seconds.
    pub fn tokens_last(&self, seconds: u64) {
        self.state().lifetime = Some(seconds);
    }

    /// No token is renewed any more.
    pub fn forget_refresh_tokens(&self) {
        self.state().refresh_tokens.clear();
    }

    pub fn n_refreshes(&self) -> usize {
        self.state().n_refreshes
    }

    /// Copilot takes GitHub's own tokens.
    pub fn takes_github_tokens(&self) {
        self.state().takes_github_tokens = true;
    }

    /// The account has to accept the terms of this model first.
    pub fn lock(&self, model: &str) {
        self.state().locked.push(model.into());
    }

    /// A token of another program, good for Copilot.
    pub fn token(&self) -> String {
        self.state().new_token()
    }

    /// Takes every GitHub token back, and what was exchanged for it.
    pub fn revoke(&self) {
        let mut state = self.state();
        state.tokens.iter_mut().for_each(|(_, good)| *good = false);
        state.exchanged.iter_mut().for_each(|(_, good)| *good = false);
    }

    /// The Copilot tokens that were handed out run out.
    pub fn expire(&self) {
        self.state().exchanged.iter_mut().for_each(|(_, good)| *good = false);
    }

    /// The exchange answers this from now on; `None`: a token again.
    pub fn refuse_exchange(&self, refusal: Option<Reply>) {
        self.state().refusal = refusal;
    }

    /// The account has no Copilot.
    pub fn not_entitled(&self) {
        self.refuse_exchange(Some(Reply::json(403, fixture!("copilot_token_403.json"))));
    }

    /// Copilot answers this to the next request for an answer.
    pub fn refuse_next(&self, status: u16, code: &str, message: &str) {
        let body = json!({ "error": { "message": message, "code": code } }).to_string();
        self.state().copilot_refusals.push_back(Reply::json(status, body));
    }

    pub fn n_codes(&self) -> usize {
        self.state().n_codes
    }

    pub fn n_exchanges(&self) -> usize {
        self.state().n_exchanges
    }

    /// The Copilot token that was handed out last.
    pub fn copilot_token(&self) -> String {
        self.state().exchanged.last().map(|(token, _)| token.clone()).expect("a token was exchanged")
    }

    /// Every secret there ever was: device codes, GitHub's tokens and Copilot's.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let tokens = state.tokens.iter().chain(&state.exchanged).map(|(token, _)| token.clone());
        let tokens = tokens.chain(state.refresh_tokens.iter().cloned());
        tokens.chain(Some(state.device_code.clone()).filter(|code| !code.is_empty())).collect()
    }

    /// Waits until so many requests for a code, and polls, have come.
    pub async fn asked(&self, n: usize) {
        let asked = tokio::time::timeout(DEADLINE, self.shared.login.received(n)).await;
        asked.unwrap_or_else(|_| panic!("GitHub was asked {} times, not {n}", self.n_asked()));
    }

    pub fn n_asked(&self) -> usize {
        self.shared.login.requests()
    }
}

impl State {
    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    fn new_token(&mut self) -> String {
        let token = format!("ghu_{}", unique());
        self.tokens.push((token.clone(), true));
        token
    }

    fn new_refresh_token(&mut self) -> String {
        let token = format!("ghr_{}", unique());
        self.refresh_tokens.push(token.clone());
        token
    }

    /// `api.github.com`: takes GitHub's tokens.
    fn api(&mut self, received: &Received) -> Reply {
        self.check_secrets(received, "api.github.com", |state, secret| {
            state.tokens.iter().any(|(token, _)| token == secret)
        });
        if received.header("user-agent").is_none_or(str::is_empty) {
            self.problem("a request to api.github.com without a user agent");
        }
        if received.method != "GET" {
            self.problem(format!("a {} to api.github.com", received.method));
        }
        let token = received.header("authorization").and_then(|header| header.split_once(' '));
        let is_good = |(kind, token): (&str, &str)| {
            let known = self.tokens.iter().any(|(known, good)| known == token && *good);
            known && matches!(kind, "Bearer" | "token")
        };
        if !token.is_some_and(is_good) {
            return Reply::json(401, fixture!("copilot_token_401.json"));
        }
        match received.path.as_str() {
            "/copilot_internal/v2/token" => {
                self.n_exchanges += 1;
                match &self.refusal {
                    Some(refusal) => refusal.clone(),
                    None => self.exchange(),
                }
            }
            "/copilot_internal/user" => Reply::json(
                200,
                json!({
                    "login": ACCOUNT, "copilot_plan": "individual", "access_type_sku": "monthly_subscriber_quota",
                    "chat_enabled": true, "quota_reset_date": "2026-12-01",
                    "quota_snapshots": { "premium_interactions":
                        { "entitlement": 300, "remaining": 120, "percent_remaining": 40.0 } },
                })
                .to_string(),
            ),
            path => {
                self.problem(format!("a request to api.github.com{path}"));
                Reply::json(404, r#"{"message":"Not Found"}"#)
            }
        }
    }

    fn exchange(&mut self) -> Reply {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut answer: Value = serde_json::from_str(fixture!("copilot_token.json")).unwrap();
        let rest = "sku=monthly_subscriber_quota;proxy-ep=proxy.individual.githubcopilot.com;st=dotcom";
        let (expires_at, mac) = (now + 1800, unique());
        let token = format!("tid={};exp={expires_at};{rest}:{mac}", unique());
        answer["token"] = json!(token);
        answer["expires_at"] = json!(expires_at);
        self.exchanged.push((token, true));
        Reply::json(200, answer.to_string())
    }

    /// Notes every secret in a request that is not one of this host's.
    fn check_secrets(&mut self, received: &Received, host: &str, may: impl Fn(&Self, &str) -> bool) {
        let mut said = format!("{} {:?} ", received.path, received.headers);
        said.push_str(&String::from_utf8_lossy(&received.body));
        let secrets = self.tokens.iter().chain(&self.exchanged).map(|(token, _)| token.clone());
        let others = self.refresh_tokens.iter().cloned().chain([self.device_code.clone()]);
        let secrets: Vec<String> = secrets.chain(others).collect();
        for secret in secrets.iter().filter(|secret| !secret.is_empty() && said.contains(*secret)) {
            if !may(self, secret) {
                self.problem(format!("{secret} came to {host}{}", received.path));
            }
        }
    }
}

/// Text that stands nowhere else: stories search for it, and several run at once.
fn unique() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}{number:04x}NotAWordThatAnybodyWrites", std::process::id())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("login", &self.login).finish_non_exhaustive()
    }
}

/// The last clone goes: whatever was wrong fails the test.
impl Drop for Shared {
    fn drop(&mut self) {
        let problems = std::mem::take(&mut lock(&self.state).problems);
        if problems.is_empty() {
            return;
        }
        let problems = format!("the requests to GitHub:\n  {}", problems.join("\n  "));
        match std::thread::panicking() {
            true => eprintln!("{problems}"),
            false => panic!("{problems}"),
        }
    }
}

/// A recorded answer.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../server/provider/tests/fixtures/", $name))
    };
}
use fixture;

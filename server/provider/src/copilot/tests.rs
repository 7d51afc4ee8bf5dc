//! Copilot over a real socket: GitHub and the models are one server that does as it is told.

mod account;
mod answers;
mod refusals;
mod tokens;

use std::time::{Duration, SystemTime};

use replay::{Received, Recording, Reply, Server};
use serde_json::json;

use super::*;
use crate::clock::Hasty;
use crate::tests::{LONG, ask, hello, prompt, request};

const EXCHANGE: &str = "/copilot_internal/v2/token";
const GITHUB_TOKEN: &str = "ghu_VerySecret0000";

/// A GitHub, what it was asked, and a Copilot that uses it.
struct Hub {
    server: Server,
    log: Arc<Mutex<Vec<Received>>>,
    clock: Arc<Hasty>,
    copilot: Copilot,
}

impl Hub {
    /// `reply` gets each request and how many there were to the same path before.
    fn start(reply: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, reply)
    }

    fn with(
        configure: impl FnOnce(&mut CopilotConfig),
        reply: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let log = Arc::new(Mutex::new(Vec::<Received>::new()));
        let keep = log.clone();
        let server = Server::start(move |received| {
            let mut log = keep.lock().unwrap();
            let nth = log.iter().filter(|earlier| earlier.path == received.path).count();
            log.push(received.clone());
            reply(&received, nth)
        })
        .unwrap();
        let mut config = config(&server);
        configure(&mut config);
        let clock = Hasty::at(SystemTime::now());
        let copilot = Copilot::at(config, Secret::new(GITHUB_TOKEN), timeouts(), clock.clone()).unwrap();
        Self { server, log, clock, copilot }
    }

    async fn ask(&self, request: Request) -> Result<crate::Answer, ProviderError> {
        let provider: Arc<dyn Provider> = Arc::new(self.copilot.clone());
        ask(&provider, request).await
    }

    /// What a prompt comes to, in words.
    async fn told(&self) -> String {
        match self.ask(prompt()).await {
            Ok(answer) => answer.text(),
            Err(error) => {
                let retryable = if error.is_retryable() { ", retryable" } else { "" };
                let pause = error.retry_after().map(|pause| format!(" after {} s", pause.as_secs()));
                format!("{}: {error}{retryable}{}", error.code(), pause.unwrap_or_default())
            }
        }
    }

    fn count(&self, path: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|received| received.path == path).count()
    }

    /// The paths asked for since the last time, in order.
    fn paths(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap()).into_iter().map(|received| received.path).collect()
    }

    fn last(&self) -> Received {
        self.log.lock().unwrap().last().unwrap().clone()
    }
}

fn timeouts() -> Timeouts {
    Timeouts { connect: LONG, headers: LONG, local_headers: LONG, idle: LONG, ..Timeouts::default() }
}

fn config(server: &Server) -> CopilotConfig {
    let url = Some(server.url());
    CopilotConfig { github_url: url.clone(), api_url: url.clone(), base_url: url, ..CopilotConfig::default() }
}

/// The nth token, good for half an hour from now.
fn token(nth: usize) -> Reply {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    Reply::json(
        200,
        json!({
            "token": format!("tid=secret{nth};exp=1;proxy-ep=proxy.individual.githubcopilot.com:mac"),
            "expires_at": now + 1800,
            "refresh_in": 1500,
        })
        .to_string(),
    )
}

fn error(status: u16, message: &str, code: &str) -> Reply {
    Reply::json(status, json!({ "error": { "message": message, "code": code } }).to_string())
}

/// `gpt-5` under Responses.
fn models() -> Reply {
    listed(&[("gpt-5", "/responses")])
}

fn listed(models: &[(&str, &str)]) -> Reply {
    let entry = |(id, endpoint): &(&str, &str)| json!({ "id": id, "supported_endpoints": [endpoint] });
    Reply::json(200, json!({ "data": models.iter().map(entry).collect::<Vec<_>>() }).to_string())
}

/// A GitHub where all is well.
fn good(received: &Received, nth: usize) -> Reply {
    match received.path.as_str() {
        EXCHANGE => token(nth + 1),
        "/models" => models(),
        "/responses" => hello(),
        _ => Reply::new(404, "text/plain", "no such path"),
    }
}

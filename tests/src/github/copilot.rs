//! Copilot's models: what has to come with a request before a model sees it.

use replay::{Received, Reply};
use serde_json::{Value, json};

use super::{State, fixture};
use crate::model::Family;

impl State {
    /// The API that a request is for, or the reply to it.
    pub(super) fn copilot(&mut self, received: &Received) -> Result<Family, Reply> {
        self.check_secrets(received, "api.githubcopilot.com", |state, secret| {
            let of_github =
                state.takes_github_tokens && state.tokens.iter().any(|(token, _)| token == secret);
            of_github || state.exchanged.iter().any(|(token, _)| token == secret)
        });
        self.check_headers(received);
        let bearer = received.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let known = if self.takes_github_tokens { &self.tokens } else { &self.exchanged };
        match known.iter().find(|(token, _)| Some(token.as_str()) == bearer) {
            Some((_, true)) => {}
            Some((_, false)) => {
                let text = "unauthorized: token expired\n";
                return Err(Reply::new(401, "text/plain", text));
            }
            None => {
                self.problem(format!("{} without a token of Copilot's", received.path));
                return Err(Reply::new(401, "text/plain", "unauthorized: no token\n"));
            }
        }
        let family = match (received.method.as_str(), received.path.as_str()) {
            ("GET", "/models") => return Err(Reply::json(200, self.models().to_string())),
            ("POST", path) if path.ends_with("/policy") => return Err(self.policy(received)),
            ("POST", "/responses") => Family::Responses,
            ("POST", "/chat/completions") => Family::Chat,
            ("POST", "/v1/messages") => Family::Anthropic,
            (method, path) => {
                self.problem(format!("a request to {method} {path}"));
                return Err(Reply::new(404, "text/plain", "404 page not found\n"));
            }
        };
        self.check_post(received, family);
        if let Some(model) = received.json()["model"].as_str().filter(|model| self.is_locked(model)) {
            let message = format!("The requested model is not supported. Model is not enabled: {model}");
            let body = json!({ "error": { "message": message, "code": "model_not_supported" } });
            return Err(Reply::json(400, body.to_string()));
        }
        match self.copilot_refusals.pop_front() {
            Some(refusal) => Err(refusal),
            None => Ok(family),
        }
    }

    fn is_locked(&self, model: &str) -> bool {
        self.locked.iter().any(|locked| locked == model)
    }

    fn models(&self) -> Value {
        let mut models: Value = serde_json::from_str(fixture!("copilot_models.json")).unwrap();
        for model in models["data"].as_array_mut().into_iter().flatten() {
            if self.is_locked(model["id"].as_str().unwrap_or_default()) {
                model["policy"] = json!({ "state": "unconfigured", "terms": "Enable access to this model." });
            }
        }
        models
    }

    /// The user accepts a model's terms.
    fn policy(&mut self, received: &Received) -> Reply {
        if received.json() != json!({ "state": "enabled" })
            || received.header("openai-intent") != Some("chat-policy")
        {
            self.problem(format!("terms accepted with {}", received.json()));
        }
        let id = received.path.trim_start_matches("/models/").trim_end_matches("/policy");
        if id == "forbidden-by-the-organisation" {
            return Reply::new(403, "text/plain", "access to this endpoint is forbidden\n");
        }
        self.locked.retain(|locked| locked != id);
        Reply::json(200, "{}")
    }

    fn check_headers(&mut self, received: &Received) {
        let is_product = |value: &str| {
            value.split_once('/').is_some_and(|(name, version)| !name.is_empty() && !version.is_empty())
        };
        if self.takes_github_tokens {
            if received.header("editor-version").is_some() {
                self.problem("an editor's name with GitHub's own token");
            }
            return;
        }
        for (name, is_good) in [
            ("editor-version", &is_product as &dyn Fn(&str) -> bool),
            ("editor-plugin-version", &is_product),
            ("user-agent", &is_product),
            ("copilot-integration-id", &|value| value == "vscode-chat"),
            ("x-github-api-version", &|value| value.len() == "2025-04-01".len()),
        ] {
            if !received.header(name).is_some_and(is_good) {
                self.problem(format!("{} with {name}: {:?}", received.path, received.header(name)));
            }
        }
        if received.header("x-api-key").is_some() {
            self.problem("a key that Copilot does not know");
        }
    }

    fn check_post(&mut self, received: &Received, family: Family) {
        let body = received.json();
        let is_uuid = |id: &str| id.len() == 36 && id.bytes().filter(|byte| *byte == b'-').count() == 4;
        for (name, is_good) in [
            ("content-type", &(|value: &str| value == "application/json") as &dyn Fn(&str) -> bool),
            ("accept", &|value| value == "text/event-stream"),
            ("openai-intent", &|value| value.starts_with("conversation-")),
            ("x-initiator", &|value| matches!(value, "user" | "agent")),
            ("x-request-id", &is_uuid),
        ] {
            if !received.header(name).is_some_and(is_good) {
                self.problem(format!("{} with {name}: {:?}", received.path, received.header(name)));
            }
        }
        let id = received.header("x-request-id").unwrap_or_default().to_owned();
        if !self.request_ids.insert(id) {
            self.problem("an x-request-id came twice");
        }
        let has_images = String::from_utf8_lossy(&received.body).contains(family.image());
        if has_images != (received.header("copilot-vision-request") == Some("true")) {
            self.problem("copilot-vision-request does not say whether there are images");
        }
        let models: Value = serde_json::from_str(fixture!("copilot_models.json")).unwrap();
        let mut models = models["data"].as_array().into_iter().flatten();
        let Some(model) = models.find(|model| model["id"] == body["model"]) else {
            return self.problem(format!("there is no model {}", body["model"]));
        };
        let usual = json!(["/chat/completions"]);
        let endpoints = model.get("supported_endpoints").unwrap_or(&usual);
        if !endpoints.as_array().is_some_and(|all| all.iter().any(|path| *path == received.path)) {
            self.problem(format!("{} is not served under {}", body["model"], received.path));
        }
    }
}

//! Model servers on this machine.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::openai::{self, text, tokens};
use super::{Source, beside, merged};
use crate::endpoint::{KeyHeader, Target};
use crate::http::Http;
use crate::{Endpoint, ModelInfo, Timeouts};

/// A server that runs here answers at once, or is busy with something else.
const PROBE_LIMIT: Duration = Duration::from_millis(300);
/// For what a server may tell beyond its list.
const DETAIL_LIMIT: Duration = Duration::from_secs(2);

/// A server that may be running on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    pub port: u16,
}

/// A server that is.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalServer {
    pub name: String,
    /// For Chat Completions.
    pub base_url: String,
    /// May be none yet.
    pub models: Vec<ModelInfo>,
}

impl Candidate {
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), port }
    }

    /// Those that people have, on their usual ports.
    pub fn usual() -> Vec<Self> {
        vec![Self::new("ollama", 11434), Self::new("lmstudio", 1234), Self::new("llamacpp", 8080)]
    }
}

/// Those of these servers that run, in this order. All are asked at the same time, for no longer than 300 ms, and
/// without a key.
///
/// Whatever answers with something else than a list of models is no model server: the ports are popular.
pub async fn probe(candidates: &[Candidate]) -> Vec<LocalServer> {
    probe_within(PROBE_LIMIT, candidates).await
}

pub(super) async fn probe_within(limit: Duration, candidates: &[Candidate]) -> Vec<LocalServer> {
    let asked = candidates.iter().map(|candidate| tokio::time::timeout(limit, find(candidate.clone())));
    join_all(asked).await.into_iter().filter_map(|answer| answer.ok().flatten()).collect()
}

async fn find(candidate: Candidate) -> Option<LocalServer> {
    let Candidate { name, port } = &candidate;
    // By number: a name would be looked up, and these servers listen to IPv4.
    let base_url = format!("http://127.0.0.1:{port}/v1");
    let endpoint = Endpoint {
        name: name.clone(),
        base_url: base_url.clone(),
        api_key: None,
        key_header: None,
        headers: vec![],
    };
    let target = Target::new(endpoint, "models", KeyHeader::Bearer, &[]).ok()?;
    let url = target.url.clone();
    let http = Http::new(Timeouts::default());
    let list = Source { http: &http, target: &target }.json(url).await.ok()?;
    if !openai::is_list(&list) {
        return None;
    }
    let models = merged(openai::models(&list), true);
    tracing::debug!(name, port, n_models = models.len(), "found a model server");
    Some(LocalServer { name: name.clone(), base_url, models })
}

/// The models with what the servers that are mostly used tell elsewhere, above all how much of a
/// conversation fits. Which server it is shows in which address has an answer.
pub(super) async fn detailed(source: Source<'_>, path: &str, listed: Vec<ModelInfo>) -> Vec<ModelInfo> {
    let at = |other: &str| {
        let mut url = beside(&source.target.url, path, "");
        let root = url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned();
        url.set_path(&format!("{root}{other}"));
        async move {
            let detail = tokio::time::timeout(DETAIL_LIMIT, source.json(url)).await;
            detail.ok().and_then(Result::ok).unwrap_or_default()
        }
    };
    let (lm_studio, ollama, llama_cpp) = futures::join!(at("/api/v0/models"), at("/api/ps"), at("/props"));
    let loaded: Vec<ModelInfo> =
        openai::models(&lm_studio).into_iter().chain(loaded_by_ollama(&ollama)).collect();
    let any = loaded_by_llama_cpp(&llama_cpp);
    let detailed = listed.into_iter().map(|model| {
        let detail = loaded.iter().find(|detail| detail.id == model.id).cloned();
        // What the list itself says is about this very model.
        match detail.or_else(|| any.clone()) {
            Some(detail) => ModelInfo { id: model.id.clone(), ..detail }.overlay(model),
            None => model,
        }
    });
    detailed.collect()
}

/// With the window that they run with, which is the server's choice and often a small one. What a model
/// could have says nothing about it.
fn loaded_by_ollama(running: &Value) -> Vec<ModelInfo> {
    let model = |model: &Value| {
        let context_window = tokens(model, "/context_length");
        Some(ModelInfo { context_window, ..ModelInfo::new(text(model, "name")?) })
    };
    running["models"].as_array().into_iter().flatten().filter_map(model).collect()
}

/// The one model that the server runs, whatever it is called.
fn loaded_by_llama_cpp(props: &Value) -> Option<ModelInfo> {
    let context_window = tokens(props, "/default_generation_settings/n_ctx")?;
    let images = props.pointer("/modalities/vision").and_then(Value::as_bool);
    Some(ModelInfo { context_window: Some(context_window), images, ..ModelInfo::default() })
}

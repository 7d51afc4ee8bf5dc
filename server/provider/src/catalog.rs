//! Which models a service has.
//!
//! Lists differ more than answers do, and nothing depends on them: what cannot be read of an entry is left
//! out of it, what cannot be read at all is left out of the list, and a service without one has an empty one.

mod anthropic;
mod local;
mod openai;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

pub use self::local::{Candidate, LocalServer, probe};

use crate::classify::{Class, Failure, Report};
use crate::endpoint::Target;
use crate::http::{Http, SendError};
use crate::secret::masked;
use crate::{ModelInfo, ProviderError};

/// How long a list may take.
const LIMIT: Duration = Duration::from_secs(15);

/// How a list is asked for and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catalog {
    OpenAi,
    Anthropic,
}

/// A service whose lists are read.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) http: &'a Http,
    /// Where its answers come from.
    pub(crate) target: &'a Target,
}

/// The models of a service, with what Opal itself knows of them. `path` is what the API adds to the base URL.
pub(crate) async fn models(
    source: Source<'_>,
    path: &str,
    catalog: Catalog,
) -> Result<Vec<ModelInfo>, ProviderError> {
    let target = source.target;
    let list = async {
        let url = beside(&target.url, path, "models");
        let is_local = target.is_local();
        let listed = match catalog {
            Catalog::Anthropic => anthropic::models(source, url).await?,
            Catalog::OpenAi => match openai::models(&source.json(url).await?) {
                listed if is_local && listed.iter().any(|model| model.context_window.is_none()) => {
                    local::detailed(source, path, listed).await
                }
                listed => listed,
            },
        };
        Ok(merged(listed, is_local))
    };
    let provider = || target.name.clone();
    let ended = match tokio::time::timeout(LIMIT, list).await {
        Ok(Ok(models)) => {
            tracing::debug!(provider = provider(), n_models = models.len(), "listed the models");
            return Ok(models);
        }
        Ok(Err(ended)) => ended,
        Err(_) => SendError::Unreached(ProviderError::Idle { provider: provider(), after: LIMIT }),
    };
    let error = match ended {
        SendError::Unreached(error) => error,
        SendError::Refused(mut failure) => {
            failure.message = masked(failure.message);
            // There is no conversation that could be too long.
            if failure.class == Class::ContextOverflow {
                failure.class = Class::InvalidRequest;
            }
            failure.into_error(&provider(), "")
        }
    };
    tracing::debug!(%error, "no list of models");
    Err(error)
}

/// What is listed over what is known, each model once.
fn merged(listed: Vec<ModelInfo>, is_local: bool) -> Vec<ModelInfo> {
    let mut seen = HashSet::new();
    let listed = listed.into_iter().filter(|model| seen.insert(model.id.clone()));
    let merged = listed.map(|model| {
        let known = if is_local { ModelInfo::known_locally } else { ModelInfo::known };
        known(&model.id).overlay(model)
    });
    merged.collect()
}

impl Source<'_> {
    /// The JSON at an address of the service; `null` if nothing is there.
    async fn json(&self, url: Url) -> Result<Value, SendError> {
        let target = self.target.getting(url);
        let response = self.http.call(&target, Method::GET, None).await.map_err(SendError::Unreached)?;
        match response.status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                return Ok(Value::Null);
            }
            status if !status.is_success() => return Err(SendError::Refused(response.failure())),
            _ => {}
        }
        let failure = match serde_json::from_slice::<Value>(&response.body) {
            Ok(json) if json.get("error").is_none_or(Value::is_null) => return Ok(json),
            Ok(json) => Failure::reported(Report::from_json(&json)),
            Err(_) => Failure::new(Class::InvalidRequest, "what came is not a list of models"),
        };
        Err(SendError::Refused(failure))
    }
}

/// Another path of the same API. The query stays, as it does for answers.
fn beside(url: &Url, path: &str, other: &str) -> Url {
    let base = url.path().strip_suffix(path).unwrap_or("/");
    let whole = format!("{base}{other}");
    let mut url = url.clone();
    url.set_path(&whole);
    url
}

#[cfg(test)]
mod tests;

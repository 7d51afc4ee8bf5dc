//! Which models a service has.
//!
//! Lists differ more than answers do, and nothing depends on them: what cannot be read of an entry is left
//! out of it, what cannot be read at all is left out of the list, and a service without one has an empty one.

mod anthropic;
pub(crate) mod copilot;
mod local;
mod openai;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

pub use self::copilot::{CopilotModel, Policy, copilot_models};
pub use self::local::{Candidate, LocalServer, probe};

use crate::classify::{Class, Failure, Report};
use crate::http::{Http, SendError};
use crate::{ModelInfo, ProviderError};

/// How long a list may take.
const LIMIT: Duration = Duration::from_secs(15);

/// How a list is asked for and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catalog {
    OpenAi,
    Anthropic,
}

/// The models of a service, with what Opal itself knows of them. `path` is what the API adds to the base URL.
pub(crate) async fn models(
    http: &Http,
    path: &str,
    catalog: Catalog,
) -> Result<Vec<ModelInfo>, ProviderError> {
    let list = async {
        let url = beside(&http.target.url, path, "models");
        let is_local = http.target.is_local();
        let listed = match catalog {
            Catalog::Anthropic => anthropic::models(http, url).await?,
            Catalog::OpenAi => match openai::models(&json(http, url).await?) {
                listed if is_local && listed.iter().any(|model| model.context_window.is_none()) => {
                    local::detailed(http, path, listed).await
                }
                listed => listed,
            },
        };
        Ok(merged(listed, is_local))
    };
    let provider = || http.target.name.clone();
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
            failure.message = http.target.masked(failure.message);
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

/// The JSON at an address of the service; `null` if nothing is there.
async fn json(http: &Http, url: Url) -> Result<Value, SendError> {
    let Some(body) = http.get(url).await? else {
        return Ok(Value::Null);
    };
    let failure = match serde_json::from_slice::<Value>(&body) {
        Ok(json) if json.get("error").is_none_or(Value::is_null) => return Ok(json),
        Ok(json) => Failure::reported(Report::from_json(&json)),
        Err(_) => Failure::new(Class::InvalidRequest, "what came is not a list of models"),
    };
    Err(SendError::Refused(failure))
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

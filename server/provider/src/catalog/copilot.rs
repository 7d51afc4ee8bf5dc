//! The list of GitHub Copilot, which says for each model what the account may do with it and over which API.

use serde_json::Value;

use super::openai::{entries, text, tokens};
use crate::{ModelInfo, ThinkingLevel};

/// A model as Copilot offers it.
#[derive(Debug, Clone, PartialEq)]
pub struct CopilotModel {
    pub info: ModelInfo,
    /// Paths as in `/responses`; empty where the list does not say.
    pub supported_endpoints: Vec<String>,
    pub policy: Policy,
    /// The service wants it in lists. What is not listed can still be used by name.
    pub is_listed: bool,
    /// Answers prompts, and is not for embeddings or completions.
    pub is_chat: bool,
    /// It can be asked for a stream.
    pub streams: bool,
    /// How many premium requests of the plan one request counts as.
    pub multiplier: Option<f64>,
}

/// Whether the account has accepted a model's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// There are none, or they are accepted.
    Enabled,
    /// Somebody said no: the user, or the organisation.
    Disabled,
    /// Nobody has been asked yet.
    Unconfigured { terms: Option<String> },
}

impl CopilotModel {
    /// Whether it can do an agent's work and the service wants it to be chosen.
    pub fn is_offered(&self) -> bool {
        self.is_listed && self.is_chat && self.info.tools != Some(false) && self.policy != Policy::Disabled
    }

    pub fn has_endpoint(&self, path: &str) -> bool {
        self.supported_endpoints.iter().any(|endpoint| endpoint == path)
    }
}

/// Reads the answer to `GET {base}/models`, in its order. Nothing that Opal knows by itself is added: it is
/// about the same models elsewhere, with other limits and prices.
pub fn copilot_models(list: &Value) -> Vec<CopilotModel> {
    entries(list).iter().filter_map(model).collect()
}

fn model(entry: &Value) -> Option<CopilotModel> {
    let capabilities = &entry["capabilities"];
    let supports = &capabilities["supports"];
    let is = |value: &Value| value.as_bool();
    let id = text(entry, "id")?;
    let info = ModelInfo {
        name: text(entry, "name"),
        context_window: tokens(capabilities, "/limits/max_context_window_tokens"),
        max_prompt_tokens: tokens(capabilities, "/limits/max_prompt_tokens"),
        max_output_tokens: tokens(capabilities, "/limits/max_output_tokens")
            .and_then(|tokens| tokens.try_into().ok()),
        tools: is(&supports["tool_calls"]),
        // Named only where it is so.
        images: supports.as_object().filter(|it| !it.is_empty()).map(|_| supports["vision"] == true),
        thinking: thinking(supports),
        is_default: is(&entry["is_chat_default"]).unwrap_or(false),
        preview: is(&entry["preview"]).unwrap_or(false),
        ..ModelInfo::new(id)
    };
    let endpoints = entry["supported_endpoints"].as_array().into_iter().flatten();
    Some(CopilotModel {
        info,
        supported_endpoints: endpoints.filter_map(Value::as_str).map(str::to_owned).collect(),
        policy: policy(&entry["policy"]),
        is_listed: is(&entry["model_picker_enabled"]).unwrap_or(true),
        is_chat: capabilities["type"].as_str().is_none_or(|kind| kind == "chat"),
        streams: is(&supports["streaming"]).unwrap_or(true),
        multiplier: entry["billing"]["multiplier"].as_f64(),
    })
}

/// Efforts by name, or any level where a budget is made of it.
fn thinking(supports: &Value) -> Option<Vec<ThinkingLevel>> {
    if let Some(efforts) = supports["reasoning_effort"].as_array() {
        let mut levels: Vec<_> =
            efforts.iter().filter_map(|effort| ThinkingLevel::from_effort(effort.as_str()?)).collect();
        levels.sort();
        levels.dedup();
        return Some(levels);
    }
    tokens(supports, "/max_thinking_budget").map(|_| ThinkingLevel::ALL.to_vec())
}

fn policy(policy: &Value) -> Policy {
    match policy["state"].as_str() {
        None | Some("enabled") => Policy::Enabled,
        Some("disabled") => Policy::Disabled,
        Some(_) => Policy::Unconfigured { terms: text(policy, "terms") },
    }
}

#[cfg(test)]
mod tests;

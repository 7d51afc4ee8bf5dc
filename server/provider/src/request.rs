//! What a model is asked.

use std::sync::Arc;

use serde::Serialize;

use crate::Item;

/// One request for an answer.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model's id as the service knows it.
    pub model: String,
    pub instructions: Arc<str>,
    pub tools: Arc<[ToolSpec]>,
    /// Oldest first. Every tool call has its result; [`crate::Provider::answer`] relies on it.
    pub items: Arc<Vec<Arc<Item>>>,
    /// `None`: the service's default.
    pub thinking: Option<ThinkingLevel>,
    /// Routes requests of one conversation to the same prompt cache; at most 64 characters.
    pub cache_key: String,
    pub max_output_tokens: Option<u32>,
    /// Tokens of prompt and answer together, as far as it is known. Some services cut off what does not fit
    /// without a word; with this it can be told from an answer.
    pub context_window: Option<u64>,
    /// Whether the model sees images. If it does not, it is told where they were. `None`: unknown, and they
    /// are sent.
    pub images: Option<bool>,
    /// The answer comes in pieces. A few models give it only as a whole.
    pub streams: bool,
    pub initiator: Initiator,
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSpec {
    /// `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    pub description: String,
    /// JSON schema of an object.
    pub parameters: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThinkingLevel {
    Off,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// Who is behind a request. Some services bill by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initiator {
    /// The first request after something that the user typed.
    User,
    /// Everything else: after tool results, retries, summaries.
    Agent,
}

impl Request {
    pub(crate) fn shows_images(&self) -> bool {
        self.images != Some(false)
    }

    /// Whether the model is one of OpenAI's that reason. They take parameters that others refuse, and refuse
    /// some that others take.
    pub(crate) fn is_for_reasoning_model(&self) -> bool {
        let id = self.model.rsplit('/').next().unwrap_or(&self.model);
        let begins = ["gpt-5", "o1", "o3", "o4"].iter().any(|name| id.starts_with(name));
        (begins && !id.contains("-chat")) || id.contains("codex")
    }
}

impl ThinkingLevel {
    /// In ascending order.
    pub const ALL: [Self; 7] =
        [Self::Off, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// As OpenAI names it, and most others do too.
    pub(crate) fn effort(self) -> &'static str {
        match self {
            Self::Off => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}

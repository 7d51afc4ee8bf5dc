//! Where services differ in what they take. What only some know, the others refuse, so it is sent to those
//! alone.

use reqwest::Url;

use crate::Request;
use crate::conversation::CallIds;

/// Whose Chat Completions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenAi,
    OpenRouter,
    Mistral,
    /// Everyone else, a local server as a rule.
    Compatible,
}

impl Dialect {
    pub(super) fn of(base_url: &str) -> Self {
        let url = Url::parse(base_url.trim()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let within = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if host == "api.openai.com" || within("openai.azure.com") {
            Self::OpenAi
        } else if within("openrouter.ai") {
            Self::OpenRouter
        } else if within("mistral.ai") {
            Self::Mistral
        } else {
            Self::Compatible
        }
    }

    /// The name of the limit of the output. OpenAI's reasoning models refuse the old one, wherever they are.
    pub(super) fn max_tokens(self, request: &Request) -> &'static str {
        if self == Self::OpenAi || request.is_for_reasoning_model() {
            "max_completion_tokens"
        } else {
            "max_tokens"
        }
    }

    /// Mistral's models are strict wherever they run, and nobody minds ids as they like them.
    pub(super) fn call_ids(self, model: &str) -> CallIds {
        let theirs = ["mistral", "mixtral", "ministral", "magistral", "codestral", "devstral", "pixtral"];
        let model = model.to_ascii_lowercase();
        if self == Self::Mistral || theirs.iter().any(|name| model.contains(name)) {
            CallIds::Nine
        } else {
            CallIds::UpTo(40)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_host() {
        for (base_url, dialect) in [
            ("https://api.openai.com/v1", Dialect::OpenAi),
            ("https://team.openai.azure.com/openai/v1?api-version=1", Dialect::OpenAi),
            ("https://openrouter.ai/api/v1", Dialect::OpenRouter),
            ("https://api.mistral.ai/v1", Dialect::Mistral),
            ("http://localhost:11434/v1", Dialect::Compatible),
            ("https://notopenrouter.ai/v1", Dialect::Compatible),
            ("not a url", Dialect::Compatible),
        ] {
            assert_eq!(Dialect::of(base_url), dialect, "{base_url}");
        }
    }
}

//! Which API a model is asked through.

/// An API that Copilot speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Responses,
    Messages,
    Chat,
}

impl Family {
    /// By what the model list says of a model. Older entries say nothing and mean Chat Completions.
    pub(super) fn listed<'a>(mut endpoints: impl Iterator<Item = &'a str> + Clone) -> Self {
        if endpoints.clone().any(|endpoint| endpoint == "/responses") {
            Self::Responses
        } else if endpoints.any(|endpoint| endpoint == "/v1/messages") {
            Self::Messages
        } else {
            Self::Chat
        }
    }

    /// By the name of a model of which the list says nothing, as of 2026.
    pub(super) fn guessed(model: &str) -> Self {
        let gpt = model.strip_prefix("gpt-").unwrap_or_default();
        let major = gpt.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if major.parse::<u32>().is_ok_and(|major| (5..1000).contains(&major)) {
            Self::Responses
        } else if model.starts_with("claude") {
            Self::Messages
        } else {
            Self::Chat
        }
    }

    /// The one to try when the service says that a model is not served under this.
    pub(super) fn other(self, model: &str) -> Self {
        match self {
            Self::Responses | Self::Messages => Self::Chat,
            Self::Chat if model.starts_with("claude") => Self::Messages,
            Self::Chat => Self::Responses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_which_nothing_is_known() {
        for (model, family) in [
            ("gpt-5", Family::Responses),
            ("gpt-5.4", Family::Responses),
            ("gpt-5-mini", Family::Responses),
            ("gpt-6-codex", Family::Responses),
            ("gpt-10", Family::Responses),
            ("gpt-4.1", Family::Chat),
            ("gpt-4o", Family::Chat),
            ("gpt-3.5-turbo", Family::Chat),
            ("gpt-oss", Family::Chat),
            ("gemini-3-pro-preview", Family::Chat),
            ("grok-code-fast-1", Family::Chat),
            ("claude-sonnet-4.5", Family::Messages),
            ("", Family::Chat),
        ] {
            assert_eq!(Family::guessed(model), family, "{model}");
            assert_ne!(family.other(model), family, "{model}");
        }
    }
}

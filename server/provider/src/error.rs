//! Why a request produced no complete answer.

use std::time::Duration;

use crate::Usage;

/// Why a request produced no complete answer. A variant for each thing a caller decides.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// The key is missing, wrong or expired. Retrying cannot help.
    #[error("{provider} rejected the credentials: {message}")]
    Unauthorized { provider: String, message: String },
    /// The sign-in is of no use any more, or never was: revoked, expired, or of the wrong kind. Signing in
    /// once more replaces it.
    #[error("{provider} does not accept the sign-in: {message}")]
    SignInAgain { provider: String, message: String },
    /// Nobody is signed in.
    #[error("nobody is signed in to {provider}")]
    SignedOut { provider: String },
    /// Signed in, but the account or its organisation does not allow this. The sign-in is good.
    #[error("{provider} is not available to this account: {message}{}", see(.url.as_deref()))]
    NotEntitled {
        provider: String,
        message: String,
        /// Where the user can do something about it.
        url: Option<String>,
    },
    /// Too many requests; the service may have named a pause.
    #[error("{provider} is limiting requests: {message}")]
    RateLimited { provider: String, message: String, retry_after: Option<Duration> },
    /// The plan or the balance is used up. Waiting seconds cannot help.
    #[error("{provider} reports a used-up quota: {message}")]
    Quota { provider: String, message: String },
    /// The conversation does not fit the model's window.
    #[error("the conversation is too long for {model}: {message}")]
    ContextOverflow { model: String, message: String },
    /// The service will not answer this content.
    #[error("{provider} refused the content: {message}")]
    ContentFilter { provider: String, message: String },
    /// The service failed on its side.
    #[error("{provider} failed: {message}")]
    Server { provider: String, message: String, retry_after: Option<Duration> },
    /// The service could not be reached, or the stream ended before its final event.
    #[error("the connection to {provider} broke: {message}")]
    Cut { provider: String, message: String },
    /// The answer has neither text nor a tool call.
    #[error("{provider} sent an answer that says nothing: {message}")]
    Empty {
        provider: String,
        message: String,
        /// What it cost all the same.
        usage: Option<Usage>,
    },
    /// Nothing came for too long.
    #[error("{provider} sent nothing for {} s", .after.as_secs())]
    Idle { provider: String, after: Duration },
    /// The service has the model, but not under this API.
    #[error("{provider} serves {model} under another API: {message}")]
    WrongApi { provider: String, model: String, message: String },
    /// The account cannot use this model, or there is none of this name.
    #[error("{provider} does not offer {model}: {message}")]
    ModelUnavailable { provider: String, model: String, message: String },
    /// The account has to accept the terms of this model before it can use it.
    #[error("{provider} offers {model} to those who accept its terms: {terms}")]
    TermsNotAccepted { provider: String, model: String, terms: String },
    /// The service will not take what was sent, most likely something in the conversation.
    #[error("{provider} refused the request: {message}{}", about(.item.as_deref()))]
    BadRequest {
        provider: String,
        message: String,
        /// The part of the conversation that the service names.
        item: Option<String>,
    },
    /// The service understood and said no.
    #[error("{provider} refused the request: {message}")]
    InvalidRequest { provider: String, message: String },
}

impl ProviderError {
    /// Whether the same request may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Server { .. }
                | Self::Cut { .. }
                | Self::Empty { .. }
                | Self::Idle { .. }
        )
    }

    /// The pause the service asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A short word for programs, the same in every version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::SignInAgain { .. } | Self::SignedOut { .. } => "sign_in_again",
            Self::NotEntitled { .. } => "not_entitled",
            Self::RateLimited { .. } => "rate_limited",
            Self::Quota { .. } => "quota",
            Self::ContextOverflow { .. } => "context_overflow",
            Self::ContentFilter { .. } => "content_filter",
            Self::Server { .. } => "server",
            Self::Cut { .. } => "cut",
            Self::Empty { .. } => "empty_answer",
            Self::Idle { .. } => "idle",
            Self::WrongApi { .. } => "wrong_api",
            Self::ModelUnavailable { .. } => "model_unavailable",
            Self::TermsNotAccepted { .. } => "terms_not_accepted",
            Self::BadRequest { .. } | Self::InvalidRequest { .. } => "invalid_request",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unauthorized { .. } => {
                "Check the provider's API key; it may be missing, mistyped or expired."
            }
            Self::SignInAgain { .. } => "Sign in again, from the editor or with `opal login`.",
            Self::SignedOut { .. } => {
                "Sign in, from the editor or with `opal login`, or choose another model."
            }
            Self::NotEntitled { url: Some(_), .. } => {
                "Open the address to see what the account needs, or sign in with another account."
            }
            Self::NotEntitled { url: None, .. } => {
                "Ask whoever administers the account, choose another model, or sign in with another account."
            }
            Self::RateLimited { .. } => "Wait for the limit to pass, or choose another model.",
            Self::Quota { .. } => {
                "Check the plan and the balance with the provider, or choose another model."
            }
            Self::ContextOverflow { .. } => {
                "Compact the session, start a new one, or choose a model with a larger window."
            }
            Self::ContentFilter { .. } => "Put the request in other words, or choose another model.",
            Self::Server { .. } => {
                "Try again in a while; if it stays so, look at the provider's status page."
            }
            Self::Cut { .. } => {
                "Check that the server runs, that base_url is right, and the network and its proxy settings."
            }
            Self::Empty { .. } => {
                "Ask again in other words, or choose another model; of a server of your own, check the chat template and \
                 the parsers of tool calls and reasoning."
            }
            Self::Idle { .. } => "Try again; a local server may need longer to load its model.",
            Self::WrongApi { .. } => {
                "Choose another model, or set another api for the provider in the configuration."
            }
            Self::ModelUnavailable { .. } => {
                "Choose another model, or enable this one in the settings of the account."
            }
            Self::TermsNotAccepted { .. } => {
                "Accept them with `opal models --enable` and the model's name, or choose another model."
            }
            Self::BadRequest { item: Some(_), .. } => {
                "Go back to before it with session/branch (in an editor: Branch From Here), or start a new session."
            }
            Self::BadRequest { item: None, .. } => {
                "If something in the conversation is the cause, go back to before it with session/branch (in an \
                 editor: Branch From Here) or start a new session; else check the model's name and its api."
            }
            Self::InvalidRequest { .. } => {
                "Check the provider's base_url and api, and the model's name, in the configuration."
            }
        })
    }
}

fn about(item: Option<&str>) -> String {
    item.map(|item| format!("; it is about {item}")).unwrap_or_default()
}

fn see(url: Option<&str>) -> String {
    url.map(|url| format!("; see {url}")).unwrap_or_default()
}

//! Why nobody is signed in.

use crate::{ConfigError, ProviderError};

/// Why signing in did not work. A variant for each ending that a user can tell apart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// Nobody entered the code in time.
    #[error("the code expired before it was entered")]
    Expired,
    /// The user pressed cancel in the browser.
    #[error("the sign-in was cancelled in the browser")]
    Denied,
    /// The service does not know the code, or it has been used.
    #[error("{host} does not accept the code any more: {message}")]
    BadCode { host: String, message: String },
    /// The client id is not one that the service knows.
    #[error("{host} does not know the client id that Opal signs in with: {message}")]
    BadClient { host: String, message: String },
    /// The service knows the client id, but not for signing in with a code.
    #[error("{host} does not allow signing in with a code: {message}")]
    FlowDisabled { host: String, message: String },
    /// The service could not be reached, or not any more.
    #[error("{host} could not be reached: {message}")]
    Unreachable { host: String, message: String },
    /// The service answered with something else.
    #[error("{host} refused the sign-in: {message}")]
    Refused { host: String, message: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl SignInError {
    /// A short word for programs, the same in every version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::BadCode { .. } => "bad_code",
            Self::BadClient { .. } => "bad_client",
            Self::FlowDisabled { .. } => "flow_disabled",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Config(_) => "config",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Expired | Self::BadCode { .. } => "Sign in again to get a new code.",
            Self::Denied => "Sign in again if that was not intended.",
            Self::BadClient { .. } | Self::FlowDisabled { .. } => {
                "Check the domain, and the client id if one is configured; an enterprise may have to allow it."
            }
            Self::Unreachable { .. } => {
                "Check the domain, the network and its proxy settings, and sign in again."
            }
            Self::Refused { .. } => "Try again in a while, and check the domain.",
            Self::Config(_) => "Check the provider's settings in the configuration.",
        }
    }

    /// A call that brought no response.
    pub(crate) fn unreachable(host: &str, error: ProviderError) -> Self {
        let message = match error {
            ProviderError::Cut { message, .. } => message,
            ProviderError::Idle { after, .. } => format!("no answer for {} s", after.as_secs()),
            other => other.to_string(),
        };
        Self::Unreachable { host: host.to_owned(), message }
    }
}

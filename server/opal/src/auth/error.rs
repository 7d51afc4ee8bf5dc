//! Why nobody could be signed in, and why it is not known who is.

use std::io;

use provider::{DomainError, ProviderError, SignInError};

/// Why the sign-in that is kept cannot be used, or none can be kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("{path} cannot be read")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{what} is damaged: {reason}")]
    Damaged { what: String, reason: String },
    #[error("{path} cannot be written")]
    Write {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the system keyring cannot be used: {reason}")]
    Keyring { reason: String },
    /// Its token has run out.
    #[error("the sign-in could not be renewed")]
    Renewal(#[source] SignInError),
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The token was had, and is not good for Copilot.
    #[error(transparent)]
    Refused(#[from] ProviderError),
    #[error("the sign-in could not be kept")]
    Credentials(#[from] CredentialsError),
    #[error("domain: {0}")]
    Domain(#[from] DomainError),
    #[error("use_existing: there is no sign-in in {0}")]
    NoSuchToken(String),
    #[error("the client has gone")]
    Gone,
}

impl CredentialsError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Damaged { .. } => "Sign in again with `opal login` to replace it.",
            Self::Write { .. } => "Look at the data directory, which is ~/.opal or OPAL_DATA_DIR.",
            Self::Keyring { .. } => {
                "Unlock it, or start one such as GNOME Keyring or KeePassXC; or set `credentials = \"file\"` in \
                 ~/.opal/config.toml and sign in again."
            }
            Self::Renewal(error @ SignInError::Unreachable { .. }) => error.hint(),
            Self::Renewal(_) => "Sign in again, from the editor or with `opal login`.",
        }
    }
}

impl LoginError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::SignIn(error) => error.hint(),
            Self::Refused(error) => error.hint().unwrap_or("Sign in with another account."),
            Self::Credentials(error) => error.hint(),
            Self::Domain(_) => "Give a host name, as in github.com or TENANT.ghe.com.",
            Self::NoSuchToken(_) => "auth/status lists what there is.",
            Self::Gone => "Sign in again.",
        }
    }
}

//! A sign-in, and how it is kept.

use std::time::{Duration, SystemTime};

use provider::{Domain, DomainError, Granted, Secret};
use serde::{Deserialize, Serialize};

/// A sign-in to GitHub Copilot.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// The token is only good there, and goes nowhere else.
    pub(super) domain: Domain,
    pub(super) token: Secret,
    pub(super) account: Option<String>,
    /// When the token runs out; few do.
    pub(super) expires_at: Option<SystemTime>,
    /// For another token before then.
    pub(super) refresh_token: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredLogin {
    domain: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl Login {
    pub(super) fn new(domain: Domain, granted: Granted, account: Option<String>) -> Self {
        let expires_at = granted.expires_in.and_then(|life| SystemTime::now().checked_add(life));
        Self { domain, token: granted.token, account, expires_at, refresh_token: granted.refresh_token }
    }

    /// Whether a Copilot of the one is one of the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.domain == other.domain && self.token.reveal() == other.token.reveal()
    }
}

impl StoredLogin {
    /// # Errors
    /// Without a host, the token can be sent nowhere.
    pub(super) fn read(self) -> Result<Login, DomainError> {
        let at = |ms| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms));
        Ok(Login {
            domain: Domain::parse(&self.domain)?,
            token: Secret::new(self.token),
            account: self.account,
            expires_at: self.expires_at_ms.and_then(at),
            refresh_token: self.refresh_token.map(Secret::new),
        })
    }
}

impl From<&Login> for StoredLogin {
    fn from(login: &Login) -> Self {
        let since_1970 = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            domain: login.domain.to_string(),
            token: login.token.reveal().to_owned(),
            account: login.account.clone(),
            expires_at_ms: login.expires_at.and_then(|at| since_1970(at).as_millis().try_into().ok()),
            refresh_token: login.refresh_token.as_ref().map(|token| token.reveal().to_owned()),
        }
    }
}

//! One account's tokens, shared by all that talk to Copilot with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exchange::exchange;
use super::token::Token;
use crate::clock::SharedClock;
use crate::conversation::hash;
use crate::http::Http;
use crate::kept::Kept;
use crate::{Account, CopilotConfig, ProviderError, Secret};

/// After an exchange that failed the token at hand is used for this long before the next, or for as long as
/// the service asks to wait.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) config: Arc<CopilotConfig>,
    pub(super) http: Http,
    pub(super) clock: SharedClock,
    /// Tells accounts apart in what is stored with answers. Of the token's hash so little is left that it
    /// says nothing about the token.
    pub(super) origin: String,
    github: Secret,
    tokens: Arc<Kept<Token>>,
    /// What the last answer told of the quotas.
    seen: Mutex<Option<Account>>,
}

impl Credentials {
    pub(super) fn new(config: CopilotConfig, github: Secret, http: Http, clock: SharedClock) -> Self {
        let mark = hash(github.reveal().trim()) as u32;
        let origin = format!("{}#{mark:08x}", config.name);
        let (config, tokens, seen) = (Arc::new(config), Arc::default(), Mutex::default());
        Self { config, http, clock, origin, github, tokens, seen }
    }

    /// A token that is good for a while yet.
    pub(super) async fn token(&self) -> Result<Arc<Token>, ProviderError> {
        let (http, config, github) = (self.http.clone(), self.config.clone(), self.github.clone());
        let clock = self.clock.clone();
        let now = clock.wall();
        let fetch = async move |old: Option<Arc<Token>>| {
            if !config.exchange {
                return Ok(Token::direct(&github, &config, clock.wall()));
            }
            tracing::debug!(provider = config.name, "exchanging the token");
            let exchanged = exchange(&http, &config, &github, clock.wall()).await;
            let now = clock.wall();
            match (exchanged, old.filter(|old| old.is_valid(now))) {
                (Err(error), Some(old)) if error.is_retryable() => {
                    tracing::warn!(%error, "the exchange failed; the old token is still good");
                    let pause = error.retry_after().unwrap_or_default().max(PAUSE);
                    Ok(old.kept_until(now.checked_add(pause).unwrap_or(now)))
                }
                (exchanged, _) => exchanged,
            }
        };
        self.tokens.get(|token| token.is_fresh(now), fetch).await
    }

    pub(super) fn saw(&self, account: Account) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
    }

    pub(super) fn seen(&self) -> Option<Account> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The service does not take this one; the next is another.
    pub(super) fn refused(&self, token: &Token) {
        self.tokens.forget(|kept| kept.secret.reveal() == token.secret.reveal());
    }
}

//! Signing in to GitHub Copilot, and who is signed in.
//!
//! There is one sign-in at a time, and what `auth.json` says is what holds: another Opal may sign in or out
//! at any time. The token goes to the host it belongs to and nowhere else; it is shown in no event, error or
//! log.

mod credentials;
mod error;
mod file;
mod keyring;
mod login;
mod signed_in;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use provider::{
    Account, Copilot, CopilotConfig, DeviceCode, DeviceFlow, Domain, FoundToken, Granted, ProviderError,
    SignInError, Timeouts, find_existing_tokens, refresh,
};

use crate::blocking::blocking;
use crate::settings::Settings;
use credentials::Credentials;
pub use credentials::Place;
pub use error::CredentialsError;
pub(crate) use error::LoginError;
use login::Login;
pub(crate) use signed_in::SignedIn;

/// The provider that a sign-in makes.
pub(crate) const COPILOT: &str = "copilot";

/// A keyring may ask its user for a password.
const KEYRING_LIMIT: Duration = Duration::from_secs(60);
/// A token that runs out is renewed when it has less than this left.
const MARGIN: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Auth {
    credentials: Credentials,
    /// Where Copilot is, but for the domain, which is the sign-in's.
    config: CopilotConfig,
    timeouts: Timeouts,
    /// The Copilot of the last sign-in that was seen, with its tokens and connections.
    copilot: Mutex<Option<(Login, Copilot)>>,
    /// A refresh token is good for one use.
    renewing: tokio::sync::Mutex<()>,
}

/// Who is signed in, as far as it is known without asking anybody.
#[derive(Debug)]
pub(crate) struct Who {
    /// As it was when they signed in.
    pub(crate) account: Option<String>,
    pub(crate) domain: Domain,
    pub(crate) source: &'static str,
    /// When the sign-in runs out, if it does, and whether Opal renews it by then.
    pub(crate) expires: Option<(SystemTime, bool)>,
}

/// Which sign-in is wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) domain: Option<String>,
    /// That of another program, by where it was found.
    pub(crate) existing: Option<String>,
}

impl Auth {
    pub(crate) fn new(settings: &Settings, timeouts: Timeouts) -> Self {
        Self {
            credentials: Credentials::new(&settings.data_dir, settings.credentials),
            config: settings.copilot.clone(),
            timeouts,
            copilot: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        }
    }

    /// The sign-in's Copilot; `None` if nobody is signed in.
    pub(crate) async fn copilot(&self) -> Result<Option<Copilot>, CredentialsError> {
        let Some(login) = self.fresh_login().await? else {
            self.lock().take();
            return Ok(None);
        };
        let mut kept = self.lock();
        if let Some((_, copilot)) = kept.as_ref().filter(|(of, _)| of.is_same(&login)) {
            return Ok(Some(copilot.clone()));
        }
        // What cannot be sent was not stored, unless somebody has edited the file.
        let copilot = Copilot::new(self.at(login.domain.clone()), login.token.clone(), self.timeouts)
            .map_err(|error| self.credentials.damaged(&error))?;
        *kept = Some((login, copilot.clone()));
        Ok(Some(copilot))
    }

    /// `None` if nobody is signed in.
    pub(crate) async fn who(&self) -> Result<Option<Who>, CredentialsError> {
        let source = self.credentials.place().name();
        Ok(self.login().await?.map(|login| Who {
            expires: login.expires_at.map(|at| (at, login.refresh_token.is_some())),
            account: login.account,
            domain: login.domain,
            source,
        }))
    }

    /// Asks GitHub about the account; `None` if nobody is signed in. What answers have told of its quotas since
    /// is in it.
    pub(crate) async fn account(&self) -> Result<Option<Result<Account, ProviderError>>, CredentialsError> {
        let Some(login) = self.fresh_login().await? else { return Ok(None) };
        let account = provider::account(&self.at(login.domain), &login.token).await;
        let seen = self.copilot().await?.and_then(|copilot| copilot.quotas());
        Ok(Some(account.map(|account| match seen {
            Some(seen) => account.updated(seen),
            None => account,
        })))
    }

    /// When what Copilot's models are asked with runs out; it is had now if it is not there yet.
    pub(crate) async fn expires(&self) -> Result<Option<SystemTime>, ProviderError> {
        self.now().await?.expires_at().await
    }

    /// Accepts the terms of a model for the account.
    pub(crate) async fn enable(&self, model: &str) -> Result<(), ProviderError> {
        self.now().await?.enable_model(model).await
    }

    /// Sign-ins of other programs for any host, those of the usual one first.
    pub(crate) async fn existing(&self) -> Vec<FoundToken> {
        let usual = self.config.domain.clone();
        let mut found = blocking(find_existing_tokens).await;
        found.sort_by_key(|found| found.domain != usual);
        found
    }

    /// Signs in; `show` gets the code that the user has to enter. Dropping the future gives it up.
    pub(crate) async fn sign_in(
        &self,
        wanted: Wanted,
        show: impl FnOnce(&DeviceCode),
    ) -> Result<(), LoginError> {
        let mut domain = wanted.domain.as_deref().map(Domain::parse).transpose()?;
        let granted = match wanted.existing {
            Some(place) => {
                let found = self.existing_token(domain, place).await?;
                domain = Some(found.domain);
                Some(Granted { token: found.token, refresh_token: None, expires_in: None })
            }
            None => None,
        };
        let config = self.at(domain.unwrap_or_else(|| self.config.domain.clone()));
        let granted = match granted {
            Some(granted) => granted,
            None => {
                let flow = DeviceFlow::start(&config, &self.timeouts).await?;
                show(flow.code());
                flow.wait().await?
            }
        };
        let token = granted.token.clone();
        let copilot =
            Copilot::new(config.clone(), token.clone(), self.timeouts).map_err(SignInError::from)?;
        match copilot.models().await {
            Ok(_) => {}
            // It was GitHub itself that gave the token: the user need not enter another code for it.
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "whether the account may use Copilot is not known yet");
            }
            Err(error) => return Err(error.into()),
        }
        let account = match provider::account(&config, &token).await {
            Ok(account) => account.login,
            Err(error) => {
                tracing::info!(%error, "the account is not told");
                None
            }
        };
        let login = Login::new(config.domain, granted, account);
        self.keep(&login).await?;
        *self.lock() = Some((login, copilot));
        Ok(())
    }

    /// Forgets the sign-in, here and where it is kept.
    pub(crate) async fn sign_out(&self) -> Result<(), CredentialsError> {
        self.with_credentials(|credentials| credentials.wipe()).await?;
        self.lock().take();
        Ok(())
    }

    async fn existing_token(&self, domain: Option<Domain>, place: String) -> Result<FoundToken, LoginError> {
        let found = self.existing().await.into_iter().find(|found| {
            found.found_in == place && domain.as_ref().is_none_or(|domain| *domain == found.domain)
        });
        found.ok_or(LoginError::NoSuchToken(place))
    }

    fn at(&self, domain: Domain) -> CopilotConfig {
        CopilotConfig { domain, ..self.config.clone() }
    }

    async fn login(&self) -> Result<Option<Login>, CredentialsError> {
        self.with_credentials(|credentials| credentials.read()).await
    }

    async fn keep(&self, login: &Login) -> Result<(), CredentialsError> {
        let login = login.clone();
        self.with_credentials(move |credentials| credentials.write(&login)).await
    }

    /// The sign-in with a token that is good for a while yet, if it can be renewed at all.
    async fn fresh_login(&self) -> Result<Option<Login>, CredentialsError> {
        match self.login().await? {
            Some(login) if is_due(&login) => {
                let _once = self.renewing.lock().await;
                match self.login().await? {
                    Some(login) if is_due(&login) => self.renew(login).await.map(Some),
                    renewed => Ok(renewed),
                }
            }
            login => Ok(login),
        }
    }

    async fn renew(&self, old: Login) -> Result<Login, CredentialsError> {
        let Some(refresh_token) = &old.refresh_token else { return Ok(old) };
        match refresh(&self.at(old.domain.clone()), refresh_token, &self.timeouts).await {
            Ok(granted) => {
                tracing::debug!("the sign-in was renewed");
                let login = Login::new(old.domain, granted, old.account);
                self.keep(&login).await?;
                Ok(login)
            }
            Err(error) => match self.login().await? {
                // Another Opal was first; a refresh token is good for one use.
                Some(other) if !other.is_same(&old) => Ok(other),
                _ if old.expires_at.is_some_and(|at| SystemTime::now() < at) => {
                    tracing::warn!(%error, "the sign-in could not be renewed; it is still good");
                    Ok(old)
                }
                _ => Err(CredentialsError::Renewal(error)),
            },
        }
    }

    async fn with_credentials<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Credentials) -> Result<T, CredentialsError> + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let credentials = self.credentials.clone();
        let working = blocking(move || work(&credentials));
        tokio::time::timeout(KEYRING_LIMIT, working).await.unwrap_or_else(|_| {
            let reason = format!(
                "it has not answered for {} s and may be waiting for its password",
                KEYRING_LIMIT.as_secs()
            );
            Err(CredentialsError::Keyring { reason })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Login, Copilot)>> {
        self.copilot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due(login: &Login) -> bool {
    let soon = SystemTime::now() + MARGIN;
    login.refresh_token.is_some() && login.expires_at.is_some_and(|at| at < soon)
}

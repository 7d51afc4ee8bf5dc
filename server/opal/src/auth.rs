//! Signing in to GitHub Copilot, and who is signed in.
//!
//! There is one sign-in at a time, and what `auth.json` says is what holds: another Opal may sign in or out
//! at any time. The token goes to the host it belongs to and nowhere else; it is shown in no event, error or
//! log.

mod file;
mod signed_in;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use provider::{
    Account, Copilot, CopilotConfig, DeviceCode, DeviceFlow, Domain, DomainError, FoundToken, ProviderError,
    Secret, SignInError, Timeouts, find_existing_tokens,
};

use crate::blocking::blocking;
pub use file::AuthFileError;
use file::{AuthFile, Login};
pub(crate) use signed_in::SignedIn;

#[derive(Debug)]
pub(crate) struct Auth {
    file: AuthFile,
    /// Where Copilot is, but for the domain, which is the sign-in's.
    config: CopilotConfig,
    timeouts: Timeouts,
    /// The Copilot of the last sign-in that was seen, with its tokens and connections.
    copilot: Mutex<Option<(Login, Copilot)>>,
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
    File(#[from] AuthFileError),
    #[error("domain: {0}")]
    Domain(#[from] DomainError),
    #[error("use_existing: there is no sign-in in {0}")]
    NoSuchToken(String),
    #[error("the client has gone")]
    Gone,
}

/// Which sign-in is wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) domain: Option<String>,
    /// That of another program, by where it was found.
    pub(crate) existing: Option<String>,
}

impl Auth {
    pub(crate) fn new(data_dir: &Path, config: CopilotConfig, timeouts: Timeouts) -> Self {
        Self { file: AuthFile::new(data_dir), config, timeouts, copilot: Mutex::default() }
    }

    /// The sign-in's Copilot; `None` if nobody is signed in.
    pub(crate) async fn copilot(&self) -> Result<Option<Copilot>, AuthFileError> {
        let Some(login) = self.login().await? else {
            self.lock().take();
            return Ok(None);
        };
        let mut kept = self.lock();
        if let Some((_, copilot)) = kept.as_ref().filter(|(of, _)| of.is_same(&login)) {
            return Ok(Some(copilot.clone()));
        }
        // What cannot be sent was not stored, unless somebody has edited the file.
        let copilot = Copilot::new(self.at(login.domain.clone()), login.token.clone(), self.timeouts)
            .map_err(|error| self.file.damaged(&error))?;
        *kept = Some((login, copilot.clone()));
        Ok(Some(copilot))
    }

    /// Who is signed in: the account as it was then, and the host.
    pub(crate) async fn who(&self) -> Result<Option<(Option<String>, Domain)>, AuthFileError> {
        Ok(self.login().await?.map(|login| (login.account, login.domain)))
    }

    /// Asks GitHub about the account; `None` if nobody is signed in.
    pub(crate) async fn account(&self) -> Result<Option<Result<Account, ProviderError>>, AuthFileError> {
        let Some(login) = self.login().await? else { return Ok(None) };
        Ok(Some(provider::account(&self.at(login.domain), &login.token).await))
    }

    /// Sign-ins of other programs for the usual host.
    pub(crate) async fn existing(&self) -> Vec<FoundToken> {
        let domain = self.config.domain.clone();
        blocking(move || find_existing_tokens(&domain)).await
    }

    /// Signs in; `show` gets the code that the user has to enter. Dropping the future gives it up.
    pub(crate) async fn sign_in(
        &self,
        wanted: Wanted,
        show: impl FnOnce(&DeviceCode),
    ) -> Result<(), LoginError> {
        let domain = match &wanted.domain {
            Some(domain) => Domain::parse(domain)?,
            None => self.config.domain.clone(),
        };
        let config = self.at(domain);
        let token = match wanted.existing {
            Some(place) => self.existing_token(&config.domain, place).await?,
            None => {
                let flow = DeviceFlow::start(&config, &self.timeouts).await?;
                show(flow.code());
                flow.wait().await?.token
            }
        };
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
        let login = Login { domain: config.domain, token, account };
        let (file, kept) = (self.file.clone(), login.clone());
        blocking(move || file.write(&kept)).await?;
        *self.lock() = Some((login, copilot));
        Ok(())
    }

    /// Forgets the sign-in, here and on disk.
    pub(crate) async fn sign_out(&self) -> Result<(), AuthFileError> {
        let file = self.file.clone();
        blocking(move || file.wipe()).await?;
        self.lock().take();
        Ok(())
    }

    async fn existing_token(&self, domain: &Domain, place: String) -> Result<Secret, LoginError> {
        let domain = domain.clone();
        let found = blocking(move || find_existing_tokens(&domain)).await;
        let token = found.into_iter().find(|found| found.found_in == place).map(|found| found.token);
        token.ok_or(LoginError::NoSuchToken(place))
    }

    fn at(&self, domain: Domain) -> CopilotConfig {
        CopilotConfig { domain, ..self.config.clone() }
    }

    async fn login(&self) -> Result<Option<Login>, AuthFileError> {
        let file = self.file.clone();
        blocking(move || file.read()).await
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Login, Copilot)>> {
        self.copilot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::SignIn(error) => error.hint().into(),
            Self::Refused(error) => error.hint().unwrap_or("Sign in with another account.").into(),
            Self::File(_) => "Look at the data directory, which is ~/.opal or OPAL_DATA_DIR.".into(),
            Self::Domain(_) => "Give a host name, as in github.com or TENANT.ghe.com.".into(),
            Self::NoSuchToken(_) => "auth/status lists what there is.".into(),
            Self::Gone => "Sign in again.".into(),
        }
    }
}

//! Where the sign-in is kept: in `auth.json`, or in the system keyring. Blocking.
//!
//! It is read from where it is and written to where the configuration wants it; one that is elsewhere is
//! moved when it is next needed. A keyring that cannot be used is an error, never a reason to use the file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::CredentialsError;
use super::file::{AuthFile, Said};
use super::keyring::Keyring;
use super::login::Login;

/// `credentials` in the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    #[default]
    File,
    Keyring,
}

#[derive(Debug, Clone)]
pub(super) struct Credentials {
    place: Place,
    file: AuthFile,
    keyring: Keyring,
    /// What was last seen in the keyring, by its mark.
    seen: Arc<Mutex<Option<(String, Login)>>>,
}

impl Place {
    /// For the user.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "auth.json",
            Self::Keyring => "the system keyring",
        }
    }
}

impl Credentials {
    pub(super) fn new(data_dir: &Path, place: Place) -> Self {
        let (file, keyring) = (AuthFile::new(data_dir), Keyring::new(data_dir));
        Self { place, file, keyring, seen: Arc::default() }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Who is signed in.
    pub(super) fn read(&self) -> Result<Option<Login>, CredentialsError> {
        let (login, found) = match self.file.read()? {
            None => return Ok(None),
            Some(Said::Login(login)) => (login, Place::File),
            Some(Said::InKeyring { mark }) => match self.in_keyring(&mark)? {
                Some(login) => (login, Place::Keyring),
                // Somebody has taken it out there.
                None => return Ok(None),
            },
        };
        if found != self.place {
            self.write(&login)?;
            tracing::info!("the sign-in was moved from {} to {}", found.name(), self.place.name());
        }
        Ok(Some(login))
    }

    pub(super) fn write(&self, login: &Login) -> Result<(), CredentialsError> {
        match self.place {
            Place::Keyring => {
                self.keyring.write(login)?;
                let mark = format!("{:016x}", rand::random::<u64>());
                self.file.refer(&mark)?;
                *self.seen() = Some((mark, login.clone()));
            }
            Place::File => {
                let was_in_keyring = matches!(self.file.read(), Ok(Some(Said::InKeyring { .. })));
                self.file.write(login)?;
                if was_in_keyring && let Err(error) = self.keyring.wipe() {
                    tracing::warn!(%error, "the old sign-in could not be taken out of the keyring");
                }
                self.seen().take();
            }
        }
        Ok(())
    }

    pub(super) fn wipe(&self) -> Result<(), CredentialsError> {
        self.seen().take();
        if self.place == Place::Keyring || matches!(self.file.read(), Ok(Some(Said::InKeyring { .. }))) {
            self.keyring.wipe()?;
        }
        self.file.wipe()
    }

    /// What was kept makes no sense.
    pub(super) fn damaged(&self, reason: &impl std::fmt::Display) -> CredentialsError {
        self.file.damaged(reason)
    }

    fn in_keyring(&self, mark: &str) -> Result<Option<Login>, CredentialsError> {
        if let Some((_, login)) = self.seen().as_ref().filter(|(seen, _)| seen == mark) {
            return Ok(Some(login.clone()));
        }
        let login = self.keyring.read()?;
        *self.seen() = login.clone().map(|login| (mark.to_owned(), login));
        Ok(login)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<(String, Login)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

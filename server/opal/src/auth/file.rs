//! `auth.json`: who is signed in, from one run to the next, or that the system keyring knows. Blocking.
//!
//! Only its owner may read it, and it is replaced as a whole: the old one or the new one stands there.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CredentialsError;
use super::login::{Login, StoredLogin};
use crate::platform;

#[derive(Debug, Clone)]
pub(super) struct AuthFile {
    path: PathBuf,
}

/// What the file says.
#[derive(Debug)]
pub(super) enum Said {
    Login(Login),
    /// The sign-in is in the keyring. The mark is another for each, so that nobody has to ask the keyring
    /// whether it has changed.
    InKeyring {
        mark: String,
    },
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copilot: Option<StoredLogin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyring: Option<String>,
}

impl AuthFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("auth.json") }
    }

    /// Who is signed in. No file: nobody.
    pub(super) fn read(&self) -> Result<Option<Said>, CredentialsError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CredentialsError::Read { path: self.path.display().to_string(), source });
            }
        };
        // The error of a parser may repeat what it has read.
        let stored: Stored = serde_json::from_str(&text)
            .map_err(|error| self.damaged(&format!("line {}, column {}", error.line(), error.column())))?;
        match (stored.keyring, stored.copilot) {
            (Some(mark), _) => Ok(Some(Said::InKeyring { mark })),
            (None, Some(login)) => match login.read() {
                Ok(login) => Ok(Some(Said::Login(login))),
                Err(error) => Err(self.damaged(&format!("copilot.domain: {error}"))),
            },
            (None, None) => Ok(None),
        }
    }

    pub(super) fn write(&self, login: &Login) -> Result<(), CredentialsError> {
        self.replace(&Stored { copilot: Some(login.into()), keyring: None })
    }

    /// Says that the keyring has it.
    pub(super) fn refer(&self, mark: &str) -> Result<(), CredentialsError> {
        self.replace(&Stored { copilot: None, keyring: Some(mark.to_owned()) })
    }

    /// Nobody is signed in any more.
    pub(super) fn wipe(&self) -> Result<(), CredentialsError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.not_written(error)),
            _ => Ok(()),
        }
    }

    /// What was read makes no sense.
    pub(super) fn damaged(&self, reason: &impl std::fmt::Display) -> CredentialsError {
        CredentialsError::Damaged { what: self.path.display().to_string(), reason: reason.to_string() }
    }

    fn replace(&self, stored: &Stored) -> Result<(), CredentialsError> {
        self.try_replace(stored).map_err(|source| self.not_written(source))
    }

    fn try_replace(&self, stored: &Stored) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        platform::create_private_directory(directory)?;
        // Made for its owner only, before anything is in it.
        let mut file = tempfile::Builder::new().prefix(".auth-").tempfile_in(directory)?;
        file.write_all(serde_json::to_string_pretty(stored)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    fn not_written(&self, source: io::Error) -> CredentialsError {
        CredentialsError::Write { path: self.path.display().to_string(), source }
    }
}

#[cfg(test)]
mod tests;

//! `auth.json`: who is signed in, from one run to the next. Blocking.
//!
//! Only its owner may read it, and it is replaced as a whole: the old one or the new one stands there.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use provider::{Domain, Secret};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone)]
pub(super) struct AuthFile {
    path: PathBuf,
}

/// A sign-in to GitHub Copilot.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// The token is only good there, and goes nowhere else.
    pub(super) domain: Domain,
    pub(super) token: Secret,
    pub(super) account: Option<String>,
}

impl Login {
    /// Whether a Copilot of the one is one of the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.domain == other.domain && self.token.reveal() == other.token.reveal()
    }
}

/// Why `auth.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthFileError {
    #[error("{path} cannot be read")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} is damaged: {reason}")]
    Damaged { path: String, reason: String },
    #[error("{path} cannot be written")]
    Write {
        path: String,
        #[source]
        source: io::Error,
    },
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copilot: Option<StoredLogin>,
}

#[derive(Serialize, Deserialize)]
struct StoredLogin {
    domain: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

impl AuthFile {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("auth.json") }
    }

    /// Who is signed in. No file: nobody.
    pub(super) fn read(&self) -> Result<Option<Login>, AuthFileError> {
        let path = || self.path.display().to_string();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AuthFileError::Read { path: path(), source }),
        };
        // The error of a parser may repeat what it has read.
        let stored: Stored = serde_json::from_str(&text).map_err(|error| AuthFileError::Damaged {
            path: path(),
            reason: format!("line {}, column {}", error.line(), error.column()),
        })?;
        let Some(StoredLogin { domain, token, account }) = stored.copilot else { return Ok(None) };
        let domain =
            Domain::parse(&domain).map_err(|error| self.damaged(&format!("copilot.domain: {error}")))?;
        Ok(Some(Login { domain, token: Secret::new(token), account }))
    }

    pub(super) fn write(&self, login: &Login) -> Result<(), AuthFileError> {
        let stored = Stored {
            copilot: Some(StoredLogin {
                domain: login.domain.to_string(),
                token: login.token.reveal().to_owned(),
                account: login.account.clone(),
            }),
        };
        self.replace(&stored).map_err(|source| self.not_written(source))
    }

    /// Nobody is signed in any more.
    pub(super) fn wipe(&self) -> Result<(), AuthFileError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.not_written(error)),
            _ => Ok(()),
        }
    }

    /// What was read makes no sense.
    pub(super) fn damaged(&self, reason: &impl std::fmt::Display) -> AuthFileError {
        AuthFileError::Damaged { path: self.path.display().to_string(), reason: reason.to_string() }
    }

    fn replace(&self, stored: &Stored) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        // Made for its owner only, before anything is in it.
        let mut file = tempfile::Builder::new().prefix(".auth-").tempfile_in(directory)?;
        file.write_all(serde_json::to_string_pretty(stored)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    fn not_written(&self, source: io::Error) -> AuthFileError {
        AuthFileError::Write { path: self.path.display().to_string(), source }
    }
}

#[cfg(test)]
mod tests;

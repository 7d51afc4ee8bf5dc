//! The system's keyring: the Secret Service on Linux and its like, the Keychain on macOS, the Credential
//! Manager on Windows. Blocking, and for as long as it asks its user for a password.

use std::path::Path;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};

use super::CredentialsError;
use super::login::{Login, StoredLogin};

/// The service and the user under which keyrings show it; each data directory has a sign-in of its own.
const SERVICE: &str = "opal";

#[derive(Debug, Clone)]
pub(super) struct Keyring {
    user: String,
}

impl Keyring {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { user: data_dir.display().to_string() }
    }

    /// `None` if it is not there.
    pub(super) fn read(&self) -> Result<Option<Login>, CredentialsError> {
        let text = match self.entry()?.get_password() {
            Ok(text) => text,
            Err(Error::NoEntry) => return Ok(None),
            Err(error) => return Err(unusable(&error)),
        };
        let damaged = |reason: String| CredentialsError::Damaged {
            what: "the sign-in in the system keyring".into(),
            reason,
        };
        // The error of a parser may repeat what it has read.
        let stored: StoredLogin = serde_json::from_str(&text)
            .map_err(|error| damaged(format!("line {}, column {}", error.line(), error.column())))?;
        stored.read().map(Some).map_err(|error| damaged(format!("domain: {error}")))
    }

    pub(super) fn write(&self, login: &Login) -> Result<(), CredentialsError> {
        let text = serde_json::to_string(&StoredLogin::from(login));
        let text = text.map_err(|error| CredentialsError::Keyring { reason: error.to_string() })?;
        self.entry()?.set_password(&text).map_err(|error| unusable(&error))
    }

    pub(super) fn wipe(&self) -> Result<(), CredentialsError> {
        match self.entry()?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(unusable(&error)),
        }
    }

    fn entry(&self) -> Result<Entry, CredentialsError> {
        // Tests have one of their own. That of the system is connected to each time, which is seldom: the
        // service behind it may have been started anew.
        let store = keyring_core::get_default_store().map_or_else(system, Ok);
        store.and_then(|store| store.build(SERVICE, &self.user, None)).map_err(|error| unusable(&error))
    }
}

#[cfg(target_os = "macos")]
fn system() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn system() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(all(unix, not(target_os = "macos")))]
fn system() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

/// Without what some of these errors carry, which is the secret.
fn unusable(error: &Error) -> CredentialsError {
    let reason = match error {
        Error::PlatformFailure(error) | Error::NoStorageAccess(error) => error.to_string(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what it holds is not text".into(),
        Error::Ambiguous(entries) => format!("it has {} sign-ins of Opal's", entries.len()),
        error => error.to_string(),
    };
    CredentialsError::Keyring { reason }
}

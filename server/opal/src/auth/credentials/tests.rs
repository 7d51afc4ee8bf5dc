use std::fs;

use keyring_core::{Entry, Error, mock};
use provider::{Domain, Secret};
use tempfile::TempDir;

use super::*;

/// A data directory, and a keyring that is nobody's.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        static KEYRING: std::sync::Once = std::sync::Once::new();
        KEYRING.call_once(|| keyring_core::set_default_store(mock::Store::new().unwrap()));
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn keeps(&self, place: Place) -> Credentials {
        Credentials::new(self.directory.path(), place)
    }

    fn entry(&self) -> Entry {
        Entry::new("opal", self.directory.path().to_str().unwrap()).unwrap()
    }

    /// The next thing asked of the keyring fails.
    fn lock(&self) {
        let reason = "it is locked".into();
        let entry = self.entry();
        let entry: &mock::Cred = entry.as_any().downcast_ref().unwrap();
        entry.set_error(Error::NoStorageAccess(reason));
    }

    /// Where the token is: in the file, in the keyring.
    fn found(&self) -> (bool, bool) {
        let file = fs::read_to_string(self.directory.path().join("auth.json")).unwrap_or_default();
        let keyring = self.entry().get_password().unwrap_or_default();
        (file.contains("ghu_"), keyring.contains("ghu_"))
    }
}

fn login(token: &str) -> Login {
    Login {
        domain: Domain::parse("acme.ghe.com").unwrap(),
        token: Secret::new(token),
        account: Some("ann".into()),
        expires_at: None,
        refresh_token: Some(Secret::new("ghr_for_another")),
    }
}

/// Who is signed in, in words.
fn who(credentials: &Credentials) -> String {
    match credentials.read() {
        Ok(None) => "nobody".into(),
        Ok(Some(login)) => format!("{} at {}", login.token.reveal(), login.domain),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_sign_in_is_in_the_keyring_alone_until_it_is_wiped() {
    let home = Home::new();
    let keyring = home.keeps(Place::Keyring);
    assert_eq!(who(&keyring), "nobody");
    keyring.write(&login("ghu_first_token")).unwrap();
    assert_eq!(home.found(), (false, true));
    // A new process knows it too, with all that belongs to it.
    let read = home.keeps(Place::Keyring).read().unwrap().unwrap();
    assert_eq!(read.account.as_deref(), Some("ann"));
    assert_eq!(read.refresh_token.unwrap().reveal(), "ghr_for_another");
    keyring.wipe().unwrap();
    keyring.wipe().unwrap();
    assert_eq!((home.found(), who(&keyring)), ((false, false), "nobody".into()));
}

#[test]
fn the_keyring_is_asked_again_only_when_another_opal_has_changed_it() {
    let home = Home::new();
    let (one, other) = (home.keeps(Place::Keyring), home.keeps(Place::Keyring));
    one.write(&login("ghu_first_token")).unwrap();
    home.lock();
    assert_eq!(who(&one), "ghu_first_token at acme.ghe.com");
    let _ = home.entry().get_password().unwrap_err();
    other.write(&login("ghu_second_token")).unwrap();
    assert_eq!(who(&one), "ghu_second_token at acme.ghe.com");
    other.wipe().unwrap();
    assert_eq!(who(&one), "nobody");
}

#[test]
fn a_sign_in_moves_to_where_the_configuration_has_it() {
    let home = Home::new();
    home.keeps(Place::File).write(&login("ghu_first_token")).unwrap();
    assert_eq!(home.found(), (true, false));
    assert_eq!(who(&home.keeps(Place::Keyring)), "ghu_first_token at acme.ghe.com");
    assert_eq!(home.found(), (false, true));
    assert_eq!(who(&home.keeps(Place::File)), "ghu_first_token at acme.ghe.com");
    assert_eq!(home.found(), (true, false));
}

#[test]
fn a_locked_keyring_is_an_error_and_no_reason_to_use_the_file() {
    const LOCKED: &str = "the system keyring cannot be used: it is locked";
    let home = Home::new();
    let keyring = home.keeps(Place::Keyring);
    home.lock();
    assert_eq!(keyring.write(&login("ghu_first_token")).unwrap_err().to_string(), LOCKED);
    assert_eq!((home.found(), who(&keyring)), ((false, false), "nobody".into()));
    // What is in the file stays there, and is not used.
    home.keeps(Place::File).write(&login("ghu_first_token")).unwrap();
    home.lock();
    assert_eq!(who(&keyring), LOCKED);
    assert_eq!(home.found(), (true, false));
    assert_eq!(who(&keyring), "ghu_first_token at acme.ghe.com");
    // Signing out says that it did not work.
    home.lock();
    assert_eq!(keyring.wipe().unwrap_err().to_string(), LOCKED);
    assert_eq!(home.found(), (false, true));
}

#[test]
fn what_is_taken_out_of_the_keyring_is_gone() {
    let home = Home::new();
    home.keeps(Place::Keyring).write(&login("ghu_first_token")).unwrap();
    home.entry().delete_credential().unwrap();
    assert_eq!(who(&home.keeps(Place::Keyring)), "nobody");
}

#[test]
fn a_damaged_entry_is_said_without_its_content() {
    let home = Home::new();
    home.keeps(Place::Keyring).write(&login("ghu_first_token")).unwrap();
    home.entry().set_password("{\"domain\": ghu_first_token").unwrap();
    let said = who(&home.keeps(Place::Keyring));
    assert!(said.contains("damaged: line 1") && !said.contains("ghu_"), "{said}");
}

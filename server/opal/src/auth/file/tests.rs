use provider::{Domain, Secret};

use super::*;

fn login() -> Login {
    Login {
        domain: Domain::default(),
        token: Secret::new("ghu_a_token_of_a_test"),
        account: Some("ann".into()),
        expires_at: None,
        refresh_token: None,
    }
}

fn read(file: &AuthFile) -> Login {
    match file.read().unwrap() {
        Some(Said::Login(login)) => login,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_again_until_it_is_wiped() {
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(&directory.path().join("not/yet/there"));
    assert!(file.read().unwrap().is_none());
    file.write(&login()).unwrap();
    let read = read(&file);
    assert_eq!((read.domain.as_str(), read.token.reveal()), ("github.com", "ghu_a_token_of_a_test"));
    assert_eq!(read.account.as_deref(), Some("ann"));
    file.wipe().unwrap();
    file.wipe().unwrap();
    assert!(file.read().unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(directory.path());
    fs::write(&file.path, "{}").unwrap();
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
    file.write(&login()).unwrap();
    assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_said_without_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(directory.path());
    fs::write(&file.path, r#"{"copilot": {"domain": "github.com", "token": ghu_secret}}"#).unwrap();
    let error = file.read().unwrap_err().to_string();
    assert!(error.contains("auth.json is damaged: line 1") && !error.contains("ghu_secret"), "{error}");
}

/// The token must not go to another host than the one it is for.
#[test]
fn a_sign_in_without_a_host_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = AuthFile::new(directory.path());
    fs::write(&file.path, r#"{"copilot": {"domain": "two words", "token": "ghu_a_token_of_a_test"}}"#)
        .unwrap();
    let error = file.read().unwrap_err().to_string();
    assert!(error.contains("copilot.domain") && !error.contains("ghu_"), "{error}");
}

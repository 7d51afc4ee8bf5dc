//! A sign-in that is kept in the system keyring.

use expect_test::expect;
use keyring_core::Entry;
use serde_json::{Value, json};
use tests::editor::Editor;
use tests::process::CommandLine;
use tests::{GitHub, Opal};

const IN_KEYRING: &str = "credentials = \"keyring\"\n";

fn entry(opal: &Opal) -> Entry {
    Entry::new("opal", opal.data_directory().to_str().unwrap()).unwrap()
}

fn file(opal: &Opal) -> String {
    std::fs::read_to_string(opal.data_directory().join("auth.json")).unwrap_or_default()
}

async fn status(editor: &Editor) -> Value {
    editor.request("auth/status", Value::Null).await.unwrap()["providers"][0].clone()
}

#[tokio::test]
async fn signing_in_and_out() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).keyring().await;
    opal.editor.request("auth/login", json!({})).await.unwrap();
    let told = status(&opal.editor).await;
    assert_eq!((&told["ready"], &told["source"]), (&json!(true), &json!("the system keyring")), "{told}");
    assert!(entry(&opal).get_password().unwrap().contains("ghu_"));
    for secret in github.secrets() {
        assert!(!file(&opal).contains(&secret), "{}", file(&opal));
    }
    let models = opal.editor.request("models/list", json!({})).await.unwrap();
    assert!(models["default_model"].is_string(), "{models:#}");

    opal.editor.request("auth/logout", json!({})).await.unwrap();
    assert!(entry(&opal).get_password().is_err() && file(&opal).is_empty());
    assert_eq!(status(&opal.editor).await["ready"], false);
}

#[tokio::test]
async fn a_sign_in_of_before_is_moved_there() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Here."));
    let opal = Opal::start_with_github(&github).keyring().signed_in(&github, "gpt-5.4").await;
    assert!(file(&opal).contains("keyring") && !file(&opal).contains("ghu_"), "{}", file(&opal));
    assert!(entry(&opal).get_password().unwrap().contains("ghu_"));
    assert_eq!(opal.run("hello").await, "completed");
}

#[tokio::test]
async fn a_keyring_that_is_locked_meanwhile_does_not_matter_to_those_who_have_seen_it() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Here."));
    let opal = Opal::start_with_github(&github).keyring().signed_in(&github, "gpt-5.4").await;
    let entry = entry(&opal);
    let locked = keyring_core::Error::NoStorageAccess("it is locked".into());
    entry.as_any().downcast_ref::<keyring_core::mock::Cred>().unwrap().set_error(locked);
    assert_eq!(opal.run("hello").await, "completed");
    let refused = opal.editor.request("auth/logout", json!({})).await.unwrap_err();
    assert!(refused.code == -31007 && refused.message.contains("it is locked"), "{refused}");
    assert!(refused.data["hint"].as_str().unwrap().contains("Unlock it"), "{refused:?}");
    opal.editor.request("auth/logout", json!({})).await.unwrap();
}

/// Nobody runs a keyring here, and what is in the file is not used in its place.
#[cfg(all(unix, not(target_os = "macos")))]
#[tokio::test(flavor = "multi_thread")]
async fn without_one() {
    let github = GitHub::start().await;
    github.pace(1, 900);
    let opal = CommandLine::new(&format!("{IN_KEYRING}{}", github.config()))
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nobody/listens/here");
    let ran = opal.run(&["login"]);
    assert_eq!(ran.code, Some(1));
    let told = ran.stderr.lines().last().unwrap();
    expect![[r#"error: the sign-in could not be kept: the system keyring cannot be used: zbus error: Failed to connect to address `unix:path=/nobody/listens/here`: No such file or directory (os error 2). Unlock it, or start one such as GNOME Keyring or KeePassXC; or set `credentials = "file"` in ~/.opal/config.toml and sign in again."#]].assert_eq(told);
    assert!(!opal.data_directory().join("auth.json").exists());

    std::fs::write(opal.data_directory().join("auth.json"), github.auth_json()).unwrap();
    let ran = opal.run(&["run", "hello"]);
    assert_eq!((ran.code, github.n_exchanges()), (Some(1), 1), "only the sign-in has exchanged: {ran:?}");
    assert!(ran.stderr.contains("the system keyring cannot be used"), "{ran:?}");
    let ran = opal.run(&["auth"]);
    assert!(ran.ok && ran.stdout.contains("not ready: the system keyring cannot be used"), "{ran:?}");
    let ran = opal.run(&["logout"]);
    assert!(!ran.ok && ran.stderr.contains("the system keyring cannot be used"), "{ran:?}");
    // As the hint has it.
    opal.configure(&github.config());
    assert!(opal.run(&["auth"]).stdout.contains("signed in as"));
}

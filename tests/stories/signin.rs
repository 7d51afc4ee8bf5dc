//! Signing in to GitHub Copilot, from an editor and from a terminal.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tests::editor::{Editor, RpcError};
use tests::github::{ACCOUNT, Poll};
use tests::process::{CommandLine, Ran};
use tests::{GitHub, Opal, Profile};

async fn login(editor: &Editor) -> Result<Value, RpcError> {
    editor.request("auth/login", json!({})).await
}

async fn status(editor: &Editor) -> Value {
    let status = editor.request("auth/status", Value::Null).await.unwrap();
    status["providers"].as_array().unwrap().iter().find(|it| it["provider"] == "copilot").unwrap().clone()
}

fn stored(opal: &Opal) -> Option<Value> {
    let text = std::fs::read_to_string(opal.data_directory().join("auth.json")).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn with_a_code() {
    let github = GitHub::start().await;
    github.user([Poll::Pending, Poll::Pending]);
    let opal = Opal::start_with_github(&github).await;
    assert_eq!(status(&opal.editor).await["ready"], false);
    let signing_in = opal.editor.start_request("auth/login", json!({}));
    let code = opal.editor.until(None, 0, "auth/device_code", |_| true).await;
    assert_eq!(code["user_code"], "OPAL-7K2Q");
    assert_eq!(code["verification_uri"], "https://github.com/login/device");
    assert_eq!((&code["expires_in"], &code["opened"]), (&json!(900), &json!(true)));
    let shown = opal.editor.until(None, 0, "window/showDocument", |_| true).await;
    assert_eq!(
        (&shown["uri"], &shown["external"]),
        (&json!("https://github.com/login/device"), &json!(true))
    );

    let signed_in = signing_in.answer().await.unwrap();
    let signed_in = &signed_in["status"];
    assert_eq!((&signed_in["ready"], &signed_in["account"]), (&json!(true), &json!(ACCOUNT)));
    assert_eq!(status(&opal.editor).await, *signed_in);
    assert_eq!(github.n_asked(), 4, "a code and three polls");
    let stored = stored(&opal).unwrap();
    assert_eq!(
        (&stored["copilot"]["domain"], &stored["copilot"]["account"]),
        (&json!("github.com"), &json!(ACCOUNT))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = std::fs::metadata(opal.data_directory().join("auth.json")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
    // What the client is told holds no secret.
    for secret in github.secrets() {
        assert!(!opal.editor.to_string().contains(&secret), "{}", opal.editor);
    }
}

#[tokio::test]
async fn a_client_that_cannot_show_pages_is_asked_for_none() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).profile(Profile::Kate).await;
    login(&opal.editor).await.unwrap();
    let code = opal.editor.until(None, 0, "auth/device_code", |_| true).await;
    assert!(code["opened"] != true);
    assert_eq!(opal.editor.count("window/showDocument"), 0);
}

/// How a sign-in ends, in words.
async fn ends(github: &GitHub, expected: Expect) {
    let opal = Opal::start_with_github(github).await;
    let told = match login(&opal.editor).await {
        Ok(_) => format!("signed in after {} polls", github.n_asked() - 1),
        Err(error) => format!("{error}. {}", error.data["hint"].as_str().unwrap()),
    };
    expected.assert_eq(&told);
    assert_eq!(stored(&opal).is_some(), told.starts_with("signed in"));
}

#[tokio::test]
async fn the_ways_it_can_end() {
    let github = GitHub::start().await;
    github.user([Poll::Pending, Poll::SlowDown(6), Poll::Pending]);
    ends(&github, expect!["signed in after 4 polls"]).await;

    let github = GitHub::start().await;
    github.user([Poll::Lost, Poll::Busy, Poll::Lost, Poll::Pending]);
    ends(&github, expect!["signed in after 5 polls"]).await;

    let github = GitHub::start().await;
    github.user([Poll::Pending, Poll::Denied]);
    ends(
        &github,
        expect!["-31003 the sign-in was cancelled in the browser. Sign in again if that was not intended."],
    )
    .await;

    let github = GitHub::start().await;
    github.user([Poll::Pending, Poll::Expired]);
    ends(&github, expect!["-31003 the code expired before it was entered. Sign in again to get a new code."])
        .await;

    // The service does not say that it has run out.
    let github = GitHub::start().await;
    github.pace(5, 15);
    github.user_always(Poll::Pending);
    ends(&github, expect!["-31003 the code expired before it was entered. Sign in again to get a new code."])
        .await;

    let github = GitHub::start().await;
    github.pace(5, 15);
    github.user_always(Poll::Busy);
    ends(&github, expect!["-31003 127.0.0.1 could not be reached: Unicorn! (HTTP 502 Bad Gateway). Check the domain, the network and its proxy settings, and sign in again."]).await;

    let github = GitHub::start().await;
    github.not_entitled();
    ends(&github, expect!["-31003 copilot is not available to this account: No access to GitHub Copilot found. You are currently logged in as octo-fixture; see https://github.com/github-copilot/signup. Open the address to see what the account needs, or sign in with another account."]).await;
}

#[tokio::test]
async fn a_service_that_is_down_for_a_moment_costs_no_second_code() {
    let github = GitHub::start().await;
    github.refuse_exchange(Some(replay::Reply::new(502, "text/html", "<title>Unicorn!</title>")));
    let opal = Opal::start_with_github(&github).await;
    login(&opal.editor).await.unwrap();
    github.refuse_exchange(None);
    let models = opal.editor.request("models/list", json!({})).await.unwrap();
    assert!(models["models"].as_array().unwrap().len() > 3, "{models:#}");
}

#[tokio::test]
async fn a_sign_in_that_is_cancelled_asks_no_more() {
    let github = GitHub::start().await;
    github.user_always(Poll::Pending);
    let opal = Opal::start_with_github(&github).await;
    let signing_in = opal.editor.start_request("auth/login", json!({}));
    github.asked(3).await;
    signing_in.cancel();
    assert_eq!(signing_in.error().await.code, -32800);
    let n = github.n_asked();
    github.user_always(Poll::Granted);
    tokio::time::sleep(std::time::Duration::from_millis(150)).await; // Five polls, were there any.
    assert!(github.n_asked() <= n + 1 && stored(&opal).is_none());
    // The next is another.
    login(&opal.editor).await.unwrap();
    assert_eq!(github.n_codes(), 2);
}

#[tokio::test]
async fn a_sign_in_ends_with_its_client() {
    let github = GitHub::start().await;
    github.user_always(Poll::Pending);
    let mut opal = Opal::start_with_github(&github).await;
    let other = opal.connect(tests::editor::Options { directory: opal.directory(), ..Default::default() });
    other.initialize().await;
    let signing_in = other.start_request("auth/login", json!({}));
    github.asked(3).await;
    other.vanish();
    drop(signing_in);
    opal.last_connection_ended().await;
    let n = github.n_asked();
    github.user_always(Poll::Granted);
    tokio::time::sleep(std::time::Duration::from_millis(150)).await; // Five polls, were there any.
    assert!(github.n_asked() <= n + 1 && stored(&opal).is_none());
}

#[tokio::test]
async fn twice_and_out_again() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).await;
    login(&opal.editor).await.unwrap();
    let first = stored(&opal).unwrap();
    login(&opal.editor).await.unwrap();
    assert_ne!(stored(&opal).unwrap(), first);

    for _ in 0..2 {
        let out = opal.editor.request("auth/logout", json!({})).await.unwrap();
        assert_eq!(out, json!({ "ok": true }));
        assert!(stored(&opal).is_none());
        assert_eq!(status(&opal.editor).await["ready"], false);
        let models = opal.editor.request("models/list", json!({})).await.unwrap();
        assert_eq!(models["models"], json!([]), "{models:#}");
    }
}

#[tokio::test]
async fn two_at_the_same_time() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).await;
    let both = [(); 2].map(|()| opal.editor.start_request("auth/login", json!({})));
    for one in both {
        assert_eq!(one.answer().await.unwrap()["status"]["ready"], true);
    }
}

#[tokio::test]
async fn what_is_asked_for_is_looked_at_first() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).await;
    for (params, named) in [
        (json!({ "provider": "openai" }), "provider"),
        (json!({ "domain": "two words" }), "domain"),
        (json!({ "domain": "ghp_looksLikeAToken!" }), "domain"),
        (json!({ "use_existing": "nowhere" }), "use_existing"),
        (json!({ "domain": 7 }), "domain"),
    ] {
        let error = opal.editor.request("auth/login", params.clone()).await.unwrap_err();
        assert!(error.code == -32602 && error.message.contains(named), "{params}: {error}");
        assert!(!error.message.contains("ghp_"), "{error}");
    }
    assert_eq!(github.n_asked(), 0);
}

#[tokio::test]
async fn an_enterprise() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).await;
    let params = json!({ "domain": "https://ACME.ghe.com/login" });
    let signed_in = opal.editor.request("auth/login", params).await.unwrap();
    assert_eq!(signed_in["status"]["host"], "acme.ghe.com");
    assert_eq!(stored(&opal).unwrap()["copilot"]["domain"], "acme.ghe.com");
}

#[tokio::test]
async fn a_damaged_file_is_told_and_replaced() {
    let github = GitHub::start().await;
    for damaged in [
        "",
        "{\"copilot\": {\"token\": \"ghu_half",
        "7",
        "{\"copilot\": {\"domain\": \"/\", \"token\": \"x\"}}",
    ] {
        let opal = Opal::start_with_github(&github).data("auth.json", damaged).await;
        let before = status(&opal.editor).await;
        let problem = before["problem"].as_str().unwrap();
        assert!(before["ready"] == false && problem.contains("auth.json is damaged"), "{before}");
        assert!(!problem.contains("ghu_"), "{problem}");
        let refused = opal.editor.request("session/start", json!({ "working_dir": opal.directory() })).await;
        let refused = refused.unwrap_err();
        assert!(refused.code == -31003 && refused.message.contains("auth.json is damaged"), "{refused}");
        assert!(refused.data["hint"].as_str().unwrap().contains("opal login"), "{refused:?}");
        login(&opal.editor).await.unwrap();
        assert_eq!(status(&opal.editor).await["ready"], true);
    }
}

#[tokio::test]
async fn another_opal_signs_in_and_out() {
    let github = GitHub::start().await;
    let opal = Opal::start_with_github(&github).await;
    let params = json!({ "working_dir": opal.directory() });
    let error = opal.editor.request("session/start", params.clone()).await.unwrap_err();
    assert!(error.code == -31003 && error.data["hint"].as_str().unwrap().contains("opal login"), "{error:?}");
    let file = opal.data_directory().join("auth.json");
    std::fs::create_dir_all(opal.data_directory()).unwrap();
    std::fs::write(&file, github.auth_json()).unwrap();
    assert_eq!(status(&opal.editor).await["ready"], true);
    opal.editor.request("session/start", params.clone()).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    opal.editor.request("session/start", params).await.unwrap_err();
}

#[tokio::test]
async fn a_sign_in_of_another_program_for_another_host() {
    let github = GitHub::start().await;
    let token = github.token();
    let key = "acme.ghe.com:Iv1.b507a08c87ecfe98";
    let terminal = with_apps(&github, json!({ key: { "user": "worker", "oauth_token": token } }));
    let ran = run(&terminal, &["auth"]);
    assert!(ran.stdout.contains("can also use the sign-in of worker at acme.ghe.com in "), "{ran:?}");
    let ran = run(&terminal, &["login", "--existing", "--domain", "other.ghe.com"]);
    assert!(!ran.ok && ran.stderr.contains("no other program has left a sign-in here"), "{ran:?}");
    for arguments in
        [&["login", "--existing"][..], &["login", "--existing", "--domain", "https://ACME.ghe.com/"]]
    {
        let ran = run(&terminal, arguments);
        assert!(ran.ok && ran.stderr.contains(" at acme.ghe.com"), "{ran:?}");
        let stored = std::fs::read_to_string(terminal.data_directory().join("auth.json")).unwrap();
        let stored: Value = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored["copilot"]["domain"], "acme.ghe.com");
        assert!(run(&terminal, &["logout"]).ok);
    }
    assert_eq!(github.n_codes(), 0);
}

// Tokens that run out.

#[tokio::test]
async fn a_sign_in_that_runs_out_is_renewed_before() {
    let github = GitHub::start().await;
    for text in ["One.", "Two."] {
        github.model.next(|t| t.text(text));
    }
    let mut opal = Opal::start_with_github(&github).data("auth.json", &github.auth_json_for(60)).await;
    opal.start_first_session(json!({ "model": "copilot/gpt-5.4" })).await;
    // Everybody at once: a refresh token is good for one use.
    let asked = (0..10).map(|_| status(&opal.editor));
    for told in futures::future::join_all(asked).await {
        assert_eq!((&told["ready"], &told["renewed"]), (&json!(true), &json!(true)), "{told}");
    }
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(github.n_refreshes(), 1);
    let kept = stored(&opal).unwrap();
    let expires_at_ms = kept["copilot"]["expires_at_ms"].as_i64().unwrap();
    assert_eq!(status(&opal.editor).await["expires_at_ms"], expires_at_ms);

    // It can be renewed no more, and says so when it has run out.
    github.forget_refresh_tokens();
    let mut kept = kept;
    kept["copilot"]["expires_at_ms"] = json!(1_000);
    std::fs::write(opal.data_directory().join("auth.json"), kept.to_string()).unwrap();
    assert_eq!(opal.run("are you there").await, "error");
    let events = opal.editor.events(&opal.session);
    let told = events.iter().rfind(|event| event["type"] == "error").unwrap();
    assert_eq!(told["code"], "sign_in_again", "{told}");
    assert!(told["message"].as_str().unwrap().contains("could not be renewed"), "{told}");
    github.tokens_last(8 * 3600);
    login(&opal.editor).await.unwrap();
    assert_eq!(opal.run("and now").await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn until_when() {
    let github = GitHub::start().await;
    let terminal = terminal(&github);
    let until = |auth_json: String| {
        std::fs::write(terminal.data_directory().join("auth.json"), auth_json).unwrap();
        let ran = run(&terminal, &["auth"]);
        ran.stdout.trim_end().split_once("2026-12-01), ").unwrap_or_else(|| panic!("{ran:?}")).1.to_owned()
    };
    assert_eq!(until(github.auth_json()), "access for 30 min, then renewed by itself");
    assert_eq!(until(github.auth_json_for(7 * 3600 + 600)), "access for 7 h, then renewed by itself");
    let mut without: Value = serde_json::from_str(&github.auth_json_for(90 * 24 * 3600)).unwrap();
    without["copilot"].as_object_mut().unwrap().remove("refresh_token");
    assert_eq!(until(without.to_string()), "access for 90 days, then `opal login` again");
}

#[tokio::test]
async fn a_token_without_an_exchange() {
    let github = GitHub::start().await;
    github.takes_github_tokens();
    github.model.next(|t| t.text("Here."));
    let opal =
        Opal::start_with_github(&github).settings("exchange = false").signed_in(&github, "gpt-5.4").await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(github.n_exchanges(), 0);
    assert_eq!(status(&opal.editor).await["expires_at_ms"], Value::Null);
}

// The command line.

/// `opal` for somebody new.
fn terminal(github: &GitHub) -> CommandLine {
    github.pace(1, 900);
    CommandLine::new(&github.config())
}

/// The same where an editor's plugin has left sign-ins.
fn with_apps(github: &GitHub, apps: Value) -> CommandLine {
    let terminal = terminal(github);
    let home = terminal.data_directory().join("../config");
    std::fs::create_dir_all(home.join("github-copilot")).unwrap();
    std::fs::write(home.join("github-copilot/apps.json"), apps.to_string()).unwrap();
    terminal.env("XDG_CONFIG_HOME", home.to_str().unwrap())
}

/// `opal login`, as far as its code, which is returned.
fn start_login(terminal: &CommandLine) -> (Child, String, impl FnOnce() -> String + use<>) {
    let mut command = terminal.command(&["login"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let rest = move || {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        rest
    };
    (child, line, rest)
}

fn run(terminal: &CommandLine, arguments: &[&str]) -> Ran {
    terminal.run(arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_terminal() {
    let github = GitHub::start().await;
    let terminal = terminal(&github);
    expect![[r#"
        copilot      not signed in: `opal login` does it
    "#]]
    .assert_eq(&run(&terminal, &["auth"]).stdout);
    let ran = run(&terminal, &["login"]);
    assert!(ran.ok && ran.stdout.is_empty(), "{ran:?}");
    expect![[r#"
        Enter the code OPAL-7K2Q at https://github.com/login/device
        It is good for 15 minutes. Ctrl-C gives up.
        Signed in to GitHub Copilot as octo-fixture (individual, 40 % of premium interactions left, renewed on 2026-12-01). `opal models` lists what it offers.
    "#]].assert_eq(&ran.stderr);
    let ran = run(&terminal, &["auth"]);
    assert!(ran.ok && ran.stderr.is_empty(), "{ran:?}");
    expect![[r#"
        copilot      signed in as octo-fixture (individual, 40 % of premium interactions left, renewed on 2026-12-01), access for 30 min, then renewed by itself
    "#]].assert_eq(&ran.stdout);
    let json: Value = serde_json::from_str(&run(&terminal, &["auth", "--json"]).stdout).unwrap();
    assert_eq!(json["providers"][0]["account"], ACCOUNT);
    let ran = run(&terminal, &["models"]);
    assert!(ran.ok && ran.stdout.contains("* copilot/gpt-5-mini"), "{ran:?}");
    for _ in 0..2 {
        let ran = run(&terminal, &["logout"]);
        assert!(ran.ok, "{ran:?}");
        assert!(!terminal.data_directory().join("auth.json").exists());
    }
    expect![[r#"
        Signed out.
    "#]]
    .assert_eq(&run(&terminal, &["logout"]).stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_terminal_it_can_fail() {
    let github = GitHub::start().await;
    let terminal = terminal(&github);
    github.user([Poll::Denied]);
    let ran = run(&terminal, &["login"]);
    assert_eq!(ran.code, Some(1));
    expect![[r#"
        Enter the code OPAL-7K2Q at https://github.com/login/device
        It is good for 15 minutes. Ctrl-C gives up.
        error: the sign-in was cancelled in the browser. Sign in again if that was not intended.
    "#]]
    .assert_eq(&ran.stderr);
    github.not_entitled();
    let ran = run(&terminal, &["login"]);
    assert_eq!(ran.code, Some(1));
    expect![[r#"
        Enter the code OPAL-7K2Q at https://github.com/login/device
        It is good for 15 minutes. Ctrl-C gives up.
        error: copilot is not available to this account: No access to GitHub Copilot found. You are currently logged in as octo-fixture; see https://github.com/github-copilot/signup. Open the address to see what the account needs, or sign in with another account.
    "#]].assert_eq(&ran.stderr);
    std::fs::write(terminal.data_directory().join("auth.json"), "{").unwrap();
    let ran = run(&terminal, &["auth"]);
    expect![[r#"
        copilot      not ready: DATA/auth.json is damaged: line 1, column 1. Sign in again with `opal login` to replace it.
    "#]]
    .assert_eq(&ran.stdout.replace(&terminal.data_directory().display().to_string(), "DATA"));
    github.refuse_exchange(None);
    assert!(run(&terminal, &["login"]).ok);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_gives_up() {
    let github = GitHub::start().await;
    let terminal = terminal(&github);
    github.user_always(Poll::Pending);
    let (mut child, line, rest) = start_login(&terminal);
    assert!(line.contains("OPAL-7K2Q"), "{line}");
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    expect![[r#"
        It is good for 15 minutes. Ctrl-C gives up.
        Given up; nobody was signed in.
    "#]]
    .assert_eq(&rest());
    assert!(!terminal.data_directory().join("auth.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_of_another_program_is_used_only_when_asked_for() {
    let github = GitHub::start().await;
    let (of_plugin, of_environment) = (github.token(), github.token());
    let key = "github.com:Iv1.b507a08c87ecfe98";
    let terminal = with_apps(&github, json!({ key: { "user": "octo", "oauth_token": of_plugin } }));
    let home = terminal.data_directory().join("../config");
    let stored = |terminal: &CommandLine| {
        let text = std::fs::read_to_string(terminal.data_directory().join("auth.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["copilot"]["token"].as_str().unwrap().to_owned()
    };

    let ran = run(&terminal, &["auth"]);
    expect![[r#"
        copilot      not signed in: `opal login` does it
        `opal login` can also use the sign-in of octo in CONFIG/github-copilot/apps.json
    "#]]
    .assert_eq(&ran.stdout.replace(home.to_str().unwrap(), "CONFIG"));
    // Nobody can be asked here, so it is not used.
    assert!(run(&terminal, &["login"]).ok);
    assert_eq!(github.n_codes(), 1);
    assert!(stored(&terminal) != of_plugin);
    let ran = run(&terminal, &["login", "--existing"]);
    assert!(ran.ok && stored(&terminal) == of_plugin, "{ran:?}");
    expect![[r#"
        Signed in to GitHub Copilot as octo-fixture (individual, 40 % of premium interactions left, renewed on 2026-12-01). `opal models` lists what it offers.
    "#]].assert_eq(&ran.stderr);
    assert_eq!(github.n_codes(), 1);

    let terminal = terminal.env("COPILOT_GITHUB_TOKEN", &of_environment);
    let ran = run(&terminal, &["login", "--existing"]);
    assert!(ran.ok && stored(&terminal) == of_environment, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sign_in_of_another_program_is_told() {
    let github = GitHub::start().await;
    let ran = run(&terminal(&github), &["login", "--existing"]);
    assert_eq!((ran.code, github.n_codes()), (Some(1), 0), "{ran:?}");
    expect![[r#"
        error: no other program has left a sign-in here. `opal login` without --existing gets one.
    "#]]
    .assert_eq(&ran.stderr);
}

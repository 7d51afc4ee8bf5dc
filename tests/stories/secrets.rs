//! What no log, event, error, transcript or command may ever show.

use std::path::Path;

use serde_json::{Value, json};
use tests::editor::Confirm;
use tests::process::CommandLine;
use tests::{FakeModel, GitHub, Opal, Profile, calls};

/// Every place under `directory` where one of the secrets stands, but for where they are kept.
fn places(directory: &Path, secrets: &[String]) -> Vec<String> {
    let mut places = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            places.extend(self::places(&path, secrets));
        } else if path.file_name().is_some_and(|name| name != "auth.json" && name != "config.toml") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let found = secrets.iter().filter(|secret| text.contains(*secret));
            places.extend(found.map(|secret| format!("{secret} in {}", path.display())));
        }
    }
    places
}

fn token_in(auth_json: &str) -> String {
    let stored: Value = serde_json::from_str(auth_json).unwrap();
    stored["copilot"]["token"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[tokio::test]
async fn a_session_full_of_them_shows_none() {
    const KEY: &str = "sk-work-0123456789abcdef";
    const HEADER: &str = "header-secret-0123456789";
    let (github, work) = (GitHub::start().await, FakeModel::start().await);
    let auth_json = github.auth_json();
    let token = token_in(&auth_json);
    let logs = tempfile::tempdir().unwrap();
    let config = format!(
        "[providers.work]\napi = \"responses\"\nbase_url = \"{}\"\napi_key_env = \"WORK_KEY\"\n\
         headers = {{ X-Team-Token = \"{HEADER}\" }}\nmodels = [{{ id = \"fake-model\", context_window = 200000 }}]\n",
        work.url()
    );
    let kept = format!("# settings\ntoken = \"{token}\"\nkey = \"{KEY}\"\nother = 1\n");
    let mut opal = Opal::start_with_github(&github)
        .settings(&config)
        .data("auth.json", &auth_json)
        .process()
        .env("WORK_KEY", KEY)
        .env("COPILOT_GITHUB_TOKEN", &token)
        .env("GH_TOKEN", "gho_that_opal_does_not_use")
        .env("OPAL_LOG", "trace")
        .env("OPAL_LOG_FILE", logs.path().join("opal.log").to_str().unwrap())
        .file("settings.toml", &kept)
        .await;
    opal.start_first_session(json!({ "model": "copilot/gpt-5.4", "permission_mode": "full" })).await;

    // Tools find them everywhere.
    let auth = opal.data_directory().join("auth.json").display().to_string();
    let (half, rest) = token.split_at(20);
    let halves = format!("printf 'it is {half}'; sleep 0.3; printf '{rest}'; sleep 0.3; echo ' indeed'");
    let shell = |command: &str| calls::shell(command);
    let model = &github.model;
    model.next(|t| t.tool("shell", shell(&format!("cat {auth}"))));
    model.next(|t| t.tool("shell", shell("env; echo 'done'")));
    // As if the model had made it up: what is masked is what comes out.
    model.next(|t| t.tool("shell", shell("cat script.sh | sh")));
    model.next(|t| t.tool("shell", shell("for i in $(seq 3000); do cat settings.toml; done")));
    model.next(|t| t.tool("shell", shell("cat settings.toml >&2; exit 3")));
    model.next(|t| t.tool("read", calls::read("settings.toml")));
    model
        .next(|t| t.tool("shell", json!({ "command": "cat settings.toml; sleep 1000", "background": true })));
    model.next(|t| t.tool("process", json!({ "action": "wait", "handle": "bg1", "timeout": 0.5 })));
    model.next(|t| t.text("All seen."));
    opal.put_file("script.sh", &halves);
    let attachment = json!({ "type": "file", "uri": opal.editor.uri("settings.toml") });
    let params = json!({ "session_id": opal.session, "text": "look around", "attachments": [attachment] });
    assert_eq!(opal.prompt_with(params).await.end().await, "completed");
    let results = model.last_request().results();
    let masked = |n: usize, expected: &str| assert!(results[n].contains(expected), "{n}: {}", results[n]);
    masked(0, "\"token\":\"***\"");
    assert!(
        results[1].contains("GH_TOKEN=gho_that_opal_does_not_use") && results[1].contains("done"),
        "{}",
        results[1]
    );
    for hidden in ["WORK_KEY", "COPILOT_GITHUB_TOKEN"] {
        assert!(!results[1].contains(hidden), "{}", results[1]);
    }
    masked(2, "it is *** indeed");
    masked(3, "The whole output is in ");
    masked(4, "key = \"***\"");
    masked(5, "token = \"***\"");
    masked(7, "token = \"***\"");

    // Services repeat what they were sent, and so do those in between.
    let copilot = github.copilot_token();
    github.refuse_next(400, "odd", &format!("you sent Bearer {copilot}, and {KEY}"));
    assert_eq!(opal.run("once more").await, "error");
    github.refuse_next(500, "odd", &format!("{token} made {copilot} fall over"));
    model.next(|t| t.text("Better."));
    assert_eq!(opal.run("and now").await, "completed");
    github.revoke();
    assert_eq!(opal.run("are you there").await, "error");
    let params = json!({ "session_id": opal.session, "model": "work/fake-model" });
    opal.editor.request("session/set", params).await.unwrap();
    work.next(|t| t.refused(401, &format!("{KEY} is no key, nor is {HEADER}")));
    assert_eq!(opal.run("and you").await, "error");
    work.expect_new_prefix();
    opal.editor.request("auth/status", json!({})).await.unwrap();
    for format in ["json_lines", "markdown"] {
        let params = json!({ "session_id": opal.session, "format": format });
        opal.editor.request("session/export", params).await.unwrap();
    }
    for method in ["session/history", "session/changes", "agent/state"] {
        opal.editor.request(method, json!({ "session_id": opal.session })).await.unwrap();
    }

    let mut secrets = github.secrets();
    secrets.extend([KEY, HEADER].map(str::to_owned));
    assert!(secrets.contains(&token) && secrets.contains(&copilot));
    let told = opal.editor.everything();
    let output: String =
        opal.editor.events(&opal.session).iter().filter_map(|event| event["delta"].as_str()).collect();
    let requests: String = (1..=model.n_requests())
        .map(|n| futures::executor::block_on(model.request(n)).body.to_string())
        .collect();
    for secret in &secrets {
        for (shown, by) in [(&told, "the server"), (&output, "tool_output"), (&requests, "a request")] {
            let around =
                shown.find(secret.as_str()).map(|at| &shown[at.saturating_sub(300)..at + secret.len()]);
            assert!(around.is_none(), "{by} shows {secret}: {}", around.unwrap_or_default());
        }
    }
    // What it has written: the database, long outputs, logs.
    assert!(std::fs::metadata(logs.path().join("opal.log")).unwrap().len() > 1000);
    let private = opal.data_directory().join("..");
    assert_eq!(places(&private, &secrets), [""; 0]);
    assert_eq!(places(logs.path(), &secrets), [""; 0]);
}

/// The file keeps what it holds, and so does what it takes to restore it; nothing else shows it.
#[tokio::test]
async fn a_file_that_holds_one_can_be_changed_and_restored() {
    let github = GitHub::start().await;
    let auth_json = github.auth_json();
    let kept = format!("token = \"{}\"\nother = 1\n", token_in(&auth_json));
    github.model.next(|t| t.tool("read", calls::read("settings.toml")));
    github.model.next(|t| t.tool("edit", calls::edit("settings.toml", "other = 1", "other = 2")));
    github.model.next(|t| t.text("Changed."));
    let mut opal = Opal::start_with_github(&github)
        .data("auth.json", &auth_json)
        .file("settings.toml", &kept)
        .profile(Profile::Plain)
        .confirm(Confirm::Allow)
        .await;
    opal.start_first_session(json!({ "model": "copilot/gpt-5.4" })).await;
    assert_eq!(opal.run("change it").await, "completed");
    assert_eq!(opal.file("settings.toml"), kept.replace("other = 1", "other = 2"));
    let session = json!({ "session_id": opal.session });
    let changes = opal.editor.request("session/changes", session).await.unwrap();
    assert!(changes["files"][0]["diff"].as_str().unwrap().contains(" token = \"***\"\n"), "{changes:#}");
    let undo = json!({ "session_id": opal.session, "path": "settings.toml" });
    opal.editor.request("session/undo", undo).await.unwrap();
    assert_eq!(opal.file("settings.toml"), kept);
    let told = opal.editor.everything();
    for secret in github.secrets() {
        assert!(!told.contains(&secret), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_the_command_line() {
    let github = GitHub::start().await;
    github.pace(1, 900);
    let found = github.token();
    let terminal = CommandLine::new(&github.config())
        .env("COPILOT_GITHUB_TOKEN", &found)
        .env("OPENAI_API_KEY", "sk-of-the-environment")
        .env("OPAL_LOG", "trace");
    let mut said = String::new();
    for arguments in [
        &["login"][..],
        &["auth"],
        &["auth", "--json"],
        &["models"],
        &["models", "--json"],
        &["login", "--existing"],
        &["auth"],
        &["run", "hello"],
        &["logout"],
        &["auth"],
    ] {
        github.model.forget_scripts();
        github.model.always(|t| t.text("Hello."));
        let ran = terminal.run(arguments);
        assert!(ran.ok, "{arguments:?}: {ran:?}");
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    assert!(said.contains("TRACE") || said.contains("DEBUG"), "{said}");
    let mut secrets = github.secrets();
    assert!(secrets.len() > 4);
    secrets.push("sk-of-the-environment".into());
    for secret in &secrets {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert_eq!(places(&terminal.data_directory(), &secrets), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_a_configuration_that_cannot_be_read() {
    for config in [
        "[providers.work]\nbase_url = \"http://127.0.0.1:1\"\nheaders = { Authorization = \"Bearer sk-half-a-line }\n",
        "[providers.work]\nbase_url = \"http://127.0.0.1:1\"\nheaders = \"Bearer sk-half-a-line\"\n",
        "[providers.work]\nbase_url = \"http://127.0.0.1:1\"\nheaders = [\"sk-half-a-line\"]\n",
        "[providers.work]\nbase_url = \"http://127.0.0.1:1\"\nheaders = { X = 7, Y = \"sk-half-a-line\" }\n",
        "[providers.work]\nbase_url = \"http://127.0.0.1:1\"\napi_key_command = \"echo sk-half-a-line\"\n",
    ] {
        let ran = CommandLine::new(config).run(&["models"]);
        assert!(!ran.ok && ran.stderr.contains("config.toml"), "{ran:?}");
        assert!(!ran.stderr.contains("sk-half"), "{}", ran.stderr);
    }
}

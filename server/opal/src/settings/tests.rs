use expect_test::{Expect, expect};
use std::sync::Arc;

use futures::StreamExt;
use provider::Timeouts;

use super::*;
use crate::models::Models;

const WORK: &str = r#"
model = "work/gpt-5"
permission_mode = "auto_edit"
[providers.work]
base_url = "http://127.0.0.1:8080/v1"
api_key_env = "WORK_KEY"
headers = { "X-Team" = "core" }
models = [{ id = "gpt-5", context_window = 272000, max_output_tokens = 32000 }]
"#;

/// The settings of a file and an environment; in an error the directory is `DATA`.
fn load(file: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    crate::platform::create_private_directory(&directory).unwrap();
    std::fs::write(directory.join("config.toml"), file).unwrap();
    let data_dir = directory.to_str().unwrap().to_owned();
    let lookup = |name: &str| match name {
        "OPAL_DATA_DIR" => Some(data_dir.clone()),
        name => env.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()),
    };
    Settings::load(&lookup).map_err(|error| error.to_string().replace(&data_dir, "DATA"))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What a file and an environment make of a wish for a model. No server on this machine is looked for.
#[track_caller]
fn check(file: &str, env: &[(&str, &str)], wish: Option<&str>, expected: Expect) {
    let shown = match load(file, env) {
        Err(error) => format!("error: {error}"),
        Ok(mut settings) => {
            settings.local_servers.clear();
            let mut shown: String = settings.warnings.iter().map(|warning| format!("{warning}\n")).collect();
            let models = Models::new(&settings, Timeouts::default());
            shown += &match run(models.resolve(&settings, wish)) {
                Ok(model) => {
                    let info = &model.info;
                    format!(
                        "{}, window {:?}, output {:?}\n",
                        model.name(),
                        info.context_window,
                        info.max_output_tokens
                    )
                }
                Err(error) => format!("no model: {error}\n{}\n", error.hint()),
            };
            shown += &format!("mode {:?}, hidden {:?}", settings.permission_mode, settings.secret_env);
            shown
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_users_file() {
    check(
        WORK,
        &[("WORK_KEY", "k")],
        None,
        expect![[r#"
            work/gpt-5, window Some(272000), output Some(32000)
            mode Some(AutoEdit), hidden ["WORK_KEY", "OPAL_API_KEY"]"#]],
    );
}

#[test]
fn the_environment_wins() {
    let env = [
        ("OPAL_BASE_URL", "http://127.0.0.1:1/v1"),
        ("OPAL_MODEL", "vendor/model:free"),
        ("OPAL_PERMISSION_MODE", "read_only"),
    ];
    check(
        WORK,
        &env,
        None,
        expect![[r#"
            env/vendor/model:free, window None, output None
            mode Some(ReadOnly), hidden ["WORK_KEY", "OPAL_API_KEY"]"#]],
    );
}

#[test]
fn a_wish_wins_over_both() {
    let env = [("OPAL_BASE_URL", "http://127.0.0.1:1/v1"), ("OPAL_MODEL", "m")];
    check(
        WORK,
        &env,
        Some("work/other"),
        expect![[r#"
            no model: the environment variable WORK_KEY with the key of `work` is not set
            Set the variable in the environment that starts the editor.
            mode Some(AutoEdit), hidden ["WORK_KEY", "OPAL_API_KEY"]"#]],
    );
}

#[test]
fn a_provider_with_one_model_leaves_no_doubt() {
    let file = "[providers.a]\nbase_url = \"http://127.0.0.1:1\"\nmodels = [{ id = \"x/y\" }]\n";
    check(
        file,
        &[],
        None,
        expect![[r#"
            a/x/y, window None, output None
            mode None, hidden ["OPAL_API_KEY"]"#]],
    );
}

#[test]
fn without_a_model_the_user_is_told_what_to_do() {
    check(
        "",
        &[],
        None,
        expect![[r#"
            no model: none is configured, nobody is signed in, and no model server runs on this machine
            Sign in to GitHub Copilot with `opal login`, or set a key such as OPENAI_API_KEY or ANTHROPIC_API_KEY, or start a model server such as Ollama; ~/.opal/config.toml and OPAL_BASE_URL name any other. `opal demo` works without.
            mode None, hidden ["OPAL_API_KEY"]"#]],
    );
    check(
        "",
        &[("OPAL_BASE_URL", "http://127.0.0.1:1")],
        None,
        expect![[r#"
        no model: the provider `env` is configured without a model, and none was asked for
        Set OPAL_MODEL, or `model` in ~/.opal/config.toml.
        mode None, hidden ["OPAL_API_KEY"]"#]],
    );
    check(
        WORK,
        &[("WORK_KEY", "k")],
        Some("home/x"),
        expect![[r#"
            no model: there is no provider `home`; there are work, copilot
            Correct the name, or add the provider to ~/.opal/config.toml.
            mode Some(AutoEdit), hidden ["WORK_KEY", "OPAL_API_KEY"]"#]],
    );
    check(
        WORK,
        &[("WORK_KEY", "k")],
        Some("gpt-5"),
        expect![[r#"
        no model: `gpt-5` is not of the form provider/model
        Name a model as in work/gpt-5, with the provider before the first slash.
        mode Some(AutoEdit), hidden ["WORK_KEY", "OPAL_API_KEY"]"#]],
    );
}

#[test]
fn unknown_keys_are_reported_with_the_nearest() {
    let file = "permision_mode = \"ask\"\n[providers.a]\nbase_url = \"http://127.0.0.1:1\"\nbaseurl = \"x\"\nmodels = [{ id = \"m\", window = 1 }]\n";
    check(
        file,
        &[],
        None,
        expect![[r#"
            config.toml: `permision_mode` is not known; did you mean `permission_mode`?
            config.toml: `providers.a.baseurl` is not known; did you mean `base_url`?
            config.toml: `providers.a.models.window` is not known; did you mean `context_window`?
            a/m, window None, output None
            mode None, hidden ["OPAL_API_KEY"]"#]],
    );
}

#[test]
fn a_wrong_value_names_its_path() {
    check(
        "permission_mode = \"yolo\"",
        &[],
        None,
        expect![
            "error: DATA/config.toml: permission_mode: unknown variant `yolo`, expected one of `ask`, `auto_edit`, `full`, `read_only`"
        ],
    );
    check(
        "[providers.a]\nbase_url = 7",
        &[],
        None,
        expect![
            "error: DATA/config.toml: providers.a.base_url: invalid type: integer `7`, expected a string"
        ],
    );
    check(
        "",
        &[("OPAL_BASE_URL", "http://x"), ("OPAL_API", "soap")],
        None,
        expect![[
            "error: OPAL_API: unknown variant `soap`, expected one of `responses`, `chat`, `anthropic`"
        ]],
    );
}

#[test]
fn a_key_in_the_place_of_its_variable_is_not_printed() {
    const KEY: &str = "sk-proj-0a1B2c3D4e5F6g7H";
    let provider = |line: &str| format!("[providers.a]\nbase_url = \"http://127.0.0.1:1\"\n{line}\n");
    let wish = Some("a/m");
    check(
        &provider(&format!("api_key_env = \"{KEY}\"")),
        &[],
        wish,
        expect![[r#"
            no model: api_key_env of `a` does not name an environment variable; it is not shown here, because it may be the key itself
            Put the key into a variable and its name into api_key_env in ~/.opal/config.toml, or use api_key_command.
            mode None, hidden ["OPAL_API_KEY"]"#]],
    );
    check(
        &provider(&format!("api_key_command = [\"{KEY}\"]")),
        &[],
        wish,
        expect![[r#"
            no model: the command that gives the key of `a` failed: its first word is neither a program on the PATH nor the absolute path of one
            Run the command of api_key_command in ~/.opal/config.toml yourself, and correct it.
            mode None, hidden ["OPAL_API_KEY"]"#]],
    );
    check(
        &provider(&format!("api = \"{KEY}\"")),
        &[],
        wish,
        expect!["error: DATA/config.toml: providers.a.api: expected one of `responses`, `chat`, `anthropic`"],
    );
    check(
        "",
        &[("OPAL_BASE_URL", "http://127.0.0.1:1"), ("OPAL_API", KEY)],
        None,
        expect!["error: OPAL_API: expected one of `responses`, `chat`, `anthropic`"],
    );
    let settings = load(&provider(&format!("api_key_env = \"{KEY}\"")), &[]).unwrap();
    let told = format!("{:?} {settings:?}", settings.key_status("a"));
    assert!(!told.contains(KEY), "{told}");
    assert_eq!(provider::mask(KEY), "***");
    // A name of a variable that is set is one, however it is spelled.
    let odd = load(&provider("api_key_env = \"odd-name-1\""), &[("odd-name-1", "k")]).unwrap();
    assert!(odd.key_status("a").ready && odd.secret_env.contains(&"odd-name-1".to_owned()));
}

#[tokio::test]
async fn each_api_has_its_path() {
    let (path, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = replay::Server::start(move |received| {
        path.send(received.path).unwrap();
        replay::Reply::json(404, "{}")
    })
    .unwrap();
    let base_url = server.url();
    let file = |api: &str| format!("[providers.a]\nbase_url = \"{base_url}/v1\"\n{api}");
    let env = |api| vec![("OPAL_BASE_URL", base_url.as_str()), ("OPAL_API", api)];
    for (settings, name, asked) in [
        (load(&file(""), &[]), "a", "/v1/responses"),
        (load(&file("api = \"responses\""), &[]), "a", "/v1/responses"),
        (load(&file("api = \"chat\""), &[]), "a", "/v1/chat/completions"),
        (load(&file("api = \"anthropic\""), &[]), "a", "/v1/messages"),
        (load("", &env("")), "env", "/responses"),
        (load("", &env("chat")), "env", "/chat/completions"),
        (load("", &env("anthropic")), "env", "/messages"),
    ] {
        let provider = settings.unwrap().provider(name, &Timeouts::default()).await.unwrap();
        let mut answer = provider.answer(provider::Request {
            model: "m".into(),
            instructions: "".into(),
            tools: [].into(),
            items: Arc::default(),
            thinking: None,
            cache_key: String::new(),
            max_output_tokens: None,
            context_window: None,
            images: None,
            streams: true,
            initiator: provider::Initiator::User,
        });
        assert!(answer.next().await.unwrap().is_err());
        assert_eq!(seen.recv().await.unwrap(), asked);
    }
}

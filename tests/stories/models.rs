//! Which models there are, and which one is meant.

use std::time::Duration;

use replay::{Reply, Step};
use serde_json::{Value, json};
use tests::process::CommandLine;
use tests::{FakeModel, Family, GitHub, Opal};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1/v1";

async fn list(opal: &Opal, params: Value) -> Value {
    opal.editor.request("models/list", params).await.unwrap()
}

/// The fields of the one model of this name.
fn find<'a>(list: &'a Value, name: &str) -> &'a Value {
    let models = list["models"].as_array().unwrap();
    let found: Vec<&Value> = models.iter().filter(|model| model["model"] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {list:#}");
    found[0]
}

fn provider(name: &str, family: Family, url: &str, more: &str) -> String {
    format!("[providers.{name}]\napi = \"{}\"\nbase_url = \"{url}\"\n{more}\n", family.api())
}

#[tokio::test]
async fn of_every_family_while_one_is_down() {
    let (model, chat) = (FakeModel::start().await, FakeModel::start_as(Family::Chat).await);
    let anthropic = FakeModel::start_as(Family::Anthropic).await;
    model.lists(json!([{ "id": "gpt-5" }, { "id": "text-embedding-3-small" }]));
    chat.lists(json!([{ "id": "m", "context_length": 8_000, "pricing": { "prompt": "0.000001", "completion": "0.000004" } }]));
    anthropic.lists(json!([{ "id": "claude-x", "display_name": "Claude X", "max_input_tokens": 300_000, "max_tokens": 9_000 }]));
    let settings = [
        provider(
            "chat",
            Family::Chat,
            &chat.url(),
            "models = [{ id = \"m\", name = \"Mine\", context_window = 9000 }]",
        ),
        provider("messages", Family::Anthropic, &anthropic.url(), ""),
        provider("down", Family::Chat, NOBODY, ""),
        provider("told", Family::Chat, NOBODY, "models = [{ id = \"by-the-user\" }]"),
        provider("locked", Family::Chat, NOBODY, "api_key_env = \"NO_SUCH_KEY\""),
    ];
    let opal = Opal::start(&model).settings("local_servers = {}").settings(&settings.concat()).await;
    let all = list(&opal, json!({})).await;
    assert_eq!(all["default_model"], "fake/fake-model");
    // What the user has configured is there, listed or not, and what the user says wins.
    assert_eq!(find(&all, "fake/fake-model")["context_window"], 200_000);
    assert_eq!(find(&all, "told/by-the-user")["name"], "by-the-user");
    let mine = find(&all, "chat/m");
    assert_eq!((&mine["name"], &mine["context_window"]), (&json!("Mine"), &json!(9_000)));
    assert_eq!(mine["price"], json!({ "input": 1.0, "cached_input": 1.0, "output": 4.0 }));
    // What Opal knows by itself, and what services say.
    assert_eq!(find(&all, "fake/gpt-5")["price"]["output"], 10.0);
    let claude = find(&all, "messages/claude-x");
    assert_eq!((&claude["name"], &claude["context_window"]), (&json!("Claude X"), &json!(300_000)));
    assert!(!all.to_string().contains("embedding"), "{all:#}");

    let problems = all["problems"].as_array().unwrap();
    let told: Vec<&Value> = problems.iter().map(|problem| &problem["provider"]).collect();
    assert_eq!(told, ["down", "locked"]);
    assert!(problems[1]["message"].as_str().unwrap().contains("NO_SUCH_KEY"), "{problems:?}");
    assert!(problems.iter().all(|problem| problem["hint"].is_string()), "{problems:?}");

    // Lists are kept for a while.
    let n_lists = model.n_lists();
    let one = list(&opal, json!({ "provider": "fake" })).await;
    assert_eq!((one["models"].as_array().unwrap().len(), model.n_lists()), (2, n_lists));
    let none = list(&opal, json!({ "provider": "nobody" })).await;
    assert!(none["problems"][0]["message"].as_str().unwrap().contains("no provider `nobody`"), "{none}");
}

#[tokio::test]
async fn on_the_command_line() {
    let model = FakeModel::start_as(Family::Chat).await;
    model.lists(
        json!([{ "id": "small", "context_length": 8_000 }, { "id": "large", "context_length": 200_000 }]),
    );
    let config = [
        "model = \"work/large\"\nlocal_servers = {}\n".to_owned(),
        provider("work", Family::Chat, &model.url(), ""),
        provider("down", Family::Chat, NOBODY, ""),
    ];
    let opal = CommandLine::new(&config.concat());
    let ran = opal.run(&["models"]);
    assert!(ran.ok && ran.stderr.starts_with("down: "), "{ran:?}");
    let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["work/small", "8k", "window"], vec!["*", "work/large", "200k", "window"]]);
    let ran = opal.run(&["models", "--json"]);
    let all: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(all["default_model"], "work/large");
}

#[tokio::test]
async fn with_nothing_configured() {
    let opal = CommandLine::new("local_servers = {}");
    let ran = opal.run(&["run", "hello"]);
    assert!(!ran.ok && ran.stdout.is_empty(), "{ran:?}");
    for way_on in ["opal login", "ANTHROPIC_API_KEY", "Ollama", "opal demo"] {
        assert!(ran.stderr.contains(way_on), "{way_on} in {}", ran.stderr);
    }
    assert!(opal.run(&["models"]).stderr.contains("opal login"));
}

#[tokio::test]
async fn names_that_nothing_can_be_made_of() {
    let model = FakeModel::start().await;
    let settings = format!(
        "local_servers = {{ ollama = 1 }}\n{}",
        provider("locked", Family::Chat, NOBODY, "api_key_env = \"NO_SUCH_KEY\"")
    );
    let opal = Opal::start(&model).settings(&settings).await;
    for (name, why) in [
        ("gpt-5", "provider/model"),
        ("/gpt-5", "provider/model"),
        ("nobody/gpt-5", "there are fake, locked, copilot"),
        ("openai/gpt-5", "OPENAI_API_KEY"),
        ("locked/m", "NO_SUCH_KEY"),
        ("ollama/qwen3", "no model server answers on port 1"),
        ("copilot/gpt-5", "nobody is signed in"),
    ] {
        let params = json!({ "working_dir": opal.directory(), "model": name });
        let error = opal.editor.request("session/start", params).await.unwrap_err();
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
}

#[tokio::test]
async fn several_providers_and_no_choice() {
    let config = provider("a", Family::Chat, NOBODY, "") + &provider("b", Family::Chat, NOBODY, "");
    let ran = CommandLine::new(&config).run(&["run", "hello"]);
    assert!(!ran.ok && ran.stderr.contains("opal models"), "{ran:?}");
}

#[tokio::test]
async fn a_server_on_this_machine_is_found() {
    let model = FakeModel::start_as(Family::Chat).await;
    model.lists(json!([{ "id": "qwen3:8b", "context_length": 16_000 }]));
    let config = format!("local_servers = {{ nothing = 1, ollama = {} }}\n", model.port());
    let opal = CommandLine::new(&config);
    model.next(|t| t.text("Hello from here."));
    let ran = opal.run(&["run", "hello"]);
    assert!(ran.ok && ran.stdout.contains("Hello from here."), "{ran:?}");
    assert!(ran.stderr.contains("of 16000"), "its window: {}", ran.stderr);
    let request = model.last_request();
    assert_eq!((&request.body["model"], request.header("authorization")), (&json!("qwen3:8b"), None));
    assert!(opal.run(&["models"]).stdout.starts_with("* ollama/qwen3:8b"));
    // By its name, too.
    model.expect_new_prefix();
    model.next(|t| t.text("Hello again."));
    let ran = opal.run(&["run", "--model", "ollama/another", "hello"]);
    assert!(ran.ok && ran.stdout.contains("Hello again."), "{ran:?}");
}

#[tokio::test]
async fn two_servers_on_this_machine() {
    let (ollama, studio) = (FakeModel::start_as(Family::Chat).await, FakeModel::start_as(Family::Chat).await);
    ollama.lists(json!([{ "id": "qwen3:8b" }]));
    studio.lists(json!([{ "id": "gemma" }]));
    let config = format!("local_servers = {{ lmstudio = {}, ollama = {} }}\n", studio.port(), ollama.port());
    let opal = CommandLine::new(&config);
    let listed = opal.run(&["models"]).stdout;
    assert!(listed.contains("lmstudio/gemma") && listed.contains("ollama/qwen3:8b"), "{listed}");
    for (name, model) in [("lmstudio/gemma", &studio), ("ollama/qwen3:8b", &ollama)] {
        model.next(|t| t.text(name));
        let ran = opal.run(&["run", "--model", name, "hello"]);
        assert!(ran.ok && ran.stdout.contains(name), "{ran:?}");
    }
}

#[tokio::test]
async fn one_without_a_model() {
    let model = FakeModel::start_as(Family::Chat).await;
    let opal = CommandLine::new(&format!("local_servers = {{ ollama = {} }}\n", model.port()));
    let ran = opal.run(&["run", "hello"]);
    assert!(!ran.ok && ran.stderr.contains("`ollama`"), "{ran:?}");
}

/// Nothing is configured, and nobody is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_environment_is_all_that_is_needed() {
    for (name, family, model, version) in [
        ("ANTHROPIC", Family::Anthropic, "claude-sonnet-4-5", ""),
        ("OPENAI", Family::Responses, "gpt-5", "/v1"),
        ("OPENROUTER", Family::Chat, "anthropic/claude-sonnet-4.5", "/v1"),
    ] {
        let fake = FakeModel::start_as(family).await;
        fake.next(|t| t.text("Hello."));
        fake.next(|t| t.text("Hello again."));
        let opal = CommandLine::new("local_servers = {}\n")
            .env(&format!("{name}_API_KEY"), "sk-of-the-environment")
            .env(&format!("{name}_BASE_URL"), &format!("{}{version}", fake.origin()));
        let ran = opal.run(&["run", "hello"]);
        assert!(ran.ok && ran.stdout.contains("Hello."), "{name}: {ran:?}");
        let request = fake.last_request();
        assert_eq!(request.body["model"], model, "{name}");
        let key = match family {
            Family::Anthropic => request.header("x-api-key"),
            _ => request.header("authorization").and_then(|key| key.strip_prefix("Bearer ")),
        };
        assert_eq!(key, Some("sk-of-the-environment"), "{name}");
        let ran = opal.run(&["run", "--resume", "and again"]);
        assert!(ran.ok && ran.stdout.contains("Hello again."), "{name}: {ran:?}");
        let told = opal.run(&["auth"]).stdout;
        let provider = name.to_lowercase();
        assert!(
            told.contains(&format!(
                "{provider:<12} ready, with the key from the environment ({name}_API_KEY)"
            )),
            "{told}"
        );
    }
}

/// In the order in which the readme has them.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_comes_before_keys_and_a_key_before_a_server_on_this_machine() {
    let local = FakeModel::start_as(Family::Chat).await;
    local.lists(json!([{ "id": "qwen3:8b" }]));
    let github = GitHub::start().await;
    let config = format!("local_servers = {{ ollama = {} }}\n", local.port());
    let opal = CommandLine::new(&config).env("OPENAI_BASE_URL", NOBODY);
    let chosen = |opal: &CommandLine| {
        let all: Value = serde_json::from_str(&opal.run(&["models", "--json"]).stdout).unwrap();
        all["default_model"].as_str().unwrap().to_owned()
    };
    assert_eq!(chosen(&opal), "ollama/qwen3:8b");
    let opal = opal.env("OPENAI_API_KEY", "sk-of-the-environment");
    assert_eq!(chosen(&opal), "openai/gpt-5");
    opal.configure(&github.config());
    std::fs::write(opal.data_directory().join("auth.json"), github.auth_json()).unwrap();
    assert_eq!(chosen(&opal), "copilot/gpt-5-mini");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_from_a_command() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        let command = "api_key_command = [\"sh\", \"-c\", \"echo run >> ../times; echo sk-of-the-command\"]\n\
                       models = [{ id = \"m\" }]";
        let opal = CommandLine::new(&provider("work", family, &model.url(), command));
        model.next(|t| t.text("Hello."));
        let ran = opal.run(&["run", "hello"]);
        assert!(ran.ok, "{ran:?}");
        let request = model.last_request();
        let key = match family {
            Family::Anthropic => request.header("x-api-key"),
            _ => request.header("authorization").and_then(|key| key.strip_prefix("Bearer ")),
        };
        assert_eq!(key, Some("sk-of-the-command"), "{family:?}");
        let times = std::fs::read_to_string(opal.directory().join("../times")).unwrap();
        assert_eq!(times, "run\n", "once is enough");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_has_run_out_is_asked_for_again() {
    let model = FakeModel::start().await;
    let directory = tempfile::tempdir().unwrap();
    let times = directory.path().join("times");
    let prints = format!("echo run >> {0}; echo a-token-$(wc -l < {0})", times.display());
    let command = format!("api_key_command = {}", json!(["sh", "-c", prints]));
    let settings = provider("work", model.family(), &model.url(), &command);
    let opal = Opal::start(&model).settings(&settings).session("model", "work/m").await;
    let key = || model.last_request().header("authorization").map(str::to_owned);
    model.next(|t| t.text("Hello."));
    assert_eq!(opal.run("hello").await, "completed");
    let first = key();
    model.next(|t| t.status(401));
    model.next(|t| t.text("Hello again."));
    assert_eq!(opal.run("again").await, "completed");
    assert_ne!(key(), first);
    assert_eq!(opal.editor.count("retry"), 0);
    // Another is refused as well: that is the answer.
    model.next(|t| t.status(401));
    model.next(|t| t.status(401));
    assert_eq!(opal.run("once more").await, "error");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_gives_no_key() {
    for (command, why) in [
        ("[\"sh\", \"-c\", \"echo sk-half; exit 3\"]", "sh ended with exit status: 3"),
        ("[\"true\"]", "true printed nothing"),
        ("[\"no-such-program\"]", "no-such-program is neither a program on the PATH"),
        ("[]", "api_key_command is empty"),
    ] {
        let more = format!("api_key_command = {command}\nmodels = [{{ id = \"m\" }}]");
        let ran = CommandLine::new(&provider("work", Family::Chat, NOBODY, &more)).run(&["run", "hello"]);
        assert!(!ran.ok && ran.stderr.contains(why) && !ran.stderr.contains("sk-half"), "{ran:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn others_go_on_while_a_command_takes_its_time() {
    let model = FakeModel::start().await;
    let slow =
        provider("slow", Family::Chat, NOBODY, "api_key_command = [\"sh\", \"-c\", \"exec sleep 300\"]");
    let opal = Opal::start(&model).settings(&slow).await;
    let params = json!({ "working_dir": opal.directory(), "model": "slow/m" });
    let editor = opal.editor.clone();
    let waiting = tokio::spawn(async move { editor.request("session/start", params).await });
    model.next(|t| t.text("Hello."));
    assert_eq!(opal.run("hello").await, "completed");
    assert!(!waiting.is_finished());
    waiting.abort();
    opal.editor.forgive();
}

/// A session with a model of which nobody knows anything.
async fn unknown(model: &FakeModel) -> Opal {
    let settings = provider("bare", model.family(), &model.url(), "");
    Opal::start(model).settings(&settings).session("model", "bare/new-model").await
}

#[tokio::test]
async fn the_service_is_asked_for_a_window_nobody_knows() {
    for family in Family::ALL {
        let model = FakeModel::start_as(family).await;
        let window = if family == Family::Anthropic { "max_input_tokens" } else { "context_length" };
        model.lists(json!([{ "id": "other" }, { "id": "new-model", window: 64_000 }]));
        let opal = unknown(&model).await;
        // The answer may be there before the session's first state is told.
        if opal.state().await.usage.window.is_none() {
            let told = opal.editor.until(None, 0, "usage_update", |_| true).await;
            assert_eq!(told["usage"]["window"], 64_000, "{family:?}");
        }
        assert_eq!(opal.state().await.usage.window, Some(64_000), "{family:?}");
        assert_eq!(opal.editor.count("model_changed"), 0, "{family:?}");
        model.next(|t| t.text("Hello."));
        assert_eq!(opal.run("hello").await, "completed", "{family:?}");
    }
}

#[tokio::test]
async fn a_list_that_fails_is_nobodys_concern() {
    for reply in [
        Reply::json(500, "{}"),
        Reply::json(404, "{}"),
        Reply::new(200, "text/html", "<html>Log in</html>"),
        Reply { status: 200, headers: vec![], body: vec![Step::Cut] },
        // Still on its way when all is over.
        Reply { status: 200, headers: vec![], body: vec![Step::Hang] },
    ] {
        let model = FakeModel::start_as(Family::Chat).await;
        model.list_replies(reply);
        let opal = unknown(&model).await;
        model.next(|t| t.text("Hello."));
        let answered = tokio::time::timeout(Duration::from_secs(10), opal.run("hello")).await;
        assert_eq!(answered.unwrap(), "completed");
        assert_eq!((opal.editor.count("error"), opal.editor.count("window/showMessage")), (0, 0));
        assert_eq!(opal.state().await.usage.window, None);
    }
}

#[test]
fn the_configuration_in_the_readme_is_understood() {
    let readme = include_str!("../../README.md").replace("\r\n", "\n");
    let examples: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let settings =
            opal::Settings::from_toml(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
        assert_eq!(settings.warnings, [""; 0]);
    }
}

#[tokio::test]
async fn no_more_is_asked_of_a_model_than_it_can() {
    let model = FakeModel::start().await;
    let settings =
        format!("thinking_level = \"xhigh\"\n{}", provider("known", model.family(), &model.url(), ""));
    for (id, effort) in [("gpt-4.1", Value::Null), ("gpt-5", json!("high")), ("new-model", json!("xhigh"))] {
        let name = format!("known/{id}");
        let opal = Opal::start(&model).settings(&settings).session("model", name).await;
        model.expect_new_prefix();
        model.next(|t| t.text("Hello."));
        assert_eq!(opal.run("hello").await, "completed");
        assert_eq!(model.last_request().body["reasoning"]["effort"], effort, "{id}");
    }
}

#[tokio::test]
async fn a_long_prompt_leaves_less_for_the_answer() {
    let model = FakeModel::start_as(Family::Chat).await;
    let models = "models = [{ id = \"m\", context_window = 100000, max_output_tokens = 100000 }]";
    let settings = provider("open", model.family(), &model.url(), models);
    let opal = Opal::start(&model).settings(&settings).session("model", "open/m").await;
    for (expected, used) in [(91_000..92_000, 60_000), (28_500..29_000, 70_000)] {
        model.expect_new_prefix();
        model.next(|t| t.text("Hello.").usage(used, 0, 10));
        assert_eq!(opal.run("hello").await, "completed");
        let asked = model.last_request().body["max_tokens"].as_u64().unwrap();
        assert!(expected.contains(&asked), "{asked}");
    }
}

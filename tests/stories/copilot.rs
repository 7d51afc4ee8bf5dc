//! Sessions with the models of GitHub Copilot.

use serde_json::{Value, json};
use tests::github::Poll;
use tests::process::CommandLine;
use tests::{FakeModel, Family, Gate, GitHub, Opal, calls};

/// Who asked, as each request says.
fn initiators(github: &GitHub) -> Vec<String> {
    let header = |n| async move { github.model.request(n).await };
    let requests = (1..=github.model.n_requests()).map(|n| futures::executor::block_on(header(n)));
    requests.map(|request| request.header("x-initiator").unwrap().to_owned()).collect()
}

/// The error that the last run ended with.
fn error(opal: &Opal) -> Value {
    let events = opal.editor.events(&opal.session);
    events.into_iter().rfind(|event| event["type"] == "error").unwrap_or_else(|| panic!("{}", opal.editor))
}

#[tokio::test]
async fn each_model_is_asked_through_the_api_that_it_speaks() {
    for (model, family, path) in [
        ("gpt-5.4", Family::Responses, "/responses"),
        ("gpt-5-mini", Family::Responses, "/responses"),
        ("claude-sonnet-4.5", Family::Anthropic, "/v1/messages"),
        ("gpt-4.1", Family::Chat, "/chat/completions"),
    ] {
        let github = GitHub::start().await;
        github.model.next(|t| t.tool("read", calls::read("a")));
        github.model.next(|t| t.text("One."));
        github.model.next(|t| t.text("Again."));
        let opal = Opal::start_with_github(&github).signed_in(&github, model).file("a", "one\n").await;
        assert_eq!(opal.run("read it").await, "completed", "{model}");
        assert_eq!(opal.run("once more").await, "completed", "{model}");
        for n in 1..=3 {
            assert_eq!(github.model.request(n).await.path, path, "{model} {family:?}");
        }
        assert_eq!(initiators(&github), ["user", "agent", "user"], "{model}");
        assert_eq!(github.model.request(3).await.results().len(), 1);
        assert_eq!(github.n_exchanges(), 1);
    }
}

#[tokio::test]
async fn what_the_user_says_on_the_way_is_the_users() {
    let github = GitHub::start().await;
    let gate = Gate::new();
    github.model.next(|t| t.tool("read", calls::read("a")).pause_until(&gate));
    github.model.next(|t| t.text("Steered."));
    github.model.next(|t| t.text("Followed."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").file("a", "one\n").await;
    let turn = opal.prompt("read it").await;
    github.model.request(1).await;
    opal.steer("not that").await;
    opal.follow_up("and then").await;
    gate.open();
    assert_eq!(turn.end().await, "completed");
    assert_eq!(initiators(&github), ["user", "user", "user"]);
}

#[tokio::test]
async fn a_retry_is_not_the_users() {
    let github = GitHub::start().await;
    github.refuse_next(500, "oops", "Something went wrong.");
    github.model.next(|t| t.text("Better."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").fast_retries().await;
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(opal.editor.count("retry"), 1);
    assert_eq!(initiators(&github), ["agent"]);
}

#[tokio::test]
async fn images_are_announced() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("A dot."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    let data =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let attachment = json!({ "type": "image", "mime_type": "image/png", "data": data });
    let params = json!({ "session_id": opal.session, "text": "what is it", "attachments": [attachment] });
    assert_eq!(opal.prompt_with(params).await.end().await, "completed");
    assert_eq!(github.model.last_request().header("copilot-vision-request"), Some("true"));
}

#[tokio::test]
async fn a_token_that_runs_out_is_noticed_by_nobody() {
    let github = GitHub::start().await;
    for text in ["One.", "Two.", "Three."] {
        github.model.next(|t| t.text(text));
    }
    let opal = Opal::start_with_github(&github).signed_in(&github, "claude-sonnet-4.5").await;
    for n in 1..=3 {
        assert_eq!(opal.run("hello").await, "completed");
        assert_eq!(github.n_exchanges(), n);
        github.expire();
    }
    assert_eq!((opal.editor.count("retry"), opal.editor.count("error")), (0, 0));
    assert_eq!(initiators(&github), ["user", "user", "user"]);
}

#[tokio::test]
async fn a_sign_in_that_is_revoked_is_replaced_and_the_session_goes_on() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Before."));
    github.model.next(|t| t.text("After."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    assert_eq!(opal.run("hello").await, "completed");
    github.revoke();
    assert_eq!(opal.run("are you there").await, "error");
    let told = error(&opal);
    assert_eq!(told["code"], "sign_in_again");
    assert!(told["message"].as_str().unwrap().contains("Bad credentials"), "{told}");
    assert!(told["hint"].as_str().unwrap().contains("opal login"), "{told}");
    let status = opal.editor.request("auth/status", json!({})).await.unwrap();
    assert_eq!(status["providers"][0]["ready"], false, "{status:#}");

    github.user([Poll::Granted]);
    opal.editor.request("auth/login", json!({})).await.unwrap();
    assert_eq!(opal.run("and now").await, "completed");
    let request = github.model.last_request();
    assert_eq!(request.user_texts()[..1], ["hello"], "the conversation is the same");
}

#[tokio::test]
async fn who_signs_out_can_sign_in_again() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Before."));
    github.model.next(|t| t.text("After."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    assert_eq!(opal.run("hello").await, "completed");
    opal.editor.request("auth/logout", json!({})).await.unwrap();
    assert_eq!(opal.run("are you there").await, "error");
    let told = error(&opal);
    assert_eq!(
        (&told["code"], &told["message"]),
        (&json!("sign_in_again"), &json!("nobody is signed in to copilot"))
    );
    opal.editor.request("auth/login", json!({})).await.unwrap();
    assert_eq!(opal.run("and now").await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_resumed_while_nobody_is_signed_in_keeps_its_model() {
    let (github, other) = (GitHub::start().await, FakeModel::start().await);
    github.model.next(|t| t.text("Before."));
    github.model.next(|t| t.text("After."));
    let work = format!("[providers.work]\nbase_url = \"{}\"\nmodels = [{{ id = \"m\" }}]\n", other.url());
    let opal = CommandLine::new(&format!("{}{work}", github.config()));
    let file = opal.data_directory().join("auth.json");
    let auth_json = github.auth_json();
    std::fs::write(&file, &auth_json).unwrap();
    let ran = opal.run(&["run", "--model", "copilot/gpt-5.4", "hello"]);
    assert!(ran.ok && ran.stdout.contains("Before."), "{ran:?}");

    assert!(opal.run(&["logout"]).ok);
    let ran = opal.run(&["run", "--resume", "are you there"]);
    assert!(!ran.ok && ran.stderr.contains("nobody is signed in to copilot"), "{ran:?}");
    assert!(ran.stderr.contains("`opal login`, or choose another model"), "{ran:?}");
    assert_eq!(other.n_requests(), 0);
    let listed = opal.run(&["sessions", "--json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["model"], "copilot/gpt-5.4");

    // Either way on.
    other.next(|t| t.text("Instead."));
    let ran = opal.run(&["run", "--resume", "--model", "work/m", "then you"]);
    assert!(ran.ok && ran.stdout.contains("Instead."), "{ran:?}");
    std::fs::write(&file, &auth_json).unwrap();
    let ran = opal.run(&["run", "--resume", "--model", "copilot/gpt-5.4", "and now"]);
    assert!(ran.ok && ran.stdout.contains("After."), "{ran:?}");
}

#[tokio::test]
async fn an_account_without_copilot() {
    let github = GitHub::start().await;
    github.not_entitled();
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    assert_eq!(opal.run("hello").await, "error");
    let told = error(&opal);
    assert_eq!(told["code"], "not_entitled");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("No access") && message.contains("https://github.com/github-copilot/signup"),
        "{message}"
    );
    assert!(opal.data_directory().join("auth.json").exists(), "the sign-in is good");
}

#[tokio::test]
async fn a_model_with_terms_is_used_after_they_are_accepted() {
    let github = GitHub::start().await;
    github.lock("gpt-5.4");
    github.model.next(|t| t.text("Now."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    let list = opal.editor.request("models/list", json!({})).await.unwrap();
    let terms: Vec<&Value> =
        list["models"].as_array().unwrap().iter().filter(|model| model["terms"].is_string()).collect();
    assert!(terms.iter().any(|model| model["model"] == "copilot/gpt-5.4"), "{list:#}");
    assert_eq!(opal.run("hello").await, "error");
    let told = error(&opal);
    assert_eq!(told["code"], "terms_not_accepted");
    assert!(told["message"].as_str().unwrap().contains("Enable access to this model"), "{told}");
    assert!(told["hint"].as_str().unwrap().contains("opal models --enable"), "{told}");
    let enable = |model: &str| opal.editor.request("models/enable", json!({ "model": model }));
    assert_eq!(enable("copilot/gpt-5.4").await.unwrap(), json!({ "ok": true }));
    assert_eq!(opal.run("and now").await, "completed");
    for (model, why) in [("gpt-5.4", "only those of copilot"), ("copilot/no-such", "not in the list")] {
        let refused = enable(model).await.unwrap_err();
        assert!(refused.code == -32602 && refused.message.contains(why), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_accepted_on_the_command_line() {
    let github = GitHub::start().await;
    github.lock("gpt-5.4");
    let opal = CommandLine::new(&github.config());
    std::fs::write(opal.data_directory().join("auth.json"), github.auth_json()).unwrap();
    let listed = |model: &str| {
        let list = opal.run(&["models"]).stdout;
        list.lines().find(|line| line.contains(model)).unwrap_or_else(|| panic!("{list}")).to_owned()
    };
    assert!(listed("copilot/gpt-5.4 ").ends_with("after `opal models --enable`"));
    let ran = opal.run(&["run", "--model", "copilot/gpt-5.4", "hello"]);
    assert!(!ran.ok && ran.stderr.contains("Enable access to this model"), "{ran:?}");
    assert!(ran.stderr.contains("`opal models --enable`"), "{ran:?}");

    let enabled = opal.run(&["models", "--enable", "copilot/gpt-5.4"]);
    assert!(enabled.ok && enabled.stdout.is_empty(), "{enabled:?}");
    assert_eq!(enabled.stderr, "copilot/gpt-5.4 can be used.\n");
    assert!(!listed("copilot/gpt-5.4 ").contains("--enable"));
    github.model.next(|t| t.text("Now."));
    let ran = opal.run(&["run", "--model", "copilot/gpt-5.4", "and now"]);
    assert!(ran.ok && ran.stdout.contains("Now."), "{ran:?}");

    for (model, why) in
        [("gpt-5.4", "only those of copilot have terms"), ("copilot/no-such", "not in the list of models")]
    {
        let refused = opal.run(&["models", "--enable", model]);
        assert!(!refused.ok && refused.stderr.contains(why), "{refused:?}");
    }
    std::fs::remove_file(opal.data_directory().join("auth.json")).unwrap();
    let refused = opal.run(&["models", "--enable", "copilot/gpt-5.4"]);
    assert!(!refused.ok && refused.stderr.contains("opal login"), "{refused:?}");
}

#[tokio::test]
async fn a_quota_that_is_used_up() {
    let github = GitHub::start().await;
    github.refuse_next(402, "quota_exceeded", "You have no quota");
    github.model.next(|t| t.text("Later."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-4.1").await;
    assert_eq!(opal.run("hello").await, "error");
    let told = error(&opal);
    assert_eq!((&told["code"], opal.editor.count("retry")), (&json!("quota"), 0));
    assert!(told["message"].as_str().unwrap().contains("You have no quota") && told["hint"].is_string());
    assert_eq!(opal.run("and now").await, "completed");
}

#[tokio::test]
async fn what_is_left_is_known_after_each_answer() {
    let github = GitHub::start().await;
    for (name, left) in [("premium_models", 38), ("premium_interactions", 12)] {
        let value = format!("ent=300&ov=0.0&ovPerm=false&rem={left}.0&rst=2026-12-01T00%3A00%3A00Z");
        github.model.next(|t| t.text("Here.").answer_header(&format!("x-quota-snapshot-{name}"), &value));
    }
    github.model.next(|t| t.text("Here.").answer_header("x-quota-snapshot-premium_models", "soon"));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    let told = |left: u32| {
        let opal = &opal;
        async move {
            let status = opal.editor.request("auth/status", json!({})).await.unwrap();
            let plan = format!("individual, {left} % of premium interactions left, renewed on 2026-12-01");
            assert_eq!(status["providers"][0]["plan"], plan, "{status:#}");
        }
    };
    // As the account's page tells it.
    told(40).await;
    for left in [38, 12, 12] {
        assert_eq!(opal.run("hello").await, "completed");
        told(left).await;
    }
}

#[tokio::test]
async fn fifty_sessions_at_once_exchange_once() {
    let github = GitHub::start().await;
    github.model.always(|t| t.text("Here."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    let mut sessions = Vec::new();
    for _ in 0..50 {
        let params = json!({ "working_dir": opal.directory(), "model": "copilot/gpt-5.4" });
        sessions.push(opal.start_session_with(params).await.session_id);
    }
    for n in 1..=2 {
        let prompts: Vec<_> = sessions.iter().map(|session| opal.prompt_in(session, "hello")).collect();
        for turn in futures::future::join_all(prompts).await {
            assert_eq!(turn.end().await, "completed");
        }
        assert_eq!((github.n_exchanges(), github.model.n_requests()), (n, 50 * n));
        github.expire();
    }
    assert_eq!(opal.editor.count("retry"), 0);
}

#[tokio::test]
async fn it_is_what_is_used_when_nothing_is_said() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Here."));
    let mut opal = Opal::start_with_github(&github).data("auth.json", &github.auth_json()).await;
    opal.start_first_session(json!({})).await;
    assert_eq!(opal.state().await.model, "copilot/gpt-5-mini");
    assert_eq!(opal.run("hello").await, "completed");
    assert_eq!(github.model.last_request().body["model"], "gpt-5-mini");
}

#[tokio::test]
async fn a_window_that_the_service_tells_is_known_soon() {
    let github = GitHub::start().await;
    github.model.next(|t| t.text("Here."));
    let opal = Opal::start_with_github(&github).signed_in(&github, "gpt-5.4").await;
    // The service may have answered before the session began.
    if opal.state().await.usage.window != Some(272_000) {
        let is_known = |event: &serde_json::Value| event["usage"]["window"] == 272_000;
        opal.editor.until(Some(&opal.session), 0, "usage_update", is_known).await;
    }
    assert_eq!(opal.run("hello").await, "completed");
    // Its plans have no price for a token.
    let usage = serde_json::to_value(opal.state().await.usage).unwrap();
    assert!(usage["cost"].is_null() && usage["input"] == 100, "{usage}");
}

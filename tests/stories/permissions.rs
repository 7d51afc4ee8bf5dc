//! Who may do what, in each mode.

use expect_test::expect;
use serde_json::{Value, json};
use tests::editor::Confirm;
use tests::{FakeModel, Opal, calls};

/// Whether a call is run, asked for or refused.
async fn outcome(mode: &str, tool: &str, arguments: impl FnOnce(&Opal) -> Value) -> &'static str {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode(mode).confirm(Confirm::Deny("")).file("inside", "one\n").await;
    std::fs::write(opal.outside().join("outside"), "one\n").unwrap();
    let arguments = arguments(&opal);
    model.next(|t| t.tool(tool, arguments));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("do it").await;
    let result = turn.result().await;
    assert_eq!(turn.end().await, "completed");
    match (result, opal.editor.count("client/confirm")) {
        (Ok(_), 0) => "free",
        (Err(_), 0) => "refused",
        (Err(_), 1) => "asks",
        (result, n_questions) => panic!("{n_questions} questions were denied, and {result:?}"),
    }
}

#[tokio::test]
async fn the_four_modes() {
    let outside = |opal: &Opal| opal.outside().join("outside").to_str().unwrap().to_owned();
    let mut table = String::new();
    for mode in ["ask", "auto_edit", "full", "read_only"] {
        let read = outcome(mode, "read", |_| calls::read("inside")).await;
        let read_outside = outcome(mode, "read", |opal| calls::read(&outside(opal))).await;
        let edit = outcome(mode, "edit", |_| calls::edit("inside", "one", "two")).await;
        let edit_outside = outcome(mode, "edit", |opal| calls::edit(&outside(opal), "one", "two")).await;
        let write = outcome(mode, "write", |_| calls::write("new", "text\n")).await;
        let command = outcome(mode, "shell", |_| calls::shell("true")).await;
        table.push_str(&format!(
            "{mode:<10} read {read}, outside {read_outside}; edit {edit}, outside {edit_outside}; write {write}; command {command}\n",
        ));
    }
    expect![[r#"
        ask        read free, outside asks; edit asks, outside asks; write asks; command asks
        auto_edit  read free, outside asks; edit free, outside asks; write free; command asks
        full       read free, outside free; edit free, outside free; write free; command free
        read_only  read free, outside asks; edit refused, outside refused; write refused; command refused
    "#]]
    .assert_eq(&table);
}

#[tokio::test]
async fn a_path_that_climbs_out_is_outside() {
    let climbing = |opal: &Opal| {
        std::fs::write(opal.outside().join("outside"), "one\n").unwrap();
        calls::read("../outside/outside")
    };
    assert_eq!(outcome("auto_edit", "read", climbing).await, "asks");
}

/// Opal's own data directory lies in the workspace, as it does where that is the home directory.
#[tokio::test]
async fn opals_own_files_are_outside_of_every_workspace() {
    const KEPT: &str = "the token is swordfish\n";
    let mut table = String::new();
    for mode in ["auto_edit", "full", "read_only"] {
        for (tool, file) in [
            ("read", "data/auth.json"),
            ("write", "data/auth.json"),
            ("read", "data/config.toml"),
            ("write", "data/config.toml"),
            ("write", "data/new"),
            ("read", "notes"),
        ] {
            let model = FakeModel::start().await;
            let opal = Opal::start(&model).confirm(Confirm::Deny("")).no_session().await;
            let home = opal.directory().parent().unwrap().to_owned();
            std::fs::create_dir_all(home.join("data")).unwrap();
            for name in ["data/auth.json", "data/config.toml", "notes"] {
                std::fs::write(home.join(name), KEPT).unwrap();
            }
            let params = json!({ "working_dir": home, "permission_mode": mode });
            let session = opal.start_session_with(params).await.session_id;
            let arguments = if tool == "read" { calls::read(file) } else { calls::write(file, "taken\n") };
            model.next(|t| t.tool(tool, arguments));
            model.next(|t| t.text("Done."));
            let turn = opal.prompt_in(&session, "do it").await;
            assert_eq!(turn.end().await, "completed");
            let told = model.last_request().last_result();
            let outcome = match (told.contains("denied"), told.contains("refused")) {
                (true, _) => "asks",
                (_, true) => "refused",
                _ => "free",
            };
            assert_eq!(told.contains("swordfish"), outcome == "free", "{told}");
            assert_eq!(std::fs::read_to_string(home.join("data/auth.json")).unwrap(), KEPT);
            assert_eq!(std::fs::read_to_string(home.join("data/config.toml")).unwrap(), KEPT);
            table.push_str(&format!("{mode:<10} {tool:<5} {file:<17} {outcome}\n"));
        }
    }
    expect![[r#"
        auto_edit  read  data/auth.json    refused
        auto_edit  write data/auth.json    refused
        auto_edit  read  data/config.toml  asks
        auto_edit  write data/config.toml  asks
        auto_edit  write data/new          asks
        auto_edit  read  notes             free
        full       read  data/auth.json    refused
        full       write data/auth.json    refused
        full       read  data/config.toml  refused
        full       write data/config.toml  refused
        full       write data/new          refused
        full       read  notes             free
        read_only  read  data/auth.json    refused
        read_only  write data/auth.json    refused
        read_only  read  data/config.toml  asks
        read_only  write data/config.toml  refused
        read_only  write data/new          refused
        read_only  read  notes             free
    "#]]
    .assert_eq(&table);
}

#[tokio::test]
async fn edits_of_what_runs_programs_ask_in_auto_edit() {
    for file in [".GIT/hooks/pre-commit", ".vscode/settings.json", ".envrc", "bare/config"] {
        let outcome = outcome("auto_edit", "write", |_| calls::write(file, "text\n")).await;
        assert_eq!(outcome, "asks", "{file}");
    }
}

#[tokio::test]
async fn credentials_are_not_read_unasked() {
    let key = |opal: &Opal| {
        opal.put_file("deploy/id_ed25519", "swordfish\n");
        calls::read("deploy/id_ed25519")
    };
    assert_eq!(outcome("read_only", "read", key).await, "asks");
}

#[tokio::test]
async fn a_command_that_was_allowed_is_not_allowed_in_the_background() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).confirm(Confirm::AllowSession).await;
    let background = json!({ "command": "true", "background": true });
    for (arguments, n_questions) in
        [(calls::shell("true"), 1), (calls::shell("true"), 1), (background.clone(), 2), (background, 2)]
    {
        model.next(|t| t.tool("shell", arguments));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("run it").await, "completed");
        assert_eq!(opal.editor.count("client/confirm"), n_questions);
    }
}

#[tokio::test]
async fn a_file_that_was_allowed_is_the_only_one() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).confirm(Confirm::AllowSession).await;
    let path = |name: &str| opal.outside().join(name).to_str().unwrap().to_owned();
    for (name, n_questions) in [("new", 1), ("new", 1), (".git/hooks/pre-commit", 2), ("other", 3)] {
        model.next(|t| t.tool("write", calls::write(&path(name), &format!("text {n_questions}\n"))));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("write it").await, "completed");
        assert_eq!(opal.editor.count("client/confirm"), n_questions, "{name}");
    }
}

#[tokio::test]
async fn a_word_goes_to_the_model() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("make clean")));
    model.next(|t| t.text("As you wish."));
    let opal = Opal::start(&model).confirm(Confirm::Deny("use cargo instead")).await;
    assert_eq!(opal.run("clean").await, "completed");
    assert!(model.last_request().last_result().contains("use cargo instead"));
}

#[tokio::test]
async fn allowed_for_the_session_is_not_asked_again() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "one\n").open("a").await;
    for (tool, first, second) in [
        ("shell", calls::shell("echo same"), calls::shell("echo same")),
        ("edit", calls::edit("a", "one", "two"), calls::edit("a", "two", "three")),
    ] {
        let before = opal.editor.count("client/confirm");
        opal.editor.on_confirm(Confirm::AllowSession);
        model.next(|t| t.tool(tool, first));
        model.next(|t| t.tool(tool, second));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("twice").await, "completed");
        assert_eq!(opal.editor.count("client/confirm"), before + 1, "{tool}");
    }
    let other = opal.start_session().await;
    model.next(|t| t.tool("shell", calls::shell("echo same")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt_in(&other, "in another session").await;
    turn.until("client/confirm").await.deny("");
    assert_eq!(turn.end().await, "completed");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no() {
    let answers = [
        Value::Null,
        serde_json::json!({}),
        serde_json::json!({ "action": "sure" }),
        serde_json::json!("allow"),
    ];
    for answer in answers {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("shell", calls::shell("touch ran")));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).confirm(Confirm::Result(answer.clone())).await;
        assert_eq!(opal.run("run").await, "completed");
        assert!(!opal.has_file("ran"), "{answer} was taken for a yes");
    }
}

#[tokio::test]
async fn an_edit_that_does_not_fit_shows_nothing_of_a_file_outside() {
    for mode in ["ask", "auto_edit", "read_only"] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).mode(mode).confirm(Confirm::Deny("")).await;
        let outside = opal.outside().join("outside");
        std::fs::write(&outside, "the password is swordfish\n").unwrap();
        let path = outside.to_str().unwrap();
        model.next(|t| {
            t.tool("edit", calls::edit(path, "the password is", "the password is"))
                .tool("edit", calls::edit(path, "the password was swordfish", "x"))
                .tool("write", calls::write(path, "the password is swordfish\n"))
        });
        model.next(|t| t.text("Done."));
        assert_eq!(opal.run("edit it").await, "completed");
        for told in model.last_request().results() {
            assert!(told.contains("denied") || told.contains("refused"), "{mode}: {told}");
        }
    }
}

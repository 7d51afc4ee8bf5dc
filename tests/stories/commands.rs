//! Commands that behave badly.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{FakeModel, Opal, calls};

/// Runs one command and returns what the model is told of it.
async fn run(arguments: serde_json::Value) -> String {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", arguments));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(opal.commands(), [""; 0]);
    model.last_request().last_result()
}

#[tokio::test]
async fn output_and_exit_code_are_told() {
    let told = run(calls::shell("echo out; echo err >&2; exit 3")).await;
    assert!(told.contains("out") && told.contains("err") && told.contains('3'), "{told}");
}

#[tokio::test]
async fn an_editor_that_a_command_opens_changes_nothing() {
    let told = run(calls::shell(
        "for name in GIT_EDITOR GIT_SEQUENCE_EDITOR VISUAL EDITOR; do eval \"\\$$name\" && echo $name; done",
    ))
    .await;
    for name in ["GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "VISUAL", "EDITOR"] {
        assert!(told.lines().any(|line| line == name), "{name} in {told}");
    }
}

#[tokio::test]
async fn a_commit_without_a_message_does_not_wait() {
    let told = run(calls::shell(
        "git init -q . && git -c user.name=a -c user.email=a@b.c -c core.editor='sleep 1000' commit --allow-empty",
    ))
    .await;
    assert!(told.contains("empty commit message") || told.contains("not found"), "{told}");
}

#[tokio::test]
#[cfg(unix)]
async fn a_working_directory_that_is_gone_is_said() {
    let model = FakeModel::start().await;
    for background in [false, true] {
        let opal = Opal::start(&model).mode("full").no_session().await;
        let directory = opal.directory().join("gone");
        std::fs::create_dir(&directory).unwrap();
        let params = json!({ "working_dir": directory, "permission_mode": "full" });
        let session = opal.start_session_with(params).await.session_id;
        std::fs::remove_dir(&directory).unwrap();
        model.next(|t| t.tool("shell", json!({ "command": "true", "background": background })));
        model.next(|t| t.text("Done."));
        assert_eq!(opal.prompt_in(&session, "run it").await.end().await, "completed");
        let told = model.last_request().last_result();
        assert!(told.contains("the working directory") && told.contains("is not there any more"), "{told}");
    }
}

#[tokio::test]
async fn a_child_that_keeps_the_pipe() {
    let started = Instant::now();
    let told = run(calls::shell("sleep 1000 & echo started")).await;
    assert!(started.elapsed() < Duration::from_secs(30), "the command was waited for");
    assert!(told.contains("started") && told.contains("running"), "{told}");
}

#[tokio::test]
async fn a_child_that_never_stops_talking() {
    let told = run(calls::shell("yes & echo started")).await;
    assert!(told.contains("running"), "{}", &told[told.len() - 200..]);
}

#[tokio::test]
async fn a_child_that_is_about_to_finish_is_not_ended() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("(sleep 0.05; echo kept > file) >/dev/null 2>&1 &")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(opal.file("file"), "kept\n");
    assert!(!model.last_request().last_result().contains("running"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_leaves_the_group_and_keeps_the_pipe() {
    let told = run(calls::shell("setsid sleep 1000 & echo started")).await;
    assert!(told.contains("started") && told.contains("left processes running"), "{told}");
}

#[tokio::test]
async fn more_output_than_anyone_wants() {
    prints(64 << 20).await;
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn a_gigabyte_of_output() {
    prints(1 << 30).await;
}

async fn prints(n_bytes: usize) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell(&format!("echo first; yes | head -c {n_bytes}; echo last"))));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.len() < 40_000, "{} bytes are told", told.len());
    assert!(told.contains("first") && told.contains("last"), "head and tail are kept: {}", &told[..200]);
    assert!(opal.editor.count("tool_output") < 5_000);
}

#[tokio::test]
async fn output_comes_while_it_runs() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool("shell", calls::shell("echo early; while [ ! -e go ]; do sleep 0.02; done; echo late"))
    });
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("run it").await;
    turn.until_where("tool_output", |output| {
        output["delta"].as_str().is_some_and(|delta| delta.contains("early"))
    })
    .await;
    opal.put_file("go", "");
    assert_eq!(turn.end().await, "completed");
    assert!(model.last_request().last_result().contains("late"));
}

#[tokio::test]
async fn output_that_is_not_utf8() {
    let told = run(calls::shell(r"printf 'a\377b\n'; printf '\303'; sleep 0.1; printf '\251\n'")).await;
    assert!(told.contains("a\u{fffd}b") && told.contains('é'), "{told}");
}

#[tokio::test]
async fn terminal_codes_do_not_break_anything() {
    let told = run(calls::shell(r"printf '\033[31mred\033[0m\a\0\n'")).await;
    assert!(told.contains("red"), "{told:?}");
}

#[tokio::test]
async fn an_error_survives_a_progress_bar() {
    let bar = r"i=0; while [ $i -lt 1500 ]; do i=$((i+1)); printf '\r\033[Kcompiling %d of 3000' $i; done";
    let told = run(calls::shell(&format!("{bar}; printf '\\nerror: no space left\\n'; {bar}; echo"))).await;
    assert!(told.contains("error: no space left\ncompiling 1500 of 3000\n"), "{told}");
    assert!(told.contains("The whole output is in") && told.len() < 1_000, "{told}");
}

#[tokio::test]
async fn a_command_that_ignores_term() {
    let told =
        run(json!({ "command": "trap '' TERM; echo started; while :; do sleep 1; done", "timeout": 0.3 }))
            .await;
    assert!(told.contains("started") && told.contains("time"), "{told}");
}

#[tokio::test]
async fn a_command_that_reads_its_input() {
    let told = run(calls::shell("cat; read line; echo \"got <$line>\"")).await;
    assert!(told.contains("got <>"), "{told}");
}

#[tokio::test]
async fn a_command_that_is_none() {
    let told = run(calls::shell("no-such-command-at-all")).await;
    assert!(told.contains("no-such-command-at-all"), "{told}");
    let told = run(calls::shell("")).await;
    assert!(told.len() < 1000, "{told}");
}

#[tokio::test]
async fn it_runs_in_the_working_directory() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("pwd; cat here")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").file("here", "found it\n").await;
    assert_eq!(opal.run("run it").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.contains(opal.directory().to_str().unwrap()) && told.contains("found it"), "{told}");
}

#[tokio::test]
async fn secrets_stay_with_opal() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("env")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").process().env("OPAL_API_KEY", "very-secret").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(model.request(1).await.header("authorization"), Some("Bearer very-secret"));
    let told = model.last_request().last_result();
    assert!(told.contains("PATH=") && !told.contains("very-secret"), "{told}");
}

#[tokio::test]
async fn edited_buffers_are_saved_before_it() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.tool("shell", calls::shell("cat a")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").file("a", "one\n").open("a").await;
    assert_eq!(opal.run("edit and look").await, "completed");
    let told = model.last_request().last_result();
    assert!(told.contains("two"), "{told}");
}

#[tokio::test]
async fn a_buffer_the_user_left_dirty_is_named() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.tool("shell", calls::shell("cat a")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").file("a", "one\n").open("a").await;
    opal.editor.type_over("a", "one", "one typed");
    assert_eq!(opal.run("edit and look").await, "completed");
    let told = model.last_request().last_result();
    assert_eq!(opal.text("a"), "two typed\n");
    assert_eq!(opal.file("a"), "one\n");
    assert!(told.contains("unsaved") || told.contains("not saved"), "{told}");
}

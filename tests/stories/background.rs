//! Commands in the background, and what the model does with them.

use serde_json::{Value, json};
use tests::editor::Confirm;
use tests::{FakeModel, Opal, calls};

fn background(command: &str) -> Value {
    json!({ "command": command, "background": true })
}

fn process(action: &str) -> Value {
    json!({ "handle": "bg1", "action": action })
}

fn input(text: &str) -> Value {
    json!({ "handle": "bg1", "action": "input", "input": text })
}

/// Calls one after the other; returns what the model is told of each.
async fn told(mode: &str, script: &[(&str, Value)]) -> Vec<String> {
    let model = FakeModel::start().await;
    for (tool, arguments) in script {
        model.next(|t| t.tool(tool, arguments));
    }
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode(mode).confirm(Confirm::Allow).await;
    assert_eq!(opal.run("run it").await, "completed");
    model.last_request().results()
}

#[tokio::test]
async fn it_is_fed_and_waited_for() {
    let script = [
        ("shell", background("read line; echo \"got <$line>\"; exit 3")),
        ("process", input("hello\n")),
        ("process", process("wait")),
    ];
    let told = told("full", &script).await;
    assert!(told[0].contains("bg1"), "{told:?}");
    let told = told[1..].concat();
    assert!(told.contains("got <hello>") && told.contains("code 3"), "{told}");
}

#[tokio::test]
async fn what_it_is_fed_is_asked_for_like_a_command() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", background("sh")));
    model.next(|t| t.tool("process", input("touch ran\n")));
    model.next(|t| t.tool("process", process("kill")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).await;
    let turn = opal.prompt("run it").await;
    turn.until("client/confirm").await.allow();
    let question = turn.until("client/confirm").await;
    assert_eq!(question["details"]["command"], "touch ran\n");
    question.deny("not that");
    assert_eq!(turn.end().await, "completed");
    assert!(model.last_request().results()[1].contains("not that"));
    assert!(!opal.has_file("ran"));
}

#[tokio::test]
async fn feeding_can_be_allowed_for_the_session() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", background("cat")));
    model.next(|t| t.tool("process", input("one\n")));
    model.next(|t| t.tool("process", input("two\n")));
    model.next(|t| t.tool("process", process("kill")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).confirm(Confirm::AllowSession).await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(opal.editor.count("client/confirm"), 2);
}

#[tokio::test]
async fn one_that_does_not_read_can_still_be_killed() {
    let long = "x".repeat(300_000);
    let script = [
        ("shell", background("sleep 1000")),
        ("process", input(&long)),
        ("process", input(&long)),
        ("process", process("kill")),
    ];
    let told = told("full", &script).await;
    assert!(told[3].contains("killed"), "{:?}", told[3]);
}

#[tokio::test]
async fn one_that_answers_while_it_is_fed() {
    let long = format!("{}\n", "x".repeat(99)).repeat(10_000);
    let script = [("shell", background("cat")), ("process", input(&long)), ("process", process("kill"))];
    let told = told("full", &script).await;
    let output = told[1..].concat();
    assert!(output.contains("characters left out"), "{}", output.len());
    assert!(output.contains("The whole output is in"), "where the rest is, is not said");
}

#[tokio::test]
async fn waiting_for_a_slow_one_is_no_loop() {
    let mut script = vec![("shell", background("sleep 1000"))];
    script.extend((0..7).map(|_| ("process", json!({ "handle": "bg1", "action": "wait", "timeout": 0.11 }))));
    script.push(("process", process("kill")));
    let told = told("full", &script).await;
    assert!(told[7].contains("still running"), "{told:?}");
}

#[tokio::test]
async fn what_it_leaves_running_is_ended_and_told() {
    let script = [("shell", background("sleep 1000 & echo started")), ("process", process("wait"))];
    let told = told("full", &script).await;
    assert!(told[1].contains("code 0") && told[1].contains("left processes running"), "{told:?}");
}

#[tokio::test]
async fn an_abort_ends_what_its_turn_began() {
    let model = FakeModel::start().await;
    let stubborn = "trap '' TERM; while :; do sleep 1; done";
    model.next(|t| t.tool("shell", background(stubborn)));
    model.next(|t| t.text("It runs").hang());
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("run it").await;
    turn.until("message_delta").await;
    assert_ne!(opal.commands(), [""; 0]);
    turn.abort().await;
    assert_eq!(opal.commands(), [""; 0]);

    model.next(|t| t.tool("process", process("wait")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("and now").await, "completed");
    assert!(model.last_request().last_result().contains("aborted"));
}

#[tokio::test]
async fn an_abort_leaves_what_an_earlier_turn_began() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", background("sleep 1000")));
    model.next(|t| t.text("It runs."));
    model.next(|t| t.text("half").hang());
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    let turn = opal.prompt("and").await;
    turn.until("message_delta").await;
    turn.abort().await;
    assert_ne!(opal.commands(), [""; 0]);

    model.next(|t| t.tool("process", process("kill")));
    model.next(|t| t.text("Done."));
    assert_eq!(opal.run("enough").await, "completed");
    assert!(model.last_request().last_result().contains("it was killed"));
}

#[tokio::test]
async fn one_that_there_is_not() {
    let script = [("shell", calls::shell("true")), ("process", process("wait"))];
    assert!(told("full", &script).await[1].contains("bg1"));
}

//! Opal on the command line, where nobody can be asked.

use std::process::{Command, Output, Stdio};

use tests::process::binary;
use tests::{FakeModel, calls, leak};

/// `opal` with arguments in a directory of its own, against a fake model.
fn opal(model: &FakeModel, root: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(root.path())
        .env("HOME", root.path())
        .env("OPAL_DATA_DIR", root.path().join(".opal"))
        .env("OPAL_BASE_URL", model.url())
        .env("OPAL_MODEL", "fake-model")
        .stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output.stdout), text(&output.stderr));
}

#[tokio::test]
async fn a_prompt_is_answered() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("It is a fine day."));
    let root = tempfile::tempdir().unwrap();
    let output = opal(&model, &root, &["run", "what day is it"]).output().unwrap();
    succeeded(&output);
    assert!(text(&output.stdout).contains("It is a fine day."));
}

#[tokio::test]
async fn events_are_lines_of_json() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("read", calls::read("a")));
    model.next(|t| t.text("Seen."));
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a"), "one\n").unwrap();
    let output = opal(&model, &root, &["run", "--json", "read it"]).output().unwrap();
    succeeded(&output);
    let stdout = text(&output.stdout);
    let events: Vec<protocol::EventParams> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(matches!(events.first().unwrap().event, protocol::AgentEvent::AgentStart), "{events:?}");
    assert!(matches!(events.last().unwrap().event, protocol::AgentEvent::AgentEnd { .. }), "{events:?}");
    assert!(events.windows(2).all(|pair| pair[1].first_seq.unwrap_or(pair[1].seq) == pair[0].seq + 1));
}

#[tokio::test]
async fn options_may_stand_after_the_prompt() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Fine."));
    let root = tempfile::tempdir().unwrap();
    let output = opal(&model, &root, &["run", "how are you", "--json"]).output().unwrap();
    succeeded(&output);
    assert!(text(&output.stdout).starts_with('{'));
    assert!(!model.last_request().input().iter().any(|item| item.to_string().contains("--json")));
}

#[tokio::test]
async fn what_is_piped_in_is_added_to_the_prompt() {
    for (arguments, prompt) in
        [(&["run", "review", "this"][..], "review this\n\n+ a line\n"), (&["run"], "+ a line\n")]
    {
        let model = FakeModel::start().await;
        model.next(|t| t.text("Fine."));
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("diff"), "+ a line\n").unwrap();
        let piped = std::fs::File::open(root.path().join("diff")).unwrap();
        succeeded(&opal(&model, &root, arguments).stdin(piped).output().unwrap());
        let said = serde_json::to_string(model.last_request().input()).unwrap();
        assert!(said.contains(&serde_json::to_string(prompt).unwrap()), "{said}");
    }
}

#[tokio::test]
#[cfg(unix)]
async fn nobody_who_reads_the_answer_ends_it() {
    for arguments in [&["run", "hello"][..], &["run", "--json", "hello"]] {
        let model = FakeModel::start().await;
        model.next(|t| t.text("a word that nobody reads").hang());
        model.forget_scripts();
        let root = tempfile::tempdir().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = opal(&model, &root, arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    }
}

#[tokio::test]
#[cfg(unix)]
async fn nobody_who_reads_stderr_harms_nothing() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("read", calls::read("a")));
    model.next(|t| t.text("Seen."));
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a"), "one\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = opal(&model, &root, &["run", "read it"]).stderr(writer).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "Seen.\n"));
}

#[tokio::test]
async fn what_needs_asking_is_refused_unless_the_mode_allows_it() {
    for (arguments, runs) in
        [(&["run", "do it"][..], false), (&["run", "--permission-mode", "full", "do it"], true)]
    {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("shell", calls::shell("touch ran")));
        model.next(|t| t.text("Done."));
        let root = tempfile::tempdir().unwrap();
        opal(&model, &root, arguments).output().unwrap();
        assert_eq!(root.path().join("ran").exists(), runs, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_model_that_refuses_is_a_failure() {
    let model = FakeModel::start().await;
    model.next(|t| t.status(401));
    let root = tempfile::tempdir().unwrap();
    let output = opal(&model, &root, &["run", "hello"]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("scripted 401") || text(&output.stdout).contains("scripted 401"));
}

#[tokio::test]
#[cfg(unix)]
async fn an_interrupt_ends_it_and_all_it_started() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch started; sleep 1000 & sleep 1000")));
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().canonicalize().unwrap();
    let arguments = ["run", "--permission-mode", "full", "do it"];
    let mut child =
        opal(&model, &root, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = directory.join("started");
    let waiting = async {
        while !started.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await; // Files tell nobody of their birth.
        }
    };
    tokio::time::timeout(tests::background::DEADLINE, waiting).await.unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(leak::left_behind(&directory).await, [""; 0]);
}

#[tokio::test]
async fn the_demo_ends_well() {
    let model = FakeModel::start().await;
    let root = tempfile::tempdir().unwrap();
    let output = opal(&model, &root, &["demo", "--yes"]).output().unwrap();
    succeeded(&output);
    assert!(!output.stdout.is_empty());
}

#[tokio::test]
async fn the_demo_takes_nothing_from_the_environment_and_leaves_only_what_it_is_told_to() {
    let model = FakeModel::start().await;
    for (arguments, left) in [(&["demo", "--yes"][..], 0), (&["demo", "--yes", "--keep"], 1)] {
        let root = tempfile::tempdir().unwrap();
        let temp = root.path().join("temp");
        std::fs::create_dir(&temp).unwrap();
        let mut demo = opal(&model, &root, arguments);
        demo.env("TMPDIR", &temp).env("TMP", &temp).env("OPAL_SHELL", "no-such-shell");
        succeeded(&demo.output().unwrap());
        assert_eq!(std::fs::read_dir(&temp).unwrap().count(), left, "{arguments:?}");
    }
}

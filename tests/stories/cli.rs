//! Opal on the command line, where nobody can be asked.

use std::io::{BufRead, BufReader};
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
async fn bytes_that_are_no_text_are_taken() {
    for (bytes, said) in [(&b"-caf\xe9\n"[..], "-caf\u{fffd}\n"), (b"\xff\xfe+\0 \0l\0", "+ l")] {
        let model = FakeModel::start().await;
        model.next(|t| t.text("Fine."));
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("diff"), bytes).unwrap();
        let piped = std::fs::File::open(root.path().join("diff")).unwrap();
        succeeded(&opal(&model, &root, &["run", "review"]).stdin(piped).output().unwrap());
        let input = serde_json::to_string(model.last_request().input()).unwrap();
        let expected = serde_json::to_string(&format!("review\n\n{said}")).unwrap();
        assert!(input.contains(&expected), "{input}");
    }
}

#[tokio::test]
async fn the_end_of_stdin_is_waited_for_and_said() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Fine."));
    let root = tempfile::tempdir().unwrap();
    let mut command = opal(&model, &root, &["run", "hello"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("end of stdin") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without a word");
    }
    drop(child.stdin.take());
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "Fine.\n"));
}

#[tokio::test]
#[cfg(unix)]
async fn a_shell_of_the_project_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    for entry in ["", ".", "bin"] {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("shell", calls::shell("echo as meant")));
        model.next(|t| t.text("Done."));
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        for name in ["bash", "bin/bash"] {
            std::fs::write(root.path().join(name), "#!/bin/sh\ntouch owned\n").unwrap();
            std::fs::set_permissions(root.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let path = format!("{entry}:{}", std::env::var("PATH").unwrap());
        let arguments = ["run", "--permission-mode", "full", "do it"];
        succeeded(&opal(&model, &root, &arguments).env("PATH", path).output().unwrap());
        assert!(model.last_request().last_result().contains("as meant"));
        assert!(!root.path().join("owned").exists(), "{entry:?}");
    }
}

#[tokio::test]
async fn a_key_program_of_the_project_is_not_run() {
    let model = FakeModel::start().await;
    for program in ["./give-key", "give-key", "bin/../give-key"] {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(".opal")).unwrap();
        let config = format!(
            "[providers.a]\nbase_url = \"{}\"\napi_key_command = [\"{program}\"]\nmodels = [{{ id = \"m\" }}]\n",
            model.url()
        );
        std::fs::write(root.path().join(".opal/config.toml"), config).unwrap();
        let mut command = opal(&model, &root, &["run", "--model", "a/m", "hello"]);
        let output = command.env("PATH", format!(":{}", std::env::var("PATH").unwrap())).output().unwrap();
        assert!(!output.status.success());
        let told = text(&output.stderr);
        assert!(told.contains("neither a program on the PATH nor the absolute path of one"), "{told}");
    }
}

#[tokio::test]
async fn a_home_directory_as_the_workspace_is_warned_of() {
    const WARNING: &str = "so almost all your files can be read without asking";
    for (home, warns) in [("", true), ("me", true), ("elsewhere", false)] {
        let model = FakeModel::start().await;
        model.next(|t| t.text("Fine."));
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let home = if warns { root.path().join(home) } else { outside.path().to_owned() };
        std::fs::create_dir_all(&home).unwrap();
        let output = opal(&model, &root, &["run", "hello"]).env("HOME", home).output().unwrap();
        succeeded(&output);
        assert_eq!(text(&output.stderr).contains(WARNING), warns, "{}", text(&output.stderr));
    }
}

#[tokio::test]
#[cfg(target_os = "linux")] // Others can enter its directory for temporary files.
async fn a_data_directory_that_is_open_to_all_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let model = FakeModel::start().await;
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join(".opal");
    for (mode, warns) in [(0o777, true), (0o700, false)] {
        std::fs::create_dir_all(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(mode)).unwrap();
        let output = opal(&model, &root, &["auth"]).output().unwrap();
        assert_eq!(text(&output.stderr).contains("chmod 700"), warns, "{}", text(&output.stderr));
    }
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_said() {
    let model = FakeModel::start().await;
    let root = tempfile::tempdir().unwrap();
    let output = opal(&model, &root, &["run", "-C", "missing", "hello"]).output().unwrap();
    assert!(text(&output.stderr).contains("there is no directory"), "{}", text(&output.stderr));
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

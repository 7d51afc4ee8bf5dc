//! The program at the end of protocol.md, as a reader would run it.

use std::io::Write;
use std::process::{Command, Stdio};

use tests::process::binary;
use tests::{FakeModel, calls};

const PAGE: &str = include_str!("../../protocol.md");

/// The one Python program of the page.
fn program() -> &'static str {
    let mut programs = PAGE.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let program = programs.next().expect("protocol.md has a Python program");
    assert_eq!(programs.next(), None, "protocol.md has only one");
    program
}

/// `None`: there is no Python to run it with.
#[allow(clippy::print_stderr, reason = "a story that is not played says so")]
fn run(model: &FakeModel, root: &tempfile::TempDir, prompt: &str, answers: &str) -> Option<String> {
    let script = root.path().join("client.py");
    std::fs::write(&script, program()).unwrap();
    let mut path = vec![binary().parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let started = Command::new("python3")
        .arg(&script)
        .args(prompt.split(' '))
        .current_dir(root.path())
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("PYTHONIOENCODING", "utf-8")
        .env("HOME", root.path())
        .env("OPAL_DATA_DIR", root.path().join(".opal"))
        .env("OPAL_BASE_URL", model.url())
        .env("OPAL_MODEL", "fake-model")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: there is no python3 on the PATH to run the client of protocol.md with");
            model.forget_scripts();
            return None;
        }
        Err(error) => panic!("python3 cannot be started: {error}"),
    };
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success() && stderr.is_empty(), "{}: {stdout}{stderr}", output.status);
    Some(stdout)
}

#[tokio::test]
async fn it_prints_the_answer_and_asks_before_it_runs_something() {
    for (answer, runs) in [("y\n", true), ("n\n", false)] {
        let model = FakeModel::start().await;
        model.next(|t| t.text("I make it.").tool("shell", calls::shell("touch made")));
        model.next(|t| t.text("That was all."));
        let root = tempfile::tempdir().unwrap();
        let Some(shown) = run(&model, &root, "make a file", answer) else { return };
        for part in ["I make it.", "touch made", "Allow? [y/N]", "That was all."] {
            assert!(shown.contains(part), "{shown}");
        }
        assert_eq!(root.path().join("made").exists(), runs, "{shown}");
    }
}

#[tokio::test]
async fn it_shows_an_edit_before_it_is_made() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    model.next(|t| t.text("Done."));
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a"), "one\n").unwrap();
    let Some(shown) = run(&model, &root, "edit it", "y\n") else { return };
    assert!(shown.contains("-one\n+two\n") && shown.contains("Done."), "{shown}");
    assert_eq!(std::fs::read_to_string(root.path().join("a")).unwrap(), "two\n");
}

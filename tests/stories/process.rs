//! The binary as a process: how it begins and ends.

use std::process::Stdio;

use serde_json::json;
use tests::editor::{Editor, Options};
use tests::process::{Process, binary};
use tests::{FakeModel, Opal};

/// The bare process in a temporary directory.
async fn start(arguments: &[&str]) -> (tempfile::TempDir, Process, Editor) {
    let root = tempfile::tempdir().unwrap();
    let started = Process::start(arguments, root.path(), root.path(), Vec::new()).await;
    let (process, stdin, stdout) = started;
    let options = Options { directory: root.path().to_owned(), ..Options::default() };
    (root, process, Editor::connect(stdout, stdin, options))
}

#[tokio::test]
async fn it_ends_with_exit_while_stdin_is_open() {
    let model = FakeModel::start().await;
    Opal::start(&model).process().await.finish().await;
}

#[tokio::test]
async fn exit_without_shutdown_is_an_error() {
    for exit in [
        json!({ "jsonrpc": "2.0", "method": "exit" }),
        json!({ "jsonrpc": "2.0", "method": "exit", "params": null }),
    ] {
        let (_root, mut process, editor) = start(&["lsp", "--stdio"]).await;
        editor.initialize().await;
        editor.send_message(exit.clone());
        assert_eq!(process.exited().await.code(), Some(1), "{exit}");
    }
}

#[tokio::test]
async fn it_ends_when_stdin_ends() {
    let (_root, mut process, editor) = start(&["lsp", "--stdio"]).await;
    editor.initialize().await;
    editor.close_writing();
    process.exited().await;
    editor.until_closed().await;
}

#[tokio::test]
async fn it_ends_when_nobody_reads() {
    let (_root, mut process, editor) = start(&["lsp", "--stdio"]).await;
    editor.initialize().await;
    editor.vanish();
    process.exited().await;
}

#[tokio::test]
async fn it_ends_with_the_process_of_its_client() {
    let mut client = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let argument = format!("--clientProcessId={}", client.id());
    let (_root, mut process, editor) = start(&["lsp", "--stdio", &argument]).await;
    editor.initialize().await;
    client.kill().unwrap();
    client.wait().unwrap();
    process.exited().await;
}

#[tokio::test]
async fn no_model_is_an_error_that_says_what_to_do() {
    let (root, mut process, editor) = start(&["lsp", "--stdio"]).await;
    editor.initialize().await;
    let started = editor.request("session/start", json!({ "working_dir": root.path() })).await;
    let error = match started {
        Err(error) => error,
        Ok(started) => {
            let params = json!({ "session_id": started["session_id"], "text": "hello" });
            editor.start_request("agent/prompt", params).error().await
        }
    };
    assert_eq!(error.code, protocol::NOT_SIGNED_IN, "{error}");
    assert!(error.data["hint"].is_string(), "{error:?}");
    assert_eq!(editor.finish().await, [""; 0]);
    assert!(process.exited().await.success());
}

#[tokio::test]
async fn help_and_version_go_to_stdout() {
    for argument in ["--help", "--version"] {
        let output =
            std::process::Command::new(binary()).arg(argument).stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success() && !output.stdout.is_empty() && output.stderr.is_empty(),
            "{argument}"
        );
    }
}

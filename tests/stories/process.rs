//! The binary as a process: how it begins and ends.

use std::process::Stdio;

use serde_json::json;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use tests::background::DEADLINE;
use tests::editor::{Editor, Options};
use tests::process::{Process, binary};
use tests::{FakeModel, Opal};

/// The bare process in a temporary directory.
async fn start(arguments: &[&str]) -> (tempfile::TempDir, Process, Editor) {
    let root = tempfile::tempdir().unwrap();
    let (process, editor) = start_in(&root, arguments).await;
    (root, process, editor)
}

async fn start_in(root: &tempfile::TempDir, arguments: &[&str]) -> (Process, Editor) {
    let started = Process::start(arguments, root.path(), root.path(), Vec::new()).await;
    let (process, stdin, stdout) = started;
    let options = Options { directory: root.path().to_owned(), ..Options::default() };
    (process, Editor::connect(stdout, stdin, options))
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
#[cfg(unix)]
async fn a_data_directory_that_is_open_to_all_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let (root, data) = (tempfile::tempdir().unwrap(), "data");
    std::fs::create_dir(root.path().join(data)).unwrap();
    std::fs::set_permissions(root.path().join(data), PermissionsExt::from_mode(0o777)).unwrap();
    let (_process, editor) = start_in(&root, &["lsp", "--stdio"]).await;
    editor.initialize().await;
    let is_told = |message: &serde_json::Value| message.to_string().contains("chmod 700");
    editor.until(None, 0, "window/showMessage", is_told).await;
}

/// MB of memory that a process has.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn resident(process_id: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() / 1024
}

#[tokio::test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
async fn the_memory_of_closed_documents_is_given_back() {
    const MB: usize = 8;
    let (root, process, editor) = start(&["lsp", "--stdio"]).await;
    editor.initialize().await;
    let before = resident(process.id());
    let document = |name: &str| format!("file://{}/{name}", root.path().display());
    let text = "a line of a large document\n".repeat((MB << 20) / 27);
    for name in ["a", "b"] {
        let item = json!({ "uri": document(name), "languageId": "plaintext", "version": 1, "text": text });
        editor.notify("textDocument/didOpen", json!({ "textDocument": item }));
    }
    editor.request("session/list", json!({})).await.unwrap();
    let open = resident(process.id()) - before;
    assert!(open >= 2 * MB, "{open} MB for {} MB of text", 2 * MB);
    for name in ["a", "b"] {
        editor.notify("textDocument/didClose", json!({ "textDocument": { "uri": document(name) } }));
    }
    let is_given_back = async {
        while resident(process.id()) > before + MB / 2 {
            editor.request("session/list", json!({})).await.unwrap();
        }
    };
    let waited = tokio::time::timeout(DEADLINE, is_given_back).await;
    assert!(waited.is_ok(), "{} MB before, {open} for the documents, {} now", before, resident(process.id()));
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
#[cfg(unix)]
async fn it_ends_at_once_with_a_signal() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (_root, mut process, editor) = start(&["lsp", "--stdio"]).await;
        editor.initialize().await;
        let start = std::time::Instant::now();
        let id = process.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert!(process.exited().await.success());
        assert!(start.elapsed().as_secs() < 2, "{signal}: {:?}", start.elapsed());
        editor.until_closed().await;
    }
}

/// Some editors give one socket for both directions, and may go on using it.
#[test]
#[cfg(unix)]
fn a_socket_is_given_back_as_it_was() {
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let root = tempfile::tempdir().unwrap();
    let end = |stream: &UnixStream| OwnedFd::from(stream.try_clone().unwrap());
    let mut child = std::process::Command::new(binary())
        .args(["lsp", "--stdio"])
        .env("OPAL_DATA_DIR", root.path())
        .stdin(end(&theirs))
        .stdout(end(&theirs))
        .spawn()
        .unwrap();
    ours.write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    ours.write_all(b"x").unwrap();
    let mut theirs = theirs;
    theirs.read_exact(&mut [0]).unwrap();
    // Nothing is there now: a read that does not block says so at once, one that blocks waits for us.
    let reading = std::thread::spawn(move || theirs.read_exact(&mut [0]));
    std::thread::sleep(std::time::Duration::from_millis(50));
    let _ = ours.write_all(b"x");
    reading.join().unwrap().unwrap();
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

//! Long outputs of commands, which are kept whole in files.

#![cfg(unix)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tests::process::CommandLine;
use tests::{FakeModel, calls};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn config(model: &FakeModel) -> String {
    format!(
        "model = \"work/m\"\n[providers.work]\nbase_url = \"{}\"\nmodels = [{{ id = \"m\", context_window = 90000 }}]\n",
        model.url()
    )
}

/// Scripts a command with a long output.
fn talk(model: &FakeModel) {
    model.next(|t| t.tool("shell", calls::shell("yes 'a line of the output' | head -n 2000")));
    model.next(|t| t.text("That was long."));
}

/// The files of all sessions.
fn outputs(data: &Path) -> Vec<PathBuf> {
    let list = |directory: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    list(&data.join("outputs")).iter().flat_map(|session| list(session)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn they_go_when_they_are_old_or_with_their_session() {
    let model = FakeModel::start().await;
    let opal = CommandLine::new(&config(&model));
    for _ in 0..2 {
        talk(&model);
        let ran = opal.run(&["run", "--permission-mode", "full", "say a lot"]);
        assert!(ran.ok && model.last_request().results()[0].contains("The whole output is in "), "{ran:?}");
    }
    let kept = outputs(&opal.data_directory());
    assert_eq!(kept.len(), 2);
    let old = File::options().write(true).open(&kept[0]).unwrap();
    old.set_modified(SystemTime::now() - 31 * DAY).unwrap();

    model.next(|t| t.text("Hello."));
    assert!(opal.run(&["run", "hello"]).ok);
    assert_eq!(outputs(&opal.data_directory()), kept[1..]);
    assert!(!kept[0].parent().unwrap().exists(), "its directory is empty");

    let session = kept[1].parent().unwrap().file_name().unwrap().to_str().unwrap();
    assert!(opal.run(&["sessions", "delete", session]).ok);
    assert_eq!(outputs(&opal.data_directory()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_deletes_a_session_deletes_its_outputs() {
    let model = FakeModel::start().await;
    let opal = CommandLine::new(&config(&model));
    talk(&model);
    assert!(opal.run(&["run", "--permission-mode", "full", "say a lot"]).ok);
    let kept = outputs(&opal.data_directory());
    let session = kept[0].parent().unwrap().file_name().unwrap().to_str().unwrap();
    opal.ask(&[("session/delete", json!({ "session_id": session }))]).await;
    assert!(!kept[0].parent().unwrap().exists());
}

//! The disk under Opal's files: several writers, links, and files that do not answer.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tests::{FakeModel, Opal, Profile, calls};

/// Lines with their numbers.
fn numbered(n: usize) -> String {
    (0..n).map(|line| format!("line {line:02}\n")).collect()
}

#[tokio::test]
async fn two_sessions_that_edit_one_file_at_once_lose_nothing() {
    const N_ROUNDS: usize = 20;
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).mode("auto_edit").file("a", numbered(40)).await;
    let params = json!({"working_dir": opal.directory(), "permission_mode": "auto_edit"});
    let other = opal.start_session_with(params).await.session_id;
    for round in 0..N_ROUNDS {
        let mut turns = Vec::new();
        for (session, line) in [(&opal.session, round), (&other, 39 - round)] {
            let (prompt, line) = (format!("round {round} line {line:02}"), format!("line {line:02}"));
            model.next_for(&prompt, |t| {
                t.tool("edit", calls::edit("a", &line, &format!("done {}", &line[5..])))
            });
            model.next_for(&prompt, |t| t.text("Done."));
            turns.push(opal.prompt_in(session, &prompt).await);
        }
        for turn in turns {
            turn.result().await.unwrap();
            assert_eq!(turn.end().await, "completed");
        }
    }
    assert_eq!(opal.file("a"), numbered(40).replace("line", "done"));
}

#[tokio::test]
async fn two_names_of_a_file_in_one_answer_are_one_file() {
    // An editor takes two hard links for two files.
    for (profile, is_symlink) in [(Profile::Opal, true), (Profile::Plain, true), (Profile::Plain, false)] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).profile(profile).mode("auto_edit").file("a", numbered(40)).await;
        match is_symlink {
            true => symlink("a", opal.path("b")).unwrap(),
            false => std::fs::hard_link(opal.path("a"), opal.path("b")).unwrap(),
        }
        for round in 0..10 {
            let edit = |path: &str, line: usize| {
                calls::edit(path, &format!("line {line:02}"), &format!("done {line:02}"))
            };
            model.next(|t| t.tool("edit", edit("a", round)).tool("edit", edit("b", 39 - round)));
            model.next(|t| t.text("Done."));
            assert_eq!(opal.run("edit both").await, "completed");
        }
        let done = opal.file("a").matches("done").count();
        assert_eq!(done, 20, "{profile:?} symlink: {is_symlink}\n{}", opal.transcript());
        assert_eq!(opal.file("b"), opal.file("a"));
    }
}

#[tokio::test]
async fn a_link_to_nothing_is_judged_shown_and_written_by_its_target() {
    for profile in [Profile::Opal, Profile::Plain] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).profile(profile).mode("auto_edit").await;
        let target = opal.outside().join("authorized_keys");
        symlink("../outside/authorized_keys", opal.path("notes.md")).unwrap();
        let asked = if profile == Profile::Opal { "client/confirm" } else { "window/showMessageRequest" };
        for may_write in [false, true] {
            model.next(|t| t.tool("write", calls::write("notes.md", "a key\n")));
            model.next(|t| t.text("Done."));
            let turn = opal.prompt("write it").await;
            let question = turn.until(asked).await;
            let shown = question.params.to_string();
            assert!(shown.contains("outside/authorized_keys"), "{shown}");
            match (may_write, profile) {
                (true, Profile::Opal) => question.allow(),
                (true, _) => question.answer(json!({"title": "Allow"})),
                (false, Profile::Opal) => question.deny(""),
                (false, _) => question.answer(json!({"title": "Deny"})),
            }
            assert_eq!(turn.end().await, "completed");
            assert_eq!(target.exists(), may_write, "{profile:?}");
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "a key\n");
        assert!(opal.path("notes.md").is_symlink());
    }
}

#[tokio::test]
async fn a_link_that_is_put_there_while_the_question_waits_is_not_followed() {
    for (profile, old) in [(Profile::Opal, None), (Profile::Opal, Some("old\n"))] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).profile(profile);
        let opal = if let Some(old) = old { start.file("a", old).await } else { start.await };
        if old.is_some() {
            model.next(|t| t.tool("read", calls::read("a")));
        }
        model.next(|t| t.tool("write", calls::write("a", "new\n")));
        model.next(|t| t.text("Done."));
        let turn = opal.prompt("write it").await;
        let question = turn.until("client/confirm").await;
        let secret = opal.outside().join("secret");
        if let Some(old) = old {
            std::fs::write(&secret, old).unwrap();
            std::fs::remove_file(opal.path("a")).unwrap();
        }
        symlink(&secret, opal.path("a")).unwrap();
        question.allow();
        assert_eq!(turn.end().await, "completed");
        let refused = model.last_request().last_result();
        assert!(refused.contains("nothing was changed"), "{refused}");
        assert_eq!(std::fs::read_to_string(&secret).ok().as_deref(), old);
    }
}

#[tokio::test]
async fn a_link_in_a_circle_is_an_error() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").await;
    symlink("b", opal.path("a")).unwrap();
    symlink("a", opal.path("b")).unwrap();
    for (tool, arguments) in [("read", calls::read("a")), ("write", calls::write("a/x", "new\n"))] {
        model.next(|t| t.tool(tool, arguments));
        model.next(|t| t.text("Done."));
        let turn = opal.prompt("do it").await;
        let refused = turn.result().await.unwrap_err();
        assert!(refused.contains("in a circle"), "{refused}");
        assert_eq!(turn.end().await, "completed");
    }
}

#[tokio::test]
async fn a_path_of_many_components_is_an_error() {
    let long = "a/".repeat(15_000);
    for mode in ["ask", "auto_edit", "full", "read_only"] {
        let model = FakeModel::start().await;
        let opal = Opal::start(&model).mode(mode).await;
        let uri = format!("file://{}/{long}x", opal.directory().display());
        let document = json!({"uri": uri, "languageId": "x", "version": 1, "text": "x"});
        opal.editor.notify("textDocument/didOpen", json!({"textDocument": document}));
        for (tool, arguments) in [("read", calls::read(&long)), ("write", calls::write(&long, "new\n"))] {
            model.next(|t| t.tool(tool, arguments));
            model.next(|t| t.text("Done."));
            let turn = opal.prompt("do it").await;
            let refused = turn.result().await.unwrap_err();
            assert!(refused.contains("more than the 4096"), "{refused}");
            assert_eq!(turn.end().await, "completed");
        }
    }
}

#[tokio::test]
async fn a_document_that_is_open_under_a_link_is_read_and_attached_as_it_stands_in_the_editor() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("real", "on disk\n").await;
    symlink("real", opal.path("link")).unwrap();
    let uri = format!("file://{}", opal.path("link").display());
    let document = json!({"uri": uri, "languageId": "x", "version": 1, "text": "typed\n"});
    opal.editor.notify("textDocument/didOpen", json!({"textDocument": document}));
    for name in ["real", "link"] {
        model.next(|t| t.tool("read", calls::read(name)));
        model.next(|t| t.text("Done."));
        let uri = format!("file://{}", opal.path(name).display());
        let attachments = json!([{"type": "file", "uri": uri}]);
        let params = json!({"session_id": opal.session, "text": "look", "attachments": attachments});
        let turn = opal.prompt_with(params).await;
        assert_eq!(turn.end().await, "completed");
        let request = model.last_request();
        assert!(request.last_result().contains("typed"), "{name}");
        let said = request.user_texts().join("");
        assert!(said.contains("typed") && !said.contains("on disk"), "{name}: {said}");
    }
}

/// A program that holds a lease on a file: who opens it waits until the lease is given back.
struct Lease(Child);

impl Lease {
    const PROGRAM: &str = "\
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, 1024, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

    fn hold(path: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", Self::PROGRAM])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn abort_is_answered_while_a_file_does_not() {
    let calls = [
        ("read", calls::read("a")),
        ("read", calls::read("a.png")),
        ("edit", calls::edit("a", "one", "two")),
        ("write", calls::write("a", "two\n")),
    ];
    for as_process in [false, true] {
        let model = FakeModel::start().await;
        let start = Opal::start(&model).profile(Profile::Plain).mode("full");
        let start = start.file("a", "one\n").file("a.png", "\u{89}PNG");
        let opal = if as_process { start.process().await } else { start.await };
        let _leases = ["a", "a.png"].map(|name| Lease::hold(&opal.path(name)));
        for (tool, arguments) in calls.clone() {
            model.next(|t| t.tool(tool, arguments));
            let turn = opal.prompt("do it").await;
            turn.until("tool_execution_start").await;
            turn.abort().await;
            assert_eq!(turn.end().await, "aborted");
        }
        let uri = format!("file://{}", opal.path("a").display());
        let attachments = json!([{"type": "file", "uri": uri}]);
        let params = json!({"session_id": opal.session, "text": "look", "attachments": attachments});
        let turn = opal.prompt_with(params).await;
        turn.abort().await;
        assert_eq!(turn.end().await, "aborted");
        // The end of the server does not wait for the file either.
        opal.finish().await;
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn an_edit_that_waits_for_the_disk_is_given_up_after_an_abort() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).profile(Profile::Plain).file("a", "one\n").await;
    model.next(|t| t.tool("edit", calls::edit("a", "one", "two")));
    let turn = opal.prompt("do it").await;
    let question = turn.until("window/showMessageRequest").await;
    let lease = Lease::hold(&opal.path("a"));
    question.answer(json!({"title": "Allow"}));
    // The file is looked at once more before it is written, and that waits.
    turn.abort().await;
    assert_eq!(turn.end().await, "aborted");
    drop(lease);
    assert_eq!(opal.file("a"), "one\n");
}

#[tokio::test]
async fn what_a_killed_process_left_behind_is_removed_by_the_next() {
    let model = FakeModel::start().await;
    let outside = tempfile::tempdir().unwrap();
    let left = outside.path().join(".opal-0123.tmp");
    std::fs::write(&left, "half a te").unwrap();
    let note = json!({"temporary": {"uri": format!("file://{}", left.display())}});
    let start = Opal::start(&model).data("unfinished/one.note", &format!("{note}\n"));
    let opal = start.data("unfinished/two.note", "junk\n").await;
    // All are looked at before the user is told of one.
    let told = opal.editor.until(None, 0, "window/showMessage", |_| true).await;
    assert!(told.params.to_string().contains("two.kept"), "{}", told.params);
    assert!(!left.exists());
}

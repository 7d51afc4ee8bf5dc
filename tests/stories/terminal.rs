//! `opal run` at a terminal, where a person reads and answers.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;
use tests::background::DEADLINE;
use tests::process::binary;
use tests::{FakeModel, Gate, calls};

/// A terminal with `opal run` in it.
struct Terminal {
    root: tempfile::TempDir,
    keyboard: File,
    screen: Arc<Screen>,
    child: Child,
}

/// All bytes that the terminal got.
#[derive(Default)]
struct Screen {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Terminal {
    fn run(model: &FakeModel) -> Self {
        let root = tempfile::tempdir().unwrap();
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let stdio = || Stdio::from(terminal.try_clone().unwrap());
        let child = Command::new(binary())
            .args(["run", "do it"])
            .current_dir(root.path())
            .env("HOME", root.path())
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env("OPAL_DATA_DIR", root.path().join(".opal"))
            .env("OPAL_BASE_URL", model.url())
            .env("OPAL_MODEL", "fake-model")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        drop(terminal);
        let keyboard = File::from(controller);
        let screen = Arc::new(Screen::default());
        let (mut reader, writer) = (keyboard.try_clone().unwrap(), screen.clone());
        std::thread::spawn(move || {
            let mut utf8 = Vec::new();
            let mut bytes = [0; 4096];
            // The terminal reports an error when nobody has it open any more.
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                utf8.extend_from_slice(&bytes[..n]);
                writer.text.lock().unwrap().0 = String::from_utf8_lossy(&utf8).into_owned();
                writer.changed.notify_all();
            }
            writer.text.lock().unwrap().1 = true;
            writer.changed.notify_all();
        });
        Self { root, keyboard, screen, child }
    }

    /// Waits until the text after the first `from` bytes contains a part, and returns where that ends.
    #[track_caller]
    fn until(&self, from: usize, part: &str) -> usize {
        let text = self.screen.text.lock().unwrap();
        let (text, timeout) = self
            .screen
            .changed
            .wait_timeout_while(text, DEADLINE, |(text, ended)| !text[from..].contains(part) && !*ended)
            .unwrap();
        let found = text.0[from..].find(part);
        let found = found.unwrap_or_else(|| panic!("{part:?} did not come ({timeout:?}):\n{}", text.0));
        from + found + part.len()
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; returns all that was shown.
    fn end(mut self) -> (ExitStatus, String, tempfile::TempDir) {
        let text = self.screen.text.lock().unwrap();
        let (text, timeout) =
            self.screen.changed.wait_timeout_while(text, DEADLINE, |(_, ended)| !*ended).unwrap();
        assert!(!timeout.timed_out(), "it does not end:\n{}", text.0);
        let shown = text.0.clone();
        drop(text);
        (self.child.wait().unwrap(), shown, self.root)
    }
}

const KEYS: &str = "n deny, N deny with a comment";

#[tokio::test]
async fn a_key_typed_before_the_question_does_not_answer_it() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next(|t| t.pause_until(&gate).tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("I see."));
    let mut terminal = Terminal::run(&model);
    model.request(1).await;
    terminal.types("y\n");
    // What is echoed waits to be read.
    terminal.until(0, "y\r\n");
    gate.open();
    let asked = terminal.until(0, KEYS);
    terminal.types("n\n");
    terminal.until(asked, "I see.");
    let (_, shown, root) = terminal.end();
    assert!(!root.path().join("ran").exists(), "{shown}");
}

#[tokio::test]
async fn an_answer_that_is_neither_yes_nor_no_is_asked_again() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("I see."));
    let mut terminal = Terminal::run(&model);
    let asked = terminal.until(0, KEYS);
    terminal.types("ok\n");
    let asked = terminal.until(asked, KEYS);
    terminal.types("n use make\n");
    terminal.until(asked, "I see.");
    let (_, shown, root) = terminal.end();
    assert!(!root.path().join("ran").exists(), "{shown}");
    let told = model.last_request().last_result();
    assert!(told.contains("use make") && !told.contains("ok"), "{told}");
}

#[tokio::test]
async fn a_denial_with_a_comment_has_a_key_of_its_own() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("touch ran")));
    model.next(|t| t.text("I see."));
    let mut terminal = Terminal::run(&model);
    let asked = terminal.until(0, KEYS);
    terminal.types("N\n");
    let asked = terminal.until(asked, "Comment to the model: ");
    terminal.types("not on Fridays\n");
    terminal.until(asked, "I see.");
    terminal.end();
    assert!(model.last_request().last_result().contains("not on Fridays"));
}

#[tokio::test]
async fn a_long_command_is_shown_with_head_count_and_tail_and_as_a_whole_on_a_key() {
    let model = FakeModel::start().await;
    let mut command: String = (1..=300).map(|n| format!("echo {n}\n")).collect();
    command += &format!("echo ok{}; touch ran", " ".repeat(5_000));
    model.next(|t| t.tool("shell", calls::shell(&command)));
    model.next(|t| t.text("Done."));
    let mut terminal = Terminal::run(&model);
    let head = terminal.until(0, "$ echo 1\r\n");
    let count = terminal.until(head, "⟨286 lines left out⟩");
    let tail = terminal.until(count, "echo ok⟨5000 spaces⟩; touch ran");
    let grant = terminal.until(tail, "s allows from now on: ");
    let asked = terminal.until(grant, "v view all: ");
    terminal.types("v\n");
    let whole = terminal.until(asked, "echo 150\r\n");
    terminal.until(whole, KEYS);
    terminal.types("y\n");
    let (status, shown, root) = terminal.end();
    assert!(status.success() && root.path().join("ran").exists(), "{shown}");
}

#[tokio::test]
async fn nothing_of_the_model_steers_the_terminal() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.thinking("th\u{1b}[8mink")
            .text("an\u{1b}")
            .text("[2Jswer \u{202e}")
            .tool("\u{1b}]52;c;aGk=\u{7}", json!({}))
    });
    model.next(|t| t.tool("shell", calls::shell("echo \u{202e}\u{1b}[2J")));
    model.next(|t| t.text("👩\u{200d}🚀 Done."));
    let mut terminal = Terminal::run(&model);
    terminal.until(0, KEYS);
    terminal.types("n\n");
    let (_, shown, _) = terminal.end();
    for part in [
        r"th\u{1b}[8mink",
        r"an\u{1b}",
        r"[2Jswer \u{202e}",
        r"\u{1b}]52;c;aGk=\u{7}",
        r"$ echo \u{202e}\u{1b}[2J",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(shown.contains("👩\u{200d}🚀 Done."), "{shown}");
    // Opal's own styles are all that is left.
    let sequences = shown.split('\u{1b}').skip(1);
    let styles = sequences.clone().filter(|rest| {
        let end = rest.find(|c: char| !matches!(c, '[' | ';' | '0'..='9')).unwrap_or(rest.len());
        rest.starts_with('[') && rest[end..].starts_with('m')
    });
    assert_eq!(styles.count(), sequences.count(), "{shown}");
    assert!(!shown.contains(['\u{202e}', '\u{7}', '\u{9b}']), "{shown}");
}

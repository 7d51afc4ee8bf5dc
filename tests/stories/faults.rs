//! The crash harness's sibling: the server lives, and what is below its store fails. Each fault begins at a
//! random point of a run: the turn stops and says why, or waits and goes on; when the fault is over the same
//! session works, and after a restart everything that was acknowledged is there.
//!
//! Faults are real ones and come from outside of the process. `OPAL_FAULT_ROUNDS` says how often (10 by
//! default), `OPAL_CRASH_SEED` repeats the points.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::editor::{Editor, Options, Profile, RpcError};
use tests::process::Process;
use tests::{FakeModel, Gate};

use crate::crash::{Announced, Random, history, number};

/// Where a fault may begin: before the prompt, or when the n-th event of a kind has come.
const POINTS: [(&str, usize); 9] = [
    ("the prompt", 0),
    ("turn_start", 1),
    ("message_delta", 1),
    ("message_end", 1),
    ("tool_execution_start", 1),
    ("tool_execution_end", 1),
    ("tool_execution_start", 2),
    ("tool_execution_end", 2),
    ("tool_execution_end", 3),
];

/// One session through many faults and servers.
struct House {
    root: TempDir,
    model: FakeModel,
    /// Starts the server, where it needs something around it.
    wrapper: Vec<String>,
    session: Option<String>,
    announced: Announced,
    random: Random,
    seed: u64,
    /// How the fault is told.
    told: &'static str,
    /// Runs that a fault has stopped.
    n_stopped: usize,
    /// What was told after the fault had begun counts too, up to the `error` that says it does not.
    is_strict: bool,
    points: &'static [(&'static str, usize)],
}

/// A server of the house, with its editor.
struct Run {
    process: Process,
    editor: Editor,
    session: String,
}

/// How a prompt went.
struct Outcome {
    answer: Result<Value, RpcError>,
    reason: String,
    /// The `error` events of the run.
    errors: Vec<Value>,
}

impl House {
    async fn new() -> Self {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self::with_seed(number("OPAL_CRASH_SEED", u64::from(clock.subsec_nanos()))).await
    }

    async fn with_seed(seed: u64) -> Self {
        let temp = std::env::temp_dir().canonicalize().unwrap();
        let root = TempDir::with_prefix_in("opal-story-", temp).unwrap();
        std::fs::create_dir(root.path().join("workspace")).unwrap();
        std::fs::create_dir(root.path().join("data")).unwrap();
        Self {
            root,
            model: FakeModel::start().await,
            wrapper: Vec::new(),
            session: None,
            announced: Announced::default(),
            random: Random(seed),
            seed,
            told: "",
            n_stopped: 0,
            is_strict: false,
            points: &POINTS,
        }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Starts a server with the session, whose first prompt is kept.
    async fn start(&mut self) -> Run {
        let directory = self.root.path().join("workspace");
        let environment = vec![
            ("OPAL_BASE_URL".to_owned(), self.model.url()),
            ("OPAL_MODEL".to_owned(), "fake-model".to_owned()),
        ];
        let wrapper: Vec<_> = self.wrapper.iter().map(String::as_str).collect();
        let arguments = ["lsp", "--stdio"];
        let (process, stdin, stdout) =
            Process::start_by(&wrapper, &arguments, &directory, self.root.path(), environment).await;
        let options = Options { directory: directory.clone(), profile: Profile::Plain, ..Options::default() };
        let editor = Editor::connect(stdout, stdin, options);
        editor.initialize().await;
        // What was not kept is not in the conversation any more.
        self.model.expect_new_prefix();
        if let Some(session) = self.session.clone() {
            let resumed = editor.request("session/resume", json!({ "session_id": session })).await;
            resumed.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
            return Run { process, editor, session };
        }
        let params = json!({ "working_dir": directory, "permission_mode": "full" });
        let started = editor.request("session/start", params).await.unwrap();
        let session = started["session_id"].as_str().unwrap().to_owned();
        self.session = Some(session.clone());
        let run = Run { process, editor, session };
        self.goes_on(&run, "begin").await;
        run
    }

    fn point(&mut self) -> (&'static str, usize) {
        self.points[self.random.below(self.points.len() as u64) as usize]
    }

    /// What the model says to the next prompt: something, and three calls.
    fn script(&self, name: &str) {
        let content = format!("version {name}\n").repeat(1000);
        self.model.next(|t| t.text(format!("I begin {name}.")).tool("shell", json!({ "command": "true" })));
        self.model.next(|t| t.tool("write", json!({ "path": format!("{name}.txt"), "content": content })));
        self.model.next(|t| t.tool("shell", json!({ "command": format!("echo {name} >> log.txt") })));
        self.model.next(|t| t.text(format!("Done with {name}.")));
    }

    /// A prompt in which a fault begins at a point and ends with the run.
    async fn prompt<Fault>(
        &mut self,
        run: &Run,
        text: &str,
        point: (&str, usize),
        begin: impl AsyncFnOnce() -> Fault,
    ) -> Outcome {
        self.script(text);
        let (editor, from) = (&run.editor, run.editor.place());
        let n_told = || editor.events(&run.session).len();
        let n_before = n_told();
        let params = json!({ "session_id": run.session, "text": text });
        let (asked, n_sure, fault) = match point {
            (_, 0) => {
                let fault = begin().await;
                (editor.start_request("agent/prompt", params), n_before, fault)
            }
            (name, n) => {
                let asked = editor.start_request("agent/prompt", params);
                let mut place = from;
                for _ in 0..n {
                    place = editor.until(Some(&run.session), place, name, |_| true).await.at + 1;
                }
                let n_sure = n_told();
                (asked, n_sure, begin().await)
            }
        };
        let answer = asked.answer().await;
        let end = editor.until(Some(&run.session), from, "agent_end", |_| true).await;
        drop(fault);
        self.model.take_back();
        if answer.is_ok() {
            self.announced.prompts.insert(text.to_owned());
        }
        let told = editor.events(&run.session).split_off(n_before);
        let is_store_error = |event: &Value| event["type"] == "error" && event["code"] == "store";
        let n_kept = match self.is_strict {
            true => told.iter().position(is_store_error).unwrap_or(told.len()),
            false => n_sure - n_before,
        };
        told[..n_kept].iter().for_each(|event| self.announced.event(event));
        let errors = told.into_iter().filter(|event| event["type"] == "error").collect();
        let reason = end["reason"].as_str().unwrap().to_owned();
        if reason == "error" {
            self.model.give_up(text);
        }
        Outcome { answer, reason, errors }
    }

    /// The turn stopped and said why and what to do, or the fault came too late for it.
    fn check(&mut self, outcome: &Outcome, at: &str) {
        let errors = &outcome.errors;
        if let Err(error) = &outcome.answer {
            assert!(error.code == -31007 && error.message.contains(self.told), "{at}: {error}");
            assert!(error.data["hint"].is_string(), "{at}: {error:?}");
            assert_eq!(outcome.reason, "error", "{at}: {error}");
        }
        match outcome.reason.as_str() {
            "error" => {
                self.n_stopped += 1;
                let store: Vec<_> = errors.iter().filter(|error| error["code"] == "store").collect();
                assert_eq!(store.len(), 1, "{at}: told once: {errors:?}");
                assert!(store[0]["message"].as_str().unwrap().contains(self.told), "{at}: {store:?}");
                assert!(store[0]["hint"].is_string(), "{at}: {store:?}");
            }
            "completed" => assert!(errors.is_empty(), "{at}: {errors:?}"),
            other => panic!("{at}: {other}"),
        }
    }

    /// A prompt without a fault.
    async fn goes_on(&mut self, run: &Run, text: &str) {
        self.model.expect_new_prefix();
        let is_strict = std::mem::replace(&mut self.is_strict, true);
        let outcome = self.prompt(run, text, ("the prompt", 0), async || ()).await;
        self.is_strict = is_strict;
        assert!(outcome.answer.is_ok(), "seed {}, {text}: {:?}", self.seed, outcome.answer);
        assert_eq!(outcome.reason, "completed", "seed {}, {text}: {:?}", self.seed, outcome.errors);
    }

    /// Ends the server, by force or not; the next one has everything that was acknowledged.
    async fn restart(&mut self, mut run: Run, at: &str) -> Run {
        if self.random.below(2) == 0 {
            run.editor.forgive();
            run.process.kill().await;
        } else {
            let problems = run.editor.finish().await;
            assert!(problems.is_empty(), "{at}: {problems:#?}\n{}", run.editor);
            run.process.exited().await;
        }
        let next = self.start().await;
        let history = history(&next.editor, json!({ "session_id": next.session, "limit": 1000 })).await;
        let lost = self.announced.lost(&history);
        assert!(lost.is_empty(), "{at}: lost {lost:?} of {history}\n{}", run.editor);
        next
    }

    /// Faults one after the other, each with what follows from it.
    async fn faults<Fault>(&mut self, rounds: u64, mut begin: impl AsyncFnMut(&Path, u32) -> Fault) {
        let mut run = self.start().await;
        for round in 0..rounds {
            let point = self.point();
            let at = format!("seed {}, round {round}, {} {}", self.seed, point.0, point.1);
            let (data, server) = (self.data(), run.process.id());
            let begin = async || begin(&data, server).await;
            let outcome = self.prompt(&run, &format!("prompt {round}"), point, begin).await;
            self.check(&outcome, &at);
            self.goes_on(&run, &format!("after {round}")).await;
            run = self.restart(run, &at).await;
        }
        run.editor.forgive();
        run.process.kill().await;
    }
}

fn rounds() -> u64 {
    number("OPAL_FAULT_ROUNDS", 10)
}

/// Another process writes and does not come to an end; over when dropped.
async fn lock(data: &Path) -> Connection {
    let file = data.join("sessions.db");
    let locked = tokio::task::spawn_blocking(move || {
        let connection = Connection::open(file).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        connection
    });
    locked.await.unwrap()
}

#[tokio::test]
async fn a_database_that_stays_locked_stops_the_turn_and_loses_nothing() {
    let seed = House::new().await.seed;
    // Side by side, because each waits for as long as the server does.
    let houses = (0..3).map(|n| async move {
        let mut house = House::with_seed(seed + n).await;
        house.told = "sessions.db is locked by another process";
        if n == 0 {
            house.points = &POINTS[..1];
        }
        house.faults(1, async |data, _| lock(data).await).await;
        house.n_stopped
    });
    assert_eq!(futures::future::join_all(houses).await[0], 1, "seed {seed}: it was not felt");
}

#[tokio::test]
async fn a_database_that_is_locked_for_a_moment_is_waited_for() {
    let mut house = House::new().await;
    let mut moments = Random(house.seed);
    house
        .faults(rounds(), async |data, _| {
            let connection = lock(data).await;
            let moment = Duration::from_millis(moments.below(300));
            // The end of the run does not end it: that waits for it.
            drop(tokio::spawn(async move {
                tokio::time::sleep(moment).await;
                drop(connection);
            }));
        })
        .await;
    assert_eq!(house.n_stopped, 0, "seed {}", house.seed);
}

#[tokio::test]
async fn a_follow_up_that_began_before_a_crash_is_said_once() {
    let mut house = House::new().await;
    let mut run = house.start().await;
    let gate = Gate::new();
    house.model.next(|t| t.text("First").pause_until(&gate).text("."));
    house.model.next(|t| t.text("Then."));
    let from = run.editor.place();
    for (method, text) in [("agent/prompt", "first"), ("agent/follow_up", "then")] {
        run.editor.request(method, json!({ "session_id": run.session, "text": text })).await.unwrap();
    }
    let settings = || Connection::open(house.data().join("sessions.db")).unwrap();
    let queued: String =
        settings().query_row("SELECT settings_json FROM sessions", [], |row| row.get(0)).unwrap();
    assert!(queued.contains("then"), "{queued}");
    gate.open();
    run.editor.until(Some(&run.session), from, "agent_end", |_| true).await;
    run.editor.forgive();
    run.process.kill().await;
    // As if it had ended when the turn was stored, and the queue without the message was not.
    settings().execute("UPDATE sessions SET settings_json = ?1", [queued]).unwrap();

    let mut run = house.start().await;
    let state = run.editor.request("agent/state", json!({ "session_id": run.session })).await.unwrap();
    assert_eq!(state["queue"], json!([]));
    house.goes_on(&run, "next").await;
    let said = house.model.last_request().user_texts();
    assert_eq!(said.iter().filter(|said| *said == "then").count(), 1, "{said:?}");
    run.editor.forgive();
    run.process.kill().await;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    use super::*;

    #[tokio::test]
    async fn writes_that_fail_stop_the_turn_and_lose_nothing() {
        let mut house = House::new().await;
        house.told = "sessions.db failed";
        house.faults(rounds(), async |_, server| FileLimit::zero(server)).await;
        assert!(house.n_stopped > 0 || rounds() < 10, "seed {}: it was never felt", house.seed);
    }

    #[tokio::test]
    async fn what_is_told_before_the_error_is_kept() {
        let mut house = House::new().await;
        house.told = "sessions.db failed";
        house.is_strict = true;
        house.faults(rounds(), async |_, server| FileLimit::zero(server)).await;
    }

    #[tokio::test]
    async fn a_full_disk_stops_the_turn_and_loses_nothing() {
        let mut house = House::new().await;
        let Some(disk) = Disk::mount(&house.data()) else {
            println!("not played: no file system can be mounted here");
            return;
        };
        house.told = "sessions.db is full";
        house.wrapper = disk.wrapper();
        house.faults(rounds(), async |_, _| disk.fill()).await;
        assert!(house.n_stopped > 0 || rounds() < 10, "seed {}: it was never felt", house.seed);
    }

    #[tokio::test]
    async fn what_is_refused_is_not_done() {
        let mut house = House::new().await;
        let mut run = house.start().await;
        let (editor, session) = (&run.editor, run.session.as_str());
        let ask = async |method: &str, params: Value| {
            let mut params = params;
            params["session_id"] = json!(session);
            editor.request(method, params).await
        };
        let first = history(editor, json!({ "session_id": session })).await["entries"][0]["entry_id"].clone();
        house.model.next(|t| t.text("I wait").hang());
        let from = editor.place();
        ask("agent/prompt", json!({ "text": "work" })).await.unwrap();
        let later = ask("agent/follow_up", json!({ "text": "later" })).await.unwrap();
        editor.until(Some(session), from, "message_delta", |_| true).await;

        let fault = FileLimit::zero(run.process.id());
        let refused = async |method: &str, params: Value| {
            let error = ask(method, params).await.unwrap_err();
            assert!(
                error.code == -31007 && error.message.contains("sessions.db failed"),
                "{method}: {error}"
            );
            assert!(error.data["hint"].is_string(), "{method}: {error:?}");
        };
        refused("agent/steer", json!({ "text": "refused" })).await;
        let end = editor.until(Some(session), from, "agent_end", |_| true).await;
        assert_eq!(end["reason"], "error");
        refused("agent/cancel_queued", json!({ "message_id": later["message_id"] })).await;
        refused("session/set", json!({ "permission_mode": "read_only" })).await;
        refused("session/set", json!({ "thinking_level": "high" })).await;
        refused("session/branch", json!({ "entry_id": first, "before": true })).await;
        refused("agent/follow_up", json!({ "text": "refused" })).await;
        for method in ["agent/prompt", "agent/steer"] {
            let from = editor.place();
            refused(method, json!({ "text": "refused" })).await;
            editor.until(Some(session), from, "agent_end", |_| true).await;
        }
        drop(fault);
        // The model may have been asked before it was known that the prompt is not kept.
        house.model.give_up("refused");
        house.model.forgive();

        let state = ask("agent/state", json!({})).await.unwrap();
        assert_eq!(state["permission_mode"], "full");
        let queue: Vec<_> = state["queue"].as_array().unwrap().iter().map(|queued| &queued["text"]).collect();
        assert_eq!(queue, ["later"]);
        house.model.take_back();
        house.model.expect_new_prefix();
        house.model.next(|t| t.text("On."));
        house.model.next(|t| t.text("Later."));
        let from = editor.place();
        ask("agent/prompt", json!({ "text": "go on" })).await.unwrap();
        let end = editor.until(Some(session), from, "agent_end", |_| true).await;
        assert_eq!(end["reason"], "completed");
        let said = house.model.last_request().user_texts();
        let said: Vec<_> = said.iter().map(String::as_str).filter(|said| !said.starts_with('[')).collect();
        assert_eq!(said, ["begin", "work", "go on", "later"]);
        let stored = history(editor, json!({ "session_id": session, "limit": 1000 })).await;
        assert!(!stored.to_string().contains("refused"), "{stored}");
        editor.forgive();
        run.process.kill().await;
    }

    /// A process can write no file; over when dropped.
    struct FileLimit(Pid);

    impl FileLimit {
        fn zero(id: u32) -> Self {
            let limit = Self(Pid::from_raw(i32::try_from(id).unwrap()).unwrap());
            limit.set(Some(0));
            limit
        }

        fn set(&self, current: Option<u64>) {
            prlimit(Some(self.0), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
        }
    }

    impl Drop for FileLimit {
        fn drop(&mut self) {
            self.set(None);
        }
    }

    /// A small file system that only this process sees, and those that it lets in. Needs no rights where users
    /// may have namespaces of their own.
    struct Disk {
        holder: Child,
        /// As it is seen from here.
        path: PathBuf,
    }

    impl Disk {
        fn mount(at: &Path) -> Option<Self> {
            let script = r#"mount -t tmpfs -o size=16m tmpfs "$0" && echo mounted && exec cat"#;
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(at);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut holder = command.spawn().ok()?;
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let inside = format!("/proc/{}/root", holder.id());
            let path = Path::new(&inside).join(at.strip_prefix("/").unwrap());
            let disk = Self { holder, path };
            (line == "mounted\n").then_some(disk)
        }

        /// Runs a command where the disk is.
        fn wrapper(&self) -> Vec<String> {
            let target = self.holder.id().to_string();
            let words = ["nsenter", "--target", &target, "--user", "--mount", "--preserve-credentials", "--"];
            words.map(str::to_owned).to_vec()
        }

        /// Leaves no room; over when dropped.
        fn fill(&self) -> Filler {
            let filler = Filler(self.path.join("filler"));
            let mut file = File::create(&filler.0).unwrap();
            let full = loop {
                if let Err(error) = file.write_all(&[1; 4096]) {
                    break error;
                }
            };
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
            filler
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            // The end of its input ends it, and the file system with it.
            drop(self.holder.stdin.take());
            let _ = self.holder.wait();
        }
    }

    struct Filler(PathBuf);

    impl Drop for Filler {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }
}

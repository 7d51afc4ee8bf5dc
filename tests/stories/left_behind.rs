//! What a command starts and then loses: in another session, without its parent, or when the server itself is killed.
//! And what stands around a command: the user's terminal, and the server's memory.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::editor::{Editor, Options, Profile};
use tests::leak::left_behind;
use tests::process::Process;
use tests::{FakeModel, Opal, calls};

/// Goes on for ever, in a session of its own, as the child of nobody.
const DAEMON: &str = "setsid sh -c 'setsid sleep 1000 & exit' </dev/null >/dev/null 2>&1";

fn background(command: &str) -> Value {
    json!({ "command": command, "background": true })
}

#[tokio::test]
async fn a_daemon_is_ended_with_its_command() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell(&format!("{DAEMON}; echo started"))));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert_eq!(opal.commands(), [""; 0]);
    let told = model.last_request().last_result();
    assert!(told.contains("started") && told.contains("left processes running"), "{told}");
}

#[tokio::test]
async fn a_daemon_is_ended_by_an_abort() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell(&format!("{DAEMON}; echo started; sleep 1000"))));
    let opal = Opal::start(&model).mode("full").await;
    let turn = opal.prompt("run it").await;
    turn.until("tool_output").await;
    assert_ne!(opal.commands(), [""; 0]);
    turn.abort().await;
    assert_eq!(turn.end().await, "aborted");
    assert_eq!(opal.commands(), [""; 0]);
}

#[tokio::test]
async fn a_background_command_keeps_its_daemons_until_it_ends() {
    let writer = "while [ ! -e go ]; do sleep 0.02; done; echo kept > file; exec sleep 1000";
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool("shell", background(&format!("setsid sh -c '(setsid sh -c \"{writer}\" &)' & sleep 1000")))
    });
    model.next(|t| {
        t.tool("shell", calls::shell("touch go; while [ ! -e file ]; do sleep 0.02; done; cat file"))
    });
    model.next(|t| t.tool("process", json!({ "handle": "bg1", "action": "kill" })));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert!(model.last_request().results()[1].contains("kept"));
    assert_eq!(opal.commands(), [""; 0]);
}

/// The story's end sees whether something is left.
#[tokio::test]
async fn a_daemon_is_ended_with_the_session() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", background(&format!("{DAEMON}; echo started; sleep 1000"))));
    model.next(|t| t.tool("process", json!({ "handle": "bg1", "action": "wait", "timeout": 0.3 })));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").process().await;
    assert_eq!(opal.run("run it").await, "completed");
    opal.finish().await;
}

/// The story's end sees whether something is left.
#[tokio::test]
async fn a_command_that_kills_its_parent() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", background("read line; kill -9 $PPID; sleep 1000")));
    model.next(|t| t.tool("process", json!({ "handle": "bg1", "action": "input", "input": "\n" })));
    model.next(|t| t.tool("process", json!({ "handle": "bg1", "action": "wait" })));
    model.next(|t| t.tool("shell", calls::shell("echo here again")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    let results = model.last_request().results();
    assert!(results[1..3].concat().contains("its supervisor was killed"), "{results:?}");
    assert!(results[3].contains("here again"), "{results:?}");
}

/// The story's end sees whether something is left.
#[tokio::test]
async fn a_command_that_stops_its_parent_is_ended() {
    let model = FakeModel::start().await;
    let command = format!("{DAEMON}; trap '' TERM; kill -STOP $PPID; sleep 1000");
    model.next(|t| t.tool("shell", json!({ "command": command, "timeout": 1 })));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").await;
    assert_eq!(opal.run("run it").await, "completed");
    assert!(model.last_request().last_result().contains("killed after 1 s"));
    opal.finish().await;
}

#[tokio::test]
async fn commands_run_though_one_has_stopped_their_launcher() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("shell", calls::shell("kill -STOP $(cut -d' ' -f4 /proc/$PPID/stat)")));
    model.next(|t| t.tool("shell", calls::shell("echo here again")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).mode("full").process().await;
    assert_eq!(opal.run("run it").await, "completed");
    assert!(model.last_request().last_result().contains("here again"));
    opal.finish().await;
}

/// A server that is no [`Opal`], because it does not end as one.
struct Server {
    root: tempfile::TempDir,
    process: Process,
    editor: Editor,
    session: String,
}

impl Server {
    /// By a command that becomes the server, with a configuration.
    async fn start(wrapper: &[&str], config: &str, environment: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("workspace");
        for path in [root.path().join("data"), directory.clone()] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::write(root.path().join("data/config.toml"), config).unwrap();
        for path in ["", "data", "data/config.toml", "workspace"] {
            open_to_all(root.path().join(path));
        }
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let arguments = ["lsp", "--stdio"];
        let started = Process::start_by(wrapper, &arguments, &directory, root.path(), environment);
        let (process, stdin, stdout) = started.await;
        let options = Options { directory: directory.clone(), profile: Profile::Plain, ..Options::default() };
        let editor = Editor::connect(stdout, stdin, options);
        editor.initialize().await;
        let params = json!({ "working_dir": directory, "permission_mode": "full" });
        let started = editor.request("session/start", params).await.unwrap();
        let session = started["session_id"].as_str().unwrap().to_owned();
        Self { root, process, editor, session }
    }

    async fn prompt(&self) {
        let params = json!({ "session_id": self.session, "text": "run it" });
        self.editor.request("agent/prompt", params).await.unwrap();
    }

    async fn run(&self) {
        self.prompt().await;
        self.editor.until(None, 0, "agent_end", |_| true).await;
    }

    async fn finish(mut self) {
        assert_eq!(self.editor.finish().await, [""; 0]);
        assert!(self.process.exited().await.success(), "{}", self.process.stderr());
        assert_eq!(left_behind(self.root.path()).await, [""; 0]);
    }
}

/// For a server that runs as somebody else.
fn open_to_all(path: PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
}

/// A configuration with this model server and more lines about it.
fn config(model: &FakeModel, more: &str) -> String {
    format!(
        "model = \"work/fake-model\"\n[providers.work]\napi = \"responses\"\nbase_url = \"{}\"\n{more}\n\
         models = [{{ id = \"fake-model\", context_window = 200000 }}]\n",
        model.url()
    )
}

#[tokio::test]
async fn nothing_outlives_a_server_that_is_killed() {
    let model = FakeModel::start().await;
    model.next(|t| {
        t.tool("shell", background(&format!("{DAEMON}; trap '' HUP TERM; echo started; sleep 1000")))
    });
    model.next(|t| t.tool("process", json!({ "handle": "bg1", "action": "wait", "timeout": 0.3 })));
    model
        .next(|t| t.tool("shell", calls::shell(&format!("{DAEMON}; sleep 1000 & echo started; sleep 1000"))));
    let mut server = Server::start(&[], &config(&model, ""), &[]).await;
    server.prompt().await;
    server.editor.until(None, 0, "tool_output", |_| true).await;
    server.editor.forgive();
    server.process.kill().await;
    assert_eq!(left_behind(server.root.path()).await, [""; 0]);
}

#[tokio::test]
async fn nothing_outlives_a_server_that_is_killed_while_a_supervisor_is_stopped() {
    let model = FakeModel::start().await;
    let command = format!("{DAEMON}; kill -STOP $PPID; echo started; sleep 1000");
    model.next(|t| t.tool("shell", calls::shell(&command)));
    let mut server = Server::start(&[], &config(&model, ""), &[]).await;
    server.prompt().await;
    server.editor.until(None, 0, "tool_output", |_| true).await;
    server.editor.forgive();
    server.process.kill().await;
    assert_eq!(left_behind(server.root.path()).await, [""; 0]);
}

/// Gives its command a terminal, from which it was started, while its input and output stay as they are. What appears
/// on the terminal is written to a file.
const TERMINAL: &str = "
import os, pty, sys
saved = [os.dup(descriptor) for descriptor in (0, 1, 2)]
child, screen = pty.fork()
if child == 0:
    os.set_inheritable(os.dup(0), True)
    for descriptor, copy in enumerate(saved):
        os.dup2(copy, descriptor)
    os.execvp(sys.argv[2], sys.argv[2:])
for descriptor in saved + [0, 1, 2]:
    os.close(descriptor)
with open(sys.argv[1], 'wb', 0) as file:
    while True:
        try:
            file.write(os.read(screen, 1024) or sys.exit())
        except OSError:
            break
os.waitpid(child, 0)
";

#[tokio::test]
async fn commands_do_not_reach_the_terminal_that_the_server_was_started_from() {
    let model = FakeModel::start().await;
    let key = "api_key_command = [\"sh\", \"-c\", \"echo painted >/dev/tty; echo sk-from-a-command\"]";
    let command = "echo painted >/dev/tty; read line </dev/tty; echo \"status $?\"";
    model.next(|t| t.tool("shell", calls::shell(command)));
    model.next(|t| t.text("Done."));
    let root = tempfile::tempdir().unwrap();
    let screen = root.path().join("screen");
    let wrapper = ["python3", "-c", TERMINAL, screen.to_str().unwrap()];
    let server = Server::start(&wrapper, &config(&model, key), &[]).await;
    server.run().await;
    let told = model.last_request().last_result();
    assert!(told.contains("status 1") || told.contains("status 2"), "{told}");
    assert_eq!(model.request(1).await.header("authorization"), Some("Bearer sk-from-a-command"));
    assert_eq!(std::fs::read_to_string(&screen).unwrap(), "");
    server.finish().await;
}

#[tokio::test]
async fn the_environment_of_the_server_cannot_be_read() {
    const KEY: &str = "sk-in-the-environment-0123";
    // Root may read everything, and others need not be able to reach the place where Opal was built.
    const AS_NOBODY: &str =
        "cp \"$0\" opal && exec setpriv --reuid=65534 --regid=65534 --clear-groups ./opal \"$@\"";
    let wrapper: &[&str] = match std::fs::metadata("/proc/self").unwrap().uid() {
        0 => &["sh", "-c", AS_NOBODY],
        _ => &[],
    };
    let model = FakeModel::start().await;
    let server = Server::start(
        wrapper,
        &config(&model, "api_key_env = \"WORK_KEY\""),
        &[("WORK_KEY", KEY), ("REGISTRY", &format!("https://user:{KEY}@host/"))],
    )
    .await;
    let id = server.process.id();
    let (half, rest) = KEY.split_at(10);
    model
        .next(|t| t.tool("shell", calls::shell(&format!("base64 </proc/{id}/environ; echo status $?; env"))));
    // Neither has what stands between the server and its commands.
    let count = format!("cat /proc/[0-9]*/environ 2>/dev/null | grep -ac {half}''{rest}");
    model.next(|t| t.tool("shell", calls::shell(&count)));
    model.next(|t| t.text("Done."));
    server.run().await;
    let results = model.last_request().results();
    assert!(results[0].contains("status 1") && results[0].contains("PATH="), "{results:?}");
    assert!(!results[0].contains("REGISTRY") && !results[0].contains("WORK_KEY"), "{results:?}");
    assert!(results[1].starts_with("0\n"), "{results:?}");
    assert_eq!(model.request(1).await.header("authorization"), Some(&*format!("Bearer {KEY}")));
    server.finish().await;
}

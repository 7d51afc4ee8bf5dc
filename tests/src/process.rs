//! The real binary as a child process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::background::{self, DEADLINE};
use crate::editor::{Editor, Options};
use crate::leak::MARK;

/// A running `opal`.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stderr: PathBuf,
}

impl Process {
    /// Starts `opal` with arguments in a directory, with pipes. `private` is where it keeps its data.
    pub async fn start(
        arguments: &[&str],
        directory: &Path,
        private: &Path,
        environment: Vec<(String, String)>,
    ) -> (Self, ChildStdin, ChildStdout) {
        Self::start_by(&[], arguments, directory, private, environment).await
    }

    /// As [`Process::start`], by a command that is given `opal` and its arguments, and becomes it.
    pub async fn start_by(
        wrapper: &[&str],
        arguments: &[&str],
        directory: &Path,
        private: &Path,
        environment: Vec<(String, String)>,
    ) -> (Self, ChildStdin, ChildStdout) {
        let stderr = private.join("stderr.log");
        let mut words = wrapper.iter().map(OsStr::new).chain([binary().as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(arguments)
            .current_dir(directory)
            .env("OPAL_DATA_DIR", private.join("data"))
            .env("HOME", private)
            .env(MARK, directory)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .kill_on_drop(true);
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        let mut child = background::spawn(async move { command.spawn() }).await.unwrap().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        (Self { child, stderr }, stdin, stdout)
    }

    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Waits for its end.
    pub async fn exited(&mut self) -> ExitStatus {
        let exited = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        exited.unwrap_or_else(|_| panic!("opal did not exit\n{}", self.stderr())).unwrap()
    }

    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// What it has written to stderr.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }
}

/// The `opal` binary of the profile this test was built with: brought up to date once a run. `OPAL_BIN`
/// names another.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("OPAL_BIN") {
            return named.into();
        }
        // `target/PROFILE/deps/TEST`
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).expect("tests run from a target directory");
        let binary = profile.join(format!("opal{}", std::env::consts::EXE_SUFFIX));
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "opal", "--bin", "opal"]).arg("--target-dir");
        build.arg(profile.parent().expect("a profile lies in a target directory"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be run");
        assert!(built.success(), "opal could not be built");
        binary
    })
}

/// Lets nobody else into a directory, as home directories are: Opal warns of one that others can enter.
pub(crate) fn make_private(directory: &Path) {
    #[cfg(unix)]
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    #[cfg(not(unix))]
    let _ = directory;
}

/// Runs `opal` with arguments to its end, in a directory and with a `config.toml` of its own. Nothing is
/// known to it of who runs the tests.
#[derive(Debug)]
pub struct CommandLine {
    root: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub ok: bool,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl CommandLine {
    pub fn new(config: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        make_private(root.path());
        for directory in ["workspace", "data", "home"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        std::fs::write(root.path().join("data/config.toml"), config).unwrap();
        Self { root, environment: Vec::new() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn directory(&self) -> PathBuf {
        self.root.path().join("workspace")
    }

    /// Another `config.toml`.
    pub fn configure(&self, config: &str) {
        std::fs::write(self.root.path().join("data/config.toml"), config).unwrap();
    }

    /// Changes a stored session as an editor does: resumes it in a server, and sets. Returns its state then.
    pub async fn set(&self, session: &str, mut change: Value) -> Value {
        let session = json!({ "session_id": session });
        change["session_id"] = session["session_id"].clone();
        self.ask(&[("session/resume", session.clone()), ("session/set", change), ("agent/state", session)])
            .await
    }

    /// Asks a server as an editor does, one thing after the other. Returns the last answer.
    pub async fn ask(&self, requests: &[(&str, Value)]) -> Value {
        let (directory, environment) = (self.directory(), self.environment.clone());
        let started = Process::start(&["lsp", "--stdio"], &directory, self.root.path(), environment);
        let (mut process, stdin, stdout) = started.await;
        let options = Options { directory: directory.clone(), ..Options::default() };
        let editor = Editor::connect(stdout, stdin, options);
        editor.initialize().await;
        let mut last = Value::Null;
        for (method, params) in requests {
            last = editor.request(method, params.clone()).await.unwrap();
        }
        assert_eq!(editor.finish().await, [""; 0]);
        assert!(process.exited().await.success());
        last
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    pub fn data_directory(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// `opal` with arguments, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(binary());
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .args(arguments)
            .current_dir(self.directory())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.root.path().join("home"))
            .env("OPAL_DATA_DIR", self.root.path().join("data"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        // Without these nothing can be connected to.
        for name in ["SystemRoot", "TEMP", "TMP"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }
}

impl From<std::process::Output> for Ran {
    fn from(output: std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (ok, code) = (output.status.success(), output.status.code());
        Self { ok, code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

//! Commands: started in a session of their own, their output captured, and ended with all their children.

mod background;
mod capture;
#[cfg(target_os = "linux")]
mod descendants;
mod group;
#[cfg(target_os = "linux")]
pub mod launcher;
#[cfg_attr(unix, path = "process/unix.rs")]
#[cfg_attr(windows, path = "process/windows.rs")]
mod platform;
mod programs;
#[cfg(target_os = "linux")]
mod request;
#[cfg(target_os = "linux")]
mod supervised;
#[cfg(target_os = "linux")]
mod supervisor;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::CommandWrap;
use text::AbsPath;
use tokio::process::ChildStdin;
use tokio::time::Instant;

pub(crate) use background::Background;
pub use background::Processes;
pub(crate) use capture::Capture;
use group::Group;
pub use programs::find_program;
#[cfg(target_os = "linux")]
pub use supervised::launch_with;
#[cfg(target_os = "linux")]
use supervised::{NotStarted, Supervised};

/// Bytes taken from a command's output at once.
pub(crate) const READ_SIZE: usize = 64 * 1024;

/// The program that runs command lines.
#[derive(Debug, Clone)]
pub struct Shell {
    path: PathBuf,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no shell `{name}` on the PATH")]
pub struct NoShell {
    pub name: String,
}

impl Shell {
    /// A shell by name or path. Its name must be one whose options are known.
    pub fn named(name: &str) -> Result<Self, NoShell> {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let stem = if stem == "pwsh" { "powershell" } else { stem };
        let known = ["bash", "sh", "zsh", "powershell", "cmd"].contains(&stem);
        match find_program(name) {
            Some(path) if known => Ok(Self { path, name: stem.to_owned() }),
            _ => Err(NoShell { name: name.into() }),
        }
    }

    /// The platform's usual shell.
    pub fn usual() -> Self {
        let found = platform::USUAL_SHELLS.iter().find_map(|name| Self::named(name).ok());
        found.unwrap_or_else(|| {
            let (name, path) = platform::LAST_SHELL;
            Self { path: path.into(), name: name.into() }
        })
    }

    /// `bash`, `sh`, `zsh`, `powershell` or `cmd`: under this name the model knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Never a login or interactive shell: those take 100 ms and read files that expect a terminal.
    fn arguments(&self) -> &'static [&'static str] {
        match self.name.as_str() {
            "powershell" => &["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"],
            "cmd" => &["/D", "/S", "/C"],
            _ => &["-c"],
        }
    }
}

/// What keeps programs from waiting for somebody who is not there: a pager, an editor, a password.
const ALONE: &[(&str, &str)] = &[
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    // Editors that change nothing. Git has variables of its own, which win over its configuration.
    ("EDITOR", "true"),
    ("VISUAL", "true"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
];

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(
        "the working directory {directory} is not there any more; nothing can be run until it is made again"
    )]
    DirectoryGone { directory: String },
    #[error("the working directory {directory} cannot be entered: {reason}")]
    Directory { directory: String, reason: String },
    #[error("{shell} could not be started: {source}")]
    Shell {
        shell: String,
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// The system says the same of a directory that is not there and of a program that is not there.
    fn of(spec: &Spec<'_>, source: io::Error) -> Self {
        let directory = spec.directory.to_string();
        match std::fs::metadata(spec.directory.as_path().join(".")) {
            Ok(_) => Self::Shell { shell: spec.shell.path.display().to_string(), source },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::DirectoryGone { directory },
            Err(error) => Self::Directory { directory, reason: error.to_string() },
        }
    }
}

/// What to run, and with what around it.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) shell: &'a Shell,
    pub(crate) command: &'a str,
    pub(crate) directory: &'a AbsPath,
    /// Variables the command does not get, besides those that hold a secret in use.
    pub(crate) hidden_env: &'a [String],
    /// Whether something may be written to it later; else its input is empty.
    pub(crate) feed: bool,
}

/// What comes of a running command next.
#[derive(Debug)]
pub(crate) enum Next {
    /// So many bytes of output.
    Output(usize),
    /// There will be no more output.
    Closed,
    Exited(io::Result<ExitStatus>),
}

/// A running command.
#[derive(Debug)]
pub(crate) struct Process {
    running: Running,
    output: platform::Output,
    pub(crate) stdin: Option<ChildStdin>,
}

/// What keeps a command together with everything that it starts.
#[derive(Debug)]
enum Running {
    /// Whatever it starts.
    #[cfg(target_os = "linux")]
    Supervised(Supervised),
    /// What stays in its process group or job.
    Group(Group),
}

impl Process {
    pub(crate) async fn start(spec: &Spec<'_>) -> Result<Self, StartError> {
        Self::spawn(spec).await.map_err(|error| StartError::of(spec, error))
    }

    async fn spawn(spec: &Spec<'_>) -> io::Result<Self> {
        let mut command = CommandWrap::with_new(&spec.shell.path, |command| {
            command.args(spec.shell.arguments());
            platform::add_command_line(command, spec.shell.name(), spec.command);
            command.current_dir(spec.directory.as_path());
            command.envs(ALONE.iter().copied());
            for name in spec.hidden_env {
                command.env_remove(name);
            }
            // Opal may have been told to use the token of another program.
            for (name, value) in std::env::vars_os() {
                if provider::holds_secret(value.as_encoded_bytes()) {
                    command.env_remove(name);
                }
            }
        });
        #[cfg(target_os = "linux")]
        match Self::start_supervised(spec, command.command().as_std()).await {
            Err(NotStarted::Launcher(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(NotStarted::Launcher(error)) => tracing::warn!(%error, "commands run without a supervisor"),
            Err(NotStarted::Command(error)) => return Err(error),
            Ok(process) => return Ok(process),
        }
        let (output, stdout, stderr) = platform::output()?;
        let prepared = command.command_mut();
        prepared.stdin(if spec.feed { Stdio::piped() } else { Stdio::null() });
        prepared.stdout(stdout).stderr(stderr);
        let mut group = Group::start(&mut command)?;
        // The command holds our ends of the output; without them the end of the output is seen.
        drop(command);
        let stdin = group.stdin();
        Ok(Self { running: Running::Group(group), output, stdin })
    }

    #[cfg(target_os = "linux")]
    async fn start_supervised(spec: &Spec<'_>, command: &std::process::Command) -> Result<Self, NotStarted> {
        // `std` would refuse it too.
        if spec.command.contains('\0') {
            return Err(NotStarted::Command(io::ErrorKind::InvalidInput.into()));
        }
        let (output, writer) = platform::output_pipe().map_err(NotStarted::Command)?;
        let (reader, stdin) = platform::input(spec.feed).map_err(NotStarted::Command)?;
        let supervised = Supervised::start(command, &reader, &writer).await?;
        Ok(Self { running: Running::Supervised(supervised), output, stdin })
    }

    /// Waits for more output, while it is `open`, or for the command itself to exit. May be dropped at any
    /// time without losing anything.
    pub(crate) async fn next(&mut self, buffer: &mut [u8], open: bool) -> Next {
        tokio::select! {
            read = self.output.read(buffer), if open => match read {
                Ok(n @ 1..) => Next::Output(n),
                Ok(0) | Err(_) => Next::Closed,
            },
            status = self.running.exited() => Next::Exited(status),
        }
    }

    /// Takes output that comes before `until`; `None` at the end of it.
    pub(crate) async fn drain(&mut self, buffer: &mut [u8], until: Instant) -> Option<usize> {
        // A timeout does not look at the clock while there is always more to read.
        if Instant::now() >= until {
            return None;
        }
        match tokio::time::timeout_at(until, self.output.read(buffer)).await {
            Ok(Ok(n @ 1..)) => Some(n),
            _ => None,
        }
    }

    /// Ends the command and what it has started: TERM, the grace, KILL. Returns whether there was something to end.
    pub(crate) async fn end(&mut self, grace: Duration) -> bool {
        match &mut self.running {
            #[cfg(target_os = "linux")]
            Running::Supervised(supervised) => supervised.end(grace).await,
            Running::Group(group) => group.end(grace).await,
        }
    }

    /// Waits until the command and what it has started have ended; false if something runs at the deadline.
    pub(crate) async fn ended(&mut self, deadline: Instant) -> bool {
        match &mut self.running {
            #[cfg(target_os = "linux")]
            Running::Supervised(supervised) => supervised.ended(deadline).await,
            Running::Group(group) => group.ended(deadline).await,
        }
    }
}

impl Running {
    /// Waits for the command itself, not for what it started.
    async fn exited(&mut self) -> io::Result<ExitStatus> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Supervised(supervised) => supervised.exited().await,
            Self::Group(group) => group.exited().await,
        }
    }
}

/// How a command ended, in words.
pub(crate) fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match status.code() {
            Some(code) => format!("it exited with code {code}"),
            // As in "signal: 9 (SIGKILL)".
            None => format!("it was ended by a {status}"),
        },
        Err(error) => format!("its end could not be seen: {error}"),
    }
}

//! Commands: started in a group of their own, their output captured, and ended with all their children.

mod background;
mod capture;
#[cfg_attr(unix, path = "process/unix.rs")]
#[cfg_attr(windows, path = "process/windows.rs")]
mod platform;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use text::AbsPath;
use tokio::process::ChildStdin;
use tokio::time::Instant;

pub(crate) use background::Background;
pub use background::Processes;
pub(crate) use capture::Capture;

/// Bytes taken from a command's output at once.
pub(crate) const READ_SIZE: usize = 64 * 1024;

/// Pauses between looks whether something of a group still runs: the first, and the longest.
const GROUP_POLL: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];

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
        found.unwrap_or_else(|| Self { path: PathBuf::from("sh"), name: "sh".into() })
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

fn find_program(name: &str) -> Option<PathBuf> {
    if Path::new(name).is_absolute() {
        return Path::new(name).is_file().then(|| name.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|directory| {
            platform::EXECUTABLE_SUFFIXES.iter().map(move |suffix| directory.join(format!("{name}{suffix}")))
        })
        .find(|candidate| candidate.is_file())
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
    child: Box<dyn ChildWrapper>,
    output: platform::Output,
    pub(crate) stdin: Option<ChildStdin>,
}

impl Process {
    pub(crate) fn start(spec: &Spec<'_>) -> io::Result<Self> {
        let (output, stdout, stderr) = platform::output()?;
        let mut command = CommandWrap::with_new(&spec.shell.path, |command| {
            command.args(spec.shell.arguments());
            platform::add_command_line(command, spec.shell.name(), spec.command);
            command.current_dir(spec.directory.as_path());
            command.stdin(if spec.feed { Stdio::piped() } else { Stdio::null() });
            command.stdout(stdout).stderr(stderr);
            // Programs must not wait for a pager or a password that nobody sees.
            command.env("PAGER", "cat").env("GIT_PAGER", "cat").env("GIT_TERMINAL_PROMPT", "0");
            command.env("TERM", "dumb").env("NO_COLOR", "1");
            for name in spec.hidden_env {
                command.env_remove(name);
            }
            // Opal may have been told to use the token of another program.
            for (name, value) in std::env::vars_os() {
                if provider::holds_secret(value.as_encoded_bytes()) {
                    command.env_remove(name);
                }
            }
            // Should the server be torn down without a chance to end the group.
            command.kill_on_drop(true);
        });
        let mut child = platform::in_own_group(&mut command).spawn()?;
        // The command holds our ends of the output; without them the end of the output is seen.
        drop(command);
        let stdin = child.stdin().take();
        Ok(Self { child, output, stdin })
    }

    /// Waits for more output, while it is `open`, or for the command itself to exit. May be dropped at any
    /// time without losing anything.
    pub(crate) async fn next(&mut self, buffer: &mut [u8], open: bool) -> Next {
        tokio::select! {
            read = self.output.read(buffer), if open => match read {
                Ok(n @ 1..) => Next::Output(n),
                Ok(0) | Err(_) => Next::Closed,
            },
            status = self.child.inner_mut().wait() => Next::Exited(status),
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

    /// Waits for the command itself, not for what it started.
    async fn exited(&mut self) -> io::Result<ExitStatus> {
        // The wrapper's own wait may wait for the whole group.
        self.child.inner_mut().wait().await
    }

    /// Whether anything of its group still runs.
    fn group_runs(&self) -> bool {
        platform::group_runs(self.child.as_ref())
    }

    /// Ends the whole group: TERM, the grace, KILL. Returns whether there was something to end.
    pub(crate) async fn end_group(&mut self, grace: Duration) -> bool {
        if !self.group_runs() {
            platform::end_unseen(self.child.as_mut());
            return false;
        }
        platform::terminate(self.child.as_ref());
        if !self.group_ends(Instant::now() + grace).await
            && let Err(error) = self.child.start_kill()
        {
            tracing::debug!(%error, "killing a command's group");
        }
        // What hangs in the kernel cannot be killed, and must not hold up the session.
        match tokio::time::timeout(grace, self.exited()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "waiting for a killed command"),
            Err(_elapsed) => tracing::warn!("a killed command does not end"),
        }
        true
    }

    /// Waits until nothing of its group runs any more; false if something does at the deadline.
    pub(crate) async fn group_ends(&mut self, deadline: Instant) -> bool {
        let mut is_reaped = false;
        let [mut pause, longest] = GROUP_POLL;
        while self.group_runs() {
            if Instant::now() >= deadline {
                return false;
            }
            // The group is no child of ours, so there is nothing to wait on; ask now and then. The command
            // itself, which counts until it is reaped, is.
            tokio::select! {
                _ = self.exited(), if !is_reaped => is_reaped = true,
                () = tokio::time::sleep_until(deadline.min(Instant::now() + pause)) => {
                    pause = longest.min(pause * 2);
                }
            }
        }
        true
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

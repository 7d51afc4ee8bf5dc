//! Linux: a command below its supervisor, seen from the server.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::request::{Message, Request, TERMINATE};

/// A variable that may be needed to start this program, and is never a secret.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The time within which a launcher answers. One that does not is taken for stopped, as a command can stop it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The launcher of this process.
static LAUNCHER: Mutex<Launcher> = Mutex::new(Launcher { command: None, socket: None, pid: None });

#[derive(Debug)]
struct Launcher {
    /// The program and its argument.
    command: Option<(PathBuf, &'static str)>,
    /// The socket of the one that runs, or ran: it ends when it has nothing to do.
    socket: Option<StdStream>,
    pid: Option<Pid>,
}

/// Names the program that runs [`main`](super::launcher::main) when it is given an argument. Without it, what leaves
/// its process group outlives its command.
pub fn launch_with(program: PathBuf, argument: &'static str) {
    LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner).command = Some((program, argument));
}

/// Why a command does not run below a supervisor.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// The command cannot be started at all.
    Command(io::Error),
    /// There is no launcher, or it does not work.
    Launcher(io::Error),
}

/// A command and everything that it has started. When this is dropped, they are killed.
#[derive(Debug)]
pub(super) struct Supervised {
    link: Link,
    supervisor: Option<Pid>,
    /// The process group of the shell.
    group: Option<Pid>,
    status: Option<ExitStatus>,
    /// Everything has ended, or the supervisor was killed.
    is_over: bool,
    /// The supervisor has said that something still ran when it was told to end it.
    had_to_end: bool,
}

/// The connection to a supervisor.
#[derive(Debug)]
struct Link {
    socket: UnixStream,
    /// The beginning of a message.
    received: Vec<u8>,
}

impl Supervised {
    /// Starts a command as it was prepared for [`Command::spawn`], but for its input and output.
    pub(super) async fn start(
        command: &Command,
        stdin: &OwnedFd,
        output: &OwnedFd,
    ) -> Result<Self, NotStarted> {
        let request = Request::of(command).encode();
        let mut error = io::Error::from(io::ErrorKind::BrokenPipe);
        // A launcher may end, for want of work, just when it is given some.
        for is_fresh in [false, true] {
            let connected = connect([stdin.as_fd(), output.as_fd()], is_fresh);
            let mut link = connected.map_err(NotStarted::Launcher)?;
            // An error: the supervisor has gone; whether it had read the request is seen below.
            let _ = link.socket.write_all(&request).await;
            let answer = match timeout(PATIENCE, link.message()).await {
                Ok(answer) => answer,
                Err(_elapsed) => {
                    continue_launcher();
                    link.message().await
                }
            };
            match answer {
                Ok(Message::Ready(pid)) => {
                    return Self::started(link, Pid::from_raw(pid)).await.map_err(NotStarted::Command);
                }
                Ok(_) => error = io::ErrorKind::InvalidData.into(),
                Err(failed) => error = failed,
            }
        }
        Err(NotStarted::Launcher(error))
    }

    /// From here on the command may run, so nothing is tried again.
    async fn started(mut link: Link, supervisor: Option<Pid>) -> io::Result<Self> {
        match link.message().await? {
            Message::Started(shell) => Ok(Self::new(link, supervisor, Pid::from_raw(shell))),
            Message::NotStarted(code) => Err(io::Error::from_raw_os_error(code)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn new(link: Link, supervisor: Option<Pid>, group: Option<Pid>) -> Self {
        Self { link, supervisor, group, status: None, is_over: false, had_to_end: false }
    }

    /// Waits for the command itself, not for what it started. May be dropped at any time.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        loop {
            match self.status {
                Some(status) => return Ok(status),
                None if self.is_over => return Err(io::Error::other("its supervisor was killed")),
                None => self.receive().await,
            }
        }
    }

    /// Waits until nothing of it runs any more; false if something does at the deadline.
    pub(super) async fn ended(&mut self, deadline: Instant) -> bool {
        let over = async {
            while !self.is_over {
                self.receive().await;
            }
        };
        timeout_at(deadline, over).await.is_ok()
    }

    /// Ends all of it: TERM, the grace, KILL. Returns whether there was something to end, which the supervisor knows:
    /// that it is late, on a busy machine, does not mean that something runs.
    pub(super) async fn end(&mut self, grace: Duration) -> bool {
        if !self.is_over {
            // An error: it has just ended.
            let _ = self.link.socket.write_all(&[TERMINATE]).await;
        }
        if !self.ended(Instant::now() + grace).await {
            // The supervisor takes the end of the stream for the server's, and kills.
            let _ = self.link.socket.shutdown().await;
        }
        if !self.ended(Instant::now() + grace).await {
            // A command can stop its supervisor. The launcher ends what a killed one leaves.
            tracing::warn!("a supervisor does not end its command, and is killed");
            self.kill_group();
            if let Some(supervisor) = self.supervisor {
                // Gone already is as good.
                let _ = kill_process(supervisor, Signal::KILL);
            }
        }
        if !self.ended(Instant::now() + grace).await {
            tracing::warn!("a killed command does not end");
        }
        self.had_to_end
    }

    async fn receive(&mut self) {
        match self.link.message().await {
            Ok(Message::Exited(status)) => self.status = Some(ExitStatus::from_raw(status)),
            Ok(Message::Ended { had_to }) => {
                self.had_to_end = had_to;
                self.is_over = true;
            }
            Ok(Message::Unseen) => {
                tracing::warn!(
                    "/proc does not show the processes of a command; those that have left its process group go on"
                );
            }
            Ok(message) => tracing::debug!(?message, "a supervisor repeats itself"),
            Err(_killed) => {
                self.is_over = true;
                // The launcher ends the rest, if it sees it. The command's group can be reached from here.
                self.kill_group();
            }
        }
    }

    /// Kills the process group of a shell that has not ended: then its id is certainly still its own.
    fn kill_group(&self) {
        if self.status.is_none()
            && let Some(group) = self.group
        {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if !self.is_over
            && let Some(supervisor) = self.supervisor
        {
            // A stopped supervisor would not see the end of its socket. Gone already is as good.
            let _ = kill_process(supervisor, Signal::CONT);
        }
    }
}

impl Link {
    /// Waits for the next message. May be dropped at any time without losing anything.
    async fn message(&mut self) -> io::Result<Message> {
        loop {
            if let Some((message, rest)) = self.received.split_first_chunk() {
                let message = Message::decode(*message).ok_or(io::ErrorKind::InvalidData)?;
                self.received = rest.to_vec();
                return Ok(message);
            }
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Has the launcher make a supervisor for a command with this input and output. `is_fresh`: by a launcher that was not
/// used before.
fn connect([stdin, output]: [BorrowedFd<'_>; 2], is_fresh: bool) -> io::Result<Link> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    let socket = UnixStream::from_std(ours)?;
    let descriptors = [stdin, output, theirs.as_fd()];
    let mut launcher = LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner);
    let launcher = &mut *launcher;
    if let Some(running) = launcher.socket.as_ref().filter(|_| !is_fresh)
        && send(running, descriptors).is_ok()
    {
        return Ok(Link { socket, received: Vec::new() });
    }
    let (program, argument) = launcher.command.as_ref().ok_or(io::ErrorKind::Unsupported)?;
    let (fresh, pid) = start_launcher(program, argument)?;
    send(&fresh, descriptors)?;
    launcher.socket = Some(fresh);
    launcher.pid = pid;
    Ok(Link { socket, received: Vec::new() })
}

/// Lets a stopped launcher go on.
fn continue_launcher() {
    if let Some(pid) = LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner).pid {
        // Gone already is seen by its socket.
        let _ = kill_process(pid, Signal::CONT);
    }
}

fn start_launcher(program: &Path, argument: &str) -> io::Result<(StdStream, Option<Pid>)> {
    let (ours, theirs) = StdStream::pair()?;
    // Each command brings its own environment and directory. What the launcher had of its own would show the server's
    // keys, and hold a directory in use.
    let child = tokio::process::Command::new(program)
        .arg(argument)
        .env_clear()
        .envs(std::env::var_os(LIBRARY_PATH).map(|value| (LIBRARY_PATH, value)))
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    // tokio reaps what was dropped.
    drop(child);
    Ok((ours, pid))
}

/// Sends the descriptors with one byte.
fn send(launcher: &StdStream, descriptors: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(launcher, &[IoSlice::new(&[0])], &mut ancillary, flags)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However late a supervisor is, only what it says counts.
    #[tokio::test]
    async fn a_late_supervisor_has_left_nothing_running() {
        for had_to in [false, true] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let mut supervised = Supervised::new(Link { socket: ours, received: Vec::new() }, None, None);
            let supervisor = async {
                theirs.write_all(&Message::Exited(0).encode()).await.unwrap();
                assert_eq!(theirs.read_u8().await.unwrap(), TERMINATE);
                theirs.write_all(&Message::Ended { had_to }.encode()).await.unwrap();
            };
            let server = async {
                assert!(supervised.exited().await.unwrap().success());
                assert_eq!(supervised.end(Duration::from_secs(60)).await, had_to);
            };
            tokio::join!(supervisor, server);
        }
    }
}

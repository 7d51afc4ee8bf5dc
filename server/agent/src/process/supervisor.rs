//! Linux: the processes between the server and its commands, so that none of theirs outlives a command or the server.
//!
//! The server starts one [launcher](super::launcher), this binary with a hidden argument. For each command the launcher
//! forks a supervisor, and the supervisor starts the shell. A supervisor is the [subreaper] of its command: a
//! descendant that has left the process group, the session and its parent becomes the supervisor's child, so the last
//! one has ended when the supervisor has no child. Supervisor and server hold the two ends of a socket. However the
//! server ends, the supervisor sees the end of the socket and kills what is left.
//!
//! [subreaper]: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, setsid,
    test_kill_process_group, wait,
};

use super::descendants::{descendants, kill_descendants};
use super::request::{Message, Request};

/// Leaves the terminal, and becomes the parent of descendants whose own parent has ended. With another name than the
/// server's, the process is spared by a `killall -9` of the server, and can clean up.
pub(super) fn be_subreaper(name: &CStr) {
    // Errors leave less to rely on, but a command can still be run.
    let _ = setsid();
    let _ = set_child_subreaper(Some(getpid()));
    let _ = rustix::thread::set_name(name);
}

/// Starts a command and stays until it and all of its descendants have ended.
pub(super) fn supervise([stdin, output, server]: [OwnedFd; 3]) -> io::Result<()> {
    be_subreaper(c"supervisor");
    // The launcher's socket: while it is held here, its end cannot be seen.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut server = UnixStream::from(server);
    server.write_all(&Message::Ready(getpid().as_raw_nonzero().get()).encode())?;
    let orders = server.try_clone()?;
    let request = Request::read(&mut server)?;
    let shell = match start(&request, stdin, output) {
        Ok(child) => pid(&child)?,
        Err(error) => {
            let code = error.raw_os_error().unwrap_or_else(|| Errno::INVAL.raw_os_error());
            return server.write_all(&Message::NotStarted(code).encode());
        }
    };
    // An error: the server has gone, which is seen below.
    let _ = server.write_all(&Message::Started(shell.as_raw_nonzero().get()).encode());
    let had_to_end = Arc::new(AtomicBool::new(false));
    let supervision = Supervision { shell, had_to_end: had_to_end.clone() };
    if let Err(error) = std::thread::Builder::new().spawn(move || supervision.obey(orders)) {
        let _ = kill_descendants(&[]);
        return Err(error);
    }
    let mut news = Vec::new();
    loop {
        // The end of the shell is told at once, together with the end of everything if that is there to be seen.
        let options = if news.is_empty() { WaitOptions::empty() } else { WaitOptions::NOHANG };
        match wait(options) {
            Ok(Some((pid, status))) if pid == shell => news.extend(Message::Exited(status.as_raw()).encode()),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => {
                // As above.
                let _ = server.write_all(&news);
                news.clear();
            }
            // No child is left, and so no descendant.
            Err(_) => {
                news.extend(Message::Ended { had_to: had_to_end.load(Ordering::SeqCst) }.encode());
                return server.write_all(&news);
            }
        }
    }
}

fn start(request: &Request, stdin: OwnedFd, output: OwnedFd) -> io::Result<Child> {
    Command::new(&request.program)
        .args(&request.arguments)
        .current_dir(&request.directory)
        .env_clear()
        .envs(request.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdin)
        .stdout(output.try_clone()?)
        .stderr(output)
        // Of its own, so that a command that signals its group does not reach the supervisor.
        .process_group(0)
        .spawn()
}

fn pid(child: &Child) -> io::Result<Pid> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The watch over one command, which ends it for the server.
struct Supervision {
    shell: Pid,
    /// Something ran when the server asked for the end.
    had_to_end: Arc<AtomicBool>,
}

impl Supervision {
    /// Terminates the command whenever the server asks for it, and kills it when the server has gone.
    fn obey(self, mut server: UnixStream) {
        while let Ok(1) = server.read(&mut [0]) {
            if self.terminate().is_err() {
                // An error: the server has gone, which is seen above.
                let _ = server.write_all(&Message::Unseen.encode());
            }
        }
        if kill_descendants(&[]).is_err() {
            // The server may only have closed its half of the socket.
            let _ = server.write_all(&Message::Unseen.encode());
            let _ = kill_process_group(self.shell, Signal::KILL);
        }
        let _ = server.write_all(&Message::Ended { had_to: self.had_to_end.load(Ordering::SeqCst) }.encode());
        std::process::exit(0);
    }

    /// Signals the descendants; only the shell's process group where they cannot be seen, which is an error.
    fn terminate(&self) -> io::Result<()> {
        // What is stopped would not see the first.
        let signals = [Signal::TERM, Signal::CONT];
        let descendants = descendants();
        let runs = match &descendants {
            Ok(descendants) => !descendants.is_empty(),
            Err(_) => test_kill_process_group(self.shell).is_ok(),
        };
        // Before anything can end by a signal.
        self.had_to_end.fetch_or(runs, Ordering::SeqCst);
        for signal in signals {
            // Errors: gone already is as good.
            match &descendants {
                Ok(descendants) => {
                    for pid in descendants {
                        let _ = kill_process(*pid, signal);
                    }
                }
                Err(_) => {
                    let _ = kill_process_group(self.shell, signal);
                }
            }
        }
        descendants.map(drop)
    }
}

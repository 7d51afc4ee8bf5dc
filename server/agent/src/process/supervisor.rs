//! Linux: the processes between the server and its commands, so that none of theirs outlives a command or the server.
//!
//! The server starts one launcher, this binary with a hidden argument. For each command the launcher forks a
//! supervisor, and the supervisor starts the shell. A supervisor is the [subreaper] of its command: a descendant that
//! has left the process group, the session and its parent becomes the supervisor's child, so the last one has ended
//! when the supervisor has no child. Supervisor and server hold the two ends of a socket. However the server ends,
//! the supervisor sees the end of the socket and kills what is left.
//!
//! The launcher exists for the cost: to start this binary anew for each command would take a millisecond more, and
//! to fork the server would copy its page tables and share its memory. It ends when it has had nothing to do for a
//! while.
//!
//! [subreaper]: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use nix::unistd::{ForkResult, fork};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, setsid, wait,
};

use super::request::{Message, Request};

/// How long a launcher without commands waits for the next one.
const IDLE: Duration = Duration::from_secs(30);
/// Pauses between rounds of killing: the first, and the one after which the rest is given up. What hangs in the
/// kernel, or belongs to another user, cannot be killed.
const KILL_ROUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];
/// Process names. With another name than the server's, they are spared by a `killall -9` of the server, and can clean up.
const LAUNCHER: &CStr = c"launcher";
const SUPERVISOR: &CStr = c"supervisor";

/// Runs the launcher. Its stdin is the socket on which the server sends the descriptors of each command. The process
/// must have no other thread.
pub fn main() -> ExitCode {
    be_subreaper(LAUNCHER);
    let server = io::stdin();
    if set_socket_timeout(&server, Timeout::Recv, Some(IDLE)).is_err() {
        // There is no server: somebody has tried the hidden argument.
        return ExitCode::FAILURE;
    }
    let mut supervisors = Vec::new();
    loop {
        match receive(&server) {
            Ok(Some(descriptors)) => {
                // SAFETY: the process has one thread, so the child may do whatever its parent may.
                #[allow(unsafe_code)]
                let forked = unsafe { fork() };
                match forked {
                    Ok(ForkResult::Child) => {
                        let ended = supervise(descriptors);
                        return if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
                    }
                    Ok(ForkResult::Parent { child }) => supervisors.push(child.as_raw()),
                    // The descriptors are closed, which tells the server.
                    Err(_) => {}
                }
            }
            Err(Errno::AGAIN) if !reap(&mut supervisors, WaitOptions::NOHANG) => return ExitCode::SUCCESS,
            // Descriptors that did not arrive are closed, too.
            Err(Errno::AGAIN | Errno::INTR | Errno::BADMSG) => {}
            Ok(None) | Err(_) => break,
        }
        reap(&mut supervisors, WaitOptions::NOHANG);
    }
    // The supervisors end when theirs have ended, or when they see that the server has gone. Then what is left is of a
    // supervisor that was killed.
    while !supervisors.is_empty() && reap(&mut supervisors, WaitOptions::empty()) {}
    kill_descendants();
    ExitCode::SUCCESS
}

/// Reaps a child that has ended, or all of them if that is not to be waited for. Returns whether there are others.
fn reap(supervisors: &mut Vec<i32>, options: WaitOptions) -> bool {
    loop {
        match wait(options) {
            Ok(Some((pid, _))) => supervisors.retain(|supervisor| *supervisor != pid.as_raw_nonzero().get()),
            Ok(None) | Err(Errno::INTR) => return true,
            Err(_) => return false,
        }
        if !options.contains(WaitOptions::NOHANG) {
            return true;
        }
    }
}

/// Leaves the terminal, and becomes the parent of descendants whose own parent has ended.
fn be_subreaper(name: &CStr) {
    // Errors leave less to rely on, but a command can still be run.
    let _ = setsid();
    let _ = set_child_subreaper(Some(getpid()));
    let _ = rustix::thread::set_name(name);
}

/// Waits for the descriptors of the next command: its input, its output and the socket of its supervisor. `None` when
/// the server has gone.
fn receive(server: &io::Stdin) -> Result<Option<[OwnedFd; 3]>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let message =
        recvmsg(server, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Ok(None);
    }
    let descriptors: Vec<OwnedFd> = ancillary
        .drain()
        .flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        })
        .collect();
    descriptors.try_into().map(Some).map_err(|_| Errno::BADMSG)
}

/// Starts a command and stays until it and all of its descendants have ended.
fn supervise([stdin, output, server]: [OwnedFd; 3]) -> io::Result<()> {
    be_subreaper(SUPERVISOR);
    // The launcher's socket: while it is held here, its end cannot be seen.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut server = UnixStream::from(server);
    server.write_all(&Message::Ready.encode())?;
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
    if let Err(error) = std::thread::Builder::new().spawn(move || obey(orders, shell)) {
        kill_descendants();
        return Err(error);
    }
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == shell => {
                // As above.
                let _ = server.write_all(&Message::Exited(status.as_raw()).encode());
            }
            Ok(_) | Err(Errno::INTR) => {}
            // No child is left, and so no descendant.
            Err(_) => return Ok(()),
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

/// Terminates the command whenever the server asks for it, and kills it when the server has gone.
fn obey(mut server: UnixStream, shell: Pid) {
    while let Ok(1) = server.read(&mut [0]) {
        signal(shell, Signal::TERM);
        // What is stopped would not see it.
        signal(shell, Signal::CONT);
    }
    signal(shell, Signal::KILL);
    kill_descendants();
    std::process::exit(0);
}

fn signal(shell: Pid, signal: Signal) {
    let descendants = descendants();
    if descendants.is_empty() {
        // `/proc` may not be there to be read.
        let _ = kill_process_group(shell, signal);
    }
    for pid in descendants {
        // Gone already is as good.
        let _ = kill_process(pid, signal);
    }
}

/// Kills descendants until none is left: one may have started another one meanwhile.
fn kill_descendants() {
    let [mut pause, longest] = KILL_ROUNDS;
    while pause < longest {
        let descendants = descendants();
        if descendants.is_empty() {
            return;
        }
        for pid in descendants {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
}

/// The processes below this one, those that have ended left out.
fn descendants() -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes: Vec<(i32, i32)> =
        entries.flatten().filter_map(|entry| with_parent(&entry.file_name(), &entry.path())).collect();
    let mut found = vec![getpid().as_raw_nonzero().get()];
    let mut n_visited = 0;
    while let Some(parent) = found.get(n_visited).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        n_visited += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// A process's id and its parent's, by its directory in `/proc`.
fn with_parent(name: &OsStr, directory: &std::path::Path) -> Option<(i32, i32)> {
    let pid = name.to_str()?.parse().ok()?;
    let stat = std::fs::read(directory.join("stat")).ok()?;
    // As in `17 (name) S 1 …`, where the name may hold anything.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(stat.get(after_name..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some((pid, parent))
}

//! Linux: the process that forks a supervisor for each command of a server.
//!
//! It exists for the cost: to start this binary anew for each command would take a millisecond more, and to fork the
//! server would copy its page tables and share its memory. It ends when it has had nothing to do for a while.
//!
//! It also stands behind the supervisors: what is below one that was killed comes to the launcher, which ends it. And
//! when the server has gone, it does not rely on supervisors to see that, for a command can stop its own.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use nix::unistd::{ForkResult, fork};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_type;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getppid, pidfd_open, wait};

use super::descendants::kill_descendants;
use super::supervisor::{be_subreaper, supervise};

/// The time after which a launcher without commands ends.
const IDLE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Runs the launcher. Its stdin is the socket on which the server sends the descriptors of each command. The process
/// must have no other thread.
pub fn main() -> ExitCode {
    be_subreaper(c"launcher");
    let server = io::stdin();
    if socket_type(&server).is_err() {
        // There is no server: somebody has tried the hidden argument.
        return ExitCode::FAILURE;
    }
    let server_process = getppid().and_then(watch);
    let mut supervisors = Supervisors::default();
    loop {
        let news = supervisors.wait_also_for(&PollFd::new(&server, PollFlags::IN));
        supervisors.reap();
        match news {
            News::Nothing if supervisors.0.is_empty() => return ExitCode::SUCCESS,
            News::Nothing | News::OfSupervisors => continue,
            News::Other => {}
        }
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
                    Ok(ForkResult::Parent { child }) => supervisors.add(child.as_raw()),
                    // The descriptors are closed, which tells the server.
                    Err(_) => {}
                }
            }
            // Descriptors that did not arrive are closed, too.
            Err(Errno::AGAIN | Errno::INTR | Errno::BADMSG) => {}
            Ok(None) | Err(_) => break,
        }
    }
    // The server has gone, or uses another launcher by now; then the commands go on.
    while !supervisors.0.is_empty() {
        let news = match &server_process {
            Some(process) => supervisors.wait_also_for(&PollFd::new(process, PollFlags::IN)),
            None => supervisors.wait(),
        };
        if matches!(news, News::Other) {
            break;
        }
        supervisors.reap();
    }
    // An error: nothing is seen that could be killed.
    let _ = kill_descendants(&[]);
    ExitCode::SUCCESS
}

/// The outcome of a wait.
enum News {
    Nothing,
    OfSupervisors,
    Other,
}

/// The supervisors that run, each with the descriptor that becomes readable when it ends. Without that, its end is seen
/// at the next wait that is over.
#[derive(Default)]
struct Supervisors(Vec<(Pid, Option<OwnedFd>)>);

impl Supervisors {
    fn add(&mut self, pid: i32) {
        self.0.extend(Pid::from_raw(pid).map(|pid| (pid, watch(pid))));
    }

    fn wait(&self) -> News {
        self.poll(None)
    }

    fn wait_also_for(&self, other: &PollFd<'_>) -> News {
        self.poll(Some(other))
    }

    fn poll(&self, other: Option<&PollFd<'_>>) -> News {
        let ends = self.0.iter().filter_map(|(_, end)| Some(PollFd::new(end.as_ref()?, PollFlags::IN)));
        let mut all: Vec<PollFd<'_>> = ends.chain(other.cloned()).collect();
        match poll(&mut all, Some(&IDLE)) {
            Ok(0) => News::Nothing,
            Ok(_) if other.is_some() && all.last().is_some_and(|other| !other.revents().is_empty()) => {
                News::Other
            }
            // An error is a signal.
            Ok(_) | Err(_) => News::OfSupervisors,
        }
    }

    /// Reaps the children that have ended. If a supervisor was killed, what it leaves is killed, too.
    fn reap(&mut self) {
        while let Ok(Some((ended, status))) = wait(WaitOptions::NOHANG) {
            let n_before = self.0.len();
            self.0.retain(|(pid, _)| *pid != ended);
            if status.signaled() && self.0.len() < n_before {
                let others: Vec<Pid> = self.0.iter().map(|(pid, _)| *pid).collect();
                // An error: nothing is seen that could be killed.
                let _ = kill_descendants(&others);
            }
        }
    }
}

/// A descriptor that becomes readable when the process ends, where the kernel has such.
fn watch(pid: Pid) -> Option<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).ok()
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

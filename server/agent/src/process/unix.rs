//! Process groups and pipes.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
#[cfg(target_os = "linux")]
use tokio::process::ChildStdin;
use tokio::process::Command;

pub(super) const USUAL_SHELLS: &[&str] = &["bash", "sh"];
/// What is taken where none of them is on the PATH.
pub(super) const LAST_SHELL: (&str, &str) = ("sh", "/bin/sh");
pub(super) const EXECUTABLE_SUFFIXES: &[&str] = &[""];

/// Returns true for a file that this user may run.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Output and errors of a command, through one pipe, so that their order is kept.
#[derive(Debug)]
pub(crate) struct Output(pipe::Receiver);

impl Output {
    /// Reads what is there; 0 at the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

pub(super) fn output() -> io::Result<(Output, Stdio, Stdio)> {
    let (output, writer) = output_pipe()?;
    Ok((output, Stdio::from(writer.try_clone()?), Stdio::from(writer)))
}

/// The output and where the command writes it.
pub(super) fn output_pipe() -> io::Result<(Output, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((Output(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?), OwnedFd::from(writer)))
}

/// Where a command reads, and where it can be written to if it is to be fed.
#[cfg(target_os = "linux")]
pub(super) fn input(feed: bool) -> io::Result<(OwnedFd, Option<ChildStdin>)> {
    if !feed {
        return Ok((OwnedFd::from(File::open("/dev/null")?), None));
    }
    let (reader, writer) = io::pipe()?;
    let stdin = std::process::ChildStdin::from(OwnedFd::from(writer));
    Ok((OwnedFd::from(reader), Some(ChildStdin::from_std(stdin)?)))
}

pub(super) fn add_command_line(command: &mut Command, _shell: &str, line: &str) {
    command.arg(line);
}

/// A session and a group of its own: a command without a terminal cannot write to the user's, or wait for it.
pub(super) fn in_own_group(command: &mut CommandWrap) -> &mut CommandWrap {
    command.wrap(ProcessSession)
}

pub(super) fn group_runs(child: &dyn ChildWrapper) -> bool {
    group(child).is_some_and(|group| test_kill_process_group(group).is_ok() && !is_dead(group))
}

/// Whether all that is left of a group is dead and only waits to be reaped. In many containers the first
/// process reaps nobody's children but its own, so that this is for ever.
#[cfg(target_os = "linux")]
fn is_dead(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut states = processes.flatten().filter_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // As in `17 (name) S parent group …`, where the name may hold anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.to_owned();
        (fields.nth(1)? == group).then_some(state)
    });
    // None at all: they are not shown here.
    states.next().is_some_and(|first| first == "Z" && states.all(|state| state == "Z"))
}

#[cfg(not(target_os = "linux"))]
fn is_dead(_group: Pid) -> bool {
    false
}

pub(super) fn terminate(child: &dyn ChildWrapper) {
    if let Some(group) = group(child) {
        // Gone already is as good.
        let _ = kill_process_group(group, Signal::TERM);
    }
}

/// What of a group still runs can always be seen here.
pub(super) fn end_unseen(_child: &mut dyn ChildWrapper) {}

/// The group's id is the command's own, also after it has exited.
fn group(child: &dyn ChildWrapper) -> Option<Pid> {
    let child = (child as &dyn std::any::Any).downcast_ref::<process_wrap::tokio::ProcessGroupChild>()?;
    Pid::from_raw(i32::try_from(child.pgid()).ok()?)
}

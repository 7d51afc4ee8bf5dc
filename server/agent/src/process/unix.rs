//! Process groups and pipes.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;

pub(super) const USUAL_SHELLS: &[&str] = &["bash", "sh"];
pub(super) const EXECUTABLE_SUFFIXES: &[&str] = &[""];

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
    let (reader, writer) = io::pipe()?;
    let output = Output(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?);
    Ok((output, Stdio::from(writer.try_clone()?), Stdio::from(writer)))
}

pub(super) fn add_command_line(command: &mut Command, _shell: &str, line: &str) {
    command.arg(line);
}

pub(super) fn in_own_group(command: &mut CommandWrap) -> &mut CommandWrap {
    command.wrap(ProcessGroup::leader())
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

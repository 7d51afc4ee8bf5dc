//! Job objects, and pipes read by a thread.

use std::io::{self, Read};
use std::path::Path;
use std::process::Stdio;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject};
use tokio::process::Command;
use tokio::sync::mpsc;

pub(super) const USUAL_SHELLS: &[&str] = &["powershell", "cmd"];
/// What is taken where none of them is on the PATH.
pub(super) const LAST_SHELL: (&str, &str) = ("cmd", r"C:\Windows\System32\cmd.exe");
pub(super) const EXECUTABLE_SUFFIXES: &[&str] = &[".exe", ""];

/// Returns true for a file: the name tells what can be run.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Output and errors of a command, through one pipe, so that their order is kept.
#[derive(Debug)]
pub(crate) struct Output {
    chunks: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Output {
    /// Reads what is there; 0 at the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.chunks.recv().await {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let n = self.rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Ok(n)
    }
}

pub(super) fn output() -> io::Result<(Output, Stdio, Stdio)> {
    let (mut reader, writer) = io::pipe()?;
    let (chunks, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; super::READ_SIZE];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            if chunks.blocking_send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    let output = Output { chunks: receiver, rest: Vec::new() };
    Ok((output, Stdio::from(writer.try_clone()?), Stdio::from(writer)))
}

pub(super) fn add_command_line(command: &mut Command, shell: &str, line: &str) {
    if shell == "cmd" {
        // It does not know the usual escapes of quotes: with /S it takes off the outer ones, and no more.
        command.raw_arg(format!("\"{line}\""));
    } else {
        command.arg(line);
    }
}

pub(super) fn in_own_group(command: &mut CommandWrap) -> &mut CommandWrap {
    command.wrap(JobObject)
}

/// Whether the command itself runs; what else there is in its job cannot be told cheaply.
pub(super) fn group_runs(child: &dyn ChildWrapper) -> bool {
    child.id().is_some()
}

/// Ends what the command has left in its job.
pub(super) fn end_unseen(child: &mut dyn ChildWrapper) {
    // Nothing left is as good.
    let _ = child.start_kill();
}

/// There is no gentle way here; the kill after the grace does it.
pub(super) fn terminate(_child: &dyn ChildWrapper) {}

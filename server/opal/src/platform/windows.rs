//! Windows: tokio's own stdio and signals; renames need no directory sync.

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use process_wrap::tokio::CommandWrap;
use tokio::signal::windows::{CtrlC, CtrlClose, ctrl_c, ctrl_close};

use super::Others;

pub type Input = tokio::io::Stdin;
pub type Output = tokio::io::Stdout;

/// Makes stdin ready for reading and stdout for writing.
pub fn stdio() -> io::Result<(Input, Output)> {
    Ok((tokio::io::stdin(), tokio::io::stdout()))
}

/// Does nothing: the console's `FlushConsoleInputBuffer` can only be called by unsafe code, which this workspace
/// denies. What is typed before a question can answer it here.
pub fn discard_typed_input() {}

/// Prepares the process. Returns an exit code if that was all it was for.
pub fn begin() -> Option<ExitCode> {
    None
}

/// Job objects need no program.
pub fn launch_commands_with(_program: PathBuf) {}

/// Ctrl-C, or the end of the console. From its making on, neither ends the process by itself.
#[derive(Debug)]
pub struct EndSignals {
    interrupt: CtrlC,
    close: CtrlClose,
}

impl EndSignals {
    /// Must be called inside the runtime, before anything is started that has to be ended in order.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}

/// The end of the stream tells that the client has gone.
pub async fn process_gone(_process_id: u32) {
    std::future::pending().await
}

/// Redirected programs do not use the console here.
pub(crate) fn without_terminal(command: &mut CommandWrap) -> &mut CommandWrap {
    command
}

/// The system's allocator gives memory back by itself.
pub(crate) fn release_memory() {}

/// Returns an existing path as the disk spells it.
pub(crate) fn spelled_on_disk(existing: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(existing)
}

/// Opens a file for reading and writing.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    std::fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Files with several names cannot be told from others.
pub(crate) fn shared_identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// Returns true: files cannot be told apart by their handles.
pub(crate) fn is_same_file(_a: &File, _b: &File) -> io::Result<bool> {
    Ok(true)
}

/// Gives a new file the attributes of the old one.
pub(crate) fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    new.set_permissions(old.metadata()?.permissions())
}

/// Access lists are not looked at: a user's profile is closed to others as Windows makes it.
pub(crate) fn others(_metadata: &Metadata) -> Others {
    Others::default()
}

/// A new directory has the access list of the one that it is in.
pub(super) fn make_private(_builder: &mut DirBuilder) {}

/// A rename is durable without more.
pub(crate) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

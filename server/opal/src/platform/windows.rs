//! Windows: tokio's own stdio and signals; renames need no directory sync.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use tokio::signal::windows::{CtrlC, CtrlClose, ctrl_c, ctrl_close};

pub type Input = tokio::io::Stdin;
pub type Output = tokio::io::Stdout;

/// Makes stdin ready for reading and stdout for writing.
pub fn stdio() -> io::Result<(Input, Output)> {
    Ok((tokio::io::stdin(), tokio::io::stdout()))
}

/// Does nothing: the console's `FlushConsoleInputBuffer` can only be called by unsafe code, which this workspace
/// denies. What is typed before a question can answer it here.
pub fn discard_typed_input() {}

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

/// Gives a new file the attributes of the one it replaces.
pub(crate) fn keep_attributes(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// A rename is durable without more.
pub(crate) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

//! Windows: tokio's own stdio and signals; renames need no directory sync.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

pub type Input = tokio::io::Stdin;
pub type Output = tokio::io::Stdout;

/// Makes stdin ready for reading and stdout for writing.
pub fn stdio() -> io::Result<(Input, Output)> {
    Ok((tokio::io::stdin(), tokio::io::stdout()))
}

/// Waits for Ctrl-C, or for the console to be closed.
pub async fn end_requested() -> io::Result<()> {
    let mut close = tokio::signal::windows::ctrl_close()?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = close.recv() => Ok(()),
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

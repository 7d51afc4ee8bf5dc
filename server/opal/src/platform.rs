//! What differs between platforms; nothing else in the binary does.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod imp;

use std::fs;
use std::path::Path;

pub use imp::{
    EndSignals, Input, Output, begin, discard_typed_input, launch_commands_with, process_gone, stdio,
};
pub(crate) use imp::{
    copy_attributes, is_same_file, open_to_write, others, release_memory, shared_identity, spelled_on_disk,
    sync_directory, without_terminal,
};

/// What users other than this one may do with a file or directory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others {
    /// It belongs to one of them.
    pub(crate) is_foreign: bool,
    pub(crate) read: Access,
    pub(crate) write: Access,
    /// To what is in the directory.
    pub(crate) enter: Access,
}

/// The users who may do something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access {
    /// Those of the file's group. Files of one user are taken to be of one group.
    pub(crate) group: bool,
    pub(crate) all: bool,
}

impl Access {
    pub(crate) const ALL: Self = Self { group: true, all: true };

    /// Returns those who may do both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { group: self.group && other.group, all: self.all && other.all }
    }

    pub(crate) fn is_any(self) -> bool {
        self.group || self.all
    }
}

/// Makes a directory for this user alone; one that is there stays as it is.
pub(crate) fn create_private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    imp::make_private(&mut builder);
    builder.create(path)
}

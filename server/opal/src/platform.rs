//! What differs between platforms; nothing else in the binary does.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod imp;

pub use imp::{
    EndSignals, Input, Output, begin, discard_typed_input, launch_commands_with, process_gone, stdio,
};
pub(crate) use imp::{
    copy_attributes, open_to_write, shared_identity, spelled_on_disk, sync_directory, without_terminal,
};

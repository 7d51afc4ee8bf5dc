//! What differs between platforms; nothing else in the binary does.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod imp;

pub use imp::{Input, Output, end_requested, input, output};
pub(crate) use imp::{keep_attributes, process_gone, sync_directory};

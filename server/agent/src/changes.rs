//! What a session changed in files, and how that is taken back.
//!
//! A change is stored before it is made ([`keep`]), so that whatever happens to the server the text that
//! stood there can be had again. [`Log`] reads the changes in the order in which they happened, whatever
//! branch of the conversation they belong to: files know no branches. [`list`] compares what the session
//! found with what stands now; [`undo`] takes changes back, one edit in the user's editor for each file.

pub(crate) mod keep;
pub mod list;
mod log;
pub(crate) mod undo;
pub mod undone;

pub(crate) use log::Log;

#[cfg(test)]
mod tests;

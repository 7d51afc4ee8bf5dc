//! The wire: methods, params, events and error codes.
//!
//! Everything that crosses the wire between Opal and an editor, apart from plain LSP, is a type in this
//! crate and a row of [`methods::METHODS`]. `protocol.md`, the extension's `protocol.ts` and the plugin's
//! `protocol.lua` are rendered from here ([`render`]) and a test holds them to it.
//!
//! This crate deliberately does nothing: no IO, no framing, no defaults that depend on a configuration.
//!
//! For every optional field `null` equals absent. Unknown fields are ignored, and unknown values of an
//! enum that the other side may extend decode to `Unknown`.

pub mod agent;
pub mod auth;
pub mod capabilities;
pub mod changes;
pub mod client;
pub mod client_tool;
pub mod commands;
pub mod error;
pub mod event;
pub mod methods;
pub mod models;
pub mod render;
pub mod session;
#[cfg(test)]
mod tests;

pub use agent::*;
pub use auth::*;
pub use capabilities::*;
pub use changes::*;
pub use client::*;
pub use client_tool::*;
pub use commands::{Argument, COMMANDS, Command};
pub use error::*;
pub use event::*;
pub use methods::{Direction, MethodInfo, Notification, Request, client_to_server_methods};
pub use models::*;
pub use session::*;

/// For every optional field `null` equals absent, those with a default of their own included.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

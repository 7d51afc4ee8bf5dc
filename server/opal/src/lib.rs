//! The server: any number of connections to any number of sessions.
//!
//! [`Server::serve`] takes one connection over anything that reads and writes; stdio is one of several.
//! This crate alone knows LSP. It deliberately decides nothing about turns, tools or permissions: those
//! are `agent`'s.

mod auth;
mod blocking;
mod causes;
mod connection;
mod documents;
mod edge;
mod editor;
mod errors;
mod file_locks;
mod from_proto;
mod handlers;
mod limits;
mod models;
mod outputs;
pub mod platform;
mod rekeyed;
pub mod resolve;
mod serve;
mod server;
pub mod settings;
mod to_proto;
pub mod transport;
mod unfinished;
mod uri;
mod workspace;

pub use auth::{CredentialsError, Place};
pub use edge::Farewell;
pub use limits::Limits;
pub use outputs::Outputs;
pub use server::Server;
pub use settings::Settings;

//! A model server on loopback that plays recorded streams.
//!
//! `opal demo` shows the real agent with it, and tests use it as the service on the other side of a
//! real socket. It speaks HTTP/1.1 and nothing about it is specific to models, except [`Recording`],
//! which writes a model's stream from a short script. It deliberately takes no decisions: the handler
//! says what each request gets.

mod recording;
mod server;

#[cfg(test)]
mod tests;

pub use recording::Recording;
pub use server::{Received, Reply, Server, Step};

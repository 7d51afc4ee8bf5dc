//! Bytes in, messages out, and back: everything between a stream and JSON-RPC.
//!
//! tower-lsp's own server is not used: one malformed frame ends it, four waiting handlers stop it, and
//! it builds each notification twice.

pub mod frame;
pub mod outbox;

pub use frame::{Frame, FrameReader, Framing};
pub use outbox::{Outbox, OutboxWriter};

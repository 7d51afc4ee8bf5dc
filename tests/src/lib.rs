//! What the stories and benches are made of: a fake editor, a fake model and a house to run Opal in.
//!
//! A story starts a [`FakeModel`] and an [`Opal`], says what the model and the user do, and looks at what a
//! person would see. Everything else is checked without being asked for, by [`Editor`] (each message of the
//! server) and by [`FakeModel`] (each request body); what they find fails the test when it ends.
//!
//! This crate deliberately knows nothing of the server's inside: it speaks over the wire, and uses of the
//! `opal` crate only what puts a server together.

// Everything here runs in tests only, where a panic is how a failure is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]

pub mod background;
pub mod calls;
pub mod editor;
pub mod frame;
pub mod github;
pub mod harness;
pub mod image;
pub mod leak;
pub mod model;
pub mod process;

pub use editor::{Editor, Profile};
pub use frame::Framing;
pub use github::GitHub;
pub use harness::{Opal, Turn};
pub use image::{PNG, PNG_BASE64};
pub use model::{FakeModel, Family, Gate};

#[cfg(test)]
mod tests;

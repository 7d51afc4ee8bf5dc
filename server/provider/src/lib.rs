//! Talking to models.
//!
//! A [`Provider`] turns a [`Request`] into a stream of [`AnswerEvent`]s, whatever wire its service
//! speaks, and tells which models there are. This crate knows HTTP, server-sent events, the vendors' habits,
//! their models, and how to sign in. It deliberately knows nothing of sessions, tools that run, files or
//! editors, and it never waits before a retry: what to do about a [`ProviderError`] is the caller's decision.

mod answer;
mod error;
mod item;
mod model;
mod request;
mod secret;

mod anthropic;
mod chat;
mod responses;

mod auth;
mod copilot;

mod body;
mod catalog;
mod conversation;
mod decoding;
mod draft;
mod ending;
mod halves;
mod lenient;

mod access;
mod classify;
mod clock;
mod endpoint;
mod http;
mod kept;
mod models;
mod rejected;
mod service;
mod sse;

#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod samples;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::pin::Pin;

use futures::Stream;
use futures::future::{self, BoxFuture};

pub use answer::{Answer, AnswerEvent, Block, StopReason, ToolCall, Usage};
pub use anthropic::anthropic;
pub use auth::{
    Account, DeviceCode, DeviceFlow, Domain, DomainError, FoundToken, Granted, Quota, SignInError, account,
    existing_tokens, find_existing_tokens, refresh,
};
pub use catalog::{Candidate, LocalServer, probe};
pub use chat::chat;
pub use conversation::UNNAMED;
pub use copilot::{Copilot, CopilotConfig, CopilotModel, Identity, ModelPolicy};
pub use endpoint::{ConfigError, Endpoint, KeyHeader, Timeouts};
pub use error::ProviderError;
pub use item::{Item, ItemKind, Part};
pub use model::{ModelInfo, Price, Surcharge};
pub use request::{Initiator, Request, ThinkingLevel, ToolSpec};
pub use responses::responses;
pub use secret::{Masker, Secret, holds_secret, mask};

/// A service that answers requests. One value per configured provider, shared by all sessions.
pub trait Provider: Send + Sync + fmt::Debug {
    /// The provider's name in the configuration: `work` in `work/gpt-5`.
    fn name(&self) -> &str;

    /// Starts one answer.
    ///
    /// Nothing is sent before the stream is polled. Dropping the stream closes the connection at
    /// once. The last item is either a batch that ends with [`AnswerEvent::Finished`] or an error.
    fn answer(&self, request: Request) -> AnswerStream;

    /// The models that the service lists, with what is known of each. Empty if it lists none, which says
    /// nothing about which models it has.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(future::ready(Ok(Vec::new())))
    }
}

/// One answer as it comes: each item holds every complete event of one read from the socket, so that
/// whoever forwards them can do so in one go.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<Vec<AnswerEvent>, ProviderError>> + Send>>;

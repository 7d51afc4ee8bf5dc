//! The agent: sessions, turns, tools and permissions.
//!
//! A [`SessionHandle`] starts and stops turns; the session itself is a task. What it needs of the world
//! comes in through three traits: [`provider::Provider`] answers, [`Workspace`] has the files, and each
//! attached [`Client`] is told and can be asked.
//!
//! Deliberately absent: LSP, JSON-RPC, HTTP and configuration files.

mod blocking;
pub mod call;
pub mod changes;
pub mod client;
pub mod client_tools;
pub mod command;
mod compaction;
pub mod context;
pub mod event;
pub mod id;
mod image;
pub mod instructions;
pub mod journal;
pub mod limits;
pub mod model;
mod paths;
pub mod permission;
pub mod process;
pub mod report;
pub mod result;
pub mod session;
mod tokens;
pub mod tool;
pub mod tools;
pub mod tracker;
mod transcript;
mod turn;
pub mod workspace;

pub use client::{Answer, Client, ClientId, Confirm, Question, QuestionKind};
pub use client_tools::{ClientTool, ClientTools};
pub use command::{CommandError, Prompt, Steered};
pub use context::Context;
pub use event::Event;
pub use id::{CallId, MessageId, QuestionId, SessionId, TurnId};
pub use journal::Journal;
pub use limits::Limits;
pub use model::Model;
pub use permission::{Mode, Permissions};
pub use process::{Shell, find_program};
pub use session::{Options, SessionHandle, State};
pub use tools::Toolbox;
pub use workspace::Workspace;

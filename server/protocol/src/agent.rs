//! `agent/*`: prompting, steering, stopping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::null_as_default;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromptParams {
    pub session_id: String,
    /// What the user says.
    pub text: String,
    /// Shown to the model beside the text.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Chosen by the client to make the request repeatable: the same `turn_id` again gets the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromptResult {
    /// Always true; a refusal is an error.
    pub ok: bool,
    /// The client's own, or a new one.
    pub turn_id: String,
}

/// Something to show the model beside the text. Texts are taken from the open document, else the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Attachment {
    /// A whole file.
    File { uri: String },
    /// A part of a file.
    Selection { uri: String, range: Range },
    /// An image: PNG, JPEG, GIF or WebP, of at most 3 MiB and 8,000 pixels a side, which every service takes.
    Image {
        /// As in `image/png`.
        mime_type: String,
        /// Base64.
        data: String,
    },
}

/// As in LSP; `character` counts in the negotiated position encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

/// As in LSP: both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteerParams {
    pub session_id: String,
    pub text: String,
}

/// Exactly one of the two ids is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteerResult {
    /// Always true; a refusal is an error.
    pub ok: bool,
    /// The steering message, when a turn was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The turn it began, when the session was idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FollowUpParams {
    pub session_id: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FollowUpResult {
    /// Always true; a refusal is an error.
    pub ok: bool,
    /// What `agent/cancel_queued` and the `message_*` events call it.
    pub message_id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelQueuedParams {
    pub session_id: String,
    pub message_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelQueuedResult {
    /// False if the message is not in the queue any more.
    pub ok: bool,
}

/// Names one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionParams {
    pub session_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AbortResult {
    /// Always true; a refusal is an error.
    pub ok: bool,
    /// What was queued, handed back so that nothing typed is lost.
    pub queued: Vec<ReturnedMessage>,
}

/// A queued text that will not reach the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnedMessage {
    pub message_id: String,
    pub text: String,
}

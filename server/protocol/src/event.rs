//! `agent/event`: what happens in a session, in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::null_as_default;

use crate::{Attachment, ContextUsage, SessionStatus};

/// One event. `seq` counts up by one per session and is the same for every client; a merged delta also
/// carries the first number it stands for, so continuity is `first_seq or seq == last + 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventParams {
    pub session_id: String,
    /// This event's number, or the last it stands for.
    pub seq: u64,
    /// The first number a merged delta stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<u64>,
    #[serde(flatten)]
    pub event: AgentEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// From idle to busy: a run begins.
    AgentStart,
    /// A prompt or follow-up is taken up.
    TurnStart {
        turn_id: String,
        text: String,
        #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
    },
    /// The model begins to answer.
    MessageStart { message_id: String },
    /// More text of the assistant.
    MessageDelta { message_id: String, delta: String },
    /// The answer is complete; `text` is authoritative and may be empty when the model only called tools.
    MessageEnd { message_id: String, text: String },
    /// The model begins to think aloud.
    ThinkingStart { message_id: String },
    /// More of its thinking.
    ThinkingDelta { message_id: String, delta: String },
    /// The thinking is complete; `text` is authoritative.
    ThinkingEnd { message_id: String, text: String },
    /// A tool call begins; it may still have to ask.
    ToolExecutionStart {
        tool: String,
        call_id: String,
        /// As the model wrote them; a string if they were not JSON.
        args: serde_json::Value,
    },
    /// Output of a running command. Elided beyond 256 KB a call.
    ToolOutput { call_id: String, delta: String },
    /// A tool call is over.
    ToolExecutionEnd { tool: String, call_id: String, result: ToolResult },
    /// A file was changed, and the change was seen to stand.
    DocumentEdited {
        uri: String,
        /// Unified diff.
        diff: String,
    },
    /// The turn is over; `message` is the last text of the assistant.
    TurnEnd { turn_id: String, message: String, usage: TokenUsage },
    /// Changes of files were taken back, by the undo with this id.
    ChangesUndone {
        turn_id: String,
        /// As a user reads them.
        files: Vec<String>,
        /// Files that were left as they are.
        conflicts: Vec<String>,
    },
    /// The conversation goes on from another entry: read `session/history` again.
    Branched {
        /// Absent before the first entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leaf: Option<String>,
    },
    /// Another model answers from now on, or it thinks longer or shorter.
    ModelChanged {
        /// `provider/model`.
        model: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking_level: Option<crate::ThinkingLevel>,
    },
    /// The conversation is being compacted.
    CompactionStart {
        reason: CompactionReason,
        /// Tokens in the window.
        used: u64,
    },
    /// The model is shown less from now on, or `error` says why not.
    CompactionEnd {
        /// Absent if only tool output was left out, or nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// Tokens in the window now; an estimate.
        used: u64,
        /// The summary was put together without a model, which could not be asked.
        #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
        fallback: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An abort was asked for; the end of the run follows.
    AgentAbort,
    /// From busy to idle: the run is over.
    AgentEnd { reason: EndReason },
    /// A steering message or follow-up waits.
    MessageQueued { message_id: String, text: String, kind: crate::QueuedKind },
    /// A queued message has reached the model.
    MessageApplied { message_id: String },
    /// A queued message was taken back.
    MessageWithdrawn { message_id: String },
    /// The model has answered: its tokens as the service counted them, or an estimate.
    UsageUpdate { usage: ContextUsage },
    /// What the session waits for has changed.
    StatusUpdate {
        state: SessionStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waiting_for: Option<WaitingFor>,
    },
    /// The answer `message_id` failed and begins anew after the delay: what was shown of it is void.
    Retry { message_id: String, attempt: u32, delay_ms: u64, reason: String },
    /// Something that ended nothing, but that the user should know.
    Warning {
        /// A name, like those of the error codes.
        code: String,
        message: String,
        /// What the user can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Something failed. If it ended the run, `agent_end` with the reason `error` follows.
    Error {
        /// A name, like those of the error codes.
        code: String,
        message: String,
        /// What the user can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// An event of a later version; its fields are dropped.
    #[serde(other)]
    Unknown,
}

/// What a tool call came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    pub ok: bool,
    /// What the model is told, when it went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What the model is told, when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The change as a unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// How a command ended, if it ended by itself; `ok` says only that it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// What a session is waiting for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitingFor {
    /// The model's next event.
    Model,
    /// A running tool.
    Tool { tool: String, call_id: String },
    /// An answer to a question.
    Answer { question_id: String, title: String },
    /// Files that are being put back.
    Undo,
    /// The conversation that is being compacted.
    Compaction,
    /// The pause before another try.
    Retry { attempt: u32, delay_ms: u64, reason: String },
    /// Something a later version waits for.
    #[serde(other)]
    Unknown,
}

/// Why a conversation is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompactionReason {
    /// It came near the end of the model's window.
    Threshold,
    /// The service found it too long.
    Overflow,
    /// A client asked for it.
    Request,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The model was done.
    Completed,
    /// Somebody stopped it.
    Aborted,
    /// It could not go on; an `error` event says why.
    Error,
    /// The model's output limit was reached.
    Length,
    /// Everything the model tried was denied and it was told to stop.
    Denied,
    /// The model repeated the same call without effect.
    Loop,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// Tokens of one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenUsage {
    /// Includes `cached`.
    pub input: u64,
    /// Input tokens served from the provider's cache.
    pub cached: u64,
    /// Includes `reasoning`.
    pub output: u64,
    /// Output tokens spent on thinking.
    pub reasoning: u64,
    /// US dollars, as far as prices are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

//! What happens in a session, as its clients are told.

use std::fmt;
use std::time::Duration;

use provider::{ProviderError, ThinkingLevel, Usage};
use serde_json::Value;
use store::EntryId;

use crate::id::{CallId, MessageId, QuestionId, TurnId};
use crate::result::ToolResult;

/// The list of everything a client can learn. Each gets a number; see [`crate::Client::event`].
#[derive(Debug, Clone)]
pub enum Event {
    AgentStart,
    TurnStart {
        turn_id: TurnId,
        text: String,
        attachments: Vec<Attachment>,
    },
    MessageStart {
        message_id: MessageId,
    },
    MessageDelta {
        message_id: MessageId,
        delta: String,
    },
    MessageEnd {
        message_id: MessageId,
        text: String,
    },
    ThinkingStart {
        message_id: MessageId,
    },
    ThinkingDelta {
        message_id: MessageId,
        delta: String,
    },
    ThinkingEnd {
        message_id: MessageId,
        text: String,
    },
    ToolExecutionStart {
        tool: String,
        call_id: CallId,
        args: Value,
    },
    ToolOutput {
        call_id: CallId,
        delta: String,
    },
    ToolExecutionEnd {
        tool: String,
        call_id: CallId,
        result: ToolResult,
    },
    DocumentEdited {
        uri: String,
        diff: String,
    },
    ModelChanged {
        model: String,
        thinking: Option<ThinkingLevel>,
    },
    CompactionStart {
        trigger: Trigger,
        used: u64,
    },
    CompactionEnd {
        result: Result<Compacted, String>,
        used: u64,
    },
    /// Changes were taken back; files with conflicts were left as they are.
    ChangesUndone {
        turn_id: TurnId,
        files: Vec<String>,
        conflicts: Vec<String>,
    },
    /// The conversation goes on from another entry. `None`: from before the first.
    Branched {
        leaf: Option<EntryId>,
    },
    TurnEnd {
        turn_id: TurnId,
        message: String,
        usage: Usage,
        cost: Option<f64>,
    },
    AgentAbort,
    AgentEnd {
        reason: EndReason,
    },
    MessageQueued {
        message: Queued,
    },
    MessageApplied {
        message_id: MessageId,
    },
    MessageWithdrawn {
        message_id: MessageId,
    },
    UsageUpdate {
        usage: ContextUsage,
    },
    StatusUpdate {
        running: bool,
        waiting_for: Option<WaitingFor>,
    },
    Retry {
        message_id: MessageId,
        attempt: u32,
        delay: Duration,
        reason: String,
    },
    /// Something that ends nothing, but that the user should know.
    Warning {
        warning: Failure,
    },
    Error {
        failure: Failure,
    },
}

/// Something the user put beside a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Attachment {
    File { uri: String },
    Selection { uri: String, range: text::PositionRange, counting: text::Counting },
    Image { mime_type: String, data: String },
}

/// A text that waits for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    pub message_id: MessageId,
    pub text: String,
    pub kind: QueuedKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueuedKind {
    Steering,
    FollowUp,
}

/// What a session waits for; always visible.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitingFor {
    Model,
    Tool {
        tool: String,
        call_id: CallId,
    },
    Answer {
        question_id: QuestionId,
        title: String,
    },
    Retry {
        attempt: u32,
        delay: Duration,
        reason: String,
    },
    /// Files that are being put back.
    Undo,
    /// The conversation that is being summarised.
    Compaction,
}

/// Why a conversation is compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Threshold,
    Overflow,
    Request,
}

/// What the model is shown from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Compacted {
    /// `None`: only tool output was left out.
    pub summary: Option<String>,
    /// Put together without a model.
    pub fallback: bool,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    Completed,
    Aborted,
    Error,
    Length,
    Denied,
    Loop,
}

/// Tokens in the window now, and of the whole session.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ContextUsage {
    pub used: u64,
    /// The service did not count: `used` is an estimate.
    pub estimated: bool,
    pub window: Option<u64>,
    /// Where the next compaction comes.
    pub compact_at: Option<u64>,
    pub session: Usage,
    /// USD for the whole session, as far as prices are known.
    pub cost: Option<f64>,
}

/// Something went wrong and the user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Short and stable, for programs.
    pub code: String,
    pub message: String,
    /// What the user can do about it: a full sentence.
    pub hint: Option<String>,
}

impl Failure {
    /// A panic: our mistake, not the user's.
    pub(crate) fn bug(what: &str) -> Self {
        Self {
            code: "internal".into(),
            message: format!("{what} stopped because of a bug in Opal"),
            hint: Some("The log has the details; please report it. The session can go on.".into()),
        }
    }
}

impl Failure {
    /// The session has ended.
    pub(crate) fn closed() -> Self {
        Self { code: "closed".into(), message: "the session has been closed".into(), hint: None }
    }
}

impl From<&ProviderError> for Failure {
    fn from(error: &ProviderError) -> Self {
        // Of other secrets than the service's own, too: it may be a server that repeats what it was sent.
        let message = provider::mask(&error.to_string()).into_owned();
        Self { code: error.code().into(), message, hint: error.hint().map(Into::into) }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Error => "error",
            Self::Length => "length",
            Self::Denied => "denied",
            Self::Loop => "loop",
        })
    }
}

//! `session/*`: starting, attaching, and the whole state of a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Question, WaitingFor, null_as_default};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStartParams {
    /// Absolute path or `file:` URI of the directory the session works in.
    pub working_dir: String,
    /// `provider/model`; the configured default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long the model thinks; the configured default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<ThinkingLevel>,
    /// Replaces Opal's instructions to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The names of the tools to offer; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// How much runs unasked; the configured default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
    /// The shell for commands: a name or an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStartResult {
    pub session_id: String,
    pub state: SessionState,
}

/// Names a session by id, or the latest of a directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionResumeParams {
    /// The session's id, or the beginning of it if only one session begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Without an id: the latest session of this directory. With one: where it works from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
}

/// Which stored sessions to list, latest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionListParams {
    /// Only those of this directory: absolute path or `file:` URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Words. With them the whole text of the sessions is searched: each that has all of them in one entry is told
    /// once, by its best, and the best come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Sessions on a page; 50 if absent, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionListResult {
    pub sessions: Vec<SessionSummary>,
    /// Absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A stored session as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionSummary {
    pub session_id: String,
    /// Absolute path.
    pub working_dir: String,
    /// What the user called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_prompt: Option<String>,
    /// `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub n_entries: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// The line that the query found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionHistoryParams {
    /// The session's id, or the beginning of it.
    pub session_id: String,
    /// Where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries on a page; 200 if absent, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionHistoryResult {
    /// From the first prompt to where the conversation stands.
    pub entries: Vec<HistoryEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One entry of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    pub entry_id: String,
    /// Milliseconds since the epoch.
    pub created_at_ms: i64,
    pub content: HistoryContent,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HistoryContent {
    /// A prompt or follow-up.
    User { turn_id: String, text: String },
    /// What the user said while a turn ran.
    Steering { text: String },
    Assistant {
        text: String,
        /// Cut off by the user or by the end of the server.
        #[serde(default)]
        interrupted: bool,
    },
    ToolResult {
        tool: String,
        call_id: String,
        /// As in `tool_execution_start`; absent if the answer that called is not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Value>,
        result: crate::ToolResult,
    },
    /// From here on the model is shown a summary of what is older, or less tool output.
    Compaction {
        /// Absent if only tool output was left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// Tokens.
        tokens_before: u64,
        /// An estimate.
        tokens_after: u64,
    },
    /// Changes of files were taken back.
    Undo {
        turn_id: String,
        /// As a user reads them.
        files: Vec<String>,
    },
    /// From here on another model answers, or thinks longer or shorter.
    ModelChange {
        /// `provider/model`.
        model: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking_level: Option<ThinkingLevel>,
    },
    /// An entry of a later version.
    #[serde(other)]
    Unknown,
}

/// What to change; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionSetParams {
    pub session_id: String,
    /// What to call it; an empty text takes the name away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `provider/model`: who answers from the next turn on. The session must be live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long the model thinks from the next turn on. The session must be live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<ThinkingLevel>,
    /// How much runs unasked from now on. The session must be live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
}

/// Nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoParams {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionDone {
    pub ok: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionExportParams {
    pub session_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ExportFormat>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Everything, to be imported again.
    #[default]
    JsonLines,
    /// To be read.
    Markdown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionExportResult {
    pub text: String,
}

/// Everything there is to know about a session at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionState {
    pub session_id: String,
    /// The number of the last event this state includes; the next event has `seq + 1`.
    pub seq: u64,
    pub status: SessionStatus,
    /// What the session is waiting for right now; absent when idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    /// Steering and follow-ups not yet taken, oldest first.
    pub queue: Vec<QueuedMessage>,
    /// Questions nobody has answered yet.
    pub questions: Vec<Question>,
    pub usage: ContextUsage,
    /// `provider/model`.
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<ThinkingLevel>,
    pub permission_mode: PermissionMode,
    /// Absolute path.
    pub working_dir: String,
    /// The shell commands run in.
    pub shell: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Nothing runs; the next prompt begins a run.
    Idle,
    /// A run is under way.
    Running,
}

/// A text the model has not seen yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueuedMessage {
    pub message_id: String,
    pub text: String,
    pub kind: QueuedKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueuedKind {
    /// Reaches the model at the next safe point of the running turn.
    Steering,
    /// Waits until the model would stop.
    FollowUp,
}

/// Tokens of the conversation as the model last counted them, and of the whole session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextUsage {
    /// Tokens the last request and its answer took up in the model's window.
    pub used: u64,
    /// The service did not count them: `used` is an estimate, to be shown as one.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// The model's window in tokens, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// The conversation is compacted when it reaches so many tokens; absent if the window is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compact_at: Option<u64>,
    /// Input tokens of all requests of the session; includes `cached`.
    pub input: u64,
    /// Input tokens served from the provider's cache.
    pub cached: u64,
    /// Output tokens of the session; includes `reasoning`.
    pub output: u64,
    /// Output tokens spent on thinking.
    pub reasoning: u64,
    /// US dollars for the session so far, as far as prices are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// How long the model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ThinkingLevel {
    Off,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// How much runs unasked. Inside means inside the working directory and the client's workspace folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// Reads inside are free; writes, commands and everything outside ask.
    #[default]
    Ask,
    /// As `ask`, and edits inside are free, except of files that run programs or hold credentials.
    AutoEdit,
    /// Never asks; Opal's own data directory is refused.
    Full,
    /// Refuses writes and commands without asking.
    ReadOnly,
}

//! What entries hold. Fields may be added; a field that is missing has its default.

use provider::{Answer, Block, Part, StopReason, ThinkingLevel, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use text::{AbsPath, Edit, EditSet};

use crate::event::{Attachment, Queued, QueuedKind, Trigger};
use crate::id::{CallId, MessageId};
use crate::model::Model;
use crate::result::{ToolError, ToolResult};
use crate::workspace::FileName;

/// A prompt or follow-up: it begins a turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    pub(crate) turn_id: String,
    /// The queued message that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<AttachmentRecord>,
}

/// What is kept beside the conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoteRecord {
    /// What was put beside a prompt, as the model was shown it.
    Shown(Vec<PartRecord>),
    /// A file is about to be changed.
    Change(ChangeRecord),
    /// What came of a change, where that is not what was expected.
    Left(LeftRecord),
    /// A change that takes others back stands.
    TookBack(TookBackRecord),
}

/// A change of one file, stored before it is made. Its id is that of its entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeRecord {
    /// The turn, or the undo, that it belongs to.
    pub(crate) turn_id: String,
    pub(crate) file: FileRecord,
    pub(crate) before: BeforeRecord,
    /// From the text before to the text after.
    pub(crate) edits: Vec<EditRecord>,
    /// The file is removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) removed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileRecord {
    /// Absolute.
    Path(String),
    /// The URI of a document that is nowhere on disk.
    Document(String),
}

/// The text that a change was made on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BeforeRecord {
    /// There was no such file.
    Missing,
    /// The hash of a blob with the text.
    Image(String),
    /// What an earlier change of the same turn left, and what was done to it since by others.
    After { change: u64, edits: Vec<EditRecord> },
}

/// Bytes of the old text, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EditRecord {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeftRecord {
    pub(crate) change: u64,
    /// From the text before to what was left. `None`: the change was not made.
    pub(crate) edits: Option<Vec<EditRecord>>,
}

/// Which changes of the file another one took back. Stored when that one was seen to stand: until then those
/// it was to take back can still be taken back, and if they were, that changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TookBackRecord {
    pub(crate) by: u64,
    pub(crate) changes: Vec<u64>,
}

/// Changes were taken back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UndoRecord {
    /// The undo's own; taking it back works like taking back a turn.
    pub(crate) turn_id: String,
    /// Files as the user reads them.
    pub(crate) files: Vec<String>,
    /// What the model is told.
    pub(crate) told: String,
}

/// From here on another model answers, or it thinks longer or shorter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelChangeRecord {
    /// `provider/model`.
    pub(crate) model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thinking_level: Option<String>,
}

/// From here on the model is shown less of what was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CompactionRecord {
    pub(crate) trigger: TriggerRecord,
    /// In place of everything before `kept_from`. `None`: only tool output was blanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// What the program itself knows to have happened, as the model is shown it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ledger: String,
    /// The first entry that the model is still shown as it was; `None` beside a summary: none before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_from: Option<u64>,
    /// Long tool output of entries before this one is not shown any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blanked_before: Option<u64>,
    /// The summary was put together without a model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fallback: bool,
    pub(crate) tokens_before: u64,
    /// An estimate.
    pub(crate) tokens_after: u64,
    /// Of the request for the summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<UsageRecord>,
    /// USD, if the price was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TriggerRecord {
    Threshold,
    Overflow,
    Request,
}

/// What the user said while a turn ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SteeringRecord {
    pub(crate) message_id: String,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AssistantRecord {
    pub(crate) message_id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) response_id: Option<String>,
    pub(crate) blocks: Vec<BlockRecord>,
    pub(crate) stop: StopRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<UsageRecord>,
    /// USD, if the price was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<f64>,
    /// Tokens that the model takes, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<u64>,
    /// Cut off by the user or by the end of the server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) interrupted: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ToolResultRecord {
    pub(crate) call_id: String,
    pub(crate) tool: String,
    pub(crate) ok: bool,
    pub(crate) parts: Vec<PartRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ran_command: bool,
    /// The files that were read or written, as they stood then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<FileStateRecord>,
}

/// A file at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileStateRecord {
    /// As the model names it.
    pub(crate) path: String,
    /// Of the text; only compared with others of its kind.
    pub(crate) hash: String,
}

/// What a session is set to, and what waits in its queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SettingsRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<QueuedRecord>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueuedRecord {
    pub message_id: String,
    pub text: String,
    #[serde(default)]
    pub steering: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum AttachmentRecord {
    File { uri: String },
    Selection { uri: String, start: [u32; 2], end: [u32; 2] },
    Image { mime_type: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum PartRecord {
    Text { text: String },
    Image { mime_type: String, data: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum BlockRecord {
    Thinking {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay: Option<String>,
    },
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
    },
    ToolCall {
        call_id: String,
        name: String,
        arguments: String,
    },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopRecord {
    Stop,
    ToolUse,
    Length,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UsageRecord {
    input: u64,
    cached: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
    total: u64,
}

impl AssistantRecord {
    /// The answer of this model, which says what it costs.
    pub(crate) fn new(message_id: &MessageId, answer: &Answer, model: &Model) -> Self {
        let blocks = answer.blocks.iter().cloned().map(|block| match block {
            Block::Thinking { text, replay } => BlockRecord::Thinking { text, replay },
            Block::Text { text, phase } => BlockRecord::Text { text, phase },
            Block::ToolCall(ToolCall { call_id, name, arguments }) => {
                BlockRecord::ToolCall { call_id, name, arguments }
            }
        });
        Self {
            message_id: message_id.to_string(),
            provider: answer.provider.clone(),
            model: answer.model.clone(),
            response_id: answer.response_id.clone(),
            blocks: blocks.collect(),
            stop: match answer.stop {
                StopReason::Stop | StopReason::Paused | StopReason::Unknown(_) => StopRecord::Stop,
                StopReason::ToolUse => StopRecord::ToolUse,
                StopReason::Length => StopRecord::Length,
            },
            usage: answer.usage.map(Into::into),
            cost: answer.usage.and_then(|usage| model.cost(&usage)),
            window: model.window(),
            interrupted: false,
        }
    }

    /// What there is of an answer that was cut off.
    pub(crate) fn interrupted(message_id: &MessageId, provider: &str, model: &str, text: &str) -> Self {
        Self {
            message_id: message_id.to_string(),
            provider: provider.into(),
            model: model.into(),
            response_id: None,
            blocks: vec![BlockRecord::Text { text: text.into(), phase: None }],
            stop: StopRecord::Stop,
            usage: None,
            cost: None,
            window: None,
            interrupted: true,
        }
    }

    pub(crate) fn into_answer(self) -> Answer {
        let blocks = self.blocks.into_iter().map(|block| match block {
            BlockRecord::Thinking { text, replay } => Block::Thinking { text, replay },
            BlockRecord::Text { text, phase } => Block::Text { text, phase },
            BlockRecord::ToolCall { call_id, name, arguments } => {
                Block::ToolCall(ToolCall { call_id, name, arguments })
            }
        });
        Answer {
            provider: self.provider,
            model: self.model,
            response_id: self.response_id,
            blocks: blocks.collect(),
            stop: match self.stop {
                StopRecord::Stop => StopReason::Stop,
                StopRecord::ToolUse => StopReason::ToolUse,
                StopRecord::Length => StopReason::Length,
            },
            usage: self.usage.map(Into::into),
        }
    }
}

impl ToolResultRecord {
    pub(crate) fn new(call_id: &CallId, tool: &str, is_command: bool, result: &ToolResult) -> Self {
        let output = result.outcome.as_ref().ok();
        Self {
            call_id: call_id.to_string(),
            tool: tool.to_owned(),
            ok: output.is_some(),
            parts: parts(&result.parts()),
            diff: output.and_then(|output| output.diff.clone()),
            exit_code: output.and_then(|output| output.exit_code),
            ran_command: is_command
                && !matches!(result.outcome, Err(ToolError::Denied(_) | ToolError::Skipped)),
            files: output
                .into_iter()
                .flat_map(|output| &output.files)
                .map(|file| FileStateRecord { path: file.path.clone(), hash: file.hash.clone() })
                .collect(),
        }
    }
}

/// As the settings spell it.
pub(crate) fn thinking_level(level: ThinkingLevel) -> &'static str {
    match level {
        ThinkingLevel::Off => "off",
        ThinkingLevel::Minimal => "minimal",
        ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
        ThinkingLevel::XHigh => "xhigh",
        ThinkingLevel::Max => "max",
    }
}

pub(crate) fn parts(parts: &[Part]) -> Vec<PartRecord> {
    let part = |part: &Part| match part.clone() {
        Part::Text(text) => PartRecord::Text { text },
        Part::Image { mime_type, data } => PartRecord::Image { mime_type, data },
    };
    parts.iter().map(part).collect()
}

pub(crate) fn into_parts(parts: Vec<PartRecord>) -> Vec<Part> {
    let part = |part| match part {
        PartRecord::Text { text } => Part::Text(text),
        PartRecord::Image { mime_type, data } => Part::Image { mime_type, data },
    };
    parts.into_iter().map(part).collect()
}

pub(crate) fn attachments(attachments: &[Attachment]) -> Vec<AttachmentRecord> {
    let record = |attachment: &Attachment| match attachment {
        Attachment::File { uri } => AttachmentRecord::File { uri: uri.clone() },
        Attachment::Selection { uri, range, .. } => AttachmentRecord::Selection {
            uri: uri.clone(),
            start: [range.start.line, range.start.character],
            end: [range.end.line, range.end.character],
        },
        Attachment::Image { mime_type, .. } => AttachmentRecord::Image { mime_type: mime_type.clone() },
    };
    attachments.iter().map(record).collect()
}

pub(crate) fn edits(edits: &EditSet) -> Vec<EditRecord> {
    let record = |edit: &Edit| EditRecord {
        start: edit.range.start,
        end: edit.range.end,
        text: edit.new_text.clone(),
    };
    edits.edits().iter().map(record).collect()
}

/// The edits as they can be applied; `None` if they are damaged.
pub(crate) fn edit_set(edits: &[EditRecord]) -> Option<EditSet> {
    EditSet::new(edits.iter().map(|edit| Edit::new(edit.start..edit.end, edit.text.as_str())).collect()).ok()
}

impl From<&FileName> for FileRecord {
    fn from(name: &FileName) -> Self {
        match name {
            FileName::Path(path) => Self::Path(path.to_string()),
            FileName::Document(uri) => Self::Document(uri.clone()),
        }
    }
}

impl FileRecord {
    /// `None` if the path is damaged, or of another system.
    pub(crate) fn name(&self) -> Option<FileName> {
        match self {
            Self::Path(path) => AbsPath::new(path).ok().map(FileName::Path),
            Self::Document(uri) => Some(FileName::Document(uri.clone())),
        }
    }
}

impl From<Trigger> for TriggerRecord {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Threshold => Self::Threshold,
            Trigger::Overflow => Self::Overflow,
            Trigger::Request => Self::Request,
        }
    }
}

impl From<TriggerRecord> for Trigger {
    fn from(record: TriggerRecord) -> Self {
        match record {
            TriggerRecord::Threshold => Self::Threshold,
            TriggerRecord::Overflow => Self::Overflow,
            TriggerRecord::Request => Self::Request,
        }
    }
}

impl From<&Queued> for QueuedRecord {
    fn from(queued: &Queued) -> Self {
        Self {
            message_id: queued.message_id.to_string(),
            text: queued.text.clone(),
            steering: queued.kind == QueuedKind::Steering,
        }
    }
}

impl From<QueuedRecord> for Queued {
    fn from(record: QueuedRecord) -> Self {
        let kind = if record.steering { QueuedKind::Steering } else { QueuedKind::FollowUp };
        Self { message_id: MessageId::new(record.message_id), text: record.text, kind }
    }
}

impl From<Usage> for UsageRecord {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input_total,
            cached: usage.input_cached,
            cache_write: usage.input_cache_write,
            output: usage.output_total,
            reasoning: usage.output_reasoning,
            total: usage.total,
        }
    }
}

impl From<UsageRecord> for Usage {
    fn from(record: UsageRecord) -> Self {
        Self {
            input_total: record.input,
            input_cached: record.cached,
            input_cache_write: record.cache_write,
            output_total: record.output,
            output_reasoning: record.reasoning,
            total: record.total,
        }
    }
}

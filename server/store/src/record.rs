//! What is stored, as its own types: a session, its tree of entries, and the pages that list them.

use std::borrow::Cow;

use crate::blob::NewBlob;
use crate::id::{EntryId, SessionId};

/// What an entry is. Kinds of a newer Opal are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    User,
    Assistant,
    ToolResult,
    Compaction,
    ModelChange,
    Steering,
    Undo,
    Note,
    /// A kind that this version does not know, word for word.
    Unknown(String),
}

impl EntryKind {
    const KNOWN: [Self; 8] = [
        Self::User,
        Self::Assistant,
        Self::ToolResult,
        Self::Compaction,
        Self::ModelChange,
        Self::Steering,
        Self::Undo,
        Self::Note,
    ];

    /// The kind as it is stored.
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::ToolResult => "tool_result",
            Self::Compaction => "compaction",
            Self::ModelChange => "model_change",
            Self::Steering => "steering",
            Self::Undo => "undo",
            Self::Note => "note",
            Self::Unknown(kind) => kind,
        }
    }
}

impl From<Cow<'_, str>> for EntryKind {
    fn from(kind: Cow<'_, str>) -> Self {
        let known = Self::KNOWN.into_iter().find(|known| known.as_str() == kind);
        known.unwrap_or_else(|| Self::Unknown(kind.into_owned()))
    }
}

impl From<&str> for EntryKind {
    fn from(kind: &str) -> Self {
        Cow::Borrowed(kind).into()
    }
}

/// A session without its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    /// As the caller spells it; `latest` and `list` compare it byte for byte.
    pub working_dir: String,
    /// What the user called it.
    pub name: Option<String>,
    pub model: Option<String>,
    pub created_at_ms: i64,
    /// Moves with entries and with the leaf, not with names and settings.
    pub updated_at_ms: i64,
    /// Where the conversation stands in the tree.
    pub leaf: Option<EntryId>,
    /// The session whose sub-agent this is. Such sessions are not listed, and go with their parent.
    pub parent: Option<SessionId>,
    /// JSON that the caller makes.
    pub settings_json: String,
}

/// An entry to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    pub id: EntryId,
    /// An entry stored before, or earlier in the same batch.
    pub parent: Option<EntryId>,
    pub kind: EntryKind,
    pub created_at_ms: i64,
    /// JSON that the caller makes.
    pub payload: String,
    /// What a search finds; of a prompt also what the session is called while it has no name. Text beyond
    /// 64 KiB is not searched.
    pub search_text: Option<String>,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    pub parent: Option<EntryId>,
    pub kind: EntryKind,
    pub created_at_ms: i64,
    pub payload: String,
}

/// What becomes durable together: all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Append {
    pub entries: Vec<NewEntry>,
    /// The leaf after this; `None` leaves it where it is.
    pub leaf: Option<EntryId>,
    pub blobs: Vec<NewBlob>,
    pub draft: Draft,
}

/// Says what happens to the session's draft: the answer that is still streaming, stored piece by piece and thrown
/// away when the whole one is appended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Draft {
    #[default]
    Keep,
    Clear,
    /// Replaces the draft.
    Set(Vec<String>),
    /// Appends a piece.
    Add(String),
}

/// A change of the session itself; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionUpdate {
    pub working_dir: Option<String>,
    pub model: Option<String>,
    pub settings_json: Option<String>,
}

/// A session with its whole tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedSession {
    pub record: SessionRecord,
    /// In the order they were appended; a parent stands before its children.
    pub entries: Vec<Entry>,
    /// The pieces of the answer that was streaming when the session was left; none if none was.
    pub draft: Vec<String>,
}

/// Which sessions to list, latest first.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    pub working_dir: Option<String>,
    /// Part of the name, first prompt, directory or id, in any case of letters.
    pub query: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// 0 means 50; at most 1,000.
    pub limit: usize,
}

/// A page of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub sessions: Vec<SessionSummary>,
    /// `None` on the last page.
    pub next_cursor: Option<String>,
}

/// A session as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    pub record: SessionRecord,
    /// One line, at most 200 characters.
    pub first_prompt: Option<String>,
    pub n_entries: u64,
    /// Bytes of payload, without blobs.
    pub bytes: u64,
}

/// An entry that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub session: SessionId,
    pub entry: EntryId,
    pub kind: EntryKind,
    pub created_at_ms: i64,
    /// The line that matches best, cut to about 200 characters around the match.
    pub line: String,
    /// Larger is better; only comparable within one search.
    pub rank: f64,
}

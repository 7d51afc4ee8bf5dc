//! `session/tree`, `session/branch`, `session/compact`, `session/changes` and `session/undo`: what a user
//! does to a conversation and to what it changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::null_as_default;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionTreeResult {
    /// Where the conversation stands; absent before its first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// In the order in which they came to be: a parent stands before its children.
    pub entries: Vec<TreeEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An entry and its place in the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TreeEntry {
    pub entry_id: String,
    /// Absent at a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// `user`, `steering`, `assistant`, `tool_result`, `compaction` or `undo`; later versions may add more.
    pub kind: String,
    /// Milliseconds since the epoch.
    pub created_at_ms: i64,
    /// One line, at most 200 characters.
    pub summary: String,
    /// The whole text of a `user` entry, to be said again in other words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the entry is on the branch that the conversation stands on.
    pub on_branch: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionBranchParams {
    /// A live session.
    pub session_id: String,
    /// The entry after which the conversation goes on, from `session/tree` or `session/history`.
    pub entry_id: String,
    /// Goes on before the entry instead, as if it had never been said; the first one included.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub before: bool,
    /// Takes back what the session changed in files since then.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub restore_files: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionBranchResult {
    /// Where the conversation stands now; absent before its first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// What came of `restore_files`.
    pub restored: SessionUndoResult,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCompactParams {
    /// A live session.
    pub session_id: String,
    /// Tokens of the latest conversation that stay as they are; 20,000 if absent, less in a small window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_recent: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionChangesParams {
    /// The session's id, or the beginning of it. It need not be live.
    pub session_id: String,
    /// Only files that this turn changed, and from what it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionChangesResult {
    /// Files that differ from what the session found, in the order in which it first changed them.
    pub files: Vec<FileChanges>,
    /// Turns that ran commands. What commands change is not listed here.
    pub ran_commands: Vec<String>,
}

/// One file from what the session found to what stands now, in the editor if it is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileChanges {
    pub uri: String,
    /// As a user reads it: relative to the working directory where it is inside.
    pub path: String,
    /// The turns and undos that changed it, oldest first.
    pub turns: Vec<String>,
    /// There was no such file.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// There is no such file any more.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Lines.
    pub added_lines: u64,
    pub removed_lines: u64,
    /// Unified.
    pub diff: String,
    pub hunks: Vec<Hunk>,
    /// Why there is no diff: the text before is not kept any more, or the file cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A hunk of the diff, in its order. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hunk {
    /// The same as long as the hunk is the same, wherever it moves.
    pub hunk_id: String,
    pub old_start: u64,
    pub old_lines: u64,
    pub new_start: u64,
    pub new_lines: u64,
}

/// What to take back: a turn, or a file, or a hunk of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionUndoParams {
    /// A live session.
    pub session_id: String,
    /// A turn, or an undo, which is thereby taken back itself. With `hunk_id`: the turn whose changes showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    /// Absolute, relative to the working directory, or a URI: everything the session changed in this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// With `path`: only this hunk of `session/changes`, asked with the same `turn_id` if it was asked with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunk_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionUndoResult {
    /// The undo's own id; taking it back brings the changes again. Absent if no file was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    pub files: Vec<UndoneFile>,
    /// Files that were left as they are.
    pub conflicts: Vec<UndoConflict>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoneFile {
    pub uri: String,
    /// As a user reads it.
    pub path: String,
    /// Unified, from before the undo to after it.
    pub diff: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoConflict {
    pub uri: String,
    /// As a user reads it.
    pub path: String,
    pub reason: String,
    /// What clashes, with markers: what stands now, what Opal left, what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

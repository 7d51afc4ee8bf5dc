//! A stored entry as it is understood.

use provider::{ItemKind, Part};
use serde::de::DeserializeOwned;
use store::{Entry, EntryId, EntryKind};

use super::record::{
    AssistantRecord, CompactionRecord, ModelChangeRecord, NoteRecord, SteeringRecord, ToolResultRecord,
    UndoRecord, UserRecord, into_parts,
};

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: EntryId,
    pub(crate) record: Record,
}

#[derive(Debug, Clone)]
pub(crate) enum Record {
    User(UserRecord),
    Steering(SteeringRecord),
    Assistant(AssistantRecord),
    ToolResult(ToolResultRecord),
    Compaction(CompactionRecord),
    Undo(UndoRecord),
    ModelChange(ModelChangeRecord),
    Note(NoteRecord),
}

impl Stored {
    /// Leaves out what is not understood.
    pub(crate) fn read(branch: &[&Entry]) -> Vec<Self> {
        let stored = |entry: &&Entry| Some(Self { id: entry.id, record: Record::read(entry)? });
        branch.iter().filter_map(stored).collect()
    }
}

impl Record {
    /// A payload of a later version, or damaged, is passed over: the rest of the conversation stands.
    pub(crate) fn read(entry: &Entry) -> Option<Self> {
        match entry.kind {
            EntryKind::User => decode(entry).map(Self::User),
            EntryKind::Steering => decode(entry).map(Self::Steering),
            EntryKind::Assistant => decode(entry).map(Self::Assistant),
            EntryKind::ToolResult => decode(entry).map(Self::ToolResult),
            EntryKind::Compaction => decode(entry).map(Self::Compaction),
            EntryKind::Undo => decode(entry).map(Self::Undo),
            EntryKind::Note => decode(entry).map(Self::Note),
            EntryKind::ModelChange => decode(entry).map(Self::ModelChange),
            EntryKind::Unknown(_) => None,
        }
    }

    /// What the model is shown of it, compactions aside.
    pub(crate) fn into_item(self) -> Option<ItemKind> {
        let parts = match self {
            Self::User(user) => vec![Part::Text(user.text)],
            Self::Steering(steering) => vec![Part::Text(steering.text)],
            Self::Undo(undo) => vec![Part::Text(undo.told)],
            Self::Note(NoteRecord::Shown(parts)) => into_parts(parts),
            Self::Assistant(assistant) => return Some(ItemKind::Assistant(assistant.into_answer())),
            Self::ToolResult(result) => {
                let output = into_parts(result.parts);
                return Some(ItemKind::ToolResult { call_id: result.call_id, output });
            }
            Self::Compaction(_)
            | Self::ModelChange(_)
            | Self::Note(NoteRecord::Change(_) | NoteRecord::Left(_) | NoteRecord::TookBack(_)) => {
                return None;
            }
        };
        Some(ItemKind::User { parts })
    }
}

fn decode<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(&entry.payload)
        .inspect_err(|error| tracing::warn!(entry = %entry.id, %error, "an entry is not understood"))
        .ok()
}

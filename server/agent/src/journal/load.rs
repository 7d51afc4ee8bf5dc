//! From stored entries to a conversation that can go on.
//!
//! What was cut off by a crash is mended here: calls without results get one, results without calls and
//! duplicates are left out, and an answer that was still streaming is kept with its mark. The mending is
//! appended, so that it happens once.

use std::collections::{HashMap, HashSet, VecDeque};

use provider::{Part, Usage};
use serde::de::DeserializeOwned;
use store::{Entry, EntryId, EntryKind, LoadedSession};

use super::record::{
    AssistantRecord, NoteRecord, QueuedRecord, SettingsRecord, SteeringRecord, ToolResultRecord, UserRecord,
    into_parts,
};
use crate::event::Queued;
use crate::id::{CallId, TurnId};
use crate::transcript::Transcript;

/// A stored session, ready to go on.
#[derive(Debug, Default)]
pub struct Loaded {
    pub(crate) transcript: Transcript,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) turn_ids: HashSet<TurnId>,
    /// The highest number among the message ids that Opal gave.
    pub(crate) last_message: u64,
    pub(crate) used: u64,
    pub(crate) usage: Usage,
    /// Results that calls at the end of the conversation lack, to be appended.
    pub(crate) missing: Vec<ToolResultRecord>,
    /// The answer that was streaming, to be appended.
    pub(crate) cut_off: Option<AssistantRecord>,
}

/// What a call is told whose server ended before it did.
const LOST: &str = "Opal ended before this call had finished. Whether it had an effect is not known; look before you repeat it.";

/// Reads the branch that the leaf ends.
pub fn load(session: &LoadedSession) -> Loaded {
    load_with(session, LOST)
}

/// As [`load`]; calls without a result get this one.
pub(crate) fn load_with(session: &LoadedSession, lost_text: &str) -> Loaded {
    let mut loaded = Loaded::default();
    let settings: SettingsRecord = serde_json::from_str(&session.record.settings_json).unwrap_or_default();
    loaded.queue = settings.queue.into_iter().map(|queued: QueuedRecord| queued.into()).collect();
    for queued in &loaded.queue {
        loaded.last_message = loaded.last_message.max(number(queued.message_id.as_str()));
    }
    for entry in branch(session) {
        loaded.take(entry);
    }
    let lost = loaded.transcript.open_calls();
    loaded.missing = lost
        .into_iter()
        .map(|(call_id, tool)| ToolResultRecord {
            call_id,
            tool,
            ok: false,
            parts: super::record::parts(&[Part::Text(lost_text.into())]),
            diff: None,
            exit_code: None,
            file: None,
            ran_command: false,
        })
        .collect();
    loaded.transcript.close_open(lost_text);
    loaded.cut_off = session.draft.as_deref().and_then(|draft| serde_json::from_str(draft).ok());
    if let Some(cut_off) = loaded.cut_off.clone() {
        loaded.assistant(cut_off);
    }
    loaded
}

/// From the root to the leaf. A damaged link ends it there.
pub(super) fn branch(session: &LoadedSession) -> Vec<&Entry> {
    let by_id: HashMap<EntryId, &Entry> = session.entries.iter().map(|entry| (entry.id, entry)).collect();
    let mut branch = Vec::new();
    let mut next = session.record.leaf;
    while let Some(entry) = next.and_then(|id| by_id.get(&id)) {
        // A parent stands before its child; anything else would go round for ever.
        next = entry.parent.filter(|parent| *parent < entry.id);
        branch.push(*entry);
    }
    branch.reverse();
    branch
}

impl Loaded {
    fn take(&mut self, entry: &Entry) {
        match entry.kind {
            EntryKind::User => {
                if let Some(user) = decode::<UserRecord>(entry) {
                    self.transcript.close_open(LOST);
                    self.transcript.push_user(vec![Part::Text(user.text)]);
                    self.turn_ids.insert(TurnId::new(user.turn_id));
                }
            }
            EntryKind::Steering => {
                if let Some(steering) = decode::<SteeringRecord>(entry) {
                    self.transcript.close_open(LOST);
                    self.transcript.push_user(vec![Part::Text(steering.text)]);
                    self.queue.retain(|queued| queued.message_id.as_str() != steering.message_id);
                }
            }
            EntryKind::Assistant => {
                if let Some(assistant) = decode::<AssistantRecord>(entry) {
                    self.transcript.close_open(LOST);
                    self.assistant(assistant);
                }
            }
            EntryKind::ToolResult => {
                if let Some(result) = decode::<ToolResultRecord>(entry) {
                    self.transcript.end_call(&CallId::new(result.call_id), into_parts(result.parts));
                }
            }
            EntryKind::Note => {
                if let Some(NoteRecord::Shown(parts)) = decode::<NoteRecord>(entry) {
                    self.transcript.push_user(into_parts(parts));
                }
            }
            // Of later versions, or of no concern to the model.
            _ => {}
        }
    }

    fn assistant(&mut self, assistant: AssistantRecord) {
        self.last_message = self.last_message.max(number(&assistant.message_id));
        if let Some(usage) = assistant.usage.map(Usage::from) {
            self.used = usage.total;
            self.usage.add(&usage);
        }
        if assistant.interrupted {
            let (provider, model) = (assistant.provider.clone(), assistant.model.clone());
            let text = assistant.into_answer().text();
            self.transcript.push_partial(&provider, &model, text);
        } else {
            self.transcript.push_answer(assistant.into_answer());
        }
    }
}

/// A payload of a later version, or damaged, is passed over: the rest of the conversation stands.
pub(crate) fn decode<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(&entry.payload)
        .inspect_err(|error| tracing::warn!(entry = %entry.id, %error, "an entry is not understood"))
        .ok()
}

/// The number in an id that Opal gave, as in `m12`.
fn number(id: &str) -> u64 {
    id.strip_prefix('m').and_then(|number| number.parse().ok()).unwrap_or_default()
}

//! From stored entries to a conversation that can go on.
//!
//! What was cut off by a crash is mended here: calls without results get one, results without calls and
//! duplicates are left out, and an answer that was still streaming is kept with its mark. The mending is
//! appended, so that it happens once.

use std::collections::{HashMap, HashSet, VecDeque};

use provider::{ItemKind, Part, Usage};
use store::{Entry, EntryId, LoadedSession};
use text::notice;

use super::entry::{Record, Stored};
use super::record::{
    AssistantRecord, BlockRecord, NoteRecord, QueuedRecord, SettingsRecord, ToolResultRecord,
};
use super::view::View;
use super::{shown, size};
use crate::event::Queued;
use crate::id::{CallId, MessageId, TurnId};
use crate::transcript::Transcript;

/// A stored session, ready to go on.
#[derive(Debug, Default)]
pub struct Loaded {
    pub(crate) transcript: Transcript,
    pub(crate) queue: VecDeque<Queued>,
    /// Those of the whole tree: they are unique whatever branch the session is on.
    pub(crate) turn_ids: HashSet<TurnId>,
    /// The highest number among the message ids that Opal gave, in the whole tree.
    pub(crate) last_message: u64,
    pub(crate) used: u64,
    /// The last answer was not measured.
    pub(crate) estimated: bool,
    /// Tokens that the model takes which measured this, if that was known.
    pub(crate) window: Option<u64>,
    pub(crate) usage: Usage,
    /// USD, as far as prices were known.
    pub(crate) cost: Option<f64>,
    /// Results that calls at the end of the conversation lack, to be appended.
    pub(crate) missing: Vec<ToolResultRecord>,
    /// The answer that was streaming, to be appended.
    pub(crate) cut_off: Option<AssistantRecord>,
}

/// What a call is told whose server ended before it did.
const LOST: &str = "Opal ended before this call had finished. Whether it had an effect is not known; look before you repeat it.";

/// Reads the branch that the leaf ends, and of the others what the session must not forget.
pub fn load(session: &LoadedSession) -> Loaded {
    load_with(session, LOST)
}

/// As [`load`]; calls without a result get this one.
pub(crate) fn load_with(session: &LoadedSession, lost_text: &str) -> Loaded {
    let mut loaded = Loaded::default();
    let settings: SettingsRecord = serde_json::from_str(&session.record.settings_json).unwrap_or_default();
    loaded.queue = settings.queue.into_iter().map(|queued: QueuedRecord| queued.into()).collect();
    for queued in &loaded.queue {
        loaded.last_message = loaded.last_message.max(queued.message_id.number());
    }
    let understood = |entry: &Entry| Some((entry.id, Record::read(entry)?));
    let mut records: HashMap<EntryId, Record> = session.entries.iter().filter_map(understood).collect();
    records.values().for_each(|record| loaded.count(record));

    let stored = |entry: &Entry| Some(Stored { id: entry.id, record: records.remove(&entry.id)? });
    let on_branch = branch(session);
    let branch: Vec<Stored> = on_branch.iter().copied().filter_map(stored).collect();
    loaded.used = used(&branch);
    loaded.estimated = is_estimated(&branch);
    loaded.window = window(&branch);
    loaded.transcript = transcript(branch);

    loaded.transcript.set_unmeasured(size::since_measured(&on_branch));

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
            files: Vec::new(),
            ran_command: false,
        })
        .collect();
    loaded.transcript.close_open(lost_text);
    loaded.cut_off = answer_so_far(&session.draft);
    if let Some(cut_off) = loaded.cut_off.clone().map(Record::Assistant) {
        loaded.count(&cut_off);
        push(&mut loaded.transcript, cut_off, |_| false);
    }
    loaded
}

/// Puts a draft together: the answer as it was first stored, then what was added to its text.
fn answer_so_far(pieces: &[String]) -> Option<AssistantRecord> {
    let (first, added) = pieces.split_first()?;
    let mut answer: AssistantRecord = serde_json::from_str(first).ok()?;
    if let Some(BlockRecord::Text { text, .. }) = answer.blocks.last_mut() {
        text.extend(added.iter().map_while(|piece| serde_json::from_str::<String>(piece).ok()));
    }
    Some(answer)
}

/// From the root to the leaf. A damaged link ends it there.
pub(crate) fn branch(session: &LoadedSession) -> Vec<&Entry> {
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

/// What the model is shown of a branch. Calls of the last answer may be open.
pub(crate) fn transcript(branch: Vec<Stored>) -> Transcript {
    let mut transcript = Transcript::default();
    let view = View::of(&branch);
    if let Some(summary) = &view.summary {
        transcript.push_told(shown::summary(summary));
    }
    for Stored { id, record } in branch.into_iter().skip(view.begins_at) {
        push(&mut transcript, record, |output| view.blanks(id, output));
    }
    transcript
}

fn push(transcript: &mut Transcript, record: Record, blanks: impl FnOnce(&[Part]) -> bool) {
    match record {
        Record::Assistant(partial) if partial.interrupted => {
            let (provider, model) = (partial.provider.clone(), partial.model.clone());
            transcript.close_open(LOST);
            transcript.push_partial(&provider, &model, partial.into_answer().text());
        }
        record => match record.into_item() {
            Some(ItemKind::User { parts }) => {
                transcript.close_open(LOST);
                transcript.push_user(parts);
            }
            Some(ItemKind::Assistant(answer)) => {
                transcript.close_open(LOST);
                transcript.push_answer(answer);
            }
            Some(ItemKind::ToolResult { call_id, output }) => {
                let output =
                    if blanks(&output) { vec![Part::Text(notice::removed_output())] } else { output };
                transcript.end_call(&CallId::new(call_id), output);
            }
            None => {}
        },
    }
}

/// Tokens in the window, as last measured or, right after a compaction, estimated.
fn used(branch: &[Stored]) -> u64 {
    let used = branch.iter().rev().find_map(|stored| match &stored.record {
        Record::Assistant(assistant) => assistant.usage.map(|usage| Usage::from(usage).total),
        Record::Compaction(compaction) => Some(compaction.tokens_after),
        _ => None,
    });
    used.unwrap_or_default()
}

/// Returns true if the tokens in the window are an estimate. A session begins with none, which is known.
fn is_estimated(branch: &[Stored]) -> bool {
    let measured = branch.iter().rev().find_map(|stored| match &stored.record {
        Record::Assistant(assistant) if !assistant.interrupted => Some(assistant.usage.is_some()),
        Record::Compaction(_) => Some(false),
        _ => None,
    });
    measured == Some(false)
}

/// What the model takes that answered last.
fn window(branch: &[Stored]) -> Option<u64> {
    let window = branch.iter().rev().find_map(|stored| match &stored.record {
        Record::Assistant(assistant) => assistant.usage.map(|_| assistant.window),
        _ => None,
    });
    window.flatten()
}

impl Loaded {
    fn count(&mut self, record: &Record) {
        match record {
            Record::User(user) => {
                self.turn_ids.insert(TurnId::new(user.turn_id.as_str()));
                if let Some(message_id) = &user.message_id {
                    self.was_applied(message_id);
                }
            }
            Record::Undo(undo) => {
                self.turn_ids.insert(TurnId::new(undo.turn_id.as_str()));
            }
            Record::Note(NoteRecord::Change(change)) => {
                self.turn_ids.insert(TurnId::new(change.turn_id.as_str()));
            }
            Record::Steering(steering) => {
                self.was_applied(&steering.message_id);
            }
            Record::Assistant(assistant) => {
                self.last_message =
                    self.last_message.max(MessageId::new(assistant.message_id.as_str()).number());
                if let Some(usage) = assistant.usage {
                    self.usage.add(&usage.into());
                }
                self.pay(assistant.cost);
            }
            Record::Compaction(compaction) => {
                if let Some(usage) = compaction.usage {
                    self.usage.add(&usage.into());
                }
                self.pay(compaction.cost);
            }
            Record::ToolResult(_) | Record::ModelChange(_) | Record::Note(_) => {}
        }
    }

    /// A queued message is in the conversation, whatever the settings say that were stored before.
    fn was_applied(&mut self, message_id: &str) {
        let message_id = MessageId::new(message_id);
        self.last_message = self.last_message.max(message_id.number());
        self.queue.retain(|queued| queued.message_id != message_id);
    }

    fn pay(&mut self, cost: Option<f64>) {
        if let Some(cost) = cost {
            self.cost = Some(self.cost.unwrap_or_default() + cost);
        }
    }
}

#[cfg(test)]
mod tests;

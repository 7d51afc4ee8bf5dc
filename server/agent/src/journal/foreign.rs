//! A session that came in from outside: whoever wrote the file may have meant harm.
//!
//! What was said comes along. What would act without being asked for does not: settings that allow or instruct, a
//! queue that would be sent, and changes of files, which an undo would write back wherever they say.

use serde_json::{Map, Value};
use store::{Append, EntryKind, NewEntry, Retention, SessionRecord};

use super::record::{NoteRecord, SettingsRecord};

/// Notes of changes, as nothing reads them.
const FOREIGN: &str = "foreign_change";

/// What did not come along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The names of settings.
    pub settings: Vec<String>,
    /// Whether there were changes, which now cannot be taken back.
    pub changes: bool,
}

/// Takes out of an import what could do harm.
pub fn disarm(record: &mut SessionRecord, append: &mut Append) -> LeftOut {
    let mut left_out = LeftOut { settings: disarm_settings(record), changes: false };
    for entry in append.entries.iter_mut().filter(|entry| is_change(entry)) {
        entry.kind = EntryKind::from(FOREIGN);
        left_out.changes = true;
    }
    // They would only push out those of sessions whose changes can be taken back.
    append.blobs.retain(|blob| blob.retention() != Retention::BeforeImage);
    left_out
}

fn disarm_settings(record: &mut SessionRecord) -> Vec<String> {
    let given: Map<String, Value> = serde_json::from_str(&record.settings_json).unwrap_or_default();
    let thinking_level = given.get("thinking_level").and_then(Value::as_str).map(str::to_owned);
    let kept = SettingsRecord { thinking_level, ..SettingsRecord::default() };
    record.settings_json = super::json(&kept);
    given.into_iter().map(|(name, _)| name).filter(|name| name != "thinking_level").collect()
}

/// Any note but what is known to be none of a change.
fn is_change(entry: &NewEntry) -> bool {
    let is_shown = || matches!(serde_json::from_str(&entry.payload), Ok(NoteRecord::Shown(_)));
    entry.kind == EntryKind::Note && !is_shown()
}

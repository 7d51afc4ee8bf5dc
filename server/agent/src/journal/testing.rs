//! Branches for tests, entry by entry, and what comes of them as text.

use provider::{ItemKind, Part};
use serde::Serialize;
use store::{Entry, EntryId, EntryKind, LoadedSession, SessionId, SessionRecord};

use super::entry::{Record, Stored};
use super::record::*;
use crate::transcript::Transcript;

pub(crate) fn user(text: &str) -> Record {
    Record::User(UserRecord {
        turn_id: "t1".into(),
        message_id: None,
        text: text.into(),
        attachments: Vec::new(),
    })
}

/// A turn that a queued message began.
pub(crate) fn follow_up(message_id: &str, text: &str) -> Record {
    let Record::User(user) = user(text) else { unreachable!() };
    Record::User(UserRecord { message_id: Some(message_id.into()), ..user })
}

pub(crate) fn steering(text: &str) -> Record {
    Record::Steering(SteeringRecord { message_id: "m9".into(), text: text.into() })
}

pub(crate) fn answer(text: &str) -> Record {
    calling(text, &[])
}

/// An answer with calls: id, tool, arguments.
pub(crate) fn calling(text: &str, calls: &[(&str, &str, &str)]) -> Record {
    let text = (!text.is_empty()).then(|| BlockRecord::Text { text: text.into(), phase: None });
    let calls = calls.iter().map(|(call_id, name, arguments)| BlockRecord::ToolCall {
        call_id: (*call_id).into(),
        name: (*name).into(),
        arguments: (*arguments).into(),
    });
    let blocks: Vec<BlockRecord> = text.into_iter().chain(calls).collect();
    let calls = blocks.iter().any(|block| matches!(block, BlockRecord::ToolCall { .. }));
    Record::Assistant(AssistantRecord {
        message_id: "m1".into(),
        provider: "p".into(),
        model: "m".into(),
        response_id: None,
        blocks,
        stop: if calls { StopRecord::ToolUse } else { StopRecord::Stop },
        usage: None,
        cost: None,
        window: None,
        interrupted: false,
    })
}

/// An answer that calls `read` once for each id.
pub(crate) fn reading(calls: &[&str]) -> Record {
    let calls: Vec<_> = calls.iter().map(|id| (*id, "read", "{}")).collect();
    calling("", &calls)
}

/// An answer that calls `bash`.
pub(crate) fn running(call_id: &str, command: &str) -> Record {
    calling("", &[(call_id, "bash", &serde_json::json!({ "command": command }).to_string())])
}

/// An answer after which so many tokens were in the window.
pub(crate) fn measured(text: &str, total: u64) -> Record {
    let Record::Assistant(answer) = answer(text) else { unreachable!() };
    let usage = provider::Usage { total, ..Default::default() };
    Record::Assistant(AssistantRecord { usage: Some(usage.into()), ..answer })
}

pub(crate) fn cut_off(text: &str) -> Record {
    Record::Assistant(interrupted(text))
}

pub(crate) fn interrupted(text: &str) -> AssistantRecord {
    AssistantRecord::interrupted(&crate::id::MessageId::new("m7"), "p", "m", text)
}

pub(crate) fn result(call_id: &str, text: &str) -> Record {
    Record::ToolResult(result_record(call_id, text))
}

pub(crate) fn result_record(call_id: &str, text: &str) -> ToolResultRecord {
    ToolResultRecord {
        call_id: call_id.into(),
        tool: "read".into(),
        ok: true,
        parts: vec![PartRecord::Text { text: text.into() }],
        diff: None,
        exit_code: None,
        ran_command: false,
        files: Vec::new(),
    }
}

pub(crate) fn attached(text: &str) -> Record {
    Record::Note(NoteRecord::Shown(vec![PartRecord::Text { text: text.into() }]))
}

pub(crate) fn change(turn_id: &str) -> Record {
    Record::Note(NoteRecord::Change(ChangeRecord {
        turn_id: turn_id.into(),
        file: FileRecord::Path("/w/a".into()),
        before: BeforeRecord::Missing,
        edits: Vec::new(),
        removed: false,
    }))
}

pub(crate) fn undo(turn_id: &str, files: &[&str]) -> Record {
    Record::Undo(UndoRecord {
        turn_id: turn_id.into(),
        files: files.iter().map(|file| (*file).into()).collect(),
        told: format!("[The user took back the changes of {}.]", files.join(", ")),
    })
}

pub(crate) fn summary(text: &str, kept_from: Option<u64>) -> Record {
    Record::Compaction(CompactionRecord { summary: Some(text.into()), kept_from, ..compaction() })
}

pub(crate) fn blanking(before: u64) -> Record {
    Record::Compaction(CompactionRecord { blanked_before: Some(before), ..compaction() })
}

fn compaction() -> CompactionRecord {
    CompactionRecord {
        trigger: TriggerRecord::Threshold,
        summary: None,
        ledger: String::new(),
        kept_from: None,
        blanked_before: None,
        fallback: false,
        tokens_before: 900,
        tokens_after: 100,
        usage: None,
        cost: None,
    }
}

/// A text of so many tokens.
pub(crate) fn long(tokens: usize) -> String {
    "word".repeat(tokens)
}

/// One branch, its ids counted from 1.
pub(crate) fn entries(records: Vec<Record>) -> Vec<Entry> {
    let mut entries = Vec::new();
    records.into_iter().for_each(|record| append(&mut entries, &record));
    entries
}

/// Puts an entry behind the last one.
pub(crate) fn append(entries: &mut Vec<Entry>, record: &Record) {
    let (kind, payload) = match record {
        Record::User(user) => (EntryKind::User, json(user)),
        Record::Steering(steering) => (EntryKind::Steering, json(steering)),
        Record::Assistant(answer) => (EntryKind::Assistant, json(answer)),
        Record::ToolResult(result) => (EntryKind::ToolResult, json(result)),
        Record::Compaction(compaction) => (EntryKind::Compaction, json(compaction)),
        Record::ModelChange(change) => (EntryKind::ModelChange, json(change)),
        Record::Undo(undo) => (EntryKind::Undo, json(undo)),
        Record::Note(note) => (EntryKind::Note, json(note)),
    };
    let id = EntryId(entries.len() as u64 + 1);
    let parent = entries.last().map(|entry: &Entry| entry.id);
    entries.push(Entry { id, parent, kind, created_at_ms: 0, payload });
}

fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).unwrap()
}

/// A session that stands at its last entry.
pub(crate) fn session(entries: Vec<Entry>) -> LoadedSession {
    let record = SessionRecord {
        id: SessionId::parse("s").unwrap(),
        working_dir: "/w".into(),
        name: None,
        model: None,
        created_at_ms: 0,
        updated_at_ms: 0,
        leaf: entries.last().map(|entry| entry.id),
        parent: None,
        settings_json: "{}".into(),
    };
    LoadedSession { record, entries, draft: Vec::new() }
}

/// One line for each item.
pub(crate) fn show(transcript: &Transcript) -> String {
    let mut out = String::new();
    for item in transcript.items().iter() {
        out += &match &item.kind {
            ItemKind::User { parts } => format!("user: {}\n", text(parts)),
            ItemKind::Assistant(answer) => {
                let calls: Vec<_> = answer.tool_calls().map(|call| format!(" +{}", call.call_id)).collect();
                format!("assistant: {}{}\n", answer.text(), calls.concat())
            }
            ItemKind::ToolResult { call_id, output } => format!("result {call_id}: {}\n", text(output)),
        };
    }
    out
}

fn text(parts: &[Part]) -> String {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => match text.split_once("<summary>\n").and_then(|(_, rest)| rest.split_once("\n<"))
        {
            Some((summary, _)) => format!("[summary] {summary}"),
            None => beginning(text),
        },
        Part::Image { .. } => "[image]".into(),
    });
    texts.collect::<Vec<_>>().join(" | ")
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text.into(),
    }
}

pub(crate) fn stored(records: Vec<Record>) -> Vec<Stored> {
    Stored::read(&entries(records).iter().collect::<Vec<_>>())
}

pub(crate) fn name(record: &Record) -> &'static str {
    match record {
        Record::User(_) => "user",
        Record::Steering(_) => "steering",
        Record::Assistant(_) => "assistant",
        Record::ToolResult(_) => "result",
        Record::Compaction(_) => "compaction",
        Record::Undo(_) => "undo",
        Record::ModelChange(_) => "model",
        Record::Note(_) => "note",
    }
}

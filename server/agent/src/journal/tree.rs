//! A stored session as a tree of what was said, for choosing a place in it.

use std::collections::{HashMap, HashSet};

use store::{Entry, EntryId, EntryKind, LoadedSession};

use super::history::{Calls, What, what};
use super::load::branch;
use crate::tool::about;

/// Characters of a summary.
const SUMMARY: usize = 200;

/// An entry that a reader sees, and where it hangs.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub entry: EntryId,
    /// The nearest entry above that a reader sees.
    pub parent: Option<EntryId>,
    pub kind: EntryKind,
    pub created_at_ms: i64,
    /// One line.
    pub summary: String,
    /// The whole of a prompt.
    pub prompt: Option<String>,
    /// Whether the conversation stands on it or behind it.
    pub on_branch: bool,
}

/// The tree without what no reader sees, parents before children; and where the conversation stands in it.
pub fn tree(session: &LoadedSession) -> (Option<EntryId>, Vec<Node>) {
    let on_branch: HashSet<EntryId> = branch(session).iter().map(|entry| entry.id).collect();
    // For every entry the nearest one that is seen, itself included.
    let mut seen: HashMap<EntryId, Option<EntryId>> = HashMap::new();
    // And the calls whose results hang below it.
    let mut calls: HashMap<EntryId, Calls> = HashMap::new();
    let mut nodes = Vec::new();
    for entry in &session.entries {
        let above = entry.parent.and_then(|parent| seen.get(&parent).copied().flatten());
        let mut called = entry.parent.and_then(|parent| calls.get(&parent)).cloned().unwrap_or_default();
        let node = what(entry, &mut called).map(|what| Node {
            entry: entry.id,
            parent: above,
            kind: entry.kind.clone(),
            created_at_ms: entry.created_at_ms,
            summary: summary(entry, &what),
            prompt: if let What::User { text, .. } = what { Some(text) } else { None },
            on_branch: on_branch.contains(&entry.id),
        });
        calls.insert(entry.id, called);
        seen.insert(entry.id, if node.is_some() { Some(entry.id) } else { above });
        nodes.extend(node);
    }
    let leaf = session.record.leaf.and_then(|leaf| seen.get(&leaf).copied().flatten());
    (leaf, nodes)
}

fn summary(entry: &Entry, what: &What) -> String {
    let text = match what {
        What::User { text, .. } | What::Steering { text } | What::Assistant { text, .. } => text.clone(),
        What::ToolResult { tool, args, text, .. } => {
            let told = first_line(text);
            // A change names its file itself.
            match args.as_ref().and_then(about).map(first_line).filter(|about| !told.starts_with(about)) {
                Some(about) => format!("{tool} {about}: {told}"),
                None => format!("{tool}: {told}"),
            }
        }
        What::Compaction { .. } => "The conversation before was compacted.".into(),
        What::ModelChange { model, .. } => format!("From here on {model} answers."),
        What::Undo { files, .. } => format!("Changes taken back in {}", files.join(", ")),
    };
    let line = first_line(&text);
    let mut line: String = line.chars().take(SUMMARY).collect();
    if line.is_empty() && entry.kind == EntryKind::Assistant {
        line.push_str("(tool calls)");
    }
    line
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

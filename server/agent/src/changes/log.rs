//! The changes of a session, in the order in which they happened.

use std::collections::{HashMap, HashSet};

use store::{BlobError, EntryKind, LoadedSession, Store};
use text::Rope;

use crate::id::TurnId;
use crate::journal::Record;
use crate::journal::record::{BeforeRecord, ChangeRecord, EditRecord, NoteRecord, edit_set};
use crate::workspace::FileName;

/// Every change that a session made, on whatever branch.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) changes: Vec<Change>,
    /// Turns in which commands ran: they may have changed more.
    pub(crate) commands: Vec<TurnId>,
}

#[derive(Debug)]
pub(crate) struct Change {
    /// That of its entry.
    pub(crate) id: u64,
    pub(crate) turn_id: TurnId,
    pub(crate) name: FileName,
    /// Whether it was taken back, and that was not taken back in turn.
    pub(crate) undone: bool,
    pub(crate) undoes: Vec<u64>,
    record: ChangeRecord,
}

/// The text before a change and after it; `None` where there is no file.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    pub(crate) before: Option<Rope>,
    pub(crate) after: Option<Rope>,
}

/// Why a text of the past cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    #[error("its text before the change is no longer kept: it made room for newer ones")]
    Gone,
    #[error("its text before the change cannot be read: {0}")]
    Damaged(String),
}

impl Log {
    pub(crate) fn read(session: &LoadedSession) -> Self {
        let mut log = Self::default();
        let mut turn = None;
        for entry in &session.entries {
            let is_of_use = match entry.kind {
                EntryKind::User => true,
                EntryKind::ToolResult => entry.payload.contains("\"ran_command\":true"),
                // An attachment may be long; what is looked for begins differently.
                EntryKind::Note => !entry.payload.starts_with("{\"shown\""),
                _ => false,
            };
            match is_of_use.then(|| Record::read(entry)).flatten() {
                Some(Record::User(user)) => turn = Some(TurnId::new(user.turn_id)),
                Some(Record::ToolResult(result)) if result.ran_command => {
                    log.commands.extend(turn.clone().filter(|turn| log.commands.last() != Some(turn)));
                }
                Some(Record::Note(NoteRecord::Change(record))) => log.push(entry.id.0, record),
                Some(Record::Note(NoteRecord::Left(left))) => log.correct(left.change, left.edits),
                _ => {}
            }
        }
        log
    }

    fn push(&mut self, id: u64, record: ChangeRecord) {
        let Some(name) = record.file.name() else { return };
        let undoes = record.undoes.clone();
        for undone in &undoes {
            self.set_undone(*undone, true);
        }
        let turn_id = TurnId::new(record.turn_id.as_str());
        self.changes.push(Change { id, turn_id, name, undone: false, undoes, record });
    }

    fn correct(&mut self, id: u64, edits: Option<Vec<EditRecord>>) {
        let Some(at) = self.position(id) else { return };
        match edits {
            Some(edits) => self.changes[at].record.edits = edits,
            None => {
                let change = self.changes.remove(at);
                for undone in change.undoes {
                    self.set_undone(undone, false);
                }
            }
        }
    }

    /// Taking back what took something back brings that again.
    fn set_undone(&mut self, id: u64, undone: bool) {
        let Some(at) = self.position(id) else { return };
        self.changes[at].undone = undone;
        // Only what was before it, so this ends.
        for earlier in self.changes[at].undoes.clone().into_iter().filter(|earlier| *earlier < id) {
            self.set_undone(earlier, !undone);
        }
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.changes.binary_search_by_key(&id, |change| change.id).ok()
    }

    /// The changes behind `leaf` that do not cancel each other: what to take back so that files stand as
    /// they did then.
    pub(crate) fn since(&self, leaf: u64) -> Vec<&Change> {
        let mut since: Vec<&Change> = Vec::new();
        for change in self.changes.iter().filter(|change| change.id > leaf) {
            let is_there = |id: &u64| since.iter().any(|other| other.id == *id);
            if !change.undoes.is_empty() && change.undoes.iter().all(is_there) {
                since.retain(|other| !change.undoes.contains(&other.id));
            } else {
                since.push(change);
            }
        }
        since
    }

    /// The texts of one file's changes, by id. Blocks; reads no more blobs than it must.
    pub(crate) fn texts(
        &self,
        name: &FileName,
        wanted: &[u64],
        store: &Store,
    ) -> Result<HashMap<u64, Texts>, Lost> {
        let mut needed: HashSet<u64> = wanted.iter().copied().collect();
        let of_file: Vec<&Change> = self.changes.iter().filter(|change| change.name == *name).collect();
        for change in of_file.iter().rev() {
            if needed.contains(&change.id)
                && let BeforeRecord::After { change: earlier, .. } = &change.record.before
            {
                needed.insert(*earlier);
            }
        }
        let mut texts: HashMap<u64, Texts> = HashMap::new();
        for change in of_file {
            if needed.contains(&change.id) {
                let before = match &change.record.before {
                    BeforeRecord::Missing => None,
                    BeforeRecord::Image(hash) => Some(image(hash, store)?),
                    BeforeRecord::After { change: earlier, edits } => {
                        let left = texts.get(earlier).and_then(|texts| texts.after.clone());
                        let left = left.ok_or_else(|| damaged("a change before it is missing"))?;
                        Some(applied(edits, &left)?)
                    }
                };
                let after = match change.record.removed {
                    true => None,
                    false => Some(applied(&change.record.edits, &before.clone().unwrap_or_default())?),
                };
                texts.insert(change.id, Texts { before, after });
            }
        }
        Ok(texts)
    }
}

fn image(hash: &str, store: &Store) -> Result<Rope, Lost> {
    let hash = hash.parse().map_err(damaged)?;
    let bytes = store.blob(hash).map_err(|error| match error {
        BlobError::Gone(_) => Lost::Gone,
        error => damaged(error),
    })?;
    Ok(Rope::from_str(&String::from_utf8(bytes).map_err(damaged)?))
}

fn applied(edits: &[EditRecord], text: &Rope) -> Result<Rope, Lost> {
    let edits = edit_set(edits).ok_or_else(|| damaged("its edits overlap"))?;
    edits.apply(text).map_err(damaged)
}

fn damaged(why: impl ToString) -> Lost {
    Lost::Damaged(why.to_string())
}

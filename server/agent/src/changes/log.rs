//! The changes of a session, in the order in which they happened.

use std::collections::{BTreeMap, HashMap, HashSet};

use store::{BlobError, EntryKind, LoadedSession, Store};
use text::Rope;

use crate::id::TurnId;
use crate::journal::Record;
use crate::journal::record::{BeforeRecord, ChangeRecord, EditRecord, NoteRecord, edit_set};
use crate::workspace::FileName;

/// Every change that a session made, on whatever branch.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// By their ids.
    changes: BTreeMap<u64, Change>,
    by_file: HashMap<FileName, Vec<u64>>,
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
    /// The changes that this one took back.
    pub(crate) undoes: Vec<u64>,
    /// For each change that it took back or brought again, whether that was undone before.
    was_undone: Vec<(u64, bool)>,
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
                Some(Record::Note(NoteRecord::TookBack(back))) => log.take_back(back.by, back.changes),
                _ => {}
            }
        }
        log
    }

    fn push(&mut self, id: u64, record: ChangeRecord) {
        let Some(name) = record.file.name() else { return };
        let turn_id = TurnId::new(record.turn_id.as_str());
        self.by_file.entry(name.clone()).or_default().push(id);
        let change =
            Change { id, turn_id, name, undone: false, undoes: Vec::new(), was_undone: Vec::new(), record };
        self.changes.insert(id, change);
    }

    fn correct(&mut self, id: u64, edits: Option<Vec<EditRecord>>) {
        match edits {
            Some(edits) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.record.edits = edits;
                }
            }
            None => {
                let not_made = self.changes.remove(&id);
                if let Some(of_file) = not_made.and_then(|change| self.by_file.get_mut(&change.name)) {
                    of_file.retain(|other| *other != id);
                }
            }
        }
    }

    /// The latest goes first; what had taken something back brings that again.
    fn take_back(&mut self, by: u64, mut undoes: Vec<u64>) {
        if !self.changes.contains_key(&by) {
            return;
        }
        undoes.retain(|id| *id < by);
        undoes.sort_unstable();
        undoes.dedup();
        let mut was_undone: BTreeMap<u64, bool> = BTreeMap::new();
        for id in undoes.iter().rev() {
            let Some(change) = self.changes.get(id) else { continue };
            for (id, undone) in [(*id, true)].into_iter().chain(change.was_undone.clone()) {
                if let Some(change) = self.changes.get_mut(&id) {
                    was_undone.entry(id).or_insert(change.undone);
                    change.undone = undone;
                }
            }
        }
        // What stands as before is none of its doing.
        was_undone.retain(|id, undone| self.changes.get(id).is_some_and(|change| change.undone != *undone));
        if let Some(change) = self.changes.get_mut(&by) {
            change.undoes = undoes;
            change.was_undone = was_undone.into_iter().collect();
        }
    }

    /// All changes, in the order in which they happened.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.values()
    }

    pub(crate) fn of_file(&self, name: &FileName) -> impl DoubleEndedIterator<Item = &Change> {
        self.by_file.get(name).into_iter().flatten().filter_map(|id| self.changes.get(id))
    }

    /// The changes behind `leaf`: what to take back so that files stand as they did then. What was taken
    /// back before anything else was done to the file is left out, together with what took it back.
    pub(crate) fn since(&self, leaf: u64) -> Vec<&Change> {
        let mut by_file: HashMap<&FileName, Vec<&Change>> = HashMap::new();
        for change in self.changes.range(leaf.saturating_add(1)..).map(|(_, change)| change) {
            let since = by_file.entry(&change.name).or_default();
            let n_before = since.len().saturating_sub(change.undoes.len());
            let is_last = since[n_before..].iter().map(|last| last.id).eq(change.undoes.iter().copied());
            if is_last && !change.undoes.is_empty() {
                since.truncate(n_before);
            } else {
                since.push(change);
            }
        }
        let mut since: Vec<&Change> = by_file.into_values().flatten().collect();
        since.sort_unstable_by_key(|change| change.id);
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
        for change in self.of_file(name).rev() {
            if needed.contains(&change.id)
                && let BeforeRecord::After { change: earlier, .. } = &change.record.before
            {
                needed.insert(*earlier);
            }
        }
        let mut texts: HashMap<u64, Texts> = HashMap::new();
        for change in self.of_file(name) {
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

#[cfg(test)]
mod tests;

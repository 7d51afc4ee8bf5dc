//! Taking changes back.
//!
//! Each file goes back change by change, the latest first: what the change left becomes what it found.
//! Where others have changed the file since, both are merged if they do not touch; where they do, the file
//! is left as it is and the user is shown what clashes. An undo is itself a change, kept like any other.

use std::collections::HashMap;
use std::sync::Arc;

use text::{EditSet, Rope, merge, revert_hunk};
use tokio_util::sync::CancellationToken;

use super::Log;
use super::keep::{Planned, keep};
use super::log::{Change, Texts};
use super::undone::{Conflict, Target, UndoError, Undone, UndoneFile};
use crate::blocking::{edits_between, unified_diff};
use crate::call::finish;
use crate::context::Context;
use crate::event::Failure;
use crate::id::TurnId;
use crate::journal::StoredSession;
use crate::journal::record::TookBackRecord;
use crate::report::Reporter;
use crate::workspace::{self, File, FileError, FileName, Origin, WriteError};

/// One undo that runs.
#[derive(Debug)]
pub(crate) struct Undo {
    pub(crate) stored: StoredSession,
    pub(crate) context: Arc<Context>,
    pub(crate) reporter: Reporter,
    pub(crate) cancelled: CancellationToken,
}

/// What is to be done to one file.
struct OneFile {
    name: FileName,
    /// The changes that are taken back, the latest first.
    steps: Vec<Texts>,
    undoes: Vec<u64>,
    /// Only this hunk of the difference to the first text.
    hunk: Option<(String, Option<Rope>)>,
}

impl Undo {
    pub(crate) async fn run(&self, what: &Target) -> Result<Undone, UndoError> {
        let log = Arc::new(self.stored.changes().await?);
        let files = self.files(&log, what).await?;
        let mut undone = Undone::default();
        for (name, file) in files {
            if self.cancelled.is_cancelled() {
                break;
            }
            match file {
                Ok(file) => match self.one(&Arc::new(file)).await {
                    Ok(Some(diff)) => undone.files.push(UndoneFile { name, diff }),
                    Ok(None) => {}
                    Err(Refused::Conflict(conflict)) => undone.conflicts.push(conflict),
                    // The session's store has failed: nothing more may be changed.
                    Err(Refused::Store(failure)) => return Err(UndoError::Failed(failure)),
                },
                Err(why) => undone.conflicts.push(Conflict { name, why, shown: None }),
            }
        }
        Ok(undone)
    }

    /// Returns the work for each file, by name: calls that run side by side change files in any order.
    async fn files(
        &self,
        log: &Arc<Log>,
        what: &Target,
    ) -> Result<Vec<(FileName, Result<OneFile, String>)>, UndoError> {
        let changes: Vec<&Change> = match what {
            Target::Turn(turn) => of_turn(log, turn)?,
            Target::File(name) => of_file(log, name, &self.context)?,
            Target::Hunk { file, hunk, turn } => return self.hunk(log, file, hunk, turn.as_ref()).await,
            Target::Since(leaf) => log.since(*leaf),
        };
        let mut by_file: Vec<(FileName, Vec<u64>)> = Vec::new();
        let mut place: HashMap<&FileName, usize> = HashMap::new();
        for change in changes {
            let at = *place.entry(&change.name).or_insert_with(|| {
                by_file.push((change.name.clone(), Vec::new()));
                by_file.len() - 1
            });
            by_file[at].1.push(change.id);
        }
        by_file.sort();
        let (log, store) = (log.clone(), self.stored.store.clone());
        let read = tokio::task::spawn_blocking(move || {
            let file = |(name, undoes): (FileName, Vec<u64>)| {
                let file =
                    log.texts(&name, &undoes, &store).map_err(|lost| lost.to_string()).map(|mut texts| {
                        let steps = undoes.iter().rev().filter_map(|id| texts.remove(id)).collect();
                        OneFile { name: name.clone(), steps, undoes, hunk: None }
                    });
                (name, file)
            };
            by_file.into_iter().map(file).collect()
        });
        read.await.map_err(|_panic| UndoError::Store("a bug in Opal; its log has the details".into()))
    }

    async fn hunk(
        &self,
        log: &Arc<Log>,
        name: &FileName,
        hunk: &str,
        turn: Option<&TurnId>,
    ) -> Result<Vec<(FileName, Result<OneFile, String>)>, UndoError> {
        let mut of_turn = log.of_file(name).filter(|change| turn.is_none_or(|turn| *turn == change.turn_id));
        let first = of_turn.next().map(|change| change.id);
        let first = first.ok_or_else(|| never_changed(name, &self.context))?;
        let (log, store, file) = (log.clone(), self.stored.store.clone(), name.clone());
        let read = tokio::task::spawn_blocking(move || log.texts(&file, &[first], &store));
        let texts =
            read.await.unwrap_or_else(|_panic| Err(super::log::Lost::Damaged("a bug in Opal".into())));
        let one = texts.map_err(|lost| lost.to_string()).map(|mut texts| {
            let before = texts.remove(&first).and_then(|texts| texts.before);
            OneFile {
                name: name.clone(),
                steps: Vec::new(),
                undoes: Vec::new(),
                hunk: Some((hunk.to_owned(), before)),
            }
        });
        Ok(vec![(name.clone(), one)])
    }

    /// Takes the changes of one file back. `None`: it stands so already.
    async fn one(&self, file: &Arc<OneFile>) -> Result<Option<String>, Refused> {
        let shown = self.context.display(&file.name);
        for _ in 0..self.context.limits.edit_tries {
            let reading = self.context.workspace.read(&file.name);
            let Some(read) = self.cancelled.run_until_cancelled(reading).await else { return Ok(None) };
            let now = match read {
                Ok(now) => Some(now),
                Err(FileError::NotFound { .. }) => None,
                Err(error) => return Err(self.conflict(file, error, None)),
            };
            let text = now.as_ref().map(|now| now.text.clone());
            let target = target(file, text.clone()).await.map_err(|clash| self.clash(file, &clash))?;
            if target == text {
                return Ok(None);
            }
            let missing = || File { name: file.name.clone(), text: Rope::new(), origin: Origin::Missing };
            let base = now.unwrap_or_else(missing);
            let new = target.clone().unwrap_or_default();
            let edits = edits_between(&base.text, &new).await;
            let planned = Planned { base: &base, edits: &edits, removed: target.is_none() };
            let kept = keep(planned, &self.context, &self.reporter).await.map_err(Refused::Store)?;
            let by = kept.id();
            let diff = unified_diff(&base.text, &new, &shown).await.text;
            let written = match &target {
                Some(_) => self.write(&base, edits).await,
                None => self.remove(&base).await,
            };
            match written {
                Ok((uri, left)) => {
                    kept.made(&new, left.as_ref(), &self.context, &self.reporter).await;
                    if !file.undoes.is_empty() {
                        let took_back = TookBackRecord { by, changes: file.undoes.clone() };
                        self.reporter.took_back(took_back).await;
                    }
                    self.reporter.edited(uri, diff.clone()).await;
                    return Ok(Some(diff));
                }
                Err(WriteError::Stale) => kept.not_made(&self.reporter).await,
                Err(WriteError::Diverged { now }) => {
                    kept.made(&new, Some(&now), &self.context, &self.reporter).await;
                    let why = "the edit was sent to the editor, but something else stands there now";
                    return Err(self.conflict(file, why, None));
                }
                // It may still have been made: it stays in the log, but what it was to take back is not
                // taken to be undone.
                Err(error @ (WriteError::Unanswered | WriteError::Unshown)) => {
                    return Err(self.conflict(file, error, None));
                }
                Err(error) => {
                    kept.not_made(&self.reporter).await;
                    return Err(self.conflict(file, error, None));
                }
            }
        }
        Err(self.conflict(file, "it keeps changing while the edit is being applied", None))
    }

    async fn write(&self, base: &File, edits: EditSet) -> Result<(String, Option<Rope>), WriteError> {
        let change = workspace::Change { base: base.clone(), edits };
        let written = self.finish(self.context.workspace.write(change)).await?;
        Ok((written.uri, Some(written.left)))
    }

    async fn remove(&self, base: &File) -> Result<(String, Option<Rope>), WriteError> {
        Ok((self.finish(self.context.workspace.remove(base)).await?, None))
    }

    async fn finish<T>(&self, work: impl Future<Output = Result<T, WriteError>>) -> Result<T, WriteError> {
        let finished = finish(work, &self.cancelled, self.context.limits.abort_grace).await;
        finished.unwrap_or(Err(WriteError::Unanswered))
    }

    fn conflict(&self, file: &OneFile, why: impl ToString, shown: Option<String>) -> Refused {
        Refused::Conflict(Conflict { name: file.name.clone(), why: why.to_string(), shown })
    }

    fn clash(&self, file: &OneFile, clash: &Clash) -> Refused {
        match clash {
            Clash::Text(conflict) => {
                let why = format!("it was changed since: {conflict}");
                self.conflict(file, why, Some(conflict.shown()))
            }
            Clash::Other(why) => self.conflict(file, why, None),
        }
    }
}

/// Why a file was left as it is.
enum Refused {
    Conflict(Conflict),
    Store(Failure),
}

enum Clash {
    Text(text::Conflict),
    Other(String),
}

/// [`OneFile::target`] on a thread of its own: merging may take seconds at worst.
async fn target(file: &Arc<OneFile>, now: Option<Rope>) -> Result<Option<Rope>, Clash> {
    let file = file.clone();
    let target = tokio::task::spawn_blocking(move || file.target(now));
    target.await.unwrap_or_else(|_panic| Err(Clash::Other("it cannot be merged: a bug in Opal".into())))
}

impl OneFile {
    /// What should stand where `now` stands.
    fn target(&self, now: Option<Rope>) -> Result<Option<Rope>, Clash> {
        if let Some((hunk, first)) = &self.hunk {
            return without_hunk(hunk, first.as_ref(), now);
        }
        let mut text = now;
        for Texts { before, after } in &self.steps {
            if text == *after {
                text.clone_from(before);
            } else if text != *before {
                text = Some(match (after, &text, before) {
                    (Some(after), Some(now), Some(before)) => {
                        merge(after, now, before).map_err(Clash::Text)?
                    }
                    (_, None, _) => return Err(Clash::Other("it was removed since".into())),
                    (None, Some(_), _) => {
                        return Err(Clash::Other("it was made anew since it was removed".into()));
                    }
                    (_, Some(_), None) => {
                        return Err(Clash::Other("it was changed since it was made".into()));
                    }
                });
            }
        }
        Ok(text)
    }
}

fn without_hunk(hunk: &str, first: Option<&Rope>, now: Option<Rope>) -> Result<Option<Rope>, Clash> {
    let empty = Rope::new();
    let text = now.as_ref().unwrap_or(&empty);
    let edits = revert_hunk(first.unwrap_or(&empty), text, hunk).ok_or_else(|| {
        Clash::Other("there is no such hunk, or it has changed: look at the changes again".into())
    })?;
    let target = edits.apply(text).map_err(|error| Clash::Other(error.to_string()))?;
    // Nothing is left of a file that the session made.
    Ok((first.is_some() || target.len_bytes() > 0).then_some(target))
}

fn of_turn<'a>(log: &'a Log, turn: &TurnId) -> Result<Vec<&'a Change>, UndoError> {
    let of_turn: Vec<&Change> = log.changes().filter(|change| change.turn_id == *turn).collect();
    if of_turn.is_empty() {
        return Err(UndoError::Nothing(format!("{turn} changed no file")));
    }
    let standing: Vec<&Change> = of_turn.into_iter().filter(|change| !change.undone).collect();
    if standing.is_empty() {
        return Err(UndoError::Nothing(format!("what {turn} changed was taken back already")));
    }
    Ok(standing)
}

fn of_file<'a>(log: &'a Log, name: &FileName, context: &Context) -> Result<Vec<&'a Change>, UndoError> {
    let of_file: Vec<&Change> = log.of_file(name).collect();
    if of_file.is_empty() {
        return Err(never_changed(name, context));
    }
    // What takes something back cancels out with it.
    let standing: Vec<&Change> =
        of_file.into_iter().filter(|change| !change.undone && change.undoes.is_empty()).collect();
    if standing.is_empty() {
        let name = context.display(name);
        return Err(UndoError::Nothing(format!("what was changed in {name} was taken back already")));
    }
    Ok(standing)
}

fn never_changed(name: &FileName, context: &Context) -> UndoError {
    UndoError::Nothing(format!("this session changed nothing in {}", context.display(name)))
}

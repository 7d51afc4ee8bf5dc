//! What a session does besides turns: it takes changes back and moves in its tree.
//!
//! Such work is a run like a turn: the session is busy meanwhile, what it waits for is visible, and an
//! abort stops it. It runs in a task of its own and comes back as one [`Report`].

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use provider::Part;
use store::{EntryKind, LoadedSession};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Session;
use super::handle::AnswerTo;
use super::state::{Phase, Run, Work};
use crate::changes::undo::Undo;
use crate::changes::undone::{Target, UndoError, Undone};
use crate::command::{BranchTo, Branched, CommandError, Place};
use crate::event::{EndReason, Event, Failure};
use crate::id::TurnId;
use crate::journal::record::{self, NoteRecord, UndoRecord};
use crate::journal::{self, Loaded};
use crate::report::Report;

const FILES_DIFFER: &str = "[The user went back to this point of the conversation. Files were changed since then and have not been put back: read them again before you rely on them.]";

const BRANCHED: &str =
    "Not run to its end on this branch of the conversation. Look before you rely on any effect of it.";

impl Session {
    pub(super) fn undo(&mut self, what: Target, reply: AnswerTo<Undone>) {
        if self.run.is_some() {
            return self.answer(reply, Err(CommandError::Busy));
        }
        let undo = self.start_work(Work::Undo, Phase::Undo);
        self.spawn(async move {
            let result = caught(undo.run(&what)).await;
            Report::Undone { result: result.and_then(|undone| undone), reply }
        });
    }

    pub(super) fn undone(&mut self, result: Result<Undone, UndoError>) -> Result<Undone, CommandError> {
        let mut undone = result?;
        if let Some(told) = self.record_undo(&mut undone) {
            self.transcript.push_told(told);
        }
        Ok(undone)
    }

    /// Keeps and announces that changes were taken back. Returns what the model is to be told.
    fn record_undo(&mut self, undone: &mut Undone) -> Option<String> {
        if undone.files.is_empty() && undone.conflicts.is_empty() {
            return None;
        }
        let turn_id = self.run.as_ref().and_then(|run| run.turn_id.clone())?;
        let context = self.options.context.clone();
        let files: Vec<String> = undone.files.iter().map(|file| context.display(&file.name)).collect();
        let conflicts = undone.conflicts.iter().map(|conflict| context.display(&conflict.name)).collect();
        let mut told = None;
        if !files.is_empty() {
            let text = format!(
                "[The user took back changes of yours in: {}. Read these files again before you rely on them.]",
                files.join(", ")
            );
            let record =
                UndoRecord { turn_id: turn_id.to_string(), files: files.clone(), told: text.clone() };
            self.record(EntryKind::Undo, &record, None);
            undone.turn_id = Some(turn_id.clone());
            told = Some(text);
        }
        self.emit(Event::ChangesUndone { turn_id, files, conflicts });
        told
    }

    pub(super) fn branch(&mut self, to: BranchTo, reply: AnswerTo<Branched>) {
        if self.run.is_some() {
            return self.answer(reply, Err(CommandError::Busy));
        }
        let undo = self.start_work(Work::Branch, Phase::Undo);
        self.spawn(async move {
            let result = caught(place(&undo, to)).await.map_err(CommandError::Undo);
            Report::Branched { result: Box::new(result.and_then(|place| place)), reply }
        });
    }

    /// Moves to the place once it is stored that the conversation goes on there; else it stays where it is.
    pub(super) fn branched(&mut self, mut place: Place, reply: AnswerTo<Branched>) {
        // On the branch that is left: who comes back to it is told.
        let told = self.record_undo(&mut place.restored);
        self.outgoing.answers_for_itself();
        let commit = self.journal.move_to(place.leaf);
        self.outgoing.expect(vec![commit]);
        self.reply(move |session, failure| {
            if let Some(failure) = failure {
                told.into_iter().for_each(|told| session.transcript.push_told(told));
                let _ = reply.send(Err(CommandError::Store(failure.clone())));
                return;
            }
            let branched = session.go_to(place);
            session.reply(move |_, _| drop(reply.send(Ok(branched))));
        });
    }

    fn go_to(&mut self, place: Place) -> Branched {
        let Place { leaf, loaded, restored, files_differ } = place;
        self.rebase(loaded);
        self.is_cramped = false;
        self.options.context.forget_seen();
        if files_differ {
            let parts = record::parts(&[Part::Text(FILES_DIFFER.into())]);
            self.record(EntryKind::Note, &NoteRecord::Shown(parts), None);
            self.transcript.push_told(FILES_DIFFER.into());
        }
        self.emit(Event::Branched { leaf });
        self.tell_usage();
        Branched { leaf, restored }
    }

    /// The conversation becomes another one. What was spent so far stays spent.
    pub(super) fn rebase(&mut self, loaded: Loaded) {
        self.transcript = loaded.transcript;
        self.usage.used = loaded.used;
        self.usage.estimated = loaded.estimated;
        self.mend(loaded.missing, loaded.cut_off);
    }

    fn start_work(&mut self, work: Work, phase: Phase) -> Undo {
        let turn_id = self.next_turn_id("u");
        self.begin(work, Some(turn_id), phase);
        let cancelled = self.run.as_ref().map(|run| run.cancel.clone()).unwrap_or_default();
        Undo {
            stored: self.journal.stored(),
            context: self.options.context.clone(),
            reporter: self.reporter.clone(),
            cancelled,
        }
    }

    /// From idle to busy.
    pub(super) fn begin(&mut self, work: Work, turn_id: Option<TurnId>, phase: Phase) -> CancellationToken {
        self.outgoing.run_begins();
        self.emit(Event::AgentStart);
        self.options.context.begin_turn();
        let cancel = self.stop.child_token();
        let (steering, _) = watch::channel(false);
        let model = self.options.model.clone();
        self.run = Some(Run { phase, ..Run::new(work, turn_id, model, cancel.clone(), steering) });
        cancel
    }

    /// Runs work in a task; its report, and then its end, come back whatever happens.
    fn spawn(&self, work: impl Future<Output = Report> + Send + 'static) {
        let reporter = self.reporter.clone();
        self.tasks.spawn(async move {
            let report = work.await;
            reporter.report(report).await;
            reporter.report(Report::Ended(EndReason::Completed)).await;
        });
    }
}

/// A panic is an error like others: whoever waits gets an answer.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, UndoError> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_panic| UndoError::Failed(Failure::bug("the undo")))
}

async fn place(undo: &Undo, to: BranchTo) -> Result<Place, CommandError> {
    let unknown = || CommandError::UnknownEntry(to.entry);
    let session = match undo.stored.load().await {
        Ok(session) => session,
        Err(store::StoreError::UnknownSession(_)) => return Err(unknown()),
        Err(error) => return Err(CommandError::Undo(error.into())),
    };
    let entry = session.entries.iter().find(|entry| entry.id == to.entry).ok_or_else(unknown)?;
    let leaf = if to.before { entry.parent } else { Some(entry.id) };
    // In the order in which things happened, whatever branch they are on.
    let since = if to.before { entry.id.0.saturating_sub(1) } else { entry.id.0 };
    let (restored, files_differ);
    if to.restore_files {
        restored = undo.run(&Target::Since(since)).await.map_err(CommandError::Undo)?;
        files_differ = !restored.conflicts.is_empty() || undo.cancelled.is_cancelled();
    } else {
        restored = Undone::default();
        files_differ = !undo.stored.changes().await.map_err(UndoError::from)?.since(since).is_empty();
    }
    let session = LoadedSession {
        record: store::SessionRecord { leaf, ..session.record },
        draft: Vec::new(),
        entries: session.entries,
    };
    let loaded = tokio::task::spawn_blocking(move || journal::load_with(&session, BRANCHED)).await;
    let loaded = loaded.map_err(|_panic| UndoError::Failed(Failure::bug("the branch")))?;
    Ok(Place { leaf, loaded, restored, files_differ })
}

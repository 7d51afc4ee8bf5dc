//! A session: one conversation, owned by one task.
//!
//! [`Incoming`] is the list of everything that can happen to a session. Handling it is not async, so
//! nothing interleaves; what takes time runs in a [`Turn`](crate::turn::Turn) or in an asking task and comes back as a message.

mod answer;
mod compaction;
mod handle;
mod model;
mod outgoing;
mod questions;
mod queue;
mod state;
mod work;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use store::{EntryId, EntryKind, NewBlob, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::command::{CommandError, Steered};
use crate::event::{ContextUsage, EndReason, Event, Failure, Queued, QueuedKind, WaitingFor};
use crate::id::{CallId, Counter, MessageId, TurnId};
use crate::journal::record::{self, AssistantRecord, NoteRecord, ToolResultRecord};
use crate::journal::{Journal, Loaded};
use crate::model::Model;
use crate::report::{Report, Reporter};
use crate::transcript::Transcript;
use handle::{AnswerTo, Command};
pub use handle::{Attempt, Options, Reply, SessionHandle};
use outgoing::Outgoing;
use questions::Questions;
pub use state::State;
use state::{Phase, Run, RunningCall, Work};

/// Reports on their way; a full channel makes the turn wait, and with it the model's socket.
const REPORTS: usize = 256;
/// Reports handled before commands are looked at again.
const REPORTS_AT_ONCE: usize = 32;

enum Incoming {
    Command(Command),
    Report(Report),
    /// An append is durable, or will never be.
    Committed(Result<(), StoreError>),
}

struct Session {
    options: Options,
    /// Its own inbox, for those who ask on its behalf.
    commands: mpsc::WeakSender<Command>,
    stop: CancellationToken,
    tasks: TaskTracker,
    reports: mpsc::Receiver<Report>,
    reporter: Reporter,
    clients: Vec<Arc<dyn Client>>,
    /// The number of the last event.
    seq: u64,
    outgoing: Outgoing,
    journal: Journal,
    transcript: Transcript,
    queue: VecDeque<Queued>,
    /// What is to be queued when it is stored, and so promised.
    arriving: Vec<Queued>,
    questions: Questions,
    run: Option<Run>,
    usage: ContextUsage,
    /// The last compaction has hardly made room.
    is_cramped: bool,
    /// What clients were last told.
    published: (bool, Option<WaitingFor>),
    /// Accepted turn ids that clients chose.
    chosen_turns: HashSet<TurnId>,
    turn_ids: Counter,
    message_ids: Counter,
}

impl Session {
    fn new(
        options: Options,
        journal: Journal,
        loaded: Loaded,
        commands: mpsc::WeakSender<Command>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS);
        let usage = ContextUsage {
            used: loaded.used,
            estimated: loaded.estimated,
            window: None,
            compact_at: None,
            session: loaded.usage,
            cost: loaded.cost,
        };
        let mut session = Self {
            options,
            commands,
            stop,
            tasks: TaskTracker::new(),
            reports,
            reporter: Reporter::new(sender),
            clients: Vec::new(),
            seq: 0,
            outgoing: Outgoing::default(),
            journal,
            transcript: loaded.transcript,
            queue: loaded.queue,
            arriving: Vec::new(),
            questions: Questions::default(),
            run: None,
            usage,
            is_cramped: false,
            published: (false, None),
            chosen_turns: loaded.turn_ids,
            turn_ids: Counter::default(),
            message_ids: Counter::after(loaded.last_message),
        };
        session.measure();
        session.mend(loaded.missing, loaded.cut_off);
        session
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            let incoming = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => Incoming::Command(command),
                    None => break,
                },
                result = self.outgoing.committed(), if self.outgoing.has_commits() => Incoming::Committed(result),
                Some(report) = self.reports.recv() => Incoming::Report(report),
            };
            self.handle(incoming);
            for _ in 0..REPORTS_AT_ONCE {
                let Ok(report) = self.reports.try_recv() else { break };
                self.handle(Incoming::Report(report));
            }
            self.publish_status();
            self.clients.iter().for_each(|client| client.flush());
        }
        self.close().await;
    }

    /// Stops what runs, waits for it, and ends background commands.
    async fn close(mut self) {
        let limit = self.options.context.limits.close;
        // Also when every handle is gone: what is left ends side by side, not one after the other.
        self.stop.cancel();
        if self.run.is_some() {
            self.abort(None);
        }
        let stopped = tokio::time::timeout(limit, async {
            while self.run.is_some() || self.outgoing.has_commits() {
                let incoming = tokio::select! {
                    result = self.outgoing.committed(), if self.outgoing.has_commits() => Incoming::Committed(result),
                    Some(report) = self.reports.recv() => Incoming::Report(report),
                };
                self.handle(incoming);
            }
            self.options.context.processes.close().await;
            self.tasks.close();
            self.tasks.wait().await;
        });
        if stopped.await.is_err() {
            tracing::warn!(session = %self.options.id, "closed while a turn was still running");
        }
        self.clients.iter().for_each(|client| client.flush());
    }

    fn handle(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Command(command) => {
                self.outgoing.answers_for_itself();
                self.command(command);
            }
            Incoming::Report(report) => {
                self.outgoing.answers_for_all();
                self.report(report);
            }
            Incoming::Committed(result) => self.committed(result),
        }
    }

    fn command(&mut self, command: Command) {
        // A reply that nobody waits for any more is dropped: the command stands all the same.
        match command {
            // What they are told must include what waits to be announced.
            Command::Attach { .. }
            | Command::State { .. }
            // What they read in the store must be all that happened.
            | Command::Undo { .. }
            | Command::Branch { .. }
            | Command::Compact { .. } => self.when_clear(command),
            Command::Detach { client } => self.detach(client),
            Command::Prompt { prompt, reply } => {
                let answer = self.prompt(prompt);
                self.answer(reply, answer);
            }
            Command::Steer { text, reply } => {
                let steered = if self.run.is_some() {
                    Steered::Queued(self.enqueue(text, QueuedKind::Steering))
                } else {
                    let turn_id = self.next_turn_id("t");
                    self.start_run(turn_id.clone(), text, Vec::new());
                    Steered::Began(turn_id)
                };
                self.answer(reply, Ok(steered));
            }
            Command::FollowUp { text, reply } => {
                let message_id = self.follow_up(text);
                self.answer(reply, Ok(message_id));
            }
            Command::SetModel { model, thinking, reply } => {
                self.set_model(model, thinking);
                self.answer(reply, Ok(()));
            }
            Command::SetMode { mode, reply } => {
                self.set_mode(mode);
                self.answer(reply, Ok(()));
            }
            Command::CancelQueued { message_id, reply } => {
                let withdrawn = self.withdraw(&message_id);
                self.answer(reply, Ok(withdrawn));
            }
            Command::Abort { reply } => self.abort(Some(reply)),
            Command::Answered { question, client, answer } => self.answered(&question, client, answer),
        }
    }

    /// Commands that were held until everything before them was announced.
    fn command_now(&mut self, command: Command) {
        match command {
            Command::Attach { client, reply } => {
                let _ = reply.send(self.state());
                self.attach(client);
            }
            Command::State { reply } => {
                let _ = reply.send(self.state());
            }
            Command::Undo { what, reply } => self.undo(what, reply),
            Command::Branch { to, reply } => self.branch(to, reply),
            Command::Compact { keep, reply } => self.compact(keep, reply),
            other => self.command(other),
        }
    }

    /// Keeps what happened; until it is durable, nothing that follows is announced.
    fn record(&mut self, kind: EntryKind, payload: &impl Serialize, found_by: Option<String>) -> EntryId {
        self.record_with(kind, payload, found_by, None)
    }

    /// As [`Self::record`], with a large content that goes along.
    fn record_with(
        &mut self,
        kind: EntryKind,
        payload: &impl Serialize,
        found_by: Option<String>,
        blob: Option<NewBlob>,
    ) -> EntryId {
        let (id, commits) = self.journal.record(kind, payload, found_by, blob);
        self.outgoing.expect(commits);
        id
    }

    /// Stores what loading had to add.
    fn mend(&mut self, missing: Vec<ToolResultRecord>, cut_off: Option<AssistantRecord>) {
        for result in missing {
            self.record(EntryKind::ToolResult, &result, None);
        }
        if let Some(cut_off) = cut_off {
            self.record(EntryKind::Assistant, &cut_off, None);
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            // Nothing builds on a prompt that was refused.
            Report::Opened { .. } | Report::Answer(_) if self.is_refused() => {}
            Report::Opened { parts } => {
                if !parts.is_empty() {
                    self.record(EntryKind::Note, &NoteRecord::Shown(record::parts(&parts)), None);
                    self.transcript.push_user(parts);
                }
            }
            Report::Step { may_compact, reply } => {
                let next = self.step(may_compact);
                let _ = reply.send(next);
            }
            Report::CompactionStarts { trigger, reply } => self.compaction_starts(trigger, reply),
            Report::Compacted { record, reply } => {
                if let Some(usage) = record.usage {
                    self.spend(&usage.into());
                }
                let id = self.compacted(&record);
                self.reply(move |_, failure| {
                    let _ = reply.send(failure.map_or(Ok(id), |failure| Err(failure.clone())));
                });
            }
            Report::CompactionEnded { result } => self.compaction_ended(result),
            Report::Answer(events) => {
                events.into_iter().for_each(|event| self.answer_event(event));
                self.draft();
            }
            Report::Retry { attempt, delay, reason } => {
                let message_id = self.void_message();
                self.forget_draft();
                self.set_phase(Phase::Retry { attempt, delay, reason: reason.clone() });
                self.emit(Event::Retry { message_id, attempt, delay, reason });
            }
            Report::Spent(usage) => self.spend(&usage),
            Report::Summarising => self.set_phase(Phase::Compaction),
            Report::Failed(failure) => {
                self.end_message();
                self.forget_draft();
                self.emit(Event::Error { failure });
            }
            Report::CallStarted { call_id, tool, args } => {
                if let Some(run) = &mut self.run {
                    run.calls.push(RunningCall::new(call_id.clone(), tool.clone(), &args));
                }
                self.set_phase(Phase::Tools);
                self.emit(Event::ToolExecutionStart { tool, call_id, args });
            }
            Report::CallOutput { call_id, delta } => self.call_output(call_id, delta),
            Report::CallEnded { call_id, tool, result } => {
                let at = |run: &Run| run.calls.iter().position(|running| running.id == call_id);
                let ended = self.run.as_mut().and_then(|run| at(run).map(|at| run.calls.remove(at)));
                let is_command = ended.as_ref().is_some_and(|call| call.is_command);
                let found_by = ended.map_or_else(|| tool.clone(), |call| call.found_by);
                self.transcript.end_call(&call_id, result.parts());
                let kept = ToolResultRecord::new(&call_id, &tool, is_command, &result);
                self.record(EntryKind::ToolResult, &kept, Some(found_by));
                self.emit(Event::ToolExecutionEnd { tool, call_id, result });
            }
            Report::Changing { mut change, blob, reply } => {
                if let Some(turn_id) = self.run.as_ref().and_then(|run| run.turn_id.as_ref()) {
                    change.turn_id = turn_id.to_string();
                }
                let id = self.record_with(EntryKind::Note, &NoteRecord::Change(*change), None, blob);
                self.reply(move |_, failure| {
                    let _ = reply.send(failure.map_or(Ok(id.0), |failure| Err(failure.clone())));
                });
            }
            Report::Left(left) => {
                self.record(EntryKind::Note, &NoteRecord::Left(left), None);
            }
            Report::TookBack(took_back) => {
                self.record(EntryKind::Note, &NoteRecord::TookBack(took_back), None);
            }
            Report::Edited { uri, diff } => self.emit(Event::DocumentEdited { uri, diff }),
            Report::Undone { result, reply } => {
                let undone = self.undone(result);
                self.answer(reply, undone);
            }
            Report::Branched { result, reply } => match *result {
                Ok(place) => self.branched(place, reply),
                Err(error) => self.answer(reply, Err(error)),
            },
            Report::Announce { reply } => self.reply(unless_it_failed(reply, ())),
            Report::Ask { question, reply } => self.ask(question, reply),
            Report::Ended(reason) => self.when_kept(reason),
        }
    }

    fn call_output(&mut self, call_id: CallId, mut delta: String) {
        let limit = self.options.context.limits.tool_output;
        let Some(run) = &mut self.run else { return };
        let Some(RunningCall { told: sent, .. }) = run.calls.iter_mut().find(|running| running.id == call_id)
        else {
            return;
        };
        if *sent >= limit {
            return;
        }
        if *sent + delta.len() > limit {
            delta.truncate(delta.floor_char_boundary(limit - *sent));
            delta.push_str("\n[the rest of the output is not shown here]\n");
            *sent = limit;
        }
        *sent += delta.len();
        self.emit(Event::ToolOutput { call_id, delta });
    }

    /// Answers a command once what it did is durable, or says that it never will be.
    fn answer<T: Send + 'static>(&mut self, reply: AnswerTo<T>, answer: Result<T, CommandError>) {
        self.reply(move |_, failure| {
            let _ = reply.send(match failure {
                Some(failure) => Err(CommandError::Store(failure.clone())),
                None => answer,
            });
        });
    }

    fn abort(&mut self, reply: Option<oneshot::Sender<Vec<Queued>>>) {
        let Some(run) = &mut self.run else {
            if let Some(reply) = reply {
                let _ = reply.send(self.hand_back_queue());
            }
            return;
        };
        run.aborts.extend(reply);
        run.cancel.cancel();
        if !std::mem::replace(&mut run.abort_told, true) {
            self.emit(Event::AgentAbort);
        }
        self.withdraw_questions();
    }

    fn end_turn(&mut self, reason: EndReason) {
        let partial = self.end_message();
        self.withdraw_questions();
        let Some(run) = self.run.take() else { return };
        // The abort may have come when the turn had just ended by itself. It holds all the same: nothing
        // that was queued begins after it.
        let reason = match run.cancel.is_cancelled() {
            true if run.store_failed => EndReason::Error,
            true => EndReason::Aborted,
            false => reason,
        };
        if run.work != Work::Turn {
            return self.end_run(run, reason);
        }
        if reason == EndReason::Aborted {
            self.transcript.close_open("aborted by the user before it finished");
            if partial.is_some() || self.transcript.wants_answer() {
                let (message_id, text) = partial.unwrap_or_else(|| (self.next_message_id(), String::new()));
                let Model { provider, info } = self.asked().clone();
                let interrupted = AssistantRecord::interrupted(&message_id, provider.name(), &info.id, &text);
                self.transcript.push_partial(provider.name(), &info.id, text);
                self.record(EntryKind::Assistant, &interrupted, None);
            }
        } else {
            self.transcript.close_open("not finished: the turn ended before it");
        }
        if let Some(mark) = run.refused {
            self.transcript.go_back(mark);
        }
        if let Some(turn_id) = run.turn_id.clone() {
            let message = run.last_text.clone();
            self.emit(Event::TurnEnd { turn_id, message, usage: run.usage, cost: run.cost });
        }
        self.end_run(run, reason);
    }

    /// From busy to idle, or to what was queued.
    fn end_run(&mut self, run: Run, reason: EndReason) {
        let may_go_on = run.work == Work::Turn || run.queued;
        if reason == EndReason::Completed && may_go_on && self.start_queued() {
            return;
        }
        self.publish_status();
        self.emit(Event::AgentEnd { reason });
        if !run.aborts.is_empty() {
            let queued = self.hand_back_queue();
            self.reply(move |_, _| {
                for reply in run.aborts {
                    let _ = reply.send(queued.clone());
                }
            });
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(run) = &mut self.run {
            run.phase = phase;
        }
    }

    /// Tells what is being waited for, if that has changed.
    fn publish_status(&mut self) {
        let status = (self.run.is_some(), self.waiting_for());
        if status != self.published {
            self.published = status.clone();
            self.emit(Event::StatusUpdate { running: status.0, waiting_for: status.1 });
        }
    }

    fn next_message_id(&mut self) -> MessageId {
        MessageId::new(self.message_ids.next("m"))
    }
}

/// Sends what a turn waits for, unless the turn is being stopped: it learns that by the sender's end.
fn unless_it_failed<T: Send + 'static>(
    reply: oneshot::Sender<T>,
    answer: T,
) -> impl FnOnce(&mut Session, Option<&Failure>) + Send + 'static {
    move |_, failure| {
        if failure.is_none() {
            let _ = reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests;

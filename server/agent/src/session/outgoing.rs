//! What is announced only when it is durable.
//!
//! While an append is on its way, events and replies wait here, in order; when nothing is on its way they
//! leave at once. The model's stream never waits: only the telling of it does.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use store::{Commit, StoreError};

use super::Session;
use super::handle::Command;
use crate::event::{EndReason, Event, Failure};
use crate::id::QuestionId;

/// Called when what it answers is durable, or with what went wrong.
type Reply = Box<dyn FnOnce(&mut Session, Option<&Failure>) + Send>;

#[derive(Default)]
pub(super) struct Outgoing {
    /// Appends that are on their way, oldest first.
    commits: FuturesOrdered<Commit>,
    n_recorded: u64,
    n_committed: u64,
    /// Appends after this one concern who is being answered.
    since: u64,
    /// The last append that failed.
    failed: Option<(u64, Failure)>,
    waiting: VecDeque<Waiting>,
    /// The first thing that went wrong, while what follows from it still goes wrong.
    cause: Option<Failure>,
    /// The user knows that nothing can be kept, as of this run.
    failure_told: bool,
}

struct Waiting {
    /// So many appends must be durable first; those after `since` are its own.
    since: u64,
    after: u64,
    what: What,
}

enum What {
    Event(Event),
    Reply(Reply),
    Question(QuestionId),
    /// A command whose answer must include everything before it.
    Command(Command),
    /// The end of a run, which is not over before it is stored.
    Ended(EndReason),
}

impl Outgoing {
    /// Whether nothing has to wait.
    pub(super) fn is_clear(&self) -> bool {
        self.waiting.is_empty() && self.n_recorded == self.n_committed
    }

    pub(super) fn expect(&mut self, commits: Vec<Commit>) {
        self.n_recorded += commits.len() as u64;
        self.commits.extend(commits);
    }

    pub(super) fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// The next append that is done; only to be polled while there is one.
    pub(super) async fn committed(&mut self) -> Result<(), StoreError> {
        let result = self.commits.next().await.unwrap_or(Ok(()));
        self.n_committed += 1;
        result
    }

    fn hold(&mut self, what: What) {
        self.waiting.push_back(Waiting { since: self.since, after: self.n_recorded, what });
    }

    /// What is answered from here on fails with what is recorded from here on.
    pub(super) fn answers_for_itself(&mut self) {
        self.since = self.n_recorded;
    }

    /// What is answered from here on fails also with what is on its way.
    pub(super) fn answers_for_all(&mut self) {
        self.since = self.n_committed;
    }

    /// A run begins, which may fail anew.
    pub(super) fn run_begins(&mut self) {
        self.failure_told = false;
    }

    /// What need not wait any more, and what went wrong with that.
    fn ready(&mut self) -> Option<(What, Option<Failure>)> {
        let is_ready = self.waiting.front().is_some_and(|waiting| waiting.after <= self.n_committed);
        let Waiting { since, what, .. } = if is_ready { self.waiting.pop_front()? } else { return None };
        let failed = self.failed.as_ref().filter(|(nth, _)| *nth > since);
        Some((what, failed.map(|(_, failure)| failure.clone())))
    }
}

impl Session {
    pub(super) fn emit(&mut self, event: Event) {
        if self.outgoing.is_clear() {
            self.tell(&event);
        } else {
            self.outgoing.hold(What::Event(event));
        }
    }

    /// Replies when everything that was recorded so far is durable, or will never be.
    pub(super) fn reply(&mut self, reply: impl FnOnce(&mut Self, Option<&Failure>) + Send + 'static) {
        if self.outgoing.is_clear() {
            reply(self, None);
        } else {
            self.outgoing.hold(What::Reply(Box::new(reply)));
        }
    }

    /// Puts a question now, or when everything before it was announced.
    pub(super) fn put_in_turn(&mut self, id: QuestionId) {
        if self.outgoing.is_clear() {
            self.put_to_all(&id);
        } else {
            self.outgoing.hold(What::Question(id));
        }
    }

    /// Does the command now, or when everything before it was announced.
    pub(super) fn when_clear(&mut self, command: Command) {
        if self.outgoing.is_clear() {
            self.command_now(command);
        } else {
            self.outgoing.hold(What::Command(command));
        }
    }

    /// Ends the run now, or when everything before its end is durable or will never be.
    pub(super) fn when_kept(&mut self, reason: EndReason) {
        if self.outgoing.is_clear() {
            self.end_turn(reason);
        } else {
            self.outgoing.hold(What::Ended(reason));
        }
    }

    /// An append is durable, or will never be.
    pub(super) fn committed(&mut self, result: Result<(), StoreError>) {
        self.journal.settled(result.is_ok());
        if let Err(error) = result {
            let failure = self.store_failed(&error);
            self.outgoing.failed = Some((self.outgoing.n_committed, failure));
        }
        if !self.outgoing.has_commits() {
            self.outgoing.cause = None;
        }
        while let Some((what, failure)) = self.outgoing.ready() {
            self.outgoing.answers_for_itself();
            match what {
                What::Event(event) => self.tell(&event),
                What::Reply(reply) => reply(self, failure.as_ref()),
                What::Question(id) => self.put_to_all(&id),
                What::Command(command) => self.command_now(command),
                What::Ended(reason) => self.end_turn(reason),
            }
        }
    }

    /// Nothing more can be kept: the turn stops, and the user is told before anything that follows from
    /// what is not kept.
    fn store_failed(&mut self, error: &StoreError) -> Failure {
        if let Some(cause) = &self.outgoing.cause {
            return cause.clone();
        }
        let mut message = format!("the session cannot be stored: {error}");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        tracing::error!(session = %self.options.id, message, "an append failed");
        let failure = Failure { code: "store".into(), message, hint: error.hint().map(Into::into) };
        self.outgoing.cause = Some(failure.clone());
        if let Some(run) = &mut self.run {
            run.store_failed = true;
            run.cancel.cancel();
            // Nothing was promised: the same prompt may come again.
            if let Some(turn_id) = &run.turn_id {
                self.chosen_turns.remove(turn_id);
            }
        }
        if !std::mem::replace(&mut self.outgoing.failure_told, true) {
            self.tell(&Event::Error { failure: failure.clone() });
        }
        failure
    }

    /// Events are numbered when they are told, so that the error of an append can come before what was held
    /// for it.
    pub(super) fn tell(&mut self, event: &Event) {
        self.seq += 1;
        for client in &self.clients {
            client.event(&self.options.id, self.seq, event);
        }
    }
}

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
use crate::event::{Event, Failure};
use crate::id::QuestionId;

/// Called when everything before it is durable, or with what went wrong.
type Reply = Box<dyn FnOnce(Option<&Failure>) + Send>;

#[derive(Default)]
pub(super) struct Outgoing {
    /// Appends that are on their way, oldest first.
    commits: FuturesOrdered<Commit>,
    n_recorded: u64,
    n_committed: u64,
    waiting: VecDeque<Waiting>,
    /// The first thing that went wrong, while what follows from it still goes wrong.
    cause: Option<Failure>,
}

struct Waiting {
    /// So many appends must be durable first.
    after: u64,
    what: What,
}

enum What {
    Event {
        seq: u64,
        event: Event,
    },
    Reply(Reply),
    Question(QuestionId),
    /// A command whose answer must include everything before it.
    Command(Command),
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
        self.waiting.push_back(Waiting { after: self.n_recorded, what });
    }

    fn ready(&mut self) -> Option<What> {
        let is_ready = self.waiting.front().is_some_and(|waiting| waiting.after <= self.n_committed);
        if is_ready { self.waiting.pop_front().map(|waiting| waiting.what) } else { None }
    }
}

impl Session {
    pub(super) fn emit(&mut self, event: Event) {
        self.seq += 1;
        if self.outgoing.is_clear() {
            self.tell(self.seq, &event);
        } else {
            self.outgoing.hold(What::Event { seq: self.seq, event });
        }
    }

    /// Replies when everything that was recorded so far is durable.
    pub(super) fn reply(&mut self, reply: impl FnOnce(Option<&Failure>) + Send + 'static) {
        if self.outgoing.is_clear() {
            reply(None);
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

    /// An append is durable, or will never be.
    pub(super) fn committed(&mut self, result: Result<(), StoreError>) {
        self.journal.settled(result.is_ok());
        let failure = result.err().map(|error| self.store_failed(&error));
        if !self.outgoing.has_commits() {
            self.outgoing.cause = None;
        }
        while let Some(what) = self.outgoing.ready() {
            match what {
                What::Event { seq, event } => self.tell(seq, &event),
                What::Reply(reply) => reply(failure.as_ref()),
                What::Question(id) => self.put_to_all(&id),
                What::Command(command) => self.command_now(command),
            }
        }
    }

    /// Nothing more can be kept: the turn stops, and the user is told, once a run.
    fn store_failed(&mut self, error: &StoreError) -> Failure {
        let failure = Failure {
            code: "store".into(),
            message: format!("the session cannot be stored: {error}"),
            hint: error.hint().map(Into::into),
        };
        tracing::error!(session = %self.options.id, %error, "an append failed");
        let failure = self.outgoing.cause.get_or_insert(failure).clone();
        if let Some(run) = &mut self.run
            && !std::mem::replace(&mut run.store_failed, true)
        {
            run.cancel.cancel();
            // Nothing was promised: the same prompt may come again.
            if let Some(turn_id) = &run.turn_id {
                self.chosen_turns.remove(turn_id);
            }
            self.emit(Event::Error { failure: failure.clone() });
        }
        failure
    }

    fn tell(&self, seq: u64, event: &Event) {
        for client in &self.clients {
            client.event(&self.options.id, seq, event);
        }
    }
}

//! What the user wants said: prompts, steering and follow-ups, and when the model hears of them.

use std::collections::VecDeque;

use provider::{Initiator, Part};
use store::EntryKind;
use tokio::sync::watch;

use super::Session;
use super::state::{Phase, Run, Work};
use crate::command::{CommandError, Prompt};
use crate::event::{Attachment, Event, Queued, QueuedKind};
use crate::id::{MessageId, TurnId};
use crate::journal::record::{self, QueuedRecord, SettingsRecord, SteeringRecord, UserRecord};
use crate::report::{Next, Step};
use crate::tools::Toolbox;
use crate::transcript::Mark;
use crate::turn::{Asking, Turn};

impl Session {
    pub(super) fn prompt(&mut self, prompt: Prompt) -> Result<TurnId, CommandError> {
        let Prompt { text, attachments, turn_id } = prompt;
        if let Some(turn_id) = &turn_id
            && self.chosen_turns.contains(turn_id)
        {
            return Ok(turn_id.clone());
        }
        if self.run.is_some() {
            return Err(CommandError::Busy);
        }
        let turn_id = match turn_id {
            Some(turn_id) => {
                self.chosen_turns.insert(turn_id.clone());
                turn_id
            }
            None => self.next_turn_id("t"),
        };
        self.start_run(turn_id.clone(), text, attachments);
        Ok(turn_id)
    }

    pub(super) fn start_run(&mut self, turn_id: TurnId, text: String, attachments: Vec<Attachment>) {
        self.run_begins();
        let user = UserRecord {
            turn_id: turn_id.to_string(),
            message_id: None,
            text,
            attachments: record::attachments(&attachments),
        };
        self.start_turn(turn_id, user, attachments);
    }

    fn run_begins(&mut self) {
        self.outgoing.run_begins();
        self.emit(Event::AgentStart);
    }

    fn start_turn(&mut self, turn_id: TurnId, user: UserRecord, attachments: Vec<Attachment>) {
        let mark = self.transcript.mark();
        let text = user.text.clone();
        self.record(EntryKind::User, &user, Some(text.clone()));
        self.transcript.push_user(vec![Part::Text(text.clone())]);
        self.reply(move |session, failure| {
            if failure.is_some() {
                session.go_back(mark);
            }
        });
        self.emit(Event::TurnStart {
            turn_id: turn_id.clone(),
            text: text.clone(),
            attachments: attachments.clone(),
        });
        let offered = self.options.context.workspace.offered();
        Toolbox::offer(&mut self.options.toolbox, &offered);
        let (steering, steering_waits) = watch::channel(self.has_steering());
        let cancel = self.stop.child_token();
        let turn = Turn {
            attachments,
            asking: Asking {
                model: self.options.model.clone(),
                instructions: self.options.instructions.clone(),
                thinking: self.options.thinking,
                cache_key: self.options.id.to_string(),
                toolbox: self.options.toolbox.clone(),
            },
            context: self.options.context.clone(),
            compactor: self.compactor(cancel.clone()),
            reporter: self.reporter.clone(),
            steering: steering_waits,
            cancelled: cancel.clone(),
        };
        self.options.context.begin_turn();
        let model = self.options.model.clone();
        self.run = Some(Run::new(Work::Turn, Some(turn_id), model, cancel, steering));
        self.tasks.spawn(turn.run());
    }

    /// A follow-up waits in the queue, or begins at once where nothing is before it.
    pub(super) fn follow_up(&mut self, text: String) -> MessageId {
        if self.run.is_some() || !self.queue.is_empty() || !self.arriving.is_empty() {
            return self.enqueue(text, QueuedKind::FollowUp);
        }
        let message = self.message(text, QueuedKind::FollowUp);
        let message_id = message.message_id.clone();
        self.emit(Event::MessageQueued { message: message.clone() });
        self.run_begins();
        self.start_message(message);
        message_id
    }

    /// Begins a turn with the oldest queued message, if there is one.
    pub(super) fn start_queued(&mut self) -> bool {
        let Some(message) = self.queue.pop_front() else { return false };
        self.start_message(message.clone());
        self.put_back_if_refused(message);
        // Behind the entry: until both are stored, the message is in one of the two, and in one only as who
        // loads them counts.
        self.keep_settings();
        true
    }

    fn start_message(&mut self, message: Queued) {
        let Queued { message_id, text, .. } = message;
        let turn_id = self.next_turn_id("t");
        let user = UserRecord {
            turn_id: turn_id.to_string(),
            message_id: Some(message_id.to_string()),
            text,
            attachments: Vec::new(),
        };
        self.emit(Event::MessageApplied { message_id });
        self.start_turn(turn_id, user, Vec::new());
    }

    fn message(&mut self, text: String, kind: QueuedKind) -> Queued {
        Queued { message_id: self.next_message_id(), text, kind }
    }

    /// Queues a message as soon as that is stored. One that cannot be stored was never there: whoever sent it
    /// is told, and may send it again.
    pub(super) fn enqueue(&mut self, text: String, kind: QueuedKind) -> MessageId {
        let message = self.message(text, kind);
        let message_id = message.message_id.clone();
        self.arriving.push(message.clone());
        self.keep_settings();
        self.reply(move |session, failure| {
            session.arriving.retain(|arriving| arriving.message_id != message.message_id);
            match failure {
                None => session.arrived(message),
                Some(_) => session.take_back_settings(),
            }
        });
        message_id
    }

    fn arrived(&mut self, message: Queued) {
        self.put_in_queue(message);
        match &mut self.run {
            Some(run) => run.queued = true,
            None => {
                self.run_begins();
                self.start_queued();
            }
        }
    }

    fn put_in_queue(&mut self, message: Queued) {
        let number = |message: &Queued| message.message_id.number();
        let at = self.queue.partition_point(|queued| number(queued) < number(&message));
        self.queue.insert(at, message.clone());
        self.tell(&Event::MessageQueued { message });
        self.tell_steering();
    }

    /// A message that was promised is not lost when it cannot be stored where it was to go.
    fn put_back_if_refused(&mut self, message: Queued) {
        self.reply(move |session, failure| {
            if failure.is_some() {
                session.put_in_queue(message);
                session.take_back_settings();
            }
        });
    }

    /// What could not be stored must not be stored with what came after it.
    pub(super) fn take_back_settings(&mut self) {
        if self.journal.has_pending_settings() {
            self.keep_settings();
        }
    }

    /// Ends the conversation where it ended before something that could not be stored, nor anything that
    /// builds on it.
    fn go_back(&mut self, mark: Mark) {
        self.transcript.go_back(mark);
        if let Some(run) = &mut self.run {
            run.refused.get_or_insert(mark);
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.refused.is_some())
    }

    pub(super) fn withdraw(&mut self, message_id: &MessageId) -> bool {
        let Some(at) = self.queue.iter().position(|queued| queued.message_id == *message_id) else {
            return false;
        };
        let Some(message) = self.queue.remove(at) else { return false };
        self.keep_settings();
        self.emit(Event::MessageWithdrawn { message_id: message_id.clone() });
        self.tell_steering();
        self.put_back_if_refused(message);
        true
    }

    /// Stores how the session is set and what waits in its queue.
    pub(super) fn keep_settings(&mut self) {
        let settings = SettingsRecord {
            queue: self.queue.iter().chain(&self.arriving).map(QueuedRecord::from).collect(),
            ..self.options.settings.clone()
        };
        let commits = self.journal.settings(&settings);
        self.outgoing.expect(commits);
    }

    pub(super) fn has_steering(&self) -> bool {
        self.queue.iter().any(|queued| queued.kind == QueuedKind::Steering)
    }

    pub(super) fn tell_steering(&self) {
        if let Some(run) = &self.run {
            run.steering.send_replace(self.has_steering());
        }
    }

    /// A safe point: steering goes to the model, and the turn learns what to send, if anything.
    pub(super) fn step(&mut self, may_compact: bool) -> Option<Next> {
        // What is queued is handed back by the abort, not said to a model that is not asked any more.
        if self.run.as_ref().is_none_or(|run| run.cancel.is_cancelled()) {
            return None;
        }
        let (steering, rest) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition::<VecDeque<_>, _>(|queued| queued.kind == QueuedKind::Steering);
        self.queue = rest;
        for message in steering {
            let steering =
                SteeringRecord { message_id: message.message_id.to_string(), text: message.text.clone() };
            let mark = self.transcript.mark();
            self.outgoing.answers_for_itself();
            self.record(EntryKind::Steering, &steering, Some(message.text.clone()));
            self.transcript.push_user(vec![Part::Text(message.text.clone())]);
            self.emit(Event::MessageApplied { message_id: message.message_id.clone() });
            self.reply(move |session, failure| {
                if failure.is_some() {
                    session.go_back(mark);
                    session.put_in_queue(message);
                }
            });
        }
        self.tell_steering();
        if !self.transcript.wants_answer() {
            return None;
        }
        if may_compact && self.must_compact() {
            return Some(if self.is_cramped { self.stuck() } else { Next::Compact });
        }
        self.set_phase(Phase::Model);
        let initiator = if self.transcript.last_is_typed() { Initiator::User } else { Initiator::Agent };
        Some(Next::Ask(Step { items: self.transcript.items(), initiator, used: self.used_now() }))
    }

    pub(super) fn hand_back_queue(&mut self) -> Vec<Queued> {
        let queued: Vec<Queued> = std::mem::take(&mut self.queue).into();
        if !queued.is_empty() {
            self.keep_settings();
        }
        for message in &queued {
            self.emit(Event::MessageWithdrawn { message_id: message.message_id.clone() });
        }
        queued
    }

    /// `t` for turns, `u` for undos.
    pub(super) fn next_turn_id(&mut self, prefix: &str) -> TurnId {
        loop {
            let turn_id = TurnId::new(self.turn_ids.next(prefix));
            if !self.chosen_turns.contains(&turn_id) {
                return turn_id;
            }
        }
    }
}

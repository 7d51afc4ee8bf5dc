//! Questions that wait: put to every attached client, answered once.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::{Command, Session};
use crate::client::{Answer, Asked, Client, ClientId, Question, QuestionKind};
use crate::id::{Counter, QuestionId};

#[derive(Debug, Default)]
pub(super) struct Questions {
    open: Vec<Open>,
    ids: Counter,
}

#[derive(Debug)]
struct Open {
    question: Question,
    reply: oneshot::Sender<Asked>,
    /// Held back until what led to it was announced, it is put to nobody yet.
    is_put: bool,
    /// The clients that are being asked.
    asking: Vec<(ClientId, AbortHandle)>,
}

impl Questions {
    pub(super) fn open(&self) -> impl Iterator<Item = &Question> {
        self.open.iter().map(|open| &open.question)
    }

    fn take(&mut self, id: &QuestionId) -> Option<Open> {
        let at = self.open.iter().position(|open| open.question.id == *id)?;
        Some(self.open.remove(at))
    }
}

impl Session {
    /// Puts a question to every attached client.
    pub(super) fn ask(&mut self, kind: QuestionKind, reply: oneshot::Sender<Asked>) {
        // The turn was aborted while the question was on its way.
        if self.run.as_ref().is_none_or(|run| run.cancel.is_cancelled()) {
            let _ = reply.send(Asked::Nobody);
            return;
        }
        let question = Question { id: QuestionId::new(self.questions.ids.next("q")), kind };
        let id = question.id.clone();
        self.questions.open.push(Open { question, reply, is_put: false, asking: Vec::new() });
        self.put_in_turn(id);
    }

    /// Puts a question to whoever is attached, once what led to it was announced.
    pub(super) fn put_to_all(&mut self, id: &QuestionId) {
        let Some(at) = self.questions.open.iter().position(|open| open.question.id == *id) else { return };
        // What led to the question reaches the clients before it.
        self.clients.iter().for_each(|client| client.flush());
        let question = &self.questions.open[at].question;
        let asking = self.clients.iter().map(|client| self.put(client, question)).collect();
        self.questions.open[at].asking = asking;
        self.questions.open[at].is_put = true;
        self.deny_if_nobody(id);
    }

    pub(super) fn attach(&mut self, client: Arc<dyn Client>) {
        for at in 0..self.questions.open.len() {
            let open = &self.questions.open[at];
            // A client that attaches once more has the question before it already.
            if !open.is_put || open.asking.iter().any(|(asked, _)| *asked == client.id()) {
                continue;
            }
            let asked = self.put(&client, &open.question);
            self.questions.open[at].asking.push(asked);
        }
        self.clients.retain(|attached| attached.id() != client.id());
        self.clients.push(client);
    }

    pub(super) fn detach(&mut self, client: ClientId) {
        self.clients.retain(|attached| attached.id() != client);
        for id in self.questions.open().map(|question| question.id.clone()).collect::<Vec<_>>() {
            self.stop_asking(&id, client);
        }
    }

    /// A client has answered, or said that it cannot.
    pub(super) fn answered(&mut self, id: &QuestionId, client: ClientId, answer: Option<Answer>) {
        let Some(open) = self.questions.open.iter().find(|open| open.question.id == *id) else { return };
        let Some(answer) = answer.filter(|answer| open.question.kind.accepts(answer)) else {
            self.stop_asking(id, client);
            return;
        };
        self.resolve(id, Asked::Answered(answer), Some(client));
    }

    /// Takes back every open question; whoever asked is being cancelled.
    pub(super) fn withdraw_questions(&mut self) {
        for id in self.questions.open().map(|question| question.id.clone()).collect::<Vec<_>>() {
            self.resolve(&id, Asked::Nobody, None);
        }
    }

    /// Asks one client in a task of its own.
    fn put(&self, client: &Arc<dyn Client>, question: &Question) -> (ClientId, AbortHandle) {
        let answer = client.ask(&self.options.id, question);
        let (client, question) = (client.id(), question.id.clone());
        let commands = self.commands.clone();
        let task = self.tasks.spawn(async move {
            let answer = answer.await;
            if let Some(commands) = commands.upgrade() {
                let _ = commands.send(Command::Answered { question, client, answer }).await;
            }
        });
        (client, task.abort_handle())
    }

    fn stop_asking(&mut self, id: &QuestionId, client: ClientId) {
        if let Some(open) = self.questions.open.iter_mut().find(|open| open.question.id == *id) {
            open.asking.retain(|(asked, task)| {
                if *asked == client {
                    task.abort();
                }
                *asked != client
            });
        }
        self.deny_if_nobody(id);
    }

    fn deny_if_nobody(&mut self, id: &QuestionId) {
        let nobody = |open: &Open| open.question.id == *id && open.is_put && open.asking.is_empty();
        if self.questions.open.iter().any(nobody) {
            self.resolve(id, Asked::Nobody, None);
        }
    }

    /// Closes a question; every client but the one that answered is told.
    fn resolve(&mut self, id: &QuestionId, asked: Asked, by: Option<ClientId>) {
        let Some(open) = self.questions.take(id) else { return };
        for (client, task) in &open.asking {
            task.abort();
            let told = self.clients.iter().find(|attached| attached.id() == *client && Some(*client) != by);
            if let Some(client) = told {
                client.resolved(&self.options.id, id);
            }
        }
        // The turn may be gone.
        let _ = open.reply.send(asked);
    }
}

//! The model's answer as it comes, one message at a time.

mod written;

use std::time::Duration;

use provider::{Answer, AnswerEvent, Part, StopReason, Usage};
use store::EntryKind;
use tokio::time::Instant;

use super::Session;
use super::state::Phase;
use crate::event::{Event, Failure};
use crate::id::MessageId;
use crate::journal::record::{self, AssistantRecord, NoteRecord};
use crate::model::Model;

/// What the model reads behind an answer that the service paused: not every model goes on with its own words.
const GO_ON: &str = "[The service paused your answer here. Go on where you stopped.]";

/// How often an unfinished answer is kept.
const DRAFT_EVERY: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn answer_event(&mut self, event: AnswerEvent) {
        match event {
            AnswerEvent::Started => {
                self.message_id();
            }
            AnswerEvent::TextDelta(delta) => {
                let message_id = self.message_id();
                if let Some(run) = &mut self.run {
                    run.text.push_str(&delta);
                }
                self.emit(Event::MessageDelta { message_id, delta });
            }
            AnswerEvent::ThinkingDelta(delta) => {
                let message_id = self.thinking(true);
                self.emit(Event::ThinkingDelta { message_id, delta });
            }
            AnswerEvent::ThinkingEnd(text) => {
                let message_id = self.thinking(false);
                self.emit(Event::ThinkingEnd { message_id, text });
            }
            AnswerEvent::Finished(answer) => {
                let text = answer.text();
                let message_id = self.message_id();
                self.count(answer.usage);
                let assistant = AssistantRecord::new(&message_id, &answer, self.asked());
                self.record(EntryKind::Assistant, &assistant, Some(text.clone()));
                let warnings = self.warnings(&answer, &text);
                let is_paused = answer.stop == StopReason::Paused;
                self.transcript.push_answer(*answer);
                if is_paused {
                    let parts = record::parts(&[Part::Text(GO_ON.into())]);
                    self.record(EntryKind::Note, &NoteRecord::Shown(parts), None);
                    self.transcript.push_told(GO_ON.into());
                }
                if let Some(run) = &mut self.run {
                    run.message = None;
                    run.text.clear();
                    run.last_text.clone_from(&text);
                }
                self.emit(Event::MessageEnd { message_id, text });
                self.tell_usage();
                warnings.into_iter().for_each(|warning| self.emit(Event::Warning { warning }));
            }
        }
    }

    /// What the user should know of an answer that counts all the same.
    fn warnings(&self, answer: &Answer, text: &str) -> Vec<Failure> {
        let provider = self.asked().provider.name();
        let mut warnings = Vec::new();
        if let StopReason::Unknown(reason) = &answer.stop {
            warnings.push(Failure {
                code: "unknown_stop".into(),
                message: format!(
                    "{provider} ended the answer for a reason that Opal does not know: {reason}"
                ),
                hint: Some("Look whether the answer is whole; if it is not, say \"go on\".".into()),
            });
        }
        if answer.tool_calls().next().is_none() {
            let tools = self.options.toolbox.specs();
            let called = written::call(text, |name| tools.iter().any(|tool| tool.name == name));
            warnings.extend(called.map(written::warning));
        }
        warnings
    }

    /// The message being answered; begins one if there is none.
    pub(super) fn message_id(&mut self) -> MessageId {
        if let Some(message_id) = self.run.as_ref().and_then(|run| run.message.clone()) {
            return message_id;
        }
        let message_id = self.next_message_id();
        if let Some(run) = &mut self.run {
            run.message = Some(message_id.clone());
        }
        self.set_phase(Phase::Model);
        self.emit(Event::MessageStart { message_id: message_id.clone() });
        message_id
    }

    /// Opens or closes a thinking block of the message being answered.
    pub(super) fn thinking(&mut self, open: bool) -> MessageId {
        let message_id = self.message_id();
        let was_open = self.run.as_mut().map(|run| std::mem::replace(&mut run.thinking, open));
        if was_open == Some(false) {
            self.emit(Event::ThinkingStart { message_id: message_id.clone() });
        }
        message_id
    }

    /// Drops what was shown of the message being answered.
    pub(super) fn void_message(&mut self) -> MessageId {
        let message_id = self.run.as_mut().and_then(|run| {
            run.text.clear();
            run.thinking = false;
            run.message.take()
        });
        message_id.unwrap_or_else(|| self.next_message_id())
    }

    /// Ends the message being answered with what there is of it, and returns that.
    pub(super) fn end_message(&mut self) -> Option<(MessageId, String)> {
        let run = self.run.as_mut()?;
        let message_id = run.message.take()?;
        let text = std::mem::take(&mut run.text);
        run.thinking = false;
        run.last_text.clone_from(&text);
        self.emit(Event::MessageEnd { message_id: message_id.clone(), text: text.clone() });
        Some((message_id, text))
    }

    /// Keeps what has come of the answer, once in a while.
    pub(super) fn draft(&mut self) {
        let Some(run) = &mut self.run else { return };
        let Some(message_id) = run.message.as_ref().filter(|_| !run.text.is_empty()) else { return };
        let now = Instant::now();
        if now - *run.drafted.get_or_insert(now) < DRAFT_EVERY {
            return;
        }
        run.drafted = Some(now);
        let Model { provider, info } = &run.model;
        self.journal.draft(&run.text, || {
            AssistantRecord::interrupted(message_id, provider.name(), &info.id, &run.text)
        });
    }

    /// What was kept of the answer is void: it fails, or begins anew.
    pub(super) fn forget_draft(&mut self) {
        let drafted = self.run.as_mut().and_then(|run| run.drafted.take());
        if drafted.is_some() {
            self.journal.forget_draft();
        }
    }

    pub(super) fn count(&mut self, usage: Option<Usage>) {
        self.usage.estimated = usage.is_none();
        let Some(usage) = usage else { return };
        self.usage.used = usage.total;
        self.spend(&usage);
    }

    /// Counts tokens that were paid for.
    pub(super) fn spend(&mut self, usage: &Usage) {
        let cost = self.asked().cost(usage);
        let add = |sum: Option<f64>| Some(sum.unwrap_or_default() + cost?).or(sum);
        self.usage.session.add(usage);
        self.usage.cost = add(self.usage.cost);
        if let Some(run) = &mut self.run {
            run.usage.add(usage);
            run.cost = add(run.cost);
        }
    }
}

//! Compaction as the session sees it: when it is due, and what the conversation is afterwards.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use provider::ToolSpec;
use store::{EntryId, EntryKind};
use tokio::sync::oneshot;

use super::handle::AnswerTo;
use super::state::{Phase, Work};
use super::{Session, unless_it_failed};
use crate::command::CommandError;
use crate::event::{Compacted, ContextUsage, EndReason, Event, Failure, Trigger};
use crate::journal::Loaded;
use crate::journal::record::CompactionRecord;
use crate::report::{Next, Report};
use crate::tokens;
use crate::turn::compact::{Compactor, Outcome};

impl Session {
    /// Tokens in the window: the last measure of the service, and an estimate of what came since.
    pub(super) fn used_now(&self) -> u64 {
        let is_measured = self.usage.used > 0 || !self.usage.estimated;
        let around = if is_measured { 0 } else { self.around_the_conversation() };
        self.usage.used + around + self.transcript.unmeasured()
    }

    /// Tokens of what every request begins with, estimated. A measure includes them.
    fn around_the_conversation(&self) -> u64 {
        let tools = self.options.toolbox.specs();
        let of_tool = |tool: &ToolSpec| {
            tokens::of_text(&tool.description) + tokens::of_text(&tool.parameters.to_string()) + tokens::ITEM
        };
        tokens::of_text(&self.options.instructions) + tools.iter().map(of_tool).sum::<u64>()
    }

    /// Tokens as clients are told: a measure of the service, or an estimate where it gives none.
    pub(super) fn usage_told(&self) -> ContextUsage {
        let used = if self.usage.estimated { self.used_now() } else { self.usage.used };
        ContextUsage { used, ..self.usage }
    }

    pub(super) fn tell_usage(&mut self) {
        self.emit(Event::UsageUpdate { usage: self.usage_told() });
    }

    pub(super) fn must_compact(&self) -> bool {
        self.usage.compact_at.is_some_and(|at| self.used_now() >= at)
    }

    /// Two compactions without progress: a third one would be for nothing.
    pub(super) fn stuck(&self) -> Next {
        Next::Stop(Failure {
            code: "compaction".into(),
            message: "the conversation fills the model's window again right after it was compacted".into(),
            hint: Some(
                "Start a new session, or use session/compact with a smaller keep_recent, or a model with a larger \
                 window."
                    .into(),
            ),
        })
    }

    pub(super) fn compactor(&self, cancelled: tokio_util::sync::CancellationToken) -> Compactor {
        Compactor {
            stored: self.journal.stored(),
            model: self.options.model.clone(),
            context: self.options.context.clone(),
            reporter: self.reporter.clone(),
            cancelled,
        }
    }

    /// Begins a compaction that a client asked for.
    pub(super) fn compact(&mut self, keep: Option<u64>, reply: AnswerTo<()>) {
        if self.run.is_some() {
            return self.answer(reply, Err(CommandError::Busy));
        }
        if !self.transcript.has_answer() {
            return self.answer(reply, Err(CommandError::NothingToCompact));
        }
        let cancelled = self.begin(Work::Compaction, None, Phase::Compaction);
        self.answer(reply, Ok(()));
        let compactor = self.compactor(cancelled);
        let reporter = self.reporter.clone();
        self.tasks.spawn(async move {
            let compacted = AssertUnwindSafe(compactor.run(Trigger::Request, keep)).catch_unwind().await;
            let reason =
                match compacted.unwrap_or_else(|_panic| Outcome::Failed(Failure::bug("the compaction"))) {
                    Outcome::Done | Outcome::Nothing => EndReason::Completed,
                    Outcome::Aborted => EndReason::Aborted,
                    Outcome::Failed(_) => EndReason::Error,
                };
            reporter.report(Report::Ended(reason)).await;
        });
    }

    pub(super) fn compaction_starts(&mut self, trigger: Trigger, reply: oneshot::Sender<u64>) {
        let used = self.used_now();
        self.set_phase(Phase::Compaction);
        self.emit(Event::CompactionStart { trigger, used });
        self.reply(unless_it_failed(reply, used));
    }

    pub(super) fn compacted(&mut self, record: &CompactionRecord) -> EntryId {
        self.record(EntryKind::Compaction, record, None)
    }

    pub(super) fn compaction_ended(&mut self, result: Result<(Box<Loaded>, Compacted), String>) {
        let result = result.map(|(loaded, compacted)| {
            self.rebase(*loaded);
            // The model has no text of a file before its eyes any more.
            self.options.context.forget_seen();
            compacted
        });
        self.set_phase(Phase::Model);
        let has_changed = result.is_ok();
        if has_changed {
            // A tenth is soon used up, and every compaction costs a request and the provider's cache.
            self.is_cramped = self.usage.compact_at.is_some_and(|at| self.used_now() >= at / 10 * 9);
        }
        self.emit(Event::CompactionEnd { result, used: self.used_now() });
        if has_changed {
            self.tell_usage();
        }
    }
}

//! One turn: a prompt until the model stops calling tools.
//!
//! A turn runs in its own task. It owns nothing that outlives it: the transcript, the queue and the
//! questions are the session's, to which it reports ([`Report`]) and which it asks before each request
//! what to send ([`Step`]).

mod attachments;
mod calls;
pub(crate) mod compact;
mod repetition;
pub(crate) mod retry;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use provider::{AnswerEvent, Initiator, ProviderError, Request, StopReason, ThinkingLevel, ToolCall};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::event::{Attachment, EndReason, Failure, Trigger};
use crate::model::Model;
use crate::report::{Next, Report, Reporter, Step};
use crate::tools::Toolbox;
use compact::{Compactor, Outcome};
use repetition::Repetition;
use retry::Retries;

/// After so many answers in a row that the service paused, the turn ends.
const MAX_PAUSED_ANSWERS: u32 = 10;

/// The model and how it is asked; fixed for a turn.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub model: Model,
    pub instructions: Arc<str>,
    pub thinking: Option<ThinkingLevel>,
    pub cache_key: String,
    pub toolbox: Arc<Toolbox>,
}

pub(crate) struct Turn {
    pub attachments: Vec<Attachment>,
    pub asking: Asking,
    pub context: Arc<Context>,
    pub reporter: Reporter,
    pub compactor: Compactor,
    /// True while a steering message waits.
    pub steering: watch::Receiver<bool>,
    pub cancelled: CancellationToken,
}

impl Turn {
    /// Runs the turn; the last report tells how it ended, whatever happens.
    pub(crate) async fn run(mut self) {
        let reason = match AssertUnwindSafe(self.turn()).catch_unwind().await {
            Ok(reason) => reason,
            Err(_panic) => {
                self.reporter.report(Report::Failed(Failure::bug("the turn"))).await;
                EndReason::Error
            }
        };
        if self.cancelled.is_cancelled() {
            // Aborted means that nothing it has started runs any more.
            self.context.processes.aborted_have_ended().await;
        }
        self.reporter.report(Report::Ended(reason)).await;
    }

    async fn turn(&mut self) -> EndReason {
        let attached = attachments::read(&self.attachments, &self.context, &self.asking.model);
        let Some(attached) = self.cancelled.run_until_cancelled(attached).await else {
            return EndReason::Aborted;
        };
        match attached {
            Ok(parts) => self.reporter.report(Report::Opened { parts }).await,
            Err(failure) => {
                self.reporter.report(Report::Failed(failure)).await;
                return EndReason::Error;
            }
        }
        let mut repetition = Repetition::default();
        let mut n_denied = 0;
        let mut n_paused = 0;
        let mut compacting = Compacting::default();
        while let Some(next) = self.reporter.step(compacting.may_begin()).await {
            let step = match next {
                Next::Ask(step) => step,
                Next::Stop(failure) => {
                    self.reporter.report(Report::Failed(failure)).await;
                    return EndReason::Error;
                }
                Next::Compact => match self.compact(Trigger::Threshold, &mut compacting).await {
                    Ok(()) => continue,
                    Err(reason) => return reason,
                },
            };
            let answer = match self.answer(step).await {
                Ok(answer) => answer,
                Err(Unanswered::TooLong(failure)) => {
                    compacting.too_long = Some(failure);
                    match self.compact(Trigger::Overflow, &mut compacting).await {
                        Ok(()) => continue,
                        Err(reason) => return reason,
                    }
                }
                Err(Unanswered::Ended(reason)) => return reason,
            };
            compacting = Compacting::default();
            n_paused = if answer.stop == StopReason::Paused { n_paused + 1 } else { 0 };
            match answer.stop {
                StopReason::Length => return EndReason::Length,
                StopReason::Paused if n_paused == MAX_PAUSED_ANSWERS => {
                    self.reporter.report(Report::Failed(self.paused_too_often())).await;
                    return EndReason::Error;
                }
                StopReason::Stop | StopReason::ToolUse | StopReason::Paused | StopReason::Unknown(_) => {}
            }
            if answer.calls.is_empty() {
                continue;
            }
            let outcome = self.calls(answer.calls, &mut repetition).await;
            if self.cancelled.is_cancelled() {
                return EndReason::Aborted;
            }
            if repetition.is_loop() {
                return EndReason::Loop;
            }
            // A model that goes on trying what is denied would go on for ever.
            n_denied = if outcome.all_denied { n_denied + 1 } else { 0 };
            if n_denied == calls::MAX_DENIED_ANSWERS {
                return EndReason::Denied;
            }
        }
        EndReason::Completed
    }

    fn paused_too_often(&self) -> Failure {
        let provider = self.asking.model.provider.name();
        Failure {
            code: "paused".into(),
            message: format!("{provider} paused the answer {MAX_PAUSED_ANSWERS} times in a row"),
            hint: Some("Say \"go on\" to let it try again, or choose another model.".into()),
        }
    }

    /// Makes room, once before each answer for each of the two causes. What makes no room ends the turn
    /// when the service has said that there must be some.
    async fn compact(&self, trigger: Trigger, compacting: &mut Compacting) -> Result<(), EndReason> {
        let was_tried = match trigger {
            Trigger::Overflow => std::mem::replace(&mut compacting.on_overflow, true),
            _ => std::mem::replace(&mut compacting.at_threshold, true),
        };
        let outcome = if was_tried { Outcome::Nothing } else { self.compactor.run(trigger, None).await };
        let failure = match (outcome, compacting.too_long.take()) {
            (Outcome::Done, _) | (Outcome::Nothing, None) => return Ok(()),
            (Outcome::Aborted, _) => return Err(EndReason::Aborted),
            (Outcome::Failed(failure), None) | (_, Some(failure)) => failure,
        };
        self.reporter.report(Report::Failed(failure)).await;
        Err(EndReason::Error)
    }

    /// Asks the model until it has answered, or it is clear that it will not.
    async fn answer(&self, step: Step) -> Result<Answered, Unanswered> {
        let mut initiator = step.initiator;
        let mut retries = Retries::new(&self.context.limits);
        loop {
            let tried = self.try_answer(&step, initiator).await.map_err(Unanswered::Ended)?;
            let error = match tried {
                Ok(answered) => return Ok(answered),
                Err(error @ ProviderError::ContextOverflow { .. }) => {
                    return Err(Unanswered::TooLong(Failure::from(&error)));
                }
                Err(error) => error,
            };
            let pause = match self.reporter.failed(&mut retries, &error).await {
                Ok(pause) => pause,
                Err(failure) => {
                    self.reporter.report(Report::Failed(failure)).await;
                    return Err(Unanswered::Ended(EndReason::Error));
                }
            };
            if !self.reporter.pause(pause, &self.cancelled).await {
                return Err(Unanswered::Ended(EndReason::Aborted));
            }
            initiator = Initiator::Agent;
        }
    }

    /// One request. The outer error is the turn's end, the inner one is the provider's.
    async fn try_answer(
        &self,
        step: &Step,
        initiator: Initiator,
    ) -> Result<Result<Answered, ProviderError>, EndReason> {
        let asking = &self.asking;
        let Model { provider, info } = &asking.model;
        let mut stream = provider.answer(Request {
            model: info.id.clone(),
            instructions: asking.instructions.clone(),
            tools: asking.toolbox.specs(),
            items: step.items.clone(),
            thinking: asking.thinking.and_then(|wanted| info.thinking_near(wanted)),
            cache_key: asking.cache_key.clone(),
            max_output_tokens: info.max_output(step.used),
            context_window: info.context_window,
            images: info.images,
            streams: true,
            initiator,
        });
        loop {
            let next = tokio::select! {
                biased;
                () = self.cancelled.cancelled() => return Err(EndReason::Aborted),
                next = stream.next() => next,
            };
            let mut events = match next {
                Some(Ok(events)) => events,
                Some(Err(error)) => return Ok(Err(error)),
                None => {
                    debug_assert!(false, "a provider's stream ends with an answer or an error");
                    return Ok(Err(ProviderError::Cut {
                        provider: provider.name().into(),
                        message: "the stream ended without an answer".into(),
                    }));
                }
            };
            if let Some(AnswerEvent::Finished(answer)) = events.last_mut() {
                answer.make_call_ids_unique();
            }
            let answered = events.last().and_then(Answered::of);
            self.reporter.report(Report::Answer(events)).await;
            if let Some(answered) = answered {
                return Ok(Ok(answered));
            }
        }
    }
}

/// Why there is no answer.
enum Unanswered {
    /// The service finds the conversation too long for the model.
    TooLong(Failure),
    Ended(EndReason),
}

/// What was tried to make room since the last answer.
#[derive(Debug, Default)]
struct Compacting {
    at_threshold: bool,
    on_overflow: bool,
    /// What the service said.
    too_long: Option<Failure>,
}

impl Compacting {
    fn may_begin(&self) -> bool {
        !self.at_threshold && !self.on_overflow
    }
}

/// What the turn needs of an answer; the rest is the session's.
struct Answered {
    stop: StopReason,
    calls: Vec<ToolCall>,
}

impl Answered {
    fn of(event: &AnswerEvent) -> Option<Self> {
        match event {
            AnswerEvent::Finished(answer) => {
                Some(Self { stop: answer.stop.clone(), calls: answer.tool_calls().cloned().collect() })
            }
            _ => None,
        }
    }
}

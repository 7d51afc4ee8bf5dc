//! Compaction as it runs: the plan is made from the store, a model is asked for the summary, and the
//! session goes on with what is left.

use std::sync::Arc;

use futures::StreamExt;
use provider::{Answer, AnswerEvent, Initiator, Item, ProviderError, Request, StopReason, Usage};
use store::{Entry, LoadedSession};
use tokio_util::sync::CancellationToken;

use super::retry::Retries;
use crate::compaction::{self, Input, PROMPT, Plan, Summarise};
use crate::context::Context;
use crate::event::{Compacted, Failure, Trigger};
use crate::journal::record::CompactionRecord;
use crate::journal::{self, StoredSession};
use crate::model::Model;
use crate::report::{Report, Reporter};

/// Tokens that a summary may have, and what the model thinks before it. One that ends at its limit lacks its end,
/// which is where the model says what to do next; it is asked for once more, with the larger limit.
const SUMMARY: [u32; 2] = [8_192, 32_768];

/// What compacts a session: beside a turn, or on its own.
#[derive(Debug, Clone)]
pub(crate) struct Compactor {
    pub(crate) stored: StoredSession,
    pub(crate) model: Model,
    pub(crate) context: Arc<Context>,
    pub(crate) reporter: Reporter,
    pub(crate) cancelled: CancellationToken,
}

/// What came of a compaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Done,
    /// There is nothing that could be left out.
    Nothing,
    Aborted,
    Failed(Failure),
}

impl Compactor {
    /// Compacts, or leaves everything as it is; either way the session was told.
    pub(crate) async fn run(&self, trigger: Trigger, keep: Option<u64>) -> Outcome {
        let Some(used_now) = self.reporter.compaction_starts(trigger).await else {
            let result = Err("the session cannot be stored".into());
            self.reporter.report(Report::CompactionEnded { result }).await;
            return Outcome::Aborted;
        };
        let window = self.model.window();
        let outcome = self.compact(Input {
            trigger,
            used_now,
            window,
            keep: keep.unwrap_or_else(|| compaction::default_keep(window)),
        });
        let failure = match outcome.await {
            Ok(()) => return Outcome::Done,
            Err(failure) => failure,
        };
        let why = match &failure {
            Outcome::Failed(failure) => failure.message.clone(),
            Outcome::Nothing => "there is nothing older that could be left out".into(),
            _ => "aborted by the user".into(),
        };
        self.reporter.report(Report::CompactionEnded { result: Err(why) }).await;
        failure
    }

    async fn compact(&self, input: Input) -> Result<(), Outcome> {
        let (session, plan) = self.plan(input).await?;
        let record = match plan {
            Plan::Nothing => return Err(Outcome::Nothing),
            Plan::Blank(record) => record,
            Plan::Summarise(summarise) => self.summarise(*summarise).await?,
        };
        self.go_on(session, record).await
    }

    async fn plan(&self, input: Input) -> Result<(LoadedSession, Plan), Outcome> {
        let session = self.stored.load().await.map_err(|error| failed(error.to_string()))?;
        let planned = tokio::task::spawn_blocking(move || {
            let branch = journal::branch(&session);
            let mut plan = compaction::plan(&branch, input);
            if input.trigger != Trigger::Request {
                // There must be room, so the estimate was too low, or much stands around the conversation.
                for keep in [input.keep / 2, input.keep / 4, 0] {
                    if matches!(plan, Plan::Nothing) {
                        plan = compaction::plan(&branch, Input { keep, ..input });
                    }
                }
            }
            (session, plan)
        });
        planned.await.map_err(|_panic| Outcome::Failed(Failure::bug("the compaction")))
    }

    /// Asks the model until it has answered, or it is clear that it will not: then the summary is put together
    /// here.
    async fn summarise(&self, summarise: Summarise) -> Result<CompactionRecord, Outcome> {
        let mut usage: Option<Usage> = None;
        let mut summary = None;
        let most = self.model.info.max_output_tokens.unwrap_or(u32::MAX);
        let mut limits = SUMMARY.map(|limit| limit.min(most)).to_vec();
        limits.dedup();
        for max_tokens in limits {
            let Some(answer) = self.ask_until_answered(&summarise.request, max_tokens).await? else { break };
            if let Some(used) = &answer.usage {
                usage.get_or_insert_default().add(used);
            }
            // A part of a summary must not stand for the conversation.
            if !matches!(answer.stop, StopReason::Length | StopReason::Paused) {
                summary = Some(answer.text()).filter(|text| !text.trim().is_empty());
                break;
            }
            tracing::info!(max_tokens, reason = ?answer.stop, "the summary is not whole");
        }
        let record = match summary {
            Some(text) => summarise.with(text.trim().to_owned()),
            None => summarise.without_model(),
        };
        let cost = usage.and_then(|usage| self.model.cost(&usage));
        Ok(CompactionRecord { usage: usage.map(Into::into), cost, ..record })
    }

    /// Asks again after each passing failure. `None`: the model will not answer.
    async fn ask_until_answered(
        &self,
        request: &str,
        max_tokens: u32,
    ) -> Result<Option<Box<Answer>>, Outcome> {
        let mut retries = Retries::new(&self.context.limits);
        loop {
            let error = match self.ask(request, max_tokens).await? {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            let Ok(pause) = self.reporter.failed(&mut retries, &error).await else {
                tracing::warn!(%error, "no model could summarise the conversation");
                return Ok(None);
            };
            if !self.reporter.pause(pause, &self.cancelled).await {
                return Err(Outcome::Aborted);
            }
            self.reporter.report(Report::Summarising).await;
        }
    }

    /// One request. The outer error is the compaction's end, the inner one is the provider's.
    async fn ask(
        &self,
        request: &str,
        max_tokens: u32,
    ) -> Result<Result<Box<Answer>, ProviderError>, Outcome> {
        let provider = &self.model.provider;
        let mut stream = provider.answer(Request {
            model: self.model.info.id.clone(),
            instructions: PROMPT.into(),
            tools: Arc::new([]),
            items: Arc::new(vec![Arc::new(Item::user(request))]),
            // A summary needs none, and thinking takes room from it.
            thinking: self.model.info.thinking.as_ref().and_then(|levels| levels.first().copied()),
            // Another conversation than the session's, whose cache it would only disturb.
            cache_key: format!("{}-compaction", self.stored.session),
            max_output_tokens: Some(max_tokens),
            context_window: self.model.info.context_window,
            images: None,
            streams: true,
            initiator: Initiator::Agent,
        });
        loop {
            let events = tokio::select! {
                biased;
                () = self.cancelled.cancelled() => return Err(Outcome::Aborted),
                events = stream.next() => events,
            };
            match events {
                Some(Ok(mut events)) => {
                    if let Some(AnswerEvent::Finished(answer)) = events.pop() {
                        return Ok(Ok(answer));
                    }
                }
                Some(Err(error)) => return Ok(Err(error)),
                None => {
                    return Ok(Err(ProviderError::Cut {
                        provider: provider.name().into(),
                        message: "the stream ended without an answer".into(),
                    }));
                }
            }
        }
    }

    /// Appends the entry, and builds the conversation anew as a later load would.
    async fn go_on(&self, mut session: LoadedSession, record: CompactionRecord) -> Result<(), Outcome> {
        let compacted = Compacted { summary: record.summary.clone(), fallback: record.fallback };
        let payload = serde_json::to_string(&record).map_err(|error| failed(error.to_string()))?;
        let id = self.reporter.compacted(record).await.map_err(Outcome::Failed)?;
        session.entries.push(Entry {
            id,
            parent: session.record.leaf,
            kind: store::EntryKind::Compaction,
            created_at_ms: journal::now_ms(),
            payload,
        });
        session.record.leaf = Some(id);
        session.draft.clear();
        let loaded = tokio::task::spawn_blocking(move || journal::load(&session)).await;
        let loaded = loaded.map_err(|_panic| Outcome::Failed(Failure::bug("the compaction")))?;
        self.reporter.report(Report::CompactionEnded { result: Ok((Box::new(loaded), compacted)) }).await;
        Ok(())
    }
}

fn failed(message: String) -> Outcome {
    Outcome::Failed(Failure {
        code: "compaction".into(),
        message: format!("the conversation cannot be compacted: {message}"),
        hint: Some("Start a new session, or try session/compact again.".into()),
    })
}

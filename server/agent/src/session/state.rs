//! What a session looks like at one moment.

use std::time::Duration;

use provider::{ThinkingLevel, Usage};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::client::Question;
use crate::event::{ContextUsage, Queued, WaitingFor};
use crate::id::{CallId, MessageId, SessionId, TurnId};
use crate::model::Model;
use crate::permission::Mode;
use crate::tool::about;
use crate::transcript::Mark;

/// Everything there is to know about a session.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub session_id: SessionId,
    /// The number of the last event this state includes.
    pub seq: u64,
    pub running: bool,
    pub waiting_for: Option<WaitingFor>,
    pub turn_id: Option<TurnId>,
    pub queue: Vec<Queued>,
    pub questions: Vec<Question>,
    pub usage: ContextUsage,
    /// `provider/model`.
    pub model: String,
    pub thinking: Option<ThinkingLevel>,
    pub permission_mode: Mode,
    pub working_dir: String,
    pub shell: String,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Turn,
    Undo,
    Branch,
    Compaction,
}

/// What runs, as the session sees it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) work: Work,
    /// To whom changes belong that are made now.
    pub(super) turn_id: Option<TurnId>,
    pub(super) cancel: CancellationToken,
    pub(super) abort_told: bool,
    /// The session could not be stored; the user was told.
    pub(super) store_failed: bool,
    /// What began it, or was said to it, could not be stored: the conversation ends here again.
    pub(super) refused: Option<Mark>,
    /// When the answer so far was last kept.
    pub(super) drafted: Option<Instant>,
    /// True while a steering message waits.
    pub(super) steering: watch::Sender<bool>,
    pub(super) phase: Phase,
    /// The message being answered, and what has come of its text.
    pub(super) message: Option<MessageId>,
    pub(super) text: String,
    /// Whether a thinking block is open.
    pub(super) thinking: bool,
    /// The text of the last whole message.
    pub(super) last_text: String,
    pub(super) calls: Vec<RunningCall>,
    pub(super) usage: Usage,
    /// USD, as far as prices are known.
    pub(super) cost: Option<f64>,
    /// Who is asked, whatever is chosen meanwhile.
    pub(super) model: Model,
    /// Something was queued since it began.
    pub(super) queued: bool,
    /// Who waits for the run to stop.
    pub(super) aborts: Vec<oneshot::Sender<Vec<Queued>>>,
}

#[derive(Debug)]
pub(super) struct RunningCall {
    pub(super) id: CallId,
    pub(super) tool: String,
    /// The words it is found by: the tool, and the path or command it is about.
    pub(super) found_by: String,
    /// Whether it runs a command, which may change any file.
    pub(super) is_command: bool,
    /// Bytes of output told.
    pub(super) told: usize,
}

impl RunningCall {
    pub(super) fn new(id: CallId, tool: String, args: &Value) -> Self {
        let about = about(args);
        let found_by = about.map_or_else(|| tool.clone(), |about| format!("{tool} {about}"));
        let is_command = args.get("command").is_some_and(Value::is_string);
        Self { id, tool, found_by, is_command, told: 0 }
    }
}

#[derive(Debug)]
pub(super) enum Phase {
    Model,
    Tools,
    Undo,
    Compaction,
    Retry { attempt: u32, delay: Duration, reason: String },
}

impl Run {
    pub(super) fn new(
        work: Work,
        turn_id: Option<TurnId>,
        model: Model,
        cancel: CancellationToken,
        steering: watch::Sender<bool>,
    ) -> Self {
        Self {
            work,
            turn_id,
            cancel,
            abort_told: false,
            store_failed: false,
            refused: None,
            drafted: None,
            steering,
            phase: Phase::Model,
            message: None,
            text: String::new(),
            thinking: false,
            last_text: String::new(),
            calls: Vec::new(),
            usage: Usage::default(),
            cost: None,
            model,
            queued: false,
            aborts: Vec::new(),
        }
    }
}

impl Session {
    pub(super) fn state(&self) -> State {
        let options = &self.options;
        let turn = self.run.as_ref().filter(|run| run.work == Work::Turn);
        State {
            session_id: options.id.clone(),
            seq: self.seq,
            running: self.run.is_some(),
            waiting_for: self.waiting_for(),
            turn_id: turn.and_then(|run| run.turn_id.clone()),
            queue: self.queue.iter().cloned().collect(),
            questions: self.questions.open().cloned().collect(),
            usage: self.usage_told(),
            model: options.model.name(),
            thinking: options.thinking,
            permission_mode: options.context.permissions().mode,
            working_dir: options.context.working_dir.to_string(),
            shell: options.context.shell.name().to_owned(),
        }
    }

    /// What holds the session up: a question before a pause, before a tool, before the model.
    pub(super) fn waiting_for(&self) -> Option<WaitingFor> {
        let run = self.run.as_ref()?;
        if let Some(question) = self.questions.open().next() {
            let title = question.kind.title().to_owned();
            return Some(WaitingFor::Answer { question_id: question.id.clone(), title });
        }
        match &run.phase {
            Phase::Retry { attempt, delay, reason } => {
                Some(WaitingFor::Retry { attempt: *attempt, delay: *delay, reason: reason.clone() })
            }
            Phase::Tools => match run.calls.first() {
                Some(call) => Some(WaitingFor::Tool { tool: call.tool.clone(), call_id: call.id.clone() }),
                None => Some(WaitingFor::Model),
            },
            Phase::Model => Some(WaitingFor::Model),
            Phase::Undo => Some(WaitingFor::Undo),
            Phase::Compaction => Some(WaitingFor::Compaction),
        }
    }
}

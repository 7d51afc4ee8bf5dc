//! What a turn and its calls tell the session, and ask it.

use std::sync::Arc;
use std::time::Duration;

use provider::{AnswerEvent, Initiator, Item, Part, ProviderError, Usage};
use serde_json::Value;
use store::{EntryId, NewBlob};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::changes::undone::{UndoError, Undone};
use crate::client::{Asked, QuestionKind};
use crate::command::{Branched, CommandError, Place};
use crate::event::{Compacted, EndReason, Failure, Trigger};
use crate::id::CallId;
use crate::journal::Loaded;
use crate::journal::record::{ChangeRecord, CompactionRecord, LeftRecord, TookBackRecord};
use crate::result::ToolResult;
use crate::turn::retry::{Pause, Retries};

/// What a turn tells its session, in order.
#[derive(Debug)]
pub(crate) enum Report {
    /// The attachments as the model will see them.
    Opened {
        parts: Vec<Part>,
    },
    /// Asks what to do next. Not to compact again, if that has just been tried.
    Step {
        may_compact: bool,
        reply: oneshot::Sender<Option<Next>>,
    },
    /// A compaction begins; the reply comes when what it will read is stored, with the tokens in use.
    CompactionStarts {
        trigger: Trigger,
        reply: oneshot::Sender<u64>,
    },
    /// An entry that lets the model see less from now on.
    Compacted {
        record: Box<CompactionRecord>,
        reply: oneshot::Sender<Result<EntryId, Failure>>,
    },
    /// The conversation as it is now, or why nothing has changed.
    CompactionEnded {
        result: Result<(Box<Loaded>, Compacted), String>,
    },
    /// More of the answer: all events of one read.
    Answer(Vec<AnswerEvent>),
    /// Tokens of an answer that was no use.
    Spent(Usage),
    /// The answer failed, and begins anew after the pause.
    Retry {
        attempt: u32,
        delay: Duration,
        reason: String,
    },
    /// The pause is over, and the summary is asked for again.
    Summarising,
    /// The answer failed for good.
    Failed(Failure),
    CallStarted {
        call_id: CallId,
        tool: String,
        args: Value,
    },
    CallOutput {
        call_id: CallId,
        delta: String,
    },
    CallEnded {
        call_id: CallId,
        tool: String,
        result: ToolResult,
    },
    /// A change is about to be made: it may be when the reply comes, with its id.
    Changing {
        change: Box<ChangeRecord>,
        blob: Option<NewBlob>,
        reply: oneshot::Sender<Result<u64, Failure>>,
    },
    /// A change came to something else than was expected.
    Left(LeftRecord),
    /// A change that takes others back stands.
    TookBack(TookBackRecord),
    /// A change was seen to stand.
    Edited {
        uri: String,
        diff: String,
    },
    /// The last report but one of an undo.
    Undone {
        result: Result<Undone, UndoError>,
        reply: oneshot::Sender<Result<Undone, CommandError>>,
    },
    /// The last report but one of a branching.
    Branched {
        result: Box<Result<Place, CommandError>>,
        reply: oneshot::Sender<Result<Branched, CommandError>>,
    },
    /// Replies when clients were told of everything before it.
    Announce {
        reply: oneshot::Sender<()>,
    },
    /// Puts a question to the clients.
    Ask {
        question: QuestionKind,
        reply: oneshot::Sender<Asked>,
    },
    /// The last report.
    Ended(EndReason),
}

/// What a turn does next.
#[derive(Debug)]
pub(crate) enum Next {
    Ask(Step),
    /// The window is nearly full.
    Compact,
    /// It is full again right after it was compacted.
    Stop(Failure),
}

/// What to send to the model.
#[derive(Debug)]
pub(crate) struct Step {
    pub items: Arc<Vec<Arc<Item>>>,
    pub initiator: Initiator,
    /// Tokens that they take, as far as is known.
    pub used: u64,
}

/// The way from a turn and its calls to the session.
#[derive(Debug, Clone)]
pub struct Reporter {
    reports: mpsc::Sender<Report>,
    /// Held while a question is put, so that the user sees one at a time.
    pub(crate) questions: Arc<tokio::sync::Mutex<()>>,
}

impl Reporter {
    pub(crate) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self { reports, questions: Arc::default() }
    }

    /// Waits while the session has fallen behind. A session that is gone hears nothing.
    pub(crate) async fn report(&self, report: Report) {
        let _ = self.reports.send(report).await;
    }

    /// Tells what a failed request cost all the same, and why it is not made again or after which pause it is.
    pub(crate) async fn failed(
        &self,
        retries: &mut Retries<'_>,
        error: &ProviderError,
    ) -> Result<Pause, Failure> {
        if let ProviderError::Empty { usage: Some(usage), .. } = error {
            self.report(Report::Spent(*usage)).await;
        }
        retries.after(error)
    }

    /// Tells of a pause, and waits for its end. Whether there was one: a cancelled turn goes on no more.
    pub(crate) async fn pause(&self, pause: Pause, cancelled: &CancellationToken) -> bool {
        let Pause { attempt, delay, reason } = pause;
        self.report(Report::Retry { attempt, delay, reason }).await;
        cancelled.run_until_cancelled(tokio::time::sleep(delay)).await.is_some()
    }

    pub(crate) async fn step(&self, may_compact: bool) -> Option<Next> {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Step { may_compact, reply }).await;
        answer.await.ok().flatten()
    }

    /// Tokens in use. `None`: what is to be read cannot be stored.
    pub(crate) async fn compaction_starts(&self, trigger: Trigger) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        self.report(Report::CompactionStarts { trigger, reply }).await;
        answer.await.ok()
    }

    pub(crate) async fn compacted(&self, record: CompactionRecord) -> Result<EntryId, Failure> {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Compacted { record: Box::new(record), reply }).await;
        answer.await.unwrap_or_else(|_gone| Err(Failure::closed()))
    }

    /// Waits until clients were told of everything before.
    pub(crate) async fn announced(&self) {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Announce { reply }).await;
        // An error: it never will be, and the turn is being stopped.
        let _ = answer.await;
    }

    pub(crate) async fn ask(&self, question: QuestionKind) -> Asked {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Ask { question, reply }).await;
        answer.await.unwrap_or(Asked::Nobody)
    }

    pub(crate) async fn output(&self, call_id: &CallId, delta: String) {
        self.report(Report::CallOutput { call_id: call_id.clone(), delta }).await;
    }

    pub(crate) async fn changing(&self, change: ChangeRecord, blob: Option<NewBlob>) -> Result<u64, Failure> {
        let (reply, answer) = oneshot::channel();
        self.report(Report::Changing { change: Box::new(change), blob, reply }).await;
        answer.await.unwrap_or_else(|_gone| Err(Failure::closed()))
    }

    pub(crate) async fn left(&self, left: LeftRecord) {
        self.report(Report::Left(left)).await;
    }

    pub(crate) async fn took_back(&self, took_back: TookBackRecord) {
        self.report(Report::TookBack(took_back)).await;
    }

    pub(crate) async fn edited(&self, uri: String, diff: String) {
        let diff = provider::mask(&diff).into_owned();
        self.report(Report::Edited { uri, diff }).await;
    }
}

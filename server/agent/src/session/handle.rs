//! The way to a session from outside.

use std::sync::Arc;

use provider::ThinkingLevel;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Session, State};
use crate::changes::undone::{Target, Undone};
use crate::client::{Answer, Client, ClientId};
use crate::command::{BranchTo, Branched, CommandError, Prompt, Steered};
use crate::context::Context;
use crate::event::Queued;
use crate::id::{MessageId, QuestionId, SessionId, TurnId};
use crate::journal::record::SettingsRecord;
use crate::journal::{Journal, Loaded};
use crate::model::Model;
use crate::permission::Mode;
use crate::tools::Toolbox;

/// Commands that wait while the session handles one; a client that sends faster is told so.
const COMMANDS: usize = 256;

/// What a session is started with.
#[derive(Debug, Clone)]
pub struct Options {
    pub id: SessionId,
    pub model: Model,
    pub thinking: Option<ThinkingLevel>,
    pub instructions: Arc<str>,
    pub toolbox: Arc<Toolbox>,
    pub context: Arc<Context>,
    /// As they are stored; the queue aside.
    pub settings: SettingsRecord,
}

/// Starts and stops turns. Cheap to clone; the session itself lives in its own task.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    id: SessionId,
    context: Arc<Context>,
    commands: mpsc::Sender<Command>,
}

/// Where the answer goes of a command that may be refused.
pub(super) type AnswerTo<T> = oneshot::Sender<Result<T, CommandError>>;

#[derive(Debug)]
pub(super) enum Command {
    Attach { client: Arc<dyn Client>, reply: oneshot::Sender<State> },
    Detach { client: ClientId },
    Prompt { prompt: Prompt, reply: AnswerTo<TurnId> },
    Steer { text: String, reply: AnswerTo<Steered> },
    FollowUp { text: String, reply: AnswerTo<MessageId> },
    SetModel { model: Option<Model>, thinking: Option<ThinkingLevel>, reply: AnswerTo<()> },
    SetMode { mode: Mode, reply: AnswerTo<()> },
    Undo { what: Target, reply: AnswerTo<Undone> },
    Branch { to: BranchTo, reply: AnswerTo<Branched> },
    Compact { keep: Option<u64>, reply: AnswerTo<()> },
    CancelQueued { message_id: MessageId, reply: AnswerTo<bool> },
    Abort { reply: oneshot::Sender<Vec<Queued>> },
    State { reply: oneshot::Sender<State> },
    Answered { question: QuestionId, client: ClientId, answer: Option<Answer> },
}

/// A command's answer. The command is on its way when this exists, before it is awaited.
pub type Reply<T> = Result<oneshot::Receiver<T>, CommandError>;

/// The answer of a command that may be refused.
pub type Attempt<T> = Reply<Result<T, CommandError>>;

impl SessionHandle {
    /// Starts a session. It ends when `stop` fires or every handle is gone.
    pub fn start(
        options: Options,
        journal: Journal,
        loaded: Loaded,
        stop: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let handle = Self { id: options.id.clone(), context: options.context.clone(), commands };
        let session = Session::new(options, journal, loaded, handle.commands.downgrade(), stop.clone());
        tasks.spawn(session.run(inbox, stop));
        handle
    }

    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// What its tools work with.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// From the state in the reply on, the client gets every event, and the questions that wait.
    pub fn attach(&self, client: Arc<dyn Client>) -> Reply<State> {
        self.send(|reply| Command::Attach { client, reply })
    }

    pub async fn detach(&self, client: ClientId) {
        let _ = self.commands.send(Command::Detach { client }).await;
    }

    pub fn prompt(&self, prompt: Prompt) -> Attempt<TurnId> {
        self.send(|reply| Command::Prompt { prompt, reply })
    }

    pub fn steer(&self, text: String) -> Attempt<Steered> {
        self.send(|reply| Command::Steer { text, reply })
    }

    pub fn follow_up(&self, text: String) -> Attempt<MessageId> {
        self.send(|reply| Command::FollowUp { text, reply })
    }

    /// Changes who answers, and how long it thinks, from the next turn on. What is `None` stays.
    pub fn set_model(&self, model: Option<Model>, thinking: Option<ThinkingLevel>) -> Attempt<()> {
        self.send(|reply| Command::SetModel { model, thinking, reply })
    }

    /// Changes how much runs unasked, from now on.
    pub fn set_mode(&self, mode: Mode) -> Attempt<()> {
        self.send(|reply| Command::SetMode { mode, reply })
    }

    /// Takes changes back; replies when the files stand as they were, or why not.
    pub fn undo(&self, what: Target) -> Attempt<Undone> {
        self.send(|reply| Command::Undo { what, reply })
    }

    /// Moves to another entry of the tree, from where the conversation goes on.
    pub fn branch(&self, to: BranchTo) -> Attempt<Branched> {
        self.send(|reply| Command::Branch { to, reply })
    }

    /// Begins a compaction that leaves about `keep` tokens of the latest conversation as they are.
    pub fn compact(&self, keep: Option<u64>) -> Attempt<()> {
        self.send(|reply| Command::Compact { keep, reply })
    }

    pub fn cancel_queued(&self, message_id: MessageId) -> Attempt<bool> {
        self.send(|reply| Command::CancelQueued { message_id, reply })
    }

    /// Replies when the run has stopped, with what was queued.
    pub fn abort(&self) -> Reply<Vec<Queued>> {
        self.send(|reply| Command::Abort { reply })
    }

    pub fn state(&self) -> Reply<State> {
        self.send(|reply| Command::State { reply })
    }

    fn send<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Reply<T> {
        let (reply, receiver) = oneshot::channel();
        match self.commands.try_send(command(reply)) {
            Ok(()) => Ok(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Err(CommandError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(CommandError::Closed),
        }
    }
}

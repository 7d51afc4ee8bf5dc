//! A session: one conversation, owned by one task.
//!
//! [`Incoming`] is the list of everything that can happen to a session. Handling it is not async, so
//! nothing interleaves; what takes time runs in a [`Turn`] or in an asking task and comes back as a message.

mod questions;
mod state;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use provider::{AnswerEvent, Initiator, Part, StopReason, ThinkingLevel, Usage};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Answer, Client, ClientId};
use crate::event::{Attachment, ContextUsage, EndReason, Event, Queued, QueuedKind, WaitingFor};
use crate::id::{CallId, Counter, MessageId, QuestionId, SessionId, TurnId};
use crate::tool::Context;
use crate::transcript::Transcript;
use crate::turn::{Asking, Report, Reporter, Step, Turn};
use questions::Questions;
pub use state::State;
use state::{Phase, Run};

/// Commands that wait while the session handles one; a client that sends faster is told so.
const COMMANDS: usize = 256;
/// Reports on their way; a full channel makes the turn wait, and with it the model's socket.
const REPORTS: usize = 256;
/// Reports handled before commands are looked at again.
const REPORTS_AT_ONCE: usize = 32;

/// What a session is started with; fixed from then on.
#[derive(Debug, Clone)]
pub struct Options {
    pub id: SessionId,
    pub provider: Arc<dyn provider::Provider>,
    /// The model's id as the provider knows it.
    pub model: String,
    /// Tokens.
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u32>,
    pub thinking: Option<ThinkingLevel>,
    pub instructions: Arc<str>,
    pub toolbox: Arc<crate::tools::Toolbox>,
    pub context: Arc<Context>,
}

/// Why a session did not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("a turn is running")]
    Busy,
    #[error("the session has too many commands waiting")]
    Overloaded,
    #[error("the session has been closed")]
    Closed,
}

/// Starts and stops turns. Cheap to clone; the session itself lives in its own task.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    id: SessionId,
    context: Arc<Context>,
    commands: mpsc::Sender<Command>,
}

#[derive(Debug)]
enum Command {
    Attach { client: Arc<dyn Client>, reply: oneshot::Sender<State> },
    Detach { client: ClientId },
    Prompt { prompt: Prompt, reply: oneshot::Sender<Result<TurnId, CommandError>> },
    Steer { text: String, reply: oneshot::Sender<Steered> },
    FollowUp { text: String, reply: oneshot::Sender<MessageId> },
    CancelQueued { message_id: MessageId, reply: oneshot::Sender<bool> },
    Abort { reply: oneshot::Sender<Vec<Queued>> },
    State { reply: oneshot::Sender<State> },
    Answered { question: QuestionId, client: ClientId, answer: Option<Answer> },
}

enum Incoming {
    Command(Command),
    Report(Report),
}

#[derive(Debug, Clone, Default)]
pub struct Prompt {
    pub text: String,
    pub attachments: Vec<Attachment>,
    /// Chosen by the client to make the prompt repeatable.
    pub turn_id: Option<TurnId>,
}

/// Where a steering text went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steered {
    Queued(MessageId),
    /// The session was idle: it began a turn.
    Began(TurnId),
}

/// A command's answer. The command is on its way when this exists, before it is awaited.
pub type Reply<T> = Result<oneshot::Receiver<T>, CommandError>;

impl SessionHandle {
    /// Starts a session. It ends when `stop` fires or every handle is gone.
    pub fn start(options: Options, stop: CancellationToken, tasks: &TaskTracker) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let handle = Self { id: options.id.clone(), context: options.context.clone(), commands };
        let session = Session::new(options, handle.commands.downgrade(), stop.clone());
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

    pub fn prompt(&self, prompt: Prompt) -> Reply<Result<TurnId, CommandError>> {
        self.send(|reply| Command::Prompt { prompt, reply })
    }

    pub fn steer(&self, text: String) -> Reply<Steered> {
        self.send(|reply| Command::Steer { text, reply })
    }

    pub fn follow_up(&self, text: String) -> Reply<MessageId> {
        self.send(|reply| Command::FollowUp { text, reply })
    }

    pub fn cancel_queued(&self, message_id: MessageId) -> Reply<bool> {
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

struct Session {
    options: Options,
    commands: mpsc::WeakSender<Command>,
    stop: CancellationToken,
    tasks: TaskTracker,
    reports: mpsc::Receiver<Report>,
    reporter: Reporter,
    clients: Vec<Arc<dyn Client>>,
    seq: u64,
    transcript: Transcript,
    queue: VecDeque<Queued>,
    questions: Questions,
    run: Option<Run>,
    usage: ContextUsage,
    /// What clients were last told.
    published: (bool, Option<WaitingFor>),
    /// Accepted turn ids that clients chose.
    chosen_turns: HashSet<TurnId>,
    turn_ids: Counter,
    message_ids: Counter,
}

impl Session {
    fn new(options: Options, commands: mpsc::WeakSender<Command>, stop: CancellationToken) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS);
        let usage = ContextUsage { window: options.context_window, ..ContextUsage::default() };
        Self {
            options,
            commands,
            stop,
            tasks: TaskTracker::new(),
            reports,
            reporter: Reporter::new(sender),
            clients: Vec::new(),
            seq: 0,
            transcript: Transcript::default(),
            queue: VecDeque::new(),
            questions: Questions::default(),
            run: None,
            usage,
            published: (false, None),
            chosen_turns: HashSet::new(),
            turn_ids: Counter::default(),
            message_ids: Counter::default(),
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            let incoming = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => Incoming::Command(command),
                    None => break,
                },
                Some(report) = self.reports.recv() => Incoming::Report(report),
            };
            self.handle(incoming);
            for _ in 0..REPORTS_AT_ONCE {
                let Ok(report) = self.reports.try_recv() else { break };
                self.handle(Incoming::Report(report));
            }
            self.publish_status();
            self.clients.iter().for_each(|client| client.flush());
        }
        self.close().await;
    }

    /// Stops what runs, waits for it, and ends background commands.
    async fn close(mut self) {
        let limit = self.options.context.limits.close;
        if self.run.is_some() {
            self.abort(None);
        }
        let stopped = tokio::time::timeout(limit, async {
            while self.run.is_some() {
                let Some(report) = self.reports.recv().await else { break };
                self.handle(Incoming::Report(report));
            }
            self.options.context.processes.close().await;
            self.tasks.close();
            self.tasks.wait().await;
        });
        if stopped.await.is_err() {
            tracing::warn!(session = %self.options.id, "closed while a turn was still running");
        }
        self.clients.iter().for_each(|client| client.flush());
    }

    fn handle(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Command(command) => self.command(command),
            Incoming::Report(report) => self.report(report),
        }
    }

    fn command(&mut self, command: Command) {
        // A reply that nobody waits for any more is dropped: the command stands all the same.
        match command {
            Command::Attach { client, reply } => {
                let _ = reply.send(self.state());
                self.attach(client);
            }
            Command::Detach { client } => self.detach(client),
            Command::Prompt { prompt, reply } => {
                let _ = reply.send(self.prompt(prompt));
            }
            Command::Steer { text, reply } => {
                let steered = if self.run.is_some() {
                    Steered::Queued(self.enqueue(text, QueuedKind::Steering))
                } else {
                    let turn_id = self.next_turn_id();
                    self.start_run(turn_id.clone(), text, Vec::new());
                    Steered::Began(turn_id)
                };
                let _ = reply.send(steered);
            }
            Command::FollowUp { text, reply } => {
                let _ = reply.send(self.enqueue(text, QueuedKind::FollowUp));
                if self.run.is_none() {
                    self.emit(Event::AgentStart);
                    self.start_queued();
                }
            }
            Command::CancelQueued { message_id, reply } => {
                let _ = reply.send(self.withdraw(&message_id));
            }
            Command::Abort { reply } => self.abort(Some(reply)),
            Command::State { reply } => {
                let _ = reply.send(self.state());
            }
            Command::Answered { question, client, answer } => self.answered(&question, client, answer),
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Opened { parts } => self.transcript.push_user(parts),
            Report::Step { reply } => {
                let step = self.step();
                let _ = reply.send(step);
            }
            Report::Answer(events) => events.into_iter().for_each(|event| self.answer_event(event)),
            Report::Retry { attempt, delay, reason } => {
                let message_id = self.void_message();
                self.set_phase(Phase::Retry { attempt, delay, reason: reason.clone() });
                self.emit(Event::Retry { message_id, attempt, delay, reason });
            }
            Report::Failed(failure) => {
                self.end_message();
                self.emit(Event::Error { failure });
            }
            Report::CallStarted { call_id, tool, args } => {
                if let Some(run) = &mut self.run {
                    run.calls.push((call_id.clone(), tool.clone(), 0));
                }
                self.set_phase(Phase::Tools);
                self.emit(Event::ToolExecutionStart { tool, call_id, args });
            }
            Report::CallOutput { call_id, delta } => self.call_output(call_id, delta),
            Report::CallEnded { call_id, tool, result } => {
                if let Some(run) = &mut self.run {
                    run.calls.retain(|(running, ..)| *running != call_id);
                }
                self.transcript.end_call(&call_id, result.parts());
                self.emit(Event::ToolExecutionEnd { tool, call_id, result });
            }
            Report::Edited { uri, diff } => self.emit(Event::DocumentEdited { uri, diff }),
            Report::Ask { question, reply } => self.ask(question, reply),
            Report::Ended(reason) => self.end_turn(reason),
        }
    }

    // ---- prompts, steering, follow-ups ------------------------------------------------------------

    fn prompt(&mut self, prompt: Prompt) -> Result<TurnId, CommandError> {
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
            None => self.next_turn_id(),
        };
        self.start_run(turn_id.clone(), text, attachments);
        Ok(turn_id)
    }

    fn start_run(&mut self, turn_id: TurnId, text: String, attachments: Vec<Attachment>) {
        self.emit(Event::AgentStart);
        self.start_turn(turn_id, text, attachments);
    }

    fn start_turn(&mut self, turn_id: TurnId, text: String, attachments: Vec<Attachment>) {
        self.emit(Event::TurnStart {
            turn_id: turn_id.clone(),
            text: text.clone(),
            attachments: attachments.clone(),
        });
        let (steering, steering_waits) = watch::channel(self.has_steering());
        let cancel = self.stop.child_token();
        let turn = Turn {
            text,
            attachments,
            asking: Asking {
                provider: self.options.provider.clone(),
                model: self.options.model.clone(),
                instructions: self.options.instructions.clone(),
                thinking: self.options.thinking,
                cache_key: self.options.id.to_string(),
                max_output_tokens: self.options.max_output_tokens,
                toolbox: self.options.toolbox.clone(),
            },
            context: self.options.context.clone(),
            reporter: self.reporter.clone(),
            steering: steering_waits,
            cancelled: cancel.clone(),
        };
        self.run = Some(Run::new(turn_id, cancel, steering));
        self.tasks.spawn(turn.run());
    }

    /// Begins a turn with the oldest queued message, if there is one.
    fn start_queued(&mut self) -> bool {
        let Some(message) = self.queue.pop_front() else { return false };
        self.emit(Event::MessageApplied { message_id: message.message_id });
        let turn_id = self.next_turn_id();
        self.start_turn(turn_id, message.text, Vec::new());
        true
    }

    fn enqueue(&mut self, text: String, kind: QueuedKind) -> MessageId {
        let message = Queued { message_id: self.next_message_id(), text, kind };
        let message_id = message.message_id.clone();
        self.queue.push_back(message.clone());
        self.emit(Event::MessageQueued { message });
        self.tell_steering();
        message_id
    }

    fn withdraw(&mut self, message_id: &MessageId) -> bool {
        let Some(at) = self.queue.iter().position(|queued| queued.message_id == *message_id) else {
            return false;
        };
        self.queue.remove(at);
        self.emit(Event::MessageWithdrawn { message_id: message_id.clone() });
        self.tell_steering();
        true
    }

    fn has_steering(&self) -> bool {
        self.queue.iter().any(|queued| queued.kind == QueuedKind::Steering)
    }

    fn tell_steering(&self) {
        if let Some(run) = &self.run {
            run.steering.send_replace(self.has_steering());
        }
    }

    /// A safe point: steering goes to the model, and the turn learns what to send, if anything.
    fn step(&mut self) -> Option<Step> {
        let (steering, rest) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition::<VecDeque<_>, _>(|queued| queued.kind == QueuedKind::Steering);
        self.queue = rest;
        for message in steering {
            self.transcript.push_user(vec![Part::Text(message.text)]);
            self.emit(Event::MessageApplied { message_id: message.message_id });
        }
        self.tell_steering();
        if !self.transcript.wants_answer() {
            return None;
        }
        self.set_phase(Phase::Model);
        let initiator = if self.transcript.last_is_typed() { Initiator::User } else { Initiator::Agent };
        Some(Step { items: self.transcript.items(), initiator })
    }

    // ---- the model's answer -----------------------------------------------------------------------

    fn answer_event(&mut self, event: AnswerEvent) {
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
                let cut_off = answer.stop == StopReason::Length;
                self.transcript.push_answer(*answer);
                if cut_off {
                    self.transcript.close_open("not run: the answer was cut off at the output limit");
                }
                if let Some(run) = &mut self.run {
                    run.message = None;
                    run.text.clear();
                    run.last_text.clone_from(&text);
                }
                self.emit(Event::MessageEnd { message_id, text });
                self.emit(Event::UsageUpdate { usage: self.usage });
            }
        }
    }

    /// The message being answered; begins one if there is none.
    fn message_id(&mut self) -> MessageId {
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
    fn thinking(&mut self, open: bool) -> MessageId {
        let message_id = self.message_id();
        let was_open = self.run.as_mut().map(|run| std::mem::replace(&mut run.thinking, open));
        if was_open == Some(false) {
            self.emit(Event::ThinkingStart { message_id: message_id.clone() });
        }
        message_id
    }

    /// Drops what was shown of the message being answered.
    fn void_message(&mut self) -> MessageId {
        let message_id = self.run.as_mut().and_then(|run| {
            run.text.clear();
            run.thinking = false;
            run.message.take()
        });
        message_id.unwrap_or_else(|| self.next_message_id())
    }

    /// Ends the message being answered with what there is of it, and returns that.
    fn end_message(&mut self) -> Option<String> {
        let run = self.run.as_mut()?;
        let message_id = run.message.take()?;
        let text = std::mem::take(&mut run.text);
        run.thinking = false;
        run.last_text.clone_from(&text);
        self.emit(Event::MessageEnd { message_id, text: text.clone() });
        Some(text)
    }

    fn count(&mut self, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        self.usage.used = usage.total;
        self.usage.session.add(&usage);
        if let Some(run) = &mut self.run {
            run.usage.add(&usage);
        }
    }

    // ---- tools ------------------------------------------------------------------------------------

    fn call_output(&mut self, call_id: CallId, mut delta: String) {
        let limit = self.options.context.limits.tool_output;
        let Some(run) = &mut self.run else { return };
        let Some((_, _, sent)) = run.calls.iter_mut().find(|(running, ..)| *running == call_id) else {
            return;
        };
        if *sent >= limit {
            return;
        }
        if *sent + delta.len() > limit {
            delta.truncate(delta.floor_char_boundary(limit - *sent));
            delta.push_str("\n[the rest of the output is not shown here]\n");
            *sent = limit;
        }
        *sent += delta.len();
        self.emit(Event::ToolOutput { call_id, delta });
    }

    // ---- ends -------------------------------------------------------------------------------------

    fn abort(&mut self, reply: Option<oneshot::Sender<Vec<Queued>>>) {
        let Some(run) = &mut self.run else {
            if let Some(reply) = reply {
                let _ = reply.send(self.hand_back_queue());
            }
            return;
        };
        run.aborts.extend(reply);
        run.cancel.cancel();
        if !std::mem::replace(&mut run.abort_told, true) {
            self.emit(Event::AgentAbort);
        }
        self.withdraw_questions();
    }

    fn end_turn(&mut self, reason: EndReason) {
        let partial = self.end_message();
        self.transcript.close_open("aborted by the user before it finished");
        if reason == EndReason::Aborted {
            let Options { provider, model, .. } = &self.options;
            self.transcript.push_partial(provider.name(), model, partial.unwrap_or_default());
        }
        self.withdraw_questions();
        let Some(run) = self.run.take() else { return };
        self.emit(Event::TurnEnd { turn_id: run.turn_id, message: run.last_text, usage: run.usage });
        if reason == EndReason::Completed && self.start_queued() {
            if let Some(next) = &mut self.run {
                next.aborts = run.aborts;
            }
            return;
        }
        self.publish_status();
        self.emit(Event::AgentEnd { reason });
        if !run.aborts.is_empty() {
            let queued = self.hand_back_queue();
            for reply in run.aborts {
                let _ = reply.send(queued.clone());
            }
        }
    }

    fn hand_back_queue(&mut self) -> Vec<Queued> {
        let queued: Vec<Queued> = std::mem::take(&mut self.queue).into();
        for message in &queued {
            self.emit(Event::MessageWithdrawn { message_id: message.message_id.clone() });
        }
        queued
    }

    // ---- telling ----------------------------------------------------------------------------------

    fn emit(&mut self, event: Event) {
        self.seq += 1;
        for client in &self.clients {
            client.event(&self.options.id, self.seq, &event);
        }
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(run) = &mut self.run {
            run.phase = phase;
        }
    }

    /// Tells what is being waited for, if that has changed.
    fn publish_status(&mut self) {
        let status = (self.run.is_some(), self.waiting_for());
        if status != self.published {
            self.published = status.clone();
            self.emit(Event::StatusUpdate { running: status.0, waiting_for: status.1 });
        }
    }

    fn next_turn_id(&mut self) -> TurnId {
        loop {
            let turn_id = TurnId::new(self.turn_ids.next("t"));
            if !self.chosen_turns.contains(&turn_id) {
                return turn_id;
            }
        }
    }

    fn next_message_id(&mut self) -> MessageId {
        MessageId::new(self.message_ids.next("m"))
    }
}

use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::{AnswerEvent, AnswerStream, ModelInfo, Provider, Request};
use text::AbsPath;

use super::*;
use crate::client::{Answer, Asked, ClientId, Question, QuestionKind};
use crate::command::{Place, Prompt};
use crate::context::Context;
use crate::id::{QuestionId, SessionId};
use crate::permission::{Mode, Permissions};
use crate::workspace::{Change, File, FileError, FileName, Workspace, WriteError, Written};
use crate::{ClientTools, Limits, Shell, Toolbox};

/// Never answers.
#[derive(Debug)]
struct Silent;

impl Provider for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    fn answer(&self, _request: Request) -> AnswerStream {
        Box::pin(futures::stream::pending())
    }
}

#[derive(Debug)]
struct NoFiles;

impl ClientTools for NoFiles {}

impl Workspace for NoFiles {
    fn folders(&self) -> Vec<AbsPath> {
        Vec::new()
    }

    fn resolve<'a>(&'a self, path: &'a AbsPath) -> BoxFuture<'a, Result<AbsPath, FileError>> {
        futures::future::ready(Ok(path.clone())).boxed()
    }

    fn read<'a>(&'a self, file: &'a FileName) -> BoxFuture<'a, Result<File, FileError>> {
        futures::future::ready(Err(FileError::NotFound { name: file.to_string() })).boxed()
    }

    fn read_bytes<'a>(&'a self, path: &'a AbsPath, _max: u64) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        futures::future::ready(Err(FileError::NotFound { name: path.to_string() })).boxed()
    }

    fn names<'a>(&'a self, _directory: &'a AbsPath) -> BoxFuture<'a, Vec<String>> {
        futures::future::ready(Vec::new()).boxed()
    }

    fn write<'a>(&'a self, _change: Change) -> BoxFuture<'a, Result<Written, WriteError>> {
        futures::future::ready(Err(WriteError::Stale)).boxed()
    }

    fn remove<'a>(&'a self, _file: &'a File) -> BoxFuture<'a, Result<String, WriteError>> {
        futures::future::ready(Err(WriteError::Stale)).boxed()
    }

    fn save_edited(&self) -> BoxFuture<'_, Vec<AbsPath>> {
        futures::future::ready(Vec::new()).boxed()
    }
}

/// Notes what it is told, and never answers.
#[derive(Debug, Default)]
struct Onlooker {
    told: std::sync::Mutex<Vec<String>>,
}

impl Onlooker {
    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    fn told(&self, what: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|told| told.starts_with(what)).count()
    }
}

impl Client for Onlooker {
    fn id(&self) -> ClientId {
        ClientId(1)
    }

    fn event(&self, _session: &SessionId, _seq: u64, event: &Event) {
        self.tell(format!("{event:?}"));
    }

    fn flush(&self) {}

    fn ask(&self, _session: &SessionId, _question: &Question) -> BoxFuture<'static, Option<Answer>> {
        self.tell("asked".into());
        futures::future::pending().boxed()
    }

    fn resolved(&self, _session: &SessionId, _question: &QuestionId) {
        self.tell("resolved".into());
    }
}

/// A disk that fails while this is set.
type Broken = Arc<AtomicBool>;

/// A session in which a turn runs, and somebody who looks on.
fn running() -> (Session, Arc<Onlooker>, tempfile::TempDir) {
    running_on(Broken::default())
}

fn running_on(broken: Broken) -> (Session, Arc<Onlooker>, tempfile::TempDir) {
    let shell = Shell::usual();
    let working_dir = AbsPath::new(std::env::temp_dir()).unwrap();
    let context = Context::new(
        working_dir,
        Arc::new(NoFiles),
        shell.clone(),
        Permissions::default(),
        Limits::default(),
        Vec::new(),
        std::env::temp_dir(),
    );
    let options = Options {
        id: SessionId::new("s"),
        model: Model { provider: Arc::new(Silent), info: Arc::new(ModelInfo::new("m")) },
        thinking: None,
        instructions: "".into(),
        toolbox: Arc::new(Toolbox::new(&shell, None).unwrap()),
        context: Arc::new(context),
        settings: Default::default(),
    };
    let (commands, _inbox) = mpsc::channel(1);
    let directory = tempfile::tempdir().unwrap();
    let record = store::SessionRecord {
        id: store::SessionId::parse("s").unwrap(),
        working_dir: "/w".into(),
        name: None,
        model: None,
        created_at_ms: 0,
        updated_at_ms: 0,
        leaf: None,
        parent: None,
        settings_json: "{}".into(),
    };
    let before_commit: store::BeforeCommit = Arc::new(move |_group| match broken.load(Ordering::SeqCst) {
        true => Err(std::io::Error::other("broken")),
        false => Ok(()),
    });
    let faults = store::Faults { before_commit: Some(before_commit), ..store::Faults::default() };
    let store = store::Store::open(directory.path(), store::Options { faults, ..store::Options::default() });
    let journal = Journal::new(store, record);
    let mut session =
        Session::new(options, journal, Loaded::default(), commands.downgrade(), CancellationToken::new());
    let onlooker = Arc::new(Onlooker::default());
    session.attach(onlooker.clone());
    session.prompt(Prompt { text: "first".into(), ..Prompt::default() }).unwrap();
    session.report(Report::Opened { parts: vec![provider::Part::Text("first".into())] });
    (session, onlooker, directory)
}

/// Waits until everything recorded is durable, and so announced.
async fn settle(session: &mut Session) {
    while session.outgoing.has_commits() {
        let result = session.outgoing.committed().await;
        session.committed(result);
    }
}

fn abort(session: &mut Session) -> oneshot::Receiver<Vec<Queued>> {
    let (reply, answer) = oneshot::channel();
    session.command(Command::Abort { reply });
    answer
}

fn handed_back(mut answer: oneshot::Receiver<Vec<Queued>>) -> Vec<String> {
    answer.try_recv().unwrap().into_iter().map(|queued| queued.text).collect()
}

#[tokio::test]
async fn an_abort_that_meets_the_end_of_the_turn_starts_no_follow_up() {
    let (mut session, onlooker, _directory) = running();
    session.enqueue("then this".into(), QueuedKind::FollowUp);
    let answer = abort(&mut session);
    session.report(Report::Ended(EndReason::Completed));
    settle(&mut session).await;
    assert_eq!(handed_back(answer), ["then this"]);
    assert_eq!(onlooker.told("TurnStart"), 1);
    assert_eq!(onlooker.told("AgentEnd { reason: Aborted }"), 1);
}

#[tokio::test]
async fn steering_that_an_abort_overtook_is_handed_back() {
    let (mut session, onlooker, _directory) = running();
    session.enqueue("and be quick".into(), QueuedKind::Steering);
    let answer = abort(&mut session);
    assert!(session.step(true).is_none());
    session.report(Report::Ended(EndReason::Completed));
    settle(&mut session).await;
    assert_eq!(handed_back(answer), ["and be quick"]);
    assert_eq!(onlooker.told("MessageApplied"), 0);
}

#[tokio::test]
async fn a_client_that_attaches_again_is_not_asked_twice() {
    let (mut session, onlooker, _directory) = running();
    let (reply, _answer) = oneshot::channel::<Asked>();
    let question =
        QuestionKind::Input { prompt: "?".into(), call_id: None, sensitive: false, choices: Vec::new() };
    session.ask(question, reply);
    settle(&mut session).await;
    session.attach(onlooker.clone());
    assert_eq!(onlooker.told("asked"), 1);
}

#[tokio::test]
async fn what_was_kept_of_an_answer_that_failed_is_dropped() {
    let (mut session, _onlooker, _directory) = running();
    settle(&mut session).await;
    let stored = session.journal.stored();
    session.report(Report::Answer(vec![AnswerEvent::TextDelta("half".into())]));
    let long_ago = tokio::time::Instant::now().checked_sub(std::time::Duration::from_secs(9));
    session.run.as_mut().unwrap().drafted = long_ago;
    session.report(Report::Answer(vec![AnswerEvent::TextDelta(" done".into())]));
    session.report(Report::Failed(Failure::bug("the test")));
    session.report(Report::Ended(EndReason::Error));
    session.keep_settings();
    settle(&mut session).await;
    assert!(stored.load().await.unwrap().draft.is_empty());
}

#[tokio::test]
async fn another_place_in_the_conversation_is_not_cramped() {
    let (mut session, _onlooker, _directory) = running();
    session.report(Report::Ended(EndReason::Completed));
    settle(&mut session).await;
    session.is_cramped = true;
    let (loaded, reply) = (Loaded::default(), oneshot::channel().0);
    session.branched(Place { leaf: None, loaded, restored: Default::default(), files_differ: false }, reply);
    settle(&mut session).await;
    assert!(!session.is_cramped);
}

/// What the user said, as the model is shown it.
fn said(session: &Session) -> Vec<String> {
    let items = session.transcript.items();
    let said = items.iter().filter_map(|item| match &item.kind {
        provider::ItemKind::User { parts } => Some(parts.iter().map(|part| match part {
            provider::Part::Text(text) => text.clone(),
            provider::Part::Image { .. } => String::new(),
        })),
        _ => None,
    });
    said.map(Iterator::collect).collect()
}

/// Has the session do something while the disk is broken, and returns its answer.
async fn refused<T>(
    session: &mut Session,
    broken: &Broken,
    command: impl FnOnce(AnswerTo<T>) -> Command,
) -> Result<T, CommandError> {
    let (reply, mut answer) = oneshot::channel();
    broken.store(true, Ordering::SeqCst);
    session.handle(Incoming::Command(command(reply)));
    settle(session).await;
    broken.store(false, Ordering::SeqCst);
    answer.try_recv().unwrap()
}

fn ended(session: &mut Session) {
    session.handle(Incoming::Report(Report::Ended(EndReason::Completed)));
}

#[tokio::test]
async fn what_cannot_be_queued_is_not_said_later() {
    let broken = Broken::default();
    let (mut session, onlooker, _directory) = running_on(broken.clone());
    settle(&mut session).await;
    let steer = |reply| Command::Steer { text: "quick".into(), reply };
    assert!(matches!(refused(&mut session, &broken, steer).await, Err(CommandError::Store(_))));
    ended(&mut session);
    let follow_up = |reply| Command::FollowUp { text: "then".into(), reply };
    assert!(matches!(refused(&mut session, &broken, follow_up).await, Err(CommandError::Store(_))));
    assert!(session.queue.is_empty() && session.arriving.is_empty());
    ended(&mut session);
    let prompt = Prompt { text: "next".into(), ..Prompt::default() };
    let prompt = |reply| Command::Prompt { prompt, reply };
    assert!(matches!(refused(&mut session, &broken, prompt).await, Err(CommandError::Store(_))));
    ended(&mut session);
    settle(&mut session).await;
    assert!(session.run.is_none());
    assert_eq!(said(&session), ["first", "first"]);
    assert_eq!(onlooker.told("Error"), 3);
}

#[tokio::test]
async fn a_message_that_was_promised_stays_queued_until_it_is_in_the_conversation() {
    let broken = Broken::default();
    let (mut session, onlooker, _directory) = running_on(broken.clone());
    session.enqueue("quick".into(), QueuedKind::Steering);
    session.enqueue("then".into(), QueuedKind::FollowUp);
    settle(&mut session).await;
    let queue = |session: &Session| -> Vec<String> {
        session.queue.iter().map(|queued| queued.text.clone()).collect()
    };
    let cancel = session.queue[1].message_id.clone();
    let cancel = |reply| Command::CancelQueued { message_id: cancel, reply };
    assert!(matches!(refused(&mut session, &broken, cancel).await, Err(CommandError::Store(_))));
    assert_eq!(queue(&session), ["quick", "then"]);
    ended(&mut session);
    session.start_run(TurnId::new("t9"), "second".into(), Vec::new());
    settle(&mut session).await;
    broken.store(true, Ordering::SeqCst);
    assert!(session.step(true).is_some());
    settle(&mut session).await;
    assert_eq!(queue(&session), ["quick", "then"]);
    ended(&mut session);
    assert!(session.start_queued());
    settle(&mut session).await;
    ended(&mut session);
    broken.store(false, Ordering::SeqCst);
    assert_eq!(queue(&session), ["quick", "then"]);
    assert_eq!(said(&session), ["first", "first", "second"]);
    assert_eq!(onlooker.told("MessageQueued"), 2 + 3);

    assert!(session.start_queued());
    ended(&mut session);
    settle(&mut session).await;
    assert_eq!(said(&session), ["first", "first", "second", "quick", "then"]);
    let loaded = crate::journal::load(&session.journal.stored().load().await.unwrap());
    assert!(loaded.queue.is_empty(), "{:?}", loaded.queue);
}

#[tokio::test]
async fn what_cannot_be_set_stays_as_it_was() {
    let broken = Broken::default();
    let (mut session, onlooker, _directory) = running_on(broken.clone());
    settle(&mut session).await;
    let was = session.options.context.permissions().mode;
    let mode = Mode::Full;
    let set = |reply| Command::SetMode { mode, reply };
    assert!(matches!(refused(&mut session, &broken, set).await, Err(CommandError::Store(_))));
    assert!(was != mode && session.options.context.permissions().mode == was);
    let thinking = Some(provider::ThinkingLevel::High);
    let set = |reply| Command::SetModel { model: None, thinking, reply };
    assert!(matches!(refused(&mut session, &broken, set).await, Err(CommandError::Store(_))));
    assert_eq!(session.options.thinking, None);
    assert_eq!((session.options.settings.thinking_level.as_ref(), onlooker.told("ModelChanged")), (None, 0));
}

#[tokio::test]
async fn a_branch_that_cannot_be_stored_leaves_the_conversation_as_it_was() {
    let broken = Broken::default();
    let (mut session, onlooker, _directory) = running_on(broken.clone());
    ended(&mut session);
    settle(&mut session).await;
    let (reply, mut answer) = oneshot::channel();
    broken.store(true, Ordering::SeqCst);
    session.begin(Work::Branch, None, Phase::Undo);
    let place =
        Place { leaf: None, loaded: Loaded::default(), restored: Default::default(), files_differ: true };
    session.handle(Incoming::Report(Report::Branched { result: Box::new(Ok(place)), reply }));
    ended(&mut session);
    // The disk is well again by the time the move has failed.
    let result = session.outgoing.committed().await;
    broken.store(false, Ordering::SeqCst);
    session.committed(result);
    settle(&mut session).await;
    assert!(matches!(answer.try_recv().unwrap(), Err(CommandError::Store(_))));
    assert!(session.run.is_none());
    assert_eq!((said(&session), onlooker.told("Branched")), (vec!["first".into(), "first".into()], 0));
    session.start_run(TurnId::new("t9"), "second".into(), Vec::new());
    settle(&mut session).await;
    let stored = crate::journal::load(&session.journal.stored().load().await.unwrap());
    session.transcript = stored.transcript;
    assert_eq!(said(&session), ["first", "first", "second"]);
}

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::{AnswerEvent, AnswerStream, ModelInfo, Provider, Request};
use text::AbsPath;

use super::*;
use crate::client::{Answer, Asked, ClientId, Question, QuestionKind};
use crate::command::{Place, Prompt};
use crate::context::Context;
use crate::id::{QuestionId, SessionId};
use crate::permission::Permissions;
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

/// A session in which a turn runs, and somebody who looks on.
fn running() -> (Session, Arc<Onlooker>, tempfile::TempDir) {
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
    let journal = Journal::new(store::Store::open(directory.path(), store::Options::default()), record);
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
    assert_eq!(stored.load().await.unwrap().draft, None);
}

#[tokio::test]
async fn another_place_in_the_conversation_is_not_cramped() {
    let (mut session, _onlooker, _directory) = running();
    session.report(Report::Ended(EndReason::Completed));
    session.is_cramped = true;
    let loaded = Loaded::default();
    session.branched(Place { leaf: None, loaded, restored: Default::default(), files_differ: false });
    assert!(!session.is_cramped);
}

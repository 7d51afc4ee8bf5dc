//! Whatever is done in whatever order, files hold what a list of lines says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;
use provider::{
    Answer, AnswerEvent, AnswerStream, Block, ModelInfo, Provider, Request, StopReason, ToolCall,
};
use serde_json::json;
use store::EntryId;
use text::{AbsPath, Encoding, Rope};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::undone::{Target, UndoError, Undone};
use crate::command::{BranchTo, CommandError, Prompt};
use crate::journal::{Journal, Loaded, testing};
use crate::model::Model;
use crate::session::{Options, SessionHandle};
use crate::workspace::{Change, File, FileError, FileName, OnDisk, Origin, Workspace, WriteError, Written};
use crate::{ClientTools, Context, Limits, Mode, Permissions, SessionId, Shell, Toolbox, TurnId};

/// Gives the answers it was told to give.
#[derive(Debug, Default)]
struct Scripted(Mutex<VecDeque<Answer>>);

impl Provider for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn answer(&self, _request: Request) -> AnswerStream {
        let answer = self.0.lock().unwrap().pop_front().expect("an answer");
        Box::pin(futures::stream::iter([Ok(vec![AnswerEvent::Finished(Box::new(answer))])]))
    }
}

/// Files that only the session and the test change.
#[derive(Debug, Default)]
struct Files(Mutex<HashMap<FileName, Rope>>);

impl Files {
    fn write_now(&self, change: &Change) -> Result<Rope, WriteError> {
        let mut files = self.0.lock().unwrap();
        if files.get(&change.base.name) != Some(&change.base.text) {
            return Err(WriteError::Stale);
        }
        let text = change.edits.apply(&change.base.text).unwrap();
        files.insert(change.base.name.clone(), text.clone());
        Ok(text)
    }
}

impl ClientTools for Files {}

impl Workspace for Files {
    fn folders(&self) -> Vec<AbsPath> {
        Vec::new()
    }

    fn resolve<'a>(&'a self, path: &'a AbsPath) -> BoxFuture<'a, Result<AbsPath, FileError>> {
        futures::future::ready(Ok(path.clone())).boxed()
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<File, FileError>> {
        let text = self.0.lock().unwrap().get(name).cloned();
        let origin = Origin::Disk { encoding: Encoding::default() };
        let file = text.map(|text| File { name: name.clone(), text, origin });
        futures::future::ready(file.ok_or_else(|| FileError::NotFound { name: name.to_string() })).boxed()
    }

    fn read_bytes<'a>(&'a self, path: &'a AbsPath, _max: u64) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        futures::future::ready(Err(FileError::NotFound { name: path.to_string() })).boxed()
    }

    fn names<'a>(&'a self, _directory: &'a AbsPath) -> BoxFuture<'a, Vec<String>> {
        futures::future::ready(Vec::new()).boxed()
    }

    fn write<'a>(&'a self, change: Change) -> BoxFuture<'a, Result<Written, WriteError>> {
        let written = self.write_now(&change).map(|text| Written {
            uri: change.base.name.to_string(),
            text: text.clone(),
            expected: text.clone(),
            left: text,
            on_disk: OnDisk::Saved,
        });
        futures::future::ready(written).boxed()
    }

    fn remove<'a>(&'a self, file: &'a File) -> BoxFuture<'a, Result<String, WriteError>> {
        self.0.lock().unwrap().remove(&file.name);
        futures::future::ready(Ok(file.name.to_string())).boxed()
    }

    fn save_edited(&self) -> BoxFuture<'_, Vec<AbsPath>> {
        futures::future::ready(Vec::new()).boxed()
    }
}

const FILES: usize = 2;
/// Lines of each file that can be changed, with others between them.
const LINES: usize = 12;

/// A line of a file: the number of the file, and that of the line in it.
type Line = (usize, usize);

#[derive(Debug, Clone)]
enum Step {
    /// A turn changes a line that nobody has changed yet in each of these files.
    Turn {
        files: Vec<usize>,
    },
    /// The user types on a line of their own.
    Type {
        file: usize,
    },
    /// Takes back one of the turns and undos so far.
    Undo {
        which: prop::sample::Index,
    },
    UndoFile {
        file: usize,
    },
    /// Goes back, or forth, to where things stood after one of the steps so far.
    GoTo {
        which: prop::sample::Index,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => prop::collection::vec(0..FILES, 1..4).prop_map(|files| Step::Turn { files }),
        1 => (0..FILES).prop_map(|file| Step::Type { file }),
        4 => index().prop_map(|which| Step::Undo { which }),
        1 => (0..FILES).prop_map(|file| Step::UndoFile { file }),
        2 => index().prop_map(|which| Step::GoTo { which }),
    ]
}

/// Which of the session's lines stand as it changed them.
type Standing = [[bool; LINES]; FILES];

/// The lines that differ, and how they stood before.
fn changed(before: &Standing, after: &Standing) -> Vec<(Line, bool)> {
    let lines = (0..FILES).flat_map(|file| (0..LINES).map(move |line| (file, line)));
    let differs = |(file, line): &Line| before[*file][*line] != after[*file][*line];
    lines.filter(differs).map(|(file, line)| ((file, line), before[file][line])).collect()
}

/// Something that can be taken back: for each line that it changed how that stood before.
#[derive(Debug, Clone)]
struct Done {
    turn_id: TurnId,
    is_undo: bool,
    was: Vec<(Line, bool)>,
}

struct Talk {
    session: SessionHandle,
    model: Arc<Scripted>,
    files: Arc<Files>,
    context: Arc<Context>,
    store: store::Store,
    standing: Standing,
    /// The next line of each file that nobody has changed.
    fresh: [usize; FILES],
    typed: [usize; FILES],
    done: Vec<Done>,
    /// How things stood after each step: the last entry, and the lines.
    places: Vec<(EntryId, Standing)>,
    stop: CancellationToken,
    _directory: tempfile::TempDir,
}

impl Talk {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (model, files) = (Arc::<Scripted>::default(), Arc::<Files>::default());
        let shell = Shell::usual();
        let working_dir = AbsPath::new(std::env::temp_dir()).unwrap();
        let permissions = Permissions::new(Mode::Full);
        let context = Arc::new(Context::new(
            working_dir,
            files.clone(),
            shell.clone(),
            permissions,
            Limits::default(),
            Vec::new(),
            std::env::temp_dir(),
        ));
        let options = Options {
            id: SessionId::new("s"),
            model: Model { provider: model.clone(), info: Arc::new(ModelInfo::new("m")) },
            thinking: None,
            instructions: "".into(),
            toolbox: Arc::new(Toolbox::new(&shell, None).unwrap()),
            context: context.clone(),
            settings: Default::default(),
        };
        let kept = store::Options { sync: store::SyncMode::Off, ..store::Options::default() };
        let store = store::Store::open(directory.path(), kept);
        let journal = Journal::new(store.clone(), testing::session(Vec::new()).record);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let session = SessionHandle::start(options, journal, Loaded::default(), stop.clone(), &tasks);
        let talk = Self {
            session,
            model,
            files,
            context,
            store,
            standing: Standing::default(),
            fresh: [0; FILES],
            typed: [0; FILES],
            done: Vec::new(),
            places: Vec::new(),
            stop,
            _directory: directory,
        };
        for file in 0..FILES {
            let text = Rope::from_str(&talk.expected(file));
            talk.files.0.lock().unwrap().insert(talk.name(file), text);
        }
        talk
    }

    fn name(&self, file: usize) -> FileName {
        self.context.name(&format!("f{file}"))
    }

    /// Target a file holds.
    fn expected(&self, file: usize) -> String {
        let mut text = format!("typed {}\n", self.typed[file]);
        for line in 0..LINES {
            let changed = if self.standing[file][line] { "changed" } else { "found" };
            text += &format!("between {line}\n{changed} {line}\nafter {line}\n");
        }
        text
    }

    fn check(&self, step: &Step) {
        for file in 0..FILES {
            let stands = self.files.0.lock().unwrap()[&self.name(file)].to_string();
            assert_eq!(stands, self.expected(file), "file {file} after {step:?}, {:#?}", self.done);
        }
    }

    async fn step(&mut self, step: &Step) {
        let (before, n_done) = (self.standing, self.done.len());
        match step {
            Step::Turn { files } => self.turn(files).await,
            Step::Type { file } => {
                let (name, old) = (self.name(*file), format!("typed {}\n", self.typed[*file]));
                self.typed[*file] += 1;
                let mut files = self.files.0.lock().unwrap();
                let text = files[&name].to_string();
                files.insert(
                    name,
                    Rope::from_str(&text.replace(&old, &format!("typed {}\n", self.typed[*file]))),
                );
            }
            Step::Undo { which } if !self.done.is_empty() => {
                let Done { turn_id, is_undo, was } = which.get(&self.done).clone();
                let is_last = self.done.last().is_some_and(|last| last.turn_id == turn_id);
                self.undo(Target::Turn(turn_id), &was).await;
                // Of an earlier undo a part may be gone again, so it is not said what comes of its lines.
                if is_undo && !is_last {
                    self.take_over(&was);
                }
            }
            Step::UndoFile { file } => {
                let was: Vec<_> = (0..LINES).map(|line| ((*file, line), false)).collect();
                self.undo(Target::File(self.name(*file)), &was).await;
            }
            Step::GoTo { which } if !self.places.is_empty() => {
                let (entry, standing) = *which.get(&self.places);
                self.go_to(entry, standing).await;
            }
            Step::Undo { .. } | Step::GoTo { .. } => {}
        }
        self.check(step);
        for done in &mut self.done[n_done..] {
            done.was = changed(&before, &self.standing);
        }
        let entries = self.store.load(&store::SessionId::parse("s").unwrap()).map(|session| session.entries);
        if let Some(last) = entries.ok().and_then(|entries| entries.last().map(|entry| entry.id)) {
            self.places.push((last, self.standing));
        }
    }

    async fn turn(&mut self, files: &[usize]) {
        for file in files {
            let line = self.fresh[*file];
            if line < LINES {
                self.fresh[*file] += 1;
                self.standing[*file][line] = true;
                let edit =
                    json!({"old_text": format!("found {line}\n"), "new_text": format!("changed {line}\n")});
                let args = json!({"path": format!("f{file}"), "edits": [edit]});
                self.answers("edit", &args.to_string());
            }
        }
        self.answers("", "");
        let prompt = || Prompt { text: "go on".into(), ..Prompt::default() };
        let turn_id = self.idle(|session| session.prompt(prompt())).await.unwrap();
        while self.session.state().unwrap().await.unwrap().running {
            tokio::task::yield_now().await;
        }
        self.note(turn_id, false);
    }

    fn note(&mut self, turn_id: TurnId, is_undo: bool) {
        self.done.push(Done { turn_id, is_undo, was: Vec::new() });
    }

    fn answers(&self, tool: &str, arguments: &str) {
        let mut answers = self.model.0.lock().unwrap();
        let call = ToolCall {
            call_id: format!("c{}", answers.len()),
            name: tool.into(),
            arguments: arguments.into(),
        };
        let (block, stop) = match tool {
            "" => (Block::Text { text: "Done.".into(), phase: None }, StopReason::Stop),
            _ => (Block::ToolCall(call), StopReason::ToolUse),
        };
        answers.push_back(Answer {
            provider: "scripted".into(),
            model: "m".into(),
            response_id: None,
            blocks: vec![block],
            stop,
            usage: None,
        });
    }

    /// Afterwards every line stands as it did, also when there was nothing left to take back.
    async fn undo(&mut self, what: Target, was: &[(Line, bool)]) {
        for ((file, line), standing) in was {
            self.standing[*file][*line] = *standing;
        }
        match self.idle(|session| session.undo(what.clone())).await {
            Ok(undone) => self.note_undone(undone),
            Err(CommandError::Undo(UndoError::Nothing(_))) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn go_to(&mut self, entry: EntryId, standing: Standing) {
        self.standing = standing;
        let to = BranchTo { entry, before: false, restore_files: true };
        let branched = self.idle(|session| session.branch(to)).await.unwrap();
        self.note_undone(branched.restored);
    }

    fn note_undone(&mut self, undone: Undone) {
        assert_eq!(undone.conflicts, []);
        if let Some(turn_id) = undone.turn_id {
            self.note(turn_id, true);
        }
    }

    /// Takes lines as they are in the files.
    fn take_over(&mut self, lines: &[(Line, bool)]) {
        for ((file, line), _) in lines {
            let text = self.files.0.lock().unwrap()[&self.name(*file)].to_string();
            self.standing[*file][*line] = text.contains(&format!("changed {line}\n"));
        }
    }

    /// Asks when nothing runs any more, which is a moment after the reply to the last one.
    async fn idle<T>(
        &self,
        ask: impl Fn(&SessionHandle) -> crate::session::Attempt<T>,
    ) -> Result<T, CommandError> {
        loop {
            match ask(&self.session).unwrap().await.unwrap() {
                Err(CommandError::Busy) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    }
}

fn play(steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut talk = Talk::start();
        for step in steps {
            talk.step(step).await;
        }
        talk.stop.cancel();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn files_hold_what_a_list_of_lines_says(steps in prop::collection::vec(any_step(), 1..24)) {
        play(&steps);
    }
}

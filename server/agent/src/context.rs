//! What all calls of a session share.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use text::{AbsPath, EditSet, Rope};

use crate::limits::Limits;
use crate::paths;
use crate::permission::Permissions;
use crate::process::{Processes, Shell};
use crate::result::FileState;
use crate::tracker::{FileTracker, ReadState};
use crate::workspace::{FileName, Workspace};

/// The surroundings of a session's tools: its files, its rules, its shell.
#[derive(Debug)]
pub struct Context {
    pub working_dir: AbsPath,
    pub workspace: Arc<dyn Workspace>,
    pub shell: Shell,
    pub limits: Limits,
    /// Background commands.
    pub processes: Processes,
    /// Environment variables that commands do not get.
    pub hidden_env: Vec<String>,
    /// Where long outputs are kept whole; created when first needed.
    pub output_dir: PathBuf,
    permissions: Mutex<Permissions>,
    tracker: Mutex<FileTracker>,
    /// What the changes of this turn left.
    left: Mutex<HashMap<FileName, Left>>,
}

impl Context {
    pub fn new(
        working_dir: AbsPath,
        workspace: Arc<dyn Workspace>,
        shell: Shell,
        permissions: Permissions,
        limits: Limits,
        hidden_env: Vec<String>,
        output_dir: PathBuf,
    ) -> Self {
        Self {
            working_dir,
            workspace,
            shell,
            limits,
            processes: Processes::default(),
            hidden_env,
            output_dir,
            permissions: Mutex::new(permissions),
            tracker: Mutex::default(),
            left: Mutex::default(),
        }
    }

    pub fn permissions(&self) -> MutexGuard<'_, Permissions> {
        lock(&self.permissions)
    }

    /// Where reads and writes are inside.
    pub fn roots(&self) -> Vec<AbsPath> {
        let mut roots = self.workspace.folders();
        roots.push(self.working_dir.clone());
        roots
    }

    /// A path as the model writes it; see [`paths::name`].
    pub fn name(&self, path: &str) -> FileName {
        paths::name(path, &self.working_dir, paths::home().as_ref())
    }

    /// Returns true if there is something of this name, on disk or in an editor.
    pub(crate) async fn exists(&self, path: &AbsPath) -> bool {
        let Some(parent) = path.parent() else { return true };
        let name = path.file_name();
        self.workspace.names(&parent).await.iter().any(|other| *other == name)
    }

    /// A path as the user reads it.
    pub fn display(&self, name: &FileName) -> String {
        match name {
            FileName::Path(path) => path.relative_to(&self.working_dir).unwrap_or_else(|| path.to_string()),
            FileName::Document(uri) => uri.clone(),
        }
    }

    /// Notes that the model is shown these bytes of a file's text. A line with a secret is shown masked, so it
    /// does not count.
    pub fn note_shown(&self, name: &FileName, text: &Rope, ranges: &[Range<usize>]) {
        let unmasked: Vec<_> = ranges.iter().flat_map(|range| without_secrets(text, range)).collect();
        lock(&self.tracker).shown(name, text, unmasked);
    }

    /// Notes that edits made `new` of `old`; see [`FileTracker::edited`].
    pub(crate) fn note_edit(
        &self,
        name: &FileName,
        old: &Rope,
        edits: &EditSet,
        new: &Rope,
        is_shown: bool,
    ) -> bool {
        lock(&self.tracker).edited(name, old, edits, new, is_shown)
    }

    /// The file as results name it.
    pub(crate) fn state_of(&self, name: &FileName, text: &Rope) -> FileState {
        FileState {
            path: self.display(name),
            hash: format!("{:016x}", lock(&self.tracker).fingerprint(text) >> 64),
        }
    }

    /// The model knows no file any more: its conversation is another one.
    pub(crate) fn forget_seen(&self) {
        lock(&self.tracker).clear();
    }

    /// What the last change of this turn left in the file.
    pub(crate) fn left(&self, name: &FileName) -> Option<Left> {
        lock(&self.left).get(name).cloned()
    }

    /// Whether this turn has changed any.
    pub(crate) fn has_changed_files(&self) -> bool {
        !lock(&self.left).is_empty()
    }

    pub(crate) fn set_left(&self, name: FileName, left: Option<Left>) {
        match left {
            Some(left) => lock(&self.left).insert(name, left),
            None => lock(&self.left).remove(&name),
        };
    }

    /// From here on changes belong to another turn.
    pub(crate) fn begin_turn(&self) {
        lock(&self.left).clear();
        lock(&self.tracker).release();
    }

    /// Returns what the model knows of this text of the file.
    pub fn read_state(&self, name: &FileName, text: &Rope) -> ReadState {
        lock(&self.tracker).state(name, text)
    }
}

/// What the last change of a file in this turn left.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) change: u64,
    pub(crate) text: Rope,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the parts of a range that look the same when secrets are masked.
fn without_secrets(text: &Rope, range: &Range<usize>) -> Vec<Range<usize>> {
    let shown = text.byte_slice(range.clone()).to_string();
    if !is_masked(&shown) {
        return vec![range.clone()];
    }
    let mut start = range.start;
    let lines = shown.split_inclusive('\n').map(|line| {
        let range = start..start + line.len();
        start = range.end;
        (line, range)
    });
    lines.filter(|(line, _)| !is_masked(line)).map(|(_, range)| range).collect()
}

/// Returns true if the model would be shown another text.
pub(crate) fn is_masked(text: &str) -> bool {
    matches!(provider::mask(text), Cow::Owned(_))
}

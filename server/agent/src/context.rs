//! What all calls of a session share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use text::{AbsPath, Rope};

use crate::limits::Limits;
use crate::permission::Permissions;
use crate::process::{Processes, Shell};
use crate::result::FileState;
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
    seen: Mutex<HashMap<FileName, u128>>,
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
            seen: Mutex::default(),
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

    /// A path as the model writes it: relative to the working directory, or absolute, or the URI of an
    /// open document.
    pub fn name(&self, path: &str) -> FileName {
        match path.split_once(':') {
            Some(("file", _)) => match AbsPath::from_uri(path) {
                Ok(path) => FileName::Path(path),
                Err(_) => FileName::Path(self.working_dir.join(path)),
            },
            Some(("untitled", _)) => FileName::Document(path.into()),
            _ => FileName::Path(self.working_dir.join(path)),
        }
    }

    /// A path as the user reads it.
    pub fn display(&self, name: &FileName) -> String {
        match name {
            FileName::Path(path) => path.relative_to(&self.working_dir).unwrap_or_else(|| path.to_string()),
            FileName::Document(uri) => uri.clone(),
        }
    }

    /// Notes that the model has seen this text of the file.
    pub fn note_seen(&self, name: &FileName, text: &Rope) {
        let fingerprint = fingerprint(text);
        lock(&self.seen).insert(name.clone(), fingerprint);
    }

    /// The file as results name it.
    pub(crate) fn state_of(&self, name: &FileName, text: &Rope) -> FileState {
        FileState { path: self.display(name), hash: format!("{:016x}", fingerprint(text) >> 64) }
    }

    /// The model knows no file any more: its conversation is another one.
    pub(crate) fn forget_seen(&self) {
        lock(&self.seen).clear();
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
    }

    /// What the model knows of the file, given what stands there.
    pub fn seen(&self, name: &FileName, text: &Rope) -> Seen {
        let known = lock(&self.seen).get(name).copied();
        match known {
            None => Seen::Never,
            Some(known) if known == fingerprint(text) => Seen::AsItStands,
            Some(_) => Seen::Before,
        }
    }
}

/// What the last change of a file in this turn left.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) change: u64,
    pub(crate) text: Rope,
}

/// What the model knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Never,
    AsItStands,
    /// It has changed since.
    Before,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fingerprint(text: &Rope) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    for chunk in text.chunks() {
        hash.update(chunk.as_bytes());
    }
    hash.digest128()
}

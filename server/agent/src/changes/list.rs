//! What a session changed, as a reader sees it: one diff for each file, from what it found to what stands.

use std::collections::HashMap;
use std::sync::Arc;

use text::{Rope, hunks, unified};

use crate::id::TurnId;
use crate::journal::StoredSession;
use crate::workspace::{FileError, FileName, Workspace};

/// Everything that a session, or one of its turns, changed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub files: Vec<FileChanges>,
    /// Turns that ran commands, which may have changed more.
    pub ran_commands: Vec<TurnId>,
}

#[derive(Debug, Clone)]
pub struct FileChanges {
    pub name: FileName,
    /// The turns and undos that changed it, oldest first.
    pub turns: Vec<TurnId>,
    pub diff: Result<Diff, String>,
}

/// From the first text to what stands now.
#[derive(Debug, Clone)]
pub struct Diff {
    pub created: bool,
    pub removed: bool,
    pub text: String,
    pub n_added: usize,
    pub n_removed: usize,
    pub hunks: Vec<text::Hunk>,
}

/// Compares every file that the session changed with what stands there now. Files that stand as they did
/// are left out. With a turn: only the files of that turn, from what it found.
///
/// # Errors
/// If the session cannot be read.
pub async fn changes(
    stored: &StoredSession,
    turn: Option<&TurnId>,
    workspace: Arc<dyn Workspace>,
    show: impl Fn(&FileName) -> String,
) -> Result<Changes, store::StoreError> {
    let log = stored.changes().await?;
    let log = Arc::new(log);
    let mut files: Vec<(FileName, u64, Vec<TurnId>)> = Vec::new();
    let mut place = HashMap::new();
    for change in log.changes().filter(|change| turn.is_none_or(|turn| *turn == change.turn_id)) {
        let at = *place.entry(&change.name).or_insert_with(|| {
            files.push((change.name.clone(), change.id, Vec::new()));
            files.len() - 1
        });
        let turns: &mut Vec<TurnId> = &mut files[at].2;
        if turns.last() != Some(&change.turn_id) {
            turns.push(change.turn_id.clone());
        }
    }
    let mut listed = Vec::new();
    for (name, first, turns) in files {
        let now = match workspace.read(&name).await {
            Ok(file) => Ok(Some(file.text)),
            Err(FileError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        let (log, store, file, shown) = (log.clone(), stored.store.clone(), name.clone(), show(&name));
        // Reading and comparing may take milliseconds for a large file.
        let compared = tokio::task::spawn_blocking(move || -> Result<Option<Diff>, String> {
            let texts = log.texts(&file, &[first], &store).map_err(|lost| lost.to_string())?;
            let before = texts.get(&first).and_then(|texts| texts.before.clone());
            Ok(diff(before.as_ref(), now?.as_ref(), &shown))
        });
        match compared.await.unwrap_or_else(|_panic| Err("it cannot be compared: a bug in Opal".into())) {
            Ok(Some(diff)) => listed.push(FileChanges { name, turns, diff: Ok(diff) }),
            Ok(None) => {}
            Err(why) => listed.push(FileChanges { name, turns, diff: Err(why) }),
        }
    }
    let ran_commands =
        log.commands.iter().filter(|ran| turn.is_none_or(|turn| turn == *ran)).cloned().collect();
    Ok(Changes { files: listed, ran_commands })
}

/// `None`: the file stands as it did.
fn diff(before: Option<&Rope>, now: Option<&Rope>, shown: &str) -> Option<Diff> {
    if before == now {
        return None;
    }
    let empty = Rope::new();
    let (old, new) = (before.unwrap_or(&empty), now.unwrap_or(&empty));
    let diff = unified(old, new, shown, shown);
    Some(Diff {
        created: before.is_none(),
        removed: now.is_none(),
        text: diff.text,
        n_added: diff.added,
        n_removed: diff.removed,
        hunks: hunks(old, new),
    })
}

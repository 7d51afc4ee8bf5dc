//! Writing one change: into an open document, through an editor into a closed file, or onto the disk.

use std::sync::Arc;

use agent::workspace::{Change, File, FileError, FileName, OnDisk, Origin, WriteError, Written};
use text::{AbsPath, Rope, same_text};

use super::clean::Standing;
use super::{Edited, Held, SessionWorkspace, apply, disk, leads_to_itself, lock, save_documents};
use crate::blocking::{Awaited, blocking, blocking_while_awaited};
use crate::connection::Connection;
use crate::documents::OpenDocument;
use crate::file_locks::FileLock;

impl SessionWorkspace {
    pub(super) async fn write_change(&self, change: Change) -> Result<Written, WriteError> {
        let Change { base, edits } = change;
        let expected = edits
            .apply(&base.text)
            .map_err(|error| WriteError::Io { name: base.name.to_string(), reason: error.to_string() })?;
        let lock = self.locks.lock(&base.name).await;
        leads_to_itself(&base.name).await?;
        match self.find(&base.name).await {
            Some(held) => {
                let write =
                    |this: Arc<Self>| async move { this.write_open(held, base, edits, expected).await };
                self.to_the_end(lock, write).await
            }
            None => self.write_closed(lock, &base, &edits, expected).await,
        }
    }

    async fn write_open(
        &self,
        held: Held,
        base: File,
        edits: text::EditSet,
        expected: Rope,
    ) -> Result<Written, WriteError> {
        if base.origin != (Origin::Open { version: held.document.version() })
            || !same_text(held.document.text(), &base.text)
            || !held.document.is_known()
        {
            return Err(WriteError::Stale);
        }
        let name = &base.name;
        let was = self.left_by_user(&held.document).await;
        let applied = apply::to_document(&held, &edits, &expected, &self.limits).await;
        if matches!(applied, Err(WriteError::Unshown | WriteError::Unanswered)) {
            let edited = Edited { text: base.text.clone(), owed: Some(expected.clone()), was };
            lock(&self.edited).insert(name.clone(), edited);
        }
        let text = applied?;
        let uri = held.document.uri.clone();
        lock(&self.edited).insert(name.clone(), Edited { text: text.clone(), owed: None, was });
        let left_as = match was {
            Standing::Clean => None,
            Standing::Differs => Some(OnDisk::LeftDifferent),
            Standing::Typed => Some(OnDisk::LeftDirty),
        };
        if let Some(on_disk) = left_as {
            let left = expected.clone();
            return Ok(Written { uri, text, expected, left, on_disk });
        }
        if held.connection.saves_documents() {
            save_documents(&held.connection, &self.session_id, vec![uri.clone()], &self.limits).await;
        }
        // A formatter may have run.
        let typed = !same_text(&text, &expected);
        let now = held.connection.documents.get_by_uri(&uri);
        let (text, is_saved) = match now {
            Some(now) => (now.text().clone(), self.standing(&now).await == Standing::Clean),
            None => {
                let is_saved = matches!(name, FileName::Path(path) if self.file_holds(path, &text).await);
                (text, is_saved)
            }
        };
        // The editor has gone before it had saved.
        if !is_saved && !held.connection.is_open() {
            lock(&self.edited).remove(name);
            return Err(WriteError::Stale);
        }
        let on_disk = if is_saved { OnDisk::Saved } else { OnDisk::NotSaved };
        // What stands there unsaved was typed since.
        let is_typed = typed || !is_saved;
        let left = if is_typed { expected.clone() } else { left(&base.text, &expected, &text).await };
        if is_saved {
            lock(&self.edited).remove(name);
        }
        Ok(Written { uri, text, expected, left, on_disk })
    }

    /// Whoever waits for it may stop waiting: the lock is held until the disk has answered.
    async fn write_closed(
        &self,
        lock: FileLock,
        base: &File,
        edits: &text::EditSet,
        expected: Rope,
    ) -> Result<Written, WriteError> {
        let FileName::Path(path) = &base.name else {
            return Err(WriteError::Refused { reason: "the document is not open any more".into() });
        };
        let is_missing = base.origin == Origin::Missing;
        // It was open when it was read.
        if !is_missing && !matches!(base.origin, Origin::Disk { .. }) {
            return Err(WriteError::Stale);
        }
        if expected.len_bytes() <= self.limits.edit_closed_file
            && let Some(connection) = self.editor_for_closed()
            && (!is_missing || connection.profile().create_files)
        {
            let unchanged = match self.on_disk(path).await {
                Ok(read) => !is_missing && read.text == base.text,
                Err(FileError::NotFound { .. }) => is_missing,
                Err(error) => {
                    return Err(WriteError::Io { name: path.to_string(), reason: error.to_string() });
                }
            };
            if !unchanged {
                return Err(WriteError::Stale);
            }
            let (path, base, edits) = (path.clone(), base.clone(), edits.clone());
            let write = |this: Arc<Self>| async move {
                this.write_through_editor(&connection, &path, &base, &edits, expected).await
            };
            return self.to_the_end(lock, write).await;
        }
        let file = disk::NewText {
            path: path.clone(),
            base: (!is_missing).then(|| base.text.clone()),
            text: expected.clone(),
            max: self.limits.read_file,
        };
        let unfinished = self.unfinished.clone();
        let write = move |awaited: &Awaited| {
            let _lock = lock;
            disk::write(&file, &unfinished, awaited)
        };
        blocking_while_awaited(write).await?;
        let (text, left) = (expected.clone(), expected.clone());
        Ok(Written { uri: path.to_uri(), text, expected, left, on_disk: OnDisk::Saved })
    }

    /// A closed file, or a new one, by an edit that the editor saves: so its undo and its language servers
    /// see it.
    async fn write_through_editor(
        &self,
        connection: &Arc<Connection>,
        path: &AbsPath,
        base: &File,
        edits: &text::EditSet,
        expected: Rope,
    ) -> Result<Written, WriteError> {
        let uri = path.to_uri();
        apply::to_closed(connection, &uri, base, edits, &self.limits).await?;
        save_documents(connection, &self.session_id, vec![uri.clone()], &self.limits).await;
        // The disk is believed, and if the editor has opened the file, its document.
        let open = connection.documents.get(&base.name);
        let on_disk = match self.on_disk(path).await {
            Ok(read) => Some(read.text),
            Err(FileError::NotFound { .. }) => None,
            Err(_) => return self.written_unreadably(path, base, edits, expected, open).await,
        };
        let document = open.filter(OpenDocument::is_known).map(|document| document.text().clone());
        let applied = |text: &Rope| is_applied(text, &expected, edits);
        let was = (base.origin != Origin::Missing).then_some(&base.text);
        match (document, on_disk) {
            (document, Some(disk))
                if applied(&disk) || document.as_ref() == Some(&disk) && Some(&disk) != was =>
            {
                let left = left(&base.text, &expected, &disk).await;
                Ok(Written { uri, text: disk, expected, left, on_disk: OnDisk::Saved })
            }
            (Some(document), _) if applied(&document) => {
                let edited = Edited { text: document.clone(), owed: None, was: Standing::Clean };
                lock(&self.edited).insert(base.name.clone(), edited);
                let left = left(&base.text, &expected, &document).await;
                Ok(Written { uri, text: document, expected, left, on_disk: OnDisk::NotSaved })
            }
            // The editor has gone before it had saved.
            (_, disk) if disk.as_ref() == was && !connection.is_open() => Err(WriteError::Stale),
            (_, disk) if disk.as_ref() == was => Err(WriteError::Refused {
                reason: "the editor said yes, but the file on disk has not changed".into(),
            }),
            (_, disk) => Err(WriteError::Diverged { now: disk.unwrap_or_default() }),
        }
    }

    /// What came of an edit after which the file cannot be read, because the editor saves in an encoding that
    /// Opal does not read. The editor's document tells; without one, the file may still be the expected text.
    async fn written_unreadably(
        &self,
        path: &AbsPath,
        base: &File,
        edits: &text::EditSet,
        expected: Rope,
        open: Option<OpenDocument>,
    ) -> Result<Written, WriteError> {
        let uri = path.to_uri();
        let Some(document) = open.filter(OpenDocument::is_known) else {
            return match self.file_holds(path, &expected).await {
                true => {
                    let (text, left) = (expected.clone(), expected.clone());
                    Ok(Written { uri, text, expected, left, on_disk: OnDisk::Saved })
                }
                false => Err(WriteError::Unanswered),
            };
        };
        let text = document.text().clone();
        if !is_applied(&text, &expected, edits) {
            return Err(WriteError::Diverged { now: text });
        }
        let on_disk = match self.standing(&document).await {
            Standing::Clean => OnDisk::Saved,
            Standing::Differs | Standing::Typed => {
                let edited = Edited { text: text.clone(), owed: None, was: Standing::Clean };
                lock(&self.edited).insert(base.name.clone(), edited);
                OnDisk::NotSaved
            }
        };
        let left = left(&base.text, &expected, &text).await;
        Ok(Written { uri, text, expected, left, on_disk })
    }
}

/// Returns true if the text shows that the edits were applied.
fn is_applied(text: &Rope, expected: &Rope, edits: &text::EditSet) -> bool {
    same_text(text, expected) || text::differs_only_outside(expected, text, &edits.changed_ranges_after())
}

/// Returns what a change left where `stands` is the text now. A formatter cannot be told from the user, so what can be kept
/// when the change is taken back is taken to be the user's.
async fn left(base: &Rope, expected: &Rope, stands: &Rope) -> Rope {
    if same_text(stands, expected) {
        return expected.clone();
    }
    let (base, expected, stands) = (base.clone(), expected.clone(), stands.clone());
    // Comparing large texts may take seconds at worst.
    blocking(move || if text::merge(&expected, &stands, &base).is_ok() { expected } else { stands }).await
}

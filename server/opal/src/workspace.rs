//! The files of one session: what its clients have open, over the disk.
//!
//! Open documents change only in the editor, by versioned workspace edits, and are believed to have changed
//! only when the editor sends the text back. See [`apply`] for that, [`clean`] for what is saved, [`disk`] for
//! what the server writes, [`client_tools`] for what the editors are asked about the files.

mod apply;
mod clean;
mod client_tools;
mod disk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use agent::SessionId;
use agent::workspace::{Change, File, FileError, FileName, OnDisk, Origin, Workspace, WriteError, Written};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Request, SaveDocumentsParams, SaveDocumentsResult, methods};
use text::{AbsPath, Rope, same_text};

use self::clean::Standing;
use crate::Limits;
use crate::blocking::{Awaited, blocking, blocking_while_awaited};
use crate::connection::Connection;
use crate::documents::OpenDocument;
use crate::file_locks::{FileLock, FileLocks};
use crate::resolve::{ResolveError, resolve};
use crate::unfinished::Unfinished;

#[derive(Debug)]
pub(crate) struct SessionWorkspace {
    this: Weak<Self>,
    session_id: SessionId,
    limits: Limits,
    locks: FileLocks,
    unfinished: Unfinished,
    /// In the order in which they were attached. A connection owns its documents; this only looks at them.
    connections: Mutex<Vec<Weak<Connection>>>,
    /// Open documents that this session edited, until they are seen to be saved.
    edited: Mutex<HashMap<FileName, Edited>>,
}

/// An edited document.
#[derive(Debug, Clone)]
struct Edited {
    /// The text that Opal left. If another stands there, the user typed since, and it is theirs to save.
    text: Rope,
    /// The text that stands there if the editor has made an edit that it has not shown.
    owed: Option<Rope>,
    /// How the document stood before Opal edited it. One that was clean is to be saved.
    was: Standing,
}

impl Edited {
    /// Returns true if the text is as Opal left it.
    fn is_left(&self, text: &Rope) -> bool {
        same_text(&self.text, text) || self.owed.as_ref().is_some_and(|owed| same_text(owed, text))
    }
}

/// A document and whose it is.
#[derive(Debug, Clone)]
struct Held {
    connection: Arc<Connection>,
    document: OpenDocument,
}

impl SessionWorkspace {
    pub(crate) fn new(
        session_id: SessionId,
        limits: Limits,
        locks: FileLocks,
        unfinished: Unfinished,
    ) -> Arc<Self> {
        let (connections, edited) = (Mutex::default(), Mutex::default());
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            session_id,
            limits,
            locks,
            unfinished,
            connections,
            edited,
        })
    }

    /// Runs work that an editor may do late. When nobody waits for it any more it goes on to its end, and until then
    /// no other writer gets the file.
    async fn to_the_end<Work, T>(
        &self,
        lock: FileLock,
        work: impl FnOnce(Arc<Self>) -> Work,
    ) -> Result<T, WriteError>
    where
        Work: Future<Output = Result<T, WriteError>> + Send + 'static,
        T: Send + 'static,
    {
        let Some(this) = self.this.upgrade() else { return Err(WriteError::Unanswered) };
        let work = work(this);
        let task = tokio::spawn(async move {
            let _lock = lock;
            work.await
        });
        match task.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The server ends.
            Err(_) => Err(WriteError::Unanswered),
        }
    }

    pub(crate) fn attach(&self, connection: &Arc<Connection>) {
        let mut connections = lock(&self.connections);
        connections.retain(|attached| attached.strong_count() > 0);
        if !connections.iter().any(|attached| attached.as_ptr() == Arc::as_ptr(connection)) {
            connections.push(Arc::downgrade(connection));
        }
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.connections).iter().filter_map(Weak::upgrade).filter(|client| client.is_open()).collect()
    }

    /// What clients have named is known by its resolved path then, if the disk answers in time.
    async fn names_settled(&self) {
        let settled = self.connections().into_iter().map(|connection| async move {
            connection.names_settled(self.limits.resolve).await;
        });
        futures::future::join_all(settled).await;
    }

    /// The document as the client that has it open sees it. If several have: the one that is not clean, which is
    /// where somebody is at work.
    async fn find(&self, name: &FileName) -> Option<Held> {
        self.names_settled().await;
        let mut held: Vec<Held> = self
            .connections()
            .into_iter()
            .filter_map(|connection| {
                let document = connection.documents.get(name)?;
                Some(Held { connection, document })
            })
            .collect();
        if held.len() < 2 {
            return held.pop();
        }
        let mut chosen: Option<(Standing, Held)> = None;
        for held in held {
            let standing = self.standing(&held.document).await;
            if chosen.as_ref().is_none_or(|(chosen, _)| *chosen < standing) {
                chosen = Some((standing, held));
            }
        }
        chosen.map(|(_, held)| held)
    }

    /// The document with the changes that its client has not sent yet, if they come in time. `None`: it was closed.
    async fn caught_up(&self, held: Held) -> Option<OpenDocument> {
        let Held { connection, document } = held;
        if !document.is_behind() {
            return Some(document);
        }
        let mut changes = connection.documents.changes();
        let caught_up = async {
            loop {
                changes.borrow_and_update();
                match connection.documents.get_by_uri(&document.uri) {
                    Some(now) if now.is_behind() => {}
                    now => return now,
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        let caught_up = tokio::time::timeout(self.limits.verify_edit, caught_up).await;
        caught_up.unwrap_or(Some(document))
    }

    async fn on_disk(&self, path: &AbsPath) -> Result<disk::Read, FileError> {
        let path = path.clone();
        let max = self.limits.read_file;
        blocking(move || disk::read(&path, max)).await
    }

    /// How an open document stands to its file.
    async fn standing(&self, document: &OpenDocument) -> Standing {
        let (document, max) = (document.clone(), self.limits.read_file);
        blocking(move || clean::standing(&document, max)).await
    }

    /// How the user left a document: what Opal did to it since does not count.
    async fn left_by_user(&self, document: &OpenDocument) -> Standing {
        let before = lock(&self.edited)
            .get(document.name())
            .filter(|edited| edited.is_left(document.text()))
            .map(|edited| edited.was);
        match (before, self.standing(document).await) {
            (Some(before), Standing::Differs | Standing::Typed) => before,
            (_, now) => now,
        }
    }

    /// Returns true if the file on disk holds the text.
    async fn file_holds(&self, path: &AbsPath, text: &Rope) -> bool {
        let (path, text, max) = (path.clone(), text.clone(), self.limits.read_file);
        blocking(move || clean::holds(&path, &text, max)).await
    }

    /// The client through which a closed file is edited.
    fn editor_for_closed(&self) -> Option<Arc<Connection>> {
        self.connections().into_iter().find(|connection| connection.saves_documents())
    }

    async fn write_change(&self, change: Change) -> Result<Written, WriteError> {
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

    /// Through the editor where it can, so that what it shows of the file goes too.
    async fn remove_file(&self, file: &File) -> Result<String, WriteError> {
        let FileName::Path(path) = &file.name else {
            return Err(WriteError::Refused { reason: "the document is nowhere on disk".into() });
        };
        let lock = self.locks.lock(&file.name).await;
        leads_to_itself(&file.name).await?;
        let held = self.find(&file.name).await;
        let stands = match &held {
            Some(held) if !held.document.is_known() => None,
            Some(held) => Some(held.document.text().clone()),
            None => self.on_disk(path).await.ok().map(|read| read.text),
        };
        if stands.is_none_or(|text| !same_text(&text, &file.text)) {
            return Err(WriteError::Stale);
        }
        // Nobody has looked at what another program has written under an open document. What is empty holds
        // nothing to lose: an editor makes such a file before it saves.
        let differs = match self.on_disk(path).await {
            Ok(read) if read.text.len_bytes() == 0 => false,
            Err(FileError::NotFound { .. }) => false,
            Ok(_) | Err(_) => match &held {
                Some(held) => self.standing(&held.document).await != Standing::Clean,
                None => false,
            },
        };
        if differs {
            return Err(WriteError::DiskDiffers);
        }
        let editor = match held {
            Some(held) => Some(held.connection),
            None => self.editor_for_closed(),
        };
        let uri = path.to_uri();
        match editor.filter(|connection| connection.profile().delete_files) {
            Some(connection) => {
                let uri = uri.clone();
                let remove =
                    |this: Arc<Self>| async move { apply::remove(&connection, &uri, &this.limits).await };
                self.to_the_end(lock, remove).await?;
            }
            // The lock is held until the disk has answered, though nobody may wait for it any more.
            None => {
                let path = path.clone();
                let remove = move |awaited: &Awaited| {
                    let _lock = lock;
                    disk::remove(&path, awaited)
                };
                blocking_while_awaited(remove).await?;
            }
        }
        match self.on_disk(path).await {
            Err(FileError::NotFound { .. }) => {}
            _ => {
                return Err(WriteError::Refused {
                    reason: "the editor said yes, but the file is still there".into(),
                });
            }
        }
        self::lock(&self.edited).remove(&file.name);
        Ok(uri)
    }

    async fn save_all(&self) -> Vec<AbsPath> {
        let edited: Vec<(FileName, Edited)> =
            lock(&self.edited).iter().map(|(name, edited)| (name.clone(), edited.clone())).collect();
        let mut to_ask: Vec<(Arc<Connection>, Vec<String>)> = Vec::new();
        for (name, edited) in edited.iter().filter(|(_, edited)| edited.was == Standing::Clean) {
            match self.find(name).await {
                Some(Held { connection, document }) if edited.is_left(document.text()) => {
                    if !connection.saves_documents() {
                        continue;
                    }
                    match to_ask.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &connection)) {
                        Some((_, uris)) => uris.push(document.uri),
                        None => to_ask.push((connection, vec![document.uri])),
                    }
                }
                Some(held) if held.document.is_behind() => {}
                // The user has typed since, or closed it.
                _ => {
                    if let Some(edited) = lock(&self.edited).get_mut(name) {
                        edited.was = Standing::Typed;
                    }
                }
            }
        }
        let asked = to_ask.iter_mut().map(|(client, uris)| {
            save_documents(client, &self.session_id, std::mem::take(uris), &self.limits)
        });
        futures::future::join_all(asked).await;
        let mut dirty = Vec::new();
        for (name, _) in edited {
            match (&name, self.find(&name).await) {
                (FileName::Path(path), Some(held))
                    if self.standing(&held.document).await != Standing::Clean =>
                {
                    dirty.push(path.clone());
                }
                // On disk by now, or not open any more.
                _ => {
                    lock(&self.edited).remove(&name);
                }
            }
        }
        dirty.sort();
        dirty
    }
}

impl Workspace for SessionWorkspace {
    fn folders(&self) -> Vec<AbsPath> {
        self.connections().iter().flat_map(|connection| connection.folders()).collect()
    }

    fn resolve<'a>(&'a self, path: &'a AbsPath) -> BoxFuture<'a, Result<AbsPath, FileError>> {
        async move {
            // The path is judged by the clients' folders.
            self.names_settled().await;
            let (path, named) = (path.clone(), path.clone());
            blocking(move || resolve(&path)).await.map_err(|error| unresolved(&named, &error))
        }
        .boxed()
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<File, FileError>> {
        async move {
            if let Some(held) = self.find(name).await
                && let Some(document) = self.caught_up(held).await
            {
                if document.is_lost() {
                    return Err(FileError::Lost { name: name.to_string() });
                }
                if document.is_behind() {
                    return Err(FileError::Behind { name: name.to_string() });
                }
                let origin = Origin::Open { version: document.version() };
                return Ok(File { name: name.clone(), text: document.text().clone(), origin });
            }
            match name {
                FileName::Path(path) => {
                    let read = self.on_disk(path).await?;
                    let origin = Origin::Disk { encoding: read.encoding };
                    Ok(File { name: name.clone(), text: read.text, origin })
                }
                FileName::Document(uri) => Err(FileError::NotFound { name: uri.clone() }),
            }
        }
        .boxed()
    }

    fn read_bytes<'a>(&'a self, path: &'a AbsPath, max: u64) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        let path = path.clone();
        blocking(move || disk::read_bytes(&path, max)).boxed()
    }

    fn names<'a>(&'a self, directory: &'a AbsPath) -> BoxFuture<'a, Vec<String>> {
        async move {
            let mut names: Vec<String> = self
                .connections()
                .iter()
                .flat_map(|connection| connection.documents.names_in(directory))
                .collect();
            let directory = directory.clone();
            names.extend(blocking(move || disk::names(&directory)).await);
            names.sort_unstable();
            names.dedup();
            names
        }
        .boxed()
    }

    fn write<'a>(&'a self, change: Change) -> BoxFuture<'a, Result<Written, WriteError>> {
        self.write_change(change).boxed()
    }

    fn remove<'a>(&'a self, file: &'a File) -> BoxFuture<'a, Result<String, WriteError>> {
        self.remove_file(file).boxed()
    }

    fn save_edited(&self) -> BoxFuture<'_, Vec<AbsPath>> {
        self.save_all().boxed()
    }
}

/// The error of a file whose path cannot be resolved.
fn unresolved(path: &AbsPath, error: &ResolveError) -> FileError {
    let name = match error {
        // A name of 30,000 characters tells nothing.
        ResolveError::TooLong { .. } => path.to_string().chars().take(80).chain(['…']).collect(),
        _ => path.to_string(),
    };
    FileError::Io { name, reason: error.to_string() }
}

/// Returns true if the text shows that the edits were applied.
fn is_applied(text: &Rope, expected: &Rope, edits: &text::EditSet) -> bool {
    same_text(text, expected) || text::differs_only_outside(expected, text, &edits.changed_ranges_after())
}

/// An error if the name leads elsewhere since it was resolved.
async fn leads_to_itself(name: &FileName) -> Result<(), WriteError> {
    match name.clone() {
        FileName::Path(path) => blocking(move || disk::leads_to_itself(&path)).await,
        FileName::Document(_) => Ok(()),
    }
}

/// What a change left where this stands now. A formatter cannot be told from the user, so what can be kept
/// when the change is taken back is taken to be the user's.
async fn left(base: &Rope, expected: &Rope, stands: &Rope) -> Rope {
    if same_text(stands, expected) {
        return expected.clone();
    }
    let (base, expected, stands) = (base.clone(), expected.clone(), stands.clone());
    // Comparing large texts may take seconds at worst.
    blocking(move || if text::merge(&expected, &stands, &base).is_ok() { expected } else { stands }).await
}

/// Asks a client to save; what has come of it is seen on the disk.
async fn save_documents(connection: &Connection, session_id: &SessionId, uris: Vec<String>, limits: &Limits) {
    let params = SaveDocumentsParams { session_id: session_id.to_string(), uris };
    let call = connection.editor.call(methods::SaveDocuments::METHOD, &params);
    match tokio::time::timeout(limits.save_documents, call).await {
        Ok(Ok(result)) => {
            if let Err(error) = serde_json::from_value::<SaveDocumentsResult>(result) {
                tracing::debug!(%error, "an answer to client/save_documents is not understood");
            }
        }
        Ok(Err(error)) => tracing::info!(%error, "the client did not save"),
        Err(_elapsed) => tracing::info!("the client did not answer to client/save_documents in time"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The files of one session: what its clients have open, over the disk.
//!
//! Open documents change only in the editor, by versioned workspace edits, and are believed to have changed
//! only when the editor sends the text back. See [`apply`] for that, [`write`] for the ways to the file, [`clean`] for what is saved, [`disk`] for
//! what the server writes, [`client_tools`] for what the editors are asked about the files.

mod apply;
mod clean;
mod client_tools;
mod disk;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use agent::SessionId;
use agent::workspace::{Change, File, FileError, FileName, Origin, Workspace, WriteError, Written};
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

/// An error if the name leads elsewhere since it was resolved.
async fn leads_to_itself(name: &FileName) -> Result<(), WriteError> {
    match name.clone() {
        FileName::Path(path) => blocking(move || disk::leads_to_itself(&path)).await,
        FileName::Document(_) => Ok(()),
    }
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

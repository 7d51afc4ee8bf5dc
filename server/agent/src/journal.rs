//! A session's way to its store: what happened becomes entries, and entries become a conversation again.
//!
//! Nothing here waits. An append is on its way when [`Journal::record`] returns; whoever must not speak of
//! it before it is durable waits for the [`Commit`].

mod entry;
pub mod foreign;
pub mod history;
mod load;
pub mod record;
pub(crate) mod shown;
pub(crate) mod size;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
mod view;

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use serde::Serialize;
use store::{
    Append, Commit, Draft, EntryId, EntryKind, LoadedSession, NewBlob, NewEntry, SessionLock, SessionRecord,
    SessionUpdate, Store, StoreError,
};

use crate::changes::Log;
use crate::journal::record::AssistantRecord;
pub(crate) use entry::{Record, Stored};
pub use history::{history, markdown};
pub use load::{Loaded, load};
pub(crate) use load::{branch, load_with};
pub(crate) use view::View;

/// Writes one session. There is only one in all processes: it holds the session's lock.
#[derive(Debug)]
pub struct Journal {
    store: Store,
    session: store::SessionId,
    /// What is to be stored with the first entry; a session without any is not kept.
    unborn: Option<SessionRecord>,
    lock: Option<SessionLock>,
    /// Who is told to have it, where another wants it.
    client: String,
    next: u64,
    /// Where the next entry goes, if everything on its way is stored.
    leaf: Option<EntryId>,
    /// Where the stored conversation ends.
    durable_leaf: Option<EntryId>,
    /// What is on its way, oldest first.
    pending: VecDeque<Pending>,
    /// Some of it will never be stored, and nothing that builds on it.
    failed: bool,
    draft: KeptDraft,
}

/// The part of a streaming answer that is stored.
#[derive(Debug, Default)]
struct KeptDraft {
    /// Bytes of its text.
    n_bytes: usize,
    /// The last piece, until it is stored.
    on_its_way: Option<Commit>,
}

#[derive(Debug)]
enum Pending {
    Birth(Box<SessionRecord>),
    Entry(EntryId),
    Leaf(Option<EntryId>),
    Settings,
}

/// A session as it is stored, for those who read it.
#[derive(Debug, Clone)]
pub struct StoredSession {
    pub store: Store,
    pub session: store::SessionId,
}

impl StoredSession {
    /// Reads the whole session on a thread that may block.
    pub(crate) async fn load(&self) -> Result<LoadedSession, StoreError> {
        self.read(|session| session).await
    }

    /// Reads what the session changed. One that is not stored yet has changed nothing.
    pub(crate) async fn changes(&self) -> Result<Log, StoreError> {
        match self.read(|session| Log::read(&session)).await {
            Err(StoreError::UnknownSession(_)) => Ok(Log::default()),
            read => read,
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        take: impl FnOnce(LoadedSession) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let Self { store, session } = self.clone();
        let read = tokio::task::spawn_blocking(move || store.load(&session).map(take)).await;
        read.unwrap_or(Err(StoreError::Closed))
    }
}

impl Journal {
    /// A new session; stored with its first entry.
    pub fn new(store: Store, record: SessionRecord) -> Self {
        Self {
            store,
            session: record.id.clone(),
            unborn: Some(record),
            lock: None,
            client: "opal".into(),
            next: 1,
            leaf: None,
            durable_leaf: None,
            pending: VecDeque::new(),
            failed: false,
            draft: KeptDraft::default(),
        }
    }

    /// What the client that begins it calls itself: others who want the session are told.
    #[must_use]
    pub fn of_client(self, client: String) -> Self {
        Self { client, ..self }
    }

    /// Goes on with a session that was loaded.
    pub fn resumed(store: Store, lock: SessionLock, loaded: &store::LoadedSession) -> Self {
        let last = loaded.entries.iter().map(|entry| entry.id.0).max().unwrap_or_default();
        Self {
            store,
            session: loaded.record.id.clone(),
            unborn: None,
            lock: Some(lock),
            client: String::new(),
            next: last + 1,
            leaf: loaded.record.leaf,
            durable_leaf: loaded.record.leaf,
            pending: VecDeque::new(),
            failed: false,
            draft: KeptDraft::default(),
        }
    }

    pub(crate) fn stored(&self) -> StoredSession {
        StoredSession { store: self.store.clone(), session: self.session.clone() }
    }

    /// Appends an entry behind the leaf, which moves to it.
    pub(crate) fn record(
        &mut self,
        kind: EntryKind,
        payload: &impl Serialize,
        found_by: Option<String>,
        blob: Option<NewBlob>,
    ) -> (EntryId, Vec<Commit>) {
        let mut commits = self.be_born();
        let id = EntryId(self.next);
        self.next += 1;
        let entry = NewEntry {
            id,
            parent: self.leaf.replace(id),
            kind,
            created_at_ms: now_ms(),
            payload: json(payload),
            search_text: found_by,
        };
        let blobs = blob.into_iter().collect();
        let append = Append { entries: vec![entry], leaf: Some(id), blobs, draft: Draft::Clear };
        self.draft = KeptDraft::default();
        self.pending.push_back(Pending::Entry(id));
        commits.push(self.store.append(&self.session, append));
        (id, commits)
    }

    /// Moves to an entry of any branch; what follows goes behind it. `None`: before the first one.
    pub(crate) fn move_to(&mut self, leaf: Option<EntryId>) -> Commit {
        self.leaf = leaf;
        self.draft = KeptDraft::default();
        self.pending.push_back(Pending::Leaf(leaf));
        self.store.set_leaf(&self.session, leaf)
    }

    /// Stores what has been added to the text of the answer since the last time. `record` is the answer with all
    /// of its text so far.
    ///
    /// Nobody waits for it: a draft helps after a crash and promises nothing. One piece is on its way at a time, so
    /// a slow disk makes pieces larger and not more.
    pub(crate) fn draft(&mut self, text: &str, record: impl FnOnce() -> AssistantRecord) {
        if self.unborn.is_some() {
            return;
        }
        match self.draft.on_its_way.as_mut().map(FutureExt::now_or_never) {
            Some(None) => return,
            // The pieces behind one that is missing would not make a text.
            Some(Some(Err(_))) => self.draft.n_bytes = 0,
            Some(Some(Ok(()))) | None => {}
        }
        self.draft.on_its_way = None;
        let draft = match text.get(self.draft.n_bytes..) {
            Some("") => return,
            Some(added) if self.draft.n_bytes > 0 => Draft::Add(json(&added)),
            _ => Draft::Set(vec![json(&record())]),
        };
        self.draft.n_bytes = text.len();
        let append = Append { draft, ..Append::default() };
        self.draft.on_its_way = Some(self.store.append(&self.session, append));
    }

    /// Drops what was kept of an answer.
    pub(crate) fn forget_draft(&mut self) {
        self.draft = KeptDraft::default();
        if self.unborn.is_none() {
            drop(self.store.append(&self.session, Append { draft: Draft::Clear, ..Append::default() }));
        }
    }

    /// Keeps the session's settings and its queue.
    pub(crate) fn settings(&mut self, settings: &impl Serialize) -> Vec<Commit> {
        if let Some(unborn) = &mut self.unborn {
            unborn.settings_json = json(settings);
            return Vec::new();
        }
        let update = SessionUpdate { settings_json: Some(json(settings)), ..SessionUpdate::default() };
        self.pending.push_back(Pending::Settings);
        vec![self.store.update(&self.session, update)]
    }

    /// Keeps which model answers.
    pub(crate) fn model(&mut self, model: &str) -> Vec<Commit> {
        if let Some(unborn) = &mut self.unborn {
            unborn.model = Some(model.to_owned());
            return Vec::new();
        }
        let update = SessionUpdate { model: Some(model.to_owned()), ..SessionUpdate::default() };
        self.pending.push_back(Pending::Settings);
        vec![self.store.update(&self.session, update)]
    }

    /// Whether there is nothing of this session in the store.
    pub(crate) fn is_unborn(&self) -> bool {
        self.unborn.is_some()
    }

    fn be_born(&mut self) -> Vec<Commit> {
        let Some(record) = self.unborn.take() else { return Vec::new() };
        if self.lock.is_none() {
            match self.store.lock(&self.session, &self.client) {
                Ok(lock) => self.lock = Some(lock),
                // A new id is nobody else's; without the file the store will say what is wrong.
                Err(error) => tracing::warn!(%error, "a new session could not be locked"),
            }
        }
        self.pending.push_back(Pending::Birth(Box::new(record.clone())));
        vec![self.store.create(record)]
    }

    /// Whether settings are on their way.
    pub(crate) fn has_pending_settings(&self) -> bool {
        self.pending.iter().any(|pending| matches!(pending, Pending::Settings))
    }

    /// The oldest write on its way is stored, or never will be. When all that built on a failed one has
    /// failed too, the journal goes on behind what is stored: the trouble may be over by the next prompt.
    pub(crate) fn settled(&mut self, is_stored: bool) {
        match (self.pending.pop_front(), is_stored) {
            (Some(Pending::Entry(id)), true) => self.durable_leaf = Some(id),
            (Some(Pending::Leaf(leaf)), true) => self.durable_leaf = leaf,
            (Some(Pending::Birth(record)), false) => self.unborn = Some(*record),
            _ => {}
        }
        self.failed |= !is_stored;
        if self.failed && self.pending.is_empty() {
            self.failed = false;
            self.leaf = self.durable_leaf;
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a record could not be encoded");
        "{}".into()
    })
}

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! Stories of the whole store, on real files.

mod blobs;
mod damage;
mod exchange;
mod faults;
mod figures;
mod lists;
mod migrations;
mod processes;
mod sessions;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::{
    Append, EntryId, EntryKind, LoadedSession, NewEntry, Notice, Options, SessionId, SessionRecord, Store,
    StoreError, SyncMode,
};

/// A store in a directory of its own.
struct Fixture {
    directory: TempDir,
    store: Store,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = TempDir::new().unwrap();
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = notices.clone();
        let mut options = test_options();
        options.notice = Arc::new(move |notice| told.lock().unwrap().push(notice));
        change(&mut options);
        let store = Store::open(directory.path(), options);
        Self { directory, store, notices }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self) -> std::path::PathBuf {
        self.path().join("sessions.db")
    }

    /// Ends this store as a process would, and opens the directory again.
    fn reopen(&mut self) {
        self.store.close();
        let mut options = test_options();
        let told = self.notices.clone();
        options.notice = Arc::new(move |notice| told.lock().unwrap().push(notice));
        self.store = Store::open(self.directory.path(), options);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// No waiting for the disk, and a clock that ticks with each look.
fn test_options() -> Options {
    let ticks = AtomicI64::new(1000);
    Options {
        sync: SyncMode::Off,
        clock: Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed)),
        ..Options::default()
    }
}

fn id(id: &str) -> SessionId {
    SessionId::parse(id).unwrap()
}

fn session(name: &str) -> SessionRecord {
    SessionRecord {
        id: id(name),
        working_dir: "/work".to_owned(),
        name: None,
        model: Some("work/gpt-5".to_owned()),
        created_at_ms: 1,
        updated_at_ms: 1,
        leaf: None,
        parent: None,
        settings_json: "{}".to_owned(),
    }
}

/// An entry whose parent is the one before.
fn entry(n: u64, kind: EntryKind, text: &str) -> NewEntry {
    NewEntry {
        id: EntryId(n),
        parent: n.checked_sub(1).filter(|parent| *parent > 0).map(EntryId),
        kind,
        created_at_ms: i64::try_from(n).unwrap(),
        payload: format!("{{\"text\":{text:?}}}"),
        search_text: Some(text.to_owned()),
    }
}

fn prompt(n: u64, text: &str) -> Append {
    Append { entries: vec![entry(n, EntryKind::User, text)], leaf: Some(EntryId(n)), ..Append::default() }
}

/// Makes a session with a prompt for each text.
fn talk(store: &Store, name: &str, texts: &[&str]) {
    store.create(session(name)).wait().unwrap();
    for (n, text) in (1..).zip(texts) {
        store.append(&id(name), prompt(n, text)).wait().unwrap();
    }
}

/// A session as a person would note it.
fn show(loaded: &LoadedSession) -> String {
    let LoadedSession { record, entries, draft } = loaded;
    let mut lines = vec![format!("{} leaf {:?}", record.id, record.leaf.map(|leaf| leaf.0))];
    for entry in entries {
        let parent = entry.parent.map_or("-".to_owned(), |parent| parent.to_string());
        lines.push(format!("{parent} > {} {} {}", entry.id, entry.kind.as_str(), entry.payload));
    }
    if !draft.is_empty() {
        lines.push(format!("draft {}", draft.join(" + ")));
    }
    lines.join("\n")
}

/// An error as the log prints it.
fn text(error: &StoreError, directory: &Path) -> String {
    error.to_string().replace(&directory.display().to_string(), "$DIR")
}

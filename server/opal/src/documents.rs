//! The documents that one client has open, at the versions it has sent.
//!
//! Document notifications are taken on the reader, in wire order, before the router: a version must be
//! known before the next message is looked at, and the router's types refuse URIs that editors do send
//! (`file:///w/[id].tsx`) and drop the notification without a word.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent::workspace::FileName;
use memchr::memmem;
use protocol::Range;
use serde::Deserialize;
use serde_json::Value;
use text::{AbsPath, Change, Counting, Document, DocumentVersion, Rope, Step, same_text};
use tokio::sync::{mpsc, watch};

use crate::blocking::release_memory;
use crate::from_proto::position_range;
use crate::resolve::resolve;

/// Bytes of a document whose memory is given back to the system when it is closed.
const LARGE: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Documents {
    open: Mutex<Open>,
    /// Counts every change, so that one can wait for the next.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Open {
    counting: Counting,
    /// By the client's own spelling: to the client two spellings are two documents, even of one file.
    documents: HashMap<String, OpenDocument>,
    /// The spellings of each file, by the numbers of their openings.
    spellings: HashMap<FileName, BTreeMap<u64, String>>,
    n_openings: u64,
    /// Opened, and not yet taken to be resolved.
    opened: Vec<Opened>,
    /// Who wants to see each change, by the URI of the document.
    followers: HashMap<String, Vec<mpsc::UnboundedSender<Step>>>,
}

/// A document that was opened, under a path whose links have not been followed.
#[derive(Debug)]
pub(crate) struct Opened {
    number: u64,
    uri: String,
    pub(crate) path: AbsPath,
}

/// An open document at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OpenDocument {
    name: FileName,
    /// The number of its opening: a document may be closed and opened again while its path is resolved.
    number: u64,
    /// The client's own spelling.
    pub(crate) uri: String,
    document: Document,
    /// The text when the client opened the document or last saved it.
    told: Rope,
    was_saved: bool,
    /// A change could not be read, so the text is not known until it is sent whole.
    is_lost: bool,
    /// The client says that it applied an edit, and no change has shown it.
    is_behind: bool,
}

/// A notification that could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error("bad params: {0}")]
    Params(#[from] serde_path_to_error::Error<serde_json::Error>),
    #[error("{0} is not open")]
    NotOpen(String),
    #[error("{uri}: {source}")]
    Change { uri: String, source: text::ChangeError },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidOpen {
    text_document: Item,
}

#[derive(Deserialize)]
struct Item {
    uri: String,
    version: i32,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidChange {
    text_document: Versioned,
    content_changes: Vec<ContentChange>,
}

#[derive(Deserialize)]
struct Versioned {
    uri: String,
    /// Some clients leave it out; each change then counts one up.
    #[serde(default)]
    version: Option<i32>,
}

#[derive(Deserialize)]
struct ContentChange {
    #[serde(default)]
    range: Option<Range>,
    text: String,
}

/// `didClose` and `didSave`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    text_document: Identifier,
}

#[derive(Deserialize)]
struct Identifier {
    uri: String,
}

impl Documents {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::default(), changes: watch::Sender::new(0) }
    }

    pub(crate) fn set_counting(&self, counting: Counting) {
        self.lock().counting = counting;
    }

    /// The client's way to count positions.
    pub(crate) fn counting(&self) -> Counting {
        self.lock().counting
    }

    /// Takes a notification; `None` if it is not about documents.
    pub(crate) fn notify(&self, method: &str, params: &Value) -> Option<Result<(), SyncError>> {
        let result = match method {
            "textDocument/didOpen" => decode(params).map(|did_open| self.did_open(did_open)),
            "textDocument/didChange" => decode(params).and_then(|did_change| self.did_change(did_change)),
            "textDocument/didClose" => decode(params).and_then(|did_close| self.did_close(&did_close)),
            "textDocument/didSave" => decode(params).map(|did_save| self.did_save(&did_save)),
            "textDocument/willSave" => return Some(Ok(())),
            _ => return None,
        };
        if matches!(&result, Err(error) if !matches!(error, SyncError::NotOpen(_))) {
            self.lose(method, params);
        }
        self.changes.send_modify(|changes| *changes += 1);
        Some(result)
    }

    fn did_open(&self, DidOpen { text_document }: DidOpen) {
        let Item { uri, version, text } = text_document;
        self.lock().open(uri, Document::new(DocumentVersion(version), &text));
    }

    /// Takes the documents whose links are to be followed: the disk must not be waited for here.
    pub(crate) fn take_opened(&self) -> Vec<Opened> {
        std::mem::take(&mut self.lock().opened)
    }

    /// From now on the document is known by this path, if it is still the one that was opened.
    pub(crate) fn set_path(&self, opened: &Opened, resolved: AbsPath) {
        let mut open = self.lock();
        let is_same = |document: &OpenDocument| document.number == opened.number;
        if opened.path != resolved
            && open.documents.get(&opened.uri).is_some_and(is_same)
            && let Some(document) = open.remove(&opened.uri)
        {
            open.insert(OpenDocument { name: FileName::Path(resolved), ..document });
        }
    }

    fn did_change(&self, DidChange { text_document, content_changes }: DidChange) -> Result<(), SyncError> {
        let Versioned { uri, version } = text_document;
        let changes: Vec<Change> = content_changes
            .into_iter()
            .map(|change| match change.range {
                Some(range) => Change::Splice { range: position_range(range), text: change.text },
                None => Change::Full(change.text),
            })
            .collect();
        let open = &mut *self.lock();
        let counting = open.counting;
        let Some(document) = open.documents.get_mut(&uri) else { return Err(SyncError::NotOpen(uri)) };
        let version = version.unwrap_or(document.document.version().0.saturating_add(1));
        let is_whole = |change: &Change| matches!(change, Change::Full(_));
        let known_from = match document.is_lost {
            true => changes.iter().rposition(is_whole),
            false => Some(0),
        };
        let Some(changes) = known_from.and_then(|from| changes.get(from..)) else { return Ok(()) };
        let steps = document
            .document
            .apply_changes(DocumentVersion(version), changes, counting)
            .map_err(|source| SyncError::Change { uri: uri.clone(), source })?;
        document.is_lost = false;
        document.is_behind &= steps.is_empty();
        open.tell_followers(&uri, &steps);
        Ok(())
    }

    fn did_save(&self, About { text_document }: &About) {
        if let Some(document) = self.lock().documents.get_mut(&text_document.uri) {
            document.told = document.document.text().clone();
            document.was_saved = true;
            // A client sends its changes before it tells of a save.
            document.is_behind = false;
        }
    }

    fn did_close(&self, About { text_document }: &About) -> Result<(), SyncError> {
        let Some(closed) = self.lock().close(&text_document.uri) else {
            return Err(SyncError::NotOpen(text_document.uri.clone()));
        };
        if closed.text().len_bytes() >= LARGE {
            drop(closed);
            release_memory();
        }
        Ok(())
    }

    /// Notes that the client says it applied an edit which no change has shown. The next one does.
    pub(crate) fn expect_change(&self, uri: &str) {
        if let Some(document) = self.lock().documents.get_mut(uri) {
            document.is_behind = true;
        }
    }

    /// Gives up the text of the document that a notification is about, because it cannot be read. True: there is
    /// such a document.
    pub(crate) fn lose(&self, method: &str, params: &Value) -> bool {
        let Some(uri) = params.pointer("/textDocument/uri").and_then(Value::as_str) else { return false };
        let is_open = self.lock().documents.contains_key(uri);
        match method {
            // The disk does not count for what an editor has open, so this is open with a text that nobody knows.
            "textDocument/didOpen" if !is_open => {
                self.lock().open(uri.to_owned(), Document::new(DocumentVersion(0), ""));
            }
            "textDocument/didOpen" | "textDocument/didChange" if is_open => {}
            _ => return false,
        }
        if let Some(document) = self.lock().documents.get_mut(uri) {
            document.is_lost = true;
        }
        self.changes.send_modify(|changes| *changes += 1);
        true
    }

    /// Gives up the texts that a frame which is no message may have been meant to change: those of the documents
    /// that it names, else all. Returns their URIs. `is_cut`: the frame goes on, so what it does not say may follow.
    pub(crate) fn lose_in(&self, frame: &[u8], is_cut: bool) -> Option<String> {
        let says = |words: &[u8]| memmem::find(frame, words).is_some();
        // Some clients escape the slash.
        let opens = says(b"/didOpen\"");
        let is_something_else = !is_cut || says(b"\"method\"") || says(b"\"result\"") || says(b"\"error\"");
        if !opens && !says(b"/didChange\"") && is_something_else {
            return None;
        }
        let mut open = self.lock();
        // The disk does not count for what an editor has open.
        if opens
            && let Some(uri) = uri_in(frame)
            && !open.documents.contains_key(&uri)
        {
            open.open(uri, Document::new(DocumentVersion(0), ""));
        }
        let is_named = |uri: &str| memmem::find(frame, uri.as_bytes()).is_some();
        let names_one = open.documents.keys().any(|uri| is_named(uri));
        let lost = open.documents.values_mut().filter(|document| !names_one || is_named(&document.uri));
        // Those that were lost before have been told of.
        let lost = lost.filter(|document| !document.is_lost);
        let uris: Vec<String> = lost
            .map(|document| {
                document.is_lost = true;
                document.uri.clone()
            })
            .collect();
        drop(open);
        self.changes.send_modify(|changes| *changes += 1);
        (!uris.is_empty()).then(|| uris.join(", "))
    }

    /// The document of a file; if it is open in several spellings, the one opened last.
    pub(crate) fn get(&self, name: &FileName) -> Option<OpenDocument> {
        let open = self.lock();
        open.documents.get(open.spellings.get(name)?.last_key_value()?.1).cloned()
    }

    /// The document with the client's own spelling.
    pub(crate) fn get_by_uri(&self, uri: &str) -> Option<OpenDocument> {
        self.lock().documents.get(uri).cloned()
    }

    /// The versions of all that are open.
    pub(crate) fn versions(&self) -> HashMap<FileName, DocumentVersion> {
        let open = self.lock();
        let version = |uri: &String| open.documents.get(uri).map(OpenDocument::version);
        let versions = open.spellings.iter();
        versions.filter_map(|(name, uris)| Some((name.clone(), version(uris.last_key_value()?.1)?))).collect()
    }

    /// Names of open documents below a directory.
    pub(crate) fn names_in(&self, directory: &AbsPath) -> Vec<String> {
        let open = self.lock();
        let paths = open.spellings.keys().filter_map(|name| match name {
            FileName::Path(path) if path.parent().as_ref() == Some(directory) => {
                Some(path.file_name().into_owned())
            }
            _ => None,
        });
        paths.collect()
    }

    /// Shows each change of a document from here on, also those of which the next one leaves no trace. The channel
    /// holds what comes while an edit is on its way, and ends when the document is closed.
    pub(crate) fn follow(&self, uri: &str) -> mpsc::UnboundedReceiver<Step> {
        let (follower, steps) = mpsc::unbounded_channel();
        let mut open = self.lock();
        if open.documents.contains_key(uri) {
            open.followers.entry(uri.to_owned()).or_default().push(follower);
        }
        steps
    }

    /// Fires at the next notification. Ask for it before looking at a document.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first URI in the text of a message, which need not be whole.
fn uri_in(frame: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"\"uri\"";
    let after_key = &frame[memmem::find(frame, KEY)? + KEY.len()..];
    let value = after_key.trim_ascii_start().strip_prefix(b":")?;
    serde_json::Deserializer::from_slice(value).into_iter().next()?.ok()
}

impl Open {
    /// A document is known by the path that the client wrote until its links have been followed.
    fn open(&mut self, uri: String, document: Document) {
        if self.remove(&uri).is_some() {
            // To those who follow it, a document that is opened anew was changed.
            self.tell_followers(&uri, &[Step { change: None, after: document.text().clone() }]);
        }
        self.n_openings += 1;
        let number = self.n_openings;
        let name = match AbsPath::from_uri(&uri) {
            Ok(path) => {
                self.opened.push(Opened { number, uri: uri.clone(), path: path.clone() });
                FileName::Path(path)
            }
            Err(_) => FileName::Document(uri.clone()),
        };
        self.insert(OpenDocument::new(name, number, uri, document));
    }

    fn close(&mut self, uri: &str) -> Option<OpenDocument> {
        self.followers.remove(uri);
        self.remove(uri)
    }

    fn insert(&mut self, document: OpenDocument) {
        let spellings = self.spellings.entry(document.name.clone()).or_default();
        spellings.insert(document.number, document.uri.clone());
        self.documents.insert(document.uri.clone(), document);
    }

    fn remove(&mut self, uri: &str) -> Option<OpenDocument> {
        let removed = self.documents.remove(uri)?;
        if let Some(spellings) = self.spellings.get_mut(&removed.name) {
            spellings.remove(&removed.number);
            if spellings.is_empty() {
                self.spellings.remove(&removed.name);
            }
        }
        Some(removed)
    }

    fn tell_followers(&mut self, uri: &str, steps: &[Step]) {
        let Some(followers) = self.followers.get_mut(uri) else { return };
        followers.retain(|follower| steps.iter().all(|step| follower.send(step.clone()).is_ok()));
        if followers.is_empty() {
            self.followers.remove(uri);
        }
    }
}

impl OpenDocument {
    fn new(name: FileName, number: u64, uri: String, document: Document) -> Self {
        let told = document.text().clone();
        Self { name, number, uri, document, told, was_saved: false, is_lost: false, is_behind: false }
    }

    pub(crate) fn name(&self) -> &FileName {
        &self.name
    }

    /// Returns true if the text is not known: a change could not be read.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Returns true if the client has not sent its last change, so that the text held here is out of date.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Returns true if the client has this text.
    pub(crate) fn is_known(&self) -> bool {
        !self.is_lost && !self.is_behind
    }

    /// Returns true if the text has changed since the client opened the document or saved it.
    pub(crate) fn is_modified(&self) -> bool {
        !same_text(self.text(), &self.told)
    }

    /// Returns true if the client says that it saved this text.
    pub(crate) fn is_saved(&self) -> bool {
        self.was_saved && !self.is_modified()
    }

    pub(crate) fn version(&self) -> DocumentVersion {
        self.document.version()
    }

    pub(crate) fn text(&self) -> &Rope {
        self.document.text()
    }
}

/// Returns the name of a document of a client. A path that cannot be resolved stands for itself. Blocks on the disk.
pub(crate) fn document_name(uri: &str) -> FileName {
    match AbsPath::from_uri(uri) {
        Ok(path) => FileName::Path(resolve(&path).unwrap_or(path)),
        Err(_) => FileName::Document(uri.to_owned()),
    }
}

fn decode<'de, T: Deserialize<'de>>(params: &'de Value) -> Result<T, SyncError> {
    Ok(serde_path_to_error::deserialize(params)?)
}

#[cfg(test)]
mod tests;

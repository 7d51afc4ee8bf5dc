//! The documents that one client has open, at the versions it has sent.
//!
//! Document notifications are taken on the reader, in wire order, before the router: a version must be
//! known before the next message is looked at, and the router's types refuse URIs that editors do send
//! (`file:///w/[id].tsx`) and drop the notification without a word.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent::workspace::FileName;
use protocol::Range;
use serde::Deserialize;
use serde_json::Value;
use text::{AbsPath, Change, Document, DocumentVersion, PositionEncoding, Rope};
use tokio::sync::watch;

use crate::from_proto::position_range;

#[derive(Debug)]
pub(crate) struct Documents {
    open: Mutex<Open>,
    /// Counts every change, so that one can wait for the next.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Open {
    encoding: PositionEncoding,
    /// By the client's own spelling: to the client two spellings are two documents, even of one file.
    documents: HashMap<String, OpenDocument>,
    /// The spellings of each file, the one opened last at the end.
    spellings: HashMap<FileName, Vec<String>>,
}

/// An open document at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OpenDocument {
    name: FileName,
    /// The client's own spelling.
    pub(crate) uri: String,
    document: Document,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidClose {
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

    pub(crate) fn set_encoding(&self, encoding: PositionEncoding) {
        self.lock().encoding = encoding;
    }

    pub(crate) fn encoding(&self) -> PositionEncoding {
        self.lock().encoding
    }

    /// Takes a notification; `None` if it is not about documents.
    pub(crate) fn notify(&self, method: &str, params: &Value) -> Option<Result<(), SyncError>> {
        let result = match method {
            "textDocument/didOpen" => decode(params).map(|did_open| self.did_open(did_open)),
            "textDocument/didChange" => decode(params).and_then(|did_change| self.did_change(did_change)),
            "textDocument/didClose" => decode(params).and_then(|did_close| self.did_close(&did_close)),
            // Whether a document is saved is seen by comparing it with the disk.
            "textDocument/didSave" | "textDocument/willSave" => return Some(Ok(())),
            _ => return None,
        };
        self.changes.send_modify(|changes| *changes += 1);
        Some(result)
    }

    fn did_open(&self, DidOpen { text_document }: DidOpen) {
        let Item { uri, version, text } = text_document;
        let name = name(&uri);
        let document = Document::new(DocumentVersion(version), &text);
        let mut open = self.lock();
        open.close(&uri);
        open.spellings.entry(name.clone()).or_default().push(uri.clone());
        open.documents.insert(uri.clone(), OpenDocument { name, uri, document });
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
        let mut open = self.lock();
        let encoding = open.encoding;
        let Some(document) = open.documents.get_mut(&uri) else { return Err(SyncError::NotOpen(uri)) };
        let version = version.unwrap_or(document.document.version().0.saturating_add(1));
        document
            .document
            .apply_changes(DocumentVersion(version), &changes, encoding)
            .map_err(|source| SyncError::Change { uri, source })
    }

    fn did_close(&self, DidClose { text_document }: &DidClose) -> Result<(), SyncError> {
        match self.lock().close(&text_document.uri) {
            true => Ok(()),
            false => Err(SyncError::NotOpen(text_document.uri.clone())),
        }
    }

    /// The document of a file; if it is open in several spellings, the one opened last.
    pub(crate) fn get(&self, name: &FileName) -> Option<OpenDocument> {
        let open = self.lock();
        open.documents.get(open.spellings.get(name)?.last()?).cloned()
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
        versions.filter_map(|(name, uris)| Some((name.clone(), version(uris.last()?)?))).collect()
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

    /// Fires at the next notification. Ask for it before looking at a document.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// False: it was not open.
    fn close(&mut self, uri: &str) -> bool {
        let Some(closed) = self.documents.remove(uri) else { return false };
        if let Some(spellings) = self.spellings.get_mut(&closed.name) {
            spellings.retain(|other| other != uri);
            if spellings.is_empty() {
                self.spellings.remove(&closed.name);
            }
        }
        true
    }
}

impl OpenDocument {
    pub(crate) fn version(&self) -> DocumentVersion {
        self.document.version()
    }

    pub(crate) fn text(&self) -> &Rope {
        self.document.text()
    }
}

fn decode<'de, T: Deserialize<'de>>(params: &'de Value) -> Result<T, SyncError> {
    Ok(serde_path_to_error::deserialize(params)?)
}

/// A document is known by the file it is, however its client spells it.
pub(crate) fn name(uri: &str) -> FileName {
    match AbsPath::from_uri(uri) {
        Ok(path) => FileName::Path(resolve(&path)),
        Err(_) => FileName::Document(uri.to_owned()),
    }
}

/// Follows symlinks; of what does not exist, the part that does. A few system calls on the reader: the
/// document's name must be known before the next message.
pub(crate) fn resolve(path: &AbsPath) -> AbsPath {
    fn existing(path: &Path) -> Option<std::path::PathBuf> {
        if let Ok(resolved) = dunce::canonicalize(path) {
            return Some(resolved);
        }
        Some(existing(path.parent()?)?.join(path.file_name()?))
    }
    existing(path.as_path()).and_then(|path| AbsPath::new(path).ok()).unwrap_or_else(|| path.clone())
}

#[cfg(test)]
mod tests;

//! What the user does: opening, typing, saving, closing; and scripts for what the server will ask.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use super::document::{Document, Habits};
use super::edits::{Apply, Confirm, Save};
use super::state::State;
use super::{Editor, Outgoing};

impl Editor {
    /// The URI of a file in the open folder, as this client spells it.
    pub fn uri(&self, name: &str) -> String {
        let state = self.state();
        file_uri(&state.options.directory.join(name), state.options.raw_uris)
    }

    /// Opens a file of the folder.
    pub fn open(&self, name: &str) {
        let uri = self.uri(name);
        let bytes =
            fs::read(path_of(&uri)).unwrap_or_else(|error| panic!("{name} cannot be opened: {error}"));
        self.with(|state| {
            let document = Document::open(&uri, &bytes, state.habits());
            state.open_document(document);
        });
    }

    /// Opens a document that is no file, such as `untitled:Untitled-1`.
    pub fn open_untitled(&self, uri: &str, text: &str) {
        self.with(|state| state.open_document(Document::new(uri, text.as_bytes())));
    }

    /// Opens a file with a text that was never saved, as an editor does that restores what it had.
    pub fn restore(&self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.with(|state| state.open_document(Document::new(&uri, text.as_bytes())));
    }

    pub fn close(&self, name: &str) {
        let uri = self.uri(name);
        self.with(|state| {
            state.documents.remove(&uri).unwrap_or_else(|| panic!("{uri} is not open"));
            state.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
        });
    }

    /// Types: the first `find` becomes `put`.
    pub fn type_over(&self, name: &str, find: &str, put: &str) {
        let text = self.text(name);
        assert!(text.contains(find), "{name} has no {find:?}: {text:?}");
        self.set_text(name, &text.replacen(find, put, 1));
    }

    /// Types until the document has this text; one change.
    pub fn set_text(&self, name: &str, text: &str) {
        let uri = self.document_uri(name);
        self.with(|state| {
            let encoding = state.encoding;
            let changes = state.document(&uri).become_text(text, encoding);
            state.did_change(&uri, changes);
        });
    }

    pub fn save(&self, name: &str) {
        let uri = self.document_uri(name);
        self.with(|state| state.save(&uri)).unwrap_or_else(|error| panic!("{name} cannot be saved: {error}"));
    }

    /// The text of an open document.
    pub fn text(&self, name: &str) -> String {
        let uri = self.document_uri(name);
        self.state().document(&uri).text.clone()
    }

    pub fn document_version(&self, name: &str) -> i32 {
        let uri = self.document_uri(name);
        self.state().document(&uri).version
    }

    pub fn is_open(&self, name: &str) -> bool {
        let uri = self.document_uri(name);
        self.state().documents.contains_key(&uri)
    }

    /// An LSP range over the first `find` in a document.
    pub fn range_of(&self, name: &str, find: &str) -> Value {
        let uri = self.document_uri(name);
        let mut state = self.state();
        let encoding = state.encoding;
        let document = state.document(&uri);
        let start = document.text.find(find).unwrap_or_else(|| panic!("{name} has no {find:?}"));
        document.range(start, start + find.len(), encoding)
    }

    fn document_uri(&self, name: &str) -> String {
        match name.starts_with("untitled:") {
            true => name.to_owned(),
            false => self.uri(name),
        }
    }

    /// What to do with the next `workspace/applyEdit` that nothing is scripted for yet.
    pub fn on_edit(&self, apply: Apply) {
        self.state().applies.push_back(apply);
    }

    /// Does and answers the edits and the saves that were held back.
    pub fn release(&self) {
        self.with(|state| {
            for (id, params, apply) in std::mem::take(&mut state.held_edits) {
                state.apply_now(&id, &params, &apply);
            }
            for (id, params) in std::mem::take(&mut state.held_saves) {
                state.save_now(&id, params, Save::Write);
            }
        });
    }

    pub fn on_save(&self, save: Save) {
        self.state().saves.push_back(save);
    }

    /// What to answer to the next question that nothing is scripted for yet.
    pub fn on_confirm(&self, confirm: Confirm) {
        self.state().confirms.push_back(confirm);
    }

    /// What to answer to every question that has no script.
    pub fn always_confirm(&self, confirm: Confirm) {
        self.state().confirm_always = confirm;
    }

    /// The sessions in which a run is going on, as the events say.
    pub fn running(&self) -> Vec<String> {
        self.state().running()
    }

    /// Every event of a session that has come.
    pub fn events(&self, session: &str) -> Vec<Value> {
        let events = self.state().log.events();
        events.into_iter().filter(|event| event["session_id"] == session).collect()
    }

    /// Every message that the server has sent, whole.
    pub fn everything(&self) -> String {
        self.state().log.everything()
    }

    /// The number of the last event of a session.
    pub fn seq(&self, session: &str) -> Option<u64> {
        self.state().seq(session)
    }

    /// Sends a message in pieces of one byte, so that frames arrive cut everywhere.
    pub fn send_in_pieces(&self, message: &Value) {
        let frame = self.state().framing.wrap(message.to_string().as_bytes());
        self.state().note_sent(message);
        for byte in frame {
            self.send(Outgoing::Bytes(vec![byte]));
        }
    }
}

impl State {
    pub(super) fn document(&mut self, uri: &str) -> &mut Document {
        self.documents.get_mut(uri).unwrap_or_else(|| panic!("{uri} is not open"))
    }

    pub(super) fn habits(&self) -> Habits {
        let lf_lines = self.options.profile.has_lf_lines();
        Habits { lf_lines, ..self.options.habits }
    }

    pub(super) fn open_document(&mut self, document: Document) {
        let language = document.uri.rsplit_once('.').map_or("plaintext", |(_, extension)| extension);
        let item = json!({
            "uri": document.uri, "languageId": language, "version": document.version, "text": document.text,
        });
        self.notify("textDocument/didOpen", json!({ "textDocument": item }));
        self.documents.insert(document.uri.clone(), document);
    }

    /// Tells the server of a change that has happened.
    pub(super) fn did_change(&mut self, uri: &str, changes: Vec<Value>) {
        let full = self.options.full_sync;
        let document = self.document(uri);
        let changes = if full { vec![json!({ "text": document.text })] } else { changes };
        let document = json!({ "uri": uri, "version": document.version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    pub(super) fn save(&mut self, uri: &str) -> io::Result<()> {
        let bytes = self.document(uri).bytes();
        fs::write(path_of(uri), bytes)?;
        self.notify("textDocument/didSave", json!({ "textDocument": { "uri": uri } }));
        Ok(())
    }
}

/// A `file:` URI; `raw` leaves every character as it is.
pub fn file_uri(path: &Path, raw: bool) -> String {
    let path = path.to_str().expect("test paths are UTF-8");
    let mut uri = String::from("file://");
    for c in path.chars() {
        if raw || c.is_ascii_alphanumeric() || "/-._~".contains(c) {
            uri.push(c);
        } else {
            let mut bytes = [0; 4];
            uri.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    uri
}

/// The path of a `file:` URI.
pub(super) fn path_of(uri: &str) -> PathBuf {
    let path = uri.strip_prefix("file://").unwrap_or(uri).as_bytes();
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (path[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                at += 3;
            }
            (byte, _) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

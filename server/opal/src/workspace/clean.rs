//! Whether an open document is clean. The answer decides what Opal saves, and whom it names when it does not.
//!
//! Two witnesses are heard: the file, and the client's notifications. The file counts first, line ends and the
//! byte order mark aside, because a client may open a document with text that was never saved (VS Code does after
//! a crash), and does not say so. Where the file is in an encoding that Opal does not read, it is asked whether
//! the text can come from it; if not, the client's word counts for a text that it saved, and for no other.

use agent::workspace::FileName;
use text::{AbsPath, Rope, can_be_decoded_from, decode, same_lines};

use super::disk;
use crate::documents::OpenDocument;

/// How a document stands to its file. In the order in which a document wants care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// The file holds the text.
    Clean,
    /// The file holds something else, though the client tells of no typing: another program wrote the file, or
    /// the text is one that the editor restored.
    Differs,
    /// The user has typed since the document was opened or saved.
    Typed,
}

/// Looks at a document and its file. Blocking.
pub(super) fn standing(document: &OpenDocument, max: u64) -> Standing {
    let FileName::Path(path) = document.name() else { return Standing::Typed };
    if !document.is_known() {
        return Standing::Typed;
    }
    let is_clean = match file_holds(path, document.text(), max) {
        Some(holds) => holds,
        None => document.is_saved(),
    };
    match (is_clean, document.is_modified()) {
        (true, _) => Standing::Clean,
        (false, false) => Standing::Differs,
        (false, true) => Standing::Typed,
    }
}

/// Returns true if the file holds the text, as far as can be told. Blocking.
pub(super) fn holds(path: &AbsPath, text: &Rope, max: u64) -> bool {
    file_holds(path, text, max).unwrap_or(false)
}

/// `None`: there is a file, and what it holds cannot be read.
fn file_holds(path: &AbsPath, text: &Rope, max: u64) -> Option<bool> {
    // Mostly it does to the byte, which takes no copy of the file.
    if disk::holds(path, text, max) == Ok(true) {
        return Some(true);
    }
    let bytes = match disk::read_bytes(path, max) {
        Ok(bytes) => bytes,
        Err(agent::workspace::FileError::NotFound { .. }) => return Some(false),
        Err(_) => return None,
    };
    match decode(&bytes) {
        Ok(decoded) => Some(same_lines(&decoded.text, text)),
        Err(_) => can_be_decoded_from(text, &bytes).then_some(true),
    }
}

#[cfg(test)]
mod tests;

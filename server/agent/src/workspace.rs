//! Files as tools see them: open documents over the disk.

use std::fmt;

use futures::future::BoxFuture;
use text::{AbsPath, EditSet, Rope};

use crate::client_tools::ClientTools;

/// The files of a session, and what its editors know of them. Every path given to it is absolute; where a
/// path is compared with the roots it was resolved first.
pub trait Workspace: ClientTools + Send + Sync + fmt::Debug {
    /// The folders the attached clients work in, symlinks resolved.
    fn folders(&self) -> Vec<AbsPath>;

    /// Follows symlinks. Of a path that does not exist the longest existing part is resolved.
    fn resolve<'a>(&'a self, path: &'a AbsPath) -> BoxFuture<'a, Result<AbsPath, FileError>>;

    /// The file's text as it stands: the open document, else the disk.
    fn read<'a>(&'a self, file: &'a FileName) -> BoxFuture<'a, Result<File, FileError>>;

    /// The bytes on disk, at most `max`.
    fn read_bytes<'a>(&'a self, path: &'a AbsPath, max: u64) -> BoxFuture<'a, Result<Vec<u8>, FileError>>;

    /// Names in a directory, for suggestions; an unreadable directory has none.
    fn names<'a>(&'a self, directory: &'a AbsPath) -> BoxFuture<'a, Vec<String>>;

    /// Applies a change that was computed on a file as read. Never leaves it half applied, and is not
    /// interrupted by a cancelled turn.
    fn write<'a>(&'a self, change: Change) -> BoxFuture<'a, Result<Written, WriteError>>;

    /// Removes a file that stands as it was read. Returns its URI.
    fn remove<'a>(&'a self, file: &'a File) -> BoxFuture<'a, Result<String, WriteError>>;

    /// Saves the documents that this session edited and that were clean before. Returns the ones that the
    /// user left dirty, which are never saved.
    fn save_edited(&self) -> BoxFuture<'_, Vec<AbsPath>>;
}

/// What a tool may name: a file on disk, or a document that is nowhere on disk yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    Path(AbsPath),
    /// A document's URI, as in `untitled:Untitled-1`.
    Document(String),
}

/// A file's text at one moment.
#[derive(Debug, Clone)]
pub struct File {
    pub name: FileName,
    pub text: Rope,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// An open document at a version.
    Open {
        version: text::DocumentVersion,
    },
    Disk {
        encoding: text::Encoding,
    },
    /// There is no such file yet.
    Missing,
}

/// Edits of a file as it was read.
#[derive(Debug, Clone)]
pub struct Change {
    pub base: File,
    pub edits: EditSet,
}

/// What stands after a change that was applied.
#[derive(Debug, Clone)]
pub struct Written {
    /// The client's own spelling.
    pub uri: String,
    /// What stands now. It differs from what was written if the user typed meanwhile or a formatter ran.
    pub text: Rope,
    pub expected: Rope,
    /// What the change made of the file, a formatter included: all that cannot be the user's typing.
    pub left: Rope,
    pub on_disk: OnDisk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// The text is on disk.
    Saved,
    /// Only in the editor: the document had unsaved changes of the user, which Opal never saves.
    LeftDirty,
    /// Only in the editor: the document and the file differed before, though the user typed nothing.
    LeftDifferent,
    /// Only in the editor: it cannot be asked to save, or did not.
    NotSaved,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("{name} does not exist")]
    NotFound { name: String },
    #[error("{name} is a directory")]
    Directory { name: String },
    #[error("{name} is not a regular file")]
    NotRegular { name: String },
    #[error("{name} is binary")]
    Binary { name: String },
    #[error("{name} is not UTF-8 or UTF-16 text")]
    NotText { name: String },
    #[error("{name} has {size} bytes, more than the {max} that can be read")]
    TooLarge { name: String, size: u64, max: u64 },
    #[error("{name} cannot be read: {reason}")]
    Io { name: String, reason: String },
    /// The disk does not count for what is open.
    #[error(
        "the text of {name} is not known: it is open in the editor, which sent a change that cannot be read. \
         The user has to close the document and open it again"
    )]
    Lost { name: String },
    #[error(
        "the text of {name} is not known at the moment: the editor has applied an edit and has not sent the change yet"
    )]
    Behind { name: String },
}

impl FileError {
    /// What a model can do about it, or with the file all the same.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "Look for it with `ls` or `find` in the shell.",
            Self::Directory { .. } => "List it with `ls` in the shell, and name a file in it.",
            Self::NotRegular { .. } => {
                "It is a device, a pipe or a socket: use it with a program in the shell, with a `timeout`."
            }
            Self::Binary { .. } => {
                "Find out what it is with `file` in the shell and look at its beginning with `xxd FILE | head`. \
                 Change it with a program for its format."
            }
            Self::NotText { .. } => {
                "Find out its encoding with `file -i` in the shell and read it with, for example, \
                 `iconv -f ISO-8859-1 -t UTF-8 FILE`. Change it there with `sed -i`, which leaves the other bytes \
                 alone, or convert it to UTF-8 if the user wants that."
            }
            Self::TooLarge { .. } => {
                "Look at parts of it in the shell, with `grep -n`, `head`, `tail` or `sed -n '1,200p' FILE`, and \
                 change it there with `sed -i`."
            }
            Self::Io { .. } => "Look at its permissions with `ls -ld` in the shell, or ask the user.",
            Self::Lost { .. } => "Ask the user to do that.",
            Self::Behind { .. } => {
                "Try again later. If that does not help, ask the user to type a character in that document."
            }
        }
    }
}

/// Why a change was not applied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The file is not what the change was computed on. Nothing was applied: compute it again.
    #[error("the file changed meanwhile")]
    Stale,
    /// The edit was sent and something else stands there now. It must not be sent again.
    #[error("the editor did not apply the edit as it was sent")]
    Diverged { now: Rope },
    /// The disk holds something that was not in what was read, which is the open document.
    #[error("the file on disk is not what the editor shows")]
    DiskDiffers,
    #[error("the editor refused the edit: {reason}")]
    Refused { reason: String },
    /// Whether it was applied is not known.
    #[error("the editor did not answer in time")]
    Unanswered,
    /// The editor says that it was applied, and no change has shown it.
    #[error("the editor says that it has applied the edit, and has not sent the new text")]
    Unshown,
    #[error("{name} cannot be written: {reason}")]
    Io { name: String, reason: String },
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Document(uri) => f.write_str(uri),
        }
    }
}

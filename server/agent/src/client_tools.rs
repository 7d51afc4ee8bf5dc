//! What the editors of a session can find out, mostly from their language servers, as tools see it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::id::CallId;
use crate::workspace::{Change, File, FileName};

/// Asks the attached clients; nobody can be asked unless something is said here. An answer that is dropped
/// before it has come is not waited for any more, and the client is told so.
pub trait ClientTools {
    /// What can be asked now.
    fn offered(&self) -> Vec<ClientTool> {
        Vec::new()
    }

    /// What is wrong in `files`, or in all that the client knows; `settle`: something was changed just now.
    fn diagnostics<'a>(
        &'a self,
        _call: &'a CallId,
        _files: Option<&'a [FileName]>,
        _settle: bool,
    ) -> Asking<'a, Vec<FileDiagnostics>> {
        nobody()
    }

    /// Where the symbol is used.
    fn references<'a>(&'a self, _call: &'a CallId, _symbol: &'a Place) -> Asking<'a, Vec<Location>> {
        nobody()
    }

    /// Where the symbol is defined.
    fn definition<'a>(&'a self, _call: &'a CallId, _symbol: &'a Place) -> Asking<'a, Vec<Location>> {
        nobody()
    }

    fn symbols<'a>(&'a self, _call: &'a CallId, _of: &'a SymbolsOf) -> Asking<'a, Vec<Symbol>> {
        nobody()
    }

    /// What would have to be changed if the symbol had another name.
    fn rename<'a>(
        &'a self,
        _call: &'a CallId,
        _symbol: &'a Place,
        _new_name: &'a str,
    ) -> Asking<'a, Vec<Change>> {
        nobody()
    }
}

fn nobody<'a, T: Send + 'a>() -> Asking<'a, T> {
    futures::future::ready(Err(AskError::Nobody)).boxed()
}

pub type Asking<'a, T> = BoxFuture<'a, Result<T, AskError>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTool {
    Diagnostics,
    References,
    Definition,
    Symbols,
    Rename,
}

impl ClientTool {
    pub const ALL: [Self; 5] =
        [Self::Diagnostics, Self::References, Self::Definition, Self::Symbols, Self::Rename];
}

/// A symbol in a file as it was read.
#[derive(Debug, Clone)]
pub struct Place {
    pub file: File,
    /// Where its name begins, in bytes.
    pub offset: usize,
}

/// Where to look for symbols.
#[derive(Debug, Clone)]
pub enum SymbolsOf {
    File(FileName),
    /// Those of the workspace whose names match.
    Query(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    pub name: FileName,
    /// From 0.
    pub line: usize,
}

#[derive(Debug, Clone)]
pub struct Symbol {
    pub name: String,
    /// In a word, as in `function`.
    pub kind: &'static str,
    /// What it belongs to.
    pub container: Option<String>,
    pub location: Location,
}

#[derive(Debug, Clone)]
pub struct FileDiagnostics {
    pub name: FileName,
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// From 0.
    pub line: usize,
    pub severity: Severity,
    pub message: String,
    pub code: Option<String>,
    /// Who found it.
    pub source: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Information,
    Hint,
}

/// Why there is no answer. The text goes to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("no editor that could be asked is attached to the session any more; go on without it")]
    Nobody,
    #[error(
        "{name} is open with another text in the editor that would be asked; read it again, then try again"
    )]
    OtherText { name: String },
    #[error(
        "the editor has not answered within {} s. Its language server may still be starting: go on without it, or try again later",
        .after.as_secs()
    )]
    Late { after: Duration },
    #[error("the editor has gone before it had answered")]
    Gone,
    #[error("the editor says: {0}")]
    Refused(String),
    #[error("the editor's answer cannot be used: {0}")]
    Unusable(String),
}

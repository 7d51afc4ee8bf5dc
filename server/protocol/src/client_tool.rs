//! `client/tool_call`: what an editor's language servers know, asked for the model.
//!
//! What is LSP's keeps LSP's shape and case, so that a client passes on what it has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Position, Range, null_as_default};

/// A tool that a client may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientTool {
    /// What is wrong in files.
    Diagnostics,
    /// Where a symbol is used.
    References,
    /// Where a symbol is defined.
    Definition,
    /// The symbols of a file, or of the workspace by name.
    Symbols,
    /// The edit that renames a symbol.
    Rename,
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientToolParams {
    pub session_id: String,
    /// The call it belongs to, as in `tool_execution_start`.
    pub call_id: String,
    #[serde(flatten)]
    pub call: ClientToolCall,
}

/// What to find out. URIs are in the client's own spelling where it has the document open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "tool", content = "arguments", rename_all = "snake_case")]
pub enum ClientToolCall {
    /// What is wrong in files.
    Diagnostics(DiagnosticsArguments),
    /// Where a symbol is used, its declaration included.
    References(PlaceArguments),
    /// Where a symbol is defined.
    Definition(PlaceArguments),
    /// The symbols of a file, or of the workspace by name.
    Symbols(SymbolsArguments),
    /// The edit that renames a symbol; the client does not apply it, the server does.
    Rename(RenameArguments),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiagnosticsArguments {
    /// The files to look at; all that the client knows something about if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uris: Option<Vec<String>>,
    /// These files were edited just now: wait until what is known of them is about the new text and has
    /// not changed for a moment. Bounded by the client, best at 10 s.
    #[serde(default, deserialize_with = "null_as_default")]
    pub settle: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceArguments {
    pub uri: String,
    /// The start of the symbol.
    pub position: Position,
}

/// One of the two is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolsArguments {
    /// The symbols of the workspace whose names match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The symbols of this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenameArguments {
    pub uri: String,
    /// The start of the symbol.
    pub position: Position,
    pub new_name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientToolResult {
    pub ok: bool,
    /// What was found, when it went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ClientToolOutput>,
    /// What the model is told, in words, when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was found; `tool` says again what was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum ClientToolOutput {
    /// One for each file that was asked for, also where nothing is wrong.
    Diagnostics { files: Vec<FileDiagnostics> },
    /// In any order.
    References { locations: Vec<Location> },
    /// Mostly one.
    Definition { locations: Vec<Location> },
    /// Nested ones beside the others.
    Symbols { symbols: Vec<SymbolInformation> },
    /// What the language server would have changed.
    Rename {
        /// LSP's `WorkspaceEdit`: `changes` or `documentChanges`, of text only.
        edit: Value,
    },
}

/// What is wrong in one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileDiagnostics {
    pub uri: String,
    pub diagnostics: Vec<Diagnostic>,
}

/// As in LSP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    pub range: Range,
    pub message: String,
    /// 1 error, 2 warning, 3 information, 4 hint; an error if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<u32>,
    /// A string or an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Value>,
    /// Who found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// As in LSP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    pub uri: String,
    pub range: Range,
}

/// As in LSP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolInformation {
    pub name: String,
    /// LSP's `SymbolKind`.
    pub kind: u32,
    pub location: Location,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "containerName")]
    pub container_name: Option<String>,
}

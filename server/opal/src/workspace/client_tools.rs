//! `client/tool_call`: what the attached editors can find out, asked in their positions and told in Opal's.
//!
//! A position means something only in the text that it was counted in, so a question about a place goes to
//! an editor that has that text before it, or would read it from the disk.

mod edit;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use agent::CallId;
use agent::client_tools::{
    AskError, Asking, ClientTool, ClientTools, Diagnostic, FileDiagnostics, Location, Place, Severity,
    Symbol, SymbolsOf,
};
use agent::workspace::{Change, File, FileName, Origin};
use futures::FutureExt;
use protocol as wire;
use protocol::{Request, methods};
use text::to_position;

use super::SessionWorkspace;
use crate::blocking::blocking;
use crate::connection::Connection;
use crate::documents::document_name;
use crate::editor::CallError;
use crate::to_proto;

/// Characters of what an editor says went wrong.
const MAX_WORDS: usize = 2_000;

impl ClientTools for SessionWorkspace {
    fn offered(&self) -> Vec<ClientTool> {
        ClientTool::ALL.into_iter().filter(|tool| !self.able(*tool).is_empty()).collect()
    }

    fn diagnostics<'a>(
        &'a self,
        call: &'a CallId,
        files: Option<&'a [FileName]>,
        settle: bool,
    ) -> Asking<'a, Vec<FileDiagnostics>> {
        async move {
            let names = files.unwrap_or_default();
            let client = self.client_with(ClientTool::Diagnostics, names)?;
            let uris = files.map(|names| names.iter().map(|name| spelled(&client, name)).collect());
            let asked = wire::ClientToolCall::Diagnostics(wire::DiagnosticsArguments { uris, settle });
            match self.ask(&client, call, asked).await? {
                wire::ClientToolOutput::Diagnostics { files } => {
                    let names = names_of(files.iter().map(|file| &file.uri)).await;
                    Ok(files.into_iter().map(|file| file_diagnostics(file, &names)).collect())
                }
                other => Err(unexpected(&other)),
            }
        }
        .boxed()
    }

    fn references<'a>(&'a self, call: &'a CallId, symbol: &'a Place) -> Asking<'a, Vec<Location>> {
        async move {
            let (client, at) = self.place(ClientTool::References, symbol).await?;
            match self.ask(&client, call, wire::ClientToolCall::References(at)).await? {
                wire::ClientToolOutput::References { locations } => Ok(places(locations).await),
                other => Err(unexpected(&other)),
            }
        }
        .boxed()
    }

    fn definition<'a>(&'a self, call: &'a CallId, symbol: &'a Place) -> Asking<'a, Vec<Location>> {
        async move {
            let (client, at) = self.place(ClientTool::Definition, symbol).await?;
            match self.ask(&client, call, wire::ClientToolCall::Definition(at)).await? {
                wire::ClientToolOutput::Definition { locations } => Ok(places(locations).await),
                other => Err(unexpected(&other)),
            }
        }
        .boxed()
    }

    fn symbols<'a>(&'a self, call: &'a CallId, of: &'a SymbolsOf) -> Asking<'a, Vec<Symbol>> {
        async move {
            let (client, asked) = match of {
                SymbolsOf::File(name) => {
                    let client = self.client_with(ClientTool::Symbols, std::slice::from_ref(name))?;
                    let uri = Some(spelled(&client, name));
                    (client, wire::SymbolsArguments { uri, query: None })
                }
                SymbolsOf::Query(query) => {
                    let client = self.client_with(ClientTool::Symbols, &[])?;
                    (client, wire::SymbolsArguments { uri: None, query: Some(query.clone()) })
                }
            };
            match self.ask(&client, call, wire::ClientToolCall::Symbols(asked)).await? {
                wire::ClientToolOutput::Symbols { symbols } => {
                    let names = names_of(symbols.iter().map(|symbol| &symbol.location.uri)).await;
                    Ok(symbols.into_iter().map(|symbol| self::symbol(symbol, &names)).collect())
                }
                other => Err(unexpected(&other)),
            }
        }
        .boxed()
    }

    fn rename<'a>(
        &'a self,
        call: &'a CallId,
        symbol: &'a Place,
        new_name: &'a str,
    ) -> Asking<'a, Vec<Change>> {
        async move {
            let (client, wire::PlaceArguments { uri, position }) =
                self.place(ClientTool::Rename, symbol).await?;
            let asked = wire::RenameArguments { uri, position, new_name: new_name.to_owned() };
            let versions = client.documents.versions();
            match self.ask(&client, call, wire::ClientToolCall::Rename(asked)).await? {
                wire::ClientToolOutput::Rename { edit } => {
                    self.changes(&client, symbol, &versions, edit).await
                }
                other => Err(unexpected(&other)),
            }
        }
        .boxed()
    }
}

impl SessionWorkspace {
    /// The clients that offer a tool.
    fn able(&self, tool: ClientTool) -> Vec<Arc<Connection>> {
        let tool = to_proto::client_tool(tool);
        self.connections().into_iter().filter(|client| client.offers(tool)).collect()
    }

    /// One that has a file of these open, if there is one.
    fn client_with(&self, tool: ClientTool, names: &[FileName]) -> Result<Arc<Connection>, AskError> {
        let able = self.able(tool);
        let has_one =
            |client: &&Arc<Connection>| names.iter().any(|name| client.documents.get(name).is_some());
        able.iter().find(has_one).or(able.first()).cloned().ok_or(AskError::Nobody)
    }

    /// One that sees the file as it was read, and the place as it counts.
    async fn place(
        &self,
        tool: ClientTool,
        Place { file, offset }: &Place,
    ) -> Result<(Arc<Connection>, wire::PlaceArguments), AskError> {
        let client = self.client_seeing(tool, file).await?;
        let position = to_position(&file.text, *offset, client.documents.counting());
        let at = wire::PlaceArguments {
            uri: spelled(&client, &file.name),
            position: to_proto::position(position),
        };
        Ok((client, at))
    }

    async fn client_seeing(&self, tool: ClientTool, file: &File) -> Result<Arc<Connection>, AskError> {
        let able = self.able(tool);
        if able.is_empty() {
            return Err(AskError::Nobody);
        }
        let (open, closed): (Vec<_>, Vec<_>) =
            able.into_iter().partition(|client| client.documents.get(&file.name).is_some());
        for client in open.into_iter().chain(closed) {
            if self.sees(&client, file).await {
                return Ok(client);
            }
        }
        Err(AskError::OtherText { name: file.name.to_string() })
    }

    /// Whether the client has this text before it, or would read it from the disk.
    async fn sees(&self, client: &Connection, file: &File) -> bool {
        match client.documents.get(&file.name) {
            Some(document) => document.is_known() && text::same_text(document.text(), &file.text),
            None if matches!(file.origin, Origin::Disk { .. }) => true,
            None => match &file.name {
                FileName::Path(path) => self.file_holds(path, &file.text).await,
                FileName::Document(_) => false,
            },
        }
    }

    async fn ask(
        &self,
        client: &Connection,
        call: &CallId,
        asked: wire::ClientToolCall,
    ) -> Result<wire::ClientToolOutput, AskError> {
        let params = wire::ClientToolParams {
            session_id: self.session_id.to_string(),
            call_id: call.to_string(),
            call: asked,
        };
        let answer = client.editor.call(methods::CallClientTool::METHOD, &params);
        let after = self.limits.client_tool;
        let result = match tokio::time::timeout(after, answer).await {
            Err(_elapsed) => return Err(AskError::Late { after }),
            Ok(Err(CallError::Gone)) => return Err(AskError::Gone),
            Ok(Err(CallError::Refused { message, .. })) => return Err(AskError::Refused(words(&message))),
            Ok(Ok(result)) => result,
        };
        let result: wire::ClientToolResult = serde_path_to_error::deserialize(result).map_err(unusable)?;
        match (result.ok, result.output, result.error) {
            (true, Some(output), _) => Ok(output),
            (true, None, _) => Err(unusable("it has no `output`")),
            (false, _, error) => {
                Err(AskError::Refused(words(error.as_deref().unwrap_or("no, without a reason"))))
            }
        }
    }
}

fn words(text: &str) -> String {
    text.chars().take(MAX_WORDS).collect()
}

fn unusable(why: impl ToString) -> AskError {
    AskError::Unusable(words(&why.to_string()))
}

fn unexpected(output: &wire::ClientToolOutput) -> AskError {
    let tool = match output {
        wire::ClientToolOutput::Diagnostics { .. } => "diagnostics",
        wire::ClientToolOutput::References { .. } => "references",
        wire::ClientToolOutput::Definition { .. } => "definition",
        wire::ClientToolOutput::Symbols { .. } => "symbols",
        wire::ClientToolOutput::Rename { .. } => "rename",
    };
    unusable(format!("it is an output of `{tool}`"))
}

/// A file as the client spells it.
fn spelled(client: &Connection, name: &FileName) -> String {
    match (client.documents.get(name), name) {
        (Some(document), _) => document.uri,
        (None, FileName::Path(path)) => path.to_uri(),
        (None, FileName::Document(uri)) => uri.clone(),
    }
}

/// The files of URIs. Following links takes the disk, so it is done once for each.
async fn names_of(uris: impl Iterator<Item = &String>) -> HashMap<String, FileName> {
    let uris: HashSet<String> = uris.cloned().collect();
    blocking(move || uris.into_iter().map(|uri| (uri.clone(), document_name(&uri))).collect()).await
}

async fn places(locations: Vec<wire::Location>) -> Vec<Location> {
    let names = names_of(locations.iter().map(|location| &location.uri)).await;
    locations.into_iter().map(|location| place(&location, &names)).collect()
}

fn place(location: &wire::Location, names: &HashMap<String, FileName>) -> Location {
    Location { name: named(&location.uri, names), line: location.range.start.line as usize }
}

fn named(uri: &str, names: &HashMap<String, FileName>) -> FileName {
    names.get(uri).cloned().unwrap_or_else(|| FileName::Document(uri.to_owned()))
}

fn file_diagnostics(file: wire::FileDiagnostics, names: &HashMap<String, FileName>) -> FileDiagnostics {
    FileDiagnostics {
        name: named(&file.uri, names),
        diagnostics: file.diagnostics.into_iter().map(diagnostic).collect(),
    }
}

fn diagnostic(diagnostic: wire::Diagnostic) -> Diagnostic {
    Diagnostic {
        line: diagnostic.range.start.line as usize,
        severity: match diagnostic.severity {
            Some(2) => Severity::Warning,
            Some(3) => Severity::Information,
            Some(4) => Severity::Hint,
            _ => Severity::Error,
        },
        message: diagnostic.message,
        code: diagnostic.code.map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned)),
        source: diagnostic.source,
    }
}

fn symbol(symbol: wire::SymbolInformation, names: &HashMap<String, FileName>) -> Symbol {
    Symbol {
        location: place(&symbol.location, names),
        kind: kind(symbol.kind),
        name: symbol.name,
        container: symbol.container_name,
    }
}

/// LSP's `SymbolKind` in a word.
fn kind(kind: u32) -> &'static str {
    const KINDS: [&str; 26] = [
        "file",
        "module",
        "namespace",
        "package",
        "class",
        "method",
        "property",
        "field",
        "constructor",
        "enum",
        "interface",
        "function",
        "variable",
        "constant",
        "string",
        "number",
        "boolean",
        "array",
        "object",
        "key",
        "null",
        "enum member",
        "struct",
        "event",
        "operator",
        "type parameter",
    ];
    kind.checked_sub(1).and_then(|at| KINDS.get(at as usize)).copied().unwrap_or("symbol")
}

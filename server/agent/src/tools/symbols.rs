//! `symbols`: what a file defines, or where in the workspace something of a name is.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::quote::{MAX_NAME, count, cut, may_read, shorten, shown};
use super::read::permitted;
use crate::call::Call;
use crate::client_tools::{Symbol, SymbolsOf};
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};

#[derive(Debug)]
pub(super) struct Symbols;

#[derive(Debug, Deserialize)]
struct Args {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    query: Option<String>,
}

impl Tool for Symbols {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "symbols".into(),
            description:
                "List what a file defines (`path`), or find functions, types and the like by name in \
                          the whole workspace (`query`), as the editor's language server knows."
                    .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "relative to the working directory, or absolute"},
                    "query": {"type": "string", "description": "a name or a part of one"}
                }
            }),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::ReadAny
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let of = match decode(args)? {
                Args { path: Some(path), query: None } => SymbolsOf::File(permitted(&path, call).await?),
                Args { path: None, query: Some(query) } => SymbolsOf::Query(query),
                Args { .. } => {
                    return Err(ToolError::failed("bad arguments: expected path or query, and not both"));
                }
            };
            let found = call.ask_editor(call.context.workspace.symbols(&call.id, &of)).await?;
            Ok(Output::text(call.wait(listed(found, call)).await?))
        }
        .boxed()
    }
}

/// A line for each, as far as its file may be read unasked.
async fn listed(mut symbols: Vec<Symbol>, call: &Call) -> String {
    symbols.sort_by_cached_key(|symbol| {
        (call.context.display(&symbol.location.name), symbol.location.line, symbol.name.clone())
    });
    let mut lines = Vec::new();
    let mut n_hidden = 0;
    for of_file in symbols.chunk_by(|a, b| a.location.name == b.location.name) {
        let Some(first) = of_file.first() else { continue };
        if may_read(&first.location.name, call).await {
            lines.extend(of_file.iter().map(|symbol| line(symbol, call)));
        } else {
            n_hidden += of_file.len();
        }
    }
    lines.dedup();
    shorten(&mut lines, "symbol");
    if lines.is_empty() {
        lines.push("the editor knows of no such symbols".into());
    }
    if n_hidden > 0 {
        lines.push(format!("[and {} outside the workspace]", count(n_hidden, "symbol")));
    }
    lines.join("\n")
}

fn line(symbol: &Symbol, call: &Call) -> String {
    let Symbol { name, kind, container, location } = symbol;
    let container = container.as_deref().filter(|name| !name.trim().is_empty());
    let container = container.map(|name| format!(" in {}", cut(name, MAX_NAME))).unwrap_or_default();
    format!("{}: {kind} {}{container}", shown(location, call), cut(name, MAX_NAME))
}

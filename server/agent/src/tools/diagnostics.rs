//! `diagnostics`: what the editor's language servers and linters find wrong.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::quote::{MAX_NAME, count, cut, may_read, shorten, shown};
use super::read::permitted;
use crate::call::Call;
use crate::client_tools::{Diagnostic, FileDiagnostics, Location, Severity};
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};

/// Characters of a message.
const MAX_MESSAGE: usize = 500;

#[derive(Debug)]
pub(super) struct Diagnostics;

#[derive(Debug, Deserialize)]
struct Args {
    #[serde(default)]
    paths: Option<Vec<String>>,
}

impl Tool for Diagnostics {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "diagnostics".into(),
            description: "List the errors and warnings that the editor's language servers find in files, as they \
                          stand after your edits. Much faster than a build, but an editor may know only files \
                          that are open in it."
                .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "paths": {"type": "array", "items": {"type": "string"}, "description": "the files to look at; else all that the editor knows something about"}
                }
            }),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::ReadAny
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            let mut names = Vec::new();
            for path in args.paths.iter().flatten() {
                names.push(permitted(path, call).await?);
            }
            // Models give an empty list when they mean all.
            let files = (!names.is_empty()).then_some(names.as_slice());
            let settle = call.context.has_changed_files();
            let found = call.ask_editor(call.context.workspace.diagnostics(&call.id, files, settle)).await?;
            let silent = names.iter().filter(|name| !found.iter().any(|file| file.name == **name));
            let silent: Vec<String> = silent.map(|name| call.context.display(name)).collect();
            let mut told = call.wait(listed(found, call)).await?;
            if !silent.is_empty() {
                told += &format!("\n[the editor knows nothing of {}]", silent.join(", "));
            }
            Ok(Output::text(told))
        }
        .boxed()
    }
}

/// A line for each, the worst first, as far as its file may be read unasked.
async fn listed(files: Vec<FileDiagnostics>, call: &Call) -> String {
    let mut found = Vec::new();
    let mut n_hidden = 0;
    for FileDiagnostics { name, diagnostics } in files {
        if may_read(&name, call).await {
            let at = |line| shown(&Location { name: name.clone(), line }, call);
            let rows = diagnostics.into_iter().map(|diagnostic| {
                (
                    diagnostic.severity,
                    call.context.display(&name),
                    diagnostic.line,
                    line(&at(diagnostic.line), &diagnostic),
                )
            });
            found.extend(rows);
        } else {
            n_hidden += diagnostics.len();
        }
    }
    found.sort();
    found.dedup();
    let mut lines: Vec<String> = found.into_iter().map(|(.., line)| line).collect();
    shorten(&mut lines, "diagnostic");
    if lines.is_empty() {
        lines.push("nothing is wrong, as far as the editor knows".into());
    }
    if n_hidden > 0 {
        lines.push(format!("[and {} in files outside the workspace]", count(n_hidden, "diagnostic")));
    }
    lines.join("\n")
}

/// `path:line: error E0425 (rustc): cannot find value`
fn line(at: &str, diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "information",
        Severity::Hint => "hint",
    };
    let code = diagnostic.code.as_ref().map(|code| format!(" {}", cut(code, MAX_NAME))).unwrap_or_default();
    let source = diagnostic.source.as_ref();
    let source = source.map(|source| format!(" ({})", cut(source, MAX_NAME))).unwrap_or_default();
    format!("{at}: {severity}{code}{source}: {}", cut(&diagnostic.message, MAX_MESSAGE))
}

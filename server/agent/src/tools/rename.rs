//! `rename`: gives a symbol another name everywhere. The editor's language server says what would change;
//! the change is then made like every other: asked for with its diff, kept for undo, seen to stand.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::{Part, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};
use text::{Rope, UnifiedDiff, merge, smallest_edits};

use super::change::{Author, Computation, change_file, writing};
use super::place::{parameters, place};
use super::quote::{MAX_NAME, count, cut, shorten};
use crate::blocking::{are_small, unified_diff};
use crate::call::Call;
use crate::client::Confirm;
use crate::context::Context;
use crate::permission::Grant;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::workspace::{Change, File};

#[derive(Debug)]
pub(super) struct Rename;

#[derive(Debug, Deserialize)]
struct Args {
    symbol: String,
    new_name: String,
}

/// One file's part of it.
struct Planned {
    base: File,
    expected: Rope,
    diff: UnifiedDiff,
}

impl Tool for Rename {
    fn spec(&self) -> ToolSpec {
        let new_name = json!({"type": "string"});
        ToolSpec {
            name: "rename".into(),
            description:
                "Rename a symbol wherever it is used, through the editor's language server. Say which \
                          symbol by a line in which it stands."
                    .into(),
            parameters: parameters(&[("new_name", new_name)]),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::WriteAny
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let Args { symbol, new_name } = decode(args.clone())?;
            let at = place(args, call).await?;
            // What can only be refused is refused before anybody is asked.
            call.decide(writing(&at.file.name))?;
            let changes = call.ask_editor(call.context.workspace.rename(&call.id, &at, &new_name)).await?;
            let mut planned = Vec::new();
            for change in changes {
                planned.extend(call.wait(plan(change, call)).await??);
            }
            if planned.is_empty() {
                return Err(ToolError::failed(format!(
                    "the editor would change nothing to rename `{symbol}`"
                )));
            }
            let title = format!("Rename {} to {}", cut(&symbol, MAX_NAME), cut(&new_name, MAX_NAME));
            permit(&planned, &title, call).await?;
            make(planned, call).await
        }
        .boxed()
    }
}

/// `None`: it would change nothing.
async fn plan(Change { base, edits }: Change, call: &Call) -> Result<Option<Planned>, ToolError> {
    let shown = call.context.display(&base.name);
    let expected = edits.apply(&base.text).map_err(|error| ToolError::failed(format!("{shown}: {error}")))?;
    let diff = unified_diff(&base.text, &expected, &shown).await;
    Ok((expected != base.text).then_some(Planned { base, expected, diff }))
}

/// Asks once for all files that one answer can allow; mostly those are all.
async fn permit(planned: &[Planned], title: &str, call: &Call) -> Result<(), ToolError> {
    let mut groups: Vec<(Grant, Vec<&Planned>)> = Vec::new();
    for file in planned {
        let Some((_, grant)) = call.decide(writing(&file.base.name))? else { continue };
        match groups.iter_mut().find(|(other, _)| *other == grant) {
            Some((_, files)) => files.push(file),
            None => groups.push((grant, vec![file])),
        }
    }
    for (_, files) in groups {
        let added: usize = files.iter().map(|file| file.diff.added).sum();
        let removed: usize = files.iter().map(|file| file.diff.removed).sum();
        let confirm = Confirm {
            title: format!("{title} in {} (+{added} −{removed})", count(files.len(), "file")),
            path: if let [one] = files.as_slice() { Some(one.base.name.to_string()) } else { None },
            diff: Some(files.iter().map(|file| file.diff.text.as_str()).collect()),
            ..Confirm::default()
        };
        call.permit(writing(&files[0].base.name), confirm).await?;
    }
    Ok(())
}

/// Changes file after file. One that cannot be changed does not take the others back: the model is told of it.
async fn make(planned: Vec<Planned>, call: &Call) -> Result<Output, ToolError> {
    let mut told = Vec::new();
    let mut failed = Vec::new();
    let mut made = Output::default();
    for file in planned {
        let shown = call.context.display(&file.base.name);
        match change_file(&file.base.name, Author::Editor, call, |now| Ok(file.on(now))).await {
            Ok(output) => {
                told.extend(output.parts.into_iter().filter_map(text_of));
                made.files.extend(output.files);
                if let Some(diff) = output.diff {
                    made.diff.get_or_insert_default().push_str(&diff);
                }
            }
            Err(ToolError::Aborted) if told.is_empty() && failed.is_empty() => {
                return Err(ToolError::Aborted);
            }
            Err(error) => failed.push(format!("NOT renamed in {shown}: {error}")),
        }
    }
    if told.is_empty() {
        return Err(ToolError::failed(failed.join("\n")));
    }
    shorten(&mut told, "file");
    failed.extend(told);
    made.parts = vec![Part::Text(failed.join("\n"))];
    Ok(made)
}

impl Planned {
    /// The same change of the text as it stands now, which the user may have typed in meanwhile.
    fn on(&self, now: &File) -> Computation {
        let (base, now, expected) = (self.base.text.clone(), now.text.clone(), self.expected.clone());
        Computation::new(are_small(&[&base, &now, &expected]), move || {
            if now == base {
                return Ok(smallest_edits(&now, &expected));
            }
            match merge(&base, &now, &expected) {
                Ok(text) => Ok(smallest_edits(&now, &text)),
                Err(conflict) => Err(ToolError::failed(format!("it was changed meanwhile, and {conflict}"))),
            }
        })
    }
}

fn text_of(part: Part) -> Option<String> {
    match part {
        Part::Text(text) => Some(text),
        Part::Image { .. } => None,
    }
}

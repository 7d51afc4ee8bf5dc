//! `references`: where a symbol is used, as the editor's language server knows.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde_json::Value;

use super::place::{parameters, place};
use super::quote::quoted;
use crate::call::Call;
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool};

#[derive(Debug)]
pub(super) struct References;

impl Tool for References {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "references".into(),
            description: "List where a symbol is used, as the editor's language server knows: no other symbol of \
                          the same name, no comments, unsaved changes included. Say which symbol by a line in \
                          which it stands."
                .into(),
            parameters: parameters(&[]),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::ReadAny
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let symbol = place(args, call).await?;
            match call.ask_editor(call.context.workspace.references(&call.id, &symbol)).await? {
                none if none.is_empty() => Ok(Output::text("the editor knows of no references")),
                locations => Ok(Output::text(call.wait(quoted(locations, call)).await?)),
            }
        }
        .boxed()
    }
}

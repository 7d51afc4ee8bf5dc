//! `edit`: replaces pieces of a file, all or none.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use text::{MAX_REPLACEMENTS, Replacement, replace};

use super::change::{Computation, change};
use super::read::named;
use crate::blocking::are_small;
use crate::call::Call;
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::workspace::Origin;

/// So many edits of a small file are soon made.
const FEW_EDITS: usize = 20;

#[derive(Debug)]
pub(super) struct Edit;

#[derive(Debug, Deserialize)]
struct Args {
    path: String,
    edits: Vec<OneEdit>,
}

#[derive(Debug, Deserialize)]
struct OneEdit {
    old_text: String,
    new_text: String,
    #[serde(default)]
    replace_all: bool,
}

impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "edit".into(),
            description:
                "Replace pieces of a text file. Every `old_text` must stand in the file exactly once \
                          (or set `replace_all`) and is matched against the text before this call. All edits \
                          are applied together or none is."
                    .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "relative to the working directory, or absolute"},
                    "edits": {"type": "array", "minItems": 1, "description": format!("at most {MAX_REPLACEMENTS}"), "items": {
                        "type": "object",
                        "properties": {
                            "old_text": {"type": "string", "description": "what stands there, with enough around it to be unique"},
                            "new_text": {"type": "string"},
                            "replace_all": {"type": "boolean"}
                        },
                        "required": ["old_text", "new_text"]
                    }}
                },
                "required": ["path", "edits"]
            }),
        }
    }

    fn access(&self, args: &Value, context: &Context) -> Access {
        named(args, context).map_or(Access::Nothing, Access::Write)
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            if args.edits.is_empty() {
                return Err(ToolError::failed("bad arguments: edits: at least one is needed"));
            }
            let edits = args.edits.into_iter().map(|edit| Replacement {
                old_text: edit.old_text,
                new_text: edit.new_text,
                replace_all: edit.replace_all,
            });
            let edits: Arc<[Replacement]> = edits.collect();
            change(&args.path, call, |file| {
                if file.origin == Origin::Missing {
                    return Err(ToolError::failed(format!(
                        "{} does not exist; use `write` to create it",
                        args.path
                    )));
                }
                let (text, edits) = (file.text.clone(), edits.clone());
                let is_small = edits.len() <= FEW_EDITS && are_small(&[&text]);
                Ok(Computation::new(is_small, move || replace(&text, &edits).map_err(ToolError::failed)))
            })
            .await
        }
        .boxed()
    }
}

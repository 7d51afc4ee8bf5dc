//! `write`: a whole file.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use text::{Rope, smallest_edits, with_line_ends_of};

use super::change::change;
use super::read::named;
use crate::call::Call;
use crate::context::{Context, Seen};
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::workspace::{File, Origin};

#[derive(Debug)]
pub(super) struct Write;

#[derive(Debug, Deserialize)]
struct Args {
    path: String,
    content: String,
}

impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "write".into(),
            description:
                "Create a file, or replace the whole text of one that you have read. For a change to a \
                          part of a file use `edit`."
                    .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "relative to the working directory, or absolute"},
                    "content": {"type": "string"}
                },
                "required": ["path", "content"]
            }),
        }
    }

    fn access(&self, args: &Value, context: &Context) -> Access {
        named(args, context).map_or(Access::Nothing, Access::Write)
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            change(&args.path, call, |file| {
                refuse_unseen(&args.path, file, call)?;
                let (old, content) = (file.text.clone(), args.content.clone());
                Ok(Box::new(move || {
                    let content = Rope::from_str(&with_line_ends_of(&old, &content));
                    Ok(smallest_edits(&old, &content))
                }))
            })
            .await
        }
        .boxed()
    }
}

/// A text that the model does not know must not be replaced by it.
fn refuse_unseen(path: &str, file: &File, call: &Call) -> Result<(), ToolError> {
    if file.origin == Origin::Missing || file.text.len_bytes() == 0 {
        return Ok(());
    }
    match call.context.seen(&file.name, &file.text) {
        Seen::AsItStands => Ok(()),
        Seen::Never => {
            Err(ToolError::failed(format!("{path} exists and you have not read it: read it first")))
        }
        Seen::Before => {
            Err(ToolError::failed(format!("{path} has changed since you read it: read it again first")))
        }
    }
}

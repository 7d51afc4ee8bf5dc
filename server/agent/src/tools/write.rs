//! `write`: a whole file.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use text::excerpt::MAX_LINE_CHARS;
use text::{Rope, smallest_edits, with_line_ends_of};

use super::change::{Computation, change};
use super::read::named;
use crate::blocking::{SMALL_BYTES, are_small};
use crate::call::Call;
use crate::context::{Context, is_masked};
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::tracker::ReadState;
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
                let is_small = content.len() <= SMALL_BYTES && are_small(&[&old, &Rope::from_str(&content)]);
                Ok(Computation::new(is_small, move || {
                    let content = Rope::from_str(&with_line_ends_of(&old, &content));
                    Ok(smallest_edits(&old, &content))
                }))
            })
            .await
        }
        .boxed()
    }
}

/// Refuses to let the model replace a text that it has not seen from the first to the last byte.
fn refuse_unseen(path: &str, file: &File, call: &Call) -> Result<(), ToolError> {
    if file.origin == Origin::Missing || file.text.len_bytes() == 0 {
        return Ok(());
    }
    match call.context.read_state(&file.name, &file.text) {
        ReadState::Current => Ok(()),
        ReadState::Unread => {
            Err(ToolError::failed(format!("{path} exists and you have not read it: read it first")))
        }
        ReadState::Partial { gap } => Err(ToolError::failed(unseen_part(path, &file.text, gap))),
        ReadState::Stale => {
            Err(ToolError::failed(format!("{path} has changed since you read it: read it again first")))
        }
    }
}

/// Says where the text goes on that the model has not seen, and how to come by it.
fn unseen_part(path: &str, text: &Rope, gap: usize) -> String {
    let line_idx = text.byte_to_line(gap);
    let line = text.line(line_idx);
    let (number, total) = (line_idx + 1, text.byte_to_line(text.len_bytes().saturating_sub(1)) + 1);
    let why = if line.len_chars() > MAX_LINE_CHARS {
        "is longer than `read` shows"
    } else if is_masked(&line.to_string()) {
        "has a secret that is not shown"
    } else {
        return format!(
            "{path} was not written: you have not seen all of its {total} lines. Read on with \
             {{\"path\": {path:?}, \"offset\": {number}}} first, or change a part of it with `edit`"
        );
    };
    format!(
        "{path} was not written: its line {number} {why}, so you have not seen all of it. Change the other parts \
         with `edit`"
    )
}

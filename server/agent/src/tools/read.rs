//! `read`: a file as it stands in the editor, else on disk.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use text::{AbsPath, excerpt, nearest_names, notice};

use super::quote::may_read;
use crate::call::Call;
use crate::client::Confirm;
use crate::context::Context;
use crate::image::{self, ImageError};
use crate::paths::{never_meant, other_readings};
use crate::permission::Action;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::workspace::{FileError, FileName};

/// Similar names shown when there is no such file.
const SUGGESTIONS: usize = 3;

#[derive(Debug)]
pub(super) struct Read;

#[derive(Debug, Deserialize)]
struct Args {
    path: String,
    #[serde(default)]
    offset: Option<usize>,
    #[serde(default)]
    limit: Option<usize>,
}

impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "read".into(),
            description:
                "Read a text file (or an image). Unsaved changes in the editor are included. Returns at \
                          most 2000 lines or 50 KB from `offset`, and says where to go on."
                    .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "relative to the working directory, or absolute"},
                    "offset": {"type": "integer", "minimum": 1, "description": "first line, counted from 1"},
                    "limit": {"type": "integer", "minimum": 1, "description": "number of lines"}
                },
                "required": ["path"]
            }),
        }
    }

    fn access(&self, args: &Value, context: &Context) -> Access {
        named(args, context).map_or(Access::Nothing, Access::Read)
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            let name = permitted(&args.path, call).await?;
            if let FileName::Path(path) = &name
                && is_image_name(&path.file_name())
            {
                let bytes = match call.wait(call.context.workspace.read_bytes(path, image::MAX_BYTES)).await?
                {
                    Ok(bytes) => bytes,
                    Err(FileError::TooLarge { size, .. }) => {
                        return Err(no_image(&name, &ImageError::TooLarge { n_bytes: size }, call));
                    }
                    Err(error) => return Err(with_suggestions(error, &args.path, &name, call).await),
                };
                // What is called an image need not be one: a pointer of Git LFS is text, for example.
                if image::is_image(&bytes) {
                    let part = image::part(&bytes).map_err(|error| no_image(&name, &error, call))?;
                    return Ok(Output { parts: vec![part], ..Output::default() });
                }
            }
            let file = match call.wait(call.context.workspace.read(&name)).await? {
                Ok(file) => file,
                Err(error) => return Err(with_suggestions(error, &args.path, &name, call).await),
            };
            let excerpt =
                excerpt(&file.text, args.offset.unwrap_or(1), args.limit).map_err(ToolError::failed)?;
            call.context.note_shown(&name, &file.text, &excerpt.ranges);
            let mut text = excerpt.text;
            if text.is_empty() {
                text.push_str("(the file is empty)");
            }
            if let Some(next) = excerpt.next_offset {
                text.push_str(&format!("\n{}", notice::go_on(excerpt.total_lines, next)));
            }
            Ok(Output { files: vec![call.context.state_of(&name, &file.text)], ..Output::text(text) })
        }
        .boxed()
    }
}

/// The file that a call names, for deciding what may run side by side.
pub(super) fn named(args: &Value, context: &Context) -> Option<FileName> {
    Some(context.name(args.get("path")?.as_str()?))
}

/// The resolved file, if it may be read.
pub(super) async fn permitted(path: &str, call: &Call) -> Result<FileName, ToolError> {
    let name = call.context.name(path);
    let FileName::Path(path) = &name else { return Ok(name) };
    let resolved = call.wait(call.context.workspace.resolve(path)).await??;
    if !is_kept_output(path, &resolved, call).await? {
        permit_read(&resolved, call).await?;
    }
    Ok(FileName::Path(resolved))
}

pub(super) async fn permit_read(resolved: &AbsPath, call: &Call) -> Result<(), ToolError> {
    let confirm = Confirm {
        title: format!("Read {}", call.context.display(&FileName::Path(resolved.clone()))),
        path: Some(resolved.to_string()),
        ..Confirm::default()
    };
    call.permit(Action::Read { path: resolved }, confirm).await
}

/// Long outputs that Opal itself has kept may be read; not what a link there leads to.
async fn is_kept_output(path: &AbsPath, resolved: &AbsPath, call: &Call) -> Result<bool, ToolError> {
    match AbsPath::new(call.context.output_dir.clone()) {
        Ok(kept) if path.starts_with(&kept) => {
            Ok(resolved.starts_with(&call.wait(call.context.workspace.resolve(&kept)).await??))
        }
        _ => Ok(false),
    }
}

fn is_image_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg" | "gif" | "webp"))
}

fn no_image(name: &FileName, error: &ImageError, call: &Call) -> ToolError {
    let shown = call.context.display(name);
    ToolError::failed(format!("the image {shown} cannot be shown: {error}. {}", error.hint()))
}

/// Adds to an error about a path what may have been meant by it.
pub(super) async fn with_suggestions(
    error: FileError,
    written: &str,
    name: &FileName,
    call: &Call,
) -> ToolError {
    let (FileError::NotFound { .. }, FileName::Path(path)) = (&error, name) else { return error.into() };
    if let Some(reading) = existing_reading(written, call).await {
        return ToolError::failed(format!("{error}; did you mean {reading}?"));
    }
    let Some(parent) = path.parent() else { return error.into() };
    let names = match call.wait(call.context.workspace.names(&parent)).await {
        Ok(names) => names,
        Err(aborted) => return aborted,
    };
    let wanted = path.file_name();
    let near = nearest_names(&wanted, names.iter().map(String::as_str), SUGGESTIONS);
    if near.is_empty() {
        return error.into();
    }
    let near: Vec<String> =
        near.iter().map(|name| call.context.display(&FileName::Path(parent.join(name)))).collect();
    ToolError::failed(format!("{error}; did you mean {}?", near.join(", ")))
}

/// Refuses a path under which there is nothing, and which was meant otherwise as far as can be told: else a slip would
/// become the name of a new file.
pub(super) async fn refuse_slip(written: &str, name: &FileName, call: &Call) -> Result<(), ToolError> {
    let FileName::Path(path) = name else { return Ok(()) };
    if other_readings(written).is_empty() || call.wait(call.context.exists(path)).await? {
        return Ok(());
    }
    if let Some(reading) = existing_reading(written, call).await {
        return Err(ToolError::failed(format!(
            "{written:?} does not exist, but {reading} does; use that path. For a new file of the first name put \
             `./` before it"
        )));
    }
    match never_meant(written) {
        Some(reading) => Err(ToolError::failed(format!(
            "{written:?} is no name for a new file; did you mean {reading}? If not, make it with the shell"
        ))),
        None => Ok(()),
    }
}

/// Returns another reading of a path under which there is a file that may be read unasked.
async fn existing_reading(written: &str, call: &Call) -> Option<String> {
    for reading in other_readings(written) {
        let name = call.context.name(&reading);
        if let FileName::Path(path) = &name
            && may_read(&name, call).await
            && call.wait(call.context.exists(path)).await.unwrap_or(false)
        {
            return Some(reading);
        }
    }
    None
}

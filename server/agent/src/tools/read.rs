//! `read`: a file as it stands in the editor, else on disk.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use provider::{Part, ToolSpec};
use serde::Deserialize;
use serde_json::{Value, json};
use text::{AbsPath, excerpt, nearest_names};

use crate::call::Call;
use crate::client::Confirm;
use crate::context::Context;
use crate::permission::Action;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};
use crate::workspace::{FileError, FileName};

/// Bytes of an image; the smallest limit among the services (3 MiB at GitHub Copilot).
pub(crate) const MAX_IMAGE: u64 = 3 * 1024 * 1024;

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
                let bytes = call.context.workspace.read_bytes(path, MAX_IMAGE).await?;
                // What is called an image need not be one: a pointer of Git LFS is text, for example.
                if let Some(mime_type) = image_type(&bytes) {
                    let data = STANDARD.encode(bytes);
                    let parts = vec![Part::Image { mime_type: mime_type.into(), data }];
                    return Ok(Output { parts, ..Output::default() });
                }
            }
            let file = match call.context.workspace.read(&name).await {
                Ok(file) => file,
                Err(error) => return Err(with_suggestions(error, &name, call).await),
            };
            let excerpt =
                excerpt(&file.text, args.offset.unwrap_or(1), args.limit).map_err(ToolError::failed)?;
            call.context.note_seen(&name, &file.text);
            let mut text = excerpt.text;
            if text.is_empty() {
                text.push_str("(the file is empty)");
            }
            if let Some(next) = excerpt.next_offset {
                text.push_str(&format!("\n[{} lines in all; go on with offset {next}]", excerpt.total_lines));
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
    let resolved = call.context.workspace.resolve(path).await?;
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
            Ok(resolved.starts_with(&call.context.workspace.resolve(&kept).await?))
        }
        _ => Ok(false),
    }
}

fn is_image_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg" | "gif" | "webp"))
}

/// The kind of image that these bytes are, by how they begin. A service refuses a request with anything
/// else in it, and with it the whole conversation from then on.
pub(crate) fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

pub(super) async fn with_suggestions(error: FileError, name: &FileName, call: &Call) -> ToolError {
    let (FileError::NotFound { .. }, FileName::Path(path)) = (&error, name) else { return error.into() };
    let Some(parent) = path.parent() else { return error.into() };
    let names = call.context.workspace.names(&parent).await;
    let wanted = path.file_name();
    let near = nearest_names(&wanted, names.iter().map(String::as_str), SUGGESTIONS);
    if near.is_empty() {
        return error.into();
    }
    let near: Vec<String> =
        near.iter().map(|name| call.context.display(&FileName::Path(parent.join(name)))).collect();
    ToolError::failed(format!("{error}; did you mean {}?", near.join(", ")))
}

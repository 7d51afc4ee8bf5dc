//! What the user put beside a prompt, as the model sees it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provider::{Part, mask};
use text::{Rope, excerpt, to_offset};

use crate::context::Context;
use crate::event::{Attachment, Failure};
use crate::model::Model;
use crate::tools::{MAX_IMAGE, image_type};

/// The attachments as parts. Texts are taken from the open document, else the disk.
///
/// # Errors
/// What the user has to change: the turn ends before anything is sent.
pub(super) async fn read(
    attachments: &[Attachment],
    context: &Context,
    model: &Model,
) -> Result<Vec<Part>, Failure> {
    let is_image = |attachment: &Attachment| matches!(attachment, Attachment::Image { .. });
    if model.info.images == Some(false) && attachments.iter().any(is_image) {
        return Err(Failure {
            code: "attachment".into(),
            message: format!("{} cannot see images", model.name()),
            hint: Some(
                "Remove the image, or choose a model that sees images with session/set; `opal models` tells \
                 which do."
                    .into(),
            ),
        });
    }
    let mut parts = Vec::new();
    for attachment in attachments {
        match attachment {
            Attachment::Image { mime_type, data } => {
                parts.push(image(mime_type, data)?);
            }
            Attachment::File { uri } => {
                let (name, file) = open(uri, context).await?;
                context.note_seen(&file.name, &file.text);
                let shown = shown(&file.text, &name);
                parts.push(Part::Text(format!("<file path=\"{name}\">\n{shown}</file>")));
            }
            Attachment::Selection { uri, range, counting } => {
                let (name, file) = open(uri, context).await?;
                let start = to_offset(&file.text, range.start, *counting);
                let end = to_offset(&file.text, range.end, *counting).max(start);
                let selected = shown(&Rope::from(file.text.byte_slice(start..end)), &name);
                let (first, last) = (file.text.byte_to_line(start) + 1, file.text.byte_to_line(end) + 1);
                parts.push(Part::Text(format!(
                    "<selection path=\"{name}\" lines=\"{first}-{last}\">\n{selected}</selection>"
                )));
            }
        }
    }
    for part in &mut parts {
        if let Part::Text(text) = part
            && let Cow::Owned(masked) = mask(text)
        {
            *text = masked;
        }
    }
    Ok(parts)
}

/// As much as `read` shows at once, and a word where that is not all.
fn shown(text: &Rope, name: &str) -> String {
    // Nothing but an offset beyond the end can be wrong.
    let Ok(excerpt) = excerpt(text, 1, None) else { return String::new() };
    let mut shown = excerpt.text;
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    if excerpt.next_offset.is_some() {
        let (n_lines, total_lines) = (excerpt.n_lines, excerpt.total_lines);
        shown.push_str(&format!("[the first {n_lines} of {total_lines} lines; `read` {name} for more]\n"));
    }
    shown
}

/// An image of the kind that it is.
fn image(mime_type: &str, data: &str) -> Result<Part, Failure> {
    // Refused here, before it is part of a conversation that no service would take any more.
    if data.len() as u64 / 4 * 3 > MAX_IMAGE {
        return Err(Failure {
            code: "attachment".into(),
            message: format!("an attached image has more than {} MB", MAX_IMAGE / 1_000_000),
            hint: Some("Make it smaller, and send the prompt again.".into()),
        });
    }
    // 12 bytes: as much as it takes to tell.
    let beginning = STANDARD.decode(data.get(..16).unwrap_or(data)).unwrap_or_default();
    match image_type(&beginning) {
        Some(kind) => Ok(Part::Image { mime_type: kind.into(), data: data.to_owned() }),
        None => Err(Failure {
            code: "attachment".into(),
            message: format!("an attached image ({mime_type}) is no PNG, JPEG, GIF or WebP"),
            hint: Some("Remove the attachment or convert it, and send the prompt again.".into()),
        }),
    }
}

async fn open(uri: &str, context: &Context) -> Result<(String, crate::workspace::File), Failure> {
    let name = context.name(uri);
    match context.workspace.read(&name).await {
        Ok(file) => Ok((context.display(&name), file)),
        Err(error) => Err(Failure {
            code: "attachment".into(),
            message: format!("an attachment cannot be read: {error}"),
            hint: Some("Remove the attachment or correct its path, and send the prompt again.".into()),
        }),
    }
}

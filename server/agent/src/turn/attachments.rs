//! What the user put beside a prompt, as the model sees it.

use std::borrow::Cow;
use std::ops::Range;

use provider::{Part, mask};
use text::{Rope, excerpt, notice, to_offset};

use crate::context::Context;
use crate::event::{Attachment, Failure};
use crate::image;
use crate::model::Model;
use crate::paths::other_readings;
use crate::workspace::{File, FileError, FileName};

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
    let mut seen = Vec::new();
    for attachment in attachments {
        match attachment {
            Attachment::Image { mime_type, data } => {
                parts.push(image(mime_type, data)?);
            }
            Attachment::File { uri } => {
                let (name, file) = open(uri, context).await?;
                let (shown, ranges) = shown(&file, 0..file.text.len_bytes(), notice::first_lines);
                parts.push(Part::Text(format!("<file path=\"{name}\">\n{shown}</file>")));
                seen.push((file, ranges));
            }
            Attachment::Selection { uri, range, counting } => {
                let (name, file) = open(uri, context).await?;
                let start = to_offset(&file.text, range.start, *counting);
                let end = to_offset(&file.text, range.end, *counting).max(start);
                let (selected, ranges) = shown(&file, start..end, notice::first_selected_lines);
                let (first, last) = (file.text.byte_to_line(start) + 1, file.text.byte_to_line(end) + 1);
                parts.push(Part::Text(format!(
                    "<selection path=\"{name}\" lines=\"{first}-{last}\">\n{selected}</selection>"
                )));
                seen.push((file, ranges));
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
    // Not before: after an error nothing is sent.
    for (file, ranges) in seen {
        context.note_shown(&file.name, &file.text, &ranges);
    }
    Ok(parts)
}

/// Returns as much of a file's bytes as `read` shows at once, with a notice where that is not all, and which bytes of
/// the file those are.
fn shown(
    file: &File,
    bytes: Range<usize>,
    cut: fn(usize, usize, usize) -> String,
) -> (String, Vec<Range<usize>>) {
    let text = Rope::from(file.text.byte_slice(bytes.clone()));
    // Nothing but an offset beyond the end can be wrong.
    let Ok(excerpt) = excerpt(&text, 1, None) else { return Default::default() };
    let ranges = excerpt.ranges.iter().map(|range| bytes.start + range.start..bytes.start + range.end);
    let ranges = ranges.collect();
    let mut shown = excerpt.text;
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    if excerpt.next_offset.is_some() {
        let offset = file.text.byte_to_line(bytes.start) + excerpt.n_lines + 1;
        shown.push_str(&cut(excerpt.n_lines, excerpt.total_lines, offset));
        shown.push('\n');
    }
    (shown, ranges)
}

/// Returns an image as a part, or refuses it before it is part of a conversation that no service would take any more.
fn image(mime_type: &str, data: &str) -> Result<Part, Failure> {
    image::part_of_base64(data).map_err(|error| Failure {
        code: "attachment".into(),
        message: format!("an attached image ({mime_type}) cannot be shown: {error}"),
        hint: Some(format!("{} Or send the prompt without it.", error.hint())),
    })
}

async fn open(uri: &str, context: &Context) -> Result<(String, File), Failure> {
    let name = context.name(uri);
    let read = async {
        // An editor may have it open under another name.
        let name = match &name {
            FileName::Path(path) => FileName::Path(context.workspace.resolve(path).await?),
            document => document.clone(),
        };
        context.workspace.read(&name).await
    };
    let error = match read.await {
        Ok(file) => return Ok((context.display(&file.name), file)),
        Err(error) => error,
    };
    let mut message = format!("an attachment cannot be read: {error}");
    if let FileError::NotFound { .. } = error {
        for reading in other_readings(uri) {
            if let FileName::Path(path) = context.name(&reading)
                && context.exists(&path).await
            {
                message.push_str(&format!("; did you mean {reading}?"));
                break;
            }
        }
    }
    let hint = match error {
        FileError::Binary { .. } | FileError::NotText { .. } | FileError::TooLarge { .. } => {
            "Remove the attachment and name the file in the prompt: the model can look at it in the shell."
        }
        _ => "Remove the attachment or correct its path, and send the prompt again.",
    };
    Err(Failure { code: "attachment".into(), message, hint: Some(hint.into()) })
}

//! What the user put beside a prompt, as the model sees it.

use provider::Part;
use text::{excerpt, to_offset};

use crate::context::Context;
use crate::event::{Attachment, Failure};

/// The attachments as parts. Texts are taken from the open document, else the disk.
pub(super) async fn read(attachments: &[Attachment], context: &Context) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for attachment in attachments {
        match attachment {
            Attachment::Image { mime_type, data } => {
                parts.push(Part::Image { mime_type: mime_type.clone(), data: data.clone() });
            }
            Attachment::File { uri } => {
                let (name, file) = open(uri, context).await?;
                let shown = excerpt(&file.text, 1, None).map(|excerpt| excerpt.text).unwrap_or_default();
                context.note_seen(&file.name, &file.text);
                parts.push(Part::Text(format!("<file path=\"{name}\">\n{shown}</file>")));
            }
            Attachment::Selection { uri, range, encoding } => {
                let (name, file) = open(uri, context).await?;
                let start = to_offset(&file.text, range.start, *encoding);
                let end = to_offset(&file.text, range.end, *encoding).max(start);
                let selected = file.text.byte_slice(start..end);
                let (first, last) = (file.text.byte_to_line(start) + 1, file.text.byte_to_line(end) + 1);
                parts.push(Part::Text(format!(
                    "<selection path=\"{name}\" lines=\"{first}-{last}\">\n{selected}\n</selection>"
                )));
            }
        }
    }
    Ok(parts)
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

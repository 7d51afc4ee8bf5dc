//! The workspace edit that a client answers to `rename`, as changes of files as they stand.

use std::collections::{BTreeMap, HashMap};

use agent::Workspace;
use agent::client_tools::{AskError, Place};
use agent::workspace::{Change, FileName};
use protocol::Range;
use serde::Deserialize;
use serde_json::Value;
use text::{Counting, DocumentVersion, EditSet, PositionRange, Rope, keep_line_ends, to_offset, to_position};

use super::{SessionWorkspace, named, names_of, unusable};
use crate::connection::Connection;
use crate::from_proto;

/// LSP's own types refuse URIs that editors do send.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkspaceEdit {
    #[serde(default)]
    changes: Option<BTreeMap<String, Vec<TextEdit>>>,
    #[serde(default)]
    document_changes: Option<Vec<DocumentChange>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DocumentChange {
    Operation {
        kind: String,
    },
    Edit {
        #[serde(rename = "textDocument")]
        document: Document,
        edits: Vec<TextEdit>,
    },
}

#[derive(Deserialize)]
struct Document {
    uri: String,
    #[serde(default)]
    version: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TextEdit {
    range: Range,
    new_text: String,
}

/// What is to be done to one file.
#[derive(Default)]
struct OfFile {
    version: Option<i32>,
    edits: Vec<(PositionRange, String)>,
}

impl SessionWorkspace {
    /// The changes, if they are of the texts as they stand now. What they are of is said by its version, and
    /// where that is left out, is what the client had open when it was asked: `versions`.
    pub(super) async fn changes(
        &self,
        client: &Connection,
        symbol: &Place,
        versions: &HashMap<FileName, DocumentVersion>,
        edit: Value,
    ) -> Result<Vec<Change>, AskError> {
        let edit: Option<WorkspaceEdit> =
            serde_path_to_error::deserialize(edit).map_err(|error| unusable(format!("edit: {error}")))?;
        let mut changes = Vec::new();
        for (name, of_file) in by_file(edit).await? {
            let read = self.read(&name).await;
            let base =
                read.map_err(|error| unusable(format!("it would change what cannot be read: {error}")))?;
            let stands = client.documents.get(&name).map(|document| document.version());
            let meant = of_file.version.map(DocumentVersion).or_else(|| versions.get(&name).copied());
            let is_other_version = stands.zip(meant).is_some_and(|(stands, meant)| stands != meant);
            let was_read_before = name == symbol.file.name && base.text != symbol.file.text;
            if is_other_version || was_read_before || !self.sees(client, &base).await {
                return Err(AskError::OtherText { name: name.to_string() });
            }
            let edits = edits_of(&base.text, of_file.edits, client.documents.counting())
                .map_err(|error| unusable(format!("{name}: {error}")))?;
            changes.push(Change { base, edits });
        }
        Ok(changes)
    }
}

/// With the line ends that the text has there: language servers have their own.
fn edits_of(
    text: &Rope,
    mut edits: Vec<(PositionRange, String)>,
    counting: Counting,
) -> Result<EditSet, String> {
    for (range, new_text) in &mut edits {
        let start = range.start;
        // Elsewhere what is beyond means the end. Here it means another text.
        let offset = to_offset(text, start, counting);
        if to_position(text, offset, counting) != start {
            let (line, column) = (u64::from(start.line) + 1, u64::from(start.character) + 1);
            return Err(format!("there is no {line}:{column} to change"));
        }
        let end = to_offset(text, range.end, counting).max(offset);
        *new_text = keep_line_ends(text, offset..end, new_text).into_owned();
    }
    EditSet::from_ranges(text, &edits, counting).map_err(|error| error.to_string())
}

/// What is done to each file, in the order of their names.
async fn by_file(edit: Option<WorkspaceEdit>) -> Result<BTreeMap<FileName, OfFile>, AskError> {
    let Some(WorkspaceEdit { changes, document_changes }) = edit else { return Ok(BTreeMap::new()) };
    let mut by_uri: BTreeMap<String, OfFile> = BTreeMap::new();
    let mut add = |uri: String, version: Option<i32>, edits: Vec<TextEdit>| {
        let of_file = by_uri.entry(uri).or_default();
        of_file.version = of_file.version.or(version);
        let ranges = edits.into_iter().map(|edit| (from_proto::position_range(edit.range), edit.new_text));
        of_file.edits.extend(ranges);
    };
    match document_changes {
        // As LSP says, the other list then says the same for clients that cannot do more.
        Some(document_changes) => {
            for change in document_changes {
                match change {
                    DocumentChange::Edit { document, edits } => add(document.uri, document.version, edits),
                    DocumentChange::Operation { kind } => {
                        return Err(unusable(format!(
                            "it would {kind} files too, which a rename here does not do. Do it by `edit` and a command"
                        )));
                    }
                }
            }
        }
        None => changes.unwrap_or_default().into_iter().for_each(|(uri, edits)| add(uri, None, edits)),
    }
    let names = names_of(by_uri.keys()).await;
    let mut by_name: BTreeMap<FileName, OfFile> = BTreeMap::new();
    for (uri, of_file) in by_uri {
        let known = by_name.entry(named(&uri, &names)).or_default();
        known.version = known.version.or(of_file.version);
        // A language server takes two spellings for two files, and tells the same of both.
        if known.edits != of_file.edits {
            known.edits.extend(of_file.edits);
        }
    }
    Ok(by_name)
}

//! The workspace edit that a client answers to `rename`, as changes of files as they stand.

use std::collections::BTreeMap;

use agent::Workspace;
use agent::client_tools::{AskError, Place};
use agent::workspace::{Change, FileName, Origin};
use protocol::Range;
use serde::Deserialize;
use serde_json::Value;
use text::{EditSet, PositionRange};

use super::{SessionWorkspace, named, names_of};
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
    /// The changes, if they are of the texts as they stand now.
    pub(super) async fn changes(
        &self,
        client: &Connection,
        symbol: &Place,
        edit: Value,
    ) -> Result<Vec<Change>, AskError> {
        let unusable = |why: String| AskError::Unusable(why);
        let edit: Option<WorkspaceEdit> =
            serde_path_to_error::deserialize(edit).map_err(|error| unusable(format!("edit: {error}")))?;
        let mut changes = Vec::new();
        for (name, of_file) in by_file(edit).await? {
            let read = self.read(&name).await;
            let base =
                read.map_err(|error| unusable(format!("it would change what cannot be read: {error}")))?;
            let is_other_version = match (&base.origin, of_file.version) {
                (Origin::Open { version }, Some(meant)) => version.0 != meant,
                _ => false,
            };
            if is_other_version || (name == symbol.file.name && base.text != symbol.file.text) {
                return Err(AskError::OtherText { name: name.to_string() });
            }
            let edits = EditSet::from_ranges(&base.text, &of_file.edits, client.documents.encoding())
                .map_err(|error| unusable(format!("{name}: {error}")))?;
            changes.push(Change { base, edits });
        }
        Ok(changes)
    }
}

/// What is done to each file, in the order of their names.
async fn by_file(edit: Option<WorkspaceEdit>) -> Result<Vec<(FileName, OfFile)>, AskError> {
    let Some(WorkspaceEdit { changes, document_changes }) = edit else { return Ok(Vec::new()) };
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
                        return Err(AskError::Unusable(format!(
                            "it would {kind} files too, which a rename here does not do. Do it by `edit` and a command"
                        )));
                    }
                }
            }
        }
        None => changes.unwrap_or_default().into_iter().for_each(|(uri, edits)| add(uri, None, edits)),
    }
    let names = names_of(by_uri.keys()).await;
    Ok(by_uri.into_iter().map(|(uri, of_file)| (named(&uri, &names), of_file)).collect())
}

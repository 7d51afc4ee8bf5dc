//! What events and items look like on the wire.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::lenient::{Index, Text, text_or_json, texts};

/// Every field that some event has and that matters. Borrowed from the event: most events are deltas,
/// and of a delta only the text itself is copied.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) output_index: Index,
    #[serde(default)]
    pub(super) content_index: Index,
    #[serde(default)]
    pub(super) summary_index: Index,
    #[serde(borrow, default)]
    pub(super) delta: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
    #[serde(borrow, default)]
    pub(super) refusal: Text<'a>,
    #[serde(borrow, default)]
    pub(super) arguments: Text<'a>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) status: Text<'a>,
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OutputItem<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) status: Text<'a>,
    #[serde(borrow, default)]
    pub(super) phase: Text<'a>,
    #[serde(borrow, default)]
    pub(super) call_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) summary: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) encrypted_content: Option<&'a RawValue>,
}

impl<'a> OutputItem<'a> {
    pub(super) fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// The arguments as JSON text; a few servers send the object itself.
    pub(super) fn arguments(&self) -> Option<String> {
        text_or_json(self.arguments)
    }

    pub(super) fn thinking(&self) -> String {
        let summary = texts(self.summary).join("\n\n");
        if summary.is_empty() { texts(self.content).join("\n\n") } else { summary }
    }

    /// The item as it has to go back: id, summary and blob exactly as they came. Without a blob the
    /// service would look for an item that it was told not to store.
    pub(super) fn replay(&self) -> Option<String> {
        let blob = self
            .encrypted_content
            .map(RawValue::get)
            .filter(|blob| blob.len() > 2 && blob.starts_with('"'))?;
        let id = self.id.map(|id| format!(r#""id":{},"#, id.get())).unwrap_or_default();
        let summary = self.summary.map_or("[]", RawValue::get);
        Some(format!(r#"{{"type":"reasoning",{id}"summary":{summary},"encrypted_content":{blob}}}"#))
    }
}

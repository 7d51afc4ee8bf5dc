//! A session as JSON Lines, out and in.
//!
//! A header, the entries in their order, the blobs, and a last line that counts them, so that a file that was cut
//! off is known as such. Payloads stand in it as the JSON they are.

use std::io::{BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::blob::{BlobHash, Content, NewBlob, Retention};
use crate::database::Database;
use crate::error::{ExportError, ImportError};
use crate::read::{self, ReadError};
use crate::record::{
    Append, Draft, EntryId, EntryKind, LoadedSession, NewEntry, SessionId, SessionRecord,
};

/// Raised when an older Opal could not read what a newer one writes.
const VERSION: u32 = 1;

/// The longest line that is read.
const MAX_LINE_LEN: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Session(Header),
    Entry(EntryLine),
    Blob(BlobLine),
    End { n_entries: usize, n_blobs: usize },
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    id: String,
    working_dir: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    created_at_ms: i64,
    updated_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf: Option<u64>,
    settings: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draft: Option<Json>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryLine {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<u64>,
    kind: String,
    created_at_ms: i64,
    payload: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    search_text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BlobLine {
    hash: String,
    retention: RetentionLine,
    /// Bytes before compression.
    len: u64,
    #[serde(default)]
    compressed: bool,
    /// Base64; absent if the content is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RetentionLine {
    Session,
    BeforeImage,
}

/// A text of the caller that should be JSON: as itself if it is, so that an export can be read; else as a text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Json {
    Json(serde_json::Value),
    Text(String),
}

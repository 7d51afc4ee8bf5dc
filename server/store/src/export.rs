//! A session as JSON Lines, out and in.
//!
//! A header, the entries in their order, the blobs, and a last line that counts them, so that a file that was cut
//! off is known as such. Payloads stand in it as the JSON they are.

use std::collections::HashSet;
use std::io::{BufRead, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::blob::{BlobHash, Content, NewBlob, Retention};
use crate::database::Database;
use crate::error::ImportError;
use crate::id::{EntryId, SessionId};
use crate::read::{self, ReadError};
use crate::record::{Append, Draft, EntryKind, LoadedSession, NewEntry, SessionRecord};
use crate::write::{KEPT, ORDINAL_BITS};

/// Raised when an older Opal could not read what a newer one writes.
const VERSION: u32 = 1;

/// The longest line that is read.
const MAX_LINE_LEN: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Session(Header),
    Entry(EntryLine),
    Blob(BlobLine),
    End { n_entries: usize, n_blobs: usize },
}

#[derive(Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    draft_pieces: Vec<Json>,
}

#[derive(Serialize, Deserialize)]
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

#[derive(Serialize, Deserialize)]
struct BlobLine {
    hash: String,
    before_image: bool,
    /// Bytes before compression.
    len: u64,
    compressed: bool,
    /// Base64; absent if the content is no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

/// What the caller made as JSON: as itself, so that other programs can read it, or as a text if it is none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Json {
    Json(Box<RawValue>),
    Text(String),
}

impl Json {
    fn new(text: &str) -> Self {
        // Outside of strings, which have none, a line break means no more than a space.
        let line = text.replace(['\n', '\r'], " ");
        RawValue::from_string(line).map_or_else(|_| Self::Text(text.to_owned()), Self::Json)
    }

    fn into_text(self) -> String {
        match self {
            Self::Json(json) => json.get().to_owned(),
            Self::Text(text) => text,
        }
    }
}

/// A session with all that belongs to it, as it is stored.
pub(crate) struct Exported {
    session: LoadedSession,
    search_texts: Vec<Option<String>>,
    blobs: Vec<NewBlob>,
}

/// Reads what an export needs, as one state of the file.
pub(crate) fn collect(database: &Database, session: &SessionId) -> Result<Exported, ReadError> {
    let snapshot = database.snapshot()?;
    let session = read::load(&snapshot, session)?;
    let id = session.record.id.as_str();
    let key: i64 = snapshot.query_row("SELECT key FROM sessions WHERE id = ?1", [id], |row| row.get(0))?;
    let mut texts = snapshot.prepare(
        "SELECT text FROM entries LEFT JOIN texts USING (key) WHERE key >= ?1 AND key < ?2 ORDER BY key",
    )?;
    let search_texts = texts
        .query_map([key << ORDINAL_BITS, (key + 1) << ORDINAL_BITS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut blobs = snapshot.prepare(
        "SELECT hash, len, compressed, data, image FROM uses JOIN blobs ON blobs.key = blob
         WHERE session = ?1 ORDER BY uses.key",
    )?;
    let blobs = blobs
        .query_map(params![key], |row| {
            let data: Option<Vec<u8>> = row.get(3)?;
            let content = match data {
                None => Content::Gone,
                Some(data) if row.get(2)? => Content::Zstd(data),
                Some(data) => Content::Plain(data),
            };
            let is_kept = row.get::<_, i64>(4)? == KEPT;
            Ok(NewBlob {
                hash: BlobHash::from_bytes(row.get(0)?),
                retention: if is_kept { Retention::Session } else { Retention::BeforeImage },
                len: row.get(1)?,
                content,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Exported { session, search_texts, blobs })
}

/// Writes an export.
pub(crate) fn write(exported: Exported, out: &mut dyn Write) -> std::io::Result<()> {
    let Exported { session: LoadedSession { record, entries, draft }, search_texts, blobs } = exported;
    let (n_entries, n_blobs) = (entries.len(), blobs.len());
    let mut line = |line: Line| -> std::io::Result<()> {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    };
    line(Line::Session(Header {
        version: VERSION,
        id: record.id.to_string(),
        working_dir: record.working_dir,
        name: record.name,
        model: record.model,
        created_at_ms: record.created_at_ms,
        updated_at_ms: record.updated_at_ms,
        leaf: record.leaf.map(|leaf| leaf.0),
        settings: Json::new(&record.settings_json),
        draft_pieces: draft.iter().map(|piece| Json::new(piece)).collect(),
    }))?;
    for (entry, search_text) in entries.into_iter().zip(search_texts) {
        line(Line::Entry(EntryLine {
            id: entry.id.0,
            parent: entry.parent.map(|parent| parent.0),
            kind: entry.kind.as_str().to_owned(),
            created_at_ms: entry.created_at_ms,
            payload: Json::new(&entry.payload),
            search_text,
        }))?;
    }
    for blob in blobs {
        let (compressed, data) = match &blob.content {
            Content::Plain(data) => (false, Some(BASE64.encode(data))),
            Content::Zstd(data) => (true, Some(BASE64.encode(data))),
            Content::Gone => (false, None),
        };
        line(Line::Blob(BlobLine {
            hash: blob.hash.to_string(),
            before_image: blob.retention == Retention::BeforeImage,
            len: blob.len,
            compressed,
            data,
        }))?;
    }
    line(Line::End { n_entries, n_blobs })
}

/// Reads an export and checks all of it.
pub(crate) fn read(input: &mut dyn BufRead) -> Result<(SessionRecord, Append), ImportError> {
    let mut import = Import::default();
    let mut text = String::new();
    let mut n_line = 0;
    while !import.is_complete {
        n_line += 1;
        text.clear();
        let problem = |problem: String| ImportError::Line { line: n_line, problem };
        match Read::take(&mut *input, MAX_LINE_LEN).read_line(&mut text) {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(problem("not UTF-8".to_owned()));
            }
            other => other?,
        };
        if text.is_empty() {
            return Err(problem("the export ends before its last line".to_owned()));
        }
        let line = serde_json::from_str(&text).map_err(|error| problem(not_a_line(&error)))?;
        import.line(line).map_err(problem)?;
    }
    let mut rest = Vec::new();
    Read::take(&mut *input, 1024).read_to_end(&mut rest)?;
    if !rest.trim_ascii().is_empty() {
        let problem = "something follows the last line of the export".to_owned();
        return Err(ImportError::Line { line: n_line + 1, problem });
    }
    let record = import
        .record
        .ok_or_else(|| ImportError::Line { line: 1, problem: "the header is missing".to_owned() })?;
    Ok((record, import.append))
}

/// What was read so far.
#[derive(Default)]
struct Import {
    record: Option<SessionRecord>,
    append: Append,
    ids: HashSet<EntryId>,
    is_complete: bool,
}

impl Import {
    /// Takes a line, or says what is wrong with it.
    fn line(&mut self, line: Line) -> Result<(), String> {
        match (line, &self.record) {
            (Line::Session(header), None) => self.header(header),
            (Line::Session(_), Some(_)) => Err("a second header".to_owned()),
            (_, None) => Err("the header is missing".to_owned()),
            (Line::Entry(entry), Some(_)) => self.entry(entry),
            (Line::Blob(blob), Some(_)) => self.blob(&blob),
            (Line::End { n_entries, n_blobs }, Some(_)) => self.end(n_entries, n_blobs),
        }
    }

    fn header(&mut self, header: Header) -> Result<(), String> {
        if header.version > VERSION {
            return Err(format!(
                "made by a newer Opal (version {}, this one knows {VERSION})",
                header.version
            ));
        }
        let id = SessionId::parse(&header.id).map_err(|error| error.to_string())?;
        self.append.leaf = header.leaf.map(EntryId);
        if !header.draft_pieces.is_empty() {
            self.append.draft = Draft::Set(header.draft_pieces.into_iter().map(Json::into_text).collect());
        }
        self.record = Some(SessionRecord {
            id,
            working_dir: header.working_dir,
            name: header.name,
            model: header.model,
            created_at_ms: header.created_at_ms,
            updated_at_ms: header.updated_at_ms,
            leaf: None,
            // What it was a part of did not come along.
            parent: None,
            settings_json: header.settings.into_text(),
        });
        Ok(())
    }

    fn entry(&mut self, entry: EntryLine) -> Result<(), String> {
        let id = EntryId(entry.id);
        if id > EntryId::MAX {
            return Err(format!("entry {id} has too large an id"));
        }
        let parent = entry.parent.map(EntryId);
        if let Some(parent) = parent.filter(|parent| !self.ids.contains(parent)) {
            return Err(format!("entry {id} follows {parent}, which did not come before it"));
        }
        if !self.ids.insert(id) {
            return Err(format!("a second entry {id}"));
        }
        self.append.entries.push(NewEntry {
            id,
            parent,
            kind: EntryKind::from(entry.kind.as_str()),
            created_at_ms: entry.created_at_ms,
            payload: entry.payload.into_text(),
            search_text: entry.search_text,
        });
        Ok(())
    }

    fn blob(&mut self, blob: &BlobLine) -> Result<(), String> {
        let hash: BlobHash = blob.hash.parse().map_err(|error| format!("{error}"))?;
        let damaged = || format!("the content of blob {hash} is damaged");
        let content = match &blob.data {
            None => Content::Gone,
            Some(data) => {
                let data = BASE64.decode(data).map_err(|_| damaged())?;
                let content = if blob.compressed { Content::Zstd(data) } else { Content::Plain(data) };
                let plain = content.plain(blob.len).ok_or_else(damaged)?;
                if BlobHash::of(&plain) != hash {
                    return Err(damaged());
                }
                content
            }
        };
        let retention = if blob.before_image { Retention::BeforeImage } else { Retention::Session };
        self.append.blobs.push(NewBlob { hash, retention, len: blob.len, content });
        Ok(())
    }

    fn end(&mut self, n_entries: usize, n_blobs: usize) -> Result<(), String> {
        for (what, expected, found) in
            [("entries", n_entries, self.append.entries.len()), ("blobs", n_blobs, self.append.blobs.len())]
        {
            if expected != found {
                return Err(format!("{expected} {what} were exported, {found} came before this line"));
            }
        }
        if let Some(leaf) = self.append.leaf.filter(|leaf| !self.ids.contains(leaf)) {
            return Err(format!("the leaf {leaf} is not among the entries"));
        }
        self.is_complete = true;
        Ok(())
    }
}

/// serde_json counts lines itself, always 1 here.
fn not_a_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("{reason} (column {})", error.column())
}

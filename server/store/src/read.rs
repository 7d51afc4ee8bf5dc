//! What is read back. Each function sees one state of the file.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::blob::{BlobHash, Content};
use crate::database::Database;
use crate::error::StoreError;
use crate::id::{EntryId, SessionId};
use crate::record::{Entry, EntryKind, ListQuery, LoadedSession, Page, SessionRecord, SessionSummary};
use crate::write::ORDINAL_BITS;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// Ids that are looked at to say how many begin alike.
const MAX_ALIKE: usize = 100;

/// The columns of a [`SessionRecord`], then those of a [`SessionSummary`].
const COLUMNS: &str =
    "key, id, working_dir, name, model, created_at_ms, updated_at_ms, leaf, parent, settings_json,
    first_prompt, n_entries, bytes";

/// Why a read failed: what the file says, or the file itself.
#[derive(Debug)]
pub(crate) enum ReadError {
    Store(StoreError),
    Sqlite(rusqlite::Error),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Reads a session, inside a transaction of the caller.
pub(crate) fn load(snapshot: &Connection, session: &SessionId) -> Result<LoadedSession, ReadError> {
    let (key, record): (i64, _) = snapshot
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?
        .query_row([session.as_str()], |row| Ok((row.get(0)?, record(row)?)))
        .optional()?
        .ok_or_else(|| StoreError::UnknownSession(session.to_string()))?;
    let draft = snapshot
        .prepare_cached("SELECT piece FROM draft_pieces WHERE session = ?1 ORDER BY key")?
        .query_map([key], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = snapshot.prepare_cached(
        "SELECT id, parent, kind, created_at_ms, payload FROM entries WHERE key >= ?1 AND key < ?2 ORDER BY key",
    )?;
    let bounds: [i64; 2] = [key << ORDINAL_BITS, (key + 1) << ORDINAL_BITS];
    let entries = statement.query_map(bounds, |row| {
        Ok(Entry {
            id: entry_id(row.get(0)?),
            parent: row.get::<_, Option<i64>>(1)?.map(entry_id),
            kind: EntryKind::from(row.get_ref(2)?.as_str()?),
            created_at_ms: row.get(3)?,
            payload: row.get(4)?,
        })
    })?;
    let entries = entries.collect::<rusqlite::Result<_>>()?;
    Ok(LoadedSession { record, entries, draft })
}

pub(crate) fn find(database: &Database, prefix: &str) -> Result<SessionRecord, ReadError> {
    let prefix = prefix.to_ascii_lowercase();
    // Ids are ASCII, so that this is above all that begin alike.
    let end = format!("{prefix}\u{7f}");
    let mut statement = database.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT {MAX_ALIKE}"
    ))?;
    let found = statement.query_map([&prefix, &end], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let n_sessions = found.len();
    let mut found = found.into_iter();
    match (found.next(), n_sessions) {
        (None, _) => Err(StoreError::UnknownSession(prefix).into()),
        // A whole id, or the only one.
        (Some(first), n) if n == 1 || first.id.as_str() == prefix => Ok(first),
        (Some(_), n_sessions) => Err(StoreError::Ambiguous { prefix, n_sessions }.into()),
    }
}

pub(crate) fn summary_of(
    database: &Database,
    session: &SessionId,
) -> Result<Option<SessionSummary>, ReadError> {
    let summary = database
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?
        .query_row([session.as_str()], summary)
        .optional()?;
    Ok(summary)
}

pub(crate) fn latest(database: &Database, working_dir: &str) -> Result<Option<SessionRecord>, ReadError> {
    let latest = database
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sessions WHERE working_dir = ?1 AND parent IS NULL
             ORDER BY updated_at_ms DESC, key DESC LIMIT 1"
        ))?
        .query_row([working_dir], record)
        .optional()?;
    Ok(latest)
}

pub(crate) fn list(database: &Database, query: &ListQuery) -> Result<Page, ReadError> {
    let limit = if query.limit == 0 { DEFAULT_LIMIT } else { query.limit.min(MAX_LIMIT) };
    let (before_ms, before_key) = match &query.cursor {
        Some(cursor) => parse_cursor(cursor)?,
        None => (i64::MAX, i64::MAX),
    };
    // A condition on a column keeps its index only if it stands alone.
    let in_directory = if query.working_dir.is_some() { "working_dir = ?3" } else { "?3 IS NULL" };
    let mut statement = database.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions
         WHERE {in_directory} AND parent IS NULL AND (updated_at_ms, key) < (?1, ?2)
         ORDER BY updated_at_ms DESC, key DESC"
    ))?;
    let words = query.query.as_deref().map(str::to_lowercase);
    let mut rows = statement.query(params![before_ms, before_key, query.working_dir])?;
    let (mut sessions, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        if let Some(words) = &words
            && !mentions(row, words)?
        {
            continue;
        }
        if sessions.len() == limit {
            let next_cursor = last.map(|(ms, key): (i64, i64)| format!("{ms}.{key}"));
            return Ok(Page { sessions, next_cursor });
        }
        last = Some((row.get("updated_at_ms")?, row.get("key")?));
        sessions.push(summary(row)?);
    }
    Ok(Page { sessions, next_cursor: None })
}

/// Reads a blob; the content is checked against its name.
pub(crate) fn blob(database: &Database, hash: BlobHash) -> Result<Blob, ReadError> {
    let stored: Option<(u64, bool, Option<Vec<u8>>)> = database
        .prepare_cached("SELECT len, compressed, data FROM blobs WHERE hash = ?1")?
        .query_row([hash.as_bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (len, content) = match stored {
        None => return Ok(Blob::Unknown),
        Some((_, _, None)) => return Ok(Blob::Gone),
        Some((len, true, Some(data))) => (len, Content::Zstd(data)),
        Some((len, false, Some(data))) => (len, Content::Plain(data)),
    };
    let plain = content.plain(len).filter(|plain| BlobHash::of(plain) == hash);
    Ok(plain.map_or(Blob::Damaged, |plain| Blob::Content(plain.into_owned())))
}

/// What is stored under a hash.
#[derive(Debug)]
pub(crate) enum Blob {
    Content(Vec<u8>),
    Unknown,
    Gone,
    /// Something else than its name says.
    Damaged,
}

/// A number as the database has it; ids are never negative there.
pub(crate) fn entry_id(stored: i64) -> EntryId {
    EntryId(stored.cast_unsigned())
}

fn record(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        id: SessionId::stored(row.get("id")?),
        working_dir: row.get("working_dir")?,
        name: row.get("name")?,
        model: row.get("model")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
        leaf: row.get::<_, Option<i64>>("leaf")?.map(entry_id),
        parent: row.get::<_, Option<String>>("parent")?.map(SessionId::stored),
        settings_json: row.get("settings_json")?,
    })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    Ok(SessionSummary {
        record: record(row)?,
        first_prompt: row.get("first_prompt")?,
        n_entries: row.get("n_entries")?,
        bytes: row.get("bytes")?,
    })
}

/// Whether what a list shows of a session has the words, which are in lower case.
fn mentions(row: &Row<'_>, words: &str) -> rusqlite::Result<bool> {
    for column in ["id", "name", "first_prompt", "working_dir"] {
        let text = row.get_ref(column)?.as_str_or_null()?;
        if text.is_some_and(|text| text.to_lowercase().contains(words)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse_cursor(cursor: &str) -> Result<(i64, i64), StoreError> {
    let parts = cursor.split_once('.').and_then(|(ms, key)| Some((ms.parse().ok()?, key.parse().ok()?)));
    parts.ok_or_else(|| StoreError::InvalidCursor(cursor.to_owned()))
}

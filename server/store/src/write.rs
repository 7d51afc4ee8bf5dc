//! What a write does to the file, inside a transaction that the writer opened.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::blob::{Budget, Content, NewBlob, Retention};
use crate::error::StoreError;
use crate::id::{EntryId, SessionId};
use crate::record::{Append, Draft, EntryKind, NewEntry, SessionRecord, SessionUpdate};

/// Text of an entry beyond this is not searched.
const MAX_SEARCH_TEXT: usize = 64 << 10;

/// Characters of a first prompt that are kept for lists.
const MAX_FIRST_PROMPT: usize = 200;

/// Bits of an entry's key below its session's.
pub(crate) const ORDINAL_BITS: u32 = 32;

/// One call of the store.
#[derive(Debug)]
pub(crate) enum Write {
    Create(SessionRecord),
    Append(SessionId, Append),
    /// A whole session at once.
    Import(SessionRecord, Append),
    SetLeaf(SessionId, Option<EntryId>),
    Rename(SessionId, Option<String>),
    Update(SessionId, SessionUpdate),
    Delete(SessionId),
}

/// Why a write was not done.
pub(crate) enum Refused {
    /// It makes no sense; others of its group are not concerned.
    By(StoreError),
    /// The file failed, and the transaction with it.
    Sqlite(rusqlite::Error),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::By(error)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Write {
    /// About how many bytes it holds in memory.
    pub(crate) fn size(&self) -> u64 {
        let (Self::Append(_, append) | Self::Import(_, append)) = self else { return 0 };
        let entries = append.entries.iter().map(|entry| {
            entry.payload.len() as u64 + entry.search_text.as_ref().map_or(0, |text| text.len() as u64)
        });
        let blobs = append.blobs.iter().map(|blob| blob.content.stored_len());
        let draft = match &append.draft {
            Draft::Keep | Draft::Clear => 0,
            Draft::Set(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Draft::Add(piece) => piece.len() as u64,
        };
        entries.sum::<u64>() + blobs.sum::<u64>() + draft
    }
}

/// A text for the index, by the key of its entry.
pub(crate) type Text = (i64, String);

/// Does a write, except for the index, which wants its texts in order.
pub(crate) fn apply(
    connection: &Connection,
    write: Write,
    at_ms: i64,
    budget: &Budget,
) -> Result<Vec<Text>, Refused> {
    match write {
        Write::Create(record) => {
            create(connection, &record)?;
            if let Some(entry) = record.leaf {
                return Err(StoreError::UnknownEntry { session: record.id, entry }.into());
            }
        }
        Write::Append(session, batch) => return append(connection, &session, batch, at_ms, budget),
        Write::Import(record, batch) => {
            create(connection, &record)?;
            let texts = append(connection, &record.id, batch, record.updated_at_ms, budget)?;
            connection.execute(
                "UPDATE sessions SET updated_at_ms = ?2 WHERE id = ?1",
                params![record.id.as_str(), record.updated_at_ms],
            )?;
            return Ok(texts);
        }
        Write::SetLeaf(session, leaf) => {
            let (key, _) = find(connection, &session)?;
            match leaf {
                Some(leaf) => set_leaf(connection, &session, key, leaf)?,
                None => {
                    connection.execute("UPDATE sessions SET leaf = NULL WHERE key = ?1", params![key])?;
                }
            }
            clear_draft(connection, key)?;
            touch(connection, key, at_ms)?;
        }
        Write::Rename(session, name) => {
            let (key, _) = find(connection, &session)?;
            connection.execute("UPDATE sessions SET name = ?2 WHERE key = ?1", params![key, name])?;
        }
        Write::Update(session, SessionUpdate { working_dir, model, settings_json }) => {
            let (key, _) = find(connection, &session)?;
            connection.execute(
                "UPDATE sessions SET working_dir = coalesce(?2, working_dir), model = coalesce(?3, model),
                     settings_json = coalesce(?4, settings_json)
                 WHERE key = ?1",
                params![key, working_dir, model, settings_json],
            )?;
        }
        Write::Delete(session) => {
            find(connection, &session)?;
            delete(connection, &session)?;
        }
    }
    Ok(Vec::new())
}

/// Adds texts to the index. In order of their keys, because the index starts a new segment whenever they go back.
pub(crate) fn index(connection: &Connection, mut texts: Vec<Text>) -> rusqlite::Result<()> {
    texts.sort_by_key(|(key, _)| *key);
    let mut insert = connection.prepare_cached("INSERT INTO search (rowid, text) VALUES (?1, ?2)")?;
    // A session that was deleted later in the same group left texts behind.
    let mut is_there = connection.prepare_cached("SELECT 1 FROM texts WHERE key = ?1")?;
    for (key, text) in texts {
        if is_there.exists([key])? {
            insert.execute(params![key, text])?;
        }
    }
    Ok(())
}

fn create(connection: &Connection, record: &SessionRecord) -> Result<(), Refused> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO sessions
                 (id, working_dir, name, model, created_at_ms, updated_at_ms, parent, settings_json)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            record.id.as_str(),
            record.working_dir,
            record.name,
            record.model,
            record.created_at_ms,
            record.updated_at_ms,
            record.parent.as_ref().map(SessionId::as_str),
            record.settings_json,
        ]);
    match inserted {
        Err(error) if is_constraint(&error) => Err(StoreError::SessionExists(record.id.clone()).into()),
        other => other.map(drop).map_err(Into::into),
    }
}

fn append(
    connection: &Connection,
    session: &SessionId,
    append: Append,
    at_ms: i64,
    budget: &Budget,
) -> Result<Vec<Text>, Refused> {
    let (key, mut n_entries) = find(connection, session)?;
    let updated_at_ms = append.entries.iter().map(|entry| entry.created_at_ms).max();
    let (mut bytes, mut texts, mut first_prompt) = (0, Vec::new(), None);
    let mut previous = None;
    for entry in append.entries {
        if let Some(parent) = entry.parent.filter(|parent| previous != Some(*parent)) {
            require(connection, session, key, parent)?;
        }
        previous = Some(entry.id);
        bytes += entry.payload.len() as i64;
        let entry_key = (key << ORDINAL_BITS) | n_entries;
        insert(connection, session, entry_key, &entry)?;
        n_entries += 1;
        let Some(text) = entry.search_text.filter(|text| !text.trim().is_empty()) else { continue };
        if entry.kind == EntryKind::User && first_prompt.is_none() {
            first_prompt = Some(one_line(&text));
        }
        let text = cut(text);
        connection
            .prepare_cached("INSERT INTO texts (key, text) VALUES (?1, ?2)")?
            .execute(params![entry_key, text])?;
        texts.push((entry_key, text));
    }
    connection
        .prepare_cached(
            "UPDATE sessions SET n_entries = ?2, bytes = bytes + ?3, first_prompt = coalesce(first_prompt, ?4)
             WHERE key = ?1",
        )?
        .execute(params![key, n_entries, bytes, first_prompt])?;
    if let Some(leaf) = append.leaf {
        set_leaf(connection, session, key, leaf)?;
    }
    if updated_at_ms.is_some() || append.leaf.is_some() {
        touch(connection, key, updated_at_ms.unwrap_or(at_ms))?;
    }
    for blob in append.blobs {
        keep(connection, key, blob, budget)?;
    }
    match append.draft {
        Draft::Keep => {}
        Draft::Clear => clear_draft(connection, key)?,
        Draft::Set(pieces) => {
            clear_draft(connection, key)?;
            for piece in pieces {
                add_to_draft(connection, key, &piece)?;
            }
        }
        Draft::Add(piece) => add_to_draft(connection, key, &piece)?,
    }
    Ok(texts)
}

fn clear_draft(connection: &Connection, key: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM draft_pieces WHERE session = ?1")?.execute([key])?;
    Ok(())
}

fn add_to_draft(connection: &Connection, key: i64, piece: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO draft_pieces (session, piece) VALUES (?1, ?2)")?
        .execute(params![key, piece])?;
    Ok(())
}

fn insert(connection: &Connection, session: &SessionId, key: i64, entry: &NewEntry) -> Result<(), Refused> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO entries (key, id, parent, kind, created_at_ms, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            key,
            stored_id(session, entry.id)?,
            entry.parent.map(|parent| parent.0.cast_signed()),
            entry.kind.as_str(),
            entry.created_at_ms,
            entry.payload,
        ]);
    match inserted {
        Err(error) if is_constraint(&error) => {
            Err(StoreError::EntryExists { session: session.clone(), entry: entry.id }.into())
        }
        other => other.map(drop).map_err(Into::into),
    }
}

/// The key of a session, and how many entries it has had.
fn find(connection: &Connection, session: &SessionId) -> Result<(i64, i64), Refused> {
    connection
        .prepare_cached("SELECT key, n_entries FROM sessions WHERE id = ?1")?
        .query_row([session.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| StoreError::UnknownSession(session.to_string()).into())
}

fn require(connection: &Connection, session: &SessionId, key: i64, entry: EntryId) -> Result<(), Refused> {
    let is_there = connection
        .prepare_cached("SELECT 1 FROM entries WHERE session = ?1 AND id = ?2")?
        .exists(params![key, stored_id(session, entry)?])?;
    if is_there { Ok(()) } else { Err(StoreError::UnknownEntry { session: session.clone(), entry }.into()) }
}

fn stored_id(session: &SessionId, entry: EntryId) -> Result<i64, Refused> {
    i64::try_from(entry.0).map_err(|_| StoreError::UnknownEntry { session: session.clone(), entry }.into())
}

fn set_leaf(connection: &Connection, session: &SessionId, key: i64, leaf: EntryId) -> Result<(), Refused> {
    require(connection, session, key, leaf)?;
    connection
        .prepare_cached("UPDATE sessions SET leaf = ?2 WHERE key = ?1")?
        .execute(params![key, stored_id(session, leaf)?])?;
    Ok(())
}

fn touch(connection: &Connection, key: i64, at_ms: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE sessions SET updated_at_ms = max(updated_at_ms, ?2) WHERE key = ?1")?
        .execute(params![key, at_ms])?;
    Ok(())
}

/// Removes a session and those of its sub-agents.
fn delete(connection: &Connection, session: &SessionId) -> rusqlite::Result<()> {
    let mut family = connection.prepare_cached(
        "WITH RECURSIVE family (id, key) AS (
             SELECT id, key FROM sessions WHERE id = ?1
             UNION SELECT child.id, child.key FROM sessions child JOIN family ON child.parent = family.id
         ) SELECT key FROM family",
    )?;
    let keys =
        family.query_map([session.as_str()], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for key in keys {
        let entries = params![key << ORDINAL_BITS, (key + 1) << ORDINAL_BITS];
        // Only what has a text is in the index.
        connection.execute(
            "DELETE FROM search WHERE rowid IN (SELECT key FROM texts WHERE key >= ?1 AND key < ?2)",
            entries,
        )?;
        connection.execute("DELETE FROM texts WHERE key >= ?1 AND key < ?2", entries)?;
        connection.execute("DELETE FROM entries WHERE key >= ?1 AND key < ?2", entries)?;
        clear_draft(connection, key)?;
        connection.execute(
            "UPDATE totals SET image_bytes = image_bytes - (SELECT image_bytes FROM sessions WHERE key = ?1)",
            [key],
        )?;
        connection.execute(
            "DELETE FROM blobs WHERE key IN (SELECT blob FROM uses WHERE session = ?1)
                 AND NOT EXISTS (SELECT 1 FROM uses WHERE blob = blobs.key AND session != ?1)",
            [key],
        )?;
        // Contents that only this session kept, and others had given up.
        connection.execute(
            "UPDATE blobs SET data = NULL WHERE key IN (SELECT blob FROM uses WHERE session = ?1 AND image != 2)
                 AND NOT EXISTS (
                     SELECT 1 FROM uses WHERE blob = blobs.key AND session != ?1 AND image != 2)",
            [key],
        )?;
        connection.execute("DELETE FROM uses WHERE session = ?1", [key])?;
        connection.execute("DELETE FROM sessions WHERE key = ?1", [key])?;
    }
    Ok(())
}

/// Values of `uses.image`.
pub(crate) const KEPT: i64 = 0;
const IMAGE: i64 = 1;
const GIVEN_UP: i64 = 2;

/// Stores a blob once, notes that the session has it, and makes room.
fn keep(connection: &Connection, session: i64, blob: NewBlob, budget: &Budget) -> rusqlite::Result<()> {
    let is_image = blob.retention == Retention::BeforeImage;
    let new_len = blob.content.stored_len().cast_signed();
    // Larger than all there is room for: the others would go for nothing.
    let is_too_large = is_image && new_len > signed(budget.session_bytes.min(budget.total_bytes));
    let content = if is_too_large { &Content::Gone } else { &blob.content };
    let (key, stored_len) = put(connection, &blob, content, new_len)?;

    let used: Option<(i64, i64, i64)> = connection
        .prepare_cached("SELECT key, image, stored_len FROM uses WHERE session = ?1 AND blob = ?2")?
        .query_row(params![session, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((use_key, image, len)) = used {
        if image == KEPT {
            return Ok(());
        }
        // Its age counts from now.
        connection.prepare_cached("DELETE FROM uses WHERE key = ?1")?.execute([use_key])?;
        if image == IMAGE {
            add_image_bytes(connection, session, -len)?;
        }
    }
    let image = match (is_image, stored_len) {
        (false, _) => KEPT,
        (true, Some(_)) => IMAGE,
        (true, None) => GIVEN_UP,
    };
    connection
        .prepare_cached("INSERT INTO uses (session, blob, image, stored_len) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![session, key, image, stored_len.unwrap_or(0)])?;
    if image == IMAGE {
        add_image_bytes(connection, session, stored_len.unwrap_or(0))?;
        make_room(connection, session, budget)?;
    }
    Ok(())
}

/// The key of a content, and how many bytes of it are stored.
fn put(
    connection: &Connection,
    blob: &NewBlob,
    content: &Content,
    new_len: i64,
) -> rusqlite::Result<(i64, Option<i64>)> {
    let (compressed, bytes) = match content {
        Content::Plain(bytes) => (false, Some(bytes)),
        Content::Zstd(bytes) => (true, Some(bytes)),
        Content::Gone => (false, None),
    };
    let hash = blob.hash.as_bytes().as_slice();
    let stored: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT key, length(data) FROM blobs WHERE hash = ?1")?
        .query_row([hash], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let stored_len = bytes.map(|_| new_len);
    match stored {
        Some((key, None)) if bytes.is_some() => {
            connection
                .prepare_cached("UPDATE blobs SET compressed = ?2, data = ?3 WHERE key = ?1")?
                .execute(params![key, compressed, bytes])?;
            Ok((key, stored_len))
        }
        Some(stored) => Ok(stored),
        None => {
            connection
                .prepare_cached("INSERT INTO blobs (hash, len, compressed, data) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![hash, blob.len.cast_signed(), compressed, bytes])?;
            Ok((connection.last_insert_rowid(), stored_len))
        }
    }
}

fn add_image_bytes(connection: &Connection, session: i64, n_bytes: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE sessions SET image_bytes = image_bytes + ?2 WHERE key = ?1")?
        .execute(params![session, n_bytes])?;
    connection.prepare_cached("UPDATE totals SET image_bytes = image_bytes + ?1")?.execute([n_bytes])?;
    Ok(())
}

/// Gives up the oldest before-images until session and store are within the budget.
fn make_room(connection: &Connection, session: i64, budget: &Budget) -> rusqlite::Result<()> {
    let by_session = (
        "SELECT image_bytes FROM sessions WHERE key = ?1",
        "SELECT key, session, blob, stored_len FROM uses WHERE image = 1 AND session = ?1 ORDER BY key LIMIT 1",
        budget.session_bytes,
    );
    let in_all = (
        "SELECT image_bytes FROM totals WHERE ?1 IS NOT NULL",
        "SELECT key, session, blob, stored_len FROM uses WHERE image = 1 AND ?1 IS NOT NULL ORDER BY key LIMIT 1",
        budget.total_bytes,
    );
    for (sum, oldest, limit) in [by_session, in_all] {
        while connection.prepare_cached(sum)?.query_row([session], |row| row.get::<_, i64>(0))?
            > signed(limit)
        {
            let oldest: Option<(i64, i64, i64, i64)> = connection
                .prepare_cached(oldest)?
                .query_row([session], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()?;
            let Some((key, owner, blob, len)) = oldest else { break };
            connection
                .prepare_cached("UPDATE uses SET image = ?2 WHERE key = ?1")?
                .execute([key, GIVEN_UP])?;
            add_image_bytes(connection, owner, -len)?;
            connection
                .prepare_cached(
                    "UPDATE blobs SET data = NULL WHERE key = ?1
                         AND NOT EXISTS (SELECT 1 FROM uses WHERE blob = ?1 AND image != ?2)",
                )?
                .execute([blob, GIVEN_UP])?;
        }
    }
    Ok(())
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// A prompt as a list shows it.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * MAX_FIRST_PROMPT {
            break;
        }
    }
    line.chars().take(MAX_FIRST_PROMPT).collect()
}

/// The part of a text that is searched.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_SEARCH_TEXT));
    text
}

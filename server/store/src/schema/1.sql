-- Sessions. What a list shows stands here, so that a page of them touches nothing else.
CREATE TABLE sessions (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    working_dir   TEXT NOT NULL,
    name          TEXT,
    model         TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    leaf          INTEGER,
    parent        TEXT,
    settings_json TEXT NOT NULL,
    first_prompt  TEXT,
    n_entries     INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    image_bytes   INTEGER NOT NULL DEFAULT 0   -- live before-images, compressed
) STRICT;
CREATE INDEX sessions_by_time ON sessions (updated_at_ms, key) WHERE parent IS NULL;
CREATE INDEX sessions_by_working_dir ON sessions (working_dir, updated_at_ms, key) WHERE parent IS NULL;
CREATE INDEX sessions_by_parent ON sessions (parent) WHERE parent IS NOT NULL;

-- The trees. A key is the session's key, then 32 bits that count: a session's entries lie side by side, in the
-- order they were appended, however many sessions are written at once.
CREATE TABLE entries (
    key           INTEGER PRIMARY KEY,
    id            INTEGER NOT NULL,
    parent        INTEGER,
    kind          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    payload       TEXT NOT NULL,
    session       INTEGER NOT NULL GENERATED ALWAYS AS (key >> 32) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX entries_by_id ON entries (session, id);

-- The answer that is still streaming.
CREATE TABLE drafts (
    session INTEGER PRIMARY KEY,
    payload TEXT NOT NULL
) STRICT;

-- What a search finds, by the key of its entry. The index has no copy of the text.
CREATE TABLE texts (
    key  INTEGER PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- Large contents. `data` is NULL once it was given up for the budget.
CREATE TABLE blobs (
    key        INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    len        INTEGER NOT NULL,
    compressed INTEGER NOT NULL,
    data       BLOB
) STRICT;

-- Which session has which blob. `image`: 0 kept with the session, 1 a before-image, 2 one given up.
-- The key is the age: the smallest goes first.
CREATE TABLE uses (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    session    INTEGER NOT NULL,
    blob       INTEGER NOT NULL,
    image      INTEGER NOT NULL,
    stored_len INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX uses_by_session ON uses (session, blob);
CREATE INDEX uses_by_blob ON uses (blob);
CREATE INDEX images_by_age ON uses (key) WHERE image = 1;
CREATE INDEX images_by_session ON uses (session, key) WHERE image = 1;

-- One row: sums over everything.
CREATE TABLE totals (image_bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (0);

//! Finding words in everything that was said.
//!
//! The index tells which entries have all the words. The newest of them are ranked here, by how often and in how
//! short a text the words stand: asking the index for its own ranking would visit every entry that has a word, and
//! a word that is in a million entries is not worth that.

use std::collections::HashSet;
use std::ops::{ControlFlow, RangeInclusive};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::database::Database;
use crate::id::SessionId;
use crate::read::{ReadError, entry_id};
use crate::record::{EntryKind, Hit};
use crate::write::ORDINAL_BITS;

/// Entries that are ranked, newest sessions first.
const MAX_CANDIDATES: usize = 1000;

/// Entries of one session that are ranked to find its best, newest first.
const MAX_OF_SESSION: usize = 20;

/// The last key of a session is this many after its first.
const MAX_ORDINAL: i64 = (1 << ORDINAL_BITS) - 1;

/// Words of a query that count.
const MAX_TERMS: usize = 16;

/// Characters of a beginning. Shorter ones would visit a good part of the index, and stand for themselves.
const MIN_PREFIX: usize = 3;

/// Bytes of the line that is shown of a hit.
const MAX_LINE: usize = 200;

/// BM25's usual constants, and a typical number of words in a text.
const SATURATION: f64 = 1.2;
const LENGTH_WEIGHT: f64 = 0.75;
const TYPICAL_WORDS: f64 = 60.0;

/// What a user typed, as phrases that must all be there. `"two words"` is one phrase, and so is `a_name` or
/// `src/main.rs`; `migr*` stands for every word that begins so. Nothing else has a meaning, and nothing is an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    phrases: Vec<Phrase>,
}

#[derive(Debug, PartialEq, Eq)]
struct Phrase {
    words: Vec<String>,
    /// The last word is only a beginning.
    is_prefix: bool,
}

/// The best entries of all sessions.
pub(crate) fn search(database: &Database, query: &Query, limit: usize) -> Result<Vec<Hit>, ReadError> {
    if query.phrases.is_empty() {
        return Ok(Vec::new());
    }
    let snapshot = database.snapshot()?;
    let mut candidates = Candidates::new(&snapshot, query)?;
    matching(&snapshot, query, i64::MIN..=i64::MAX, |key| candidates.add(key))?;
    candidates.best(limit)
}

/// The best entry of each session, of this directory if one is named; sub-agents' are left out.
pub(crate) fn search_sessions(
    database: &Database,
    query: &Query,
    working_dir: Option<&str>,
    limit: usize,
) -> Result<Vec<Hit>, ReadError> {
    let snapshot = database.snapshot()?;
    let sessions = listed(&snapshot, working_dir)?;
    let (Some(oldest), Some(newest)) = (sessions.first(), sessions.last()) else { return Ok(Vec::new()) };
    if query.phrases.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let keys = (oldest << ORDINAL_BITS)..=(newest << ORDINAL_BITS | MAX_ORDINAL);
    // However many hits a session has, there is room for those of `limit` others.
    let max_of_session = (MAX_CANDIDATES / limit).clamp(1, MAX_OF_SESSION);
    let mut candidates = Candidates::new(&snapshot, query)?;
    // The entries of a session lie side by side: it is looked up once.
    let (mut session, mut n_left) = (None, 0);
    matching(&snapshot, query, keys, |key| {
        if session.replace(key >> ORDINAL_BITS) != Some(key >> ORDINAL_BITS) {
            n_left = if sessions.binary_search(&(key >> ORDINAL_BITS)).is_ok() { max_of_session } else { 0 };
        }
        if n_left == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        n_left -= 1;
        candidates.add(key)
    })?;
    candidates.keep_best_of_sessions();
    candidates.best(limit)
}

/// The keys of the sessions that lists show.
fn listed(snapshot: &Connection, working_dir: Option<&str>) -> rusqlite::Result<Vec<i64>> {
    let in_directory = if working_dir.is_some() { "working_dir = ?1" } else { "?1 IS NULL" };
    let sql = format!("SELECT key FROM sessions WHERE {in_directory} AND parent IS NULL ORDER BY key");
    snapshot.prepare_cached(&sql)?.query_map([working_dir], |row| row.get(0))?.collect()
}

/// Visits the entries that have all the words, newest sessions first.
fn matching(
    snapshot: &Connection,
    query: &Query,
    keys: RangeInclusive<i64>,
    mut visit: impl FnMut(i64) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut matching = snapshot.prepare_cached(
        "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC",
    )?;
    let mut rows = matching.query(params![query.to_fts(), keys.start(), keys.end()])?;
    while let Some(row) = rows.next()? {
        if visit(row.get(0)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Entries that are compared.
struct Candidates<'a> {
    snapshot: &'a Connection,
    text: CachedStatement<'a>,
    query: &'a Query,
    /// With their keys.
    ranked: Vec<(f64, i64)>,
}

impl<'a> Candidates<'a> {
    fn new(snapshot: &'a Connection, query: &'a Query) -> rusqlite::Result<Self> {
        let text = snapshot.prepare_cached("SELECT text FROM texts WHERE key = ?1")?;
        Ok(Self { snapshot, text, query, ranked: Vec::new() })
    }

    /// Ranks another entry; breaks when there are enough.
    fn add(&mut self, key: i64) -> rusqlite::Result<ControlFlow<()>> {
        let rank = self.text.query_row([key], |row| Ok(self.query.rank(row.get_ref(0)?.as_str()?)));
        self.ranked.extend(rank.optional()?.map(|rank| (rank, key)));
        let is_enough = self.ranked.len() >= MAX_CANDIDATES;
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn keep_best_of_sessions(&mut self) {
        self.sort();
        let mut seen = HashSet::new();
        self.ranked.retain(|(_, key)| seen.insert(key >> ORDINAL_BITS));
    }

    fn sort(&mut self) {
        self.ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    }

    fn best(mut self, limit: usize) -> Result<Vec<Hit>, ReadError> {
        self.sort();
        self.ranked.truncate(limit);
        let mut entry = self.snapshot.prepare_cached(
            "SELECT sessions.id, entries.id, entries.kind, entries.created_at_ms, texts.text
             FROM entries JOIN texts USING (key) JOIN sessions ON sessions.key = ?2 WHERE entries.key = ?1",
        )?;
        let hits = self.ranked.into_iter().filter_map(|(rank, key)| {
            entry
                .query_row([key, key >> ORDINAL_BITS], |row| {
                    Ok(Hit {
                        session: SessionId::stored(row.get(0)?),
                        entry: entry_id(row.get(1)?),
                        kind: EntryKind::from(row.get_ref(2)?.as_str()?),
                        created_at_ms: row.get(3)?,
                        line: self.query.best_line(row.get_ref(4)?.as_str()?),
                        rank,
                    })
                })
                .optional()
                .transpose()
        });
        Ok(hits.collect::<rusqlite::Result<_>>()?)
    }
}

impl Query {
    pub(crate) fn parse(typed: &str) -> Self {
        // Every other part is in quotes; a quote that is not closed reaches to the end.
        let parts = typed.split('"').enumerate();
        let phrases = parts.flat_map(|(n, part)| {
            let quoted = (n % 2 == 1).then_some(part);
            let words = (n % 2 == 0).then(|| part.split_whitespace()).into_iter().flatten();
            quoted.into_iter().chain(words)
        });
        let phrases = phrases.filter_map(Phrase::parse).take(MAX_TERMS);
        Self { phrases: phrases.collect() }
    }

    /// The query in the index's language. Only letters and digits of what was typed are in it.
    fn to_fts(&self) -> String {
        let phrases = self.phrases.iter().map(|phrase| {
            format!("\"{}\"{}", phrase.words.join(" "), if phrase.is_prefix { "*" } else { "" })
        });
        phrases.collect::<Vec<_>>().join(" AND ")
    }

    /// How well a text fits, the larger the better.
    fn rank(&self, text: &str) -> f64 {
        let words: Vec<&str> = words(text).map(|(_, word)| word).collect();
        let length = 1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * words.len() as f64 / TYPICAL_WORDS;
        let rank = |phrase: &Phrase| {
            let n = phrase.count(&words) as f64;
            n * (SATURATION + 1.0) / (n + SATURATION * length)
        };
        self.phrases.iter().map(rank).sum()
    }

    /// The line with most of the phrases, cut around the first that is in it.
    fn best_line(&self, text: &str) -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let fits = |line: &str| {
            let words: Vec<&str> = words(line).map(|(_, word)| word).collect();
            self.phrases.iter().filter(|phrase| phrase.count(&words) > 0).count()
        };
        // Of equals `max_by_key` takes the last, and a reader wants the first.
        let Some(line) = lines.rev().max_by_key(|line| fits(line)) else { return String::new() };
        let first = words(line).find(|(_, word)| {
            self.phrases.iter().any(|phrase| phrase.words.first().is_some_and(|first| eq_folded(word, first)))
        });
        excerpt(line, first.map_or(0, |(at, _)| at))
    }
}

impl Phrase {
    fn parse(typed: &str) -> Option<Self> {
        let words: Vec<String> = words(typed).map(|(_, word)| word.to_owned()).collect();
        let last = words.last().map_or(0, |word| word.chars().count());
        let is_prefix = typed.ends_with('*') && last >= MIN_PREFIX;
        (!words.is_empty()).then_some(Self { words, is_prefix })
    }

    fn count(&self, words: &[&str]) -> usize {
        words.windows(self.words.len()).filter(|window| self.fits(window)).count()
    }

    fn fits(&self, window: &[&str]) -> bool {
        let last = self.words.len() - 1;
        window.iter().zip(&self.words).enumerate().all(|(n, (word, wanted))| {
            if n == last && self.is_prefix { starts_folded(word, wanted) } else { eq_folded(word, wanted) }
        })
    }
}

/// The words of a text with their offsets, divided as the index does.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - start, word))
}

fn eq_folded(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

fn starts_folded(word: &str, beginning: &str) -> bool {
    let mut word = word.chars().flat_map(char::to_lowercase);
    beginning.chars().flat_map(char::to_lowercase).all(|c| word.next() == Some(c))
}

/// A line, or the part of it around a byte.
fn excerpt(line: &str, at: usize) -> String {
    if line.len() <= MAX_LINE {
        return line.to_owned();
    }
    let start = at.saturating_sub(MAX_LINE / 4).min(line.len() - MAX_LINE);
    let (start, end) = (line.floor_char_boundary(start), line.floor_char_boundary(start + MAX_LINE));
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < line.len() { "…" } else { "" });
    format!("{before}{}{after}", &line[start..end])
}

#[cfg(test)]
mod tests;

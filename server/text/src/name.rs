//! Finding a name by its line: how a model says which symbol it means.
//!
//! It knows no language: a name is what has no letter, digit or underscore directly beside it.

use std::borrow::Cow;
use std::fmt;

use ropey::Rope;

/// Lines above and below that are searched for a name which does not stand where it was said to.
const MAX_LINES_AROUND: usize = 10_000;
/// Of those, how many are told.
const MAX_PLACES: usize = 5;
/// Characters of a line that are told.
const MAX_LINE_CHARS: usize = 200;

/// Why a name was not found. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    NotOneName {
        name: String,
    },
    NoSuchLine {
        line: usize,
        total_lines: usize,
    },
    NotThere {
        name: String,
        line: usize,
        /// What stands in that line.
        stands: String,
        /// The nearest lines in which it stands.
        elsewhere: Vec<usize>,
    },
    /// It stands there, but not so often.
    TooFew {
        name: String,
        line: usize,
        n_found: usize,
    },
}

/// Returns the byte offset of the `nth` `name` in a line; both count from 1.
///
/// # Errors
/// [`NameError`], which says what stands there and where else the name does.
pub fn find_name(text: &Rope, line: usize, name: &str, nth: usize) -> Result<usize, NameError> {
    if !is_one_name(name) {
        return Err(NameError::NotOneName { name: name.to_owned() });
    }
    let total_lines = text.len_lines();
    if line == 0 || line > total_lines {
        return Err(NameError::NoSuchLine { line, total_lines });
    }
    let stands = line_of(text, line);
    let found: Vec<usize> = places(&stands, name).collect();
    if let Some(at) = found.get(nth.max(1) - 1) {
        return Ok(text.line_to_byte(line - 1) + at);
    }
    let name = name.to_owned();
    if !found.is_empty() {
        return Err(NameError::TooFew { name, line, n_found: found.len() });
    }
    let elsewhere = nearest_lines(text, line, &name);
    let stands = stands.trim().chars().take(MAX_LINE_CHARS).collect();
    Err(NameError::NotThere { name, line, stands, elsewhere })
}

/// A path or a call is more than one name, and its beginning is mostly not what was meant.
fn is_one_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || ".:(".contains(c))
}

fn line_of(text: &Rope, line: usize) -> Cow<'_, str> {
    Cow::from(text.line(line - 1))
}

fn places<'a>(line: &'a str, name: &'a str) -> impl Iterator<Item = usize> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let glued =
        move |left: &str, right: &str| is_word(left.chars().next_back()) && is_word(right.chars().next());
    let found = line.match_indices(name).map(|(at, _)| at);
    found.filter(move |at| {
        let (before, after) = (&line[..*at], &line[at + name.len()..]);
        !glued(before, name) && !glued(name, after)
    })
}

/// Nearest first to choose, in order to be read.
fn nearest_lines(text: &Rope, line: usize, name: &str) -> Vec<usize> {
    let first = line.saturating_sub(MAX_LINES_AROUND).max(1);
    let last = (line + MAX_LINES_AROUND).min(text.len_lines());
    let mut lines: Vec<usize> =
        (first..=last).filter(|at| places(&line_of(text, *at), name).next().is_some()).collect();
    lines.sort_by_key(|at| at.abs_diff(line));
    lines.truncate(MAX_PLACES);
    lines.sort_unstable();
    lines
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOneName { name } => {
                write!(f, "expected one name without what stands around it, as in `total`, not `{name}`")
            }
            Self::NoSuchLine { line, total_lines } => {
                write!(f, "there is no line {line}; the file has {total_lines}")
            }
            Self::NotThere { name, line, stands, elsewhere } => {
                write!(f, "`{name}` does not stand in line {line}, which is `{stands}`")?;
                let elsewhere: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
                match elsewhere.as_slice() {
                    [] => Ok(()),
                    [one] => write!(f, "; it stands in line {one}"),
                    some => write!(f, "; it stands in lines {}", some.join(", ")),
                }
            }
            Self::TooFew { name, line, n_found: 1 } => write!(f, "`{name}` stands in line {line} only once"),
            Self::TooFew { name, line, n_found } => {
                write!(f, "`{name}` stands in line {line} only {n_found} times")
            }
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests;

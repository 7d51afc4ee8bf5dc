//! Finding what a model wants replaced, as nearly as it remembers it.
//!
//! Exact first. Then with line endings, trailing white space and typographic quotes, dashes and
//! spaces taken as equal to their plain forms; still only the matched span is replaced, and the
//! rest of the text stays byte for byte. It never guesses between two places, and never takes
//! indentation or spelling as equal: a wrong edit costs more than another try.

mod exact;
mod fold;
mod nearest;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use ropey::Rope;

use crate::decode::{LineEnding, dominant_line_ending};
use crate::edit::{Edit, EditSet};
use exact::find_exact;
use fold::Folded;

pub use nearest::Region;

/// The most places that an ambiguity names; more do not help to tell them apart.
const MAX_CANDIDATES: usize = 10;

/// One replacement as a model asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub old_text: String,
    pub new_text: String,
    /// Every place instead of the only one.
    pub replace_all: bool,
}

/// Why nothing was replaced. `index` counts the replacements from 0; the texts, which the model
/// reads, count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    #[error("no edits were given")]
    NoReplacements,
    #[error("edit {}: old_text is empty; give the text to replace", .index + 1)]
    Empty { index: usize },
    /// Also when a match found by folding already reads like `new_text`.
    #[error("edit {}: nothing would change, new_text is what already stands there", .index + 1)]
    Identical { index: usize },
    #[error("edit {}: old_text was not found{}", .index + 1, nearest_hint(.nearest.as_ref()))]
    NotFound { index: usize, nearest: Option<Region> },
    /// 1-based lines, at most 10.
    #[error(
        "edit {}: old_text was found more than once, at lines {}; add lines around it until it is unique, \
         or set replace_all",
        .index + 1, list(.lines)
    )]
    Ambiguous { index: usize, lines: Vec<usize> },
    /// Indexes of two replacements, and the 1-based line where they meet.
    #[error("edits {} and {} overlap at line {line}; make them one edit", .first + 1, .second + 1)]
    Overlap { first: usize, second: usize, line: usize },
}

/// Returns the edits that carry out all replacements, each searched in the same old text.
///
/// Line breaks in `new_text` become the text's own. Cost is one scan of the text for each exact
/// replacement; folding copies the text once.
///
/// # Errors
/// [`ReplaceError`] if any of them cannot be carried out: all or nothing.
pub fn replace(text: &Rope, replacements: &[Replacement]) -> Result<EditSet, ReplaceError> {
    if replacements.is_empty() {
        return Err(ReplaceError::NoReplacements);
    }
    // Looking at every line break takes longer than the search itself.
    let ending = OnceCell::new();
    let folded = OnceCell::new();
    let mut edits: Vec<(usize, Edit)> = Vec::new();
    for (index, replacement) in replacements.iter().enumerate() {
        if replacement.old_text.is_empty() {
            return Err(ReplaceError::Empty { index });
        }
        if replacement.old_text == replacement.new_text {
            return Err(ReplaceError::Identical { index });
        }
        let new_text = if replacement.new_text.contains(['\r', '\n']) {
            with_line_ending(&replacement.new_text, *ending.get_or_init(|| dominant_line_ending(text)))
        } else {
            Cow::Borrowed(replacement.new_text.as_str())
        };
        let spans = find(text, &folded, index, replacement)?;
        let n_edits = edits.len();
        edits.extend(
            spans
                .into_iter()
                .filter(|span| text.byte_slice(span.clone()) != *new_text)
                .map(|span| (index, Edit::new(span, new_text.as_ref()))),
        );
        if edits.len() == n_edits {
            return Err(ReplaceError::Identical { index });
        }
    }
    edits.sort_by_key(|(_, edit)| edit.range.start);
    for pair in edits.windows(2) {
        let ((first, before), (second, after)) = (&pair[0], &pair[1]);
        if after.range.start < before.range.end {
            let (first, second) = (*first.min(second), *first.max(second));
            return Err(ReplaceError::Overlap { first, second, line: line_number(text, after.range.start) });
        }
    }
    Ok(EditSet::from_sorted(edits.into_iter().map(|(_, edit)| edit).collect()))
}

/// The one span to replace, or all of them.
fn find(
    text: &Rope,
    folded: &OnceCell<Folded>,
    index: usize,
    replacement: &Replacement,
) -> Result<Vec<Range<usize>>, ReplaceError> {
    let wanted = if replacement.replace_all { Wanted::All } else { Wanted::AtMost(MAX_CANDIDATES) };
    let mut spans = find_exact(text, &replacement.old_text, wanted);
    if spans.is_empty() {
        spans = folded.get_or_init(|| Folded::new(text)).find(&replacement.old_text, wanted);
    }
    if spans.is_empty() {
        let nearest = nearest::nearest(text, &replacement.old_text);
        return Err(ReplaceError::NotFound { index, nearest });
    }
    if spans.len() > 1 && !replacement.replace_all {
        let lines = spans.iter().map(|span| line_number(text, span.start)).collect();
        return Err(ReplaceError::Ambiguous { index, lines });
    }
    Ok(spans)
}

/// Which matches a search reports.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// All that do not overlap, from the left.
    All,
    /// The first few, overlapping ones too: `\n\n` is in `\n\n\n` twice.
    AtMost(usize),
}

impl Wanted {
    fn is_enough(self, n_found: usize) -> bool {
        matches!(self, Self::AtMost(max) if n_found >= max)
    }

    fn step(self, needle: &[u8]) -> usize {
        match self {
            Self::All => needle.len(),
            Self::AtMost(_) => 1,
        }
    }
}

fn with_line_ending(text: &str, ending: LineEnding) -> Cow<'_, str> {
    if ending == LineEnding::Lf && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    Cow::Owned(if ending == LineEnding::Lf { text } else { text.replace('\n', ending.as_str()) })
}

fn line_number(text: &Rope, offset: usize) -> usize {
    text.byte_to_line(offset) + 1
}

fn list(lines: &[usize]) -> String {
    let numbers: Vec<_> = lines.iter().map(ToString::to_string).collect();
    let more = if lines.len() == MAX_CANDIDATES { " and perhaps more" } else { "" };
    format!("{}{more}", numbers.join(", "))
}

fn nearest_hint(nearest: Option<&Region>) -> String {
    match nearest {
        Some(region) => {
            format!("; the nearest text there is, from line {} on:\n{}", region.first_line, region.text)
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;

//! Finding what a model wants replaced, as nearly as it remembers it.
//!
//! Exact first. Then with line endings, trailing white space, invisible characters, the two spellings
//! of accents, and typographic quotes, dashes and spaces taken as equal to their plain forms. Only the
//! matched span is replaced, and in it only the lines that `new_text` changes; the rest of the text stays
//! byte for byte. It never guesses between two places, and never takes indentation or spelling as
//! equal: a wrong edit costs more than another try.

mod difference;
mod fold;
mod nearest;
mod search;

use std::ops::Range;

use ropey::Rope;

use crate::edit::{Edit, EditSet};
use crate::line_end::{LineMap, differ_in_line_ends_only, end_beside};
use fold::Folded;
use search::{Needle, Wanted, search};

pub use nearest::Region;

/// The most replacements that go in one set.
pub const MAX_REPLACEMENTS: usize = 1_000;

/// The most places that are replaced one by one. An editor takes time for every edit; above, they are one
/// edit from the first to the last.
const MAX_EDITS: usize = 10_000;

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

impl Replacement {
    fn needle(&self) -> Needle<'_> {
        let wanted = if self.replace_all { Wanted::All } else { Wanted::AtMost(MAX_CANDIDATES) };
        Needle { text: &self.old_text, wanted }
    }
}

/// Why nothing was replaced. `index` counts the replacements from 0; the texts, which the model
/// reads, count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    #[error("no edits were given")]
    NoReplacements,
    #[error(
        "{n} edits were given and nothing was changed; give at most {MAX_REPLACEMENTS} in one call and the \
         rest in further calls, or change many equal places by one edit with replace_all"
    )]
    TooMany { n: usize },
    #[error("edit {}: old_text is empty; give the text to replace", .index + 1)]
    Empty { index: usize },
    /// Also when a match found by folding already reads like `new_text`.
    #[error("edit {}: nothing would change, new_text is what already stands there", .index + 1)]
    Identical { index: usize },
    /// `difference` names what tells the nearest text from `old_text`, if that is hard to see.
    #[error(
        "edit {}: old_text was not found{}{}",
        .index + 1, nearest_hint(.nearest.as_ref()), difference_hint(.difference.as_deref())
    )]
    NotFound { index: usize, nearest: Option<Region>, difference: Option<String> },
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
/// A line that `old_text` and `new_text` share stays as it stands, and line breaks are kept as in
/// [`keep_line_ends`](crate::keep_line_ends). Cost is a few scans of the text, however many
/// replacements there are.
///
/// # Errors
/// [`ReplaceError`] if any of them cannot be carried out: all or nothing.
pub fn replace(text: &Rope, replacements: &[Replacement]) -> Result<EditSet, ReplaceError> {
    if replacements.is_empty() {
        return Err(ReplaceError::NoReplacements);
    }
    if replacements.len() > MAX_REPLACEMENTS {
        return Err(ReplaceError::TooMany { n: replacements.len() });
    }
    for (index, replacement) in replacements.iter().enumerate() {
        if replacement.old_text.is_empty() {
            return Err(ReplaceError::Empty { index });
        }
        if replacement.old_text == replacement.new_text {
            return Err(ReplaceError::Identical { index });
        }
    }
    let searched = text.to_string();
    let mut edits: Vec<(usize, Edit)> = Vec::new();
    for (index, (place, replacement)) in
        find(&searched, replacements).into_iter().zip(replacements).enumerate()
    {
        let spans = place.spans(text, index, replacement)?;
        let written = Written::new(replacement, &place);
        let n_edits = edits.len();
        for span in spans {
            let new_text = written.at(text, span, &searched[span.clone()]);
            if new_text != searched[span.clone()] {
                edits.push((index, Edit::new(span.clone(), new_text)));
            }
        }
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
    let mut edits: Vec<Edit> = edits.into_iter().map(|(_, edit)| edit).collect();
    if edits.len() > MAX_EDITS {
        edits = vec![joined(&searched, &edits)];
    }
    Ok(EditSet::from_sorted(edits))
}

/// Where a replacement's `old_text` stands.
#[derive(Debug, Default)]
struct Place {
    spans: Vec<Range<usize>>,
    is_exact: bool,
    /// `old_text` has a line break at its end, and the text ends without one.
    lacks_last_break: bool,
}

/// Searches exactly, and what is not found so, by folding.
fn find(searched: &str, replacements: &[Replacement]) -> Vec<Place> {
    let needles: Vec<Needle<'_>> = replacements.iter().map(Replacement::needle).collect();
    // A match that begins or ends between `\r` and `\n` is none: replacing it would tear the line break.
    let exact = search(searched, &needles, |_, span| {
        !is_inside_crlf(searched, span.start) && !is_inside_crlf(searched, span.end)
    });
    let place = |spans: Vec<_>| Place { is_exact: !spans.is_empty(), spans, lacks_last_break: false };
    let mut places: Vec<Place> = exact.into_iter().map(place).collect();
    let missing: Vec<usize> = (0..places.len()).filter(|idx| !places[*idx].is_exact).collect();
    if !missing.is_empty() {
        let needles: Vec<Needle<'_>> = missing.iter().map(|idx| needles[*idx]).collect();
        for (idx, found) in missing.iter().zip(Folded::of(searched).find(&needles)) {
            places[*idx].spans = found.spans;
            places[*idx].lacks_last_break = found.lacks_last_break;
        }
    }
    places
}

impl Place {
    /// The one span to replace, or all of them.
    fn spans(
        &self,
        text: &Rope,
        index: usize,
        replacement: &Replacement,
    ) -> Result<&[Range<usize>], ReplaceError> {
        if self.spans.is_empty() {
            let nearest = nearest::nearest(text, &replacement.old_text);
            let difference = nearest
                .as_ref()
                .and_then(|region| difference::name(text, region.first_line, &replacement.old_text));
            return Err(ReplaceError::NotFound { index, nearest, difference });
        }
        if self.spans.len() > 1 && !replacement.replace_all {
            let lines = self.spans.iter().map(|span| line_number(text, span.start)).collect();
            return Err(ReplaceError::Ambiguous { index, lines });
        }
        Ok(&self.spans)
    }
}

/// What a replacement writes.
enum Written<'a> {
    AsGiven(&'a str),
    /// By line, so that what stays stays as it stands in the text.
    ByLine(LineMap<'a>),
}

impl<'a> Written<'a> {
    fn new(replacement: &'a Replacement, place: &Place) -> Self {
        let Replacement { old_text, new_text, .. } = replacement;
        let is_about_line_ends = place.is_exact && differ_in_line_ends_only(old_text, new_text);
        if is_about_line_ends || !new_text.contains(['\r', '\n']) && !old_text.contains(['\r', '\n']) {
            return Self::AsGiven(new_text);
        }
        let (mut old_text, mut new_text) = (old_text.as_str(), new_text.as_str());
        if place.lacks_last_break {
            (old_text, new_text) = (without_last_break(old_text), without_last_break(new_text));
        }
        Self::ByLine(LineMap::new(old_text, new_text))
    }

    fn at(&self, text: &Rope, span: &Range<usize>, stands: &str) -> String {
        match self {
            Self::AsGiven(new_text) => (*new_text).to_owned(),
            Self::ByLine(lines) => lines.apply(stands, || end_beside(text, span)),
        }
    }
}

/// All edits as one.
fn joined(old: &str, edits: &[Edit]) -> Edit {
    let start = edits.first().map_or(0, |edit| edit.range.start);
    let mut at = start;
    let mut new_text = String::new();
    for edit in edits {
        new_text.push_str(&old[at..edit.range.start]);
        new_text.push_str(&edit.new_text);
        at = edit.range.end;
    }
    Edit::new(start..at, new_text)
}

fn is_inside_crlf(text: &str, offset: usize) -> bool {
    text.as_bytes()[..offset].ends_with(b"\r") && text.as_bytes()[offset..].starts_with(b"\n")
}

fn without_last_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
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

fn difference_hint(difference: Option<&str>) -> String {
    difference.map(|difference| format!("\n({difference})")).unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! Notices that stand in a shown text for what was left out of it, and finding them again.
//!
//! A model that copies such a notice into a file replaces text that it was never shown. Everything that prints a
//! notice takes it from this list, and so does the search.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;
use ropey::Rope;

use crate::edit::EditSet;

/// Defines a function for each notice, and the list of all templates. In a template `#` stands for a number.
macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident($($number:ident),*) = $template:literal;)*) => {
        $($(#[$doc])* pub fn $name($($number: usize),*) -> String { fill($template, &[$($number),*]) })*

        const TEMPLATES: &[&str] = &[$($template),*];
    };
}

notices! {
    /// Follows the beginning of a long line.
    more_characters(n) = "… [# more characters in this line]";
    /// Follows the beginning of a list of lines.
    more_lines(n) = "… [# more lines]";
    /// Follows the first of several places.
    more_places(n) = "… [# more places]";
    /// Stands between the head and the tail of a long text.
    left_out(n) = "[… # characters left out …]";
    /// Follows a part of a file that was read.
    go_on(total_lines, offset) = "[# lines in all; go on with offset #]";
    /// Follows the beginning of an attached file.
    first_lines(n, total_lines, offset) = "[the first # of # lines; for more use `read` with offset #]";
    /// Follows the beginning of an attached selection.
    first_selected_lines(n, total_lines, offset) = "[the first # of # selected lines; for more use `read` with offset #]";
    /// Follows the beginning of a long diff.
    more_of_diff(n) = "[# more characters of this diff]";
    /// Follows the output of a command that drew over its own lines.
    redrawn_lines(n) = "[lines left out because the command drew over them: #]";
    /// Stands in place of an old tool output.
    removed_output() = "[This output was removed to save space. Run the call again if it is needed.]";
}

/// Longer than any notice, numbers included.
const MAX_BYTES: usize = 256;

fn fill(template: &str, numbers: &[usize]) -> String {
    let mut numbers = numbers.iter();
    let mut filled = String::new();
    for c in template.chars() {
        match (c, numbers.as_slice().first()) {
            ('#', Some(number)) => {
                filled.push_str(&number.to_string());
                numbers.next();
            }
            (c, _) => filled.push(c),
        }
    }
    filled
}

/// Returns the first notice that `edits` put into `new` and that `old` does not hold as often. A text that is
/// about such notices, as the sources of Opal are, can be edited around them.
pub fn added_notice(old: &Rope, edits: &EditSet, new: &Rope) -> Option<String> {
    // An edit may hold a part of a notice only, where the rest was there before.
    let around = |written| new.byte_slice(near(new, &written)).to_string();
    let texts: Vec<String> = edits.changed_ranges_after().into_iter().map(around).collect();
    let mut found = texts.iter().flat_map(|text| notices_in(text)).peekable();
    found.peek()?;
    let (old, new) = (old.to_string(), new.to_string());
    let (before, after) = (count(&old), count(&new));
    found.find(|notice| after.get(notice) > before.get(notice)).map(str::to_owned)
}

fn near(text: &Rope, range: &Range<usize>) -> Range<usize> {
    let boundary = |offset: usize| text.char_to_byte(text.byte_to_char(offset.min(text.len_bytes())));
    boundary(range.start.saturating_sub(MAX_BYTES))..boundary(range.end + MAX_BYTES)
}

fn notices_in(text: &str) -> impl Iterator<Item = &str> {
    TEMPLATES.iter().flat_map(move |template| {
        let beginning = template.split('#').next().unwrap_or(template);
        memmem::find_iter(text.as_bytes(), beginning).collect::<Vec<_>>().into_iter().filter_map(move |at| {
            let found = &text[at..];
            Some(&found[..len_of_match(found, template)?])
        })
    })
}

/// How many bytes at the beginning of `text` are this notice with any numbers.
fn len_of_match(text: &str, template: &str) -> Option<usize> {
    let mut rest = text;
    for (idx, part) in template.split('#').enumerate() {
        if idx > 0 {
            let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            rest = rest.get(number..).filter(|_| number > 0)?;
        }
        rest = rest.strip_prefix(part)?;
    }
    Some(text.len() - rest.len())
}

/// How often each notice stands in a text.
fn count(text: &str) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for notice in notices_in(text) {
        *counts.entry(notice).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;

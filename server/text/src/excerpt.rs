//! What a model is shown of a text or of a program's output, and within which limits.
//!
//! It does not decide where an answer is too long as a whole, and adds no hints or line numbers:
//! the tool that shows the excerpt knows what to say.

mod controls;
mod head_tail;
mod names;
mod utf8;

use std::ops::Range;

use ropey::Rope;

use crate::notice;

pub use controls::{ControlFilter, strip_controls};
pub use head_tail::HeadTail;
pub use names::nearest_names;
pub use utf8::Utf8Chunks;

/// The most lines in one excerpt: what other coding agents have settled on.
pub const MAX_LINES: usize = 2_000;
/// The most bytes in one excerpt, about 12,000 tokens.
pub const MAX_BYTES: usize = 50 * 1024;
/// The most characters of one line; the rest of the line is counted, not shown.
pub const MAX_LINE_CHARS: usize = 2_000;

/// Whole lines from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The lines, each with `\n` at its end whatever the file uses; the file's last line has one
    /// only if the file does.
    pub text: String,
    /// The number of the first line shown, 1-based.
    pub first_line: usize,
    pub n_lines: usize,
    /// Lines of the whole text; a line break at its end does not begin another.
    pub total_lines: usize,
    /// The 1-based line to continue at, if there is more.
    pub next_offset: Option<usize>,
    /// How many of the lines shown were cut at [`MAX_LINE_CHARS`].
    pub cut_lines: usize,
    /// The bytes of the text that are shown, in order: all of these lines but what was cut off them.
    pub ranges: Vec<Range<usize>>,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExcerptError {
    #[error("offset {offset} is beyond the end: the text has {total_lines} line{}", if *total_lines == 1 { "" } else { "s" })]
    BeyondEnd { offset: usize, total_lines: usize },
}

/// Returns the lines from line `offset` on (1-based; 0 means 1), at most `limit` (at least 1),
/// [`MAX_LINES`] or [`MAX_BYTES`], whichever is reached first. There is always at least one line,
/// unless the text is empty. Cost grows with what is shown, not with the text.
///
/// # Errors
/// [`ExcerptError::BeyondEnd`], which names the number of lines.
pub fn excerpt(text: &Rope, offset: usize, limit: Option<usize>) -> Result<Excerpt, ExcerptError> {
    let total_lines = count_lines(text);
    let first_line = offset.max(1);
    if first_line > total_lines.max(1) {
        return Err(ExcerptError::BeyondEnd { offset, total_lines });
    }
    let max_lines = limit.unwrap_or(MAX_LINES).clamp(1, MAX_LINES);
    let mut excerpt = Excerpt {
        text: String::new(),
        first_line,
        n_lines: 0,
        total_lines,
        next_offset: None,
        cut_lines: 0,
        ranges: Vec::new(),
    };
    while excerpt.n_lines < max_lines && first_line + excerpt.n_lines <= total_lines {
        let line_idx = first_line + excerpt.n_lines - 1;
        let (line, is_cut) = shown_line(text, line_idx);
        if excerpt.n_lines > 0 && excerpt.text.len() + line.len() > MAX_BYTES {
            break;
        }
        excerpt.text.push_str(&line);
        excerpt.n_lines += 1;
        excerpt.cut_lines += usize::from(is_cut);
        let start = text.line_to_byte(line_idx);
        let end = match is_cut {
            true => text.char_to_byte(text.line_to_char(line_idx) + MAX_LINE_CHARS),
            false => text.line_to_byte(line_idx + 1),
        };
        match excerpt.ranges.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = end,
            None => excerpt.ranges.push(start..end),
        }
    }
    let next = first_line + excerpt.n_lines;
    excerpt.next_offset = (next <= total_lines).then_some(next);
    Ok(excerpt)
}

/// The rope counts an empty line after a final line break; people and `wc -l` do not.
fn count_lines(text: &Rope) -> usize {
    let n_lines = text.len_lines();
    if text.line_to_byte(n_lines - 1) == text.len_bytes() { n_lines - 1 } else { n_lines }
}

fn shown_line(text: &Rope, line_idx: usize) -> (String, bool) {
    let line = text.line(line_idx);
    let mut n_chars = line.len_chars();
    let mut is_broken = false;
    while n_chars > 0 && matches!(line.char(n_chars - 1), '\n' | '\r') {
        n_chars -= 1;
        is_broken = true;
    }
    let mut shown = String::from(line.slice(..n_chars.min(MAX_LINE_CHARS)));
    let is_cut = n_chars > MAX_LINE_CHARS;
    if is_cut {
        shown.push_str(&notice::more_characters(n_chars - MAX_LINE_CHARS));
    }
    if is_broken {
        shown.push('\n');
    }
    (shown, is_cut)
}

#[cfg(test)]
mod tests;

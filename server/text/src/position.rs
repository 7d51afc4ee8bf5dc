//! Positions on the wire and byte offsets inside, and the only place that converts between them.
//!
//! It does not judge: a position that points nowhere is clamped the way LSP says, because editors
//! rely on it (`character: u32::MAX` is a common spelling of "end of line").

use std::cell::OnceCell;
use std::ops::Range;

use memchr::memchr_iter;
use ropey::Rope;

/// What `Position::character` counts, as negotiated with the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PositionEncoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units: what LSP assumes when nothing was negotiated.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

/// The breaks that end a line in a client's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineEnds {
    /// LF, CRLF and CR, as LSP says.
    #[default]
    Lsp,
    /// LF alone: a CR is a character of its line.
    Lf,
}

/// A client's way to count positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counting {
    pub encoding: PositionEncoding,
    pub line_ends: LineEnds,
}

/// LSP's own line ends.
impl From<PositionEncoding> for Counting {
    fn from(encoding: PositionEncoding) -> Self {
        Self { encoding, line_ends: LineEnds::Lsp }
    }
}

/// A place between two characters: zero-based line, and units of the encoding within the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

impl Position {
    pub const fn new(line: u32, character: u32) -> Self {
        Self { line, character }
    }
}

/// From `start` up to and not including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PositionRange {
    pub start: Position,
    pub end: Position,
}

impl PositionRange {
    pub const fn new(start: Position, end: Position) -> Self {
        Self { start, end }
    }
}

/// Returns the byte offset of `position`.
///
/// A character beyond the end of its line means the line's end, before the line break; a line
/// beyond the last means the end of the text; a place inside a character means its start.
/// Cost is logarithmic in the text with LSP's line ends, else one scan of it.
pub fn to_offset(text: &Rope, position: Position, counting: impl Into<Counting>) -> usize {
    Counter::new(text, counting.into()).offset(text, position).offset
}

/// Returns the position of a byte offset.
///
/// An offset beyond the text means its end, one inside a character the character's start, and one
/// between `\r` and `\n` the end of that line where both are its break.
/// Cost is logarithmic in the text with LSP's line ends, else one scan of it.
pub fn to_position(text: &Rope, offset: usize, counting: impl Into<Counting>) -> Position {
    Counter::new(text, counting.into()).position(text, offset)
}

/// Returns true if the text holds a CR that no LF follows: a line break to LSP, and a character to editors
/// that end lines at LF alone. Cost is one scan of the text.
pub fn has_lone_cr(text: &Rope) -> bool {
    let mut after_cr = false;
    for chunk in text.chunks().map(str::as_bytes).filter(|chunk| !chunk.is_empty()) {
        if after_cr && chunk[0] != b'\n' {
            return true;
        }
        after_cr = chunk.ends_with(b"\r");
        let is_lone = |at: usize| chunk.get(at + 1).is_some_and(|next| *next != b'\n');
        if memchr_iter(b'\r', chunk).any(is_lone) {
            return true;
        }
    }
    after_cr
}

/// Counts as one client does in one text.
#[derive(Debug)]
pub(crate) struct Counter {
    encoding: PositionEncoding,
    lines: Lines,
}

/// How the lines of a text are found.
#[derive(Debug)]
enum Lines {
    Lsp,
    /// By LSP's lines, which are the same here but for a CR before their LF.
    Lf,
    /// By the bytes at which they begin, because a lone CR ends a line of LSP's here. They are looked for once.
    LfByScan(OnceCell<Vec<usize>>),
}

/// The place that a position means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) offset: usize,
    /// The position lies between the two UTF-16 units of the character at `offset`.
    pub(crate) splits_pair: bool,
}

impl Counter {
    pub(crate) fn new(text: &Rope, counting: Counting) -> Self {
        Self::knowing(counting, || has_lone_cr(text))
    }

    /// As [`Self::new`], where it may be known whether the text has a lone CR.
    pub(crate) fn knowing(counting: Counting, has_lone_cr: impl FnOnce() -> bool) -> Self {
        let lines = match counting.line_ends {
            LineEnds::Lsp => Lines::Lsp,
            LineEnds::Lf if has_lone_cr() => Lines::LfByScan(OnceCell::new()),
            LineEnds::Lf => Lines::Lf,
        };
        Self { encoding: counting.encoding, lines }
    }

    pub(crate) fn offset(&self, text: &Rope, position: Position) -> Place {
        let Some(line) = self.line(text, position.line as usize) else {
            return Place { offset: text.len_bytes(), splits_pair: false };
        };
        let character = position.character as usize;
        let target = match self.encoding {
            PositionEncoding::Utf8 => {
                let byte = text.char_to_byte(line.start).saturating_add(character);
                text.byte_to_char(byte.min(text.char_to_byte(line.end)))
            }
            PositionEncoding::Utf16 => {
                let unit = text.char_to_utf16_cu(line.start).saturating_add(character);
                let unit = unit.min(text.char_to_utf16_cu(line.end));
                let target = text.utf16_cu_to_char(unit);
                let splits_pair = text.char_to_utf16_cu(target) != unit;
                return Place { offset: text.char_to_byte(target), splits_pair };
            }
            PositionEncoding::Utf32 => line.start.saturating_add(character).min(line.end),
        };
        Place { offset: text.char_to_byte(target), splits_pair: false }
    }

    pub(crate) fn position(&self, text: &Rope, offset: usize) -> Position {
        let target = text.byte_to_char(offset.min(text.len_bytes()));
        let (number, line) = self.line_at(text, target);
        let target = target.min(line.end);
        let character = match self.encoding {
            PositionEncoding::Utf8 => text.char_to_byte(target) - text.char_to_byte(line.start),
            PositionEncoding::Utf16 => text.char_to_utf16_cu(target) - text.char_to_utf16_cu(line.start),
            PositionEncoding::Utf32 => target - line.start,
        };
        Position { line: saturate(number), character: saturate(character) }
    }

    /// The chars of a line, without its break; `None` if there are not so many lines.
    fn line(&self, text: &Rope, number: usize) -> Option<Range<usize>> {
        match &self.lines {
            Lines::Lsp | Lines::Lf if number >= text.len_lines() => None,
            Lines::Lsp => Some(text.line_to_char(number)..line_end(text, number)),
            Lines::Lf => Some(text.line_to_char(number)..before_lf(text, number)),
            Lines::LfByScan(begins) => {
                let begins = begins.get_or_init(|| line_begins(text));
                let end = begins.get(number + 1).map_or(text.len_bytes(), |next| next - 1);
                Some(text.byte_to_char(*begins.get(number)?)..text.byte_to_char(end))
            }
        }
    }

    /// The line that a char is in, or ends.
    fn line_at(&self, text: &Rope, char: usize) -> (usize, Range<usize>) {
        let number = match &self.lines {
            Lines::Lsp | Lines::Lf => text.char_to_line(char),
            Lines::LfByScan(begins) => {
                let begins = begins.get_or_init(|| line_begins(text));
                let byte = text.char_to_byte(char);
                begins.partition_point(|begin| *begin <= byte) - 1
            }
        };
        (number, self.line(text, number).unwrap_or(char..char))
    }
}

/// The byte offsets at which lines begin that end at LF alone. The first is 0.
fn line_begins(text: &Rope) -> Vec<usize> {
    let mut begins = vec![0];
    let mut before = 0;
    for chunk in text.chunks() {
        begins.extend(memchr_iter(b'\n', chunk.as_bytes()).map(|at| before + at + 1));
        before += chunk.len();
    }
    begins
}

/// The char index where a line's content ends and its line break begins.
fn line_end(text: &Rope, line: usize) -> usize {
    let end = before_lf(text, line);
    let is_crlf = end > 0 && text.get_char(end) == Some('\n') && text.char(end - 1) == '\r';
    if is_crlf { end - 1 } else { end }
}

/// The char index of the last char of a line's break; of the last line, its end.
fn before_lf(text: &Rope, line: usize) -> usize {
    if line + 1 >= text.len_lines() {
        return text.len_chars();
    }
    text.line_to_char(line + 1) - 1
}

/// A text that overflows 32 bits cannot be spoken of in LSP at all.
fn saturate(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

//! Positions on the wire and byte offsets inside, and the only place that converts between them.
//!
//! It does not judge: a position that points nowhere is clamped the way LSP says, because editors
//! rely on it (`character: u32::MAX` is a common spelling of "end of line").

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
/// Cost is logarithmic in the text.
pub fn to_offset(text: &Rope, position: Position, encoding: PositionEncoding) -> usize {
    let line = position.line as usize;
    if line >= text.len_lines() {
        return text.len_bytes();
    }
    let start = text.line_to_char(line);
    let end = line_end(text, line);
    let character = position.character as usize;
    let target = match encoding {
        PositionEncoding::Utf8 => {
            let byte = text.char_to_byte(start).saturating_add(character);
            text.byte_to_char(byte.min(text.char_to_byte(end)))
        }
        PositionEncoding::Utf16 => {
            let unit = text.char_to_utf16_cu(start).saturating_add(character);
            text.utf16_cu_to_char(unit.min(text.char_to_utf16_cu(end)))
        }
        PositionEncoding::Utf32 => start.saturating_add(character).min(end),
    };
    text.char_to_byte(target)
}

/// Returns the position of a byte offset.
///
/// An offset beyond the text means its end, one inside a character the character's start, and one
/// between `\r` and `\n` the end of that line: no position lies inside a line break.
/// Cost is logarithmic in the text.
pub fn to_position(text: &Rope, offset: usize, encoding: PositionEncoding) -> Position {
    let target = text.byte_to_char(offset.min(text.len_bytes()));
    let line = text.char_to_line(target);
    let start = text.line_to_char(line);
    let target = target.min(line_end(text, line));
    let character = match encoding {
        PositionEncoding::Utf8 => text.char_to_byte(target) - text.char_to_byte(start),
        PositionEncoding::Utf16 => text.char_to_utf16_cu(target) - text.char_to_utf16_cu(start),
        PositionEncoding::Utf32 => target - start,
    };
    Position { line: saturate(line), character: saturate(character) }
}

/// The char index where a line's content ends and its line break begins.
fn line_end(text: &Rope, line: usize) -> usize {
    if line + 1 >= text.len_lines() {
        return text.len_chars();
    }
    let next = text.line_to_char(line + 1);
    let breaks = if next >= 2 && text.char(next - 1) == '\n' && text.char(next - 2) == '\r' { 2 } else { 1 };
    next - breaks
}

/// A text that overflows 32 bits cannot be spoken of in LSP at all.
fn saturate(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

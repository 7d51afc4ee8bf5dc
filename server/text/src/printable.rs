//! Foreign text as a person may see it: nothing in it steers the terminal, hides, or changes the order of the rest.
//!
//! Foreign is what Opal did not write itself: the model's text, tool names and arguments, file names, output
//! of commands, messages of services, names of sessions. All of it goes through here before it is shown
//! where a person decides or where a terminal would obey it. Nothing is removed: a character that cannot be
//! seen is replaced by a visible escape, because removing it would show another command than the one that runs.
//!
//! | characters | shown as |
//! |---|---|
//! | LF, CR LF | a line break; `⏎` on one line |
//! | TAB | itself; a space on one line |
//! | other C0 controls with ESC and a lone CR, DEL, C1 controls | `\u{1b}`, `\r` |
//! | directions: U+061C, U+200E–F, U+202A–E, U+2066–9 | `\u{202e}` |
//! | invisible ([`Default_Ignorable_Code_Point`]): soft hyphen, zero-width space, word joiner, BOM, fillers, tags, … | `\u{200b}` |
//! | line and paragraph separator U+2028–9, interlinear annotation U+FFF9–B | `\u{2028}` |
//! | joiners U+200C–D between two characters that are not ASCII, as in emoji and Persian | themselves; elsewhere `\u{200d}` |
//! | a variation selector U+FE00–F behind a character that can have one | itself; elsewhere `\u{fe0f}` |
//!
//! An escape sequence (CSI, OSC, DCS, APC) is harmless without its ESC, so what follows the ESC stays as text, and
//! a sequence that is split between two pieces needs no memory. A flag emoji that is made of tags is shown as escapes.
//!
//! [`Default_Ignorable_Code_Point`]: https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt

mod rows;

use std::borrow::Cow;

pub use rows::{abridge, cut, rows};

/// A line break that is shown on one line.
const LINE_BREAK: char = '⏎';

/// Makes a text of several lines printable.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_care) {
        return Cow::Borrowed(text);
    }
    let mut printable = Printable::new();
    Cow::Owned(printable.push(text) + &printable.finish())
}

/// Makes a text printable on one line.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| matches!(c, '\n' | '\t') || needs_care(c)) {
        return Cow::Borrowed(text);
    }
    let mut printable = Printable { one_line: true, ..Printable::default() };
    Cow::Owned(printable.push(text) + &printable.finish())
}

/// Makes a text printable that comes in pieces; the result is the same however it is cut.
#[derive(Debug, Default)]
pub struct Printable {
    one_line: bool,
    /// The last character that was shown as itself.
    before: Option<char>,
    /// A carriage return or a joiner: what it becomes depends on the next character.
    held_back: Option<char>,
}

impl Printable {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece, and returns the text that is certain by now.
    pub fn push(&mut self, piece: &str) -> String {
        let mut shown = String::with_capacity(piece.len());
        for c in piece.chars() {
            match self.held_back.take() {
                Some('\r') if c == '\n' => {}
                Some(joiner) if is_joiner(joiner) && can_be_joined(c) => self.show(joiner, &mut shown),
                Some(other) => self.escape(other, &mut shown),
                None => {}
            }
            self.take(c, &mut shown);
        }
        shown
    }

    /// Ends the text, and returns the rest of it. Ready for another text.
    pub fn finish(&mut self) -> String {
        let mut shown = String::new();
        if let Some(held_back) = self.held_back.take() {
            self.escape(held_back, &mut shown);
        }
        self.before = None;
        shown
    }

    fn take(&mut self, c: char, shown: &mut String) {
        match c {
            '\r' => self.held_back = Some(c),
            '\n' if self.one_line => self.show(LINE_BREAK, shown),
            '\t' if self.one_line => self.show(' ', shown),
            '\n' | '\t' => self.show(c, shown),
            c if is_joiner(c)
                && self.before.is_some_and(|before| is_selector(before) || can_be_joined(before)) =>
            {
                self.held_back = Some(c);
            }
            c if is_selector(c) && self.before.is_some_and(can_be_varied) => self.show(c, shown),
            c if needs_care(c) => self.escape(c, shown),
            c => self.show(c, shown),
        }
    }

    fn show(&mut self, c: char, shown: &mut String) {
        shown.push(c);
        self.before = Some(c);
    }

    fn escape(&mut self, c: char, shown: &mut String) {
        match c {
            '\r' => shown.push_str("\\r"),
            c => shown.extend(c.escape_unicode()),
        }
        self.before = None;
    }
}

/// Returns true if a character is not, or not always, shown as itself.
fn needs_care(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        ' '..='~' => false,
        // Line and paragraph separator, interlinear annotation.
        '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' => true,
        // Default_Ignorable_Code_Point; the directions are among them.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Returns true if a joiner beside this character has a visible meaning.
fn can_be_joined(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !needs_care(c)
}

/// Returns true if a variation selector behind this character has a visible meaning. The ASCII ones make keycaps.
fn can_be_varied(c: char) -> bool {
    can_be_joined(c) || matches!(c, '0'..='9' | '#' | '*')
}

#[cfg(test)]
mod tests;

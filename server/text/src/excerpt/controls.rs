//! Program output without what only a terminal understands.
//!
//! Movements of the cursor within the last lines are carried out, because programs draw progress bars
//! with them. Colours, titles, modes and the rest are dropped.

mod drawing;
mod lines;
mod parse;

use std::borrow::Cow;

use lines::Lines;
use parse::{Control, Parser};

/// Lines above the last one that a program can still draw again in output that is kept.
const KEPT_LINES: usize = 50;

/// Removes escape sequences and control characters from output that arrives in pieces.
///
/// `\n` and `\t` stay, and `\r\n` becomes `\n`. An escape sequence may be split between pieces. Memory
/// is bounded, whatever is pushed.
#[derive(Debug)]
pub struct ControlFilter {
    parser: Parser,
    output: Output,
}

#[derive(Debug)]
enum Output {
    Lines(Lines),
    /// The text after each lone `\r` is a line of its own.
    Everything {
        after_cr: bool,
    },
}

impl Default for ControlFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl ControlFilter {
    /// Returns a filter for output that is kept. A line that is drawn several times is kept as it stood
    /// last, so the last lines come only from [`finish`](Self::finish).
    pub fn new() -> Self {
        Self::with(Output::Lines(Lines::new(KEPT_LINES, false)))
    }

    /// Returns a filter for output that is shown as it comes. A line comes at once until the program
    /// draws it again; from then on it is held back until it ends.
    pub fn live() -> Self {
        Self::with(Output::Lines(Lines::new(1, true)))
    }

    /// Returns a filter that loses no text: each state of a line that is drawn again with `\r` is a line.
    pub fn everything() -> Self {
        Self::with(Output::Everything { after_cr: false })
    }

    fn with(output: Output) -> Self {
        Self { parser: Parser::default(), output }
    }

    /// Takes the next piece, and returns the text that is known by now.
    pub fn push(&mut self, piece: &str) -> String {
        let mut text = String::with_capacity(piece.len());
        let mut rest = piece;
        while let Some(c) = rest.chars().next() {
            let n_plain = if self.is_plain() { n_plain(rest) } else { 0 };
            if n_plain > 0 {
                self.output.push_plain(&rest[..n_plain], &mut text);
                rest = &rest[n_plain..];
            } else if self.is_plain() && rest.starts_with("\r\n") {
                rest = &rest[1..];
            } else {
                if let Some(control) = self.parser.take(c) {
                    self.output.take(control, &mut text);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
        if let Output::Lines(lines) = &mut self.output {
            lines.show(&mut text);
        }
        text
    }

    /// Whether text is text, and a line break one.
    fn is_plain(&self) -> bool {
        self.parser.is_in_text()
            && match &self.output {
                Output::Lines(lines) => lines.is_plain(),
                Output::Everything { after_cr } => !after_cr,
            }
    }

    /// Ends the output, and returns what was held back of it.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        if let Output::Lines(lines) = &mut self.output {
            lines.finish(&mut text);
        }
        text
    }

    /// How many times a line was drawn over, so that its state before is not in the output.
    pub fn n_redrawn(&self) -> usize {
        match &self.output {
            Output::Lines(lines) => lines.n_redrawn(),
            Output::Everything { .. } => 0,
        }
    }
}

impl Output {
    fn push_plain(&mut self, run: &str, text: &mut String) {
        match self {
            Self::Lines(lines) => lines.push_plain(run),
            Self::Everything { .. } => text.push_str(run),
        }
    }

    fn take(&mut self, control: Control, text: &mut String) {
        match self {
            Self::Lines(lines) => lines.take(control, text),
            Self::Everything { after_cr } => {
                let after_cr = std::mem::replace(after_cr, control == Control::Return);
                match control {
                    Control::Put(c) => text.push(c),
                    Control::Newline if after_cr => {}
                    Control::Newline | Control::Return => text.push('\n'),
                    _ => {}
                }
            }
        }
    }
}

/// How many bytes at the beginning are text, line feeds and tabs. It may stop too early.
fn n_plain(text: &str) -> usize {
    // C1 controls are 0xC2 and another byte.
    let is_special = |byte: &u8| matches!(*byte, 0..=8 | 11..=31 | 127 | 0xc2);
    text.as_bytes().iter().position(is_special).unwrap_or(text.len())
}

/// Removes escape sequences and control characters from a whole text, as [`ControlFilter`] does.
pub fn strip_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        let mut filter = ControlFilter::new();
        let mut stripped = filter.push(text);
        stripped.push_str(&filter.finish());
        Cow::Owned(stripped)
    } else {
        Cow::Borrowed(text)
    }
}

//! Program output without what only a terminal understands. It is no terminal: nothing is acted out.

use std::borrow::Cow;

/// Where a broken escape sequence is given up, so that it cannot swallow the output after it.
const MAX_SEQUENCE_CHARS: usize = 4_096;

/// Removes escape sequences and control characters from output that arrives in pieces.
///
/// `\n` and `\t` stay. `\r\n` becomes `\n`, and so does a lone `\r`: a progress bar turns into
/// lines. An escape sequence may be split between pieces. What a sequence meant (cursor
/// movement, clearing) is not acted out.
#[derive(Debug, Default)]
pub struct ControlFilter {
    state: State,
    after_cr: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After ESC, and any intermediates.
    Escape,
    /// After ESC `[`, until its final byte.
    Csi,
    /// A title, hyperlink or device string, until BEL or ESC `\`.
    Payload { n_chars: usize },
}

impl ControlFilter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece, and returns what is left of it.
    pub fn push(&mut self, piece: &str) -> String {
        let mut text = String::with_capacity(piece.len());
        for c in piece.chars() {
            self.take(c, &mut text);
        }
        text
    }

    fn take(&mut self, c: char, text: &mut String) {
        self.state = match (self.state, c) {
            (_, '\x1b') => State::Escape,
            (State::Escape, '[') => State::Csi,
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::Payload { n_chars: 0 },
            (State::Escape, ' '..='/') => State::Escape,
            (State::Escape, '0'..='~') => State::Text,
            (State::Csi, ' '..='?') => State::Csi,
            (State::Csi, '@'..='~') => State::Text,
            (State::Payload { .. }, '\x07' | '\u{9c}' | '\x18' | '\x1a') => State::Text,
            // A line break ends it too: losing output is worse than showing a payload.
            (State::Payload { n_chars }, c) if c != '\n' && c != '\r' && n_chars < MAX_SEQUENCE_CHARS => {
                State::Payload { n_chars: n_chars + 1 }
            }
            (_, '\u{9b}') => State::Csi,
            (_, '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => State::Payload { n_chars: 0 },
            (_, c) => {
                self.show(c, text);
                State::Text
            }
        };
    }

    fn show(&mut self, c: char, text: &mut String) {
        let after_cr = std::mem::replace(&mut self.after_cr, c == '\r');
        match c {
            '\r' => text.push('\n'),
            '\n' if after_cr => {}
            '\n' | '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
}

/// Removes escape sequences and control characters from a whole text, as [`ControlFilter`] does.
pub fn strip_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        Cow::Owned(ControlFilter::new().push(text))
    } else {
        Cow::Borrowed(text)
    }
}

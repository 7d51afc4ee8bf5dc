//! Control characters and escape sequences, as far as they say where text stands
//! (<https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>).

/// Where a broken escape sequence is given up, so that it cannot swallow the output after it.
const MAX_SEQUENCE_CHARS: usize = 4_096;

/// One thing that a terminal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Put(char),
    Newline,
    /// Moves the cursor to the beginning of its line.
    Return,
    Up(usize),
    Down(usize),
    Left(usize),
    Right(usize),
    /// Moves the cursor to a column, counted from 0.
    Column(usize),
    EraseToLineEnd,
    EraseToLineStart,
    EraseLine,
    EraseBelow,
    /// Clears the screen, or goes to a place on it.
    NewPage,
}

#[derive(Debug, Default)]
pub(super) struct Parser {
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// After ESC, and any intermediates.
    Escape,
    /// After ESC `[`, until its final byte.
    Csi(Csi),
    /// A title, hyperlink or device string, until BEL or ESC `\`.
    Payload { n_chars: usize },
}

/// A control sequence so far.
#[derive(Debug, Default, Clone, Copy)]
struct Csi {
    first: Option<u16>,
    is_first: bool,
    /// It is one of a terminal's own, which says nothing of where text stands.
    is_private: bool,
}

impl Parser {
    /// Whether the next character stands for itself.
    pub(super) fn is_in_text(&self) -> bool {
        matches!(self.state, State::Text)
    }

    pub(super) fn take(&mut self, c: char) -> Option<Control> {
        let (state, control) = self.state.after(c);
        self.state = state;
        control
    }
}

impl State {
    fn after(self, c: char) -> (Self, Option<Control>) {
        let state = match (self, c) {
            (_, '\x1b') => Self::Escape,
            (Self::Escape, '[') => Self::Csi(Csi::new()),
            (Self::Escape, ']' | 'P' | 'X' | '^' | '_') => Self::Payload { n_chars: 0 },
            (Self::Escape, ' '..='/') => Self::Escape,
            (Self::Escape, '0'..='~') => Self::Text,
            (Self::Csi(csi), ' '..='?') => Self::Csi(csi.with(c)),
            (Self::Csi(csi), '@'..='~') => return (Self::Text, csi.control(c)),
            (Self::Payload { .. }, '\x07' | '\u{9c}' | '\x18' | '\x1a') => Self::Text,
            // A line break ends it too: losing output is worse than showing a payload.
            (Self::Payload { n_chars }, c) if c != '\n' && c != '\r' && n_chars < MAX_SEQUENCE_CHARS => {
                Self::Payload { n_chars: n_chars + 1 }
            }
            (_, '\u{9b}') => Self::Csi(Csi::new()),
            (_, '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => Self::Payload { n_chars: 0 },
            (_, c) => return (Self::Text, control(c)),
        };
        (state, None)
    }
}

fn control(c: char) -> Option<Control> {
    match c {
        '\n' => Some(Control::Newline),
        '\r' => Some(Control::Return),
        '\x08' => Some(Control::Left(1)),
        '\t' => Some(Control::Put(c)),
        c if c.is_control() => None,
        c => Some(Control::Put(c)),
    }
}

impl Csi {
    fn new() -> Self {
        Self { first: None, is_first: true, is_private: false }
    }

    fn with(mut self, c: char) -> Self {
        match c {
            '0'..='9' if self.is_first => {
                let digit = c as u16 - '0' as u16;
                self.first = Some(self.first.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            }
            '0'..='9' => {}
            ';' | ':' => self.is_first = false,
            _ => self.is_private = true,
        }
        self
    }

    fn control(self, last: char) -> Option<Control> {
        if self.is_private {
            return None;
        }
        let n = usize::from(self.first.unwrap_or(1).max(1));
        match (last, self.first.unwrap_or(0)) {
            ('A' | 'F', _) => Some(Control::Up(n)),
            ('B' | 'E', _) => Some(Control::Down(n)),
            ('C', _) => Some(Control::Right(n)),
            ('D', _) => Some(Control::Left(n)),
            ('G' | '`', _) => Some(Control::Column(n - 1)),
            ('K', 0) => Some(Control::EraseToLineEnd),
            ('K', 1) => Some(Control::EraseToLineStart),
            ('K', 2) => Some(Control::EraseLine),
            ('J', 0) => Some(Control::EraseBelow),
            ('J' | 'H' | 'f', _) => Some(Control::NewPage),
            _ => None,
        }
    }
}

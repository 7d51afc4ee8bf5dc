//! The last lines of an output, which a program may draw again.

use memchr::memrchr_iter;

use super::drawing::Drawing;
use super::parse::Control;

/// The most characters of a line that can be drawn again: more than any terminal is wide.
pub(super) const MAX_LINE_CHARS: usize = 4_096;

/// Holds the last lines, and outputs what leaves them.
#[derive(Debug)]
pub(super) struct Lines {
    max_lines: usize,
    /// Text is output at once, and held only to compare.
    is_live: bool,
    /// The lines, as long as the cursor is at their end.
    plain: String,
    /// The bytes of them that are output already.
    n_shown: usize,
    drawing: Option<Drawing>,
    n_redrawn: usize,
}

impl Lines {
    pub(super) fn new(max_lines: usize, is_live: bool) -> Self {
        Self { max_lines, is_live, plain: String::new(), n_shown: 0, drawing: None, n_redrawn: 0 }
    }

    pub(super) fn n_redrawn(&self) -> usize {
        self.n_redrawn + self.drawing.as_ref().map_or(0, |drawing| drawing.n_redrawn)
    }

    /// Whether text and line breaks are simply added.
    pub(super) fn is_plain(&self) -> bool {
        self.drawing.is_none()
    }

    pub(super) fn push_plain(&mut self, run: &str) {
        self.plain.push_str(run);
    }

    pub(super) fn take(&mut self, control: Control, text: &mut String) {
        let drawing = match (&mut self.drawing, control) {
            (None, Control::Put(c)) => return self.plain.push(c),
            (None, Control::Newline) => return self.plain.push('\n'),
            (None, _) => {
                self.output(last_lines(&self.plain, self.max_lines), text);
                let drawing = Drawing::new(&self.plain, self.n_shown, self.max_lines);
                (self.plain, self.n_shown) = (String::new(), 0);
                self.drawing.insert(drawing)
            }
            (Some(drawing), _) => drawing,
        };
        drawing.take(control, text);
        if drawing.is_done() {
            self.n_redrawn += drawing.n_redrawn;
            drawing.settle_all(if self.is_live { text } else { &mut self.plain });
            self.drawing = None;
        }
    }

    /// Outputs what can be at the end of a piece.
    pub(super) fn show(&mut self, text: &mut String) {
        match &mut self.drawing {
            Some(drawing) if self.is_live => drawing.show(text),
            Some(_) => {}
            None => {
                let mut start = last_lines(&self.plain, self.max_lines);
                let last = last_lines(&self.plain, 1);
                // Too long for a line that is drawn again.
                if self.plain.len() - last > MAX_LINE_CHARS * char::MAX.len_utf8() {
                    start = self.plain.len();
                }
                if self.is_live {
                    text.push_str(&self.plain[self.n_shown..]);
                    self.n_shown = self.plain.len();
                }
                self.output(start, text);
            }
        }
    }

    pub(super) fn finish(&mut self, text: &mut String) {
        if let Some(mut drawing) = self.drawing.take() {
            self.n_redrawn += drawing.n_redrawn;
            drawing.settle_all(text);
        }
        self.output(self.plain.len(), text);
    }

    /// Lets go of the first `end` bytes of the lines.
    fn output(&mut self, end: usize, text: &mut String) {
        if self.n_shown < end {
            text.push_str(&self.plain[self.n_shown..end]);
        }
        self.plain.drain(..end);
        self.n_shown = self.n_shown.saturating_sub(end);
    }
}

/// Where the last `n` lines begin.
fn last_lines(text: &str, n: usize) -> usize {
    memrchr_iter(b'\n', text.as_bytes()).nth(n - 1).map_or(0, |at| at + 1)
}

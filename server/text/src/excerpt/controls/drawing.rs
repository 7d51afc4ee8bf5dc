//! Lines while a program draws them again, as a terminal would have them.

use std::collections::VecDeque;

use super::lines::MAX_LINE_CHARS;
use super::parse::Control;

/// The last lines of an output and the cursor in them. What leaves them is output.
#[derive(Debug)]
pub(super) struct Drawing {
    /// At least one, and at most `max_lines`.
    lines: VecDeque<Line>,
    max_lines: usize,
    line: usize,
    column: usize,
    /// The cursor was moved since something was put.
    is_moved: bool,
    /// How many times a line was drawn over.
    pub(super) n_redrawn: usize,
}

#[derive(Debug, Default)]
struct Line {
    cells: Vec<char>,
    /// The characters of it that are output already.
    n_shown: usize,
    /// It was drawn again; so white space at its end may be what remains of that.
    is_redrawn: bool,
    /// What was shown of it does not stand there any more.
    is_stale: bool,
}

impl Drawing {
    /// Begins with the cursor at the end of some lines, the first `n_shown` bytes of which are output.
    pub(super) fn new(text: &str, n_shown: usize, max_lines: usize) -> Self {
        let mut start = 0;
        let line = |text: &str| {
            let n_shown = text[..n_shown.saturating_sub(start).min(text.len())].chars().count();
            start += text.len() + 1;
            Line { cells: text.chars().collect(), n_shown, ..Line::default() }
        };
        let lines: VecDeque<Line> = text.split('\n').map(line).collect();
        let (line, column) = (lines.len() - 1, lines[lines.len() - 1].cells.len());
        Self { lines, max_lines, line, column, is_moved: false, n_redrawn: 0 }
    }

    /// Whether the cursor is at the beginning of a last line on which there is nothing.
    pub(super) fn is_done(&self) -> bool {
        let last = &self.lines[self.lines.len() - 1];
        self.line == self.lines.len() - 1 && self.column == 0 && last.cells.is_empty() && last.n_shown == 0
    }

    pub(super) fn take(&mut self, control: Control, text: &mut String) {
        let column = self.column;
        match control {
            Control::Put(c) => return self.put(c, text),
            Control::Newline => self.newline(text),
            Control::Return => self.column = 0,
            Control::Up(n) => self.line = self.line.saturating_sub(n),
            Control::Down(n) => self.line = (self.line + n).min(self.lines.len() - 1),
            Control::Left(n) => self.column = column.saturating_sub(n),
            Control::Right(n) => self.column = (column + n).min(MAX_LINE_CHARS - 1),
            Control::Column(column) => self.column = column.min(MAX_LINE_CHARS - 1),
            Control::EraseToLineEnd => self.erase(column, usize::MAX),
            Control::EraseToLineStart => self.erase(0, column + 1),
            Control::EraseLine => self.erase(0, usize::MAX),
            Control::EraseBelow => {
                self.erase(column, usize::MAX);
                self.n_redrawn += self.lines.drain(self.line + 1..).filter(|line| !line.is_blank()).count();
            }
            Control::NewPage => self.new_page(text),
        }
        self.is_moved = true;
    }

    fn put(&mut self, c: char, text: &mut String) {
        if self.column >= MAX_LINE_CHARS {
            // Too long for a line that is drawn again: what there is of it stays.
            self.settle_all(text);
        }
        let line = &mut self.lines[self.line];
        if self.column < line.cells.len() {
            self.n_redrawn += usize::from(self.is_moved && !line.is_blank());
            line.is_redrawn = true;
            line.is_stale |= self.column < line.n_shown && line.cells[self.column] != c;
            line.cells[self.column] = c;
        } else {
            line.cells.resize(self.column, ' ');
            line.cells.push(c);
        }
        self.column += 1;
        self.is_moved = false;
    }

    fn newline(&mut self, text: &mut String) {
        (self.line, self.column) = (self.line + 1, 0);
        if self.line < self.lines.len() {
            return;
        }
        self.lines.push_back(Line::default());
        if self.lines.len() > self.max_lines
            && let Some(first) = self.lines.pop_front()
        {
            first.settle(text);
            text.push('\n');
            self.line -= 1;
        }
    }

    /// Erases the cells of the cursor's line between two columns.
    fn erase(&mut self, start: usize, end: usize) {
        let line = &mut self.lines[self.line];
        let end = end.min(line.cells.len());
        if start >= end {
            return;
        }
        self.n_redrawn += usize::from(line.cells[start..end].iter().any(|c| !c.is_whitespace()));
        line.is_redrawn = true;
        line.is_stale |= start < line.n_shown;
        if end == line.cells.len() {
            line.cells.truncate(start);
        } else {
            line.cells[start..end].fill(' ');
        }
    }

    fn new_page(&mut self, text: &mut String) {
        let is_begun = self.lines.back().is_some_and(|line| !line.cells.is_empty());
        self.settle_all(text);
        if is_begun {
            text.push('\n');
        }
    }

    /// Shows what can be shown of a line before it has ended.
    pub(super) fn show(&mut self, text: &mut String) {
        let line = &mut self.lines[self.line];
        if !line.is_redrawn {
            text.extend(&line.cells[line.n_shown..]);
            line.n_shown = line.cells.len();
        }
    }

    /// Makes all lines output, the last one without a line break.
    pub(super) fn settle_all(&mut self, text: &mut String) {
        let last = self.lines.len() - 1;
        for (idx, line) in std::mem::take(&mut self.lines).into_iter().enumerate() {
            line.settle(text);
            if idx < last {
                text.push('\n');
            }
        }
        self.lines.push_back(Line::default());
        (self.line, self.column, self.is_moved) = (0, 0, false);
    }
}

impl Line {
    fn is_blank(&self) -> bool {
        self.cells.iter().all(|c| c.is_whitespace())
    }

    /// Makes it output. If what was shown of it before does not stand there any more, it is shown anew.
    fn settle(mut self, text: &mut String) {
        if self.is_redrawn {
            let n_kept = self.cells.iter().rposition(|c| !c.is_whitespace()).map_or(0, |last| last + 1);
            self.cells.truncate(n_kept);
        }
        if self.is_stale && !self.cells.is_empty() {
            text.push('\n');
            text.extend(&self.cells);
        } else if !self.is_stale {
            text.extend(self.cells.iter().skip(self.n_shown));
        }
    }
}

//! The ends of lines, and how they survive a change of the text around them.
//!
//! Models read and write `\n`. A line that a change leaves alone keeps the end it has, and a new line
//! gets the end of a line next to it, so that a change of one letter is a change of one letter.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2_iter;
use ropey::Rope;
use similar::DiffOp;

use crate::diff::{MAX_DIFF_LINES, line_ops, lines};

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineEnding {
    #[default]
    Lf,
    CrLf,
    Cr,
}

impl LineEnding {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

/// Returns the line ending that most lines of `text` have; `Lf` if there is no line break, and on
/// a tie the first of `Lf`, `CrLf`, `Cr`. Cost is one scan of the text.
pub fn dominant_line_ending(text: &Rope) -> LineEnding {
    Counts::of(text).dominant()
}

/// Returns `new_text`, which replaces a range of `text`, with the line ends that belong there.
///
/// Lines that are in both keep the ends they have. So do lines that were changed in place, and other
/// lines get the end of a line next to them. A lone `\r` that is new stays one.
pub fn keep_line_ends<'a>(text: &Rope, range: Range<usize>, new_text: &'a str) -> Cow<'a, str> {
    if !new_text.contains(['\r', '\n']) {
        return Cow::Borrowed(new_text);
    }
    let old_text = text.byte_slice(range.clone()).to_string();
    Cow::Owned(LineMap::new(&old_text, new_text).apply(&old_text, || end_beside(text, &range)))
}

/// Returns `new`, which replaces all of `old`, with the line ends that belong there.
///
/// Lines of `old` keep the ends they have, and a text without any of them gets the end that most
/// lines of `old` have. A text that has other line ends than `\n` itself stays as it is.
pub fn with_line_ends_of<'a>(old: &Rope, new: &'a str) -> Cow<'a, str> {
    if !new.contains('\n') || new.contains('\r') {
        return Cow::Borrowed(new);
    }
    let counts = Counts::of(old);
    let dominant = counts.dominant().as_str();
    if counts.is_mixed() {
        let old = old.to_string();
        let map = LineMap::new(&old, new);
        if map.has_lines_in_common() {
            return Cow::Owned(map.apply(&old, || dominant));
        }
    }
    if dominant == "\n" { Cow::Borrowed(new) } else { Cow::Owned(new.replace('\n', dominant)) }
}

/// How many lines of a text end in each way.
#[derive(Debug, Default)]
struct Counts {
    lf: usize,
    crlf: usize,
    cr: usize,
}

impl Counts {
    fn of(text: &Rope) -> Self {
        let Self { mut lf, mut crlf, mut cr } = Self::default();
        let mut after_cr = false;
        for chunk in text.chunks() {
            let bytes = chunk.as_bytes();
            let mut expected = 0;
            for at in memchr2_iter(b'\r', b'\n', bytes) {
                if bytes[at] == b'\r' {
                    cr += 1;
                    after_cr = true;
                } else if after_cr && at == expected {
                    cr -= 1;
                    crlf += 1;
                    after_cr = false;
                } else {
                    lf += 1;
                    after_cr = false;
                }
                expected = at + 1;
            }
            after_cr &= bytes.is_empty() || bytes.ends_with(b"\r");
        }
        Self { lf, crlf, cr }
    }

    fn dominant(&self) -> LineEnding {
        let Self { lf, crlf, cr } = *self;
        if lf >= crlf && lf >= cr {
            LineEnding::Lf
        } else if crlf >= cr {
            LineEnding::CrLf
        } else {
            LineEnding::Cr
        }
    }

    fn is_mixed(&self) -> bool {
        [self.lf, self.crlf, self.cr].iter().filter(|n| **n > 0).count() > 1
    }
}

/// The lines of a new text, each with the line of the old text that it stands for.
///
/// It is made from what a model says the old text is, and applied to what it is: line for line the
/// same, but perhaps with other ends, quotes or accents.
#[derive(Debug)]
pub(crate) struct LineMap<'a> {
    lines: Vec<(&'a str, Origin)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The line reads like the old one.
    Same(usize),
    /// The line takes the place of the old one.
    InPlaceOf(usize),
    New,
}

impl<'a> LineMap<'a> {
    pub(crate) fn new(old: &str, new: &'a str) -> Self {
        let (old_lines, new_lines) = (lines(old), lines(new));
        let old: Vec<&str> = old_lines.iter().map(|line| content(line)).collect();
        let new: Vec<&str> = new_lines.iter().map(|line| content(line)).collect();
        let mut origins = vec![Origin::New; new.len()];
        for op in line_ops(&old, &new, MAX_DIFF_LINES) {
            let is_equal = matches!(op, DiffOp::Equal { .. });
            for (old_idx, new_idx) in op.old_range().zip(op.new_range()) {
                origins[new_idx] = if is_equal { Origin::Same(old_idx) } else { Origin::InPlaceOf(old_idx) };
            }
        }
        Self { lines: new_lines.into_iter().zip(origins).collect() }
    }

    /// Returns the new text where `old` stands. `beside` is the end for new lines if `old` has none.
    pub(crate) fn apply(&self, old: &str, beside: impl Fn() -> &'static str) -> String {
        let old = lines(old);
        let own = |origin| match origin {
            Origin::Same(idx) | Origin::InPlaceOf(idx) => old.get(idx).map_or("", |line| end(line)),
            Origin::New => "",
        };
        let mut near: Option<&str> =
            self.lines.iter().map(|(_, origin)| own(*origin)).find(|end| !end.is_empty());
        let mut new = String::new();
        for (line, origin) in &self.lines {
            let kept = match origin {
                Origin::Same(idx) => old.get(*idx).copied(),
                _ => None,
            };
            new.push_str(content(kept.unwrap_or(line)));
            match (end(line), own(*origin)) {
                ("", _) => {}
                ("\r", "") => new.push('\r'),
                (_, "") => new.push_str(near.get_or_insert_with(|| beside())),
                (_, own) => {
                    new.push_str(own);
                    near = Some(own);
                }
            }
        }
        new
    }

    fn has_lines_in_common(&self) -> bool {
        let is_telling = |(line, origin): &(&str, Origin)| {
            matches!(origin, Origin::Same(_)) && !content(line).trim().is_empty()
        };
        let is_same = |(_, origin): &(&str, Origin)| matches!(origin, Origin::Same(_));
        self.lines.iter().any(is_telling) || self.lines.iter().all(is_same)
    }
}

/// Whether two texts differ in the kinds of their line breaks and in nothing else.
pub(crate) fn differ_in_line_ends_only(a: &str, b: &str) -> bool {
    let (a, b) = (lines(a), lines(b));
    let is_alike =
        |(a, b): (&&str, &&str)| content(a) == content(b) && end(a).is_empty() == end(b).is_empty();
    a.len() == b.len() && a.iter().zip(&b).all(is_alike)
}

/// The end of the line in which a range ends; if it has none, that of the line in which the range begins, or of the
/// line before.
pub(crate) fn end_beside(text: &Rope, range: &Range<usize>) -> &'static str {
    let of_line = |line_idx| {
        let line = text.line(line_idx);
        let from_end = |n| line.len_chars().checked_sub(n).map(|idx| line.char(idx));
        match (from_end(2), from_end(1)?) {
            (Some('\r'), '\n') => Some("\r\n"),
            (_, '\n') => Some("\n"),
            (_, '\r') => Some("\r"),
            _ => None,
        }
    };
    let first_line_idx = text.byte_to_line(range.start);
    let before = || first_line_idx.checked_sub(1).and_then(of_line);
    of_line(text.byte_to_line(range.end)).or_else(|| of_line(first_line_idx)).or_else(before).unwrap_or("\n")
}

fn content(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

fn end(line: &str) -> &str {
    &line[content(line).len()..]
}

#[cfg(test)]
mod tests;

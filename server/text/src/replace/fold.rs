//! The search for a text as a model may have misremembered it.

use std::ops::Range;

use memchr::memmem::Finder;
use ropey::Rope;

use super::Wanted;

/// A text with what models get wrong taken out, and the way back to the original offsets.
#[derive(Debug)]
pub(super) struct Folded {
    text: String,
    /// Where the distance between the two texts' offsets changes; sorted by both, starting at 0.
    /// Two anchors at one folded offset stand around original text that folding dropped.
    anchors: Vec<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    folded: usize,
    original: usize,
}

impl Folded {
    pub(super) fn new(text: &Rope) -> Self {
        Self::of(&text.to_string())
    }

    /// Folds a text: line breaks to `\n`, white space before them dropped, typography made plain.
    fn of(text: &str) -> Self {
        let mut folded = Self { text: String::with_capacity(text.len()), anchors: Vec::new() };
        folded.anchors.push(Anchor { folded: 0, original: 0 });
        let mut offset = 0;
        for line in crate::diff::lines(text) {
            let unbroken = line.trim_end_matches(['\r', '\n']);
            let content = unbroken.trim_end_matches(is_blank);
            folded.push_content(content, offset);
            if content.len() < unbroken.len() {
                folded.push_anchor(offset + content.len());
                folded.push_anchor(offset + unbroken.len());
            }
            if unbroken.len() < line.len() {
                folded.text.push('\n');
            }
            offset += line.len();
            folded.anchor(offset);
        }
        folded
    }

    fn push_content(&mut self, content: &str, offset: usize) {
        if content.is_ascii() {
            self.text.push_str(content);
            return;
        }
        for (at, c) in content.char_indices() {
            let plain = plain(c);
            self.text.push(plain);
            if plain != c {
                self.anchor(offset + at + c.len_utf8());
            }
        }
    }

    /// Notes that the folded text so far ends at `original`, if that is not clear already.
    fn anchor(&mut self, original: usize) {
        let folded = self.text.len();
        let last = self.anchors.last().map_or(0, |last| last.original + (folded - last.folded));
        if last != original {
            self.push_anchor(original);
        }
    }

    fn push_anchor(&mut self, original: usize) {
        self.anchors.push(Anchor { folded: self.text.len(), original });
    }

    /// Returns the spans of the original text that fold to the same as `needle`.
    pub(super) fn find(&self, needle: &str, wanted: Wanted) -> Vec<Range<usize>> {
        let needle = Needle::new(needle);
        // White space alone, folded, is in every text.
        if needle.text.trim().is_empty() {
            return Vec::new();
        }
        let with_blanks = format!("{}{}", needle.text, needle.trailing);
        let spans = self.matches(&with_blanks, wanted, |_| true);
        if !spans.is_empty() || needle.trailing.is_empty() {
            return self.originals(&spans, Folded::end_of_content);
        }
        // Its blanks may be ones that folding dropped from the end of a line.
        let is_line_end = |end| matches!(self.text.as_bytes().get(end), None | Some(b'\n'));
        self.originals(&self.matches(&needle.text, wanted, is_line_end), Folded::original)
    }

    fn matches(&self, needle: &str, wanted: Wanted, accept: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let needle = needle.as_bytes();
        let finder = Finder::new(needle);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = self.text.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            let span = from + at..from + at + needle.len();
            if !accept(span.end) {
                from = span.start + 1;
                continue;
            }
            from = span.start + wanted.step(needle);
            found.push(span);
            if wanted.is_enough(found.len()) {
                break;
            }
        }
        found
    }

    fn originals(&self, spans: &[Range<usize>], end: fn(&Self, usize) -> usize) -> Vec<Range<usize>> {
        spans.iter().map(|span| self.original(span.start)..end(self, span.end)).collect()
    }

    /// Where the character at a folded offset begins: after anything dropped there.
    fn original(&self, folded: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.folded <= folded);
        let anchor = self.anchors[next - 1];
        anchor.original + (folded - anchor.folded)
    }

    /// Where the character before a folded offset ends: before anything dropped there.
    fn end_of_content(&self, folded: usize) -> usize {
        let next = self.anchors.partition_point(|anchor| anchor.folded < folded);
        match self.anchors.get(next) {
            Some(anchor) if anchor.folded == folded => anchor.original,
            _ => self.original(folded),
        }
    }
}

/// What to look for, with the blanks at its very end apart: they may or may not be at a line's end.
struct Needle {
    text: String,
    trailing: String,
}

impl Needle {
    fn new(needle: &str) -> Self {
        let body = needle.trim_end_matches(is_blank);
        let trailing = needle[body.len()..].chars().map(plain).collect();
        Self { text: Folded::of(body).text, trailing }
    }
}

fn is_blank(c: char) -> bool {
    matches!(plain(c), ' ' | '\t')
}

/// The character that keyboards and models write instead. The lists are those of other agents.
fn plain(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        _ => c,
    }
}

//! The search for a text as a model may have misremembered it.

use std::ops::Range;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::properties::{CanonicalCombiningClassMapBorrowed, CanonicalCompositionBorrowed};

use super::search::{Needle, Wanted, search};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// A text with what models get wrong taken out, and the way back to the original offsets.
#[derive(Debug)]
pub(super) struct Folded {
    text: String,
    /// Where the distance between the two texts' offsets changes; sorted by both, starting at 0.
    /// Two anchors at one folded offset stand around original text that folding dropped.
    anchors: Vec<Anchor>,
    /// Folded ranges inside which no offset has an original one; sorted.
    solid: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    folded: usize,
    original: usize,
}

/// Where a needle was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Ranges of the original text.
    pub(super) spans: Vec<Range<usize>>,
    /// The needle has a line break at its end, and the text ends without one.
    pub(super) lacks_last_break: bool,
}

impl Folded {
    /// Folds a text: line breaks to `\n`, white space before them dropped, invisible characters dropped,
    /// accents composed, typography made plain.
    pub(super) fn of(text: &str) -> Self {
        let mut folded =
            Self { text: String::with_capacity(text.len()), anchors: Vec::new(), solid: Vec::new() };
        folded.anchors.push(Anchor { folded: 0, original: 0 });
        let mut offset = 0;
        for line in crate::diff::lines(text) {
            let unbroken = line.trim_end_matches(['\r', '\n']);
            let content = unbroken.trim_end_matches(is_dropped_at_end);
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

    fn push_content(&mut self, content: &str, mut offset: usize) {
        if content.is_ascii() {
            self.text.push_str(content);
            return;
        }
        let (composed, rest) = NFC.split_normalized(content);
        self.push_plain(composed, offset);
        offset += composed.len();
        for cluster in Clusters(rest) {
            let (start, n_anchors) = (self.text.len(), self.anchors.len());
            self.push_plain(&NFC.normalize(cluster), offset);
            offset += cluster.len();
            // Its characters were put together or in another order.
            if !NFC.is_normalized(cluster) {
                self.anchors.truncate(n_anchors);
                self.solid.push(start..self.text.len());
                self.anchor(offset);
            }
        }
    }

    fn push_plain(&mut self, content: &str, offset: usize) {
        for (at, c) in content.char_indices() {
            let (start, end) = (offset + at, offset + at + c.len_utf8());
            if is_invisible(c) {
                self.push_anchor(start);
                self.push_anchor(end);
            } else {
                self.text.push(plain(c));
                self.anchor(end);
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

    /// Returns the spans of the original text that fold to the same as each needle.
    pub(super) fn find(&self, needles: &[Needle<'_>]) -> Vec<Found> {
        let mut found: Vec<Found> = needles.iter().map(|_| Found::default()).collect();
        let folded: Vec<FoldedNeedle> = needles.iter().map(|needle| FoldedNeedle::new(needle.text)).collect();
        // White space alone, folded, is in every text.
        let mut missing: Vec<usize> =
            (0..needles.len()).filter(|idx| !folded[*idx].text.trim().is_empty()).collect();

        let with_blanks: Vec<String> =
            missing.iter().map(|idx| format!("{}{}", folded[*idx].text, folded[*idx].trailing)).collect();
        let wanted = missing.iter().map(|idx| needles[*idx].wanted);
        let spans = self.matches(with_blanks.iter().map(String::as_str).zip(wanted), |_| true);
        for (idx, spans) in missing.iter().zip(spans) {
            found[*idx].spans = self.originals(&spans, Self::end_of_content);
        }

        // The blanks at a needle's end may be ones that folding dropped from the end of a line.
        missing.retain(|idx| found[*idx].spans.is_empty());
        let at_line_end: Vec<usize> =
            missing.iter().copied().filter(|idx| !folded[*idx].trailing.is_empty()).collect();
        let is_line_end = |end| matches!(self.text.as_bytes().get(end), None | Some(b'\n'));
        let pairs = at_line_end.iter().map(|idx| (folded[*idx].text.as_str(), needles[*idx].wanted));
        for (idx, spans) in at_line_end.iter().zip(self.matches(pairs, is_line_end)) {
            found[*idx].spans = self.originals(&spans, Self::original);
        }

        missing.retain(|idx| found[*idx].spans.is_empty());
        for idx in missing {
            let Some(last) = folded[idx].text.strip_suffix('\n').filter(|last| !last.trim().is_empty())
            else {
                continue;
            };
            let Some(rest) = self.text.strip_suffix(last) else { continue };
            let span = rest.len()..self.text.len();
            if !self.is_inside_solid(span.start) {
                let spans = self.originals(&[span], Self::end_of_content);
                found[idx] = Found { spans, lacks_last_break: true };
            }
        }
        found
    }

    fn matches<'a>(
        &self,
        needles: impl Iterator<Item = (&'a str, Wanted)>,
        is_end: impl Fn(usize) -> bool,
    ) -> Vec<Vec<Range<usize>>> {
        let needles: Vec<Needle<'_>> = needles.map(|(text, wanted)| Needle { text, wanted }).collect();
        search(&self.text, &needles, |_, span| {
            is_end(span.end) && !self.is_inside_solid(span.start) && !self.is_inside_solid(span.end)
        })
    }

    fn is_inside_solid(&self, folded: usize) -> bool {
        let next = self.solid.partition_point(|range| range.end <= folded);
        self.solid.get(next).is_some_and(|range| range.start < folded)
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
struct FoldedNeedle {
    text: String,
    trailing: String,
}

impl FoldedNeedle {
    fn new(needle: &str) -> Self {
        let body = needle.trim_end_matches(is_dropped_at_end);
        let trailing = needle[body.len()..].chars().filter(|c| !is_invisible(*c)).map(plain).collect();
        Self { text: Folded::of(body).text, trailing }
    }
}

/// A text in pieces of one base character each, with the marks and vowels that compose with it.
struct Clusters<'a>(&'a str);

impl<'a> Iterator for Clusters<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        const CLASSES: CanonicalCombiningClassMapBorrowed<'static> =
            CanonicalCombiningClassMapBorrowed::new();
        const COMPOSITION: CanonicalCompositionBorrowed<'static> = CanonicalCompositionBorrowed::new();
        let mut chars = self.0.char_indices();
        let (_, mut base) = chars.next()?;
        let end = chars.find_map(|(at, c)| {
            if CLASSES.get_u8(c) != 0 {
                return None;
            }
            match COMPOSITION.compose(base, c) {
                Some(composed) => {
                    base = composed;
                    None
                }
                None => Some(at),
            }
        });
        let (cluster, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        Some(cluster)
    }
}

fn is_dropped_at_end(c: char) -> bool {
    matches!(plain(c), ' ' | '\t') || is_invisible(c)
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

/// Characters that show nothing by themselves: soft hyphens, joiners, marks of direction, variation
/// selectors (<https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point>).
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

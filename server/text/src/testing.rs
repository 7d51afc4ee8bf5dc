//! Random texts, and a model of texts that is too simple to be wrong.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::edit::{Edit, EditSet};
use crate::position::{Counting, LineEnds, Position, PositionEncoding, PositionRange};

/// Line breaks, what other programs take for line breaks, and characters of every width.
const PIECES: &[&str] = &[
    "a", "b", " ", "\t", "\n", "\r", "\r\n", "é", "e\u{301}", "漢", "😀", "\u{2028}", "\u{85}", "\u{b}",
    "\u{c}",
];

pub(crate) const ENCODINGS: [PositionEncoding; 3] =
    [PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32];

/// Mostly short, sometimes of several chunks of a rope.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => pieces(0..30), 1 => pieces(500..1500)]
}

pub(crate) fn short_text() -> impl Strategy<Value = String> {
    pieces(0..8)
}

fn pieces(n: Range<usize>) -> impl Strategy<Value = String> {
    vec(select(PIECES), n).prop_map(|pieces| pieces.concat())
}

pub(crate) fn any_counting() -> impl Strategy<Value = Counting> {
    (select(&ENCODINGS[..]), select(&[LineEnds::Lsp, LineEnds::Lf][..]))
        .prop_map(|(encoding, line_ends)| Counting { encoding, line_ends })
}

/// A text and a set of edits of it.
pub(crate) fn text_and_edits() -> impl Strategy<Value = (String, EditSet)> {
    (any_text(), vec((any::<[Index; 2]>(), short_text()), 0..6)).prop_map(|(text, edits)| {
        let boundaries: Vec<usize> = boundaries(&text).collect();
        let mut cuts: Vec<usize> =
            edits.iter().flat_map(|(cuts, _)| cuts.map(|cut| *cut.get(&boundaries))).collect();
        cuts.sort_unstable();
        let edits = cuts.chunks(2).zip(edits).map(|(cut, (_, new))| Edit::new(cut[0]..cut[1], new)).collect();
        let edits = EditSet::new(edits).unwrap();
        (text, edits)
    })
}

pub(crate) fn boundaries(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()])
}

/// Where a position is, found by walking.
pub(crate) fn model_offset(text: &str, position: Position, counting: impl Into<Counting>) -> usize {
    let Counting { encoding, line_ends } = counting.into();
    let breaks: &[char] = match line_ends {
        LineEnds::Lsp => &['\n', '\r'],
        LineEnds::Lf => &['\n'],
    };
    let mut line_start = 0;
    for _ in 0..position.line {
        match text[line_start..].find(breaks) {
            Some(at) if text[line_start + at..].starts_with("\r\n") => line_start += at + 2,
            Some(at) => line_start += at + 1,
            None => return text.len(),
        }
    }
    let mut units = 0;
    for (at, c) in text[line_start..].char_indices() {
        let width = width(c, encoding);
        if breaks.contains(&c) || units + width > position.character as usize {
            return line_start + at;
        }
        units += width;
    }
    text.len()
}

fn width(c: char, encoding: PositionEncoding) -> usize {
    match encoding {
        PositionEncoding::Utf8 => c.len_utf8(),
        PositionEncoding::Utf16 => c.len_utf16(),
        PositionEncoding::Utf32 => 1,
    }
}

/// Returns true if a position lies between the two units of a UTF-16 pair.
fn splits_pair(text: &str, position: Position, counting: Counting) -> bool {
    let start = model_offset(text, Position::new(position.line, 0), counting);
    let at = model_offset(text, position, counting);
    let units: usize = text[start..at].chars().map(|c| width(c, counting.encoding)).sum();
    counting.encoding == PositionEncoding::Utf16
        && units < position.character as usize
        && text[at..].starts_with(|c: char| c.len_utf16() == 2)
}

/// Replaces a range as an editor does. Half a pair that stays becomes U+FFFD.
pub(crate) fn model_splice(text: &mut String, range: PositionRange, new: &str, counting: Counting) {
    let start = model_offset(text, range.start, counting);
    let mut end = model_offset(text, range.end, counting);
    let half = |stays: bool| if stays { "\u{fffd}" } else { "" };
    let before = half(splits_pair(text, range.start, counting));
    let after = half(splits_pair(text, range.end, counting));
    if !after.is_empty() {
        end += 4;
    }
    text.replace_range(start..end, &[before, new, after].concat());
}

/// Applies ranges of one old text, as a client does with a list of `TextEdit`s.
pub(crate) fn client_applies(old: &str, edits: &[(PositionRange, String)], counting: Counting) -> String {
    let mut new = String::new();
    let mut at = 0;
    for (range, text) in edits {
        let start = model_offset(old, range.start, counting);
        let end = model_offset(old, range.end, counting);
        assert!(at <= start && start <= end, "sorted and apart: {edits:?}");
        new.push_str(&old[at..start]);
        new.push_str(text);
        at = end;
    }
    new.push_str(&old[at..]);
    new
}

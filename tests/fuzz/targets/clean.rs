#![no_main]
//! Output of programs: what is left of it is text, whatever it was and in whatever pieces it came. And foreign
//! text as a person sees it: nothing in it steers the terminal, hides, or turns the rest around.

use text::{ControlFilter, Printable, Utf8Chunks, cut, printable, printable_line, rows};

/// The most characters of a line that can be drawn again. Beyond, pieces matter.
const MAX_LINE_CHARS: usize = 4_096;

fn is_text(c: char) -> bool {
    !c.is_control() || c == '\n' || c == '\t'
}

/// Plays output through a filter.
fn filtered(filter: fn() -> ControlFilter, pieces: &[&[u8]]) -> String {
    let (mut utf8, mut controls) = (Utf8Chunks::new(), filter());
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&controls.push(&utf8.push(piece)));
    }
    text.push_str(&controls.push(&utf8.finish()));
    text.push_str(&controls.finish());
    assert!(text.chars().all(is_text), "{text:?}");
    // A sequence of a few bytes may move the cursor to the end of a line, and no further.
    let n_bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    assert!(text.chars().count() <= (n_bytes + 1) * MAX_LINE_CHARS);
    text
}

fn streamed(pieces: &[&[u8]]) -> String {
    let (mut utf8, mut stream) = (Utf8Chunks::new(), Printable::new());
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&stream.push(&utf8.push(piece)));
    }
    text + &stream.push(&utf8.finish()) + &stream.finish()
}

/// Directions, and what is never visible. Joiners and selectors are where they have a meaning.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[track_caller]
fn check_visible(shown: &str) {
    assert!(shown.chars().all(|c| is_text(c) && !hides(c)), "{shown:?}");
}

#[track_caller]
fn check_printable(shown: &str) {
    check_visible(shown);
    assert_eq!(printable(shown), shown, "it is printable already");
}

fn check(input: &[u8]) {
    let Some((seed, stream)) = input.split_first() else { return };
    if stream.len() <= MAX_LINE_CHARS {
        fuzz::check_pieces(input, |pieces| filtered(ControlFilter::new, pieces));
    } else {
        filtered(ControlFilter::new, &fuzz::pieces(stream, *seed));
    }
    fuzz::check_pieces(input, |pieces| filtered(ControlFilter::everything, pieces));
    filtered(ControlFilter::live, &fuzz::pieces(stream, *seed));

    let text = String::from_utf8_lossy(stream);
    let shown = printable(&text);
    check_printable(&shown);
    fuzz::check_pieces(input, streamed);
    assert_eq!(streamed(&[stream]), shown, "the stream and the whole");
    let line = printable_line(&text);
    check_printable(&line);
    assert!(!line.contains(['\n', '\t']));
    assert_eq!(printable_line(&line), line);

    let width = usize::from(*seed) + 1;
    for row in rows(&text, width).into_iter().chain([cut(&text, width)]) {
        // A row may begin with a joiner, whose meaning was in the row before.
        check_visible(&row);
        assert!(!row.contains('\n'));
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

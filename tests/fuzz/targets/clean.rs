#![no_main]
//! Output of programs: what is left of it is text, whatever it was and in whatever pieces it came.

use text::{ControlFilter, Utf8Chunks};

fn play(filter: fn() -> ControlFilter, pieces: &[&[u8]]) -> String {
    let (mut utf8, mut controls) = (Utf8Chunks::new(), filter());
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&controls.push(&utf8.push(piece)));
    }
    text.push_str(&controls.push(&utf8.finish()));
    text.push_str(&controls.finish());
    assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{text:?}");
    text
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz::check_pieces(input, |pieces| play(ControlFilter::new, pieces));
    fuzz::check_pieces(input, |pieces| play(ControlFilter::everything, pieces));
    let Some((seed, stream)) = input.split_first() else { return };
    play(ControlFilter::live, &fuzz::pieces(stream, *seed));
});

#![no_main]
//! Replacements: whatever a model asks for, only what was matched changes, and line ends stay as they are.

use text::{Replacement, Rope, replace};

/// Fields: the text, then `old_text` and `new_text` by turns. An `old_text` that begins with `*` means
/// every place.
fn check(input: &[u8]) {
    let fields = fuzz::fields(input);
    let Some((text, pairs)) = fields.split_first() else { return };
    let replacements: Vec<Replacement> = pairs.chunks_exact(2).map(replacement).collect();
    let rope = Rope::from_str(text);
    let edits = match replace(&rope, &replacements) {
        Ok(edits) => edits,
        Err(error) => return drop(error.to_string()),
    };
    assert!(!edits.is_empty());
    for edit in edits.edits() {
        assert!(!is_inside_crlf(text, edit.range.start) && !is_inside_crlf(text, edit.range.end));
        assert_ne!(text[edit.range.clone()], edit.new_text);
    }
    let after = edits.apply(&rope).expect("edits of this text").to_string();
    let names_cr = replacements.iter().any(|one| one.old_text.contains('\r') || one.new_text.contains('\r'));
    if !names_cr && text.contains('\n') {
        for kinds in [[0, 1, 0], [0, 0, 1]] {
            if n_breaks(text).iter().zip(kinds).all(|(n, kind)| *n == 0 || kind == 1) {
                assert!(n_breaks(&after).iter().zip(kinds).all(|(n, kind)| *n == 0 || kind == 1));
            }
        }
    }
}

fn replacement(pair: &[String]) -> Replacement {
    let (old_text, replace_all) = match pair[0].strip_prefix('*') {
        Some(rest) => (rest.to_owned(), true),
        None => (pair[0].clone(), false),
    };
    Replacement { old_text, new_text: pair[1].clone(), replace_all }
}

fn is_inside_crlf(text: &str, offset: usize) -> bool {
    text[..offset].ends_with('\r') && text[offset..].starts_with('\n')
}

/// How many lone `\r`, lone `\n` and `\r\n` there are.
fn n_breaks(text: &str) -> [usize; 3] {
    let n_crlf = text.matches("\r\n").count();
    [text.matches('\r').count() - n_crlf, text.matches('\n').count() - n_crlf, n_crlf]
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

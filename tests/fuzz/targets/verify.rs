#![no_main]
//! Edits, and what an editor sends back after them.

use text::{Rope, differs_only_outside, smallest_edits, unified};

/// Fields: the text before, the text as it was meant to be, and the text that came back.
fn check(input: &[u8]) {
    let fields = fuzz::fields(input);
    let [base, expected, actual] = fields.as_slice() else { return };
    let [base, expected, actual] = [base, expected, actual].map(|text| Rope::from_str(text));
    let edits = smallest_edits(&base, &expected);
    assert_eq!(edits.apply(&base).expect("edits of this text"), expected);
    let written = edits.changed_ranges_after();
    assert!(differs_only_outside(&expected, &expected, &written));
    differs_only_outside(&expected, &actual, &written);
    assert_eq!(unified(&base, &expected, "a", "b").text.is_empty(), base == expected);
    if let Ok(merged) = text::merge(&base, &expected, &actual) {
        assert_eq!(text::merge(&base, &actual, &expected), Ok(merged));
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

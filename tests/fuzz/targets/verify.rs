#![no_main]
//! Edits, and what an editor sends back after them.

use text::{
    Counting, Edit, EditSet, Landing, LineEnds, PositionEncoding, Rope, Step, differs_only_outside,
    smallest_edits, unified,
};

/// Fields: the text before, the text as it was meant to be, the text that came back, and edits of the text
/// before. The first two characters of an edit are where it begins and how long it is, in bytes.
fn check(input: &[u8]) {
    let fields = fuzz::fields(input);
    let [base, expected, actual, edits @ ..] = fields.as_slice() else { return };
    let edits: Vec<Edit> = edits.iter().filter_map(|field| edit(field)).collect();
    let [base, expected, actual] = [base, expected, actual].map(|text| Rope::from_str(text));

    let smallest = smallest_edits(&base, &expected);
    assert_eq!(smallest.apply(&base).expect("edits of this text"), expected);
    check_edits(&base, &smallest);
    check_verified(&smallest, &expected, &actual);
    check_landing(&base, &smallest, &actual);
    assert_eq!(unified(&base, &expected, "a", "b").text.is_empty(), base == expected);
    if let Ok(merged) = text::merge(&base, &expected, &actual) {
        assert_eq!(text::merge(&base, &actual, &expected), Ok(merged));
    }

    if let Ok(edits) = EditSet::new(edits)
        && let Ok(expected) = edits.apply(&base)
    {
        check_edits(&base, &edits);
        check_verified(&edits, &expected, &actual);
        check_landing(&base, &edits, &actual);
    }
}

fn edit(field: &str) -> Option<Edit> {
    let mut chars = field.chars();
    let (start, len) = (chars.next()? as usize, chars.next()? as usize);
    Some(Edit::new(start..start + len, chars.as_str()))
}

/// Edits do to a text what they say, can be taken back, and mean the same to a client.
fn check_edits(base: &Rope, edits: &EditSet) {
    let before = base.to_string();
    let after = edits.apply(base).expect("edits of this text");
    let mut by_hand = String::new();
    let mut at = 0;
    for Edit { range, new_text } in edits.edits() {
        by_hand.push_str(&before[at..range.start]);
        by_hand.push_str(new_text);
        at = range.end;
    }
    by_hand.push_str(&before[at..]);
    assert_eq!(after, by_hand.as_str());
    for (edit, range) in edits.edits().iter().zip(edits.changed_ranges_after()) {
        assert_eq!(by_hand[range], edit.new_text);
    }
    assert_eq!(edits.invert(base).apply(&after).as_ref(), Ok(base));
    for encoding in [PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32] {
        for line_ends in [LineEnds::Lsp, LineEnds::Lf] {
            let counting = Counting { encoding, line_ends };
            let received = EditSet::from_ranges(base, &edits.to_ranges(base, counting), counting);
            assert_eq!(received.and_then(|edits| edits.apply(base)).as_ref(), Ok(&after), "{counting:?}");
        }
    }
}

/// What is believed to have come back holds all that was written, in order.
fn check_verified(edits: &EditSet, expected: &Rope, actual: &Rope) {
    let written = edits.changed_ranges_after();
    assert!(differs_only_outside(expected, expected, &written));
    if differs_only_outside(expected, actual, &written) {
        let new_texts = edits.edits().iter().map(|edit| edit.new_text.as_str());
        assert!(holds_in_order(&actual.to_string(), new_texts), "{actual:?} of {edits:?}");
    }
}

/// An edit that was applied has landed, and before that the text that it replaces stands if it is said to.
fn check_landing(base: &Rope, edits: &EditSet, typed: &Rope) {
    let mut landing = Landing::new(base, edits);
    landing.step(&Step { change: None, after: typed.clone() });
    if landing.base_stands() {
        let before = base.to_string();
        let replaced = edits.edits().iter().map(|edit| &before[edit.range.clone()]);
        assert!(holds_in_order(&typed.to_string(), replaced), "{typed:?} under {edits:?}");
    }
    if landing.has_landed() {
        let new_texts = edits.edits().iter().map(|edit| edit.new_text.as_str());
        assert!(holds_in_order(&typed.to_string(), new_texts), "{typed:?} after {edits:?}");
    }

    let mut landing = Landing::new(base, edits);
    let after = edits.apply(base).expect("edits of this text");
    landing.step(&Step { change: None, after: after.clone() });
    assert!(landing.has_landed());
    landing.step(&Step { change: None, after: typed.clone() });
    assert!(landing.has_landed() && !landing.base_stands(), "what follows does not matter");
}

fn holds_in_order<'a>(text: &str, mut parts: impl Iterator<Item = &'a str>) -> bool {
    let mut rest = text;
    parts.all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

use expect_test::{Expect, expect};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::position::{PositionEncoding, has_lone_cr};
use crate::testing::{any_counting, client_applies, text_and_edits};

#[track_caller]
fn check_apply(old: &str, edits: &[(Range<usize>, &str)], after: Expect) {
    let edits = edits.iter().map(|(range, new)| Edit::new(range.clone(), *new)).collect();
    let shown = match EditSet::new(edits).and_then(|edits| edits.apply(&Rope::from_str(old))) {
        Ok(new) => format!("{:?}", new.to_string()),
        Err(error) => error.to_string(),
    };
    after.assert_eq(&shown);
}

#[test]
fn all_offsets_are_of_the_old_text() {
    check_apply("abcdef", &[(4..5, ""), (0..1, "AAA"), (2..2, "-")], expect![[r#""AAAb-cdf""#]]);
}

#[test]
fn inserts_at_one_place_keep_their_order() {
    check_apply("ab", &[(1..2, "B"), (1..1, "1"), (1..1, "2"), (0..1, "A")], expect![[r#""A12B""#]]);
}

#[test]
fn refuses_what_is_not_an_edit_of_the_text() {
    check_apply("abc", &[(0..2, "x"), (1..3, "y")], expect!["edits overlap: bytes 0..2 and 1..3"]);
    check_apply("abc", &[(0..2, "x"), (1..1, "y")], expect!["edits overlap: bytes 0..2 and 1..1"]);
    check_apply("abc", &[(2..9, "x")], expect!["edit of bytes 2..9 is beyond the text of 3 bytes"]);
    check_apply("é", &[(1..2, "x")], expect!["edit of bytes 1..2 begins or ends inside a character"]);
    check_apply(
        "abc",
        &[(Range { start: 2, end: 1 }, "x")],
        expect!["edit ends at byte 1, before its start at 2"],
    );
}

#[test]
fn tells_where_the_written_text_stands() {
    let edits = EditSet::new(vec![Edit::new(0..2, "x"), Edit::new(3..3, "yy"), Edit::new(4..5, "")]).unwrap();
    assert_eq!(edits.changed_ranges_after(), [0..1, 2..4, 5..5]);
}

#[test]
fn a_proposal_is_for_one_version() {
    let document = Document::new(DocumentVersion(1), "a");
    let edits = EditSet::whole(1, "b");
    let proposed = |version| ProposedEdit { version: DocumentVersion(version), edits: edits.clone() };
    assert_eq!(proposed(1).apply_to(&document).unwrap(), "b");
    let error = proposed(7).apply_to(&document).unwrap_err();
    expect!["edit was made for version 7, document is at 1"].assert_eq(&error.to_string());
}

#[track_caller]
fn check_ranges(old: &str, edits: &[(Range<usize>, &str)], ranges: Expect) {
    let edits = edits.iter().map(|(range, new)| Edit::new(range.clone(), *new)).collect();
    let shown: Vec<String> = EditSet::new(edits)
        .unwrap()
        .to_ranges(&Rope::from_str(old), PositionEncoding::Utf16)
        .into_iter()
        .map(|(PositionRange { start, end }, text)| {
            format!("{}:{}-{}:{} {text:?}\n", start.line, start.character, end.line, end.character)
        })
        .collect();
    ranges.assert_eq(&shown.concat());
}

#[test]
fn widens_what_begins_or_ends_inside_a_line_break() {
    check_ranges(
        "a\r\nb",
        &[(2..3, "")],
        expect![[r#"
        0:1-1:0 "\r"
    "#]],
    );
    check_ranges(
        "a\r\nb",
        &[(0..2, "x")],
        expect![[r#"
        0:0-1:0 "x\n"
    "#]],
    );
    check_ranges(
        "a\r\nb",
        &[(2..2, "x")],
        expect![[r#"
        0:1-1:0 "\rx\n"
    "#]],
    );
    check_ranges(
        "a\r\nb",
        &[(1..2, "x"), (2..2, "y"), (2..3, "z"), (3..4, "")],
        expect![[r#"
        0:1-1:0 "xyz"
        1:0-1:1 ""
    "#]],
    );
}

/// The marks in `expected` stand around what was written.
#[track_caller]
fn check_differs_outside(expected: &str, actual: &str, outside: bool) {
    let mut text = String::new();
    let mut written: Vec<Range<usize>> = Vec::new();
    for (idx, piece) in expected.split(['«', '»']).enumerate() {
        let start = text.len();
        text.push_str(piece);
        if idx % 2 == 1 {
            written.push(start..text.len());
        }
    }
    let is_outside = differs_only_outside(&Rope::from_str(&text), &Rope::from_str(actual), &written);
    assert_eq!(is_outside, outside);
}

#[test]
fn typing_elsewhere_is_outside() {
    check_differs_outside("one\n«TWO»\nthree\n", "one\nTWO\nthree\n", true);
    check_differs_outside("one\n«TWO»\nthree\n", "one!\nTWO\nthree\n", true);
    check_differs_outside("one\n«TWO»\nthree\n", "zero\none\nTWO\nthre\n", true);
    check_differs_outside("one\n«TWO»\nthree\n", "TWO\n", true);
    check_differs_outside("one\n«TWO»\nthree\n", "one\nmy TWO\nthree\n", true);
    check_differs_outside("one\n«TWO»\nthree\n", "one\nTWO cents\nthree\n", true);
    check_differs_outside("one\n«two\n»", "one\ntwo\nthree\n", true);
    check_differs_outside("one\n«two\n»", "one\n\ntwo\n", true);
}

#[test]
fn typing_into_what_was_written_is_not() {
    check_differs_outside("one\n«TWO»\nthree\n", "one\nTxWO\nthree\n", false);
    check_differs_outside("one\n«TWO»\nthree\n", "one\ntwo\nthree\n", false);
    check_differs_outside("one\n«TWO»\nthree\n", "one\nthree\n", false);
    // The line was typed anew for all one can tell.
    check_differs_outside("one\n«TWO»\nthree\n", "one\nmy TWO cents\nthree\n", false);
    check_differs_outside("«A»\nmid\n«B»\n", "A\nmid\nb\n", false);
    check_differs_outside("«A»\nmid\n«B»\n", "A\nMID\nB\n", true);
}

#[test]
fn typing_does_not_make_an_edit_that_did_not_happen() {
    check_differs_outside("foo(a«»);\n", "xfoo(a, b);\n", false);
    check_differs_outside("foo(a«»);\n", "foo(a, b); x\n", false);
    check_differs_outside("one\n«TWO»\nthree\n", "zero\none\ntwo\nthree\n", false);
    check_differs_outside("one\n«new\n»two\n", "one\ntwo\nthree\n", false);
}

#[test]
fn a_deletion_that_did_not_happen_is_seen() {
    check_differs_outside("one\n«»three\n", "one\ntwo\nthree\n", false);
    check_differs_outside("one\n«»three\n", "one\nthree\nfour\n", true);
    check_differs_outside("one\n«»three\n", "three\n", true);
    // One of two equal lines was to go.
    check_differs_outside("«»x\n", "x\nx\n", false);
    check_differs_outside("a\n«»x\nb\n", "a\nx\nx\nb\n", false);
}

#[test]
fn with_a_lone_cr_only_the_expected_text_counts() {
    check_differs_outside("a\rb\n«TWO»\nend\n", "a\rb\nTWO\nend\n", true);
    check_differs_outside("a\rb\n«TWO»\nend\n", "a\rb\nTWO\nend!\n", false);
    check_differs_outside("a\nb\n«TWO»\nend\n", "a\rb\nTWO\nend\n", false);
    check_differs_outside("a\r\nb\r\n«TWO»\r\nend\r\n", "a\r\nb\r\nTWO\r\nend!\r\n", true);
}

#[test]
fn an_insert_among_equal_lines_that_did_not_happen_is_seen() {
    check_differs_outside("x\n«x\n»x\n", "x\nx\n", false);
    check_differs_outside("x\n«x\n»y\n", "x\nx\n", true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inverse_restores((old, edits) in text_and_edits()) {
        let old = Rope::from_str(&old);
        let new = edits.apply(&old).unwrap();
        let inverse = edits.invert(&old);
        prop_assert_eq!(EditSet::new(inverse.edits().to_vec()), Ok(inverse.clone()));
        prop_assert_eq!(inverse.apply(&new).unwrap(), old);
        prop_assert_eq!(inverse.invert(&new), edits);
    }

    #[test]
    fn written_text_stands_where_it_is_said_to((old, edits) in text_and_edits()) {
        let new = edits.apply(&Rope::from_str(&old)).unwrap().to_string();
        for (edit, range) in edits.edits().iter().zip(edits.changed_ranges_after()) {
            prop_assert_eq!(&new[range], &edit.new_text);
        }
    }

    #[test]
    fn a_client_gets_the_same_text((old, edits) in text_and_edits(), counting in any_counting()) {
        let rope = Rope::from_str(&old);
        let sent = edits.to_ranges(&rope, counting);
        let new = edits.apply(&rope).unwrap();
        prop_assert_eq!(client_applies(&old, &sent, counting), new.to_string());
        let received = EditSet::from_ranges(&rope, &sent, counting).unwrap();
        prop_assert_eq!(received.apply(&rope).unwrap(), new);
    }

    #[test]
    fn what_was_applied_is_believed((old, edits) in text_and_edits(), typed_at in any::<Index>()) {
        let new = edits.apply(&Rope::from_str(&old)).unwrap();
        let written = edits.changed_ranges_after();
        prop_assert!(differs_only_outside(&new, &new, &written));

        let (typed_at, typed) = type_into(&new, typed_at);
        let is_apart = written.iter().all(|written| typed_at < written.start || written.end < typed_at);
        let is_followed = is_apart && !has_lone_cr(&new) && !has_lone_cr(&typed);
        prop_assert!(!is_followed || differs_only_outside(&new, &typed, &written));
        let is_inside = written.iter().any(|written| written.start < typed_at && typed_at < written.end);
        prop_assert!(!is_inside || !differs_only_outside(&new, &typed, &written));
    }
}

/// A text with something typed into it that it does not have, and where.
fn type_into(text: &Rope, at: Index) -> (usize, Rope) {
    let mut text = text.clone();
    let char_idx = at.index(text.len_chars() + 1);
    let at = text.char_to_byte(char_idx);
    text.insert(char_idx, "Z");
    (at, text)
}

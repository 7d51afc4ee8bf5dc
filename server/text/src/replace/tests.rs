use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::any_text;

fn replacement(old_text: &str, new_text: &str) -> Replacement {
    Replacement { old_text: old_text.to_owned(), new_text: new_text.to_owned(), replace_all: false }
}

fn all(old_text: &str, new_text: &str) -> Replacement {
    Replacement { replace_all: true, ..replacement(old_text, new_text) }
}

fn shown(before: &str, replacements: &[Replacement]) -> String {
    let before = Rope::from_str(before);
    match replace(&before, replacements) {
        Ok(edits) => format!("{:?}", edits.apply(&before).unwrap().to_string()),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(before: &str, old_text: &str, new_text: &str, after: Expect) {
    after.assert_eq(&shown(before, &[replacement(old_text, new_text)]));
}

#[track_caller]
fn check_many(before: &str, replacements: &[Replacement], after: Expect) {
    after.assert_eq(&shown(before, replacements));
}

#[test]
fn replaces_the_only_place() {
    check("a b c", "b", "x\ny", expect![[r#""a x\ny c""#]]);
    check("a\nb\n", "a\nb\n", "", expect![[r#""""#]]);
}

#[test]
fn refuses_what_says_nothing() {
    check("a", "", "x", expect!["edit 1: old_text is empty; give the text to replace"]);
    check("a", "a", "a", expect!["edit 1: nothing would change, new_text is what already stands there"]);
    check_many("a", &[], expect!["no edits were given"]);
}

#[test]
fn names_the_lines_where_it_could_be() {
    check(
        "x\na\nx x\n",
        "x",
        "y",
        expect![
            "edit 1: old_text was found more than once, at lines 1, 3, 3; add lines around it until it is unique, or set replace_all"
        ],
    );
    check(
        &"x\n".repeat(50),
        "x",
        "y",
        expect![
            "edit 1: old_text was found more than once, at lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and perhaps more; add lines around it until it is unique, or set replace_all"
        ],
    );
    check(
        "\n\n\n",
        "\n\n",
        "",
        expect![
            "edit 1: old_text was found more than once, at lines 1, 2; add lines around it until it is unique, or set replace_all"
        ],
    );
}

#[test]
fn replaces_all_when_asked() {
    check_many("aaa b aa", &[all("aa", "x")], expect![[r#""xa b x""#]]);
    check_many("“a” \"a\"", &[all("\"a\"", "b")], expect![[r#""“a” b""#]]);
    check_many("“a”\n‘b’\n“a”\n", &[all("\"a\"", "c")], expect![[r#""c\n‘b’\nc\n""#]]);
}

#[test]
fn line_endings_are_the_texts_own() {
    check("a\r\nb\r\nc\r\n", "a\nb", "1\n2\n3", expect![[r#""1\r\n2\r\n3\r\nc\r\n""#]]);
    check("a\r\nb\r\n", "b", "1\n2", expect![[r#""a\r\n1\r\n2\r\n""#]]);
    check("a\r\nb\r\n", "a\r\nb", "1\r\n2", expect![[r#""1\r\n2\r\n""#]]);
    check("a\nb\n", "a\r\nb", "1\r\n2", expect![[r#""1\n2\n""#]]);
    check("a\rb\r", "a\nb", "1\n2", expect![[r#""1\r2\r""#]]);
}

#[test]
fn a_line_break_is_never_torn() {
    check("a\r\nb\r\n", "\nb", "\nc", expect![[r#""a\r\nc\r\n""#]]);
    check("a\r\nb\r\n", "b\n", "c\n", expect![[r#""a\r\nc\r\n""#]]);
    check("a\r\nb\r\n", "a\r", "c", expect![[r#""cb\r\n""#]]);
}

#[test]
fn trailing_blanks_do_not_matter() {
    check("if a {  \n\tb\n}\n", "if a {\n\tb", "c", expect![[r#""c\n}\n""#]]);
    check("a\nb  \nc\n", "a\nb", "x", expect![[r#""x  \nc\n""#]]);
    check("a\nb\nc\n", "a  \nb  ", "x", expect![[r#""x\nc\n""#]]);
    check("a\nb\nc\n", "a \nb\n", "x\n", expect![[r#""x\nc\n""#]]);
    check("a \r\nb \r\nc\r\n", "a\nb\n", "x\n", expect![[r#""x\r\nc\r\n""#]]);
}

#[test]
fn blanks_inside_a_line_do() {
    check("  a\n", "   a", "b", expect!["edit 1: old_text was not found"]);
    check("ab\n", "a ", "x", expect!["edit 1: old_text was not found"]);
    check("ab\n", "  \n", "x", expect!["edit 1: old_text was not found"]);
}

#[test]
fn typography_does_not_matter_and_stays_where_it_was() {
    check("“a” – ‘b’\u{a0}c", "\"a\" - 'b' c", "x", expect![[r#""x""#]]);
    check("“a” é “b” — c", "\"b\" - c", "d", expect![[r#""“a” é d""#]]);
    check("it's", "it’s", "was", expect![[r#""was""#]]);
    check(
        "\"a\"",
        "“a”",
        "\"a\"",
        expect!["edit 1: nothing would change, new_text is what already stands there"],
    );
}

#[test]
fn exact_goes_before_folded() {
    check("“a”\n\"a\"\n", "\"a\"", "b", expect![[r#""“a”\nb\n""#]]);
    check(
        "“a”\n”a“\n",
        "\"a\"",
        "b",
        expect![
            "edit 1: old_text was found more than once, at lines 1, 2; add lines around it until it is unique, or set replace_all"
        ],
    );
}

#[test]
fn all_replacements_are_of_the_old_text() {
    check_many("a b", &[replacement("a", "b"), replacement("b", "a")], expect![[r#""b a""#]]);
    check_many("ab", &[replacement("b", "2"), replacement("a", "1")], expect![[r#""12""#]]);
}

#[test]
fn all_or_nothing() {
    check_many(
        "a b",
        &[replacement("a", "x"), replacement("z", "y")],
        expect!["edit 2: old_text was not found"],
    );
    check_many(
        "one\ntwo\nthree\n",
        &[replacement("two\nthree", "x"), replacement("one\ntwo", "y")],
        expect!["edits 1 and 2 overlap at line 2; make them one edit"],
    );
}

#[test]
fn shows_what_stands_there_instead() {
    let text = "fn one() {\n    1\n}\n\nfn two(a: u32) -> u32 {\n    a + 2\n}\n";
    check(
        text,
        "fn two(a: u32) -> u32 {\n  a + 3\n}",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 5 on:
        fn two(a: u32) -> u32 {
            a + 2
        }"#]],
    );
    check(
        text,
        "fn two(b: u32) -> u32 {",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 5 on:
        fn two(a: u32) -> u32 {"#]],
    );
    check(text, "nothing of the kind", "x", expect!["edit 1: old_text was not found"]);
    check("", "nothing of the kind", "x", expect!["edit 1: old_text was not found"]);
}

#[test]
fn what_is_shown_is_bounded() {
    let line = "word ".repeat(1_000);
    let text = format!("{line}\n").repeat(100);
    let error = replace(&Rope::from_str(&text), &[replacement(&format!("{text}no"), "x")]).unwrap_err();
    let ReplaceError::NotFound { nearest: Some(region), .. } = error else { panic!("{error}") };
    assert_eq!(region.first_line, 1);
    assert_eq!(region.text.lines().count(), 30);
    assert!(region.text.lines().all(|line| line.chars().count() <= 301));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn finds_a_needle_in_any_text(before in any_text(), after in any_text()) {
        let text = Rope::from_str(&format!("{before}NEEDLE 😀{after}"));
        let edits = replace(&text, &[replacement("NEEDLE 😀", "found")]).unwrap();
        prop_assert_eq!(edits.apply(&text).unwrap().to_string(), format!("{before}found{after}"));
    }

    #[test]
    fn finds_a_folded_needle_in_any_text(before in any_text(), after in any_text()) {
        let text = Rope::from_str(&format!("{before}“NEEDLE” \t\r\n—X{after}"));
        let edits = replace(&text, &[replacement("\"NEEDLE\"\n-X", "found")]).unwrap();
        prop_assert_eq!(edits.apply(&text).unwrap().to_string(), format!("{before}found{after}"));
    }

    #[test]
    fn a_text_has_no_more_than_its_needles(pieces in proptest::collection::vec(any_text(), 2..5)) {
        let text = Rope::from_str(&pieces.join("NEEDLE"));
        let edits = replace(&text, &[all("NEEDLE", "N")]).unwrap();
        prop_assert_eq!(edits.apply(&text).unwrap().to_string(), pieces.join("N"));
        prop_assert_eq!(replace(&text, &[replacement("NEEDLE", "N")]).is_ok(), pieces.len() == 2);
    }

    #[test]
    fn finds_across_the_windows_of_a_large_text(at in 65_000_usize..66_500, len in 1_usize..3_000) {
        let needle = format!("{}!", "n".repeat(len));
        let text = Rope::from_str(&format!("{}{needle}{}", "x".repeat(at), "y".repeat(70_000)));
        let edits = replace(&text, &[replacement(&needle, "")]).unwrap();
        prop_assert_eq!(edits.edits(), &[Edit::new(at..at + needle.len(), "")]);
    }
}

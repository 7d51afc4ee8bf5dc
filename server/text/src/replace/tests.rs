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
            }
            (line 6 of the file has a space after `  `, old_text has `a`)"#]],
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
    assert!(region.text.lines().all(|line| line.chars().count() <= 350));
}

#[test]
fn a_change_of_one_letter_in_a_file_of_mixed_ends_is_one() {
    check("a\r\nx\ny\r\nb\r\n", "x\ny", "x\nz", expect![[r#""a\r\nx\nz\r\nb\r\n""#]]);
    check("a\r\nx\ny\r\nb\r\n", "a\nx\ny\nb\n", "a\nx\nz\nb\n", expect![[r#""a\r\nx\nz\r\nb\r\n""#]]);
    check(
        "a\r\nx\ny\r\nb\r\n",
        "x\ny\n",
        "x\nnew\ny\nmore\n",
        expect![[r#""a\r\nx\nnew\ny\r\nmore\r\nb\r\n""#]],
    );
    check("a\r\nx\ny\r\nb\r\n", "x", "1\n2", expect![[r#""a\r\n1\n2\ny\r\nb\r\n""#]]);
}

#[test]
fn line_ends_alone_can_be_changed_when_they_are_named() {
    check("a\r\nb\nc\r\n", "b\nc", "b\r\nc", expect![[r#""a\r\nb\r\nc\r\n""#]]);
    check("a\r\nb\r\n", "a\r\n", "a\n", expect![[r#""a\nb\r\n""#]]);
    check(
        "a\r\nb\r\n",
        "a\n",
        "a\r\n",
        expect!["edit 1: nothing would change, new_text is what already stands there"],
    );
}

#[test]
fn unchanged_lines_keep_their_typography_and_blanks() {
    check("“a”  \r\nb\r\n", "\"a\"\nb", "\"a\"\nc", expect![[r#""“a”  \r\nc\r\n""#]]);
}

#[test]
fn accents_match_in_either_spelling() {
    check("cafe\u{301} au lait\n", "caf\u{e9} au", "tea", expect![[r#""tea lait\n""#]]);
    check("caf\u{e9} au lait\n", "cafe\u{301} au", "tea", expect![[r#""tea lait\n""#]]);
    check("x = cafe\u{301}\ny\n", "caf\u{e9}\ny", "caf\u{e9}\nz", expect![[r#""x = cafe\u{301}\nz\n""#]]);
    // A mark is not torn from its letter, nor a syllable apart.
    check("“e\u{301}”", "\"e", "x", expect!["edit 1: old_text was not found"]);
    check("“q\u{307}\u{323}”", "\"q\u{323}", "x", expect!["edit 1: old_text was not found"]);
    check("“q\u{307}\u{323}”", "\"q\u{323}\u{307}\"", "x", expect![[r#""x""#]]);
    check("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}!", "한글", "x", expect![[r#""x!""#]]);
    check(
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}!",
        "하",
        "x",
        expect!["edit 1: old_text was not found"],
    );
}

#[test]
fn invisible_characters_do_not_matter() {
    check("foo\u{200b}bar baz\n", "foobar", "x", expect![[r#""x baz\n""#]]);
    check("a \u{200b}foo\u{200b}“b”\u{200b} c\n", "foo\"b\"", "x", expect![[r#""a \u{200b}x\u{200b} c\n""#]]);
    check("in\u{ad}visible\n", "invisible", "x", expect![[r#""x\n""#]]);
    check("foobar\n", "foo\u{200b}bar", "x", expect![[r#""x\n""#]]);
    check("\u{26a0}\u{fe0f} note\n", "\u{26a0} note", "x", expect![[r#""x\n""#]]);
    check("foo\u{200b} \nbar\n", "foo\nbar", "x", expect![[r#""x\n""#]]);
    check(
        "foo\u{200b}bar foo\u{200c}bar\n",
        "foobar",
        "x",
        expect![
            "edit 1: old_text was found more than once, at lines 1, 1; add lines around it until it is unique, or set replace_all"
        ],
    );
}

#[test]
fn a_missing_last_line_end_does_not_matter_and_stays_missing() {
    check("a\nb", "b\n", "c\n", expect![[r#""a\nc""#]]);
    check("a\r\nb", "a\nb\n", "a\nc\nd\n", expect![[r#""a\r\nc\r\nd""#]]);
    check("a\nb", "b\n", "", expect![[r#""a\n""#]]);
    check("b\na\nb", "a\nb\n", "c", expect![[r#""b\nc""#]]);
    check("ab", "b\n\n", "c", expect!["edit 1: old_text was not found"]);
}

#[test]
fn names_a_difference_that_is_hard_to_see() {
    check(
        "fn one() {\n\treturn 1;\n}\n",
        "fn one() {\n    return 1;\n}\n",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 1 on:
        fn one() {
        	return 1;
        }
        (line 2 of the file has a tab at its beginning, old_text has a space)"#]],
    );
    check(
        "let name = p\u{430}th;\n",
        "let name = path;",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 1 on:
        let name = pаth;
        (line 1 of the file has `а` (U+0430) after `let name = p`, old_text has `a`)"#]],
    );
    check(
        "let caf\u{e9} = 1;\n",
        "let cafe = 1;",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 1 on:
        let café = 1;
        (line 1 of the file has `é` (U+00E9) after `let caf`, old_text has `e`)"#]],
    );
    check(
        "let caf = 1;\n",
        "let cup = 1;",
        "x",
        expect![[r#"
        edit 1: old_text was not found; the nearest text there is, from line 1 on:
        let caf = 1;"#]],
    );
}

#[test]
fn too_many_at_once_are_refused_with_a_way_out() {
    let many: Vec<Replacement> =
        (0..=MAX_REPLACEMENTS).map(|n| replacement(&format!("<{n}>"), "x")).collect();
    check_many(
        "a",
        &many,
        expect![
            "1001 edits were given and nothing was changed; give at most 1000 in one call and the rest in further calls, or change many equal places by one edit with replace_all"
        ],
    );
}

#[test]
fn many_replacements_are_found_as_one_is() {
    let text: String = (0..600).map(|n| format!("line {n} “of” {n}\r\n")).collect();
    let exact = (0..300).map(|n| replacement(&format!("line {n} "), &format!("row {n} ")));
    let folded = (300..600).map(|n| replacement(&format!("line {n} \"of\""), &format!("row {n} “of”")));
    let replacements: Vec<Replacement> = exact.chain(folded).collect();
    let before = Rope::from_str(&text);
    let edits = replace(&before, &replacements).unwrap();
    assert_eq!(edits.apply(&before).unwrap().to_string(), text.replace("line", "row"));
}

#[test]
fn very_many_places_become_one_edit() {
    let before = Rope::from_str(&"x\n".repeat(20_000));
    let edits = replace(&before, &[all("x", "y")]).unwrap();
    assert_eq!(edits.edits().len(), 1);
    assert_eq!(edits.apply(&before).unwrap().to_string(), "y\n".repeat(20_000));
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

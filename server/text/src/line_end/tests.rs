use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::testing::any_text;

#[track_caller]
fn check_ending(text: &str, ending: LineEnding) {
    assert_eq!(dominant_line_ending(&Rope::from_str(text)), ending);
}

#[test]
fn the_most_common_line_ending_wins() {
    check_ending("", LineEnding::Lf);
    check_ending("a\nb\r\n", LineEnding::Lf);
    check_ending("a\r\nb\r\nc\n", LineEnding::CrLf);
    check_ending("a\rb\rc\n", LineEnding::Cr);
    check_ending("a\r\rb\n\r\n", LineEnding::Cr);
    check_ending("\r\n\n\n", LineEnding::Lf);
    check_ending(&format!("{}\n", "0123456789\r\n".repeat(1_000)), LineEnding::CrLf);
}

#[track_caller]
fn check_rewritten(old: &str, new: &str, rewritten: Expect) {
    rewritten.assert_eq(&format!("{:?}", with_line_ends_of(&Rope::from_str(old), new)));
}

#[test]
fn a_rewritten_text_keeps_the_ends_of_its_unchanged_lines() {
    check_rewritten("a\r\nb\nc\r\n", "a\nb\nc\nd\n", expect![[r#""a\r\nb\nc\r\nd\r\n""#]]);
    check_rewritten("a\r\nb\nc\r\n", "b\nc\n", expect![[r#""b\nc\r\n""#]]);
    check_rewritten("a\r\nb\nc\r\n", "a\nB\nc\n", expect![[r#""a\r\nB\nc\r\n""#]]);
    check_rewritten("a\rb\nc", "a\nb\nc\n", expect![[r#""a\rb\nc\n""#]]);
}

#[test]
fn a_wholly_new_text_takes_the_most_common_end() {
    check_rewritten("a\r\nb\nc\r\n", "x\ny\n", expect![[r#""x\r\ny\r\n""#]]);
    check_rewritten("a\r\n\nc\r\n", "x\n\ny\n", expect![[r#""x\r\n\r\ny\r\n""#]]);
    check_rewritten("a\nb\n", "x\n", expect![[r#""x\n""#]]);
    check_rewritten("", "x\n", expect![[r#""x\n""#]]);
}

#[test]
fn a_text_with_ends_of_its_own_keeps_them() {
    check_rewritten("a\nb\n", "a\r\nb\r\n", expect![[r#""a\r\nb\r\n""#]]);
    check_rewritten("a\nb\n", "a\rb\n", expect![[r#""a\rb\n""#]]);
}

#[track_caller]
fn check_kept(before: &str, old: &str, after: &str, new: &str, kept: Expect) {
    let text = Rope::from_str(&format!("{before}{old}{after}"));
    let range = before.len()..before.len() + old.len();
    kept.assert_eq(&format!("{:?}", keep_line_ends(&text, range, new)));
}

#[test]
fn a_new_line_takes_the_end_of_its_neighbour() {
    check_kept("a\r\n", "b", "\nc\r\n", "x\ny", expect![[r#""x\ny""#]]);
    check_kept("a\n", "b", "\r\nc\n", "x\ny", expect![[r#""x\r\ny""#]]);
    check_kept("a\r\n", "b", "", "x\ny\n", expect![[r#""x\r\ny\r\n""#]]);
    check_kept("a", "\r\nb", "", "b\nb", expect![[r#""b\r\nb""#]]);
    check_kept("", "b", "", "x\ny\n", expect![[r#""x\ny\n""#]]);
    check_kept("", "a\r\nb\n", "c\n", "a\nb\nc\n", expect![[r#""a\r\nb\nc\n""#]]);
    check_kept("", "a\r\nb\n", "c\n", "z\na\nb\n", expect![[r#""z\r\na\r\nb\n""#]]);
}

#[test]
fn a_new_carriage_return_stays_one() {
    check_kept("", "a", "\n", "a\rb", expect![[r#""a\rb""#]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_read_and_written_back_is_as_it_was(text in any_text()) {
        let shown = text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(with_line_ends_of(&Rope::from_str(&text), &shown), text);
    }
}

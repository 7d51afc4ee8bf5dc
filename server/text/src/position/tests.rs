use proptest::prelude::*;

use super::*;
use crate::testing::{ENCODINGS, any_counting, any_text, boundaries, model_offset};

#[track_caller]
fn check_offset(text: &str, line: u32, character: u32, utf8_utf16_utf32: [usize; 3]) {
    let rope = Rope::from_str(text);
    let offsets = ENCODINGS.map(|encoding| to_offset(&rope, Position::new(line, character), encoding));
    assert_eq!(offsets, utf8_utf16_utf32);
}

#[test]
fn counts_units_of_the_encoding() {
    check_offset("aé😀b", 0, 0, [0, 0, 0]);
    check_offset("aé😀b", 0, 1, [1, 1, 1]);
    check_offset("aé😀b", 0, 4, [3, 7, 8]);
    check_offset("x\naé😀b", 1, 4, [5, 9, 10]);
}

#[test]
fn inside_a_character_means_its_start() {
    check_offset("é😀", 0, 1, [0, 2, 2]);
    check_offset("é😀", 0, 2, [2, 2, 6]);
    check_offset("é😀", 0, 5, [2, 6, 6]);
}

#[test]
fn beyond_the_line_means_its_end_before_the_break() {
    check_offset("ab\r\ncd", 0, 3, [2, 2, 2]);
    check_offset("ab\ncd", 0, u32::MAX, [2, 2, 2]);
    check_offset("ab\rcd", 0, 9, [2, 2, 2]);
    check_offset("ab\ncd", 1, 9, [5, 5, 5]);
}

#[test]
fn beyond_the_last_line_means_the_end() {
    check_offset("", 0, 0, [0, 0, 0]);
    check_offset("ab\n", 1, 7, [3, 3, 3]);
    check_offset("ab\n", u32::MAX, u32::MAX, [3, 3, 3]);
}

#[test]
fn breaks_lines_only_where_lsp_does() {
    check_offset("a\u{2028}\u{85}\u{b}\u{c}b\rc", 1, 0, [10, 10, 10]);
}

#[test]
fn no_position_is_inside_a_line_break() {
    let text = Rope::from_str("ab\r\ncd");
    assert_eq!(to_position(&text, 3, PositionEncoding::Utf16), Position::new(0, 2));
    assert_eq!(to_position(&text, 4, PositionEncoding::Utf16), Position::new(1, 0));
    assert_eq!(to_position(&text, 99, PositionEncoding::Utf16), Position::new(1, 2));
}

#[track_caller]
fn check_lf(text: &str, line: u32, character: u32, offset: usize) {
    let rope = Rope::from_str(text);
    let counting = Counting { line_ends: LineEnds::Lf, ..Counting::default() };
    let position = Position::new(line, character);
    assert_eq!(to_offset(&rope, position, counting), offset);
    assert_eq!(to_position(&rope, offset, counting), position);
}

#[test]
fn a_cr_is_a_character_to_an_editor_that_ends_lines_at_lf() {
    check_lf("a\rb\nc\nd\ne\n", 0, 2, 2);
    check_lf("a\rb\nc\nd\ne\n", 2, 0, 6);
    check_lf("a\rb\nc\nd\ne\n", 4, 0, 10);
    check_lf("a\r\nb\r\n", 0, 2, 2);
    check_lf("a\r\nb\r\n", 1, 1, 4);
    check_lf("a\r", 0, 2, 2);
}

#[test]
fn lone_crs_are_found() {
    let check = |text: &str, expected| assert_eq!(has_lone_cr(&Rope::from_str(text)), expected, "{text:?}");
    check("", false);
    check("a\r\nb\n", false);
    check("a\rb", true);
    check("a\n\r", true);
    check("a\r\r\n", true);
    check(&("x\r\n".repeat(10_000) + "\ry"), true);
    check(&"x\r\n".repeat(10_000), false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn agrees_with_the_model(text in any_text(), line in 0_u32..40, character in 0_u32..12, counting in any_counting()) {
        let position = Position::new(line, character);
        let offset = to_offset(&Rope::from_str(&text), position, counting);
        prop_assert_eq!(offset, model_offset(&text, position, counting));
    }

    #[test]
    fn there_and_back(text in any_text(), counting in any_counting()) {
        let rope = Rope::from_str(&text);
        for offset in boundaries(&text).take(200) {
            let is_inside_crlf = text[..offset].ends_with('\r') && text[offset..].starts_with('\n');
            let is_no_place = is_inside_crlf && counting.line_ends == LineEnds::Lsp;
            let expected = if is_no_place { offset - 1 } else { offset };
            let position = to_position(&rope, offset, counting);
            prop_assert_eq!(to_offset(&rope, position, counting), expected);
            prop_assert_eq!(model_offset(&text, position, counting), expected);
        }
    }
}

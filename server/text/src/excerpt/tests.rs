use std::borrow::Cow;

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::any_text;

#[track_caller]
fn check_excerpt(text: &str, offset: usize, limit: Option<usize>, shown: Expect) {
    let excerpt = match excerpt(&Rope::from_str(text), offset, limit) {
        Ok(Excerpt { text, first_line, n_lines, total_lines, next_offset, cut_lines, .. }) => {
            format!(
                "{text:?} {n_lines} from {first_line} of {total_lines}, next {next_offset:?}, cut {cut_lines}"
            )
        }
        Err(error) => error.to_string(),
    };
    shown.assert_eq(&excerpt);
}

#[test]
fn shows_whole_lines() {
    check_excerpt("a\nb\nc\n", 1, None, expect![[r#""a\nb\nc\n" 3 from 1 of 3, next None, cut 0"#]]);
    check_excerpt("a\nb\nc", 2, None, expect![[r#""b\nc" 2 from 2 of 3, next None, cut 0"#]]);
    check_excerpt("a\nb\nc\n", 2, Some(1), expect![[r#""b\n" 1 from 2 of 3, next Some(3), cut 0"#]]);
    check_excerpt("a\nb\n", 0, Some(0), expect![[r#""a\n" 1 from 1 of 2, next Some(2), cut 0"#]]);
}

#[test]
fn shows_every_line_break_alike() {
    check_excerpt(
        "a\r\nb\rc\n\r\nd",
        1,
        None,
        expect![[r#""a\nb\nc\n\nd" 5 from 1 of 5, next None, cut 0"#]],
    );
}

#[test]
fn an_empty_text_has_no_lines() {
    check_excerpt("", 1, None, expect![[r#""" 0 from 1 of 0, next None, cut 0"#]]);
    check_excerpt("", 2, None, expect!["offset 2 is beyond the end: the text has 0 lines"]);
    check_excerpt("\n", 1, None, expect![[r#""\n" 1 from 1 of 1, next None, cut 0"#]]);
    check_excerpt("\n", 2, None, expect!["offset 2 is beyond the end: the text has 1 line"]);
}

#[test]
fn stops_at_the_limits() {
    let many = Rope::from_str(&"x\n".repeat(5_000));
    let Excerpt { n_lines, next_offset, .. } = excerpt(&many, 10, Some(10_000)).unwrap();
    assert_eq!((n_lines, next_offset), (2_000, Some(2_010)));

    let wide = Rope::from_str(&format!("{}\n", "é".repeat(511)).repeat(100));
    let Excerpt { text, n_lines, next_offset, .. } = excerpt(&wide, 1, None).unwrap();
    assert_eq!((text.len(), n_lines, next_offset), (50 * 1023, 50, Some(51)));
}

#[test]
fn cuts_long_lines() {
    let text = Rope::from_str(&format!("{}\nb\n", "é".repeat(12_000)));
    let Excerpt { text, n_lines, cut_lines, .. } = excerpt(&text, 1, None).unwrap();
    assert_eq!((n_lines, cut_lines), (2, 1));
    assert_eq!(text, format!("{}… [10000 more characters in this line]\nb\n", "é".repeat(2_000)));
}

#[test]
#[allow(clippy::single_range_in_vec_init)]
fn tells_which_bytes_are_shown() {
    let ranges = |text: &str, offset, limit| excerpt(&Rope::from_str(text), offset, limit).unwrap().ranges;
    assert_eq!(ranges("a\r\nb\nc", 1, None), [0..6]);
    assert_eq!(ranges("a\r\nb\nc", 2, Some(1)), [3..5]);
    assert!(ranges("", 1, None).is_empty());
    let long = format!("a\n{}\nb\n", "é".repeat(2_001));
    assert_eq!(ranges(&long, 1, None), [0..4_002, 4_005..4_007]);
}

#[track_caller]
fn check_head_tail(limit: usize, pushed: &[&str], kept: Expect) {
    let mut head_tail = HeadTail::with_limit(limit);
    pushed.iter().for_each(|text| head_tail.push(text));
    kept.assert_eq(&head_tail.finish());
}

#[test]
fn keeps_head_and_tail() {
    check_head_tail(6, &["abc", "def"], expect!["abcdef"]);
    check_head_tail(
        6,
        &["abcdefg"],
        expect![[r#"
        abc
        [… 1 characters left out …]
        efg"#]],
    );
    check_head_tail(
        6,
        &["a\n", "é\n", "1", "2", "3", "4", "5", "é😀"],
        expect![[r#"
        a
        é
        [… 5 characters left out …]
        5é😀"#]],
    );
    check_head_tail(
        0,
        &["abc"],
        expect![[r#"
        [… 3 characters left out …]
    "#]],
    );
}

#[test]
fn keeps_little_of_a_flood() {
    let mut head_tail = HeadTail::new();
    (0..1_000).for_each(|_| head_tail.push(&"é".repeat(1_000)));
    assert_eq!((head_tail.total_chars(), head_tail.left_out()), (1_000_000, 970_000));
    assert_eq!(head_tail.finish().chars().filter(|c| *c == 'é').count(), 30_000);
}

#[track_caller]
fn check_controls(text: &str, kept: Expect) {
    kept.assert_eq(&format!("{:?}", strip_controls(text)));
}

#[test]
fn removes_escape_sequences() {
    check_controls("\x1b[1;31mred\x1b[0m \x1b[?25lé", expect![[r#""red é""#]]);
    check_controls("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", expect![[r#""alink""#]]);
    check_controls("\x1b(Ba\x1b=b\x1b7c\u{9b}1md\x1bPq#0\x1b\\e", expect![[r#""abcde""#]]);
}

#[test]
fn removes_control_characters() {
    check_controls("a\tb\n\x07\x08\0\x7f\u{85}c", expect![[r#""a\tb\nc""#]]);
    assert!(matches!(strip_controls("a\tb\né"), Cow::Borrowed(_)));
}

#[test]
fn a_carriage_return_before_a_line_feed_is_dropped() {
    check_controls("a\r\nb\r\n\r\n", expect![[r#""a\nb\n\n""#]]);
    check_controls("a\r\r\nb", expect![[r#""a\nb""#]]);
}

#[test]
fn a_line_is_kept_as_it_was_drawn_last() {
    check_controls("10%\r20%\r100%\ndone", expect![[r#""100%\ndone""#]]);
    check_controls("10%\r20%\r\x1b[K\ndone", expect![[r#""\ndone""#]]);
    check_controls("working\r       \rdone\n", expect![[r#""done\n""#]]);
    check_controls("working\r\x1b[2Kdone\n", expect![[r#""done\n""#]]);
    check_controls("working\x1b[1G\x1b[Kdone\n", expect![[r#""done\n""#]]);
    check_controls("working\x1b[3D\x1b[1K\n", expect![[r#""     ng\n""#]]);
    check_controls("|\x08/\x08-\x08 done", expect![[r#"" done""#]]);
    check_controls("N\x08NA\x08AM\x08ME\x08E", expect![[r#""NAME""#]]);
    check_controls("abc\rx", expect![[r#""xbc""#]]);
    check_controls("a\x1b[5Gb", expect![[r#""a   b""#]]);
}

#[test]
fn lines_above_can_be_drawn_again() {
    check_controls("a 1%\nb 1%\n\x1b[2Aa 9%\nb 9%\ndone\n", expect![[r#""a 9%\nb 9%\ndone\n""#]]);
    check_controls("a 1%\nb 1%\n\x1b[2F\x1b[Jdone\n", expect![[r#""done\n""#]]);
    check_controls("kept\n\x1b[2J\x1b[Hnext\n", expect![[r#""kept\nnext\n""#]]);
    check_controls("kept\x1b[Hnext\n", expect![[r#""kept\nnext\n""#]]);
}

#[test]
fn an_error_survives_thousands_of_redraws() {
    let frames = |n: usize| (0..n).map(|n| format!("\r\x1b[Kcompiling {n}/3000")).collect::<String>();
    let output = format!("{}\nerror: no space left\n{}\n", frames(1_500), frames(1_500));
    let mut filter = ControlFilter::new();
    let mut kept = HeadTail::new();
    output
        .as_bytes()
        .chunks(7)
        .for_each(|piece| kept.push(&filter.push(std::str::from_utf8(piece).unwrap())));
    kept.push(&filter.finish());
    assert_eq!(kept.finish(), "compiling 1499/3000\nerror: no space left\ncompiling 1499/3000\n");
    assert_eq!(filter.n_redrawn(), 2 * 1_499);
}

#[test]
fn a_line_too_long_to_be_drawn_again_is_whole() {
    let long = "é".repeat(100_000);
    assert!(strip_controls(&format!("{long}\r\n{long}")) == format!("{long}\n{long}"));
    let mut filter = ControlFilter::new();
    assert!(filter.push(&long).len() > long.len() - 10_000);
}

#[track_caller]
fn check_live(pieces: &[&str], shown: Expect) {
    let mut filter = ControlFilter::live();
    let mut texts: Vec<String> = pieces.iter().map(|piece| filter.push(piece)).collect();
    texts.push(filter.finish());
    shown.assert_eq(&texts.join("|").replace('\n', "⏎"));
}

#[test]
fn live_output_comes_at_once_until_a_line_is_drawn_again() {
    check_live(&["Name: ", "x\nnext"], expect!["Name: |x⏎next|"]);
    check_live(&["10%", "\r20%", "\r30%", "\nerror\n", "1%", "\r2%"], expect!["10%|||⏎30%⏎error⏎|1%||⏎2%"]);
    check_live(&["10%", "\r10% of", " all\n"], expect!["10%|| of all⏎|"]);
    check_live(&["ab  ", "\x1b[3G\x1b[K", "c\n"], expect!["ab  ||⏎abc⏎|"]);
    check_live(&["gone", "\r\x1b[K", "\nnext"], expect!["gone||⏎next|"]);
    check_live(&["a\n", "b", "\x1b[2Jc"], expect!["a⏎|b|⏎c|"]);
}

#[test]
fn every_state_is_a_line_where_everything_is_kept() {
    let mut filter = ControlFilter::everything();
    let text = filter.push("10%\r20%\r\x1b[K\r") + &filter.push("\ndone\r\n") + &filter.finish();
    assert_eq!(text, "10%\n20%\n\ndone\n");
}

#[test]
fn a_broken_sequence_does_not_swallow_the_rest() {
    check_controls("\x1b[12\nnext", expect![[r#""\nnext""#]]);
    check_controls("\x1b]0;title\nnext", expect![[r#""\nnext""#]]);
    check_controls("a\x1b", expect![[r#""a""#]]);
    let endless = format!("\x1b]{}", "x".repeat(10_000));
    assert!(strip_controls(&endless).len() > 5_000);
}

#[track_caller]
fn check_names(wanted: &str, names: &[&str], nearest: Expect) {
    nearest.assert_eq(&nearest_names(wanted, names.iter().copied(), 3).join(" "));
}

#[test]
fn suggests_near_names() {
    check_names("redme.md", &["README.md", "main.rs", "read.me"], expect!["README.md"]);
    check_names("conifg", &["config", "confine", "zzz"], expect!["config"]);
    check_names("test", &["tests.rs", "my_test.rs", "es"], expect!["tests.rs my_test.rs"]);
    check_names("model", &["model", "models", "modle", "modal"], expect!["model modal models"]);
    check_names("x", &["long_name", "y"], expect!["y"]);
    check_names("", &["long_name"], expect![""]);
}

#[track_caller]
fn check_utf8(pieces: &[&[u8]], text: Expect) {
    let mut chunks = Utf8Chunks::new();
    let mut shown: Vec<String> = pieces.iter().map(|piece| chunks.push(piece)).collect();
    shown.push(chunks.finish());
    text.assert_eq(&shown.join("|"));
}

#[test]
fn holds_back_half_characters() {
    check_utf8(&[b"a\xF0\x9F", b"\x98", b"\x80b"], expect!["a||😀b|"]);
    check_utf8(&[b"a\xFFb\xF0\x9F", b"c"], expect!["a\u{fffd}b|\u{fffd}c|"]);
    check_utf8(&[b"\xC3"], expect!["|\u{fffd}"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn excerpts_cover_the_text(text in any_text(), limit in 1_usize..100) {
        let rope = Rope::from_str(&text);
        let (mut shown, mut next) = (String::new(), Some(1));
        while let Some(offset) = next {
            let excerpt = excerpt(&rope, offset, Some(limit)).unwrap();
            shown.push_str(&excerpt.text);
            next = excerpt.next_offset;
        }
        prop_assert_eq!(shown, text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    #[test]
    fn pieces_of_utf8_make_the_whole(pieces in vec(vec(any_utf8_byte(), 0..6), 0..12)) {
        let mut chunks = Utf8Chunks::new();
        let mut text: String = pieces.iter().map(|piece| chunks.push(piece)).collect();
        text.push_str(&chunks.finish());
        let whole = pieces.concat();
        prop_assert_eq!(text, String::from_utf8_lossy(&whole));
    }

    #[test]
    fn pieces_are_filtered_as_the_whole(pieces in vec("[\x1b\\[\\];0-9a-cA-H JK\r\n\x07\x08\\\\(]{0,9}", 0..12)) {
        let mut filter = ControlFilter::new();
        let mut text: String = pieces.iter().map(|piece| filter.push(piece)).collect();
        text.push_str(&filter.finish());
        let whole = pieces.concat();
        prop_assert_eq!(text, strip_controls(&whole));
        // What is shown live depends on the pieces, but nothing in it may panic.
        let mut live = ControlFilter::live();
        pieces.iter().for_each(|piece| drop(live.push(piece)));
        live.finish();
    }

    #[test]
    fn head_and_tail_are_those_of_the_whole(pieces in vec(any_text(), 0..6), half in 0_usize..40) {
        let mut head_tail = HeadTail::with_limit(2 * half);
        pieces.iter().for_each(|piece| head_tail.push(piece));
        let whole: Vec<char> = pieces.concat().chars().collect();
        prop_assert_eq!(head_tail.total_chars(), whole.len());
        let kept = head_tail.finish();
        if whole.len() <= 2 * half {
            prop_assert_eq!(kept, String::from_iter(whole));
        } else {
            prop_assert!(kept.starts_with(&String::from_iter(&whole[..half])));
            prop_assert!(kept.ends_with(&String::from_iter(&whole[whole.len() - half..])));
        }
    }
}

fn any_utf8_byte() -> impl Strategy<Value = u8> {
    proptest::sample::select(&b"a\x80\x98\x9F\xC3\xA9\xE2\xED\xF0\xF4\xFF"[..])
}

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, shown: &str) {
    assert_eq!(printable(text), shown);
    // However it is cut, the pieces make the same.
    for (at, _) in text.char_indices() {
        let mut stream = Printable::new();
        let pieces = stream.push(&text[..at]) + &stream.push(&text[at..]) + &stream.finish();
        assert_eq!(pieces, shown, "cut at {at}");
    }
}

#[test]
fn a_terminal_is_not_steered() {
    check("é\tx\r\ny\n", "é\tx\ny\n");
    check("rm -rf ~\r\u{1b}[2Kls", r"rm -rf ~\r\u{1b}[2Kls");
    check("\u{1b}]52;c;aGk=\u{7}", r"\u{1b}]52;c;aGk=\u{7}");
    check("\u{1b}P1$r\u{1b}\\", "\\u{1b}P1$r\\u{1b}\\");
    check("\u{9b}2J\u{9d}0;t\u{9c}\u{7f}\0\u{8}", r"\u{9b}2J\u{9d}0;t\u{9c}\u{7f}\u{0}\u{8}");
    check("a\r", r"a\r");
    check("a\r\r\nb", "a\\r\nb");
}

#[test]
fn nothing_hides_or_turns_around() {
    for c in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\
              \u{ad}\u{200b}\u{2060}\u{feff}\u{180e}\u{3164}\u{115f}\u{e0001}\u{e0041}\u{e007f}\u{e0100}\
              \u{2028}\u{2029}\u{fff9}\u{fffa}\u{fffb}"
        .chars()
    {
        check(&format!("a{c}b"), &format!("a{}b", c.escape_unicode()));
    }
}

#[test]
fn emoji_and_persian_survive() {
    for text in [
        "👩\u{200d}❤\u{fe0f}\u{200d}👨",
        "می\u{200c}خواهم",
        "1\u{fe0f}\u{20e3} ✔\u{fe0f}",
        "שלום עולם",
        "日本語",
    ] {
        check(text, text);
    }
}

#[test]
fn joiners_and_selectors_without_a_meaning_are_shown() {
    check("r\u{200d}m", r"r\u{200d}m");
    check("é\u{200c} x", r"é\u{200c} x");
    check("é\u{200c}", r"é\u{200c}");
    check("é\u{200c}\u{200c}é", r"é\u{200c}\u{200c}é");
    check("\u{200d}é", r"\u{200d}é");
    check("a\u{fe0f}", r"a\u{fe0f}");
    check("é\u{fe0f}\u{fe01}", "é\u{fe0f}\\u{fe01}");
}

#[test]
fn one_line_stays_one() {
    let check = |text: &str, shown: &str| assert_eq!(printable_line(text), shown);
    check("plain é", "plain é");
    check("a\nb\r\nc\td", "a⏎b⏎c d");
    check("a\rb\u{2028}c\u{85}d", r"a\rb\u{2028}c\u{85}d");
}

#[test]
fn printable_text_stays_as_it_is() {
    assert!(matches!(printable("plain\n\té"), Cow::Borrowed(_)));
    let once = printable("a\u{202e}\r\n\u{1b}[0m").into_owned();
    assert_eq!(printable(&once), once);
}

#[track_caller]
fn check_rows(text: &str, expected: &[&str]) {
    assert_eq!(rows(text, 50), expected);
}

#[test]
fn rows_say_what_they_do_not_show() {
    check_rows("make\nmake test\n", &["make", "make test"]);
    check_rows(&format!("echo ok{};rm -rf ~", " ".repeat(5_000)), &["echo ok⟨5000 spaces⟩;rm -rf ~"]);
    check_rows(&format!("echo ok{}rm", "\u{3000}".repeat(41)), &["echo ok⟨41 spaces⟩rm"]);
    check_rows(&format!("a{}b", "\n".repeat(300)), &["a", "⟨299 empty lines⟩", "b"]);
    check_rows("a\n\n\nb", &["a", "", "", "b"]);
    check_rows(&"x".repeat(60), &[&"x".repeat(50), "↳ xxxxxxxxxx"]);
    check_rows("a\u{202e}b", &[r"a\u{202e}b"]);
    check_rows("", &[""]);
}

#[test]
fn the_middle_of_many_rows_is_left_out_with_a_count() {
    let numbered: Vec<String> = (1..=300).map(|n| n.to_string()).collect();
    assert_eq!(abridge(numbered.clone(), 2, 1), ["1", "2", "⟨297 lines left out⟩", "300"]);
    assert_eq!(abridge(numbered[..4].to_vec(), 2, 1), ["1", "2", "3", "4"]);
    assert_eq!(abridge(numbered[..5].to_vec(), 2, 1), ["1", "2", "⟨2 lines left out⟩", "5"]);
}

#[test]
fn the_middle_of_a_long_line_is_left_out_with_a_count() {
    assert_eq!(cut("make\nx", 30), "make⏎x");
    assert_eq!(cut(&format!("{}{}", "a".repeat(30), "z".repeat(30)), 9), "aaaaaa⟨51 characters left out⟩zzz");
}

proptest! {
    #[test]
    fn what_is_printable_needs_no_care(text in any::<String>()) {
        let shown = printable(&text);
        let hidden = |c: char| needs_care(c) && !is_joiner(c) && !is_selector(c);
        prop_assert!(!shown.contains(hidden));
        prop_assert_eq!(printable(&shown), shown.clone());
        prop_assert!(!printable_line(&text).contains(['\n', '\t', '\r']));
    }
}

use super::*;
use crate::diff::smallest_edits;

#[track_caller]
fn check(old: &str, new: &str, added: Option<&str>) {
    let (old, new) = (Rope::from_str(old), Rope::from_str(new));
    let edits = smallest_edits(&old, &new);
    assert_eq!(added_notice(&old, &edits, &new).as_deref(), added, "{old:?} → {new:?}");
}

#[test]
fn every_notice_is_found_as_it_is_printed() {
    for printed in [
        more_characters(10),
        more_lines(1),
        more_places(2),
        left_out(123_456),
        go_on(5_000, 11),
        first_lines(10, 5_000, 11),
        first_selected_lines(10, 20, 31),
        more_of_diff(usize::MAX),
        redrawn_lines(1),
        removed_output(),
    ] {
        check("a\nb\n", &format!("a\n  // {printed} \nb\n"), Some(&printed));
        check("", &printed, Some(&printed));
        assert!(printed.len() < MAX_BYTES && !printed.contains('#'), "{printed}");
    }
    assert_eq!(TEMPLATES.len(), 10, "a new notice wants a line above");
}

#[test]
fn a_notice_is_added_only_where_it_was_not_before() {
    let notice = go_on(20, 11);
    let file = format!("one\n{notice}\ntwo\n");
    check(&file, &file.replace("one", "1"), None);
    check(&file, &format!("two\n{notice}\none\n"), None);
    check(&file, "one\n", None);
    check(&file, &format!("{file}{notice}\n"), Some(&notice));
    check(&file, &file.replace("20", "21"), Some(&go_on(21, 11)));
}

#[test]
fn a_notice_is_found_though_the_file_has_a_part_of_it() {
    let line = format!("[{}]\n", "x".repeat(3_000));
    let cut = format!("[{}… [1001 more characters in this line]\n", "x".repeat(1_999));
    check(&line, &cut, Some("… [1001 more characters in this line]"));
}

#[test]
fn what_only_looks_like_a_notice_is_none() {
    for text in [
        "[# lines in all; go on with offset #]",
        "[ lines in all",
        "… [x more lines]",
        "[…",
        "items[3 more lines]",
    ] {
        check("", text, None);
    }
}

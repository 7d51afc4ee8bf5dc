use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::{any_counting, any_text, client_applies, text_and_edits};

#[track_caller]
fn check_edits(old: &str, new: &str, edits: Expect) {
    let set = smallest_edits(&Rope::from_str(old), &Rope::from_str(new));
    let shown: Vec<String> = set
        .edits()
        .iter()
        .map(|edit| format!("{:?} -> {:?}\n", &old[edit.range.clone()], edit.new_text))
        .collect();
    edits.assert_eq(&shown.concat());
}

#[test]
fn equal_texts_need_no_edit() {
    check_edits("a\nb\n", "a\nb\n", expect![""]);
    check_edits("", "", expect![""]);
}

#[test]
fn edits_are_small() {
    check_edits(
        "let one = 1;\nlet two = 2;\n",
        "let one = 1;\nlet two = 3;\n",
        expect![[r#"
        "2" -> "3"
    "#]],
    );
    check_edits(
        "a\nb\nc\nd\ne\n",
        "a\nB\nc\nd\nx\ne\n",
        expect![[r#"
        "b" -> "B"
        "" -> "x\n"
    "#]],
    );
    check_edits(
        "fn a() {}\nfn b() {}\nfn c() {}\n",
        "fn a() {}\nfn c() {}\n",
        expect![[r#"
        "fn b() {}\n" -> ""
    "#]],
    );
    check_edits(
        "",
        "new\n",
        expect![[r#"
        "" -> "new\n"
    "#]],
    );
}

#[test]
fn lines_changed_one_for_one_are_edited_each() {
    check_edits(
        "get(a, 1)\nget(b, 2)\n",
        "put(a, 1)\nput(b, 2)\n",
        expect![[r#"
        "ge" -> "pu"
        "ge" -> "pu"
    "#]],
    );
}

#[test]
fn characters_stay_whole() {
    check_edits(
        "x😀y",
        "x😁y",
        expect![[r#"
        "😀" -> "😁"
    "#]],
    );
    check_edits(
        "é",
        "è",
        expect![[r#"
        "é" -> "è"
    "#]],
    );
}

#[test]
fn line_endings_can_be_all_that_differs() {
    check_edits(
        "a\r\nb\r\n",
        "a\nb\n",
        expect![[r#"
        "\r" -> ""
        "\r" -> ""
    "#]],
    );
}

#[test]
fn a_rewritten_text_is_one_edit() {
    let old: String = (0..MAX_DIFF_LINES).map(|n| format!("old {n}\n")).collect();
    let new: String = (0..MAX_DIFF_LINES).map(|n| format!("new {n}\n")).collect();
    let edits = smallest_edits(&Rope::from_str(&old), &Rope::from_str(&new));
    assert_eq!(edits.edits().len(), 1);
    assert_eq!(edits.apply(&Rope::from_str(&old)).unwrap(), Rope::from_str(&new));

    let (old, new) = (format!("{old}tail"), format!("{new}more\ntail"));
    let diff = unified(&Rope::from_str(&old), &Rope::from_str(&new), "a", "b");
    assert_eq!((diff.added, diff.removed), (MAX_DIFF_LINES + 1, MAX_DIFF_LINES));
    assert_eq!(patch(&old, &diff.text), new);
}

#[track_caller]
fn check_unified(old: &str, new: &str, diff: Expect) {
    let UnifiedDiff { text, added, removed } =
        unified(&Rope::from_str(old), &Rope::from_str(new), "a/x", "b/x");
    diff.assert_eq(&format!("{text}+{added} -{removed}\n"));
}

#[test]
fn shows_three_lines_around_a_change() {
    check_unified(
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
        "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -2,7 +2,7 @@
         2
         3
         4
        -5
        +five
         6
         7
         8
        +1 -1
    "#]],
    );
}

#[test]
fn distant_changes_are_apart() {
    let old: String = (1..=20).map(|n| format!("{n}\n")).collect();
    let new = old.replace("2\n3\n", "2\n2.5\n3\n").replace("18\n", "");
    check_unified(
        &old,
        &new,
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -1,5 +1,6 @@
         1
         2
        +2.5
         3
         4
         5
        @@ -15,6 +16,5 @@
         15
         16
         17
        -18
         19
         20
        +1 -1
    "#]],
    );
}

#[test]
fn new_empty_and_equal_texts() {
    check_unified(
        "",
        "a\n",
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -0,0 +1 @@
        +a
        +1 -0
    "#]],
    );
    check_unified(
        "a\nb\n",
        "",
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -1,2 +0,0 @@
        -a
        -b
        +0 -2
    "#]],
    );
    check_unified(
        "a\n",
        "a\n",
        expect![[r#"
        +0 -0
    "#]],
    );
}

#[test]
fn says_where_the_final_newline_is_missing() {
    check_unified(
        "a\nb",
        "a\nb\n",
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -1,2 +1,2 @@
         a
        -b
        \ No newline at end of file
        +b
        +1 -1
    "#]],
    );
    check_unified(
        "a\nz",
        "b\nz",
        expect![[r#"
        --- a/x
        +++ b/x
        @@ -1,2 +1,2 @@
        -a
        +b
         z
        \ No newline at end of file
        +1 -1
    "#]],
    );
}

/// Applies a unified diff as `patch` does, but believing nothing.
fn patch(old: &str, diff: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let mut new = String::new();
    let mut next = 0;
    let mut body = diff.split_inclusive('\n').skip(2).peekable();
    while let Some(line) = body.next() {
        if let Some(header) = line.strip_prefix("@@ -") {
            let (span, _) = header.split_once(' ').unwrap();
            let (first, len) = span.split_once(',').unwrap_or((span, "1"));
            let first: usize = first.parse().unwrap();
            let start = if len == "0" { first } else { first - 1 };
            new.push_str(&old[next..start].concat());
            next = start;
            continue;
        }
        let mut content = line[1..].to_owned();
        if body.next_if(|line| line.starts_with('\\')).is_some() {
            content.pop();
        }
        if line.starts_with([' ', '-']) {
            assert_eq!(old[next], content);
            next += 1;
        }
        if line.starts_with([' ', '+']) {
            new.push_str(&content);
        }
    }
    new.push_str(&old[next..].concat());
    new
}

/// Few different lines, so that there is something in common.
fn any_lines() -> impl Strategy<Value = String> {
    let line = select(&["a\n", "b\n", "c\n", "\n", "é\r\n"][..]);
    (vec(line, 0..40), select(&["", "a"][..])).prop_map(|(lines, last)| lines.concat() + last)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn turns_a_text_into_an_edited_one((old, edits) in text_and_edits(), counting in any_counting()) {
        let old_rope = Rope::from_str(&old);
        let new = edits.apply(&old_rope).unwrap();
        let smallest = smallest_edits(&old_rope, &new);
        prop_assert_eq!(smallest.apply(&old_rope).unwrap(), new.clone());
        let sent = smallest.to_ranges(&old_rope, counting);
        prop_assert_eq!(client_applies(&old, &sent, counting), new.to_string());
    }

    #[test]
    fn turns_any_text_into_any_other(old in any_text(), new in any_text()) {
        let (old, new) = (Rope::from_str(&old), Rope::from_str(&new));
        prop_assert_eq!(smallest_edits(&old, &new).apply(&old).unwrap(), new);
    }

    #[test]
    fn texts_are_the_same_if_their_bytes_are((old, edits) in text_and_edits(), other in any_text()) {
        let base = Rope::from_str(&old);
        let new = edits.apply(&base).unwrap();
        let back = smallest_edits(&new, &base).apply(&new).unwrap();
        prop_assert!(same_text(&back, &base));
        prop_assert_eq!(same_text(&new, &base), new == base);
        prop_assert_eq!(same_text(&base, &Rope::from_str(&other)), old == other);
    }

    #[test]
    fn patch_gives_the_new_text(old in any_lines(), new in any_lines()) {
        let diff = unified(&Rope::from_str(&old), &Rope::from_str(&new), "old", "new");
        prop_assert_eq!(patch(&old, &diff.text), new);
        let count = |sign| diff.text.lines().skip(2).filter(|line| line.starts_with(sign)).count();
        prop_assert_eq!((diff.added, diff.removed), (count('+'), count('-')));
    }
}

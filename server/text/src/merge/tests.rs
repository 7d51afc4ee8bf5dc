use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::any_text;

fn merge_texts(base: &str, ours: &str, theirs: &str) -> Result<String, Conflict> {
    let [base, ours, theirs] = [base, ours, theirs].map(Rope::from_str);
    merge(&base, &ours, &theirs).map(String::from)
}

#[track_caller]
fn check_merge(base: &str, ours: &str, theirs: &str, merged: Expect) {
    merged.assert_eq(&match merge_texts(base, ours, theirs) {
        Ok(merged) => format!("{merged:?}"),
        Err(conflict) => conflict.to_string(),
    });
}

#[test]
fn puts_changes_that_do_not_touch_together() {
    check_merge("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", expect![[r#""A\nb\nC\n""#]]);
    check_merge("a\nb\nc\n", "a\nx\nb\nc\n", "a\nb\n", expect![[r#""a\nx\nb\n""#]]);
    check_merge("a\nb\n", "x\na\nb\n", "a\nb\ny\n", expect![[r#""x\na\nb\ny\n""#]]);
    check_merge("a\nb\nc\nd\ne\n", "b\nc\nd\n", "a\nb\nc2\nd\ne\n", expect![[r#""b\nc2\nd\n""#]]);
}

#[test]
fn takes_the_same_change_once() {
    check_merge("a\nb\nc\nd\ne\n", "a\nX\nc\nd\ne\n", "a\nX\nc\nd\ne2\n", expect![[r#""a\nX\nc\nd\ne2\n""#]]);
    check_merge("a\n", "b\n", "b\n", expect![[r#""b\n""#]]);
}

#[test]
fn refuses_changes_that_touch() {
    check_merge("a\nb\n", "A\nb\n", "a\nB\n", expect!["the changes touch at line 1"]);
    check_merge("a\nb\n", "a\nx\nb\n", "a\ny\nb\n", expect!["the changes touch at line 2"]);
    check_merge("a\nb\nc\n", "a\nB\nc\n", "a\nc\n", expect!["the changes touch at line 2"]);
    check_merge("a\nb\nc\n", "a\nx\nb\nc\n", "a\nc\n", expect!["the changes touch at line 2"]);
    check_merge("a\nb\nc\nd\n", "a\nb\nc\n", "a\nb\nc\nD\n", expect!["the changes touch at line 4"]);
}

#[test]
fn nothing_is_merged_if_anything_touches() {
    check_merge("a\nb\nc\nd\ne\n", "A\nb\nc\nd\nE\n", "a\nb\nC\nd\n", expect!["the changes touch at line 5"]);
}

#[test]
fn texts_may_be_empty() {
    check_merge("", "", "a\n", expect![[r#""a\n""#]]);
    check_merge("", "a\n", "b\n", expect!["the changes touch at line 1"]);
    check_merge("a\n", "", "b\n", expect!["the changes touch at line 1"]);
    check_merge("a\n", "a\nb\n", "", expect!["the changes touch at line 1"]);
}

#[test]
fn keeps_line_endings() {
    check_merge("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n", expect![[r#""A\r\nb\r\nC\r\n""#]]);
    check_merge("a\rb\rc\r", "A\rb\rc\r", "a\rb\rC\r", expect![[r#""A\rb\rC\r""#]]);
    check_merge("a\nb\r\nc\rd\n", "A\nb\r\nc\rd\n", "a\nb\r\nc\nd\n", expect![[r#""A\nb\r\nc\nd\n""#]]);
    check_merge("a\nb\n", "a\r\nb\r\n", "a\nB\n", expect!["the changes touch at line 1"]);
}

#[test]
fn keeps_a_final_newline_or_its_absence() {
    check_merge("a\nb\nc", "A\nb\nc", "a\nb\nc\n", expect![[r#""A\nb\nc\n""#]]);
    check_merge("a\nb\nc\n", "a\nb\nc", "A\nb\nc\n", expect![[r#""A\nb\nc""#]]);
    check_merge("a\nb\nc", "A\nb\nc", "a\nb\nC", expect![[r#""A\nb\nC""#]]);
    check_merge("a\nb", "a\nb\n", "a\nb\nc", expect!["the changes touch at line 2"]);
}

#[track_caller]
fn check_shown(base: &str, ours: &str, theirs: &str, shown: Expect) {
    shown.assert_eq(&merge_texts(base, ours, theirs).unwrap_err().shown());
}

#[test]
fn a_conflict_shows_all_three_texts() {
    check_shown(
        "fn a() {}\nfn b() {}\nfn c() {}\nend",
        "// mine\nfn a() {}\nfn b(x: u8) {}\nfn c() {}\nend\nof text",
        "fn a() {}\nfn c() {}\nThe end\r\n",
        expect![[r#"
            <<<<<<< now, line 3
            fn b(x: u8) {}
            ||||||| left by Opal
            fn b() {}
            =======
            >>>>>>> before
            <<<<<<< now, line 5
            end
            of text
            ||||||| left by Opal
            end
            =======
            The end
            >>>>>>> before
        "#]],
    );
}

#[test]
fn what_a_conflict_shows_is_bounded() {
    let long = "x".repeat(1_000);
    let many: String = (0..30).map(|n| format!("{n}\n")).collect();
    check_shown(
        "a\n",
        &format!("{long}\n"),
        &many,
        expect![[r#"
            <<<<<<< now, line 1
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… [800 more characters in this line]
            ||||||| left by Opal
            a
            =======
            0
            1
            2
            3
            4
            5
            6
            7
            8
            9
            10
            11
            12
            13
            14
            15
            16
            17
            18
            19
            … [10 more lines]
            >>>>>>> before
        "#]],
    );

    let text = |word: &str| -> String { (0..2_000).map(|n| format!("{n} {word}\n{n}\n")).collect() };
    let conflict = merge_texts(&text("a"), &text("b"), &text("c")).unwrap_err();
    let shown = conflict.shown();
    assert!(shown.len() < 9_000, "{} bytes", shown.len());
    expect!["… [1897 more places]"].assert_eq(shown.lines().next_back().unwrap());
    expect!["the changes touch at lines 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and 1990 more"]
        .assert_eq(&conflict.to_string());
}

fn numbered(n_lines: usize, change: impl Fn(usize) -> Option<&'static str>) -> String {
    let line = |n| change(n).map_or_else(|| format!("{n}\n"), |word| format!("{n} {word}\n"));
    (0..n_lines).map(line).collect()
}

#[test]
fn changes_all_over_a_long_text_are_merged() {
    let ours = |n| [10, 50_000, 99_990].contains(&n).then_some("ours");
    let theirs = |n| [500, 50_002, 99_000].contains(&n).then_some("theirs");
    let text = |change: &dyn Fn(usize) -> Option<&'static str>| numbered(100_000, change);
    let merged = merge_texts(&text(&|_| None), &text(&ours), &text(&theirs));
    assert_eq!(merged, Ok(text(&|n| ours(n).or(theirs(n)))));
}

#[test]
fn what_is_too_long_to_compare_is_one_change() {
    let ours = |n| (n > 100).then_some("ours");
    let text = |change: &dyn Fn(usize) -> Option<&'static str>| numbered(MAX_MERGE_LINES, change);
    let merge_with = |line| {
        let theirs = move |n| (n == line).then_some("theirs");
        let merged = merge_texts(&text(&|_| None), &text(&ours), &text(&theirs));
        merged
            .map(|merged| merged == text(&|n| theirs(n).or(ours(n))))
            .map_err(|conflict| conflict.to_string())
    };
    assert_eq!(merge_with(50), Ok(true));
    assert_eq!(merge_with(70_000), Err("the changes touch at line 102".to_owned()));
}

/// What becomes of one line.
fn any_line_change() -> impl Strategy<Value = Option<&'static str>> {
    select(&[None, Some(""), Some("new\n"), Some("two\nlines\n")][..])
}

/// Few different lines, so that there is something in common.
fn any_lines() -> impl Strategy<Value = String> {
    vec(select(&["a\n", "b\n", "c\r\n", "d\r", "\n", "\r"][..]), 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_side_that_did_not_change_yields(base in any_text(), changed in any_text()) {
        prop_assert_eq!(merge_texts(&base, &changed, &base), Ok(changed.clone()));
        prop_assert_eq!(merge_texts(&base, &base, &changed), Ok(changed.clone()));
        prop_assert_eq!(merge_texts(&base, &changed, &changed), Ok(changed));
    }

    #[test]
    fn the_sides_are_equal(base in any_lines(), ours in any_lines(), theirs in any_lines()) {
        match (merge_texts(&base, &ours, &theirs), merge_texts(&base, &theirs, &ours)) {
            (Ok(merged), Ok(swapped)) => {
                prop_assert_eq!(&merged, &swapped);
                // No two of them became one, as `\r` and `\n` would.
                let (our_lines, their_lines) = (lines(&ours), lines(&theirs));
                let mut merged_lines = lines(&merged).into_iter();
                prop_assert!(merged_lines.all(|line| our_lines.contains(&line) || their_lines.contains(&line)));
            }
            (Err(conflict), Err(swapped)) => {
                let regions = conflict.regions.iter().zip(&swapped.regions);
                prop_assert!(regions.clone().all(|(one, other)| one.ours == other.theirs));
                prop_assert!(regions.clone().all(|(one, other)| one.theirs == other.ours));
                prop_assert_eq!(conflict.regions.len(), swapped.regions.len());
            }
            (merged, swapped) => prop_assert!(false, "{merged:?} but {swapped:?}"),
        }
    }

    #[test]
    fn any_texts_are_merged_or_refused(base in any_text(), ours in any_text(), theirs in any_text()) {
        if let Err(conflict) = merge_texts(&base, &ours, &theirs) {
            prop_assert!(!conflict.regions.is_empty());
            let mut below = ours.as_str();
            for region in &conflict.regions {
                let at = below.find(&region.ours);
                prop_assert!(at.is_some());
                below = &below[at.unwrap() + region.ours.len()..];
                prop_assert!(region.ours != region.theirs);
            }
            prop_assert!(conflict.shown().len() < 60_000);
        }
    }

    #[test]
    fn changes_with_a_line_between_them_are_merged(
        changes in vec((select(&[[true, false], [false, true], [true, true]][..]), any_line_change()), 0..30),
    ) {
        // Each line that changes, on one side or alike on both, stands between two that do not.
        let text = |is_taken: &dyn Fn(&[bool; 2]) -> bool| -> String {
            let line = |(n, (sides, change)): (usize, &([bool; 2], Option<&str>))| {
                let changed = change.filter(|_| is_taken(sides));
                format!("{}line {n}\n", changed.map_or_else(|| format!("old {n}\n"), str::to_owned))
            };
            changes.iter().enumerate().map(line).collect()
        };
        let merged = merge_texts(&text(&|_| false), &text(&|sides| sides[0]), &text(&|sides| sides[1]));
        prop_assert_eq!(merged, Ok(text(&|_| true)));
    }
}

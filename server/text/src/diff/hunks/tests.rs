use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::diff::unified;
use crate::testing::any_text;

fn numbered(n_lines: usize) -> String {
    (1..=n_lines).map(|n| format!("{n}\n")).collect()
}

fn hunks_of(old: &str, new: &str) -> Vec<Hunk> {
    hunks(&Rope::from_str(old), &Rope::from_str(new))
}

#[track_caller]
fn check_hunks(old: &str, new: &str, shown: Expect) {
    let show = |hunk: &Hunk| {
        let Hunk { id, old, new, added, removed, text } = hunk;
        format!("{id} {old:?} {new:?} +{added} -{removed}\n{text}")
    };
    shown.assert_eq(&hunks_of(old, new).iter().map(show).collect::<String>());
}

#[test]
fn equal_texts_have_none() {
    check_hunks("a\n", "a\n", expect![""]);
}

#[test]
fn distant_changes_are_hunks_of_their_own() {
    let old = numbered(20);
    let new = old.replace("2\n3\n", "2\n2.5\n3\n").replace("18\n", "");
    check_hunks(
        &old,
        &new,
        expect![[r#"
        fcecb75aa553 0..5 0..6 +1 -0
        @@ -1,5 +1,6 @@
         1
         2
        +2.5
         3
         4
         5
        cf8696310c0b 14..20 15..20 +0 -1
        @@ -15,6 +16,5 @@
         15
         16
         17
        -18
         19
         20
    "#]],
    );
}

#[test]
fn a_text_may_be_all_new() {
    check_hunks(
        "",
        "a\n",
        expect![[r#"
        5a2626dc311e 0..0 0..1 +1 -0
        @@ -0,0 +1 @@
        +a
    "#]],
    );
}

#[test]
fn an_id_does_not_depend_on_what_is_far_away() {
    let old = numbered(60);
    let new = old.replace("\n30\n", "\nthirty\n");
    let more = format!("title\n{}end\n", new.replace("\n50\n", "\n"));
    let id = &hunks_of(&old, &new)[0].id;
    let ids: Vec<String> = hunks_of(&old, &more).into_iter().map(|hunk| hunk.id).collect();
    assert_eq!(ids.iter().position(|other| other == id), Some(1), "{id} in {ids:?}");
}

#[test]
fn hunks_that_read_the_same_are_numbered() {
    let old = "{\n1\n2\n3\n}\n".repeat(3);
    let new = "{\n1\ntwo\n3\n}\n".repeat(3);
    assert_eq!(hunks_of(&old, &new).len(), 1);

    let old = "{\n1\n2\n3\n4\n5\n6\n7\n}\n".repeat(4);
    let new = old.replace("4\n", "four\n");
    let ids: Vec<String> = hunks_of(&old, &new).into_iter().map(|hunk| hunk.id).collect();
    let first = &ids[0];
    assert_eq!(ids[1..], [format!("{first}-2"), format!("{first}-3"), format!("{first}-4")]);
    let reverted = revert(&old, &new, &ids[2]).unwrap();
    assert_eq!(reverted.find("four"), new.find("four"));
    assert_eq!(hunks_of(&old, &reverted).len(), 3);
}

fn revert(old: &str, new: &str, id: &str) -> Option<String> {
    let (old, new) = (Rope::from_str(old), Rope::from_str(new));
    revert_hunk(&old, &new, id).map(|edits| edits.apply(&new).unwrap().to_string())
}

/// The edits that take back the only hunk.
#[track_caller]
fn check_revert(old: &str, new: &str, edits: Expect) {
    let found = hunks_of(old, new);
    assert_eq!(found.len(), 1);
    let reverted = revert_hunk(&Rope::from_str(old), &Rope::from_str(new), &found[0].id).unwrap();
    let show = |edit: &crate::Edit| format!("{:?} -> {:?}\n", &new[edit.range.clone()], edit.new_text);
    edits.assert_eq(&reverted.edits().iter().map(show).collect::<String>());
    assert_eq!(revert(old, new, &found[0].id).unwrap(), old);
}

#[test]
fn a_revert_edits_only_what_changed() {
    check_revert(
        "a\nb\nc\nd\n",
        "a\nB\nc\n",
        expect![[r#"
        "B" -> "b"
        "" -> "d\n"
    "#]],
    );
    check_revert(
        "a\nb",
        "a\nb\n",
        expect![[r#"
        "\n" -> ""
    "#]],
    );
    check_revert(
        "a\r\nb\r\n",
        "a\nb\n",
        expect![[r#"
        "" -> "\r"
        "" -> "\r"
    "#]],
    );
}

#[test]
fn a_hunk_that_is_gone_cannot_be_reverted() {
    assert_eq!(revert("a\n", "b\n", "0123456789ab"), None);
    let id = &hunks_of("a\n", "b\n")[0].id;
    assert_eq!(revert("a\n", "c\n", id), None);
    assert_eq!(revert("a\n", "a\n", id), None);
}

/// Few different lines, in runs long enough for several hunks.
fn any_lines() -> impl Strategy<Value = String> {
    let lines = select(&["a\n", "b\r\n", "c\nd\ne\nf\ng\nh\ni\n", "c\nd\ne\nf\nx\ng\nh\ni\n", "\r"][..]);
    vec(lines, 0..20).prop_map(|lines| lines.concat())
}

/// A text, and the same with a changed line every ten or more.
fn spaced_changes() -> impl Strategy<Value = (String, String)> {
    let changed = select(&["", "new\n", "two\nlines\n", "\r\n"][..]);
    vec((10..14usize, changed), 1..8).prop_map(|changes| {
        let (mut old, mut new) = (String::new(), String::new());
        for (idx, (n_lines, changed)) in changes.into_iter().enumerate() {
            let block: String = (0..n_lines).map(|n| format!("{idx}.{n}\n")).collect();
            old.push_str(&format!("{block}old {idx}\n"));
            new.push_str(&format!("{block}{changed}"));
        }
        (old, new)
    })
}

fn concat(old: &str, new: &str) -> String {
    let hunks = hunks_of(old, new);
    let header = if hunks.is_empty() { "" } else { "--- a\n+++ b\n" };
    header.to_owned() + &hunks.into_iter().map(|hunk| hunk.text).collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hunks_are_the_unified_diff(old in any_lines(), new in any_lines(), other in any_text()) {
        for (old, new) in [(&old, &new), (&old, &other), (&other, &new)] {
            let diff = unified(&Rope::from_str(old), &Rope::from_str(new), "a", "b");
            prop_assert_eq!(concat(old, new), diff.text);
        }
    }

    #[test]
    fn ids_are_unique_and_ranges_apart(old in any_lines(), new in any_lines()) {
        let hunks = hunks_of(&old, &new);
        for (idx, hunk) in hunks.iter().enumerate() {
            prop_assert!(hunks[..idx].iter().all(|other| other.id != hunk.id));
            let digits = hunk.id.split('-').next().unwrap();
            prop_assert!(digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        }
        for pair in hunks.windows(2) {
            prop_assert!(pair[0].old.end <= pair[1].old.start);
            prop_assert!(pair[0].new.end <= pair[1].new.start);
        }
    }

    #[test]
    fn reverting_one_after_the_other_gives_the_old_text(
        (old, new) in prop_oneof![(any_lines(), any_lines()), (any_text(), any_text()), spaced_changes()],
        picks in vec(any::<Index>(), 100),
    ) {
        let mut text = new;
        for pick in picks {
            let hunks = hunks_of(&old, &text);
            if hunks.is_empty() {
                break;
            }
            text = revert(&old, &text, &pick.get(&hunks).id).unwrap();
        }
        prop_assert_eq!(text, old);
    }

    #[test]
    fn a_revert_leaves_the_other_hunks((old, new) in spaced_changes(), pick in any::<Index>()) {
        let mut before = hunks_of(&old, &new);
        let picked = before.remove(pick.index(before.len()));
        let reverted = revert(&old, &new, &picked.id).unwrap();
        let n_lines = |text: &str| text.lines().count();
        let shift = n_lines(&reverted).wrapping_sub(n_lines(&new));
        let after = hunks_of(&old, &reverted);
        prop_assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(after) {
            prop_assert_eq!((&before.id, &before.old), (&after.id, &after.old));
            let moved = if before.new.start < picked.new.start { 0 } else { shift };
            prop_assert_eq!(before.new.start.wrapping_add(moved), after.new.start);
        }
    }
}

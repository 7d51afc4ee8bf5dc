use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::position::{Position, PositionEncoding};
use crate::testing::{any_counting, any_text, model_splice, short_text};

fn splice(start: (u32, u32), end: (u32, u32), text: &str) -> Change {
    let range = PositionRange::new(Position::new(start.0, start.1), Position::new(end.0, end.1));
    Change::Splice { range, text: text.to_owned() }
}

#[track_caller]
fn check_changes(before: &str, changes: &[Change], after: Expect) {
    let mut document = Document::new(DocumentVersion(1), before);
    let shown = match document.apply_changes(DocumentVersion(2), changes, PositionEncoding::Utf16) {
        Ok(_) => format!("v{} {:?}", document.version(), document.text().to_string()),
        Err(error) => format!("v{} {:?}: {error}", document.version(), document.text().to_string()),
    };
    after.assert_eq(&shown);
}

#[test]
fn each_change_applies_to_the_result_of_the_one_before() {
    check_changes(
        "one\ntwo\n",
        &[splice((0, 0), (0, 3), "1\n1"), splice((1, 1), (1, 1), "!"), splice((2, 0), (3, 0), "")],
        expect![[r#"v2 "1\n1!\n""#]],
    );
}

#[test]
fn a_full_change_starts_anew() {
    check_changes("a", &[Change::Full("b\n".into()), splice((1, 0), (1, 0), "c")], expect![[r#"v2 "b\nc""#]]);
}

#[test]
fn all_or_nothing() {
    check_changes(
        "abc",
        &[splice((0, 0), (0, 1), ""), splice((0, 2), (0, 1), "x")],
        expect![[r#"v1 "abc": change 2 ends at 0:1, before its start at 0:2"#]],
    );
}

#[test]
fn half_a_pair_that_stays_counts_one_unit() {
    check_changes(
        "😀 end",
        &[splice((0, 1), (0, 2), "x"), splice((0, 2), (0, 3), "-")],
        expect![[r#"v2 "�x-end""#]],
    );
    check_changes(
        "😀 end",
        &[splice((0, 0), (0, 1), ""), splice((0, 1), (0, 2), "-")],
        expect![[r#"v2 "�-end""#]],
    );
    check_changes("😀😀", &[splice((0, 1), (0, 3), "")], expect![[r#"v2 "��""#]]);
    check_changes("😀", &[splice((0, 1), (0, 1), "x")], expect![[r#"v2 "�x�""#]]);
}

#[test]
fn no_changes_still_make_a_version() {
    check_changes("a", &[], expect![[r#"v2 "a""#]]);
}

fn any_position() -> impl Strategy<Value = Position> {
    (0_u32..12, 0_u32..8).prop_map(|(line, character)| Position::new(line, character))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn follows_an_editor(
        before in any_text(),
        changes in vec((any_position(), any_position(), short_text()), 0..12),
        counting in any_counting(),
    ) {
        let mut document = Document::new(DocumentVersion(1), &before);
        let mut model = before;
        let mut splices = Vec::new();
        for (a, b, text) in changes {
            let range = PositionRange::new(a.min(b), a.max(b));
            model_splice(&mut model, range, &text, counting);
            splices.push(Change::Splice { range, text });
        }
        document.apply_changes(DocumentVersion(2), &splices, counting).unwrap();
        prop_assert_eq!(document.text().to_string(), model);
        prop_assert!(document.has_lone_cr || !has_lone_cr(document.text()));
    }
}

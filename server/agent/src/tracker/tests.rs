// Sets of ranges, of which some have one.
#![allow(clippy::single_range_in_vec_init)]

use proptest::prelude::*;
use text::{Edit, smallest_edits};

use super::*;

fn name() -> FileName {
    FileName::Document("untitled:a".into())
}

fn rope(text: &str) -> Rope {
    Rope::from_str(text)
}

#[test]
fn several_reads_of_one_text_add_up() {
    let (mut tracker, text) = (FileTracker::default(), rope("0123456789"));
    assert_eq!(tracker.state(&name(), &text), ReadState::Unread);
    tracker.shown(&name(), &text, [0..3]);
    assert_eq!(tracker.state(&name(), &text), ReadState::Partial { gap: 3 });
    tracker.shown(&name(), &text, [5..10]);
    assert_eq!(tracker.state(&name(), &text), ReadState::Partial { gap: 3 });
    tracker.shown(&name(), &text, [2..5]);
    assert_eq!(tracker.state(&name(), &text), ReadState::Current);
}

#[test]
fn a_text_that_somebody_else_changed_was_seen_before() {
    let mut tracker = FileTracker::default();
    tracker.shown(&name(), &rope("one"), [0..3]);
    assert_eq!(tracker.state(&name(), &rope("two")), ReadState::Stale);
    // The old text is of no use for the new one.
    tracker.shown(&name(), &rope("two"), [1..3]);
    assert_eq!(tracker.state(&name(), &rope("two")), ReadState::Partial { gap: 0 });
    assert_eq!(tracker.state(&name(), &rope("one")), ReadState::Stale);
    let (old, new) = (rope("one"), rope("1"));
    assert!(tracker.edited(&name(), &old, &smallest_edits(&old, &new), &new, true));
    assert!(!tracker.edited(&name(), &new, &EditSet::default(), &new, true));
}

#[test]
fn an_empty_text_has_nothing_to_see() {
    let mut tracker = FileTracker::default();
    tracker.shown(&name(), &rope(""), []);
    assert_eq!(tracker.state(&name(), &rope("")), ReadState::Current);
}

#[track_caller]
fn check_edit(shown: &[std::ops::Range<usize>], edits: Vec<Edit>, is_shown: bool, state: ReadState) {
    let mut tracker = FileTracker::default();
    let old = rope("0123456789");
    tracker.shown(&name(), &old, shown.iter().cloned());
    let edits = EditSet::new(edits).unwrap();
    let new = edits.apply(&old).unwrap();
    tracker.edited(&name(), &old, &edits, &new, is_shown);
    assert_eq!(tracker.state(&name(), &new), state);
}

#[test]
fn an_edit_carries_over_what_was_seen() {
    let insert = |at: usize| vec![Edit::new(at..at, "abc")];
    check_edit(&[0..10], insert(4), true, ReadState::Current);
    check_edit(&[0..10], insert(0), true, ReadState::Current);
    check_edit(&[0..10], insert(10), true, ReadState::Current);
    check_edit(&[0..10], insert(4), false, ReadState::Partial { gap: 4 });
    check_edit(&[0..5], insert(2), true, ReadState::Partial { gap: 8 });
    check_edit(&[0..5], vec![Edit::new(5..10, "abc")], true, ReadState::Current);
    check_edit(&[0..5], vec![Edit::new(2..7, "")], true, ReadState::Partial { gap: 2 });
    check_edit(&[2..8], vec![Edit::new(0..2, ""), Edit::new(8..10, "")], true, ReadState::Current);
}

#[test]
fn an_edit_of_an_unread_file_shows_what_it_wrote() {
    let mut tracker = FileTracker::default();
    let (old, new) = (rope("one two"), rope("one 2"));
    tracker.edited(&name(), &old, &smallest_edits(&old, &new), &new, true);
    assert_eq!(tracker.state(&name(), &new), ReadState::Partial { gap: 0 });
    // A new file is the model's from its first to its last byte.
    tracker.edited(&name(), &rope(""), &smallest_edits(&rope(""), &new), &new, true);
    assert_eq!(tracker.state(&name(), &new), ReadState::Current);
}

proptest! {
    /// Against one flag for each byte.
    #[test]
    fn ranges_are_a_set_of_bytes(
        shown in proptest::collection::vec((0_usize..30, 0_usize..10), 0..6),
        edits in proptest::collection::vec((0_usize..30, 0_usize..5, 0_usize..5), 0..4),
    ) {
        let mut flags = vec![false; 40];
        let mut ranges = Ranges::default();
        for (start, len) in shown {
            ranges.add(start..start + len);
            flags[start..start + len].fill(true);
        }
        let edits: Vec<Edit> =
            edits.into_iter().map(|(start, len, n)| Edit::new(start..start + len, "x".repeat(n))).collect();
        if let Ok(edits) = EditSet::new(edits) {
            ranges = ranges.carried(&edits);
            for edit in edits.edits().iter().rev() {
                flags.splice(edit.range.clone(), vec![false; edit.new_text.len()]);
            }
        }
        let mut expected = Ranges::default();
        for (at, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
            expected.add(at..at + 1);
        }
        prop_assert_eq!(&ranges, &expected);
        let gap = flags.iter().position(|flag| !flag);
        prop_assert_eq!(ranges.gap(flags.len()), gap);
    }
}

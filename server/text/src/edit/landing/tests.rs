use super::*;

/// Changes `text` step by step, each an old and a new text at the old one's first place, after an edit of
/// `one` to `two` was sent.
#[track_caller]
fn check(text: &str, steps: &[(&str, &str)], expected: &str) {
    let at = text.find("one").unwrap();
    let edits = EditSet::new(vec![Edit::new(at..at + 3, "two")]).unwrap();
    let mut now = text.to_owned();
    let mut landing = Landing::new(&Rope::from(text), &edits);
    for (old, new) in steps {
        let at = now.find(old).unwrap();
        now.replace_range(at..at + old.len(), new);
        let after = Rope::from(now.as_str());
        let change = Some((at..at + old.len(), new.len()));
        landing.step(&Step { change, after });
    }
    let shown = match (landing.has_landed(), landing.base_stands()) {
        (true, _) => "landed",
        (false, true) => "base stands",
        (false, false) => "something else",
    };
    assert_eq!(shown, expected, "{text:?} {steps:?}");
}

#[test]
fn an_edit_lands_whatever_follows() {
    check("a one z", &[("one", "two")], "landed");
    check("a one z", &[("one", "two"), ("two", "t!wo")], "landed");
    check("a one z", &[("one", "two"), ("two", "one")], "landed");
    check("a one z", &[("one", "two"), ("a two z", "")], "landed");
}

#[test]
fn an_edit_lands_beside_typing() {
    check("a one z", &[("a", "abc"), ("one", "two")], "landed");
    check("a one z", &[("z", ""), ("a ", ""), ("one", "two"), ("wo", "")], "landed");
    check("a one z", &[("a ", "a !"), ("one", "two")], "landed");
}

#[test]
fn the_base_stands_while_the_user_types_elsewhere() {
    check("a one z", &[], "base stands");
    check("a one z", &[("a", "b"), ("z", "y")], "base stands");
    check("a one z", &[(" z", ""), ("a ", "")], "base stands");
}

#[test]
fn a_change_of_what_the_edit_replaces_is_something_else() {
    check("a one z", &[("one", "on")], "something else");
    check("a one z", &[("n", "N"), ("N", "n")], "something else");
    // Half of the edit.
    check("a one z", &[("on", "tw")], "something else");
    check("a one z", &[("a one z", "")], "something else");
}

#[test]
fn typing_at_the_place_of_an_insertion_leaves_the_base() {
    let edits = EditSet::new(vec![Edit::new(1..1, "two")]).unwrap();
    let mut landing = Landing::new(&Rope::from("ab"), &edits);
    landing.step(&Step { change: Some((1..1, 1)), after: Rope::from("a!b") });
    assert!(landing.base_stands() && !landing.has_landed());
}

#[test]
fn a_text_that_is_sent_whole_is_compared_with_the_one_before() {
    let edits = EditSet::new(vec![Edit::new(2..5, "two")]).unwrap();
    let after = |texts: &[&str]| {
        let mut landing = Landing::new(&Rope::from("a one z"), &edits);
        for text in texts {
            landing.step(&Step { change: None, after: Rope::from(*text) });
        }
        (landing.has_landed(), landing.base_stands())
    };
    assert_eq!(after(&["abc one z", "abc two z", "x"]), (true, false));
    assert_eq!(after(&["abc one z", "abc one yz"]), (false, true));
    assert_eq!(after(&["abc on z"]), (false, false));
}

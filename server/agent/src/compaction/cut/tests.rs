use expect_test::{Expect, expect};

use super::*;
use crate::journal::testing::*;
use crate::journal::{View, size};

/// Shows each entry with its kind and tokens, and where the tail that is kept begins.
#[track_caller]
fn check(records: Vec<Record>, keep: u64, expected: Expect) {
    let stored = stored(records);
    let tokens: Vec<u64> = stored.iter().map(|stored| size::of_stored(stored, &View::default())).collect();
    let first = first_kept(&stored, &tokens, keep);
    let mut out = String::new();
    for (at, (stored, tokens)) in stored.iter().zip(&tokens).enumerate() {
        if first == Some(at) {
            out += "--- kept\n";
        }
        out += &format!("{} {tokens}\n", name(&stored.record));
    }
    expected.assert_eq(&out);
}

#[test]
fn the_longest_tail_that_fits() {
    let records = || vec![user("12345678"), answer("1234"), user("12345678"), answer("1234")];
    check(
        records(),
        0,
        expect![[r#"
        user 10
        assistant 9
        user 10
        assistant 9
    "#]],
    );
    check(
        records(),
        9,
        expect![[r#"
        user 10
        assistant 9
        user 10
        --- kept
        assistant 9
    "#]],
    );
    check(
        records(),
        20,
        expect![[r#"
        user 10
        assistant 9
        --- kept
        user 10
        assistant 9
    "#]],
    );
    check(
        records(),
        1000,
        expect![[r#"
        --- kept
        user 10
        assistant 9
        user 10
        assistant 9
    "#]],
    );
}

#[test]
fn never_between_calls_and_their_results() {
    let records = || {
        vec![
            user("hi"),
            reading(&["a", "b"]),
            change("t1"),
            result("a", &long(10)),
            result("b", &long(10)),
            answer("done"),
        ]
    };
    check(
        records(),
        9,
        expect![[r#"
        user 9
        assistant 28
        note 0
        result 18
        result 18
        --- kept
        assistant 9
    "#]],
    );
    check(
        records(),
        60,
        expect![[r#"
        user 9
        assistant 28
        note 0
        result 18
        result 18
        --- kept
        assistant 9
    "#]],
    );
    check(
        records(),
        80,
        expect![[r#"
        user 9
        --- kept
        assistant 28
        note 0
        result 18
        result 18
        assistant 9
    "#]],
    );
}

#[test]
fn at_steering_that_came_after_the_results() {
    check(
        vec![
            user("hi"),
            reading(&["a"]),
            result("a", &long(100)),
            steering("quick"),
            reading(&["b"]),
            result("b", "1"),
        ],
        100,
        expect![[r#"
            user 9
            assistant 18
            result 108
            --- kept
            steering 10
            assistant 18
            result 9
        "#]],
    );
}

#[test]
fn what_was_attached_stays_with_its_prompt() {
    check(
        vec![answer("done"), user("look"), attached(&long(10)), answer("done")],
        30,
        expect![[r#"
        assistant 9
        user 9
        note 18
        --- kept
        assistant 9
    "#]],
    );
    check(
        vec![answer("done"), user("look"), attached(&long(10)), answer("done")],
        40,
        expect![[r#"
        assistant 9
        --- kept
        user 9
        note 18
        assistant 9
    "#]],
    );
}

#[test]
fn nothing_if_the_last_group_is_too_long() {
    check(
        vec![user("hi"), answer("one"), reading(&["a"]), result("a", &long(100))],
        100,
        expect![[r#"
        user 9
        assistant 9
        assistant 18
        result 108
    "#]],
    );
}

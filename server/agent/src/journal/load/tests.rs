use expect_test::{Expect, expect};

use super::super::record::{CompactionRecord, StopRecord};
use super::super::testing::*;
use super::*;

/// Loads a session; and again with what the mending appended, which must change nothing more.
#[track_caller]
fn check_session(session: LoadedSession, expected: Expect) {
    let loaded = load(&session);
    let shown = show(&loaded.transcript);
    let mut appended = String::new();
    let mut mended = LoadedSession { draft: Vec::new(), ..session };
    for missing in loaded.missing {
        appended += &format!("+ result {}\n", missing.call_id);
        append(&mut mended.entries, &Record::ToolResult(missing));
    }
    if let Some(cut_off) = loaded.cut_off {
        appended += "+ assistant, cut off\n";
        append(&mut mended.entries, &Record::Assistant(cut_off));
    }
    mended.record.leaf = mended.entries.last().map(|entry| entry.id);
    expected.assert_eq(&format!("{shown}{appended}"));

    let again = load(&mended);
    assert_eq!(show(&again.transcript), shown);
    assert!(again.missing.is_empty() && again.cut_off.is_none());
}

#[track_caller]
fn check(records: Vec<Record>, expected: Expect) {
    check_session(session(entries(records)), expected);
}

#[test]
fn a_whole_conversation_needs_no_mending() {
    check(
        vec![
            user("hi"),
            attached("<file>"),
            reading(&["a", "b"]),
            change("t1"),
            result("b", "2"),
            result("a", "1"),
            steering("quick"),
            answer("done"),
            undo("t2", &["x"]),
        ],
        expect![[r#"
            user: hi
            user: <file>
            assistant:  +a +b
            result a: 1
            result b: 2
            user: quick
            assistant: done
            user: [The user took back the changes of x.]
        "#]],
    );
}

#[test]
fn a_call_left_open_deep_in_the_conversation() {
    check(
        vec![user("1"), reading(&["a"]), user("2"), answer("done"), user("3"), answer("done")],
        expect![[r#"
            user: 1
            assistant:  +a
            result a: Opal ended before this call had finished… (107 characters)
            user: 2
            assistant: done
            user: 3
            assistant: done
        "#]],
    );
}

#[test]
fn calls_of_an_answer_that_was_cut_off_were_never_run() {
    let Record::Assistant(called) = reading(&["a"]) else { unreachable!() };
    let cut_off = Record::Assistant(AssistantRecord { stop: StopRecord::Length, ..called });
    check(
        vec![user("1"), cut_off, user("2")],
        expect![[r#"
            user: 1
            assistant:  +a
            result a: not run: the answer was cut off at the o… (51 characters)
            user: 2
        "#]],
    );
}

#[test]
fn what_a_summary_cost_is_counted() {
    let Record::Compaction(compaction) = summary("S", None) else { unreachable!() };
    let usage = Usage { input_total: 7, output_total: 2, total: 9, ..Usage::default() };
    let paid =
        Record::Compaction(CompactionRecord { usage: Some(usage.into()), cost: Some(0.25), ..compaction });
    let loaded = load(&session(entries(vec![user("1"), measured("2", 5), paid])));
    assert_eq!((loaded.usage.input_total, loaded.usage.output_total, loaded.used), (7, 2, 100));
    assert_eq!(loaded.cost, Some(0.25));
}

#[test]
fn calls_left_open_at_the_end() {
    check(
        vec![user("hi"), reading(&["a", "b", "c"]), result("b", "2")],
        expect![[r#"
            user: hi
            assistant:  +a +b +c
            result a: Opal ended before this call had finished… (107 characters)
            result b: 2
            result c: Opal ended before this call had finished… (107 characters)
            + result a
            + result c
        "#]],
    );
}

#[test]
fn a_note_does_not_come_between_a_call_and_its_result() {
    check(
        vec![user("hi"), reading(&["a"]), attached("<file>"), answer("done")],
        expect![[r#"
            user: hi
            assistant:  +a
            result a: Opal ended before this call had finished… (107 characters)
            user: <file>
            assistant: done
        "#]],
    );
}

#[test]
fn the_first_of_two_results_counts() {
    check(
        vec![
            user("hi"),
            reading(&["a", "b"]),
            result("a", "1"),
            result("a", "again"),
            result("b", "2"),
            result("b", "late"),
        ],
        expect![[r#"
            user: hi
            assistant:  +a +b
            result a: 1
            result b: 2
        "#]],
    );
}

#[test]
fn a_result_without_a_call_is_left_out() {
    check(
        vec![user("hi"), result("a", "1"), answer("done"), result("b", "2")],
        expect![[r#"
        user: hi
        assistant: done
    "#]],
    );
}

#[test]
fn a_draft_is_kept_behind_the_results_that_were_missing() {
    let mut session = session(entries(vec![user("hi"), reading(&["a"])]));
    let first = serde_json::to_string(&interrupted("so")).unwrap();
    session.draft = vec![first, "\" far\"".to_owned()];
    check_session(
        session,
        expect![[r#"
            user: hi
            assistant:  +a
            result a: Opal ended before this call had finished… (107 characters)
            assistant: so far
            user: [The user interrupted the answer here.]
            + result a
            + assistant, cut off
        "#]],
    );
}

#[test]
fn what_is_kept_follows_the_summary() {
    check(
        vec![
            user("1"),
            answer("one"),
            user("2"),
            reading(&["a"]),
            result("a", "1"),
            summary("S", Some(4)),
            answer("two"),
            user("3"),
        ],
        expect![[r#"
            user: [summary] S
            assistant:  +a
            result a: 1
            assistant: two
            user: 3
        "#]],
    );
}

#[test]
fn the_last_summary_counts() {
    check(
        vec![
            user("1"),
            answer("one"),
            summary("S1", Some(2)),
            user("2"),
            answer("two"),
            summary("S2", Some(5)),
            user("3"),
        ],
        expect![[r#"
            user: [summary] S2
            assistant: two
            user: 3
        "#]],
    );
}

#[test]
fn nothing_is_kept() {
    check(
        vec![user("1"), answer("one"), summary("S", None)],
        expect![[r#"
            user: [summary] S
        "#]],
    );
    check(
        vec![user("1"), answer("one"), summary("S", None), user("2")],
        expect![[r#"
            user: [summary] S
            user: 2
        "#]],
    );
}

#[test]
fn long_output_is_blanked_and_stays_blanked() {
    let read = |id: &str, n| vec![reading(&[id]), result(id, &long(n))];
    let mut records = vec![user("1")];
    records.extend(read("a", 300));
    records.extend(read("b", 200));
    records.extend(read("c", 300));
    records.push(blanking(6));
    check(
        records.clone(),
        expect![[r#"
            user: 1
            assistant:  +a
            result a: [This output was removed to save space. … (76 characters)
            assistant:  +b
            result b: wordwordwordwordwordwordwordwordwordword… (800 characters)
            assistant:  +c
            result c: wordwordwordwordwordwordwordwordwordword… (1200 characters)
        "#]],
    );
    records.push(blanking(2));
    records.push(summary("S", Some(2)));
    check(
        records,
        expect![[r#"
            user: [summary] S
            assistant:  +a
            result a: [This output was removed to save space. … (76 characters)
            assistant:  +b
            result b: wordwordwordwordwordwordwordwordwordword… (800 characters)
            assistant:  +c
            result c: wordwordwordwordwordwordwordwordwordword… (1200 characters)
        "#]],
    );
}

#[test]
fn a_damaged_compaction_is_passed_over() {
    let mut entries = entries(vec![user("1"), answer("one"), summary("S", None), user("2")]);
    entries[2].payload = r#"{"summary":"S"}"#.into();
    check_session(
        session(entries),
        expect![[r#"
        user: 1
        assistant: one
        user: 2
    "#]],
    );
}

#[test]
fn a_summary_that_keeps_a_damaged_entry_keeps_what_follows_it() {
    let mut entries =
        entries(vec![user("1"), answer("one"), answer("more"), summary("S", Some(2)), user("2")]);
    entries[1].payload = "{".into();
    check_session(
        session(entries),
        expect![[r#"
            user: [summary] S
            assistant: more
            user: 2
        "#]],
    );
}

#[test]
fn a_summary_that_keeps_what_comes_after_it_keeps_just_that() {
    check(
        vec![user("1"), summary("S", Some(99)), user("2")],
        expect![[r#"
            user: [summary] S
            user: 2
        "#]],
    );
}

#[track_caller]
fn check_used(records: Vec<Record>, expected: u64) {
    assert_eq!(load(&session(entries(records))).used, expected);
}

#[test]
fn the_window_is_as_full_as_last_measured_or_left_by_a_compaction() {
    check_used(vec![user("1")], 0);
    check_used(vec![user("1"), measured("one", 700), user("2"), answer("two")], 700);
    check_used(vec![user("1"), measured("one", 700), summary("S", Some(2))], 100);
    check_used(vec![user("1"), measured("one", 700), summary("S", Some(2)), user("2")], 100);
    check_used(vec![user("1"), measured("one", 700), summary("S", None), measured("two", 150)], 150);
}

#[test]
fn what_is_unique_in_a_session_is_counted_on_every_branch() {
    let mut entries = entries(vec![
        user("1"),
        measured("one", 700),
        summary("S", None),
        steering("quick"),
        change("t7"),
        undo("t8", &["x"]),
        user("other branch"),
        follow_up("m11", "then"),
    ]);
    entries[6].parent = Some(EntryId(1));
    entries[6].payload = entries[6].payload.replace("t1", "t5");
    let mut session = session(entries);
    session.record.settings_json = serde_json::json!({ "queue": [
        { "message_id": "m9", "text": "quick", "steering": true },
        { "message_id": "m11", "text": "then" },
        { "message_id": "m12", "text": "and then" },
    ] })
    .to_string();
    session.record.leaf = Some(EntryId(7));
    let loaded = load(&session);
    let mut turn_ids: Vec<_> = loaded.turn_ids.iter().map(TurnId::as_str).collect();
    turn_ids.sort_unstable();
    assert_eq!(turn_ids, ["t1", "t5", "t7", "t8"]);
    assert_eq!((loaded.last_message, loaded.usage.total, loaded.used), (12, 700, 0));
    let queue: Vec<_> = loaded.queue.iter().map(|queued| queued.text.as_str()).collect();
    assert_eq!(queue, ["and then"], "the others are in the conversation");
    assert_eq!(show(&loaded.transcript), "user: 1\nuser: other branch\n");
}

use expect_test::{Expect, expect};
use proptest::prelude::*;
use provider::{ItemKind, Part};
use store::EntryId;

use super::*;
use crate::journal::testing::*;
use crate::journal::{Record, load};

const WINDOW: u64 = 8_000;

#[test]
fn how_full_is_full() {
    let points = [0, 3, 1_000, 65_536, 128_000, 1_000_000].map(|window| {
        format!("window {window}: compact at {}, keep {}", compact_at(window), default_keep(Some(window)))
    });
    expect![[r#"
        window 0: compact at 0, keep 0
        window 3: compact at 3, keep 1
        window 1000: compact at 750, keep 375
        window 65536: compact at 49152, keep 20000
        window 128000: compact at 111616, keep 20000
        window 1000000: compact at 983616, keep 20000"#]]
    .assert_eq(&points.join("\n"));
    assert_eq!(default_keep(None), 20_000);
}

#[track_caller]
fn check(records: Vec<Record>, input: Input, expected: Expect) {
    let entries = entries(records);
    let branch: Vec<&Entry> = entries.iter().collect();
    expected.assert_eq(&match plan(&branch, input) {
        Plan::Nothing => "nothing".into(),
        Plan::Blank(record) => {
            let CompactionRecord { blanked_before, tokens_before, tokens_after, .. } = &record;
            assert!(record.summary.is_none() && record.kept_from.is_none());
            format!("blank before {blanked_before:?}: {tokens_before} -> {tokens_after}")
        }
        Plan::Summarise(summarise) => {
            let tokens_kept = summarise.tokens_kept;
            let request = summarise.request.clone();
            let record = summarise.with("S".into());
            format!(
                "summarise, keep {tokens_kept} from {:?}: {} -> {}\n{}",
                record.kept_from,
                record.tokens_before,
                record.tokens_after,
                outline(&request)
            )
        }
    });
}

/// The labels of what is to be summarised.
fn outline(request: &str) -> String {
    let labels = request.lines().filter_map(|line| match line.split_once(['>', ']']) {
        Some((label, _)) if label.starts_with('<') => Some(format!("{label}>")),
        Some((label, _)) if label.starts_with('[') => Some(format!("{label}]")),
        _ => None,
    });
    labels.collect::<Vec<_>>().join(" ")
}

fn at_threshold(used_now: u64, keep: u64) -> Input {
    Input { trigger: Trigger::Threshold, used_now, window: Some(WINDOW), keep }
}

fn on_request(keep: u64) -> Input {
    Input { trigger: Trigger::Request, used_now: 4_000, window: Some(WINDOW), keep }
}

/// Two outputs, of 1,000 and 3,000 tokens, and a short ending.
fn work() -> Vec<Record> {
    vec![
        user("1"),
        reading(&["a"]),
        result("a", &long(1_000)),
        reading(&["b"]),
        result("b", &long(3_000)),
        answer("one"),
        user("2"),
        answer("two"),
    ]
}

#[test]
fn a_short_conversation_has_nothing_to_give() {
    check(vec![], on_request(100), expect!["nothing"]);
    check(vec![user("1"), answer("one")], on_request(100), expect!["nothing"]);
    check(vec![change("t1"), user("1"), answer("one")], on_request(100), expect!["nothing"]);
}

#[test]
fn old_output_is_blanked_if_that_is_enough() {
    check(work(), at_threshold(6_100, 50), expect!["blank before Some(6): 6100 -> 2138"]);
}

#[test]
fn a_summary_if_blanking_is_not_enough() {
    check(
        work(),
        at_threshold(6_100, 3_100),
        expect![[r#"
            summarise, keep 3053 from Some(4): 6100 -> 5163
            <conversation> [User] [Tool call] [Tool result] </conversation>"#]],
    );
    check(
        work(),
        at_threshold(9_000, 50),
        expect![[r#"
            summarise, keep 27 from Some(6): 9000 -> 5037
            <conversation> [User] [Tool call] [Tool result] [Tool call] [Tool result] </conversation>"#]],
    );
}

#[test]
fn a_summary_if_there_is_nothing_to_blank() {
    check(
        vec![user(&long(3_000)), answer(&long(3_000)), user("2")],
        at_threshold(3_000, 50),
        expect![[r#"
            summarise, keep 9 from Some(3): 3000 -> 109
            <conversation> [User] [Assistant] </conversation>"#]],
    );
}

#[test]
fn blanking_twice_saves_nothing() {
    let mut records = work();
    records.push(blanking(7));
    records.push(user("3"));
    check(
        records,
        at_threshold(6_100, 50),
        expect![[r#"
            summarise, keep 36 from Some(6): 6100 -> 6101
            <conversation> [User] [Tool call] [Tool result] [Tool call] [Tool result] </conversation>"#]],
    );
}

#[test]
fn on_overflow_and_on_request_there_is_always_a_summary() {
    check(
        work(),
        on_request(50),
        expect![[r#"
            summarise, keep 27 from Some(6): 4000 -> 125
            <conversation> [User] [Tool call] [Tool result] [Tool call] [Tool result] </conversation>"#]],
    );
    check(
        work(),
        Input { trigger: Trigger::Overflow, ..on_request(50) },
        expect![[r#"
            summarise, keep 27 from Some(6): 4000 -> 125
            <conversation> [User] [Tool call] [Tool result] [Tool call] [Tool result] </conversation>"#]],
    );
    check(
        work(),
        Input { window: None, ..on_request(50) },
        expect![[r#"
            summarise, keep 27 from Some(6): 4000 -> 125
            <conversation> [User] [Tool call] [Tool result] [Tool call] [Tool result] </conversation>"#]],
    );
}

#[test]
fn a_last_group_that_is_too_long_goes_into_the_summary() {
    check(
        vec![user("1"), reading(&["a"]), result("a", &long(1_000))],
        on_request(100),
        expect![[r#"
            summarise, keep 0 from None: 4000 -> 3065
            <conversation> [User] [Tool call] [Tool result] </conversation>"#]],
    );
}

#[test]
fn only_what_the_last_summary_left_is_summarised_again() {
    let mut records = work();
    records.extend([summary("earlier", Some(7)), user("3"), answer("three"), user("4")]);
    check(
        records.clone(),
        on_request(10),
        expect![[r#"
            summarise, keep 9 from Some(12): 4000 -> 3998
            <previous_summary> </previous_summary> <conversation> [User] [Assistant] [User] [Assistant] </conversation>"#]],
    );
    check(records, on_request(5_000), expect!["nothing"]);
}

#[test]
fn right_after_a_summary_there_is_nothing_to_do() {
    check(vec![user("1"), answer("one"), summary("S", None)], on_request(100), expect!["nothing"]);
    check(vec![user("1"), answer("one"), summary("S", Some(2))], on_request(100), expect!["nothing"]);
}

#[test]
fn with_next_to_no_room_there_is_still_a_plan() {
    let no_room = Input { window: Some(40), ..on_request(0) };
    check(
        work(),
        no_room,
        expect![[r#"
        summarise, keep 0 from None: 4000 -> 98
        <conversation> [Left out for want of room: the oldest entries, 4 in all.] [Tool result] [Assistant] [User] [Assistant] </conversation>"#]],
    );
}

#[test]
fn without_a_model_the_entry_says_so() {
    let entries = entries(work());
    let branch: Vec<&Entry> = entries.iter().collect();
    let Plan::Summarise(summarise) = plan(&branch, on_request(50)) else { panic!("not summarised") };
    let record = summarise.without_model();
    assert!(record.fallback && record.summary.unwrap().starts_with("No model"));
}

#[test]
fn what_the_model_is_shown() {
    let mut records = work();
    records[7] = calling("", &[("c", "bash", r#"{"command":"make"}"#)]);
    let entries = entries(records);
    let branch: Vec<&Entry> = entries.iter().collect();
    let Plan::Summarise(summarise) = plan(&branch, on_request(50)) else { panic!("not summarised") };
    expect![[r#"
        The conversation before this point was compacted; this stands in its place. It is a record, not a request: what is done need not be done again. Files may have changed since: read a file again before you change it or rely on it.

        <summary>
        ## Goal

        Work.
        </summary>

        This was kept by Opal itself, for the whole session:
        <ledger>
        Commands run, latest first:
        - no result: make

        The user's last instruction, word for word (not answered yet):
        ```
        2
        ```
        </ledger>
    "#]].assert_eq(&shown::summary(&summarise.with("## Goal\n\nWork.\n".into())));
}

#[test]
fn what_came_since_the_last_measure() {
    let since = |records| {
        let entries = entries(records);
        size::since_measured(&entries.iter().collect::<Vec<_>>())
    };
    assert_eq!(since(vec![user("1"), answer("one")]), 9 + 9);
    assert_eq!(since(vec![user("1"), measured("one", 500), user(&long(10)), change("t1")]), 18);
    assert_eq!(since(vec![user("1"), measured("one", 500), summary("S", None), user("1")]), 9);
}

#[test]
fn images_are_long() {
    let image = Part::Image { mime_type: "image/png".into(), data: String::new() };
    assert!(
        shown::is_long(&[image])
            && shown::is_long(&[Part::Text(long(201))])
            && !shown::is_long(&[Part::Text(long(200))])
    );
}

#[derive(Debug, Clone)]
enum Step {
    Say(usize),
    Answer(usize),
    Call(Vec<usize>),
    Steer,
    Note,
    Undo,
    Compact { trigger: Trigger, keep: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let triggers = vec![Trigger::Threshold, Trigger::Overflow, Trigger::Request];
    prop_oneof![
        2 => (0..300usize).prop_map(Step::Say),
        2 => (0..300usize).prop_map(Step::Answer),
        4 => prop::collection::vec(0..500usize, 1..4).prop_map(Step::Call),
        1 => Just(Step::Steer),
        1 => Just(Step::Note),
        1 => Just(Step::Undo),
        2 => (prop::sample::select(triggers), 0..3_000u64)
            .prop_map(|(trigger, keep)| Step::Compact { trigger, keep }),
    ]
}

/// A conversation that goes on behind what the plans decide.
fn live(steps: &[Step]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for step in steps {
        match step {
            Step::Say(n) => append(&mut entries, &user(&long(*n))),
            Step::Answer(n) => append(&mut entries, &answer(&long(*n))),
            Step::Call(outputs) => {
                let ids: Vec<String> = (0..outputs.len()).map(|n| format!("c{n}")).collect();
                append(&mut entries, &reading(&ids.iter().map(String::as_str).collect::<Vec<_>>()));
                for (id, n) in ids.iter().zip(outputs).rev() {
                    append(&mut entries, &change("t1"));
                    append(&mut entries, &result(id, &long(*n)));
                }
            }
            Step::Steer => append(&mut entries, &steering("quick")),
            Step::Note => append(&mut entries, &attached("<file>")),
            Step::Undo => append(&mut entries, &undo("t2", &["a"])),
            Step::Compact { trigger, keep } => {
                let branch: Vec<&Entry> = entries.iter().collect();
                let input = Input { trigger: *trigger, used_now: 5_000, window: Some(WINDOW), keep: *keep };
                let record = match plan(&branch, input) {
                    Plan::Nothing => continue,
                    Plan::Blank(record) => record,
                    Plan::Summarise(summarise) => summarise.with("S".into()),
                };
                check_cut(&entries, &record, *keep);
                append(&mut entries, &Record::Compaction(record));
            }
        }
    }
    entries
}

fn check_cut(entries: &[Entry], record: &CompactionRecord, keep: u64) {
    let Some(kept_from) = record.kept_from.or(record.blanked_before) else { return };
    let kept: Vec<&Entry> = entries.iter().filter(|entry| entry.id >= EntryId(kept_from)).collect();
    assert!(cut::may_begin(&Record::read(kept[0]).unwrap()));
    assert!(Stored::read(&kept).len() == kept.len());
    let unblanked: u64 = kept.iter().map(|entry| size::of_entry(entry)).sum();
    assert!(unblanked <= keep || entries.iter().any(|entry| entry.payload.contains("blanked_before")));
}

proptest! {
    #[test]
    fn every_call_is_followed_by_its_one_result(steps in prop::collection::vec(any_step(), 0..40)) {
        let loaded = load(&session(live(&steps)));
        prop_assert!(loaded.missing.is_empty());
        let items = loaded.transcript.items();
        let mut items = items.iter().map(|item| &item.kind);
        while let Some(item) = items.next() {
            prop_assert!(!matches!(item, ItemKind::ToolResult { .. }), "a result without a call");
            let ItemKind::Assistant(answer) = item else { continue };
            for call in answer.tool_calls() {
                let result = items.next();
                let id = match result {
                    Some(ItemKind::ToolResult { call_id, .. }) => Some(call_id),
                    _ => None,
                };
                prop_assert_eq!(id, Some(&call.call_id));
            }
        }
    }

    #[test]
    fn a_compaction_leaves_nothing_older_than_what_it_kept(steps in prop::collection::vec(any_step(), 0..40), keep in 0..3_000u64) {
        let mut entries = live(&steps);
        let input = Input { trigger: Trigger::Request, used_now: 5_000, window: Some(WINDOW), keep };
        if let Plan::Summarise(summarise) = plan(&entries.iter().collect::<Vec<_>>(), input) {
            append(&mut entries, &Record::Compaction(summarise.with("S".into())));
        }
        prop_assert!(matches!(plan(&entries.iter().collect::<Vec<_>>(), input), Plan::Nothing));
    }
}

use expect_test::{Expect, expect};

use super::*;
use crate::journal::record::FileStateRecord;
use crate::journal::testing::*;

#[track_caller]
fn check(records: Vec<Record>, expected: Expect) {
    expected.assert_eq(&ledger(&stored(records), 10_000));
}

fn file(path: &str, hash: &str, changed: bool) -> Record {
    let mut result = result_record("f", "…");
    result.files = vec![FileStateRecord { path: path.into(), hash: hash.into() }];
    result.diff = changed.then(|| "-a\n+b\n".into());
    Record::ToolResult(result)
}

fn read(path: &str, hash: &str) -> Record {
    file(path, hash, false)
}

fn changed(path: &str, hash: &str) -> Record {
    file(path, hash, true)
}

fn ran(call_id: &str, command: &str, exit_code: Option<i32>, ok: bool) -> [Record; 2] {
    let result = ToolResultRecord { exit_code, ok, ..result_record(call_id, "…") };
    [running(call_id, command), Record::ToolResult(result)]
}

#[test]
fn an_empty_branch() {
    check(vec![], expect![""]);
}

#[test]
fn a_changed_file_is_not_listed_as_read() {
    check(
        vec![
            read("a", "h1"),
            read("b", "h2"),
            changed("a", "h3"),
            read("c", "h4"),
            changed("d", "h5"),
            read("a", "h6"),
            changed("e", "h7"),
            undo("t2", &["e", "unknown"]),
        ],
        expect![[r#"
            Files changed, latest first, with their hash as last seen:
            - e (changes taken back)
            - a h6
            - d h5

            Files read and not changed:
            - c h4
            - b h2

        "#]],
    );
}

#[test]
fn a_command_is_listed_once_with_how_it_ended_last() {
    let mut records = Vec::new();
    records.extend(ran("a", "cargo test", Some(101), true));
    records.extend(ran("b", "cat <<E\nx\nE", Some(0), true));
    records.extend(ran("c", "cargo test", Some(0), true));
    records.extend(ran("d", "npm start", None, true));
    records.extend(ran("e", "rm -rf /", None, false));
    records.extend(ran("f", &format!("echo {}", "x".repeat(300)), Some(0), true));
    records.push(running("g", "sleep 100"));
    records.push(calling("", &[("h", "read", r#"{"path":"a"}"#), ("i", "bash", "{\"command")]));
    check(
        records,
        expect![[r#"
        Commands run, latest first:
        - no result: sleep 100
        - exit code 0: echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
        - failed or refused: rm -rf /
        - no exit code: npm start
        - exit code 0: cargo test
        - exit code 0: cat <<E ⏎ x ⏎ E

    "#]],
    );
}

#[test]
fn parallel_commands_get_their_own_endings() {
    let result = |call_id: &str, code| {
        Record::ToolResult(ToolResultRecord { exit_code: Some(code), ..result_record(call_id, "…") })
    };
    let both = [("a", "bash", r#"{"command":"one"}"#), ("b", "bash", r#"{"command":"two"}"#)];
    check(
        vec![calling("", &both), result("b", 2), result("a", 1), calling("", &both), result("b", 0)],
        expect![[r#"
            Commands run, latest first:
            - exit code 0: two
            - no result: one

        "#]],
    );
}

#[test]
fn the_last_instruction_stands_word_for_word() {
    check(
        vec![user("first"), answer("done"), user("use ``` here\nand there")],
        expect![[r#"
        The user's last instruction, word for word (not answered yet):
        ````
        use ``` here
        and there
        ````
    "#]],
    );
    check(
        vec![user("first"), reading(&["a"]), result("a", "1"), steering("quick"), answer("done")],
        expect![[r#"
            The user's last instruction, word for word (answered):
            ```
            quick
            ```
        "#]],
    );
    check(
        vec![user("first"), cut_off("so f")],
        expect![[r#"
        The user's last instruction, word for word (not answered yet):
        ```
        first
        ```
    "#]],
    );
    let long = ledger(&stored(vec![user(&format!("begin {} end", "x".repeat(9_000)))]), 10_000);
    assert!(long.contains("begin x") && long.contains("x end") && long.chars().count() < 4_200);
}

#[test]
fn long_lists_show_the_latest() {
    let mut records = Vec::new();
    for n in 0..70 {
        records.push(read(&format!("read{n}"), "h"));
        records.push(changed(&format!("changed{n}"), "h"));
        records.extend(ran("a", &format!("command {n}"), Some(0), true));
    }
    let records = stored(records);
    let short = ledger(&records, 300);
    assert!(tokens::of_text(&short) <= 300 && short.contains(": command 69"));
    let ledger = ledger(&records, 10_000);
    let lines =
        ledger.lines().filter(|line| line.contains("9 h") || line.contains("more") || line.ends_with('9'));
    expect![[r#"
        - changed69 h
        - changed59 h
        - changed49 h
        - changed39 h
        - changed29 h
        - changed19 h
        - and 10 more
        - read69 h
        - read59 h
        - read49 h
        - read39 h
        - read29 h
        - read19 h
        - and 10 more
        - exit code 0: command 69
        - exit code 0: command 59
        - exit code 0: command 49
        - and 40 more"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_compaction_takes_nothing_from_it() {
    check(
        vec![user("first"), changed("a", "h1"), answer("done"), summary("S", None)],
        expect![[r#"
        Files changed, latest first, with their hash as last seen:
        - a h1

        The user's last instruction, word for word (answered):
        ```
        first
        ```
    "#]],
    );
}

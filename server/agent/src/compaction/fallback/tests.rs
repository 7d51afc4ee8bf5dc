use expect_test::{Expect, expect};

use super::*;
use crate::journal::record::ToolResultRecord;
use crate::journal::testing::*;

#[track_caller]
fn check(previous: Option<&str>, records: Vec<Record>, expected: Expect) {
    expected.assert_eq(&fallback(previous, &stored(records), 10_000));
}

#[test]
fn what_was_said_and_what_failed() {
    let failed = ToolResultRecord {
        exit_code: Some(1),
        tool: "bash".into(),
        ..result_record("a", "error: no\n[exit code 1]\n")
    };
    check(
        Some("## Goal\n\nAn earlier one.\n"),
        vec![
            user("fix it\nplease"),
            answer("Looking."),
            running("a", "make"),
            Record::ToolResult(failed),
            steering("quick"),
            calling("", &[("b", "read", "{}")]),
            result("b", "fine"),
        ],
        expect![[r#"
            No model could be asked for this summary; Opal put it together from the conversation itself.

            <previous_summary>
            ## Goal

            An earlier one.
            </previous_summary>

            ## Goal

            What the user said, oldest first:
            - fix it
              please
            - quick

            ## Constraints and preferences

            What the user said above binds.

            ## Done

            Not summarised. The ledger lists the files changed and the commands run.

            ## In progress

            The last that was said to the user:

            > Looking.

            ## Decisions

            Not summarised.

            ## Next steps

            Look at what stands in the files before going on; do not repeat what is done.

            ## Facts to keep

            What failed last was `bash`:

            > error: no
            > [exit code 1]
        "#]],
    );
}

#[test]
fn next_to_nothing() {
    check(
        None,
        vec![result("a", "1")],
        expect![[r#"
        No model could be asked for this summary; Opal put it together from the conversation itself.

        ## Goal

        What the user said, oldest first:
        - (nothing new)

        ## Constraints and preferences

        What the user said above binds.

        ## Done

        Not summarised. The ledger lists the files changed and the commands run.

        ## In progress

        Nothing was said to the user yet.

        ## Decisions

        Not summarised.

        ## Next steps

        Look at what stands in the files before going on; do not repeat what is done.

        ## Facts to keep

        No call has failed.
    "#]],
    );
}

#[test]
fn many_long_prompts() {
    let prompts: Vec<Record> = (0..25).map(|n| user(&format!("prompt {n} {}", "x".repeat(1_000)))).collect();
    let summary = fallback(Some(&long(10_000)), &stored(prompts.clone()), 10_000);
    assert!(!summary.contains("prompt 4 ") && summary.contains("prompt 5 ") && summary.contains("5 earlier"));
    assert!(summary.chars().count() < 20 * 600 + 8_000 + 1_500);
    assert!(fallback(None, &stored(prompts), 500).len() < 500 * 4 + 50);
}

use expect_test::expect;

use super::super::testing::*;
use super::*;

#[test]
fn what_the_conversation_takes_up() {
    let taken = |total, window| {
        let Record::Assistant(answer) = measured("2", total) else { unreachable!() };
        let answer = Record::Assistant(AssistantRecord { window, ..answer });
        let told = markdown(&session(entries(vec![user("1"), answer, cut_off("3")])));
        told.rsplit_once("takes ").unwrap().1.trim_end().to_owned()
    };
    assert_eq!(taken(2_449, Some(200_000)), "2,449 of 200,000 tokens (1 %).*");
    assert_eq!(taken(999, Some(1_000)), "999 of 1,000 tokens (99 %).*");
    assert_eq!(taken(1_234_567, Some(1_000_000)), "1,234,567 of 1,000,000 tokens (123 %).*");
    assert_eq!(taken(1, Some(0)), "1 tokens of the model's window.*");
    assert_eq!(taken(12_345, None), "12,345 tokens of the model's window.*");
}

#[test]
fn a_reader_sees_what_was_before_a_compaction() {
    let mut read = result_record("a", "fn a() {}");
    read.tool = "read".into();
    let session = session(entries(vec![
        user("rename it"),
        reading(&["a"]),
        Record::ToolResult(read),
        blanking(2),
        change("t1"),
        answer("renamed"),
        summary("## Goal\n\nRename.", Some(6)),
        undo("t2", &["src/a.rs", "src/b.rs"]),
        cut_off("so f"),
    ]));
    expect![[r#"
        # s

        Directory: `/w`

        ## User

        rename it

        ### read

        ```
        fn a() {}
        ```

        *The conversation was compacted here: about 900 tokens before, 100 after.*

        ## Opal

        renamed

        *The conversation was compacted here: about 900 tokens before, 100 after.*

        ## Summary

        ### Goal

        Rename.

        *Changes were taken back: `src/a.rs`, `src/b.rs`.*

        ## Opal

        so f

        *The answer was cut off here.*
    "#]]
    .assert_eq(&markdown(&session));
    let told: Vec<_> = history(&session).into_iter().map(|told| told.what).collect();
    expect![[r###"
        [
            Compaction {
                summary: Some(
                    "## Goal\n\nRename.",
                ),
                trigger: Threshold,
                tokens_before: 900,
                tokens_after: 100,
            },
            Undo {
                turn_id: "t2",
                files: [
                    "src/a.rs",
                    "src/b.rs",
                ],
            },
            Assistant {
                text: "so f",
                interrupted: true,
            },
        ]
    "###]]
    .assert_debug_eq(&told[told.len() - 3..].to_vec());
}

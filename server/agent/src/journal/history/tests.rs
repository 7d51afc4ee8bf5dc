use expect_test::expect;

use super::super::testing::*;
use super::*;

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

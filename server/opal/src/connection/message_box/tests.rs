use expect_test::{Expect, expect};

use super::*;

const LARGE: BoxSize = BoxSize { rows: 20, width: 120 };

fn command(command: &str, grant: &str) -> Confirm {
    Confirm {
        title: "Run make".into(),
        message: "commands are asked for in this mode".into(),
        command: Some(command.into()),
        directory: Some("/work/project".into()),
        grant: Some(grant.into()),
        ..Confirm::default()
    }
}

#[track_caller]
fn check(confirm: &Confirm, expected: Expect) {
    let shown: Vec<String> = boxes(confirm, LARGE)
        .iter()
        .map(|it| format!("{}\n[{}]\n", it.message, it.actions.join("] [")))
        .collect();
    expected.assert_eq(&shown.join("----\n"));
}

#[test]
fn a_short_command_is_shown_with_directory_and_grant() {
    check(
        &command("make\nmake test", "this same command"),
        expect![[r#"
            Run make
            commands are asked for in this mode
            in /work/project
            “Allow for this session” allows from now on: this same command

            make
            make test
            [Deny] [Allow] [Allow for this session]
        "#]],
    );
}

#[test]
fn only_the_last_part_of_a_long_command_can_be_allowed() {
    let lines: Vec<String> = (1..=41).map(|n| format!("echo {n}")).collect();
    let shown = boxes(&command(&lines.join("\n"), "this same command"), LARGE);
    assert_eq!(shown.len(), 3);
    assert!(shown[0].message.ends_with("\necho 20") && !shown[0].message.contains("echo 21"));
    assert!(shown[0].message.contains("part 1 of 3") && shown[2].message.contains("echo 41"));
    assert_eq!(shown[0].actions, [DENY, NEXT]);
    assert_eq!(shown[1].actions, [DENY, NEXT]);
    assert_eq!(shown[2].actions, [DENY, ALLOW, ALLOW_SESSION]);
    for it in &shown {
        assert!(it.message.starts_with("Run make\n") && it.message.contains("in /work/project"), "{it:?}");
    }
}

#[test]
fn what_nobody_reads_in_boxes_can_only_be_denied() {
    let lines: Vec<String> = (1..=9_000).map(|n| format!("echo {n}")).collect();
    let shown = boxes(&command(&lines.join("\n"), "this same command"), LARGE);
    assert_eq!((shown.len(), &shown[0].actions), (1, &vec![DENY]));
    for part in
        ["echo 10\n", "⟨8980 lines left out⟩", "\necho 9000", "9000 lines are too many", "in /work/project"]
    {
        assert!(shown[0].message.contains(part), "{part}: {}", shown[0].message);
    }
}

#[test]
fn a_grant_that_does_not_fit_is_not_offered() {
    let shown = boxes(&command("make", &"x".repeat(1_000)), LARGE);
    assert_eq!(shown[0].actions, [DENY, ALLOW]);
}

#[test]
fn everything_in_a_box_is_printable() {
    check(
        &Confirm {
            title: "Run \u{1b}[2J".into(),
            message: "why\u{202e}".into(),
            directory: Some("/work/\u{61c}a\nb".into()),
            ..command(&format!("echo ok{}\r;rm -rf ~", " ".repeat(5_000)), "\u{9d}this")
        },
        expect![[r#"
            Run \u{1b}[2J
            why\u{202e}
            in /work/\u{61c}a⏎b
            “Allow for this session” allows from now on: \u{9d}this

            echo ok⟨5000 spaces⟩\r;rm -rf ~
            [Deny] [Allow] [Allow for this session]
        "#]],
    );
}

#[test]
fn a_small_box_shows_less_of_a_command() {
    let shown = boxes(&command("a\nb\nc\nd", "this same command"), BoxSize { rows: 3, width: 76 });
    assert_eq!(shown.len(), 2);
    assert!(shown[0].message.ends_with("after the last part.\n\na\nb\nc"), "{}", shown[0].message);
    assert!(shown[1].message.ends_with("\n\nd"), "{}", shown[1].message);
}

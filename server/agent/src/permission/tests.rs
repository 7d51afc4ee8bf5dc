use expect_test::{Expect, expect};

use super::*;

fn path(path: &str) -> AbsPath {
    AbsPath::new(if cfg!(windows) { format!("C:{path}") } else { path.to_owned() }).unwrap()
}

/// What each mode says to one action in a workspace `/w`, after the grants.
#[track_caller]
fn check(grants: &[Grant], action: Action<'_>, expected: Expect) {
    let mut out = String::new();
    for mode in [Mode::Ask, Mode::AutoEdit, Mode::Full, Mode::ReadOnly] {
        let mut permissions = Permissions::new(mode);
        grants.iter().cloned().for_each(|grant| permissions.grant(grant));
        let decision = match permissions.decide(&[path("/w")], action) {
            Decision::Allow => "allow".to_owned(),
            Decision::Ask { why, grant } => format!("ask: {why} [{grant}]"),
            Decision::Deny { why } => format!("deny: {why}"),
        };
        out += &format!("{mode:?}: {}\n", decision.replace("C:", "").replace('\\', "/"));
    }
    expected.assert_eq(&out);
}

#[test]
fn reads_inside_are_free() {
    check(
        &[],
        Action::Read { path: &path("/w/a.rs") },
        expect![[r#"
        Ask: allow
        AutoEdit: allow
        Full: allow
        ReadOnly: allow
    "#]],
    );
}

#[test]
fn reads_outside_ask() {
    check(
        &[],
        Action::Read { path: &path("/etc/passwd") },
        expect![[r#"
        Ask: ask: /etc/passwd is outside the workspace [reads in /etc]
        AutoEdit: ask: /etc/passwd is outside the workspace [reads in /etc]
        Full: allow
        ReadOnly: ask: /etc/passwd is outside the workspace [reads in /etc]
    "#]],
    );
}

#[test]
fn a_sibling_with_the_same_beginning_is_outside() {
    check(
        &[],
        Action::Read { path: &path("/ww/a.rs") },
        expect![[r#"
        Ask: ask: /ww/a.rs is outside the workspace [reads in /ww]
        AutoEdit: ask: /ww/a.rs is outside the workspace [reads in /ww]
        Full: allow
        ReadOnly: ask: /ww/a.rs is outside the workspace [reads in /ww]
    "#]],
    );
}

#[test]
fn writes_inside() {
    check(
        &[],
        Action::Write { path: &path("/w/a.rs") },
        expect![[r#"
        Ask: ask: edits are asked for in this mode [edits inside the workspace]
        AutoEdit: allow
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn writes_in_the_repositorys_own_files_ask() {
    let hook = path("/w/.git/hooks/pre-commit");
    check(
        &[Grant::WriteInside],
        Action::Write { path: &hook },
        expect![[r#"
        Ask: ask: what stands in .git can run programs [reads and edits in /w/.git/hooks/pre-commit]
        AutoEdit: ask: what stands in .git can run programs [reads and edits in /w/.git/hooks/pre-commit]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn writes_outside() {
    check(
        &[],
        Action::Write { path: &path("/x/a.rs") },
        expect![[r#"
        Ask: ask: /x/a.rs is outside the workspace [reads and edits in /x]
        AutoEdit: ask: /x/a.rs is outside the workspace [reads and edits in /x]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn commands() {
    let directory = path("/w");
    check(
        &[],
        Action::Command { command: "ls", directory: &directory },
        expect![[r#"
        Ask: ask: commands are asked for in this mode [this same command in /w: ls]
        AutoEdit: ask: commands are asked for in this mode [this same command in /w: ls]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn a_granted_command_is_exactly_that_command() {
    let directory = path("/w");
    let grant = Grant::Command { command: "ls".into(), directory: directory.clone() };
    check(
        std::slice::from_ref(&grant),
        Action::Command { command: "ls", directory: &directory },
        expect![[r#"
            Ask: allow
            AutoEdit: allow
            Full: allow
            ReadOnly: deny: this session is read-only
        "#]],
    );
    check(
        &[grant],
        Action::Command { command: "ls; rm x", directory: &directory },
        expect![[r#"
        Ask: ask: commands are asked for in this mode [this same command in /w: ls; rm x]
        AutoEdit: ask: commands are asked for in this mode [this same command in /w: ls; rm x]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn granted_edits_stay_inside() {
    check(
        &[Grant::WriteInside],
        Action::Write { path: &path("/x/a.rs") },
        expect![[r#"
        Ask: ask: /x/a.rs is outside the workspace [reads and edits in /x]
        AutoEdit: ask: /x/a.rs is outside the workspace [reads and edits in /x]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn feeding_a_command_is_as_good_as_running_one() {
    let feed = Action::Feed { handle: "bg1", command: "sh" };
    check(
        &[],
        feed,
        expect![[r#"
        Ask: ask: what a running command is fed is asked for in this mode [all input to bg1, which runs: sh]
        AutoEdit: ask: what a running command is fed is asked for in this mode [all input to bg1, which runs: sh]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
    check(
        &[Grant::Feed { handle: "bg1".into(), command: "sh".into() }],
        feed,
        expect![[r#"
        Ask: allow
        AutoEdit: allow
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
    check(
        &[Grant::Feed { handle: "bg2".into(), command: "sh".into() }],
        feed,
        expect![[r#"
        Ask: ask: what a running command is fed is asked for in this mode [all input to bg1, which runs: sh]
        AutoEdit: ask: what a running command is fed is asked for in this mode [all input to bg1, which runs: sh]
        Full: allow
        ReadOnly: deny: this session is read-only
    "#]],
    );
}

#[test]
fn the_root_of_everything_is_not_granted_by_the_way() {
    check(
        &[],
        Action::Read { path: &path("/file") },
        expect![[r#"
        Ask: ask: /file is outside the workspace [reads in /file]
        AutoEdit: ask: /file is outside the workspace [reads in /file]
        Full: allow
        ReadOnly: ask: /file is outside the workspace [reads in /file]
    "#]],
    );
}

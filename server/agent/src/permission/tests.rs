use expect_test::{Expect, expect};

use super::*;

fn path(path: &str) -> AbsPath {
    AbsPath::new(if cfg!(windows) { format!("C:{path}") } else { path.to_owned() }).unwrap()
}

fn places() -> Places {
    Places {
        home: Some(path("/home/ann")),
        data_dir: Some(path("/home/ann/.opal")),
        outputs: Some(path("/home/ann/.opal/outputs/s1")),
    }
}

/// What each mode says to one action in a workspace `/w`, after the grants.
#[track_caller]
fn check(grants: &[Grant], action: Action<'_>, expected: Expect) {
    let mut out = String::new();
    for mode in [Mode::Ask, Mode::AutoEdit, Mode::Full, Mode::ReadOnly] {
        let mut permissions = Permissions::new(mode).with_places(places());
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
            Ask: ask: /etc/passwd is outside the workspace [reads in /etc and below, except hidden files and credentials]
            AutoEdit: ask: /etc/passwd is outside the workspace [reads in /etc and below, except hidden files and credentials]
            Full: allow
            ReadOnly: ask: /etc/passwd is outside the workspace [reads in /etc and below, except hidden files and credentials]
        "#]],
    );
}

#[test]
fn a_sibling_with_the_same_beginning_is_outside() {
    check(
        &[],
        Action::Read { path: &path("/ww/a.rs") },
        expect![[r#"
            Ask: ask: /ww/a.rs is outside the workspace [reads in /ww and below, except hidden files and credentials]
            AutoEdit: ask: /ww/a.rs is outside the workspace [reads in /ww and below, except hidden files and credentials]
            Full: allow
            ReadOnly: ask: /ww/a.rs is outside the workspace [reads in /ww and below, except hidden files and credentials]
        "#]],
    );
}

#[test]
fn writes_inside() {
    check(
        &[],
        Action::Write { path: &path("/w/a.rs") },
        expect![[r#"
            Ask: ask: edits are asked for in this mode [edits in the workspace and of untitled documents, except files that run programs or hold credentials]
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
            Ask: ask: /w/.git/hooks/pre-commit: git runs hooks and configured commands from it [reads and edits of /w/.git/hooks/pre-commit]
            AutoEdit: ask: /w/.git/hooks/pre-commit: git runs hooks and configured commands from it [reads and edits of /w/.git/hooks/pre-commit]
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
            Ask: ask: /x/a.rs is outside the workspace [reads and edits of /x/a.rs]
            AutoEdit: ask: /x/a.rs is outside the workspace [reads and edits of /x/a.rs]
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
        Action::Command { command: "ls", directory: &directory, background: false },
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
    let grant = Grant::Command { command: "ls".into(), directory: directory.clone(), background: false };
    check(
        std::slice::from_ref(&grant),
        Action::Command { command: "ls", directory: &directory, background: false },
        expect![[r#"
            Ask: allow
            AutoEdit: allow
            Full: allow
            ReadOnly: deny: this session is read-only
        "#]],
    );
    check(
        &[grant],
        Action::Command { command: "ls; rm x", directory: &directory, background: false },
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
            Ask: ask: /x/a.rs is outside the workspace [reads and edits of /x/a.rs]
            AutoEdit: ask: /x/a.rs is outside the workspace [reads and edits of /x/a.rs]
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
            Ask: ask: /file is outside the workspace [reads of /file]
            AutoEdit: ask: /file is outside the workspace [reads of /file]
            Full: allow
            ReadOnly: ask: /file is outside the workspace [reads of /file]
        "#]],
    );
}

/// What a file's place does to reading and changing it unasked, in `auto_edit` and in `full`, where the roots
/// are the home directory and a project outside of it.
#[track_caller]
fn check_place(names: &[&str], expected: Expect) {
    let roots = [path("/home/ann"), path("/w")];
    let mut out = String::new();
    for name in names {
        let file = path(name);
        let [auto_edit, full] = [Mode::AutoEdit, Mode::Full].map(|mode| {
            let permissions = Permissions::new(mode).with_places(places());
            [Action::Read { path: &file }, Action::Write { path: &file }].map(|action| {
                match permissions.decide(&roots, action) {
                    Decision::Allow => "free",
                    Decision::Ask { grant: Grant::Read { .. } | Grant::Write { .. }, .. } => "asks",
                    Decision::Ask { .. } => "asks, and offers more",
                    Decision::Deny { .. } => "refused",
                }
            })
        });
        let [read, write] = auto_edit;
        out += &format!("{}: read {read}, write {write}", name.escape_default());
        if full != ["free", "free"] {
            out += &format!("; full: read {}, write {}", full[0], full[1]);
        }
        out += "\n";
    }
    expected.assert_eq(&out);
}

#[test]
fn opals_own_files_are_outside_whatever_the_roots_are() {
    check_place(
        &[
            "/home/ann/.opal/auth.json",
            "/home/ann/.opal/AUTH.JSON",
            "/home/ann/.opal/.auth-x7",
            "/home/ann/.opal/config.toml",
            "/home/ann/.OPAL/config.toml",
            "/home/ann/.opal/sessions.db",
            "/home/ann/.opal/outputs/other/call.txt",
            "/home/ann/.opal/outputs/s1/call.txt",
            "/home/ann/.opal-notes/a.md",
        ],
        expect![[r#"
            /home/ann/.opal/auth.json: read refused, write refused; full: read refused, write refused
            /home/ann/.opal/AUTH.JSON: read refused, write refused; full: read refused, write refused
            /home/ann/.opal/.auth-x7: read refused, write refused; full: read refused, write refused
            /home/ann/.opal/config.toml: read asks, write asks; full: read refused, write refused
            /home/ann/.OPAL/config.toml: read asks, write asks; full: read refused, write refused
            /home/ann/.opal/sessions.db: read asks, write asks; full: read refused, write refused
            /home/ann/.opal/outputs/other/call.txt: read asks, write asks; full: read refused, write refused
            /home/ann/.opal/outputs/s1/call.txt: read free, write asks
            /home/ann/.opal-notes/a.md: read free, write free
        "#]],
    );
}

#[test]
fn credentials_ask_inside_too() {
    check_place(
        &[
            "/home/ann/.ssh/id_ed25519",
            "/home/ann/.ssh/config",
            "/w/deploy/id_rsa",
            "/w/certs/server.PEM",
            "/home/ann/.netrc",
            "/home/ann/.aws/credentials",
            "/home/ann/.config/gh/hosts.yml",
            "/w/.npmrc",
            "/w/.env",
            "/w/web/.env.production.local",
            "/w/.env.example",
            "/w/src/keys.rs",
        ],
        expect![[r#"
            /home/ann/.ssh/id_ed25519: read asks, write asks
            /home/ann/.ssh/config: read asks, write asks
            /w/deploy/id_rsa: read asks, write asks
            /w/certs/server.PEM: read asks, write asks
            /home/ann/.netrc: read asks, write asks
            /home/ann/.aws/credentials: read asks, write asks
            /home/ann/.config/gh/hosts.yml: read asks, write asks
            /w/.npmrc: read asks, write asks
            /w/.env: read asks, write asks
            /w/web/.env.production.local: read asks, write asks
            /w/.env.example: read free, write free
            /w/src/keys.rs: read free, write free
        "#]],
    );
}

#[test]
fn edits_of_what_runs_programs_ask() {
    check_place(
        &[
            "/w/.git/hooks/pre-commit",
            "/w/.git",
            "/w/.GIT/config",
            "/w/vendor/lib/.git/modules/x/config",
            "/w/server.git/config",
            "/w/bare/HEAD",
            "/w/bare/config",
            "/w/bare/hooks/post-receive",
            "/w/.vscode/settings.json",
            "/w/.vscode/tasks.json",
            "/w/all.code-workspace",
            "/w/.envrc",
            "/w/.nvim.lua",
            "/w/.dir-locals.el",
            "/w/.mcp.json",
            "/w/sub/.claude/settings.json",
            "/w/.husky/pre-push",
            "/w/.cargo/config.toml",
            "/home/ann/.bashrc",
            "/home/ann/.config/autostart/x.desktop",
        ],
        expect![[r#"
            /w/.git/hooks/pre-commit: read free, write asks
            /w/.git: read free, write asks
            /w/.GIT/config: read free, write asks
            /w/vendor/lib/.git/modules/x/config: read free, write asks
            /w/server.git/config: read free, write asks
            /w/bare/HEAD: read free, write asks
            /w/bare/config: read free, write asks
            /w/bare/hooks/post-receive: read free, write asks
            /w/.vscode/settings.json: read free, write asks
            /w/.vscode/tasks.json: read free, write asks
            /w/all.code-workspace: read free, write asks
            /w/.envrc: read free, write asks
            /w/.nvim.lua: read free, write asks
            /w/.dir-locals.el: read free, write asks
            /w/.mcp.json: read free, write asks
            /w/sub/.claude/settings.json: read free, write asks
            /w/.husky/pre-push: read free, write asks
            /w/.cargo/config.toml: read free, write asks
            /home/ann/.bashrc: read free, write asks
            /home/ann/.config/autostart/x.desktop: read free, write asks
        "#]],
    );
}

/// See the module of names for what disks compare.
#[test]
fn other_spellings_of_a_place_are_the_place() {
    check_place(
        &[
            "/w/.git./config",
            "/w/.git /hooks/x",
            "/w/.git::$INDEX_ALLOCATION/config",
            "/w/.g\u{200c}it/config",
            "/w/GIT~1/config",
            "/w/git~2/HEAD",
            "/w/VSCODE~1/settings.json",
            "/w/NVIM~1.LUA",
            "/w/.v\u{17f}code/settings.json",
            "/w/ENV~1",
        ],
        expect![[r#"
            /w/.git./config: read free, write asks
            /w/.git /hooks/x: read free, write asks
            /w/.git::$INDEX_ALLOCATION/config: read free, write asks
            /w/.g\u{200c}it/config: read free, write asks
            /w/GIT~1/config: read free, write asks
            /w/git~2/HEAD: read free, write asks
            /w/VSCODE~1/settings.json: read free, write asks
            /w/NVIM~1.LUA: read free, write asks
            /w/.v\u{17f}code/settings.json: read free, write asks
            /w/ENV~1: read asks, write asks
        "#]],
    );
}

#[test]
fn daily_work_is_not_in_the_way() {
    check_place(
        &[
            "/w/.gitignore",
            "/w/.gitattributes",
            "/w/.github/workflows/ci.yml",
            "/w/Makefile",
            "/w/package.json",
            "/w/build.rs",
            "/w/config/app.toml",
            "/w/config.toml",
            "/w/src/hooks/useOrder.ts",
            "/w/src/head.rs",
            "/w/AGENTS.md",
            "/w/git/mod.rs",
            "/w/a~1",
            "/w/.editorconfig",
        ],
        expect![[r#"
            /w/.gitignore: read free, write free
            /w/.gitattributes: read free, write free
            /w/.github/workflows/ci.yml: read free, write free
            /w/Makefile: read free, write free
            /w/package.json: read free, write free
            /w/build.rs: read free, write free
            /w/config/app.toml: read free, write free
            /w/config.toml: read free, write free
            /w/src/hooks/useOrder.ts: read free, write free
            /w/src/head.rs: read free, write free
            /w/AGENTS.md: read free, write free
            /w/git/mod.rs: read free, write free
            /w/a~1: read free, write free
            /w/.editorconfig: read free, write free
        "#]],
    );
}

/// Work on an editor's configuration is work like any other.
#[test]
fn the_path_of_a_root_does_not_count() {
    let file = path("/home/ann/.config/nvim/lua/a.lua");
    let permissions = Permissions::new(Mode::AutoEdit).with_places(places());
    let decide = |roots: &[AbsPath]| permissions.decide(roots, Action::Write { path: &file });
    assert_eq!(decide(&[path("/home/ann"), path("/home/ann/.config/nvim")]), Decision::Allow);
    assert!(matches!(decide(&[path("/home/ann")]), Decision::Ask { .. }));
}

/// Every grant, and all that it covers of a list in which most grants have something.
#[test]
fn a_grant_covers_what_it_says() {
    let (directory, elsewhere) = (path("/w"), path("/w/sub"));
    let files = [
        "/w/a.rs",
        "/w/.git/config",
        "/w/.env",
        "/x/new.txt",
        "/x/other.txt",
        "/x/sub/deep.txt",
        "/x/.git/hooks/pre-commit",
        "/x/.ssh/id_rsa",
        "/x/.hidden",
        "/x/server.pem",
        "/home/ann/notes.txt",
        "/home/ann/other.txt",
        "/home/ann/.opal/auth.json",
        "/home/ann/.opal/config.toml",
        "/home/ann/.opal/sessions.db",
    ]
    .map(path);
    let mut actions: Vec<(String, Action<'_>)> = Vec::new();
    for path in &files {
        actions.push((format!("read {path}"), Action::Read { path }));
        actions.push((format!("write {path}"), Action::Write { path }));
    }
    actions.push(("write untitled".into(), Action::WriteDocument));
    for (command, directory, background) in [
        ("sleep 1", &directory, false),
        ("sleep 1", &directory, true),
        ("sleep 1", &elsewhere, false),
        ("sleep 1 ", &directory, false),
    ] {
        let name = format!("run `{command}` in {directory}{}", if background { " behind" } else { "" });
        actions.push((name, Action::Command { command, directory, background }));
    }
    for (handle, command) in [("bg1", "sh"), ("bg2", "sh"), ("bg1", "bash")] {
        actions.push((format!("feed {handle}, {command}"), Action::Feed { handle, command }));
    }

    let roots = [directory.clone()];
    let mut grants: Vec<Grant> = Vec::new();
    for (_, action) in &actions {
        for mode in [Mode::Ask, Mode::AutoEdit] {
            match Permissions::new(mode).with_places(places()).decide(&roots, *action) {
                Decision::Ask { grant, .. } if !grants.contains(&grant) => grants.push(grant),
                _ => {}
            }
        }
    }
    let mut out = String::new();
    for grant in grants {
        let mut granted = Permissions::new(Mode::Ask).with_places(places());
        granted.grant(grant.clone());
        let nothing = Permissions::new(Mode::Ask).with_places(places());
        out += &format!("{grant}\n");
        for (name, action) in &actions {
            let is_allowed =
                |permissions: &Permissions| permissions.decide(&roots, *action) == Decision::Allow;
            if is_allowed(&granted) && !is_allowed(&nothing) {
                out += &format!("  {name}\n");
            }
        }
    }
    expect![[r#"
        edits in the workspace and of untitled documents, except files that run programs or hold credentials
          write /w/a.rs
          write untitled
        reads and edits of /w/.git/config
          write /w/.git/config
        reads of /w/.env
          read /w/.env
        reads and edits of /w/.env
          read /w/.env
          write /w/.env
        reads in /x and below, except hidden files and credentials
          read /x/new.txt
          read /x/other.txt
          read /x/sub/deep.txt
        reads and edits of /x/new.txt
          read /x/new.txt
          write /x/new.txt
        reads and edits of /x/other.txt
          read /x/other.txt
          write /x/other.txt
        reads in /x/sub and below, except hidden files and credentials
          read /x/sub/deep.txt
        reads and edits of /x/sub/deep.txt
          read /x/sub/deep.txt
          write /x/sub/deep.txt
        reads in /x/.git/hooks and below, except hidden files and credentials
          read /x/.git/hooks/pre-commit
        reads and edits of /x/.git/hooks/pre-commit
          read /x/.git/hooks/pre-commit
          write /x/.git/hooks/pre-commit
        reads of /x/.ssh/id_rsa
          read /x/.ssh/id_rsa
        reads and edits of /x/.ssh/id_rsa
          read /x/.ssh/id_rsa
          write /x/.ssh/id_rsa
        reads of /x/.hidden
          read /x/.hidden
        reads and edits of /x/.hidden
          read /x/.hidden
          write /x/.hidden
        reads of /x/server.pem
          read /x/server.pem
        reads and edits of /x/server.pem
          read /x/server.pem
          write /x/server.pem
        reads of /home/ann/notes.txt
          read /home/ann/notes.txt
        reads and edits of /home/ann/notes.txt
          read /home/ann/notes.txt
          write /home/ann/notes.txt
        reads of /home/ann/other.txt
          read /home/ann/other.txt
        reads and edits of /home/ann/other.txt
          read /home/ann/other.txt
          write /home/ann/other.txt
        reads of /home/ann/.opal/config.toml
          read /home/ann/.opal/config.toml
        reads and edits of /home/ann/.opal/config.toml
          read /home/ann/.opal/config.toml
          write /home/ann/.opal/config.toml
        reads of /home/ann/.opal/sessions.db
          read /home/ann/.opal/sessions.db
        reads and edits of /home/ann/.opal/sessions.db
          read /home/ann/.opal/sessions.db
          write /home/ann/.opal/sessions.db
        this same command in /w: sleep 1
          run `sleep 1` in /w
        this same command in the background in /w: sleep 1
          run `sleep 1` in /w behind
        this same command in /w/sub: sleep 1
          run `sleep 1` in /w/sub
        this same command in /w: sleep 1 
          run `sleep 1 ` in /w
        all input to bg1, which runs: sh
          feed bg1, sh
        all input to bg2, which runs: sh
          feed bg2, sh
        all input to bg1, which runs: bash
          feed bg1, bash
    "#]]
    .assert_eq(&out.replace("C:", "").replace('\\', "/"));
}

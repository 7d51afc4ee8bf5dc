#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::{Expect, expect};

use super::*;

/// Resolves a name in a directory with these links, `dir/` and `file`; `ROOT` stands for the directory's own
/// path and `UP` for its parent's, in links and in what is shown.
#[track_caller]
fn check(links: &[(&str, &str)], name: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let up = fs::canonicalize(directory.path()).unwrap();
    let root = up.join("root");
    fs::create_dir_all(root.join("dir/sub")).unwrap();
    fs::write(root.join("file"), "").unwrap();
    for (link, target) in links {
        symlink(target.replace("ROOT", root.to_str().unwrap()), root.join(link)).unwrap();
    }
    let path = AbsPath::new(root.clone()).unwrap().join(name);
    let shown = match resolve(&path) {
        Ok(resolved) => resolved.to_string(),
        Err(error) => format!("error: {error}"),
    };
    let shown = shown.replace(root.to_str().unwrap(), "ROOT").replace(up.to_str().unwrap(), "UP");
    expected.assert_eq(&shown);
}

#[test]
fn a_path_without_links_stands_for_itself() {
    check(&[], "file", expect!["ROOT/file"]);
    check(&[], "dir/sub", expect!["ROOT/dir/sub"]);
    check(&[], "dir/new/file", expect!["ROOT/dir/new/file"]);
    check(&[], "file/below", expect!["ROOT/file/below"]);
    check(&[], "", expect!["ROOT"]);
}

#[test]
fn links_are_followed() {
    check(&[("link", "file")], "link", expect!["ROOT/file"]);
    check(&[("link", "ROOT/dir")], "link/sub/new", expect!["ROOT/dir/sub/new"]);
    check(&[("one", "two"), ("two", "./dir/../three"), ("three", "dir")], "one/sub", expect!["ROOT/dir/sub"]);
    check(&[("link", "dir/sub")], "link/../file", expect!["ROOT/file"]);
    check(&[("link", "dir/sub/../..")], "link/file", expect!["ROOT/file"]);
    check(&[("link", "/")], "link/no-such-directory/x", expect!["/no-such-directory/x"]);
}

#[test]
fn a_link_to_nothing_leads_to_what_it_would_create() {
    check(&[("link", "../outside/keys")], "link", expect!["UP/outside/keys"]);
    check(&[("link", "new/file")], "link", expect!["ROOT/new/file"]);
    check(&[("link", "new")], "link/file", expect!["ROOT/new/file"]);
    check(&[("link", "/no-such-directory/x")], "link", expect!["/no-such-directory/x"]);
    check(&[("one", "two"), ("two", "dir/new")], "one", expect!["ROOT/dir/new"]);
}

#[test]
fn what_leads_nowhere_is_an_error() {
    check(
        &[("link", "link")],
        "link",
        expect!["error: the path leads over more than 40 links, or in a circle"],
    );
    check(
        &[("one", "two/x"), ("two", "one/y")],
        "one",
        expect!["error: the path leads over more than 40 links, or in a circle"],
    );
    for target in ["new/../file", "file/../file"] {
        check(
            &[("link", target)],
            "link",
            expect!["error: a link on the path leads up (`..`) from a directory that does not exist"],
        );
    }
}

#[test]
fn a_path_that_is_too_long_is_an_error_before_anything_is_looked_at() {
    let path = |n_components: usize| AbsPath::new(PathBuf::from("/a".repeat(n_components))).unwrap();
    for n_components in [2_049, 15_000, 1_000_000] {
        assert!(matches!(resolve(&path(n_components)), Err(ResolveError::TooLong { .. })), "{n_components}");
    }
    resolve(&path(2_048)).unwrap();
}

#[test]
fn what_cannot_be_looked_at_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    let closed = root.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
    let is_root = fs::read_dir(&closed).is_ok();
    let resolved = resolve(&AbsPath::new(closed.join("file")).unwrap());
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    // Permissions are nothing to root.
    assert!(is_root || matches!(resolved, Err(ResolveError::Io { .. })), "{resolved:?}");

    for name in ["n".repeat(300), "nul\0".to_owned()] {
        let resolved = resolve(&AbsPath::new(root.join(name)).unwrap());
        assert!(matches!(resolved, Err(ResolveError::Io { .. })), "{resolved:?}");
    }
}

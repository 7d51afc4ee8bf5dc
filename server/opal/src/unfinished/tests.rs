use expect_test::{Expect, expect};

use super::*;

/// A process is killed after it has noted a write of `new` over `old` in place, and left `stands`. Shows what
/// stands there after the next start, and what the user is told.
#[track_caller]
fn check_in_place(old: &str, new: &str, stands: Option<&str>, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    let path = AbsPath::new(root.join("file")).unwrap();
    let unfinished = Unfinished::new(&root.join("data"));
    kill(unfinished.in_place(&path, old.as_bytes(), new.as_bytes()).unwrap());
    if let Some(stands) = stands {
        fs::write(path.as_path(), stands).unwrap();
    }
    let notices = unfinished.recover(SystemTime::now());
    let stands = fs::read_to_string(path.as_path()).ok();
    let left: Vec<_> = left(&unfinished).iter().map(|path| path.extension().unwrap().to_owned()).collect();
    let notices: Vec<_> =
        notices.iter().map(|notice| notice.split("; its text").next().unwrap_or_default()).collect();
    let shown = format!("{stands:?} {left:?} {notices:?}").replace(root.to_str().unwrap(), "ROOT");
    expected.assert_eq(&shown);
    assert_eq!(unfinished.recover(SystemTime::now()), [""; 0], "it is told once");
}

/// The process that wrote a note is gone: its lock is free, and the note is there.
fn kill(mut note: Note) {
    note.file = None;
}

fn left(unfinished: &Unfinished) -> Vec<PathBuf> {
    fs::read_dir(&unfinished.directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_write_in_place_that_was_cut_off_is_finished() {
    check_in_place("old text\n", "new\n", Some("new text\n"), expect![[r#"Some("new\n") [] []"#]]);
    check_in_place("old\n", "new text\n", Some("new t"), expect![[r#"Some("new text\n") [] []"#]]);
    check_in_place("old\n", "new text\n", Some("new text\n"), expect![[r#"Some("new text\n") [] []"#]]);
    check_in_place("old text\n", "new\n", Some("new\ntext\n"), expect![[r#"Some("new\n") [] []"#]]);
    check_in_place("old text\n", "new\n", Some("old text\n"), expect![[r#"Some("old text\n") [] []"#]]);
    check_in_place("same 1\n", "same 2\n", Some("same 1\n"), expect![[r#"Some("same 1\n") [] []"#]]);
}

#[test]
fn a_file_that_was_changed_since_is_left_alone() {
    check_in_place(
        "old\n",
        "new\n",
        Some("theirs\n"),
        expect![[
            r#"Some("theirs\n") ["kept"] ["a write that was cut off cannot be finished: ROOT/file was changed since"]"#
        ]],
    );
    check_in_place("old\n", "new\n", None, expect!["None [] []"]);
}

#[test]
fn a_temporary_file_of_a_killed_process_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let unfinished = Unfinished::new(&directory.path().join("data"));
    let path = |name: &str| AbsPath::new(directory.path().join(name)).unwrap();
    let of_living = unfinished.temporary(&path("living.tmp")).unwrap();
    kill(unfinished.temporary(&path("killed.tmp")).unwrap());
    kill(unfinished.temporary(&path("never-created.tmp")).unwrap());
    for name in ["living.tmp", "killed.tmp"] {
        fs::write(path(name).as_path(), "").unwrap();
    }
    assert_eq!(unfinished.recover(SystemTime::now()), [""; 0]);
    assert!(path("living.tmp").as_path().exists() && !path("killed.tmp").as_path().exists());
    assert_eq!(left(&unfinished).len(), 1);
    of_living.end();
    assert_eq!(left(&unfinished), Vec::<PathBuf>::new());
}

#[test]
fn a_note_that_is_no_note_is_kept_and_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let unfinished = Unfinished::new(directory.path());
    unfinished.create_directory().unwrap();
    for (name, content) in
        [("a.note", "junk"), ("b.note", r#"{"in_place":{"uri":"file:///x","n_old":9,"n_new":9}}"#)]
    {
        fs::write(unfinished.directory.join(name), content).unwrap();
    }
    fs::write(unfinished.directory.join("c.new"), "half a no").unwrap();
    assert_eq!(unfinished.recover(SystemTime::now()).len(), 2);
    assert_eq!(left(&unfinished).len(), 3);
    assert_eq!(unfinished.recover(SystemTime::now() + AGE + AGE).len(), 0);
    assert_eq!(left(&unfinished).len(), 2);
}

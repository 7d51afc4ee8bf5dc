use std::path::Path;
use std::sync::Arc;

use expect_test::{Expect, expect};

use super::*;
use crate::unfinished::Unfinished;

/// Writes a text over another, or where nothing is.
fn write_over(path: &AbsPath, base: Option<&str>, text: &str) -> Result<(), WriteError> {
    let data_dir = tempfile::tempdir().unwrap();
    let unfinished = Unfinished::new(data_dir.path());
    let waiting = Arc::new(());
    let written = write(&new_text(path, base, text), &unfinished, &Awaited::by(&waiting));
    let left = fs::read_dir(data_dir.path().join("unfinished")).into_iter().flatten().count();
    assert_eq!(left, 0, "no note stays");
    written
}

fn new_text(path: &AbsPath, base: Option<&str>, text: &str) -> NewText {
    NewText { path: path.clone(), base: base.map(Rope::from_str), text: Rope::from_str(text), max: 1 << 20 }
}

fn path(directory: &tempfile::TempDir, name: &str) -> AbsPath {
    AbsPath::new(directory.path().canonicalize().unwrap().join(name)).unwrap()
}

/// Writes over a file with these bytes and shows what stands then.
#[track_caller]
fn check_write(before: Option<&[u8]>, text: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "sub/file");
    let mut base = None;
    if let Some(before) = before {
        std::fs::create_dir_all(path.as_path().parent().unwrap()).unwrap();
        std::fs::write(path.as_path(), before).unwrap();
        base = Some(read(&path, 1 << 20).unwrap().text.to_string());
    }
    write_over(&path, base.as_deref(), text).unwrap();
    let bytes = std::fs::read(path.as_path()).unwrap();
    let left = names(&path.parent().unwrap());
    expected.assert_eq(&format!("{} {left:?}", bytes.escape_ascii()));
}

#[test]
fn files_and_their_directories_are_made() {
    check_write(None, "a\n", expect![[r#"a\n ["file"]"#]]);
}

#[test]
fn the_encoding_is_kept() {
    check_write(Some(b"\xef\xbb\xbfold\r\n"), "new\r\n", expect![[r#"\xef\xbb\xbfnew\r\n ["file"]"#]]);
    check_write(Some(b"\xff\xfea\0"), "é", expect![[r#"\xff\xfe\xe9\x00 ["file"]"#]]);
}

#[test]
#[cfg(unix)]
fn a_replaced_file_with_the_same_bytes_is_not_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "file");
    std::fs::write(path.as_path(), "same").unwrap();
    let file = fs::File::open(path.as_path()).unwrap();
    let old = write::Old { file, bytes: b"same".to_vec() };
    assert!(write::stands(&new_text(&path, None, ""), &old).unwrap());
    std::fs::write(directory.path().join("other"), "same").unwrap();
    std::fs::rename(directory.path().join("other"), path.as_path()).unwrap();
    assert!(!write::stands(&new_text(&path, None, ""), &old).unwrap());
}

#[track_caller]
fn check_read(make: impl FnOnce(&Path), expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "file");
    make(path.as_path());
    let shown = match read(&path, 16) {
        Ok(read) => format!("{:?} {:?}", read.text.to_string(), read.encoding),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown.replace(&path.to_string(), "FILE"));
}

#[test]
fn what_cannot_be_read_says_why() {
    check_read(|_| {}, expect!["FILE does not exist"]);
    check_read(|path| fs::create_dir(path).unwrap(), expect!["FILE is a directory"]);
    check_read(|path| fs::write(path, b"a\0b").unwrap(), expect!["FILE is binary"]);
    check_read(
        |path| fs::write(path, b"caf\xe9 au lait").unwrap(),
        expect!["FILE is not UTF-8 or UTF-16 text"],
    );
    check_read(
        |path| fs::write(path, [b'a'; 17]).unwrap(),
        expect!["FILE has 17 bytes, more than the 16 that can be read"],
    );
    check_read(|path| fs::write(path, "é\r\n").unwrap(), expect![[r#""é\r\n" Utf8"#]]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_pipe_is_no_file_and_does_not_wait() {
        check_read(
            |path| {
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
                    .unwrap();
            },
            expect!["FILE is not a regular file"],
        );
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "pipe");
        rustix::fs::mknodat(rustix::fs::CWD, path.as_path(), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert_eq!(holds(&path, &Rope::new(), 16), Ok(false));
    }

    #[test]
    fn a_file_in_a_directory_that_cannot_be_listed_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "file");
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o300)).unwrap();
        write_over(&path, None, "new").unwrap();
        assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "new");
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    }

    /// The file is written and what stands there then, after `look` has been at it.
    #[track_caller]
    fn check_kept<T: PartialEq + std::fmt::Debug>(path: &AbsPath, look: impl Fn(&Path) -> T) {
        let before = look(path.as_path());
        let base = fs::read_to_string(path.as_path()).unwrap();
        write_over(path, Some(&base), "new, and longer than the old text\n").unwrap();
        assert_eq!(look(path.as_path()), before);
        assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "new, and longer than the old text\n");
        write_over(path, Some("new, and longer than the old text\n"), "short").unwrap();
        assert_eq!(look(path.as_path()), before);
        assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "short");
        assert!(names(&path.parent().unwrap()).iter().all(|name| !name.ends_with(".tmp")));
    }

    #[test]
    fn other_names_of_a_file_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "file");
        fs::write(path.as_path(), "old\n").unwrap();
        fs::hard_link(path.as_path(), directory.path().join("other")).unwrap();
        check_kept(&path, |path| fs::metadata(path).unwrap().ino());
        assert_eq!(fs::read_to_string(directory.path().join("other")).unwrap(), "short");
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    fn extended_attributes_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "file");
        fs::write(path.as_path(), "old\n").unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(path.as_path(), "user.note", b"kept", flags).is_err() {
            // Not every file system has them.
            return;
        }
        check_kept(&path, |path| {
            let mut value = vec![0; 100];
            let n_bytes = rustix::fs::getxattr(path, "user.note", value.as_mut_slice()).unwrap();
            value.truncate(n_bytes);
            value
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn access_control_lists_are_kept_and_none_are_added() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "file");
        let acl = |path: &Path, name: &str| {
            let mut value = vec![0; 100];
            let n_bytes = rustix::fs::getxattr(path, name, value.as_mut_slice()).ok()?;
            value.truncate(n_bytes);
            Some(value)
        };
        // Version 2; the owner, user 12345, the group, the mask, others: each a tag, permissions and an id.
        let entries = [
            (1_u16, 6_u16, u32::MAX),
            (2, 6, 12_345),
            (4, 4, u32::MAX),
            (16, 6, u32::MAX),
            (32, 0, u32::MAX),
        ];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend(
                tag.to_le_bytes().into_iter().chain(permissions.to_le_bytes()).chain(id.to_le_bytes()),
            );
        }
        fs::write(path.as_path(), "old\n").unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(path.as_path(), "system.posix_acl_access", &list, flags).is_err() {
            return;
        }
        check_kept(&path, |path| (acl(path, "system.posix_acl_access"), fs::metadata(path).unwrap().mode()));

        let plain = super::path(&directory, "plain");
        fs::write(plain.as_path(), "old\n").unwrap();
        rustix::fs::setxattr(directory.path(), "system.posix_acl_default", &list, flags).unwrap();
        check_kept(&plain, |path| (acl(path, "system.posix_acl_access"), fs::metadata(path).unwrap().mode()));
    }

    #[test]
    fn a_file_in_a_directory_that_cannot_be_written_to_is_written_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "sub/file");
        let sub = directory.path().join("sub");
        fs::create_dir(&sub).unwrap();
        fs::write(path.as_path(), "old\n").unwrap();
        fs::set_permissions(&sub, PermissionsExt::from_mode(0o500)).unwrap();
        check_kept(&path, |path| fs::metadata(path).unwrap().mode());
        fs::set_permissions(&sub, PermissionsExt::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_link_that_was_put_there_is_not_written_through() {
        for (base, target) in [(Some("old"), "old"), (None, "")] {
            let directory = tempfile::tempdir().unwrap();
            let (path, outside) = (path(&directory, "file"), directory.path().join("outside"));
            if base.is_some() {
                fs::write(&outside, target).unwrap();
            }
            std::os::unix::fs::symlink(&outside, path.as_path()).unwrap();
            assert!(matches!(write_over(&path, base, "new"), Err(WriteError::Stale)));
            assert_eq!(fs::read_to_string(&outside).unwrap_or_default(), target);
        }
    }

    #[test]
    fn permissions_are_kept_and_read_only_files_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "script");
        fs::write(path.as_path(), "old").unwrap();
        fs::set_permissions(path.as_path(), PermissionsExt::from_mode(0o750)).unwrap();
        write_over(&path, Some("old"), "new").unwrap();
        assert_eq!(fs::metadata(path.as_path()).unwrap().permissions().mode() & 0o7777, 0o750);

        fs::set_permissions(path.as_path(), PermissionsExt::from_mode(0o444)).unwrap();
        let error = write_over(&path, Some("new"), "newer").unwrap_err();
        assert_eq!(error.to_string(), format!("{path} cannot be written: it is read-only"));
        assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "new");
    }
}

#[track_caller]
fn check_holds(bytes: Option<&[u8]>, text: &str, expected: bool) {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "file");
    if let Some(bytes) = bytes {
        fs::write(path.as_path(), bytes).unwrap();
    }
    assert_eq!(holds(&path, &Rope::from_str(text), 1 << 30).unwrap_or(false), expected, "{text:?}");
}

#[test]
fn a_file_holds_a_text_or_not() {
    check_holds(None, "", false);
    check_holds(Some(b""), "", true);
    check_holds(Some(b""), "\n", true);
    check_holds(Some(b"a"), "a\n", false);
    check_holds(Some(b"a\r\n"), "a\r\n", true);
    check_holds(Some(b"a\r\n"), "a\n", false);
    check_holds(Some(b"abc"), "abd", false);
    check_holds(Some(b"\xef\xbb\xbfa"), "a", true);
    check_holds(Some(b"\xef\xbb\xbfa"), "aaaa", false);
    check_holds(Some(b"\xff\xfea\0"), "a", true);
    check_holds(Some(b"\xe9"), "\u{e9}", false);
    let large = "0123456789\n".repeat(100_000);
    check_holds(Some(large.as_bytes()), &large, true);
    check_holds(Some(large.replace("9\n0", "9\n1").as_bytes()), &large, false);
}

#[test]
fn what_others_have_written_since_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "file");
    fs::write(path.as_path(), "theirs").unwrap();
    for base in [None, Some("old")] {
        assert!(matches!(write_over(&path, base, "ours"), Err(WriteError::Stale)), "{base:?}");
    }
    assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "theirs");
    assert_eq!(names(&path.parent().unwrap()), ["file"]);
    fs::remove_file(path.as_path()).unwrap();
    assert!(matches!(write_over(&path, Some("theirs"), "ours"), Err(WriteError::Stale)));
}

#[test]
fn a_write_that_nobody_waits_for_any_more_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data_dir) = (path(&directory, "file"), tempfile::tempdir().unwrap());
    let unfinished = Unfinished::new(data_dir.path());
    let aborted = Awaited::by(&Arc::new(()));
    write(&new_text(&path, None, "new"), &unfinished, &aborted).unwrap_err();
    assert_eq!(names(&path.parent().unwrap()), [""; 0]);
    fs::write(path.as_path(), "old").unwrap();
    write(&new_text(&path, Some("old"), "new"), &unfinished, &aborted).unwrap_err();
    remove(&path, &aborted).unwrap_err();
    assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "old");
}

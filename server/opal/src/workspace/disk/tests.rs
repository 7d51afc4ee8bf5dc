use expect_test::{Expect, expect};

use super::*;

fn path(directory: &tempfile::TempDir, name: &str) -> AbsPath {
    AbsPath::new(directory.path().canonicalize().unwrap().join(name)).unwrap()
}

/// Writes over a file with these bytes and shows what stands then.
#[track_caller]
fn check_write(before: Option<&[u8]>, text: &str, expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    let path = path(&directory, "sub/file");
    let mut encoding = Encoding::default();
    if let Some(before) = before {
        std::fs::create_dir_all(path.as_path().parent().unwrap()).unwrap();
        std::fs::write(path.as_path(), before).unwrap();
        encoding = read(&path, 1 << 20).unwrap().encoding;
    }
    write(&NewText { path: path.clone(), text: Rope::from_str(text), encoding }).unwrap();
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
    use std::os::unix::fs::PermissionsExt;

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
        write(&NewText { path: path.clone(), text: Rope::from_str("new"), encoding: Encoding::default() })
            .unwrap();
        assert_eq!(fs::read_to_string(path.as_path()).unwrap(), "new");
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    }

    #[test]
    fn permissions_are_kept_and_read_only_files_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = path(&directory, "script");
        let new =
            |text| NewText { path: path.clone(), text: Rope::from_str(text), encoding: Encoding::default() };
        fs::write(path.as_path(), "old").unwrap();
        fs::set_permissions(path.as_path(), PermissionsExt::from_mode(0o750)).unwrap();
        write(&new("new")).unwrap();
        assert_eq!(fs::metadata(path.as_path()).unwrap().permissions().mode() & 0o7777, 0o750);

        fs::set_permissions(path.as_path(), PermissionsExt::from_mode(0o444)).unwrap();
        let error = write(&new("newer")).unwrap_err();
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

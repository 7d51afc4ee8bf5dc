use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::uri::{Platform, decode, encode};
use super::*;

#[track_caller]
fn check_uri(platform: Platform, uri: &str, path: Expect) {
    let shown = match decode(uri, platform) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.to_string(),
    };
    path.assert_eq(&shown);
}

#[test]
fn unix_uris() {
    let check = |uri, path| check_uri(Platform::Unix, uri, path);
    check("file:///a/b.rs", expect!["/a/b.rs"]);
    check("FILE:///a", expect!["/a"]);
    check("file://localhost/a", expect!["/a"]);
    check("file:/a", expect!["/a"]);
    check("file:///a/[id] é.tsx", expect!["/a/[id] é.tsx"]);
    check("file:///a/%5Bid%5D%20%C3%A9.tsx", expect!["/a/[id] é.tsx"]);
    check("file:///a/50%/100%25/%zz", expect!["/a/50%/100%/%zz"]);
    check("file:///a/c#?d", expect!["/a/c#?d"]);
    check("file:///c%3A/x", expect!["/c:/x"]);
    check("file:///", expect!["/"]);
}

#[test]
fn windows_uris() {
    let check = |uri, path| check_uri(Platform::Windows, uri, path);
    check("file:///c%3A/x/y.rs", expect![r"C:\x\y.rs"]);
    check("file:///C:/x", expect![r"C:\x"]);
    check("file:///c:", expect![r"C:\"]);
    check("file://localhost/c:/x", expect![r"C:\x"]);
    check("file://c:/x", expect![r"C:\x"]);
    check("file:///c:/[id] é.tsx", expect![r"C:\[id] é.tsx"]);
    check("file://server/share/x%20y", expect![r"\\server\share\x y"]);
    check("file:////server/share/x", expect![r"\\server\share\x"]);
    check("file:///x", expect!["`file:///x` has no absolute path"]);
    check("file:///a/b", expect!["`file:///a/b` has no absolute path"]);
}

#[test]
fn what_names_no_file_here() {
    let check = |uri, error| check_uri(Platform::Unix, uri, error);
    check("untitled:Untitled-1", expect!["`untitled:Untitled-1` is not a file: URI"]);
    check("/a/b", expect!["`/a/b` is not a file: URI"]);
    check("file://server/x", expect!["`file://server/x` names a file on host `server`"]);
    check("file:", expect!["`file:` has no absolute path"]);
    check("file://", expect!["`file://` has no absolute path"]);
    check("file:a", expect!["`file:a` has no absolute path"]);
    check("file:///a%00b", expect!["`file:///a%00b` contains a NUL character"]);
}

#[track_caller]
fn check_to_uri(platform: Platform, path: &str, uri: Expect) {
    uri.assert_eq(&encode(path.as_bytes(), platform));
}

#[test]
fn uris_are_spelled_as_vs_code_does() {
    check_to_uri(Platform::Unix, "/a/[id] é.tsx", expect!["file:///a/%5Bid%5D%20%C3%A9.tsx"]);
    check_to_uri(Platform::Unix, "/a-b_c~d/@x+y:z", expect!["file:///a-b_c~d/%40x%2By%3Az"]);
    check_to_uri(Platform::Windows, r"C:\x\y z.rs", expect!["file:///c%3A/x/y%20z.rs"]);
    check_to_uri(Platform::Windows, r"\\server\share\x", expect!["file://server/share/x"]);
    check_to_uri(Platform::Windows, r"\\?\C:\x", expect!["file:///c%3A/x"]);
    check_to_uri(Platform::Windows, r"\\?\UNC\server\share\x", expect!["file://server/share/x"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn uris_there_and_back(names in proptest::collection::vec("[^\0/\\\\]{1,8}", 1..4)) {
        let unix = format!("/{}", names.join("/"));
        prop_assert_eq!(decode(&encode(unix.as_bytes(), Platform::Unix), Platform::Unix), Ok(unix.into_bytes()));
        let windows = format!(r"C:\{}", names.join(r"\"));
        let uri = encode(windows.as_bytes(), Platform::Windows);
        prop_assert_eq!(decode(&uri, Platform::Windows), Ok(windows.into_bytes()));
    }
}

#[cfg(unix)]
mod unix {
    use super::*;

    fn path(path: &str) -> AbsPath {
        AbsPath::new(path).unwrap()
    }

    #[track_caller]
    fn check_join(base: &str, relative: &str, joined: Expect) {
        joined.assert_eq(&path(base).join(relative).to_string());
    }

    #[test]
    fn paths_are_normal() {
        check_join("/a//b/./c/../d/", "", expect!["/a/b/d"]);
        check_join("/a", "b/../../c", expect!["/c"]);
        check_join("/a", "../../..", expect!["/"]);
        check_join("/a", "/b/", expect!["/b"]);
        check_join("/a", r"b\c", expect![r"/a/b\c"]);
    }

    #[test]
    fn relative_paths_are_refused() {
        expect!["path `a/b` is not absolute"].assert_eq(&AbsPath::new("a/b").unwrap_err().to_string());
        assert!(AbsPath::new("").is_err());
    }

    #[test]
    fn roots_are_compared_by_components() {
        assert!(path("/a/b").starts_with(&path("/a")));
        assert!(!path("/ab").starts_with(&path("/a")));
        assert_eq!(path("/a/b/c").relative_to(&path("/a")).as_deref(), Some("b/c"));
        assert_eq!(path("/a").relative_to(&path("/a")).as_deref(), Some(""));
        assert_eq!(path("/ab").relative_to(&path("/a")), None);
    }

    #[test]
    fn has_a_parent_and_a_name() {
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path("/a/b.rs").file_name(), "b.rs");
        assert_eq!(path("/").file_name(), "");
    }

    #[test]
    fn names_need_not_be_unicode() {
        let odd = AbsPath::from_uri("file:///a/%FF/../%FF").unwrap();
        assert_eq!(odd.to_uri(), "file:///a/%FF");
        assert_eq!(odd.file_name(), "\u{fffd}");
    }
}

#[cfg(windows)]
mod windows {
    use super::*;

    #[track_caller]
    fn check_join(base: &str, relative: &str, joined: Expect) {
        joined.assert_eq(&AbsPath::new(base).unwrap().join(relative).to_string());
    }

    #[test]
    fn paths_are_normal() {
        check_join(r"c:\a", "b/../c", expect![r"C:\a\c"]);
        check_join(r"C:\a", r"\b", expect![r"C:\b"]);
        check_join(r"C:\a", r"d:\b", expect![r"D:\b"]);
        check_join(r"\\?\c:\a", "b", expect![r"C:\a\b"]);
        check_join(r"\\?\UNC\server\share\a", "b", expect![r"\\server\share\a\b"]);
    }
}

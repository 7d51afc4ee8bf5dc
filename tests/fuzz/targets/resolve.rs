#![no_main]
//! Paths and URIs as editors and models write them.

use text::AbsPath;

/// Fields: a path or a URI, and a path seen from there.
fn check(input: &[u8]) {
    let fields = fuzz::fields(input);
    let [first, relative] = fields.as_slice() else { return };
    for path in [AbsPath::from_uri(first).ok(), AbsPath::new(first.as_str()).ok()].into_iter().flatten() {
        let joined = path.join(relative);
        for path in [&path, &joined] {
            assert_eq!(AbsPath::new(path.as_path()).as_ref(), Ok(path), "it is normal already");
            assert_eq!(AbsPath::from_uri(&path.to_uri()).as_ref(), Ok(path), "its URI means it");
            assert!(path.as_path().components().all(|part| part.as_os_str() != ".."));
        }
        if let Some(below) = joined.relative_to(&path) {
            assert!(joined.starts_with(&path));
            assert!(below.contains('\u{fffd}') || path.join(&below) == joined);
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

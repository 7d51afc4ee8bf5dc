#![no_main]
//! Paths and URIs as editors and models write them, and links as a repository may hold them.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use text::AbsPath;

// The module by itself, so that nobody builds the whole server to fuzz it.
// Its tests are found only from its own place, which stops rustfmt.
#[allow(dead_code)]
#[rustfmt::skip]
#[path = "../../../server/opal/src/resolve.rs"]
mod resolve;

/// What the resolver needs of it. On Linux, names are found only as they are spelled.
mod platform {
    use std::io;
    use std::path::{Path, PathBuf};

    pub(crate) fn spelled_on_disk(existing: &Path) -> io::Result<PathBuf> {
        Ok(existing.to_owned())
    }
}

use resolve::{ResolveError, resolve};

const MAX_LINKS: usize = 8;

thread_local! {
    static TREE: RefCell<Tree> = RefCell::new(Tree::new());
}

/// A directory with `dir/sub`, `file`, and the links of one input: `0`, `1` and so on.
struct Tree {
    directory: tempfile::TempDir,
    root: AbsPath,
}

impl Tree {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = fs::canonicalize(directory.path()).expect("it exists");
        fs::create_dir_all(root.join("dir/sub")).expect("it is writable");
        fs::write(root.join("file"), "").expect("it is writable");
        Self { directory, root: AbsPath::new(root).expect("it is absolute") }
    }

    /// Resolves a name while the links are there. A target that begins with `*` begins with this directory.
    fn check(&self, name: &str, targets: &[String]) {
        let targets = &targets[..targets.len().min(MAX_LINKS)];
        for (idx, target) in targets.iter().enumerate() {
            let target = match target.strip_prefix('*') {
                Some(rest) => format!("{}{rest}", self.root),
                None => target.clone(),
            };
            // Not everything can be a link's target.
            let _ = symlink(target, self.directory.path().join(idx.to_string()));
        }
        check_resolved(&self.root.join(name));
        for idx in 0..targets.len() {
            let _ = fs::remove_file(self.directory.path().join(idx.to_string()));
        }
    }
}

fn check_resolved(path: &AbsPath) {
    let resolved = resolve(path);
    match (fs::canonicalize(path), &resolved) {
        (Ok(existing), Ok(resolved)) => assert_eq!(existing, resolved.as_path(), "as the system has it"),
        // The system does not count the bytes of a path, nor always the links, as the resolver does.
        (Ok(_), Err(ResolveError::TooLong { .. } | ResolveError::TooManyLinks)) => {}
        (Ok(existing), Err(error)) => panic!("{path} is {}: {error}", existing.display()),
        (Err(_), _) => {}
    }
    if let Ok(resolved) = resolved {
        let is_link = |part: &Path| fs::symlink_metadata(part).is_ok_and(|metadata| metadata.is_symlink());
        assert!(!resolved.as_path().ancestors().any(is_link), "{resolved} has a link");
        assert_eq!(resolve(&resolved).ok(), Some(resolved), "it stands for itself");
    }
}

/// What a path is without a look at the disk.
fn check_lexical(first: &str, relative: &str) {
    for path in [AbsPath::from_uri(first).ok(), AbsPath::new(first).ok()].into_iter().flatten() {
        let joined = path.join(relative);
        for path in [&path, &joined] {
            assert_eq!(AbsPath::new(path.as_path()).as_ref(), Ok(path), "it is normal already");
            assert!(path.as_path().components().all(|part| part.as_os_str() != ".."));
            // A path may hold a NUL, though no file has it; a URI may not.
            if !path.as_path().as_os_str().as_encoded_bytes().contains(&0) {
                assert_eq!(AbsPath::from_uri(&path.to_uri()).as_ref(), Ok(path), "its URI means it");
            }
        }
        if let Some(below) = joined.relative_to(&path) {
            assert!(joined.starts_with(&path));
            assert!(below.contains('\u{fffd}') || path.join(&below) == joined);
        }
    }
}

/// Fields: a path or a URI, a path seen from there and from the tree, and the targets of links in the tree.
fn check(input: &[u8]) {
    let fields = fuzz::fields(input);
    let [first, relative, targets @ ..] = fields.as_slice() else { return };
    check_lexical(first, relative);
    TREE.with_borrow(|tree| tree.check(relative, targets));
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

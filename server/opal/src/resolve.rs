//! The one resolver of paths: permissions, tools, documents and the disk all name a file by its answer.
//!
//! It follows links component by component, also those that lead to something that does not exist yet: a
//! write creates the link's target, so the target is what is judged and shown.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use text::AbsPath;

use crate::platform;

/// Bytes of a path. Linux takes no longer ones in any call, `PATH_MAX` in
/// <https://man7.org/linux/man-pages/man7/path_resolution.7.html>; other systems take shorter ones.
pub const MAX_PATH: usize = 4096;

/// Links on one path. Linux follows as many, see `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// A path that leads nowhere that can be named. It is inside of nothing.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("the path has {n_bytes} bytes, more than the {MAX_PATH} that are possible")]
    TooLong { n_bytes: usize },
    #[error("the path leads over more than {MAX_LINKS} links, or in a circle")]
    TooManyLinks,
    #[error("a link on the path leads up (`..`) from a directory that does not exist")]
    UpFromNowhere,
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Returns the path of the file that is read or written at `path`: without links, also where it or its
/// directories do not exist. Blocks on the disk.
///
/// # Errors
/// If anything but absence keeps a component from being looked at.
pub fn resolve(path: &AbsPath) -> Result<AbsPath, ResolveError> {
    let n_bytes = path.as_path().as_os_str().len();
    if n_bytes > MAX_PATH {
        return Err(ResolveError::TooLong { n_bytes });
    }
    let mut walk = Walk::new(path.as_path());
    while let Some(name) = walk.ahead.pop_front() {
        walk.step(&name)?;
    }
    let existing = platform::spelled_on_disk(&walk.existing)
        .map_err(|source| ResolveError::Io { path: walk.existing, source })?;
    let resolved = existing.join(walk.absent);
    AbsPath::new(&resolved)
        .map_err(|error| ResolveError::Io { path: resolved, source: io::Error::other(error) })
}

/// A path on the way from its root to its end.
struct Walk {
    /// What was passed: it exists and no component of it is a link.
    existing: PathBuf,
    /// What comes after it and does not exist.
    absent: PathBuf,
    /// What was not looked at yet.
    ahead: VecDeque<OsString>,
    n_links: usize,
}

impl Walk {
    fn new(path: &Path) -> Self {
        let mut walk =
            Self { existing: PathBuf::new(), absent: PathBuf::new(), ahead: VecDeque::new(), n_links: 0 };
        walk.turn_to(path);
        walk
    }

    /// Goes on along another path: from its root if it has one, else from here.
    fn turn_to(&mut self, path: &Path) {
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                // Replaces all that was passed.
                Component::Prefix(_) | Component::RootDir => self.existing.push(component),
                Component::CurDir => {}
                Component::ParentDir | Component::Normal(_) => names.push(component.as_os_str().to_owned()),
            }
        }
        names.into_iter().rev().for_each(|name| self.ahead.push_front(name));
    }

    fn step(&mut self, name: &OsString) -> Result<(), ResolveError> {
        let is_absent = !self.absent.as_os_str().is_empty();
        if name == ".." {
            if is_absent || !self.existing.is_dir() {
                return Err(ResolveError::UpFromNowhere);
            }
            self.existing.pop();
            return Ok(());
        }
        if is_absent {
            self.absent.push(name);
            return Ok(());
        }
        let path = self.existing.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                self.n_links += 1;
                if self.n_links > MAX_LINKS {
                    return Err(ResolveError::TooManyLinks);
                }
                let target = fs::read_link(&path).map_err(|source| ResolveError::Io { path, source })?;
                self.turn_to(&target);
            }
            Ok(_) => self.existing = path,
            // Nothing is below a file either.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                self.absent.push(name);
            }
            Err(source) => return Err(ResolveError::Io { path, source }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

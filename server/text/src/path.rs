//! Absolute paths, and the `file:` URIs that editors write for them.
//!
//! Everything is lexical: symlinks, existence and upper or lower case of names are the disk's
//! business and are not looked at here.

mod uri;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::{Component, Path, PathBuf, Prefix, PrefixComponent};

pub use uri::UriError;

/// An absolute path without `.`, `..`, doubled or trailing separators.
///
/// On Windows the drive letter is upper case, separators are `\`, and there is no `\\?\` in front.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(PathBuf);

/// Why something is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("path `{}` is not absolute", .path.display())]
    Relative { path: PathBuf },
}

impl AbsPath {
    /// # Errors
    /// [`PathError::Relative`].
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathError> {
        let path = path.into();
        if path.is_absolute() { Ok(Self(normalize(&path))) } else { Err(PathError::Relative { path }) }
    }

    /// Returns the path that a `file:` URI names.
    ///
    /// Accepts what editors send rather than what the RFC allows: raw brackets, spaces, `#` and
    /// non-ASCII as well as their escapes, and a `%` that escapes nothing.
    ///
    /// # Errors
    /// [`UriError`] if the URI has another scheme, another host, or no absolute path.
    pub fn from_uri(uri: &str) -> Result<Self, UriError> {
        let bytes = uri::decode(uri, uri::Platform::HERE)?;
        let path = PathBuf::from(os_string(bytes, uri)?);
        Self::new(path).map_err(|_| UriError::NotAbsolute { uri: uri.to_owned() })
    }

    /// Returns the `file:` URI, spelled as VS Code does: everything but letters, digits, `-._~`
    /// and `/` is escaped, and a drive letter is lower case.
    pub fn to_uri(&self) -> String {
        uri::encode(self.0.as_os_str().as_encoded_bytes(), uri::Platform::HERE)
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }

    pub fn into_path_buf(self) -> PathBuf {
        self.0
    }

    /// Returns the path seen from here; an absolute one replaces this. `..` stops at the root.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        Self(normalize(&self.0.join(relative)))
    }

    /// Whether this is `root` or lies below it, by whole components.
    pub fn starts_with(&self, root: &Self) -> bool {
        self.0.starts_with(&root.0)
    }

    /// Returns the path below `root`, with `/` on every platform; empty for `root` itself.
    pub fn relative_to(&self, root: &Self) -> Option<String> {
        let relative = self.0.strip_prefix(&root.0).ok()?;
        let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
        Some(names.join("/"))
    }

    pub fn parent(&self) -> Option<Self> {
        self.0.parent().map(|parent| Self(parent.to_owned()))
    }

    /// The last component, with U+FFFD for what is not Unicode; empty for a root.
    pub fn file_name(&self) -> Cow<'_, str> {
        self.0.file_name().map_or(Cow::Borrowed(""), |name| name.to_string_lossy())
    }
}

impl AsRef<Path> for AbsPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl fmt::Debug for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Prefix(prefix) => {
                normal.push(plain_prefix(prefix));
                // `c:x` means a place on drive C that only the running process knows.
                normal.push(Component::RootDir);
            }
            Component::RootDir => normal.push(Component::RootDir),
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Normal(name) => normal.push(name),
        }
    }
    normal
}

/// Verbatim prefixes come from resolving a path, plain ones from editors; both name one file.
fn plain_prefix(prefix: PrefixComponent<'_>) -> OsString {
    match prefix.kind() {
        Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
            format!("{}:", char::from(letter.to_ascii_uppercase())).into()
        }
        Prefix::VerbatimUNC(server, share) => {
            let mut plain = OsString::from(r"\\");
            plain.push(server);
            plain.push(r"\");
            plain.push(share);
            plain
        }
        _ => prefix.as_os_str().to_owned(),
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>, _uri: &str) -> Result<OsString, UriError> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>, uri: &str) -> Result<OsString, UriError> {
    let text = String::from_utf8(bytes).map_err(|_| UriError::NotUnicode { uri: uri.to_owned() })?;
    Ok(text.into())
}

#[cfg(test)]
mod tests;

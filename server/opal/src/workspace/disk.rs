//! Reading and writing files on disk. Blocking; see [`super::blocking`].

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use agent::workspace::{FileError, WriteError};
use text::{AbsPath, DecodeError, Encoding, Rope, decode, encode_rope};

use crate::platform;

/// Bytes compared at a time.
const COMPARE_SIZE: usize = 64 * 1024;

/// A text file as it is on disk.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) text: Rope,
    pub(super) encoding: Encoding,
}

/// What is to stand in a file.
#[derive(Debug)]
pub(super) struct NewText {
    /// Symlinks resolved: what is renamed over is the file itself.
    pub(super) path: AbsPath,
    pub(super) text: Rope,
    pub(super) encoding: Encoding,
}

pub(super) fn read(path: &AbsPath, max: u64) -> Result<Read, FileError> {
    let bytes = read_bytes(path, max)?;
    let name = path.to_string();
    match decode(&bytes) {
        Ok(decoded) => Ok(Read { text: Rope::from_str(&decoded.text), encoding: decoded.encoding }),
        Err(DecodeError::Binary) => Err(FileError::Binary { name }),
        Err(_) => Err(FileError::NotText { name }),
    }
}

pub(super) fn read_bytes(path: &AbsPath, max: u64) -> Result<Vec<u8>, FileError> {
    let name = || path.to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileError::NotFound { name: name() },
        _ => FileError::Io { name: name(), reason: error.to_string() },
    };
    // Before opening: a pipe would wait for a writer.
    let metadata = fs::metadata(path.as_path()).map_err(failed)?;
    if metadata.is_dir() {
        return Err(FileError::Directory { name: name() });
    }
    if !metadata.is_file() {
        return Err(FileError::NotRegular { name: name() });
    }
    if metadata.len() > max {
        return Err(FileError::TooLarge { name: name(), size: metadata.len(), max });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may grow while it is read.
    fs::File::open(path.as_path()).map_err(failed)?.take(max).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Whether the file, decoded, is this text. Compares as it reads: no copy of a large file is made, and
/// mostly its length tells already.
pub(super) fn holds(path: &AbsPath, text: &Rope, max: u64) -> Result<bool, FileError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileError::NotFound { name: path.to_string() },
        _ => FileError::Io { name: path.to_string(), reason: error.to_string() },
    };
    // Before opening: a pipe would wait for a writer.
    if !fs::metadata(path.as_path()).map_err(failed)?.is_file() {
        return Ok(false);
    }
    let mut file = fs::File::open(path.as_path()).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length == text.len_bytes() as u64 {
        return same_bytes(&mut file, text).map_err(failed);
    }
    let mut mark = [0; 3];
    let n_mark = usize::try_from(length.min(3)).unwrap_or_default();
    file.read_exact(&mut mark[..n_mark]).map_err(failed)?;
    match &mark {
        [0xef, 0xbb, 0xbf] if length == text.len_bytes() as u64 + 3 => {
            same_bytes(&mut file, text).map_err(failed)
        }
        [0xff, 0xfe, _] | [0xfe, 0xff, _] => Ok(read(path, max)?.text == *text),
        // Neovim sends an empty file as one empty line.
        _ => Ok(length == 0 && *text == "\n"),
    }
}

fn same_bytes(file: &mut fs::File, text: &Rope) -> io::Result<bool> {
    let mut buffer = vec![0; COMPARE_SIZE];
    let mut there: &[u8] = &[];
    for chunk in text.chunks() {
        let mut chunk = chunk.as_bytes();
        while !chunk.is_empty() {
            if there.is_empty() {
                let n = file.read(&mut buffer)?;
                if n == 0 {
                    return Ok(false);
                }
                there = &buffer[..n];
            }
            let n = chunk.len().min(there.len());
            if chunk[..n] != there[..n] {
                return Ok(false);
            }
            chunk = &chunk[n..];
            there = &there[n..];
        }
    }
    Ok(there.is_empty() && file.read(&mut buffer)? == 0)
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &AbsPath) -> io::Result<()> {
    match fs::remove_file(path.as_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Names in a directory; none if it cannot be read.
pub(super) fn names(directory: &AbsPath) -> Vec<String> {
    let entries = fs::read_dir(directory.as_path()).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Replaces a file, or makes it: the old text or the new one stands there, never a part. Permissions and,
/// where allowed, the owner are kept.
pub(super) fn write(new: &NewText) -> Result<(), WriteError> {
    replace(new).map_err(|error| WriteError::Io { name: new.path.to_string(), reason: error.to_string() })
}

fn replace(new: &NewText) -> io::Result<()> {
    let path = new.path.as_path();
    let directory = path.parent().unwrap_or(Path::new("/"));
    let old = match fs::metadata(path) {
        Ok(old) if old.permissions().readonly() => {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        Ok(old) => {
            // A directory that may be written to is no permission to replace what may not.
            fs::OpenOptions::new().write(true).open(path)?;
            Some(old)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(directory)?;
            None
        }
        Err(error) => return Err(error),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".opal-").suffix(".tmp");
    #[cfg(unix)]
    if old.is_none() {
        // What the user's umask makes of a new file, not the privacy of a temporary one.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(&encode_rope(&new.text, new.encoding))?;
    if let Some(old) = &old {
        platform::keep_attributes(file.as_file(), old)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The new text stands there; whether the rename survives a power cut is all that is in doubt.
    if let Err(error) = platform::sync_directory(directory) {
        tracing::debug!(%error, path = %new.path, "the directory could not be synced");
    }
    Ok(())
}

#[cfg(test)]
mod tests;

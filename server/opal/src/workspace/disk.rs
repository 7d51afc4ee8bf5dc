//! Reading and writing files on disk. Blocking; see [`crate::blocking`].

mod write;

use std::fs;
use std::io::{self, Read as _};

use agent::workspace::{FileError, WriteError};
use text::{AbsPath, DecodeError, Encoding, Rope, decode};

use crate::blocking::Awaited;
use crate::resolve::resolve;

pub(super) use write::{NewText, write};

/// Bytes compared at a time.
const COMPARE_SIZE: usize = 64 * 1024;

/// A text file as it is on disk.
#[derive(Debug)]
pub(super) struct Read {
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
        return same_bytes(&mut file, chunks(text)).map_err(failed);
    }
    let mut mark = [0; 3];
    let n_mark = usize::try_from(length.min(3)).unwrap_or_default();
    file.read_exact(&mut mark[..n_mark]).map_err(failed)?;
    match &mark {
        [0xef, 0xbb, 0xbf] if length == text.len_bytes() as u64 + 3 => {
            same_bytes(&mut file, chunks(text)).map_err(failed)
        }
        [0xff, 0xfe, _] | [0xfe, 0xff, _] => Ok(read(path, max)?.text == *text),
        // Neovim sends an empty file as one empty line.
        _ => Ok(length == 0 && *text == "\n"),
    }
}

fn chunks(text: &Rope) -> impl Iterator<Item = &[u8]> {
    text.chunks().map(str::as_bytes)
}

/// Whether the rest of a file is these chunks.
fn same_bytes<'a>(file: &mut fs::File, chunks: impl IntoIterator<Item = &'a [u8]>) -> io::Result<bool> {
    let mut buffer = vec![0; COMPARE_SIZE];
    let mut there: &[u8] = &[];
    for mut chunk in chunks {
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

/// An error if the path leads elsewhere by now, such as over a link that was put there while the user was
/// asked: what was judged is not what would be written.
pub(super) fn leads_to_itself(path: &AbsPath) -> Result<(), WriteError> {
    match resolve(path) {
        Ok(resolved) if resolved == *path => Ok(()),
        Ok(_) => Err(WriteError::Stale),
        Err(error) => Err(WriteError::Io { name: path.to_string(), reason: error.to_string() }),
    }
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove(path: &AbsPath, awaited: &Awaited) -> Result<(), WriteError> {
    leads_to_itself(path)?;
    if !awaited.is_awaited() {
        return Err(WriteError::Unanswered);
    }
    match fs::remove_file(path.as_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(WriteError::Io { name: path.to_string(), reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// Names in a directory; none if it cannot be read.
pub(super) fn names(directory: &AbsPath) -> Vec<String> {
    let entries = fs::read_dir(directory.as_path()).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests;

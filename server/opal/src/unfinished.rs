//! Notes of writes that are under way, so that what a crash cut off is put in order by the next start.
//!
//! A note is a file in the data directory. Its writer holds a lock on it and removes it when the write has
//! ended, so a note whose lock is free is of a process that was killed. It says which temporary file is to
//! be removed or, for a file that is written in place, has the text before and after.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use text::AbsPath;

use crate::platform;
use crate::resolve::resolve;

/// A file's name while its note is still being written; nothing has begun by then.
const INCOMPLETE: &str = "new";
const NOTE: &str = "note";
/// A note that could not be followed: only its user can.
const KEPT: &str = "kept";

/// How old an incomplete note is when its writer is certainly gone.
const AGE: Duration = Duration::from_secs(24 * 3600);

/// The directory of notes.
#[derive(Debug, Clone)]
pub(crate) struct Unfinished {
    directory: PathBuf,
}

/// The first line of a note. Paths are URIs, because a path need not be Unicode.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Header {
    /// A temporary file that is to become another file.
    Temporary { uri: String },
    /// A file that is written in place. The old text follows, then the new one.
    InPlace { uri: String, n_old: usize, n_new: usize },
}

/// A note of this process; the write ends with [`Note::end`], and if it is dropped.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    file: Option<File>,
}

impl Unfinished {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { directory: data_dir.join("unfinished") }
    }

    /// Notes a temporary file that is about to be created.
    pub(crate) fn temporary(&self, path: &AbsPath) -> io::Result<Note> {
        self.write(&Header::Temporary { uri: path.to_uri() }, &[])
    }

    /// Notes that a file is about to be written in place. The note is durable when this returns.
    pub(crate) fn in_place(&self, path: &AbsPath, old: &[u8], new: &[u8]) -> io::Result<Note> {
        let header = Header::InPlace { uri: path.to_uri(), n_old: old.len(), n_new: new.len() };
        let note = self.write(&header, &[old, new])?;
        note.file.as_ref().map_or(Ok(()), File::sync_all)?;
        platform::sync_directory(&self.directory)?;
        Ok(note)
    }

    fn write(&self, header: &Header, texts: &[&[u8]]) -> io::Result<Note> {
        self.create_directory()?;
        let mut builder = tempfile::Builder::new();
        // Readable for its owner only.
        let file = builder.prefix("").suffix(&format!(".{INCOMPLETE}")).tempfile_in(&self.directory)?;
        file.as_file().try_lock()?;
        let mut line = serde_json::to_vec(header)?;
        line.push(b'\n');
        file.as_file().write_all(&line)?;
        texts.iter().try_for_each(|text| file.as_file().write_all(text))?;
        let path = file.path().with_extension(NOTE);
        let file = file.persist(&path).map_err(|error| error.error)?;
        Ok(Note { path, file: Some(file) })
    }

    fn create_directory(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.directory)
    }

    /// Finishes or cleans up what processes that were killed have left. Returns what the user should know.
    pub(crate) fn recover(&self, now: SystemTime) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut notices = Vec::new();
        for path in entries.map(|entry| entry.path()) {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(NOTE) => notices.extend(recover(&path)),
                Some(INCOMPLETE) if is_older(&path, now, AGE) => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
        notices
    }
}

impl Note {
    /// The write has ended, well or without an effect.
    pub(crate) fn end(self) {}

    /// The write went wrong and was not undone: the note stays, for the user.
    pub(crate) fn keep(mut self) -> PathBuf {
        let kept = self.path.with_extension(KEPT);
        let is_kept = fs::rename(&self.path, &kept).is_ok();
        self.file = None;
        if is_kept { kept } else { self.path.clone() }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // Removed before the lock is given back. What stays is found harmless by the next start.
        if let Some(_locked) = &self.file {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_older(path: &Path, now: SystemTime, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|is| is > age))
}

/// Follows one note, unless its writer lives. Returns what the user should know.
fn recover(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return None,
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, path = %path.display(), "a note cannot be locked");
            return None;
        }
    }
    // Its writer may have ended it since it was listed.
    if !path.exists() {
        return None;
    }
    let done = match read(&file) {
        Ok((Header::Temporary { uri }, _)) => remove_temporary(&uri),
        Ok((Header::InPlace { uri, n_old, .. }, texts)) => {
            let (old, new) = texts.split_at_checked(n_old).unwrap_or((&texts, &[]));
            finish(&uri, old, new)
        }
        Err(error) => Err(error),
    };
    let Err(error) = done else {
        let _ = fs::remove_file(path);
        return None;
    };
    let kept = path.with_extension(KEPT);
    let _ = fs::rename(path, &kept);
    Some(format!(
        "a write that was cut off cannot be finished: {error}; its text is kept in {}",
        kept.display()
    ))
}

fn read(file: &File) -> io::Result<(Header, Vec<u8>)> {
    let mut file = BufReader::new(file);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    let header: Header = serde_json::from_slice(&line)?;
    let mut texts = Vec::new();
    file.read_to_end(&mut texts)?;
    match header {
        Header::InPlace { n_old, n_new, .. } if Some(texts.len()) != n_old.checked_add(n_new) => {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the note is cut off"))
        }
        _ => Ok((header, texts)),
    }
}

fn remove_temporary(uri: &str) -> io::Result<()> {
    let path = AbsPath::from_uri(uri).map_err(io::Error::other)?;
    match fs::remove_file(path.as_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // It is empty or has a text that never was announced; nothing is lost but its place.
            tracing::warn!(%error, %path, "a temporary file could not be removed");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Writes the new text where a part of it stands. A file that somebody has changed since stays.
fn finish(uri: &str, old: &[u8], new: &[u8]) -> io::Result<()> {
    let path = AbsPath::from_uri(uri).map_err(io::Error::other)?;
    let stands = match fs::read(path.as_path()) {
        Ok(stands) => stands,
        // Removed since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
    };
    if stands == old || stands == new {
        return Ok(());
    }
    // It is written from its beginning to its end, and cut to its length last.
    let n_written = stands.iter().zip(new).take_while(|(stands, new)| stands == new).count();
    let is_cut_off = stands[n_written..] == *old.get(n_written..).unwrap_or_default();
    if !is_cut_off || !resolve(&path).is_ok_and(|resolved| resolved == path) {
        return Err(io::Error::other(format!("{path} was changed since")));
    }
    let mut file = platform::open_to_write(path.as_path())?;
    overwrite(&mut file, new).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

/// Writes a file in place, and reads it again.
pub(crate) fn overwrite(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};

    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut stands = Vec::with_capacity(bytes.len());
    file.read_to_end(&mut stands)?;
    if stands == bytes { Ok(()) } else { Err(io::Error::other("the file does not hold what was written")) }
}

#[cfg(test)]
mod tests;

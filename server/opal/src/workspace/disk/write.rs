//! Writing a file: a new file takes the place of the old one, or where that would lose something, the old
//! one is written in place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use agent::workspace::WriteError;
use tempfile::NamedTempFile;
use text::{AbsPath, Encoding, Rope, encode_rope};

use super::{leads_to_itself, read_bytes, same_bytes};
use crate::blocking::Awaited;
use crate::platform;
use crate::unfinished::{Note, Unfinished, overwrite};

/// A text that is to take the place of another.
#[derive(Debug)]
pub(in super::super) struct NewText {
    /// A resolved path.
    pub(in super::super) path: AbsPath,
    /// What stands there, which is looked at again; `None` where nothing does.
    pub(in super::super) base: Option<Rope>,
    pub(in super::super) text: Rope,
    /// Bytes of a file that is read.
    pub(in super::super) max: u64,
}

/// The file as it is before the write.
pub(super) struct Old {
    pub(super) file: File,
    pub(super) bytes: Vec<u8>,
}

/// Why no new file can take the place of the old one.
enum Unreplaced {
    /// The old file would lose something, or its directory does not let it be replaced.
    NeedsItsPlace(io::Error),
    Failed(WriteError),
}

/// Writes a file. The old text stands there or the new one, never a part, and all that the old file had
/// beside its text is kept: permissions, owner, extended attributes, other names (hard links).
pub(in super::super) fn write(
    new: &NewText,
    unfinished: &Unfinished,
    awaited: &Awaited,
) -> Result<(), WriteError> {
    let failed = |error: io::Error| failed(&new.path, &error);
    leads_to_itself(&new.path)?;
    let Some(base) = &new.base else {
        return create(new, &encode_rope(&new.text, Encoding::default()), unfinished, awaited);
    };
    let bytes = match read_bytes(&new.path, new.max) {
        Ok(bytes) => bytes,
        Err(agent::workspace::FileError::NotFound { .. }) => return Err(WriteError::Stale),
        Err(error) => {
            return Err(WriteError::Io { name: new.path.to_string(), reason: error.to_string() });
        }
    };
    let encoding = match text::decode(&bytes) {
        Ok(decoded) if *base == decoded.text.as_str() => decoded.encoding,
        _ => return Err(WriteError::Stale),
    };
    let text = encode_rope(&new.text, encoding);
    if fs::metadata(&new.path).map_err(failed)?.permissions().readonly() {
        return Err(failed(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only")));
    }
    // A directory that may be written to is no permission to replace what may not.
    let file = platform::open_to_write(new.path.as_path()).map_err(failed)?;
    let mut old = Old { file, bytes };
    match replace(new, &old, &text, unfinished, awaited) {
        Ok(()) => Ok(()),
        Err(Unreplaced::Failed(error)) => Err(error),
        Err(Unreplaced::NeedsItsPlace(why)) => {
            tracing::debug!(path = %new.path, %why, "the file is written in place");
            write_in_place(new, &mut old, &text, unfinished, awaited)
        }
    }
}

fn create(new: &NewText, text: &[u8], unfinished: &Unfinished, awaited: &Awaited) -> Result<(), WriteError> {
    let failed = |error: io::Error| failed(&new.path, &error);
    let directory = directory(&new.path);
    fs::create_dir_all(directory).map_err(failed)?;
    // What the user's umask makes of a new file, not the privacy of a temporary one.
    let (note, file) = temporary(directory, text, 0o666, unfinished).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    last_look(new, None, awaited)?;
    match file.persist_noclobber(new.path.as_path()) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Err(WriteError::Stale),
        Err(error) => return Err(failed(error.error)),
    }
    sync(directory, note);
    Ok(())
}

fn replace(
    new: &NewText,
    old: &Old,
    text: &[u8],
    unfinished: &Unfinished,
    awaited: &Awaited,
) -> Result<(), Unreplaced> {
    let directory = directory(&new.path);
    let or_in_place = |error: io::Error| match error.kind() {
        // The directory may not be written to, others own the file in it, or something is mounted on the file.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::CrossesDevices => Unreplaced::NeedsItsPlace(error),
        _ => Unreplaced::Failed(failed(&new.path, &error)),
    };
    let (note, file) = temporary(directory, text, 0o600, unfinished).map_err(or_in_place)?;
    platform::copy_attributes(&old.file, file.as_file()).map_err(Unreplaced::NeedsItsPlace)?;
    file.as_file().sync_all().map_err(or_in_place)?;
    last_look(new, Some(old), awaited).map_err(Unreplaced::Failed)?;
    file.persist(new.path.as_path()).map_err(|error| or_in_place(error.error))?;
    sync(directory, note);
    Ok(())
}

fn write_in_place(
    new: &NewText,
    old: &mut Old,
    text: &[u8],
    unfinished: &Unfinished,
    awaited: &Awaited,
) -> Result<(), WriteError> {
    let failed = |error: io::Error| failed(&new.path, &error);
    let note = unfinished.in_place(&new.path, &old.bytes, text).map_err(|error| {
        failed(io::Error::new(
            error.kind(),
            format!("no copy of it can be kept while it is written: {error}"),
        ))
    })?;
    last_look(new, Some(old), awaited)?;
    let Err(error) = overwrite(&mut old.file, text) else {
        note.end();
        return Ok(());
    };
    match overwrite(&mut old.file, &old.bytes) {
        Ok(()) => Err(failed(error)),
        Err(_) => {
            let kept = note.keep();
            Err(failed(io::Error::new(
                error.kind(),
                format!(
                    "{error}; a part of the new text stands there, and both texts are in {}",
                    kept.display()
                ),
            )))
        }
    }
}

/// The last check before the write takes effect. Looking may take long, and the call may be aborted meanwhile, so
/// whether anybody still waits is asked last.
fn last_look(new: &NewText, old: Option<&Old>, awaited: &Awaited) -> Result<(), WriteError> {
    leads_to_itself(&new.path)?;
    if let Some(old) = old
        && !stands(new, old).map_err(|error| failed(&new.path, &error))?
    {
        return Err(WriteError::Stale);
    }
    if awaited.is_awaited() { Ok(()) } else { Err(WriteError::Unanswered) }
}

/// Whether the old file still stands there with its text, so that what another program writes at the same time is
/// not lost, nor written into a file that has no name any more.
pub(super) fn stands(new: &NewText, old: &Old) -> io::Result<bool> {
    match File::open(&new.path) {
        Ok(mut file) => {
            Ok(platform::is_same_file(&file, &old.file)? && same_bytes(&mut file, [old.bytes.as_slice()])?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file with this text beside the one whose place it is to take. It is noted before it is created, so that
/// it does not outlive a process that is killed.
fn temporary(
    directory: &Path,
    text: &[u8],
    mode: u32,
    unfinished: &Unfinished,
) -> io::Result<(Option<Note>, NamedTempFile)> {
    let name = format!(".opal-{:016x}.tmp", rand::random::<u64>());
    let note = AbsPath::new(directory.join(&name)).map_err(io::Error::other);
    let note = note.and_then(|path| unfinished.temporary(&path));
    // Without a note there is only less order after a crash.
    let note = note.inspect_err(|error| tracing::debug!(%error, "a temporary file cannot be noted")).ok();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).rand_bytes(0);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(text)?;
    Ok((note, file))
}

/// The new text stands there; whether the rename survives a power cut is all that is in doubt.
fn sync(directory: &Path, note: Option<Note>) {
    if let Err(error) = platform::sync_directory(directory) {
        tracing::debug!(%error, directory = %directory.display(), "the directory could not be synced");
    }
    note.into_iter().for_each(Note::end);
}

fn directory(path: &AbsPath) -> &Path {
    path.as_path().parent().unwrap_or(path.as_path())
}

fn failed(path: &AbsPath, error: &io::Error) -> WriteError {
    WriteError::Io { name: path.to_string(), reason: error.to_string() }
}

//! Opening the file: permissions, journal, migrations, and what to do with one that is damaged.
//!
//! Every open [`Database`] holds a shared lock on a file beside it. Whoever sets a damaged file aside must have
//! that lock alone, so that nobody writes into a file that was renamed under him.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, ffi};

use crate::error::StoreError;
use crate::options::{Notice, Options, SyncMode};
use crate::schema;

const FILE_NAME: &str = "sessions.db";
const IN_USE_NAME: &str = "sessions.lock";

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the header has `user_version`, big-endian.
const USER_VERSION_OFFSET: usize = 60;
const HEADER_LEN: usize = 100;

/// Each connection's page cache: 512 KiB. The system caches the file anyway.
const CACHE_KIB: i64 = 512;

/// The write-ahead log is cut back to this after a checkpoint.
const JOURNAL_SIZE_LIMIT: i64 = 16 << 20;

/// How long to wait for the others before a damaged file is set aside.
const SET_ASIDE_TIMEOUT: Duration = Duration::from_secs(2);

/// The files of one store, and what is known of them.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    /// Something in the file could not be read: look at all of it before using it again.
    suspect: AtomicBool,
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
    files: Arc<Files>,
    identity: Option<Identity>,
    _in_use: Option<File>,
}

/// Why the file could not be opened as it is.
enum OpenError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Files {
    pub(crate) fn new(directory: PathBuf, options: Options) -> Self {
        Self { directory, options, suspect: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    /// Tells what a failure means, and remembers if it means that the file is damaged.
    pub(crate) fn error(&self, error: rusqlite::Error) -> StoreError {
        let error = to_store_error(&self.path(), error);
        if matches!(error, StoreError::Damaged { .. }) {
            self.suspect.store(true, Ordering::Relaxed);
        }
        error
    }

    /// Makes the directory, readable by nobody else, if it is not there.
    pub(crate) fn create_directory(&self, directory: &Path) -> Result<(), StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory).map_err(|error| io_error(directory, error))
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Database {
    /// Opens for writing; makes what is missing.
    pub(crate) fn open(files: &Arc<Files>) -> Result<Self, StoreError> {
        files.create_directory(&files.directory)?;
        let database = Self::open_existing(files, true)?;
        if database.connection.is_readonly("main").unwrap_or(false) {
            return Err(StoreError::ReadOnly { path: files.path() });
        }
        Ok(database)
    }

    /// Opens for reading; `None` if nothing was ever stored.
    pub(crate) fn open_for_reading(files: &Arc<Files>) -> Result<Option<Self>, StoreError> {
        match fs::metadata(files.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&files.path(), error)),
            Ok(_) => {}
        }
        let database = match Self::open_existing(files, false) {
            Err(StoreError::ReadOnly { path }) => {
                Self::open_immutable(files)?.ok_or(StoreError::ReadOnly { path })?
            }
            other => other?,
        };
        let version = schema::version(&database).map_err(|error| files.error(error))?;
        Ok((version > 0).then_some(database))
    }

    /// Starts to write; waits for other processes. Dropping the transaction undoes it.
    pub(crate) fn begin(&self) -> rusqlite::Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
    }

    /// One state of the file for several reads.
    pub(crate) fn snapshot(&self) -> rusqlite::Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)
    }

    /// Gives back the memory that the last read took.
    pub(crate) fn shrink(&self) {
        self.connection.flush_prepared_statement_cache();
        if let Err(error) = self.connection.execute_batch("PRAGMA shrink_memory") {
            tracing::debug!(%error, "memory kept");
        }
    }

    /// Whether the path still names the file that is open: it may have been set aside or removed.
    pub(crate) fn is_current(&self) -> bool {
        self.identity == Identity::of(&self.files.path())
    }

    fn open_existing(files: &Arc<Files>, create: bool) -> Result<Self, StoreError> {
        let path = files.path();
        let until = Instant::now() + files.options.busy_timeout;
        let mut was_set_aside = false;
        loop {
            let in_use = lock_shared(&files.directory.join(IN_USE_NAME));
            let error = match Self::open_once(files, create || was_set_aside) {
                Ok(connection) => {
                    let identity = Identity::of(&path);
                    return Ok(Self { connection, files: files.clone(), identity, _in_use: in_use });
                }
                Err(OpenError::Store(error)) => error,
                Err(OpenError::Sqlite(error)) => files.error(error),
            };
            drop(in_use);
            match error {
                // Changing the journal does not wait on its own.
                StoreError::Locked { .. } if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                StoreError::Damaged { detail, .. } if !was_set_aside => {
                    set_aside(files, detail)?;
                    was_set_aside = true;
                }
                error => return Err(error),
            }
        }
    }

    fn open_once(files: &Files, create: bool) -> Result<Connection, OpenError> {
        let path = files.path();
        check_header(&path)?;
        if create {
            create_private_file(&path).map_err(|error| io_error(&path, error))?;
        }
        let options = &files.options;
        let mut connection = connect(&path, options)?;
        let found = schema::version(&connection);
        let found = match found {
            Err(error) if has_no_shared_memory(&error) => {
                // The file was made where the write-ahead log works, and is now where it does not.
                drop(connection);
                connection = connect(&path, options)?;
                connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
                set_journal(&connection, "TRUNCATE")?;
                connection.pragma_update(None, "locking_mode", "NORMAL")?;
                schema::version(&connection)?
            }
            other => other?,
        };
        if found > schema::newest() {
            let known = schema::newest();
            return Err(StoreError::Newer { path, found, known }.into());
        }
        if files.is_suspect() {
            let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(StoreError::Damaged { path, detail: one_line(&verdict) }.into());
            }
            files.suspect.store(false, Ordering::Relaxed);
        }
        if connection.is_readonly("main")? {
            return Ok(connection);
        }
        if found == 0 {
            // Only an empty file takes this. It lets deleted sessions give their room back.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        let journal = match set_journal(&connection, "WAL") {
            Err(error) if has_no_shared_memory(&error) => "none".to_owned(),
            other => other?,
        };
        if journal != "wal" {
            set_journal(&connection, "TRUNCATE")?;
        }
        let synchronous = match options.sync {
            // Without the log, FULL leaves the end of the journal to the directory, which EXTRA syncs too.
            SyncMode::Full if journal != "wal" => "EXTRA",
            SyncMode::Full => "FULL",
            SyncMode::Off => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // What fsync means on a Mac; nothing elsewhere.
        connection.pragma_update(None, "fullfsync", options.sync == SyncMode::Full)?;
        connection.pragma_update(None, "checkpoint_fullfsync", options.sync == SyncMode::Full)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The writer does it, when nobody waits for an answer.
        set_and_ignore(&connection, "wal_autocheckpoint", 0)?;
        set_and_ignore(&connection, "journal_size_limit", JOURNAL_SIZE_LIMIT)?;
        if let Some(max_pages) = options.faults.max_pages {
            set_and_ignore(&connection, "max_page_count", i64::from(max_pages))?;
        }
        schema::migrate(&mut connection, schema::MIGRATIONS)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        Ok(connection)
    }

    /// The last resort in a directory that cannot be written: without a log beside it the file is complete, and
    /// may be read as it stands.
    fn open_immutable(files: &Arc<Files>) -> Result<Option<Self>, StoreError> {
        let path = files.path();
        if has_content(&beside(&path, "-wal")) || has_content(&beside(&path, "-journal")) {
            return Ok(None);
        }
        let Some(name) = path.to_str() else { return Ok(None) };
        let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23").replace('\\', "/");
        let slash = if name.starts_with('/') { "" } else { "/" };
        let uri = format!("file:{slash}{name}?immutable=1");
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri, flags).map_err(|error| files.error(error))?;
        let identity = Identity::of(&path);
        Ok(Some(Self { connection, files: files.clone(), identity, _in_use: None }))
    }
}

fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    // No CREATE: an empty file was made with the right permissions before.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match options.faults.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(options.busy_timeout)?;
    // Until it is known to be whole and ours, closing must not move the log into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Asks for a journal and says which one it became.
fn set_journal(connection: &Connection, journal: &str) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", journal, |row| row.get(0))
}

/// For settings that answer with their value.
fn set_and_ignore(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, name, value, |_| Ok(()))
}

/// Makes an empty file that only its owner can read, or takes the others' right to read it.
pub(crate) fn create_private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            make_private(path);
            Ok(())
        }
        other => other.map(drop),
    }
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(metadata) = fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
        // The owner write bit may be missing on purpose.
        && let mode = metadata.permissions().mode() & 0o700
        && let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(mode))
    {
        tracing::warn!(%error, path = %path.display(), "others can read the sessions");
    }
}

/// Looks at the header before SQLite does, because opening may already change a file.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    match File::open(path) {
        Ok(file) => file.take(HEADER_LEN as u64).read_to_end(&mut header),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|error| io_error(path, error))?;
    // A journal may be about to mend the header: leave that to SQLite.
    if header.is_empty() || has_content(&beside(path, "-journal")) || has_content(&beside(path, "-wal")) {
        return Ok(());
    }
    let damaged = |detail: &str| StoreError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
    if header.len() < HEADER_LEN {
        return Err(damaged("it ends within its header"));
    }
    if !header.starts_with(MAGIC) {
        return Err(damaged("it does not begin as a database"));
    }
    let version = header[USER_VERSION_OFFSET..].first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes));
    let (found, known) = (i64::from(version), schema::newest());
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Renames a damaged file and what belongs to it, so that a new one can be begun.
fn set_aside(files: &Files, detail: String) -> Result<(), StoreError> {
    let path = files.path();
    let Some(_alone) = lock_exclusive(&files.directory.join(IN_USE_NAME)) else {
        return Err(StoreError::Damaged { path, detail });
    };
    // Another process may have done it while this one waited.
    if is_whole(&path, &files.options) {
        return Ok(());
    }
    let now_ms = (files.options.clock)();
    let kept_as = (0..)
        .map(|n| files.directory.join(format!("sessions.damaged-{}.db", now_ms + n)))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| files.directory.join("sessions.damaged.db"));
    // The file itself last: a log without its file would be taken for the new one's.
    for suffix in ["-wal", "-journal", "-shm", ""] {
        match fs::rename(beside(&path, suffix), beside(&kept_as, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(|error| io_error(&path, error))?,
        }
    }
    files.suspect.store(false, Ordering::Relaxed);
    (files.options.notice)(Notice::SetAside { path, kept_as, detail });
    Ok(())
}

fn is_whole(path: &Path, options: &Options) -> bool {
    let check = || -> rusqlite::Result<String> {
        connect(path, options)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    check_header(path).is_ok() && check().is_ok_and(|verdict| verdict == "ok")
}

/// Notes that the database is in use here. `None` where that cannot be noted: nobody can set it aside there.
fn lock_shared(path: &Path) -> Option<File> {
    let file = open_lock_file(path).ok()?;
    file.lock_shared().ok()?;
    Some(file)
}

/// Waits a little until nobody uses the database.
fn lock_exclusive(path: &Path) -> Option<File> {
    let file = open_lock_file(path).ok()?;
    let until = Instant::now() + SET_ASIDE_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(_) => return None,
        }
    }
}

/// Opens a file that is only ever locked.
pub(crate) fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The file that belongs to `path`, such as its log.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

/// Which file a name stands for.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// `None` where files have none: then the name has to do.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|metadata| Self(metadata.dev(), metadata.ino()))
    }

    #[cfg(unix)]
    pub(crate) fn of_open(file: &File) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        file.metadata().ok().map(|metadata| Self(metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_path: &Path) -> Option<Self> {
        None
    }
}

/// Whether the file system lacks what the write-ahead log needs.
fn has_no_shared_memory(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(error, _) = error else { return false };
    error.code == ErrorCode::FileLockingProtocolFailed
        || matches!(
            error.extended_code,
            ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMMAP
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_CANTOPEN
        )
}

fn to_store_error(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let rusqlite::Error::SqliteFailure(failure, detail) = &error else {
        return StoreError::Io { path, source: Arc::new(error) };
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Locked { path },
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            StoreError::ReadOnly { path }
        }
        ErrorCode::DiskFull => StoreError::Full { path },
        _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full { path },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            let detail = detail.clone().unwrap_or_else(|| failure.to_string());
            StoreError::Damaged { path, detail: one_line(&detail) }
        }
        _ => StoreError::Io { path, source: Arc::new(error) },
    }
}

/// Tells what a failure of the file system means.
pub(crate) fn io_error(path: &Path, error: io::Error) -> StoreError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
        _ => StoreError::Io { path, source: Arc::new(error) },
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

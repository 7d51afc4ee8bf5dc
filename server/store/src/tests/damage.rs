use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::{Fixture, id, prompt, session, talk};
use crate::{Notice, StoreError};

/// Damages a file that nobody has open.
#[track_caller]
fn check_set_aside(damage: impl Fn(&Path)) {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["one", "two"]);
    fixture.store.close();
    damage(&fixture.file());
    let damaged = fs::read(fixture.file()).unwrap();
    fixture.reopen();
    assert!(matches!(fixture.store.load(&id("s")), Err(StoreError::UnknownSession(_))));
    talk(&fixture.store, "s", &["a new beginning"]);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 1);
    let notices = fixture.notices.lock().unwrap();
    let [Notice::SetAside { path, kept_as, .. }] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(*path, fixture.file());
    assert_eq!(fs::read(kept_as).unwrap(), damaged);
}

#[test]
fn garbage_is_set_aside() {
    check_set_aside(|path| fs::write(path, "this is a text, not a database\n".repeat(100)).unwrap());
}

#[test]
fn a_file_that_ends_within_its_header_is_set_aside() {
    check_set_aside(|path| OpenOptions::new().write(true).open(path).unwrap().set_len(50).unwrap());
}

#[test]
fn a_truncated_file_is_set_aside() {
    check_set_aside(|path| {
        let len = fs::metadata(path).unwrap().len();
        OpenOptions::new().write(true).open(path).unwrap().set_len(len / 2 / 4096 * 4096).unwrap();
    });
}

#[test]
fn a_damaged_schema_is_set_aside() {
    check_set_aside(|path| {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(100)).unwrap();
        file.write_all(&[0xa5; 3000]).unwrap();
    });
}

/// Damage that only shows when the entries are read.
#[test]
fn a_page_that_went_bad_is_found_while_running() {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    for n in 2..200 {
        fixture.store.append(&id("s"), prompt(n, &"long ".repeat(100))).wait().unwrap();
    }
    fixture.store.close();
    let root: i64 = rusqlite::Connection::open(fixture.file())
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'", [], |row| row.get(0))
        .unwrap();
    let mut file = OpenOptions::new().write(true).open(fixture.file()).unwrap();
    file.seek(SeekFrom::Start((root as u64 - 1) * 4096)).unwrap();
    file.write_all(&[0xa5; 4096]).unwrap();
    drop(file);

    fixture.reopen();
    // The writer has the file open when the damage shows.
    fixture.store.rename(&id("s"), None).wait().unwrap();
    let error = fixture.store.load(&id("s")).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.hint().is_some());
    assert!(matches!(fixture.store.load(&id("s")), Err(StoreError::UnknownSession(_))));
    assert_eq!(fixture.notices.lock().unwrap().len(), 1);
    talk(&fixture.store, "t", &["a new beginning"]);
}

#[test]
fn a_file_in_use_is_not_set_aside() {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    // Another process still has the file open while this one finds it damaged.
    let in_use = fs::File::open(fixture.path().join("sessions.lock")).unwrap();
    in_use.lock_shared().unwrap();
    fixture.store.close();
    fs::write(fixture.file(), "garbage".repeat(100)).unwrap();
    fixture.reopen();
    let error = fixture.store.create(session("t")).wait().unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(fixture.file().exists());
    drop(in_use);
    fixture.store.create(session("t")).wait().unwrap();
}

#[test]
fn an_empty_file_is_a_new_one() {
    let fixture = Fixture::new();
    fs::write(fixture.file(), "").unwrap();
    assert_eq!(fixture.store.latest("/work").unwrap(), None);
    talk(&fixture.store, "s", &["one"]);
    assert!(fixture.notices.lock().unwrap().is_empty());
}

#[test]
fn the_log_of_a_damaged_file_is_kept_too() {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    // A process that dies leaves its log behind.
    let wal = fixture.path().join("sessions.db-wal");
    let log = fs::read(&wal).unwrap();
    assert!(!log.is_empty());
    fixture.store.close();
    fs::write(fixture.file(), "garbage".repeat(1000)).unwrap();
    let mut cut = log.clone();
    cut.truncate(100);
    fs::write(&wal, &cut).unwrap();
    fixture.reopen();
    talk(&fixture.store, "t", &["one"]);
    let notices = fixture.notices.lock().unwrap();
    let [Notice::SetAside { kept_as, .. }] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(fs::read(kept_as).unwrap(), "garbage".repeat(1000).as_bytes());
    assert_eq!(fs::read(kept_as.with_extension("db-wal")).unwrap(), cut);
}

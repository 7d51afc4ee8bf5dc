use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expect_test::expect;
use rusqlite::Connection;

use super::{Fixture, id, prompt, session, talk, text};
use crate::StoreError;

#[test]
fn a_failed_commit_is_told_and_the_next_one_works() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let fixture = Fixture::with(|options| {
        options.faults.before_commit = Some(Arc::new(move |_| {
            if failing.load(Ordering::Relaxed) { Err(io::Error::other("unplugged")) } else { Ok(()) }
        }));
    });
    talk(&fixture.store, "s", &["one"]);
    fails.store(true, Ordering::Relaxed);
    let lost: Vec<_> = (2..10).map(|n| fixture.store.append(&id("s"), prompt(n, "lost"))).collect();
    for commit in lost {
        let error = commit.wait().unwrap_err();
        assert!(matches!(error, StoreError::Io { .. } | StoreError::UnknownEntry { .. }), "{error}");
    }
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 1);
    fails.store(false, Ordering::Relaxed);
    fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap();
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 2);
}

#[test]
fn a_full_disk_is_told_and_what_was_stored_stays() {
    let fixture = Fixture::with(|options| options.faults.max_pages = Some(60));
    talk(&fixture.store, "s", &["one"]);
    let error = fixture.store.append(&id("s"), prompt(2, &"x".repeat(400_000))).wait().unwrap_err();
    expect!["the disk of $DIR/sessions.db is full"].assert_eq(&text(&error, fixture.path()));
    assert!(error.hint().is_some());
    // What still fits is stored.
    fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap();
    let mut n = 3;
    while fixture.store.append(&id("s"), prompt(n, &"word ".repeat(500))).wait().is_ok() {
        n += 1;
    }
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len() as u64, n - 1);
}

#[test]
fn a_quota_counts_as_a_full_disk() {
    let fixture = Fixture::with(|options| {
        options.faults.before_commit = Some(Arc::new(|_| Err(io::ErrorKind::QuotaExceeded.into())));
    });
    let error = fixture.store.create(session("s")).wait().unwrap_err();
    expect!["the disk of $DIR/sessions.db is full"].assert_eq(&text(&error, fixture.path()));
}

#[test]
fn another_program_in_the_way_is_told() {
    let fixture = Fixture::with(|options| options.busy_timeout = Duration::from_millis(50));
    talk(&fixture.store, "s", &["one"]);
    let other = Connection::open(fixture.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap_err();
    expect!["$DIR/sessions.db is locked by another process"].assert_eq(&text(&error, fixture.path()));
    // Reading goes on.
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap();
}

#[test]
fn a_short_lock_is_waited_for() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    let other = Connection::open(fixture.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commit = fixture.store.append(&id("s"), prompt(2, "two"));
    std::thread::sleep(Duration::from_millis(30));
    other.execute_batch("COMMIT").unwrap();
    commit.wait().unwrap();
}

/// A way to reach files that has no shared memory: the write-ahead log is not available.
#[cfg(unix)]
#[test]
fn a_file_system_without_a_write_ahead_log_works() {
    let fixture = Fixture::with(|options| {
        options.faults.vfs = Some("unix-dotfile");
        options.sync = crate::SyncMode::Full;
    });
    talk(&fixture.store, "s", &["one", "two"]);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 2);
    fixture.store.close();
    let journal: String = Connection::open(fixture.file())
        .unwrap()
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_ne!(journal, "wal");
}

#[cfg(unix)]
#[test]
fn a_file_made_with_a_write_ahead_log_works_without_one() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    fixture.store.close();
    let mut options = super::test_options();
    options.faults.vfs = Some("unix-dotfile");
    let store = crate::Store::open(fixture.path(), options);
    assert_eq!(store.load(&id("s")).unwrap().entries.len(), 1);
    store.append(&id("s"), prompt(2, "two")).wait().unwrap();
    assert_eq!(store.load(&id("s")).unwrap().entries.len(), 2);
    store.close();
}

#[test]
fn a_path_that_cannot_be_is_told() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path().join("file"), "").unwrap();
    let store = crate::Store::open(fixture.path().join("file/data"), super::test_options());
    let error = store.create(session("s")).wait().unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(store.latest("/work").is_err());
}

#[test]
fn a_panic_below_the_writer_is_told_and_the_next_write_works() {
    let panics = AtomicBool::new(true);
    let fixture = Fixture::with(|options| {
        options.faults.before_commit = Some(Arc::new(move |_| {
            assert!(!panics.swap(false, Ordering::Relaxed), "a fault of the test");
            Ok(())
        }));
    });
    assert!(matches!(fixture.store.create(session("s")).wait(), Err(StoreError::Closed)));
    while fixture.store.create(session("s")).wait().is_err() {}
    assert!(fixture.store.load(&id("s")).is_ok());
}

/// On a real small file system: `mount -t tmpfs -o size=1m tmpfs $STORE_TEST_SMALL_DISK`.
#[test]
#[ignore = "needs a file system of about 1 MB"]
fn a_disk_that_is_really_full_is_told() {
    let Ok(disk) = std::env::var("STORE_TEST_SMALL_DISK") else { return };
    let directory = tempfile::TempDir::new_in(&disk).unwrap();
    let reserve = directory.path().join("reserve");
    std::fs::write(&reserve, vec![1; 200 << 10]).unwrap();
    let store = crate::Store::open(directory.path(), crate::Options::default());
    talk(&store, "s", &[]);
    let mut n_stored = 0;
    let error = loop {
        match store.append(&id("s"), prompt(n_stored + 1, &"word ".repeat(2000))).wait() {
            Ok(()) => n_stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(store.load(&id("s")).unwrap().entries.len() as u64, n_stored);
    store.close();
    let filler = std::path::Path::new(&disk).join("filler");
    // Fails when nothing is left, which is what is wanted.
    let _ = std::fs::write(&filler, vec![1; 1 << 20]);
    let again = crate::Store::open(directory.path(), crate::Options::default());
    assert_eq!(again.load(&id("s")).unwrap().entries.len() as u64, n_stored);
    let error = again.append(&id("s"), prompt(n_stored + 1, "x")).wait().unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let fresh = crate::Store::open(directory.path().join("fresh"), crate::Options::default());
    let error = fresh.create(session("s")).wait().unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    std::fs::remove_file(reserve).unwrap();
    again.append(&id("s"), prompt(n_stored + 1, "x")).wait().unwrap();
    again.close();
    fresh.close();
}

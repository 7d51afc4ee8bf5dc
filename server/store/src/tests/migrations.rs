use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect;
use rusqlite::Connection;

use super::{Fixture, id, prompt, show, talk};
use crate::{Append, BlobHash, Draft, NewBlob, Retention, StoreError, schema};

fn stored(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/databases/{version}.db"))
}

/// Writes the database of the present version; run once when a version is added, then keep the file.
#[test]
#[ignore = "writes a file that is checked in"]
fn store_a_database_of_this_version() {
    let fixture = Fixture::new();
    talk(&fixture.store, "old", &["a question of old", "another"]);
    let append = Append {
        blobs: vec![NewBlob::new(&b"old content ".repeat(50), Retention::BeforeImage)],
        draft: Draft::Set(vec!["\"half\"".to_owned()]),
        ..Append::default()
    };
    fixture.store.append(&id("old"), append).wait().unwrap();
    fixture.store.close();
    Connection::open(fixture.file()).unwrap().execute_batch("PRAGMA journal_mode = DELETE; VACUUM").unwrap();
    fs::copy(fixture.file(), stored(schema::newest())).unwrap();
}

#[test]
fn databases_of_all_versions_are_read() {
    for version in 1..=schema::newest() {
        let fixture = Fixture::new();
        fs::copy(stored(version), fixture.file()).unwrap();
        expect![[r#"
            old leaf Some(2)
            - > 1 user {"text":"a question of old"}
            1 > 2 user {"text":"another"}
            draft "half""#]]
        .assert_eq(&show(&fixture.store.load(&id("old")).unwrap()));
        assert_eq!(fixture.store.search("question", 1).unwrap().len(), 1);
        let content = b"old content ".repeat(50);
        assert_eq!(fixture.store.blob(BlobHash::of(&content)).unwrap(), content);
        fixture.store.append(&id("old"), prompt(3, "and on")).wait().unwrap();
        let connection = Connection::open(fixture.file()).unwrap();
        assert_eq!(schema::version(&connection).unwrap(), schema::newest());
    }
}

#[test]
fn steps_are_done_once_and_all_or_none() {
    let mut connection = Connection::open_in_memory().unwrap();
    let steps = ["CREATE TABLE a (x); INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"];
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap()
    };
    schema::migrate(&mut connection, &steps[..1]).unwrap();
    schema::migrate(&mut connection, &steps).unwrap();
    schema::migrate(&mut connection, &steps).unwrap();
    assert_eq!((count(&connection), schema::version(&connection).unwrap()), (2, 2));
    schema::migrate(&mut connection, &[steps[0], steps[1], "INSERT INTO a VALUES (3)", "nonsense"])
        .unwrap_err();
    assert_eq!((count(&connection), schema::version(&connection).unwrap()), (2, 2));
}

#[track_caller]
fn check_newer(make_newer: impl Fn(&Path) -> Option<Connection>) {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    fixture.store.close();
    let _open = make_newer(&fixture.file());
    let before = fs::read(fixture.file()).unwrap();
    fixture.reopen();
    let error = fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!(matches!(fixture.store.load(&id("s")), Err(StoreError::Newer { .. })));
    assert!(error.to_string().contains("made by a newer Opal (version 99, this one knows 2)"), "{error}");
    assert!(fs::read(fixture.file()).unwrap() == before);
    assert!(fixture.notices.lock().unwrap().is_empty());
}

#[test]
fn a_newer_database_is_left_alone() {
    check_newer(|path| {
        Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        None
    });
}

#[test]
fn a_newer_database_is_left_alone_while_its_log_is_not_in_it() {
    check_newer(|path| {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 99").unwrap();
        Some(connection)
    });
}

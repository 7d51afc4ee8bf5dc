use super::{Fixture, id, talk};
use crate::{Append, BlobError, BlobHash, Budget, NewBlob, Retention, Store};

fn put(store: &Store, session: &str, contents: &[&[u8]], retention: Retention) {
    let blobs = contents.iter().map(|content| NewBlob::new(content, retention)).collect();
    store.append(&id(session), Append { blobs, ..Append::default() }).wait().unwrap();
}

/// What does not compress.
fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut content = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut content);
    content
}

#[track_caller]
fn check(store: &Store, content: &[u8], expected: &str) {
    let hash = BlobHash::of(content);
    let found = match store.blob(hash) {
        Ok(found) if found == content => "kept",
        Ok(_) => "wrong",
        Err(BlobError::Gone(_)) => "gone",
        Err(BlobError::Unknown(_)) => "unknown",
        Err(BlobError::Store(error)) => panic!("{error}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn contents_come_back_and_are_stored_once() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &[]);
    talk(&fixture.store, "t", &[]);
    let text = "the same line\n".repeat(10_000).into_bytes();
    for content in [text.as_slice(), b"", b"short", &noise(1, 5000)] {
        put(&fixture.store, "s", &[content, content], Retention::Session);
        put(&fixture.store, "t", &[content], Retention::BeforeImage);
        check(&fixture.store, content, "kept");
    }
    check(&fixture.store, b"never put", "unknown");
    let connection = rusqlite::Connection::open(fixture.file()).unwrap();
    let (n, bytes): (i64, i64) = connection
        .query_row("SELECT count(*), sum(length(data)) FROM blobs", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(n, 4);
    assert!(bytes < 6000, "{bytes}");

    fixture.store.delete(&id("s")).wait().unwrap();
    check(&fixture.store, &text, "kept");
    fixture.store.delete(&id("t")).wait().unwrap();
    check(&fixture.store, &text, "unknown");
}

#[test]
fn the_oldest_images_of_a_session_make_room() {
    let fixture =
        Fixture::with(|options| options.budget = Budget { session_bytes: 3000, total_bytes: 10_000 });
    talk(&fixture.store, "s", &[]);
    let output = noise(99, 5000);
    put(&fixture.store, "s", &[&output], Retention::Session);
    let images: Vec<_> = (0..4).map(|seed| noise(seed, 1000)).collect();
    for image in &images[..3] {
        put(&fixture.store, "s", &[image], Retention::BeforeImage);
    }
    // Put again, the first is the youngest.
    put(&fixture.store, "s", &[&images[0], &images[3]], Retention::BeforeImage);
    check(&fixture.store, &images[0], "kept");
    check(&fixture.store, &images[1], "gone");
    check(&fixture.store, &images[2], "kept");
    check(&fixture.store, &images[3], "kept");
    check(&fixture.store, &output, "kept");
    // One that can never fit drives nobody out.
    let huge = noise(5, 4000);
    put(&fixture.store, "s", &[&huge], Retention::BeforeImage);
    check(&fixture.store, &huge, "gone");
    check(&fixture.store, &images[2], "kept");
    // What comes back is kept again.
    put(&fixture.store, "s", &[&images[1]], Retention::BeforeImage);
    check(&fixture.store, &images[1], "kept");
    check(&fixture.store, &images[2], "gone");
}

#[test]
fn the_oldest_images_of_all_sessions_make_room() {
    let fixture = Fixture::with(|options| options.budget = Budget { session_bytes: 3000, total_bytes: 4000 });
    for (n, name) in (0..).zip(["a", "b", "c"]) {
        talk(&fixture.store, name, &[]);
        put(&fixture.store, name, &[&noise(2 * n, 1000), &noise(2 * n + 1, 1000)], Retention::BeforeImage);
    }
    check(&fixture.store, &noise(0, 1000), "gone");
    check(&fixture.store, &noise(1, 1000), "gone");
    for seed in 2..6 {
        check(&fixture.store, &noise(seed, 1000), "kept");
    }
    fixture.store.delete(&id("c")).wait().unwrap();
    put(&fixture.store, "a", &[&noise(0, 1000), &noise(1, 1000)], Retention::BeforeImage);
    for seed in 0..4 {
        check(&fixture.store, &noise(seed, 1000), "kept");
    }
    let connection = rusqlite::Connection::open(fixture.file()).unwrap();
    let total: i64 = connection.query_row("SELECT image_bytes FROM totals", [], |row| row.get(0)).unwrap();
    assert_eq!(total, 4000);
}

#[test]
fn a_content_that_another_session_keeps_is_not_gone() {
    let fixture = Fixture::with(|options| options.budget = Budget { session_bytes: 1000, total_bytes: 9000 });
    talk(&fixture.store, "a", &[]);
    talk(&fixture.store, "b", &[]);
    let shared = noise(0, 1000);
    put(&fixture.store, "b", &[&shared], Retention::Session);
    put(&fixture.store, "a", &[&shared, &noise(1, 1000)], Retention::BeforeImage);
    check(&fixture.store, &shared, "kept");
    fixture.store.delete(&id("b")).wait().unwrap();
    check(&fixture.store, &shared, "gone");
}

#[test]
fn hashes_are_written_as_hexadecimal() {
    let hash = BlobHash::of(b"x");
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert!("xyz".parse::<BlobHash>().is_err());
}

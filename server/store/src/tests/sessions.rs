use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use expect_test::{Expect, expect};

use super::{Fixture, entry, id, prompt, session, show, talk, text};
use crate::{Append, Draft, EntryId, EntryKind, Options, SessionId, SessionUpdate, Store, StoreError};

#[test]
fn nothing_is_made_before_the_first_write() {
    let fixture = Fixture::new();
    let directory = fixture.path().join("not/yet");
    let store = Store::open(&directory, Options::default());
    assert_eq!(store.latest("/work").unwrap(), None);
    assert_eq!(store.search("word", 10).unwrap(), []);
    assert!(matches!(store.load(&id("none")), Err(StoreError::UnknownSession(_))));
    assert!(!directory.exists());
    store.create(session("first")).wait().unwrap();
    assert!(directory.exists());
    store.close();
}

#[test]
fn a_session_comes_back_as_it_was_left() {
    let mut fixture = Fixture::new();
    talk(&fixture.store, "s", &["hello", "and on"]);
    let mut branch = entry(3, EntryKind::from("dream"), "of a newer Opal");
    branch.parent = Some(EntryId(1));
    branch.search_text = None;
    let append = Append {
        entries: vec![branch],
        leaf: Some(EntryId(3)),
        draft: Draft::Set(vec!["\"half an\"".to_owned()]),
        ..Append::default()
    };
    fixture.store.append(&id("s"), append).wait().unwrap();
    let more = Append { draft: Draft::Add("\" ans\"".to_owned()), ..Append::default() };
    fixture.store.append(&id("s"), more).wait().unwrap();
    fixture.reopen();
    expect![[r#"
        s leaf Some(3)
        - > 1 user {"text":"hello"}
        1 > 2 user {"text":"and on"}
        1 > 3 dream {"text":"of a newer Opal"}
        draft "half an" + " ans""#]]
    .assert_eq(&show(&fixture.store.load(&id("s")).unwrap()));

    let clear = Append { draft: Draft::Clear, ..Append::default() };
    fixture.store.append(&id("s"), clear).wait().unwrap();
    fixture.store.set_leaf(&id("s"), Some(EntryId(2))).wait().unwrap();
    fixture.store.rename(&id("s"), Some("talk".to_owned())).wait().unwrap();
    let update = SessionUpdate { model: Some("local/small".to_owned()), ..SessionUpdate::default() };
    fixture.store.update(&id("s"), update).wait().unwrap();
    let loaded = fixture.store.load(&id("s")).unwrap();
    assert_eq!(loaded.draft, Vec::<String>::new());
    assert_eq!(loaded.record.leaf, Some(EntryId(2)));
    assert_eq!(loaded.record.name.as_deref(), Some("talk"));
    assert_eq!(loaded.record.model.as_deref(), Some("local/small"));
    assert_eq!(loaded.record.settings_json, "{}");
}

#[track_caller]
fn check_refused(append: Append, error: Expect) {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["first"]);
    let refused = fixture.store.append(&id("s"), append).wait().unwrap_err();
    error.assert_eq(&text(&refused, fixture.path()));
    // Nothing of it was stored, and the session goes on.
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 1);
    fixture.store.append(&id("s"), prompt(2, "next")).wait().unwrap();
}

#[test]
fn the_tree_stays_whole() {
    check_refused(prompt(1, "again"), expect!["session s already has an entry 1"]);
    check_refused(prompt(7, "orphan"), expect!["session s has no entry 6"]);
    check_refused(
        Append { leaf: Some(EntryId(9)), ..Append::default() },
        expect!["session s has no entry 9"],
    );
    check_refused(
        Append {
            entries: vec![entry(2, EntryKind::Note, "fine"), entry(2, EntryKind::Note, "twice")],
            ..Append::default()
        },
        expect!["session s already has an entry 2"],
    );
    let mut too_large = prompt(2, "id");
    too_large.entries[0].id = EntryId(u64::MAX);
    check_refused(too_large, expect!["session s has no entry 18446744073709551615"]);
}

#[test]
fn a_session_is_made_once() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &[]);
    let error = fixture.store.create(session("s")).wait().unwrap_err();
    expect!["session s is already stored"].assert_eq(&error.to_string());
    let error = fixture.store.append(&id("t"), prompt(1, "x")).wait().unwrap_err();
    expect!["no session t"].assert_eq(&error.to_string());
}

#[test]
fn writes_are_done_in_the_order_of_the_calls() {
    let fixture = Fixture::new();
    // Nothing is waited for until the end.
    let mut commits = vec![fixture.store.create(session("s"))];
    commits.extend((1..=200).map(|n| fixture.store.append(&id("s"), prompt(n, "step"))));
    for commit in commits {
        commit.wait().unwrap();
    }
    let loaded = fixture.store.load(&id("s")).unwrap();
    assert_eq!(
        loaded.entries.iter().map(|entry| entry.id.0).collect::<Vec<_>>(),
        (1..=200).collect::<Vec<_>>()
    );
    assert_eq!(loaded.record.leaf, Some(EntryId(200)));
}

#[test]
fn what_waits_becomes_durable_together() {
    // The first commit is held back until a hundred others wait.
    let (go, wait) = mpsc::channel::<()>();
    let (wait, n_groups, largest) =
        (Mutex::new(wait), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (groups, size) = (n_groups.clone(), largest.clone());
    let fixture = Fixture::with(|options| {
        options.faults.before_commit = Some(Arc::new(move |group| {
            if groups.fetch_add(1, Ordering::Relaxed) == 0 {
                wait.lock().unwrap().recv().unwrap();
            }
            size.fetch_max(group.n_writes, Ordering::Relaxed);
            Ok(())
        }));
    });
    let ids: Vec<SessionId> = (0..100).map(|_| SessionId::random()).collect();
    let mut commits = vec![fixture.store.create(session("first"))];
    for id in &ids {
        let mut record = session("s");
        record.id = id.clone();
        commits.push(fixture.store.create(record));
        commits.push(fixture.store.append(id, prompt(1, "hello")));
    }
    go.send(()).unwrap();
    for commit in commits {
        commit.wait().unwrap();
    }
    assert!(n_groups.load(Ordering::Relaxed) <= 3, "{n_groups:?} transactions for 201 writes");
    assert!(largest.load(Ordering::Relaxed) >= 100);
}

#[test]
fn a_refused_write_takes_none_of_its_group_along() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let fixture = Fixture::with(|options| {
        options.faults.before_commit = Some(Arc::new(move |_| {
            if let Some(wait) = wait.lock().unwrap().take() {
                wait.recv().unwrap();
            }
            Ok(())
        }));
    });
    let create = fixture.store.create(session("s"));
    let good = fixture.store.append(&id("s"), prompt(1, "good"));
    let bad = fixture.store.append(&id("s"), prompt(5, "bad"));
    let after_bad = fixture.store.append(&id("s"), prompt(6, "after bad"));
    let also_good = fixture.store.append(&id("s"), prompt(2, "also good"));
    go.send(()).unwrap();
    let outcomes = [create, good, bad, after_bad, also_good].map(|commit| commit.wait().is_ok());
    assert_eq!(outcomes, [true, true, false, false, true]);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 2);
    assert_eq!(fixture.store.search("bad", 10).unwrap(), []);
}

#[test]
fn the_writer_starts_again_after_it_was_idle() {
    let fixture = Fixture::with(|options| options.idle_timeout = std::time::Duration::ZERO);
    talk(&fixture.store, "s", &["one", "two", "three"]);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 3);
}

#[test]
fn a_closed_store_refuses_writes_and_still_reads() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    let waiting: Vec<_> = (2..50).map(|n| fixture.store.append(&id("s"), prompt(n, "more"))).collect();
    fixture.store.close();
    for commit in waiting {
        commit.wait().unwrap();
    }
    assert!(matches!(fixture.store.append(&id("s"), prompt(50, "late")).wait(), Err(StoreError::Closed)));
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 49);
}

#[test]
fn deleting_takes_all_of_a_session_and_of_its_children() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["a fox"]);
    talk(&fixture.store, "other", &["a fox too"]);
    let mut child = session("child");
    child.parent = Some(id("s"));
    fixture.store.create(child).wait().unwrap();
    fixture.store.append(&id("child"), prompt(1, "a fox in a child")).wait().unwrap();
    assert_eq!(fixture.store.search("fox", 10).unwrap().len(), 3);

    fixture.store.delete(&id("s")).wait().unwrap();
    assert_eq!(fixture.store.search("fox", 10).unwrap().len(), 1);
    assert!(fixture.store.load(&id("child")).is_err());
    assert_eq!(fixture.store.load(&id("other")).unwrap().entries.len(), 1);
    // What is written next does not meet what was.
    talk(&fixture.store, "s", &["again"]);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 1);
}

#[test]
fn a_removed_file_is_noticed() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    if cfg!(unix) {
        for entry in fs::read_dir(fixture.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let error = fixture.store.append(&id("s"), prompt(2, "two")).wait().unwrap_err();
        assert!(matches!(error, StoreError::UnknownSession(_)), "{error}");
        talk(&fixture.store, "t", &["one"]);
        assert_eq!(fixture.store.load(&id("t")).unwrap().entries.len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let directory = fixture.path().join("data");
    let store = Store::open(&directory, Options::default());
    talk(&store, "s", &["secret"]);
    let _lock = store.lock(&id("s"), "test").unwrap();
    let mut pending = vec![directory];
    while let Some(path) = pending.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    store.close();
}

#[test]
fn room_is_given_back() {
    let fixture = Fixture::new();
    talk(&fixture.store, "big", &[]);
    for n in 1..=12 {
        fixture.store.append(&id("big"), prompt(n, &"x".repeat(2 << 20))).wait().unwrap();
    }
    talk(&fixture.store, "small", &["one"]);
    let size = || fs::metadata(fixture.file()).unwrap().len();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while size() < 24 << 20 {
        assert!(std::time::Instant::now() < until, "the log was not moved into the file: {}", size());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fixture.store.delete(&id("big")).wait().unwrap();
    while size() > 18 << 20 {
        assert!(std::time::Instant::now() < until, "{} bytes after all was deleted", size());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(fixture.store.load(&id("small")).unwrap().entries.len(), 1);
}

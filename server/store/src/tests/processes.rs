//! Several processes: this test binary starts itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Fixture, id, prompt, session, talk, test_options};
use crate::{Append, EntryId, EntryKind, LockError, NewEntry, Store, StoreError};

const ROLE: &str = "STORE_TEST_ROLE";
const DIRECTORY: &str = "STORE_TEST_DIRECTORY";

/// Not a test: what the children do.
#[test]
#[ignore = "only for the other tests of this file"]
fn child() {
    let (Ok(role), Ok(directory)) = (std::env::var(ROLE), std::env::var(DIRECTORY)) else { return };
    let store = Store::open(directory, test_options());
    match role.as_str() {
        "append" => loop {
            // Four writes at a time, so that a kill meets groups in all states.
            let next = store.load(&id("s")).unwrap().entries.len() as u64 + 1;
            let commits: Vec<_> =
                (next..next + 4).map(|n| (n, store.append(&id("s"), prompt(n, "step")))).collect();
            for (n, commit) in commits {
                commit.wait().unwrap();
                println!("said {n}");
            }
        },
        "append_some" => {
            let name = format!("p{}", std::process::id());
            talk(&store, &name, &["step"; 50]);
            println!("said {name}");
        }
        "lock" => {
            let _lock = store.lock(&id("s"), "child").unwrap();
            println!("said locked");
            std::thread::park();
        }
        "read_only" => {
            assert_eq!(store.load(&id("s")).unwrap().entries.len(), 1);
            assert_eq!(store.search("one", 1).unwrap().len(), 1);
            let error = store.append(&id("s"), prompt(2, "two")).wait().unwrap_err();
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
            assert!(error.hint().is_some());
            let error = store.lock(&id("s"), "child").unwrap_err();
            assert!(matches!(error, LockError::Store(StoreError::ReadOnly { .. })), "{error:?}");
            println!("said done");
        }
        role => panic!("{role}"),
    }
}

struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, directory: &Path) -> Self {
        Self::start_with(role, directory, |_| {})
    }

    fn start_with(role: &str, directory: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "tests::processes::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next thing it says; `None` when it ended.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness writes the beginning of a line of its own.
            if let Some((_, said)) = line.trim_end().split_once("said ") {
                return Some(said.to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &[]);
    let mut acknowledged = 0;
    for round in 0..20_u64 {
        let mut other = Other::start("append", fixture.path());
        // Some rounds are killed in the middle of the first group, some after many.
        for _ in 0..=(round * 7 % 23) {
            acknowledged = other.hear().unwrap().parse().unwrap();
        }
        other.kill();
        while let Some(said) = other.hear() {
            acknowledged = said.parse().unwrap();
        }
        let loaded = fixture.store.load(&id("s")).unwrap();
        let n_entries = loaded.entries.len() as u64;
        assert!(n_entries >= acknowledged, "{n_entries} of {acknowledged} in round {round}");
        assert!(loaded.entries.iter().map(|entry| entry.id.0).eq(1..=n_entries));
        assert_eq!(loaded.record.leaf, Some(EntryId(n_entries)));
    }
    let connection = rusqlite::Connection::open(fixture.file()).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn several_processes_write_one_file() {
    let fixture = Fixture::new();
    // All of them find no file and make it.
    let mut others: Vec<_> = (0..4).map(|_| Other::start("append_some", fixture.path())).collect();
    for other in &mut others {
        let name = other.hear().expect("the child failed");
        assert_eq!(fixture.store.load(&id(&name)).unwrap().entries.len(), 50);
    }
    talk(&fixture.store, "mine", &["too"]);
    assert_eq!(fixture.store.search("step", 1000).unwrap().len(), 200);
}

#[test]
fn a_session_has_one_writer() {
    let fixture = Fixture::new();
    let lock = fixture.store.lock(&id("s"), "nvim").unwrap();
    let error = fixture.store.lock(&id("s"), "code").unwrap_err();
    let told = format!("session s is held by process {} (nvim) for 0 s", std::process::id());
    assert_eq!(error.to_string(), told);
    let LockError::Held { session, holder, .. } = error else { panic!("{error}") };
    let later = LockError::Held { session, holder, at_ms: 1_000_000 };
    assert_eq!(later.to_string(), told.replace("0 s", "16 min"));
    let _other = fixture.store.lock(&id("t"), "code").unwrap();
    drop(lock);
    let lock = fixture.store.lock(&id("s"), "code").unwrap();
    assert_eq!(lock.session(), &id("s"));
    drop(lock);
    // Nothing is left behind.
    let left = std::fs::read_dir(fixture.path().join("locks")).unwrap().count();
    assert_eq!(left, 2);
}

#[test]
fn a_dead_holders_lock_is_free_at_once() {
    let fixture = Fixture::new();
    let mut other = Other::start("lock", fixture.path());
    other.hear().unwrap();
    let error = fixture.store.lock(&id("s"), "mine").unwrap_err();
    let LockError::Held { holder: Some(holder), .. } = error else { panic!("{error}") };
    assert_eq!((holder.process_id, holder.client.as_str()), (other.child.id(), "child"));
    other.kill();
    let lock = fixture.store.lock(&id("s"), "mine").unwrap();
    drop(lock);
}

#[test]
fn many_want_one_lock() {
    let fixture = Fixture::new();
    let n_holders = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    if let Ok(lock) = fixture.store.lock(&id("s"), "one of many") {
                        assert_eq!(n_holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        n_holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(lock);
                    }
                }
            });
        }
    });
}

/// Root may write everywhere, so the child is somebody else then.
#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_can_be_read() {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let fixture = Fixture::new();
    talk(&fixture.store, "s", &["one"]);
    fixture.store.close();
    let is_root = fs::metadata(fixture.path()).unwrap().uid() == 0;
    let mode = |mode| fs::set_permissions(fixture.path(), fs::Permissions::from_mode(mode)).unwrap();
    for entry in fs::read_dir(fixture.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        if is_root {
            chown(path, Some(NOBODY), None).unwrap();
        }
    }
    if is_root {
        chown(fixture.path(), Some(NOBODY), None).unwrap();
    }
    mode(0o500);
    let mut other = Other::start_with("read_only", fixture.path(), |command| {
        if is_root {
            command.uid(NOBODY);
        }
    });
    let said = other.hear();
    mode(0o700);
    assert_eq!(said.as_deref(), Some("done"));
}

#[test]
fn entries_of_two_stores_mix_in_one_file() {
    let fixture = Fixture::new();
    let other = Store::open(fixture.path(), test_options());
    fixture.store.create(session("s")).wait().unwrap();
    for n in 1..=20 {
        let store = if n % 2 == 0 { &fixture.store } else { &other };
        let entry = NewEntry { search_text: None, ..super::entry(n, EntryKind::Note, "x") };
        store.append(&id("s"), Append { entries: vec![entry], ..Append::default() }).wait().unwrap();
    }
    assert_eq!(other.load(&id("s")).unwrap().entries.len(), 20);
    other.close();
}

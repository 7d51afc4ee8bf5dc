//! How fast it is. Run with `cargo test --release -p store figures -- --ignored --nocapture --test-threads=1`.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Fixture, id, prompt, session, test_options};
use crate::{Append, EntryId, EntryKind, ListQuery, NewEntry, Options, SessionId, Store, SyncMode};

fn entry(n: u64, payload: String, text: Option<String>) -> NewEntry {
    NewEntry {
        id: EntryId(n),
        parent: (n > 1).then(|| EntryId(n - 1)),
        kind: EntryKind::Assistant,
        created_at_ms: i64::try_from(n).unwrap(),
        payload,
        search_text: text,
    }
}

/// The middle and the 99th of a hundred.
fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    format!(
        "p50 {:?}, p99 {:?}, worst {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    )
}

fn append_durably(n_sessions: usize, n_each: u64) {
    let directory = TempDir::new().unwrap();
    let store = Store::open(directory.path(), Options::default());
    let start = Instant::now();
    let times = std::thread::scope(|scope| {
        let sessions: Vec<_> = (0..n_sessions)
            .map(|_| {
                scope.spawn(|| {
                    let mut record = session("s");
                    record.id = SessionId::random();
                    store.create(record.clone()).wait().unwrap();
                    let payload = "word ".repeat(200);
                    let one = |n: u64| {
                        let start = Instant::now();
                        let text = payload[..500].to_owned() + &n.to_string();
                        let entry = entry(n, payload.clone(), Some(text));
                        let leaf = Some(EntryId(n));
                        let append = Append { entries: vec![entry], leaf, ..Append::default() };
                        store.append(&record.id, append).wait().unwrap();
                        start.elapsed()
                    };
                    (1..=n_each).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        sessions.into_iter().flat_map(|session| session.join().unwrap()).collect::<Vec<_>>()
    });
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    println!("{n_sessions} sessions append durably: {rate:.0} entries/s, {}", percentiles(times));
    store.close();
}

#[test]
#[ignore = "measures"]
fn durable_append() {
    append_durably(1, 3000);
    append_durably(16, 1000);
}

#[test]
#[ignore = "measures"]
fn load_of_a_long_session() {
    let fixture = Fixture::new();
    fixture.store.create(session("s")).wait().unwrap();
    let entries = (1..=10_000).map(|n| entry(n, "payload ".repeat(100), Some(format!("text {n}"))));
    let append = Append { entries: entries.collect(), ..Append::default() };
    fixture.store.append(&id("s"), append).wait().unwrap();
    for what in ["first", "again"] {
        let store =
            if what == "first" { Store::open(fixture.path(), test_options()) } else { fixture.store.clone() };
        let start = Instant::now();
        let loaded = store.load(&id("s")).unwrap();
        println!("load of {} entries, {what}: {:?}", loaded.entries.len(), start.elapsed());
    }
}

#[test]
#[ignore = "measures"]
fn first_page_of_many_sessions() {
    let fixture = Fixture::new();
    let mut commits = Vec::new();
    for n in 0..10_000_i64 {
        let mut record = session("s");
        record.id = SessionId::random();
        record.updated_at_ms = n;
        record.working_dir = format!("/project/{}", n % 10);
        commits.push(fixture.store.create(record.clone()));
        commits.push(fixture.store.append(&record.id, prompt(1, &format!("what about number {n} then"))));
    }
    for commit in commits {
        commit.wait().unwrap();
    }
    let store = Store::open(fixture.path(), test_options());
    for (what, query) in [
        ("first, with opening", ListQuery::default()),
        ("again", ListQuery::default()),
        (
            "of one directory",
            ListQuery { working_dir: Some("/project/3".to_owned()), ..ListQuery::default() },
        ),
        ("with a rare word", ListQuery { query: Some("number 77 ".to_owned()), ..ListQuery::default() }),
    ] {
        let start = Instant::now();
        let page = store.list(&query).unwrap();
        println!("page of {} of 10,000 sessions, {what}: {:?}", page.sessions.len(), start.elapsed());
    }
}

#[test]
#[ignore = "measures"]
fn search_over_a_million_entries() {
    let directory = TempDir::new().unwrap();
    let store = Store::open(directory.path(), Options { sync: SyncMode::Off, ..Options::default() });
    let start = Instant::now();
    let mut seed = 1_u64;
    let mut word = || {
        // Many common words, few rare ones.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let x = (seed >> 33) as f64 / (1_u64 << 31) as f64;
        format!("w{}", (x.powi(4) * 100_000.0) as u64)
    };
    for n in 0..1000 {
        let mut record = session("s");
        record.id = SessionId::random();
        // Two that lie far apart, of which a search passes all between.
        if n == 0 || n == 999 {
            record.working_dir = "/few".to_owned();
        }
        let create = store.create(record.clone());
        let entries = (1..=1000).map(|n| {
            let text: Vec<String> = (0..30).map(|_| word()).collect();
            entry(n, "{}".to_owned(), Some(format!("the {}", text.join(" "))))
        });
        let append = Append { entries: entries.collect(), ..Append::default() };
        store.append(&record.id, append).wait().unwrap();
        create.wait().unwrap();
    }
    println!("a million entries written in {:?}", start.elapsed());
    let size = std::fs::metadata(directory.path().join("sessions.db")).unwrap().len();
    println!("file: {} MiB", size >> 20);
    for words in ["the", "w0", "the w0", "w0 w1 w2", "w99998", "the w99998", "\"w0 w1\"", "w9999*", "w12*"] {
        let measure = |name: &str, find: &dyn Fn() -> usize| {
            let mut times = Vec::new();
            let mut n_hits = 0;
            for _ in 0..5 {
                let start = Instant::now();
                n_hits = find();
                times.push(start.elapsed());
            }
            println!("search {name:11} {words:12} {n_hits:2} hits: {}", percentiles(times));
        };
        measure("entries", &|| store.search(words, 20).unwrap().len());
        measure("sessions", &|| store.search_sessions(words, None, 20).unwrap().len());
        measure("a directory", &|| store.search_sessions(words, Some("/few"), 20).unwrap().len());
    }
    store.close();
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "measures"]
fn memory_of_an_idle_store() {
    let resident = || -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let fixture = Fixture::new();
    let before = resident();
    fixture.store.create(session("s")).wait().unwrap();
    for n in 1..=500 {
        fixture.store.append(&id("s"), prompt(n, &format!("prompt {n}"))).wait().unwrap();
    }
    let written = resident();
    fixture.store.load(&id("s")).unwrap();
    fixture.store.search("prompt", 10).unwrap();
    println!("idle store: {} KiB after writes, {} KiB after reads", written - before, resident() - before);
}

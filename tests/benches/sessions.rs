//! Stored sessions: going on with one, what one has changed, listing many, searching all, and what one takes up
//! while it is idle.

use std::time::Instant;

use replay::Recording;
use serde_json::{Value, json};
use store::{ListQuery, Options, Store};

use crate::client::Client;
use crate::model::Model;
use crate::numbers::{median, ms, resident};
use crate::stored::{Stored, answer, prompt, work};
use crate::table::{Row, Target};

/// Servers that are started, each with nothing read before.
const RUNS: usize = 20;

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begin = Instant::now();
    let result = work();
    (ms(begin.elapsed()), result)
}

/// A server on what is stored, ready for requests.
fn server(model: &Model, stored: &Stored) -> Client {
    let mut client = Client::opal_on(model.url(), stored.data());
    client.initialize();
    client
}

pub(crate) fn resume(rows: &mut Vec<Row>) {
    const ENTRIES: u64 = 10_000;
    let model = Model::start();
    let mut stored = Stored::new();
    for n_entries in [ENTRIES, 10] {
        stored.session(n_entries, work).wait().unwrap();
    }
    let [long, short] = stored.sessions() else { unreachable!("two were stored") };
    let all = [(long, ENTRIES), (short, 10)].map(|(id, n_entries)| {
        // Each server ends before the next one takes the session.
        let run = |_| {
            let mut client = server(&model, &stored);
            let params = json!({ "session_id": id.as_str() });
            timed(|| client.request("session/resume", params)).0
        };
        let times: Vec<_> = (0..RUNS).map(run).collect();
        assert_eq!(history(&mut server(&model, &stored), id.as_str()), n_entries);
        median(&times)
    });
    let plain: Vec<_> = (0..RUNS).map(|_| timed(|| stored.open().load(long).unwrap()).0).collect();
    rows.push(
        Row::new("session/resume of 10,000 entries, beside reading them", "ms", all[0])
            .target(Target::AtMost(50.0))
            .baseline(median(&plain)),
    );
    rows.push(Row::new("  of 10 entries", "ms", all[1]));
}

/// How many entries of a session are understood.
fn history(client: &mut Client, session: &str) -> u64 {
    let mut params = json!({ "session_id": session, "limit": 1000 });
    let mut n_entries = 0;
    loop {
        let page = client.request("session/history", params.clone());
        n_entries += page["entries"].as_array().unwrap().len() as u64;
        match page.get("next_cursor") {
            Some(cursor) => params["cursor"] = cursor.clone(),
            None => return n_entries,
        }
    }
}

pub(crate) fn changes(rows: &mut Vec<Row>) {
    const FILES: usize = 500;
    let model = Model::start();
    let mut client = Client::opal(model.url());
    client.initialize_plain();
    let session = client.start_session("full");
    client.prompt(&session);
    let content = "a line of some length\n".repeat(40);
    let write = |n| json!({ "path": format!("file{n}"), "content": content });
    let writes = (0..FILES).fold(Recording::new("bench"), |answer, n| answer.tool_call("write", write(n)));
    model.next().play(&writes.usage(100, 0, 10));
    model.next().play(&Recording::new("bench").number(2).text("Done.").usage(100, 0, 10));
    client.until("\"agent_end\"");

    let run = |_| {
        let (time, changes) = timed(|| client.request("session/changes", json!({ "session_id": session })));
        assert_eq!(changes["files"].as_array().unwrap().len(), FILES);
        time
    };
    let times: Vec<_> = (0..RUNS).map(run).collect();
    let store = Store::open(client.directory.path().join(".opal"), Options::default());
    let id = store.find(&session).unwrap().id;
    let plain: Vec<_> = (0..RUNS).map(|_| timed(|| store.load(&id).unwrap()).0).collect();
    rows.push(
        Row::new(
            "session/changes over 500 files of 40 lines, beside reading the session",
            "ms",
            median(&times),
        )
        .baseline(median(&plain)),
    );
}

pub(crate) fn list(rows: &mut Vec<Row>) {
    const SESSIONS: usize = 10_000;
    let model = Model::start();
    let mut stored = Stored::new();
    let one =
        |stored: &mut Stored, n| stored.session(1, |_| prompt(1, &format!("what about number {n} then")));
    let commits: Vec<_> = (0..SESSIONS).map(|n| one(&mut stored, n)).collect();
    commits.into_iter().for_each(|commit| commit.wait().unwrap());
    stored.close();

    let pages = |first: &mut dyn FnMut(Option<Value>) -> Value| -> (f64, f64) {
        let (first_time, page) = timed(|| first(None));
        let (next_time, _) = timed(|| first(Some(page)));
        (first_time, next_time)
    };
    let by_server = |_| {
        let mut client = server(&model, &stored);
        pages(&mut |before| {
            let params = before.map_or_else(|| json!({}), |page| json!({ "cursor": page["next_cursor"] }));
            let page = client.request("session/list", params);
            assert_eq!(page["sessions"].as_array().unwrap().len(), 50);
            page
        })
    };
    let by_store = |_| {
        let store = stored.open();
        pages(&mut |before| {
            let cursor = before.and_then(|page| page["next_cursor"].as_str().map(str::to_owned));
            let page = store.list(&ListQuery { cursor, ..ListQuery::default() }).unwrap();
            json!({ "next_cursor": page.next_cursor })
        })
    };
    let (first, next): (Vec<_>, Vec<_>) = (0..RUNS).map(by_server).unzip();
    let (plain_first, plain_next): (Vec<_>, Vec<_>) = (0..RUNS).map(by_store).unzip();
    for (name, times, plain) in [
        ("session/list, first page of 10,000 sessions, beside the store", first, plain_first),
        ("  its next page", next, plain_next),
    ] {
        let row = Row::new(name, "ms", median(&times)).target(Target::AtMost(20.0));
        rows.push(row.baseline(median(&plain)));
    }
}

pub(crate) fn search(rows: &mut Vec<Row>) {
    const SESSIONS: u64 = 10_000;
    const ENTRIES: u64 = 100;
    /// In every entry, in many, in few, in none; both kinds together; side by side; a beginning.
    const WORDS: [&str; 8] =
        ["the", "w0", "w99998", "nowhere", "the w99998", "w0 w1 w2", "\"w0 w1\"", "w9999*"];
    /// A page.
    const HITS: usize = 50;
    let model = Model::start();
    let mut stored = Stored::new();
    let mut seed = 1_u64;
    let mut word = || {
        // Many common words, few rare ones.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let x = (seed >> 33) as f64 / (1_u64 << 31) as f64;
        format!("w{}", (x.powi(4) * 100_000.0) as u64)
    };
    for _ in 0..SESSIONS / 10 {
        let ten: Vec<_> = (0..10)
            .map(|_| {
                stored.session(ENTRIES, |n| {
                    let text: Vec<String> = (0..30).map(|_| word()).collect();
                    let text = format!("the {}", text.join(" "));
                    if n % 2 == 0 { prompt(n, &text) } else { answer(n, &text, &[]) }
                })
            })
            .collect();
        ten.into_iter().for_each(|commit| commit.wait().unwrap());
    }
    stored.close();

    let mut client = server(&model, &stored);
    let store = stored.open();
    for words in WORDS {
        let run = |_| timed(|| client.request("session/list", json!({ "query": words }))).0;
        let times: Vec<_> = (0..RUNS).map(run).collect();
        let plain: Vec<_> =
            (0..RUNS).map(|_| timed(|| store.search_sessions(words, None, HITS).unwrap()).0).collect();
        rows.push(
            Row::new(format!("session/list, query {words:?} in a million entries"), "ms", median(&times))
                .target(Target::AtMost(100.0))
                .baseline(median(&plain)),
        );
    }
}

pub(crate) fn memory(rows: &mut Vec<Row>) {
    const SESSIONS: usize = 200;
    const ENTRIES: u64 = 50;
    const KB: f64 = 1024.0;
    let model = Model::start();
    let mut stored = Stored::new();
    for _ in 0..=SESSIONS {
        stored.session(ENTRIES, work).wait().unwrap();
    }
    let n_bytes = stored.n_bytes() as f64 / (SESSIONS + 1) as f64;
    stored.close();

    let mut client = server(&model, &stored);
    // The first pays for what all share.
    let (first, rest) = stored.sessions().split_first().unwrap();
    client.request("session/resume", json!({ "session_id": first.as_str() }));
    let before = resident(client.pid());
    for id in rest {
        client.request("session/resume", json!({ "session_id": id.as_str() }));
    }
    let each = (resident(client.pid()) - before) * KB / SESSIONS as f64;
    rows.push(
        Row::new("memory of a resumed session of 50 entries beyond its text", "KB", each - n_bytes / KB)
            .target(Target::AtMost(100.0)),
    );
    rows.push(Row::new("  its text", "KB", n_bytes / KB));

    const TEXT: &str = "A short answer.";
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    let turn = |client: &mut Client, session: &str| {
        client.prompt(session);
        model.next().play(&Recording::new("bench").text(TEXT).usage(100, 0, 10));
        client.until("agent_end");
    };
    turn(&mut client, &session);
    let before = resident(client.pid());
    for _ in 0..SESSIONS {
        let session = client.start_session("full");
        turn(&mut client, &session);
    }
    let each = (resident(client.pid()) - before) * KB / SESSIONS as f64;
    rows.push(
        Row::new(
            "memory of a new session with one prompt beyond its text",
            "KB",
            each - TEXT.len() as f64 / KB,
        )
        .target(Target::AtMost(100.0)),
    );
}

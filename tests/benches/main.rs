//! How fast Opal is, and how big, each number beside a baseline taken in the same run.
//!
//! `cargo bench -p tests` prints a table, with `-- --json` the same as JSON; other arguments pick the rows whose
//! group contains one of them. Everything is measured on the release binary over its real pipes, with a model
//! on loopback that this program plays itself. Nothing here fails because something is slow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod client;
mod documents;
mod families;
mod model;
mod numbers;
mod sessions;
mod sizes;
mod stored;
mod stream;
mod table;
mod tools;
mod turns;

use std::time::Duration;

use table::Row;

type Group = (&'static str, fn(&mut Vec<Row>));

const GROUPS: &[Group] = &[
    ("start", sizes::start),
    ("memory", sizes::memory),
    ("idle", sizes::idle),
    ("delay", stream::delay),
    ("throughput", stream::throughput),
    ("turn", turns::turn),
    ("history", turns::history),
    ("families: streams", families::decode),
    ("families: history", families::long_history),
    ("tools", tools::round_trips),
    ("edits", documents::edits),
    ("changes", documents::changes),
    ("memory: large files", documents::memory),
    ("sessions: resume", sessions::resume),
    ("sessions: changes", sessions::changes),
    ("sessions: list", sessions::list),
    ("sessions: search", sessions::search),
    ("sessions: memory", sessions::memory),
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let picked: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    watch();

    let mut rows = Vec::new();
    for (name, measure) in GROUPS {
        if picked.is_empty() || picked.iter().any(|picked| name.contains(picked.as_str())) {
            if !as_json {
                eprintln!("measuring {name} …");
            }
            measure(&mut rows);
        }
    }
    match as_json {
        true => println!("{}", table::json(&rows)),
        false => println!("{}", table::text(&rows)),
    }
}

/// A bench that hangs would hang for ever: reads are blocking.
fn watch() {
    const LIMIT: Duration = Duration::from_secs(1200);
    std::thread::spawn(|| {
        std::thread::sleep(LIMIT);
        eprintln!("the benches hang: given up after {} s", LIMIT.as_secs());
        std::process::exit(1);
    });
}

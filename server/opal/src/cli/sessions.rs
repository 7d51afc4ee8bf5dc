//! `opal sessions`: what is stored, without a server.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use agent::journal::foreign::{LeftOut, disarm};
use agent::journal::{markdown, now_ms};
use anyhow::{Context as _, bail};
use opal::{Outputs, Settings};
use serde_json::json;
use store::{ListQuery, SessionRecord, SessionSummary, Store, StoreError};
use text::printable_line;

use super::print::{out, tell};

/// Sessions shown when no number is given.
const SHOWN: usize = 20;
/// Characters of an id that tell sessions apart.
const SHORT_ID: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List sessions, latest first (the default).
    List {
        /// Only those of this directory.
        #[arg(long, short = 'C', value_name = "DIR")]
        directory: Option<PathBuf>,
        /// At most so many.
        #[arg(long, default_value_t = SHOWN)]
        limit: usize,
    },
    /// Search all text of all sessions, best hits first.
    Search {
        #[arg(required = true)]
        words: Vec<String>,
        #[arg(long, default_value_t = SHOWN)]
        limit: usize,
    },
    /// Show a conversation.
    Show { id: String },
    /// Name a session; without a name, take its name away.
    Name { id: String, name: Vec<String> },
    /// Remove sessions.
    Delete {
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Write a session to stdout: JSON Lines, to be imported again, or Markdown.
    Export {
        id: String,
        #[arg(long)]
        markdown: bool,
    },
    /// Take in a session that was exported as JSON Lines; from stdin without a file.
    Import { file: Option<PathBuf> },
}

pub(super) fn main(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&|name| std::env::var(name).ok())?;
    let store = Store::open(&settings.data_dir, store::Options::default());
    let command = arguments.command.unwrap_or(Command::List { directory: None, limit: SHOWN });
    let result = run(&store, &Outputs::new(&settings.data_dir), command, arguments.json);
    store.close();
    match result {
        // The reader has gone, as in `opal sessions | head`.
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

fn run(store: &Store, outputs: &Outputs, command: Command, as_json: bool) -> anyhow::Result<()> {
    let mut out = out();
    match command {
        Command::List { directory, limit } => {
            let working_dir = match directory {
                Some(directory) => Some(dunce::canonicalize(&directory)?.display().to_string()),
                None => None,
            };
            let page =
                store.list(&ListQuery { working_dir, limit, ..ListQuery::default() }).map_err(hinted)?;
            for summary in &page.sessions {
                if as_json {
                    writeln!(out, "{}", to_json(summary))?;
                } else {
                    writeln!(out, "{}", line(summary))?;
                }
            }
            if page.sessions.is_empty() && !as_json {
                tell!("There are no sessions yet.");
            }
        }
        Command::Search { words, limit } => {
            let words = words.join(" ");
            let hits = store.search(&words, limit).map_err(hinted)?;
            for hit in &hits {
                if as_json {
                    let hit = json!({
                        "session_id": hit.session.as_str(), "entry_id": hit.entry.to_string(),
                        "kind": hit.kind.as_str(), "created_at_ms": hit.created_at_ms, "line": hit.line,
                    });
                    writeln!(out, "{hit}")?;
                } else {
                    let (id, age) = (short(hit.session.as_str()), age(hit.created_at_ms));
                    writeln!(
                        out,
                        "{id}  {age:>4}  {:<11}  {}",
                        hit.kind.as_str(),
                        printable_line(&hit.line)
                    )?;
                }
            }
            if hits.is_empty() && !as_json {
                tell!("Nothing is found for {words}.");
            }
        }
        Command::Show { id } => {
            let loaded = store.load(&find(store, &id)?.id).map_err(hinted)?;
            write!(out, "{}", markdown(&loaded))?;
        }
        Command::Name { id, name } => {
            let name = Some(name.join(" ").trim().to_owned()).filter(|name| !name.is_empty());
            store.rename(&find(store, &id)?.id, name).wait().map_err(hinted)?;
        }
        Command::Delete { ids } => {
            for id in ids {
                let record = find(store, &id)?;
                let _lock =
                    store.lock(&record.id, "opal sessions").with_context(|| format!("deleting {id}"))?;
                store.delete(&record.id).wait().map_err(hinted)?;
                outputs.forget(&record.id);
                writeln!(out, "deleted {}", short(record.id.as_str()))?;
            }
        }
        Command::Export { id, markdown: true } => {
            let loaded = store.load(&find(store, &id)?.id).map_err(hinted)?;
            write!(out, "{}", markdown(&loaded))?;
        }
        Command::Export { id, markdown: false } => store.export(&find(store, &id)?.id, &mut out)?,
        Command::Import { file } => {
            let mut input: Box<dyn BufRead> = match file {
                Some(file) => {
                    let opened = File::open(&file).with_context(|| format!("opening {}", file.display()))?;
                    Box::new(BufReader::new(opened))
                }
                None => Box::new(std::io::stdin().lock()),
            };
            let (mut left_out, mut working_dir) = (LeftOut::default(), String::new());
            let id = store.import(&mut input, |record, append| {
                left_out = disarm(record, append);
                working_dir.clone_from(&record.working_dir);
            })?;
            writeln!(out, "{id}")?;
            tell_left_out(&left_out);
            if std::env::current_dir().is_ok_and(|current| current != Path::new(&working_dir)) {
                tell!("It works in {}.", printable_line(&working_dir));
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn tell_left_out(left_out: &LeftOut) {
    let settings: Vec<_> = left_out.settings.iter().map(|name| printable_line(name)).collect();
    if !settings.is_empty() {
        tell!("These of its settings are left out: {}.", settings.join(", "));
    }
    if left_out.changes {
        tell!("What it changed in files cannot be taken back here.");
    }
}

fn find(store: &Store, id: &str) -> anyhow::Result<SessionRecord> {
    if id.is_empty() {
        bail!("there is no session without an id");
    }
    store.find(id).map_err(hinted)
}

/// The error with what can be done about it.
fn hinted(error: StoreError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}. {hint}"),
        None => error.into(),
    }
}

fn line(summary: &SessionSummary) -> String {
    let record = &summary.record;
    let called = record.name.as_ref().or(summary.first_prompt.as_ref()).map_or("", String::as_str);
    format!(
        "{}  {:>4}  {:>7}  {}  {}  {}",
        short(record.id.as_str()),
        age(record.updated_at_ms),
        size(summary.bytes),
        printable_line(record.model.as_deref().unwrap_or("-")),
        printable_line(&record.working_dir),
        printable_line(called),
    )
}

fn to_json(summary: &SessionSummary) -> serde_json::Value {
    let record = &summary.record;
    json!({
        "session_id": record.id.as_str(),
        "working_dir": record.working_dir,
        "name": record.name,
        "first_prompt": summary.first_prompt,
        "model": record.model,
        "created_at_ms": record.created_at_ms,
        "updated_at_ms": record.updated_at_ms,
        "n_entries": summary.n_entries,
        "bytes": summary.bytes,
    })
}

fn short(id: &str) -> &str {
    id.get(..SHORT_ID).unwrap_or(id)
}

/// How long ago, as in `5m` or `3d`.
fn age(at_ms: i64) -> String {
    let elapsed = Duration::from_millis(u64::try_from(now_ms().saturating_sub(at_ms)).unwrap_or_default());
    match elapsed.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KB", bytes / 1_024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

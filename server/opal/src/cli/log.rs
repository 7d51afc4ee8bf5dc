//! Logs: to stderr, or to a file, never to stdout, and without a secret.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::panic;
use std::sync::Mutex;

use text::printable;
use tracing::field::display;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::print::{LogLines, tell};

/// Our own crates. Others are capped at info whatever the filter says: some print secrets at debug.
const OWN: &[&str] = &["agent", "opal", "protocol", "provider", "replay", "text"];

/// `OPAL_LOG` filters (as in `debug` or `agent=trace`), `OPAL_LOG_FILE` names a file to append to.
pub(super) fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var("OPAL_LOG")
        .from_env_lossy();
    let cap = Targets::new()
        .with_targets(OWN.iter().map(|name| (*name, LevelFilter::TRACE)))
        .with_default(LevelFilter::INFO);
    let file = std::env::var_os("OPAL_LOG_FILE").and_then(|path| {
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.inspect_err(|error| tell!("warning: OPAL_LOG_FILE {}: {error}", path.display())).ok()
    });
    let layer = fmt::layer().with_target(true);
    let layer = match file {
        Some(file) => layer.with_ansi(false).with_writer(Mutex::new(Masked(file))).boxed(),
        None => layer.with_ansi(false).with_writer(|| Masked(LogLines)).boxed(),
    };
    let layer = layer.with_filter(filter).with_filter(cap);
    // A second start, as in a test, changes nothing.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    // A panic tells what it fell over, which may be anything.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| display(&backtrace));
        tracing::error!(%panic, backtrace, "a bug in Opal");
    }));
}

/// Writes without the secrets that Opal knows, and printable. A line of the log comes in one piece.
struct Masked<W>(W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let line_text = String::from_utf8_lossy(line);
        // Who reads the file with `cat` reads it on a terminal.
        self.0.write_all(printable(&provider::mask(&line_text)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

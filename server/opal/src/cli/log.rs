//! Logs: to stderr, or to a file, never to stdout.

use std::fs::OpenOptions;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::show::tell;

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
        Some(file) => layer.with_ansi(false).with_writer(Mutex::new(file)).boxed(),
        None => layer.with_ansi(false).with_writer(std::io::stderr).boxed(),
    };
    let layer = layer.with_filter(filter).with_filter(cap);
    // A second start, as in a test, changes nothing.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

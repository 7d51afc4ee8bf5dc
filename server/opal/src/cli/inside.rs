//! A server inside this program, and a client of it: the commands use what editors use.

use std::path::Path;

use anyhow::Context as _;
use opal::{Limits, Server, Settings};
use text::AbsPath;
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Incoming};
use super::print::tell;

/// The directory that is named, or the one in which this program was started.
pub(super) fn directory(named: Option<&Path>) -> anyhow::Result<AbsPath> {
    let path = std::path::absolute(named.unwrap_or(Path::new(".")));
    Ok(AbsPath::new(path.context("the current directory cannot be used; was it removed?")?)?)
}

/// Runs `work` with a client of a server of its own, which ends with it.
pub(super) async fn with_server<T>(
    work: impl AsyncFnOnce(&Client, UnboundedReceiver<Incoming>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let settings = Settings::load(&|name| std::env::var(name).ok())?;
    for warning in &settings.warnings {
        tell!("warning: {warning}");
    }
    let server = Server::new(settings, Limits::default());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(far);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(reader, writer).await }
    });
    let (reader, writer) = tokio::io::split(near);
    let (client, incoming) = Client::connect(reader, writer);
    let result = work(&client, incoming).await;
    server.shutdown().await;
    serving.abort();
    result
}

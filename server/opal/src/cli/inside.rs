//! A server inside this program, and a client of it: the commands use what editors use.

use opal::{Limits, Server, Settings};
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Incoming};
use super::print::tell;

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

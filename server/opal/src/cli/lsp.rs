//! `opal lsp`: one editor on stdio.

use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context as _;
use opal::platform::EndSignals;
use opal::{Limits, Server, Settings, platform};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Talk over stdin and stdout. The only way there is; accepted because clients pass it.
    #[arg(long)]
    stdio: bool,
    /// End when this process is gone.
    #[arg(long = "clientProcessId", value_name = "PID")]
    client_process_id: Option<u32>,
}

pub(super) async fn main(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { stdio: _, client_process_id } = arguments;
    let mut signals = EndSignals::listen().context("listening for signals")?;
    let settings = Settings::load(&|name| std::env::var(name).ok())?;
    let warnings = settings.warnings.clone();
    let server = Server::new(settings, Limits::default());
    for warning in warnings {
        tracing::warn!("{warning}");
        server.notify(warning);
    }
    let (input, output) = platform::stdio().context("opening stdin and stdout")?;
    let mut serving = pin!(server.serve(input, output));
    let farewell = tokio::select! {
        farewell = &mut serving => farewell,
        () = end_asked(&mut signals, client_process_id) => {
            // Together: the shutdown waits for what the connection still writes.
            tokio::join!(serving, server.shutdown()).0
        }
    };
    server.shutdown().await;
    // As LSP has it.
    Ok(if farewell.exit && !farewell.shutdown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits for a signal, or for the end of the client's process.
async fn end_asked(signals: &mut EndSignals, client_process_id: Option<u32>) {
    let process_gone = async {
        match client_process_id {
            Some(process_id) => platform::process_gone(process_id).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.next() => {}
        () = process_gone => {}
    }
}

//! `opal lsp`: one editor on stdio.

use std::process::ExitCode;

use anyhow::Context as _;
use opal::{Farewell, Limits, Server, Settings, platform};

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
    let settings = Settings::load(&|name| std::env::var(name).ok())?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let server = Server::new(settings, Limits::default());
    if let Some(process_id) = client_process_id {
        server.follow_process(process_id);
    }
    let input = platform::input().context("opening stdin")?;
    let output = platform::output().context("opening stdout")?;
    let farewell = tokio::select! {
        farewell = server.serve(input, output) => farewell,
        ended = platform::end_requested() => {
            ended.context("waiting for signals")?;
            Farewell::default()
        }
    };
    server.shutdown().await;
    // As LSP has it.
    Ok(if farewell.exit && !farewell.shutdown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

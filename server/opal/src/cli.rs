//! The command line.

mod auth;
mod client;
mod demo;
mod inside;
mod log;
mod lsp;
mod piped;
mod print;
mod run;
mod sessions;
mod show;
mod terminal;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use print::{ERROR, PLAIN, tell_pieces};

/// A coding agent inside the editor's own protocol.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an editor over stdio (LSP).
    Lsp(lsp::Arguments),
    /// Run one prompt in this directory and print what happens.
    Run(run::Arguments),
    /// List, search, show, name, delete, export and import stored sessions.
    Sessions(sessions::Arguments),
    /// Sign in to GitHub Copilot.
    Login(auth::LoginArguments),
    /// Sign out of GitHub Copilot, and remove what was kept for it.
    Logout,
    /// Say what each provider is used with, and who is signed in.
    Auth(auth::StatusArguments),
    /// List what each provider offers.
    Models(auth::ModelsArguments),
    /// Show Opal at work on a small project, with a recorded model: no account needed.
    Demo(demo::Arguments),
}

pub(crate) fn main() -> ExitCode {
    if let Some(ended) = opal::platform::begin() {
        return ended;
    }
    let arguments = Arguments::parse();
    log::start();
    // One thread: what computes or blocks goes to tokio's blocking threads, and a token of the model
    // passes from socket to editor without waking another thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.context("starting").and_then(|runtime| {
        let result = runtime.block_on(async {
            match arguments.command {
                Command::Lsp(arguments) => lsp::main(arguments).await,
                Command::Run(arguments) => run::main(arguments).await,
                Command::Sessions(arguments) => sessions::main(arguments),
                Command::Login(arguments) => auth::login(arguments).await,
                Command::Logout => auth::logout().await,
                Command::Auth(arguments) => auth::status(arguments).await,
                Command::Models(arguments) => auth::models(arguments).await,
                Command::Demo(arguments) => demo::main(arguments).await,
            }
        });
        // A thread that reads stdin cannot be stopped.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(|error| {
        let told = format!("{error:#}");
        tell_pieces(&[(ERROR, format_args!("error:")), (PLAIN, format_args!(" {}", provider::mask(&told)))]);
        ExitCode::FAILURE
    })
}

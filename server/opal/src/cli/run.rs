//! `opal run`: one prompt, headless.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use opal::platform::EndSignals;
use protocol::{
    AgentEvent, ClientCapabilities, EndReason, PROTOCOL_VERSION, PermissionMode, PromptParams, Request,
    SessionParams, SessionResumeParams, SessionSetParams, SessionStartParams, ThinkingLevel, methods,
};
use serde_json::Value;
use text::AbsPath;
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Incoming, Refused};
use super::inside::{self, with_server};
use super::piped;
use super::print::{out, tell};
use super::show::Show;
use super::terminal;

/// As a shell reports a program ended by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;
/// As a shell reports a program that writes to a pipe which nobody reads.
const UNREAD: u8 = 141;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The prompt. What is piped in is added to it, or is all of it.
    prompt: Vec<String>,
    /// Go on with a session: the latest of this directory, or the one whose id begins with ID.
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    resume: Option<String>,
    /// Print each event as one JSON line, and nothing else.
    #[arg(long)]
    json: bool,
    /// The model, as provider/model.
    #[arg(long, short)]
    model: Option<String>,
    /// How much runs unasked: ask, auto_edit, full or read_only.
    #[arg(long, value_parser = word::<PermissionMode>)]
    permission_mode: Option<PermissionMode>,
    /// How long it thinks: off, minimal, low, medium, high, xhigh or max.
    #[arg(long, value_parser = word::<ThinkingLevel>)]
    thinking_level: Option<ThinkingLevel>,
    /// The shell for commands.
    #[arg(long)]
    shell: Option<String>,
    /// Work in this directory.
    #[arg(long, short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) async fn main(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut arguments = arguments;
    take_id(&mut arguments);
    let prompt = prompt(&arguments.prompt).await?;
    let directory = inside::directory(arguments.directory.as_deref())?;
    with_server(async |client, incoming| converse(client, incoming, &arguments, &directory, prompt).await)
        .await
}

async fn converse(
    client: &Client,
    mut incoming: UnboundedReceiver<Incoming>,
    arguments: &Arguments,
    directory: &AbsPath,
    prompt: String,
) -> anyhow::Result<ExitCode> {
    // Before anything runs that would outlive this program.
    let mut signals = EndSignals::listen().context("listening for signals")?;
    let can_ask = terminal::can_ask();
    let capabilities = ClientCapabilities {
        version: PROTOCOL_VERSION,
        confirm: can_ask,
        input: can_ask,
        ..ClientCapabilities::default()
    };
    client.initialize(directory, &capabilities).await?;
    let session_id = match &arguments.resume {
        Some(id) => resume(client, id, directory, arguments).await?,
        None => start(client, directory, arguments).await?,
    };
    let params = PromptParams { session_id: session_id.clone(), text: prompt, ..PromptParams::default() };
    client.request::<methods::Prompt>(&params).await?;

    let mut show = Show::default();
    let mut interrupted = false;
    loop {
        tokio::select! {
            message = incoming.recv() => match message {
                None => bail!("the server has gone"),
                Some(Incoming::Event { event, params }) => {
                    let shown = if arguments.json { print_line(params.get()) } else { show.event(&event) };
                    match shown {
                        Ok(()) => {}
                        // As in `opal run … | head`: nobody waits for the rest.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                            return Ok(ExitCode::from(UNREAD));
                        }
                        Err(error) => return Err(error).context("writing to stdout"),
                    }
                    if let AgentEvent::AgentEnd { reason } = event {
                        return Ok(exit_code(reason));
                    }
                }
                Some(Incoming::Request { id, method, params }) => answer(client, id, method, params),
                Some(Incoming::Notification { method, params }) if method == "window/showMessage" => {
                    show.message(params["message"].as_str().unwrap_or_default());
                }
                Some(Incoming::Notification { .. }) => {}
            },
            () = signals.next() => {
                if std::mem::replace(&mut interrupted, true) {
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                let (client, session_id) = (client.clone(), session_id.clone());
                tokio::spawn(async move {
                    // The end of the run is an event.
                    let _ = client.request::<methods::Abort>(&SessionParams { session_id }).await;
                });
            }
        }
    }
}

async fn start(client: &Client, directory: &AbsPath, arguments: &Arguments) -> anyhow::Result<String> {
    let params = SessionStartParams {
        working_dir: directory.to_string(),
        model: arguments.model.clone(),
        permission_mode: arguments.permission_mode,
        thinking_level: arguments.thinking_level,
        shell: arguments.shell.clone(),
        ..SessionStartParams::default()
    };
    Ok(client.request::<methods::SessionStart>(&params).await?.session_id)
}

async fn resume(
    client: &Client,
    id: &str,
    directory: &AbsPath,
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let named = Some(id.to_owned()).filter(|id| !id.is_empty());
    let in_this = SessionResumeParams { working_dir: Some(directory.to_string()), session_id: named.clone() };
    let as_it_was = SessionResumeParams { working_dir: None, session_id: named };
    // A session that was named works where it did, unless told otherwise or that is gone.
    let moves = as_it_was.session_id.is_none() || arguments.directory.is_some();
    let params = if moves { &in_this } else { &as_it_was };
    let resumed = match client.request::<methods::SessionResume>(params).await {
        Err(error) if !moves && error.downcast_ref::<Refused>().is_some_and(Refused::is_of_params) => {
            let resumed = client.request::<methods::SessionResume>(&in_this).await?;
            tell!("It goes on in {directory}: {error}");
            resumed
        }
        resumed => resumed?,
    };
    let session_id = resumed.session_id;
    let params = SessionSetParams {
        session_id: session_id.clone(),
        name: None,
        model: arguments.model.clone(),
        thinking_level: arguments.thinking_level,
        permission_mode: arguments.permission_mode,
    };
    if params.model.is_some() || params.thinking_level.is_some() || params.permission_mode.is_some() {
        client.request::<methods::SessionSet>(&params).await?;
    }
    Ok(session_id)
}

/// `--resume ID PROMPT`, as people write it: a first word that can only be an id is one.
fn take_id(arguments: &mut Arguments) {
    let is_id = |word: &String| {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        word.len() >= 4
            && has_digit
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if arguments.resume.as_deref() == Some("") && arguments.prompt.len() > 1 && is_id(&arguments.prompt[0]) {
        arguments.resume = Some(arguments.prompt.remove(0));
    }
}

/// Answers questions, each in its own task: what happens meanwhile is still shown.
fn answer(client: &Client, id: Value, method: String, params: Value) {
    let client = client.clone();
    tokio::spawn(async move {
        match method.as_str() {
            methods::Confirm::METHOD => match serde_json::from_value(params) {
                Ok(params) => client.answer(&id, &terminal::confirm(params).await),
                Err(_) => client.refuse(&id, &method),
            },
            methods::Input::METHOD => match serde_json::from_value(params) {
                Ok(params) => client.answer(&id, &terminal::input(params).await),
                Err(_) => client.refuse(&id, &method),
            },
            _ => client.refuse(&id, &method),
        }
    });
}

fn print_line(line: &str) -> io::Result<()> {
    let mut out = out();
    writeln!(out, "{line}")?;
    out.flush()
}

fn exit_code(reason: EndReason) -> ExitCode {
    match reason {
        EndReason::Completed => ExitCode::SUCCESS,
        EndReason::Aborted => ExitCode::from(INTERRUPTED),
        _ => ExitCode::FAILURE,
    }
}

async fn prompt(words: &[String]) -> anyhow::Result<String> {
    let mut prompt = words.join(" ");
    if !io::stdin().is_terminal() {
        let waits = || tell!("Waiting for the end of stdin, which is part of the prompt…");
        let piped = piped::read(tokio::io::stdin(), waits).await.context("reading the prompt from stdin")?;
        if !prompt.is_empty() && !piped.trim().is_empty() {
            prompt.push_str("\n\n");
        }
        prompt.push_str(&piped);
    }
    if prompt.trim().is_empty() {
        bail!("there is no prompt; try: opal run \"explain this project\"");
    }
    Ok(prompt)
}

/// A value of the protocol, by its name on the wire.
fn word<T: serde::de::DeserializeOwned>(value: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(value.to_owned())).map_err(|error| error.to_string())
}

//! `opal demo`: everything real but the model, whose answers are recorded and played over HTTP.

use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use opal::platform::EndSignals;
use protocol::{
    AgentEvent, ClientCapabilities, ConfirmAction, ConfirmResult, EndReason, PROTOCOL_VERSION, PromptParams,
    Request, SaveDocumentsParams, SessionStartParams, methods,
};
use replay::{Recording, Reply};
use serde_json::{Value, json};
use text::AbsPath;
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Documents, Incoming};
use super::print::{stderr_is_terminal, tell};
use super::run::INTERRUPTED;
use super::show::Show;
use super::terminal;

const MODEL: &str = "demo-model";
const PROMPT: &str = "The check fails. Find out why and mend it.";
/// Between two pieces of the recorded answers, when somebody watches.
const PACE: Duration = Duration::from_millis(25);

#[cfg(not(windows))]
const FILES: [(&str, &str); 2] = [
    ("greet.sh", "# Greets somebody by name.\ngreet() {\n  echo \"Helo, $1!\"\n}\n"),
    (
        "check.sh",
        ". ./greet.sh\nif [ \"$(greet Ada)\" = \"Hello, Ada!\" ]; then echo ok; else echo \"not ok: $(greet Ada)\"; exit 1; fi\n",
    ),
];
#[cfg(not(windows))]
const CHECK: &str = "sh check.sh";

#[cfg(windows)]
const FILES: [(&str, &str); 2] = [
    ("greet.ps1", "# Greets somebody by name.\nfunction greet($name) {\n  \"Helo, $name!\"\n}\n"),
    (
        "check.ps1",
        ". ./greet.ps1\nif ((greet Ada) -eq \"Hello, Ada!\") { \"ok\" } else { \"not ok: $(greet Ada)\"; exit 1 }\n",
    ),
];
#[cfg(windows)]
const CHECK: &str = "powershell -NoProfile -ExecutionPolicy Bypass -File check.ps1";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Say yes to every question.
    #[arg(long, short)]
    yes: bool,
    /// Leave the project where it is.
    #[arg(long)]
    keep: bool,
}

pub(super) async fn main(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let project = tempfile::Builder::new()
        .prefix("opal-demo-")
        .disable_cleanup(arguments.keep)
        .tempdir()
        .context("making a project")?;
    let directory = AbsPath::new(dunce::canonicalize(project.path())?)?;
    let mut signals = EndSignals::listen().context("listening for signals")?;
    let ended = tokio::select! {
        ended = play(&arguments, &directory) => ended,
        () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
    };
    if arguments.keep {
        tell!("The project is in {directory}");
    }
    ended
}

async fn play(arguments: &Arguments, directory: &AbsPath) -> anyhow::Result<ExitCode> {
    let data = data_dir().context("making a data directory")?;
    for (name, text) in FILES {
        std::fs::write(directory.join(name).as_path(), text)?;
    }
    tell!("A project in {directory}; the prompt: {PROMPT}\n");

    let watched = stderr_is_terminal();
    let step = AtomicU32::new(0);
    let model = replay::Server::start(move |_request| answer(step.fetch_add(1, Ordering::Relaxed), watched))
        .context("starting the recorded model")?;
    // All that there is to know of the model, so that its service, which plays one answer after the other, is
    // asked for nothing else.
    let config = format!(
        "model = \"demo/{MODEL}\"\n[providers.demo]\nbase_url = \"{}/v1\"\n\
         models = [{{ id = \"{MODEL}\", context_window = 200000 }}]\n",
        model.url(),
    );
    std::fs::write(data.path().join("config.toml"), config)?;
    // Not killed when this is dropped: the end of its stdin lets it end what it has started.
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .args(["lsp", "--stdio"])
        .env("OPAL_DATA_DIR", data.path())
        .env_remove("OPAL_BASE_URL")
        .env_remove("OPAL_MODEL")
        .env_remove("OPAL_API")
        .env_remove("OPAL_API_KEY")
        .env_remove("OPAL_PERMISSION_MODE")
        .env_remove("OPAL_SHELL")
        .env_remove("OPAL_THINKING_LEVEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the server")?;
    let (Some(stdin), Some(stdout)) = (server.stdin.take(), server.stdout.take()) else {
        bail!("the server has no stdio");
    };
    let (client, incoming) = Client::connect(stdout, stdin);
    let completed = converse(&client, incoming, arguments, directory).await?;
    client.shutdown().await?;
    drop(client);
    server.wait().await.context("waiting for the server to end")?;

    let (name, before) = FILES[0];
    let after = std::fs::read_to_string(directory.join(name).as_path())?;
    if completed && after == before.replace("Helo", "Hello") {
        tell!("{name} was edited in the client's open document, seen to stand there, and saved.");
        return Ok(ExitCode::SUCCESS);
    }
    tell!("{name} was not edited.");
    Ok(ExitCode::FAILURE)
}

/// Makes a data directory that, like the user's own, nobody else can read.
fn data_dir() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("opal-demo-data-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// Runs the conversation. Returns whether it came to its end.
async fn converse(
    client: &Client,
    mut incoming: UnboundedReceiver<Incoming>,
    arguments: &Arguments,
    directory: &AbsPath,
) -> anyhow::Result<bool> {
    let capabilities = ClientCapabilities {
        version: PROTOCOL_VERSION,
        confirm: true,
        save_documents: true,
        ..ClientCapabilities::default()
    };
    client.initialize(directory, &capabilities).await?;
    let mut documents = Documents::default();
    let (name, text) = FILES[0];
    documents.open(client, &directory.join(name), text);
    let params = SessionStartParams { working_dir: directory.to_string(), ..SessionStartParams::default() };
    let session_id = client.request::<methods::SessionStart>(&params).await?.session_id;
    let params = PromptParams { session_id, text: PROMPT.into(), ..PromptParams::default() };
    client.request::<methods::Prompt>(&params).await?;

    let ask = !arguments.yes && terminal::can_ask();
    let mut show = Show::default();
    while let Some(message) = incoming.recv().await {
        match message {
            Incoming::Event { event, .. } => {
                show.event(&event).context("writing to stdout")?;
                if let AgentEvent::AgentEnd { reason } = event {
                    return Ok(reason == EndReason::Completed);
                }
            }
            Incoming::Request { id, method, params } => {
                request(client, &mut documents, &id, &method, params, ask).await?;
            }
            Incoming::Notification { .. } => {}
        }
    }
    bail!("the server has gone")
}

async fn request(
    client: &Client,
    documents: &mut Documents,
    id: &Value,
    method: &str,
    params: Value,
    ask: bool,
) -> anyhow::Result<()> {
    match method {
        "workspace/applyEdit" => documents.apply(client, id, &params),
        methods::SaveDocuments::METHOD => {
            documents.save(client, id, &serde_json::from_value::<SaveDocumentsParams>(params)?);
        }
        methods::Confirm::METHOD if ask => {
            client.answer(id, &terminal::confirm(serde_json::from_value(params)?).await);
        }
        methods::Confirm::METHOD => {
            tell!("{} — yes", params["title"].as_str().unwrap_or_default());
            client.answer(id, &ConfirmResult { action: ConfirmAction::Allow, message: None });
        }
        _ => client.refuse(id, method),
    }
    Ok(())
}

/// What the model says to the request with this number.
fn answer(step: u32, watched: bool) -> Reply {
    let (name, _) = FILES[0];
    let recording = Recording::new(MODEL).number(step + 1);
    let recording = match step {
        0 => recording
            .thinking("The user wants the failing check mended. First see how it fails, and what it checks.")
            .text("I will run the check and read the script it tests.")
            .tool_call("shell", json!({"command": CHECK}))
            .tool_call("read", json!({"path": name}))
            .usage(1_912, 0, 96),
        1 => recording
            .text("There is a typo in the greeting: `Helo` should be `Hello`. I correct it.")
            .tool_call("edit", json!({"path": name, "edits": [{"old_text": "Helo", "new_text": "Hello"}]}))
            .usage(2_188, 1_792, 71),
        2 => recording
            .text("Now the check again.")
            .tool_call("shell", json!({"command": CHECK}))
            .usage(2_341, 2_176, 33),
        _ => recording
            .text(format!(
                "The check passes now. The greeting in `{name}` was misspelt; one letter was missing."
            ))
            .usage(2_420, 2_304, 29),
    };
    if watched { recording.paced(PACE) } else { recording.reply() }
}

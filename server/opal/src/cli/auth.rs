//! `opal login`, `opal logout`, `opal auth` and `opal models`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use agent::journal::now_ms;
use anyhow::Context as _;
use opal::platform::EndSignals;
use protocol::{
    AuthLoginParams, AuthLogoutParams, AuthStatusResult, ClientCapabilities, ExistingLogin,
    ModelsEnableParams, ModelsListParams, NoParams, Notification as _, PROTOCOL_VERSION, ProviderStatus,
    methods,
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{Client, Incoming};
use super::inside::{directory, with_server};
use super::print::{out, stderr_is_terminal, tell};
use super::run::INTERRUPTED;
use super::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct LoginArguments {
    /// The host of an enterprise, in place of github.com.
    #[arg(long)]
    domain: Option<String>,
    /// Use the sign-in that another program has left, without asking.
    #[arg(long)]
    existing: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct StatusArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ModelsArguments {
    /// Only those of this provider.
    provider: Option<String>,
    /// Accept the terms of this model, such as `copilot/gpt-5`, for the account that is signed in.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["provider", "json"])]
    enable: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn login(arguments: LoginArguments) -> anyhow::Result<ExitCode> {
    let mut signals = EndSignals::listen().context("listening for signals")?;
    with_server(async |client, incoming| {
        tokio::select! {
            signed_in = sign_in(client, incoming, &arguments) => signed_in.map(|()| ExitCode::SUCCESS),
            () = signals.next() => {
                // Where Ctrl-C is shown, it stands in a line of its own.
                let line_end = if stderr_is_terminal() { "\n" } else { "" };
                tell!("{line_end}Given up; nobody was signed in.");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    })
    .await
}

async fn sign_in(
    client: &Client,
    incoming: UnboundedReceiver<Incoming>,
    arguments: &LoginArguments,
) -> anyhow::Result<()> {
    initialize(client).await?;
    let existing = existing(client, arguments).await?;
    let (domain, use_existing) = match existing {
        Some(found) => (Some(found.host), Some(found.found_in)),
        None => (arguments.domain.clone(), None),
    };
    let params = AuthLoginParams { provider: None, domain, use_existing };
    let status = tokio::select! {
        result = client.request::<methods::AuthLogin>(&params) => result?.status,
        ended = show_code(client, incoming) => return ended,
    };
    tell!("Signed in to GitHub Copilot{}. `opal models` lists what it offers.", who(&status));
    if let Some(problem) = &status.problem {
        tell!("warning: {problem}");
    }
    Ok(())
}

/// A sign-in of another program that the user wants to be used.
async fn existing(client: &Client, arguments: &LoginArguments) -> anyhow::Result<Option<ExistingLogin>> {
    let found = client.request::<methods::AuthStatus>(&NoParams {}).await?.existing;
    let is_wanted = |found: &ExistingLogin| match &arguments.domain {
        Some(domain) => host(domain).eq_ignore_ascii_case(&found.host),
        None => true,
    };
    let Some(first) = found.into_iter().find(is_wanted) else {
        anyhow::ensure!(
            !arguments.existing,
            "no other program has left a sign-in here. `opal login` without --existing gets one."
        );
        return Ok(None);
    };
    if arguments.existing {
        return Ok(Some(first));
    }
    if !terminal::can_ask() {
        return Ok(None);
    }
    let question = format!("Use the sign-in{} found in {}?", whose(&first), first.found_in);
    Ok(terminal::yes(&question).await.then_some(first))
}

/// The host in what a user types for a domain.
fn host(domain: &str) -> &str {
    let domain = domain.trim();
    let rest = domain.split_once("://").map_or(domain, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn whose(existing: &ExistingLogin) -> String {
    let account = existing.account.as_ref().map(|account| format!(" of {account}"));
    [account, at(&existing.host)].into_iter().flatten().collect()
}

/// The host, where it is not the usual one.
fn at(host: &str) -> Option<String> {
    (host != "github.com").then(|| format!(" at {host}"))
}

/// Shows what the server says until it has gone.
async fn show_code(client: &Client, mut incoming: UnboundedReceiver<Incoming>) -> anyhow::Result<()> {
    while let Some(message) = incoming.recv().await {
        match message {
            Incoming::Notification { method, params } if method == methods::DeviceCode::METHOD => {
                let code: protocol::DeviceCodeParams = serde_json::from_value(params)?;
                tell!("Enter the code {} at {}", code.user_code, code.verification_uri);
                tell!("It is good for {} minutes. Ctrl-C gives up.", code.expires_in.div_ceil(60));
                if stderr_is_terminal() {
                    terminal::open_browser(&code.verification_uri);
                }
            }
            Incoming::Request { id, method, .. } => client.refuse(&id, &method),
            Incoming::Event { .. } | Incoming::Notification { .. } => {}
        }
    }
    anyhow::bail!("the server has gone")
}

pub(super) async fn logout() -> anyhow::Result<ExitCode> {
    with_server(async |client, _incoming| {
        initialize(client).await?;
        client.request::<methods::AuthLogout>(&AuthLogoutParams::default()).await?;
        tell!("Signed out.");
        Ok(ExitCode::SUCCESS)
    })
    .await
}

pub(super) async fn status(arguments: StatusArguments) -> anyhow::Result<ExitCode> {
    with_server(async |client, _incoming| {
        initialize(client).await?;
        let status = client.request::<methods::AuthStatus>(&NoParams {}).await?;
        let mut out = out();
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string(&status)?)?;
        } else {
            show_status(&mut out, &status)?;
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn show_status(out: &mut impl io::Write, status: &AuthStatusResult) -> io::Result<()> {
    for provider in &status.providers {
        let signs_in = provider.kind == "sign_in";
        let state = match (signs_in, provider.ready) {
            (true, true) => "signed in",
            (true, false) if provider.problem.is_none() => "not signed in: `opal login` does it",
            (false, true) => "ready",
            (_, false) => "not ready",
        };
        write!(out, "{:<12} {state}{}", provider.provider, who(provider))?;
        if let Some(source) = provider.source.as_ref().filter(|_| !signs_in) {
            write!(out, ", with the key from {source}")?;
        }
        if let Some(expires_at_ms) = provider.expires_at_ms {
            write!(out, ", {}", until(expires_at_ms, provider.renewed))?;
        }
        match &provider.problem {
            Some(problem) => writeln!(out, ": {problem}")?,
            None => writeln!(out)?,
        }
    }
    let is_signed_in = status.providers.iter().any(|it| it.kind == "sign_in" && it.ready);
    for existing in status.existing.iter().filter(|_| !is_signed_in) {
        writeln!(out, "`opal login` can also use the sign-in{} in {}", whose(existing), existing.found_in)?;
    }
    Ok(())
}

/// How long access lasts, and what comes then.
fn until(expires_at_ms: i64, renewed: bool) -> String {
    let minutes = u64::try_from(expires_at_ms - now_ms()).unwrap_or_default().div_ceil(60_000);
    let left = match minutes {
        0 => return "its access has run out".into(),
        1..=120 => format!("{minutes} min"),
        121..=2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    let then = if renewed { "then renewed by itself" } else { "then `opal login` again" };
    format!("access for {left}, {then}")
}

fn who(status: &ProviderStatus) -> String {
    let account = status.account.as_ref().map(|account| format!(" as {account}"));
    let host = status.host.as_ref().and_then(|host| at(host));
    let plan = status.plan.as_ref().map(|plan| format!(" ({plan})"));
    [account, host, plan].into_iter().flatten().collect()
}

pub(super) async fn models(arguments: ModelsArguments) -> anyhow::Result<ExitCode> {
    with_server(async |client, _incoming| {
        initialize(client).await?;
        if let Some(model) = arguments.enable {
            client.request::<methods::ModelsEnable>(&ModelsEnableParams { model: model.clone() }).await?;
            tell!("{model} can be used.");
            return Ok(ExitCode::SUCCESS);
        }
        let params = ModelsListParams { provider: arguments.provider.clone() };
        let list = client.request::<methods::ModelsList>(&params).await?;
        let mut out = out();
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string(&list)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        for model in &list.models {
            let mark = if list.default_model.as_ref() == Some(&model.model) { "*" } else { " " };
            writeln!(out, "{mark} {:<44} {}", model.model, facts(model))?;
        }
        for problem in &list.problems {
            let hint = problem.hint.as_ref().map(|hint| format!(". {hint}")).unwrap_or_default();
            tell!("{}: {}{hint}", problem.provider, problem.message);
        }
        if list.models.is_empty() && list.problems.is_empty() {
            tell!("Nothing is configured. Try `opal login`.");
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}

/// What is known of a model, in words.
fn facts(model: &protocol::ModelInfo) -> String {
    let mut facts = Vec::new();
    facts.extend(model.context_window.map(|tokens| format!("{} window", thousands(tokens))));
    facts.extend(model.max_output_tokens.map(|tokens| format!("{} out", thousands(tokens))));
    facts.extend(model.tools.map(|tools| if tools { "tools" } else { "no tools" }.to_owned()));
    facts.extend(model.images.filter(|images| *images).map(|_| "images".to_owned()));
    facts.extend(
        model.thinking_levels.as_ref().filter(|levels| !levels.is_empty()).map(|_| "thinks".to_owned()),
    );
    facts.extend(model.terms.as_ref().map(|_| "after `opal models --enable`".to_owned()));
    facts.extend(model.price.map(|price| format!("${}/{} per million", price.input, price.output)));
    facts.join(", ")
}

fn thousands(tokens: u64) -> String {
    if tokens < 1_000 { tokens.to_string() } else { format!("{}k", tokens / 1_000) }
}

async fn initialize(client: &Client) -> anyhow::Result<()> {
    let directory = directory(None)?;
    let capabilities = ClientCapabilities { version: PROTOCOL_VERSION, ..ClientCapabilities::default() };
    client.initialize(&directory, &capabilities).await
}

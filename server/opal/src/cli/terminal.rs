//! Questions on a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use protocol::{ConfirmAction, ConfirmParams, ConfirmResult, InputParams, InputResult};

use super::show::coloured;

/// Whether somebody can be asked here.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a permission. Anything but a clear yes is no.
pub(super) async fn confirm(params: ConfirmParams) -> ConfirmResult {
    let ConfirmParams { title, message, actions, details, .. } = params;
    anstream::eprintln!("\n{title}\n  {message}");
    if let Some(diff) = &details.diff {
        anstream::eprint!("{}", coloured(diff));
    }
    if let Some(command) = &details.command {
        let directory = details.directory.as_deref().unwrap_or_default();
        anstream::eprintln!("  $ {command}\n  in {directory}");
    }
    let for_session = actions.contains(&ConfirmAction::AllowSession);
    if let (true, Some(grant)) = (for_session, &details.grant) {
        anstream::eprintln!("  s allows {grant}");
    }
    let keys = if for_session { "y/s/N" } else { "y/N" };
    let answer = ask(format!("[{keys}, or a word to the model] ")).await.unwrap_or_default();
    let answer = answer.trim();
    match answer {
        "y" | "yes" => ConfirmResult { action: ConfirmAction::Allow, message: None },
        "s" if for_session => ConfirmResult { action: ConfirmAction::AllowSession, message: None },
        "" | "n" | "no" => ConfirmResult { action: ConfirmAction::Deny, message: None },
        word => ConfirmResult { action: ConfirmAction::Deny, message: Some(word.to_owned()) },
    }
}

/// Asks for a text; a number takes one of the choices. `None`: the input has ended.
pub(super) async fn input(params: InputParams) -> InputResult {
    let InputParams { prompt, choices, .. } = params;
    anstream::eprintln!("\n{prompt}");
    for (n, choice) in choices.iter().enumerate() {
        anstream::eprintln!("  {} {choice}", n + 1);
    }
    let text = ask("> ".into()).await.map(|answer| {
        let answer = answer.trim().to_owned();
        let chosen = answer.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?).cloned());
        chosen.unwrap_or(answer)
    });
    InputResult { text }
}

async fn ask(prompt: String) -> Option<String> {
    let line = tokio::task::spawn_blocking(move || {
        let mut stderr = anstream::stderr();
        stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).ok()?;
        let mut line = String::new();
        (io::stdin().lock().read_line(&mut line).ok()? > 0).then_some(line)
    });
    line.await.ok().flatten()
}

//! Questions on a terminal.

use std::io::{self, BufRead, IsTerminal};

use protocol::{ConfirmAction, ConfirmParams, ConfirmResult, InputParams, InputResult};
use tokio::sync::Mutex;

use super::show::{coloured, printable, tell, tell_text};

/// Questions can overlap; a person is asked one at a time.
static ASKING: Mutex<()> = Mutex::const_new(());

/// Whether somebody can be asked here.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a permission. Anything but a clear yes is no.
pub(super) async fn confirm(params: ConfirmParams) -> ConfirmResult {
    let _one = ASKING.lock().await;
    let ConfirmParams { title, message, actions, details, .. } = params;
    tell!("\n{}\n  {}", printable(&title), printable(&message));
    if let Some(diff) = &details.diff {
        tell_text(&coloured(diff));
    }
    if let Some(command) = &details.command {
        let directory = details.directory.as_deref().unwrap_or_default();
        tell!("  $ {}\n  in {}", printable(command), printable(directory));
    }
    let for_session = actions.contains(&ConfirmAction::AllowSession);
    if let (true, Some(grant)) = (for_session, &details.grant) {
        tell!("  s allows {}", printable(grant));
    }
    let keys = if for_session { "y/s/N" } else { "y/N" };
    let answer = ask(format!("[{keys}, or a word to the model] ")).await;
    confirmed(answer.as_deref().unwrap_or_default().trim(), for_session)
}

fn confirmed(answer: &str, for_session: bool) -> ConfirmResult {
    let (action, message) = match answer.to_lowercase().as_str() {
        "y" | "yes" => (ConfirmAction::Allow, None),
        "s" if for_session => (ConfirmAction::AllowSession, None),
        "" | "n" | "no" => (ConfirmAction::Deny, None),
        _ => (ConfirmAction::Deny, Some(answer.to_owned())),
    };
    ConfirmResult { action, message }
}

/// Asks for a text; a number takes one of the choices. `None`: the input has ended.
pub(super) async fn input(params: InputParams) -> InputResult {
    let _one = ASKING.lock().await;
    let InputParams { prompt, choices, .. } = params;
    tell!("\n{}", printable(&prompt));
    for (n, choice) in choices.iter().enumerate() {
        tell!("  {} {}", n + 1, printable(choice));
    }
    let text = ask("> ".into()).await.map(|answer| {
        let answer = answer.trim().to_owned();
        let chosen = answer.parse::<usize>().ok().and_then(|n| choices.get(n.checked_sub(1)?).cloned());
        chosen.unwrap_or(answer)
    });
    InputResult { text }
}

/// Asks for a yes. Anything but a clear one is no.
pub(super) async fn yes(question: &str) -> bool {
    let answer = ask(format!("{} [y/N] ", printable(question))).await.unwrap_or_default();
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Opens a page where there is a browser.
pub(super) fn open_browser(url: &str) {
    let is_page = url.starts_with("https://") || url.starts_with("http://");
    if is_page && let Err(error) = open::that_detached(url) {
        tracing::info!(%error, "no browser could be opened");
    }
}

async fn ask(prompt: String) -> Option<String> {
    let line = tokio::task::spawn_blocking(move || {
        tell_text(&prompt);
        let mut line = String::new();
        (io::stdin().lock().read_line(&mut line).ok()? > 0).then_some(line)
    });
    line.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, action: ConfirmAction, message: Option<&str>) {
        let expected = ConfirmResult { action, message: message.map(str::to_owned) };
        assert_eq!(confirmed(answer, true), expected, "{answer}");
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        check("y", ConfirmAction::Allow, None);
        check("Yes", ConfirmAction::Allow, None);
        check("S", ConfirmAction::AllowSession, None);
        check("", ConfirmAction::Deny, None);
        check("N", ConfirmAction::Deny, None);
        check("Use make instead", ConfirmAction::Deny, Some("Use make instead"));
        assert_eq!(confirmed("s", false).action, ConfirmAction::Deny);
    }
}

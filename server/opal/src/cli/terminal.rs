//! Questions on a terminal.

use std::io::{self, BufRead, IsTerminal};

use opal::platform;
use protocol::{ConfirmAction, ConfirmParams, ConfirmResult, InputParams, InputResult};
use text::{abridge, cut, rows};
use tokio::sync::Mutex;

use super::print::{PLAIN, stderr_is_terminal, tell, tell_text};
use super::show::tell_diff;

/// Rows of a long command or change that are shown: its beginning and its end, so that the question stays on a
/// small screen with them.
const HEAD: usize = 10;
const TAIL: usize = 5;
/// Characters in one row; wider lines continue in the next.
const WIDTH: usize = 160;
/// Characters of a grant, which may repeat the command.
const GRANT: usize = 200;

/// Questions can overlap; a person is asked one at a time.
static ASKING: Mutex<()> = Mutex::const_new(());

/// Returns true if somebody can be asked here.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && stderr_is_terminal()
}

/// Asks for a permission until the answer is a clear one. The end of the input denies.
pub(super) async fn confirm(params: ConfirmParams) -> ConfirmResult {
    let _one = ASKING.lock().await;
    let for_session = params.actions.contains(&ConfirmAction::AllowSession);
    let session_key = if for_session { "s for this session, " } else { "" };
    let mut is_whole = tell_question(&params, false);
    loop {
        let view_key = if is_whole { "" } else { ", v view all" };
        let keys = format!("y allow, {session_key}n deny, N deny with a comment{view_key}: ");
        let Some(line) = ask(keys).await else { return deny(None) };
        match Reply::from_line(line.trim(), for_session) {
            Some(Reply::Result(result)) => return result,
            Some(Reply::Comment) => {
                let comment = ask("Comment to the model: ".into()).await.unwrap_or_default();
                return deny(Some(comment.trim().to_owned()).filter(|comment| !comment.is_empty()));
            }
            Some(Reply::ViewAll) => is_whole = tell_question(&params, true),
            None => tell!("This is neither yes nor no. A comment stands behind n, as in: n use make"),
        }
    }
}

/// Shows what is to be decided, or its beginning and its end. Returns true if all of it was shown.
fn tell_question(params: &ConfirmParams, whole: bool) -> bool {
    let ConfirmParams { title, message, actions, details, .. } = params;
    let mut is_whole = true;
    let mut fit = |text: &str| {
        let all = rows(text, if whole { usize::MAX } else { WIDTH });
        if whole {
            return all;
        }
        let n_rows = all.len();
        let shown = abridge(all, HEAD, TAIL);
        is_whole &= shown.len() == n_rows;
        shown
    };
    tell!("\n{title}\n  {message}");
    if let Some(diff) = &details.diff {
        tell_diff(fit(diff).iter().map(String::as_str));
    }
    if let Some(command) = &details.command {
        for (n, row) in fit(command).iter().enumerate() {
            tell!("  {} {row}", if n == 0 { "$" } else { " " });
        }
    }
    if let Some(directory) = &details.directory {
        tell!("  in {directory}");
    }
    if let Some(grant) = details.grant.as_ref().filter(|_| actions.contains(&ConfirmAction::AllowSession)) {
        let grant = cut(grant, if whole { usize::MAX } else { GRANT });
        tell!(FAINT: "  s allows from now on: {grant}");
    }
    is_whole
}

/// What a line of the user means.
#[derive(Debug, PartialEq)]
enum Reply {
    Result(ConfirmResult),
    /// Denied, with a comment that is still to be typed.
    Comment,
    ViewAll,
}

impl Reply {
    /// Returns `None` if the line is not clear. Words behind a no are a comment; words behind a yes make it unclear.
    fn from_line(line: &str, for_session: bool) -> Option<Self> {
        let end = line.find(|c: char| !c.is_alphabetic()).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        let comment = rest.trim_start_matches([',', '.', ':', ';', '-', ' ']);
        let allow = |action| Some(Self::Result(ConfirmResult { action, message: None }));
        match (word, word.to_lowercase().as_str()) {
            (_, "y" | "yes") if rest.is_empty() => allow(ConfirmAction::Allow),
            (_, "s") if rest.is_empty() && for_session => allow(ConfirmAction::AllowSession),
            (_, "v") if rest.is_empty() => Some(Self::ViewAll),
            ("N", _) if comment.is_empty() => Some(Self::Comment),
            (_, "n" | "no") if comment.is_empty() => Some(Self::Result(deny(None))),
            (_, "n" | "no") => Some(Self::Result(deny(Some(comment.to_owned())))),
            _ => None,
        }
    }
}

fn deny(message: Option<String>) -> ConfirmResult {
    ConfirmResult { action: ConfirmAction::Deny, message }
}

/// Asks for a text; a number takes one of the choices. `None`: the input has ended.
pub(super) async fn input(params: InputParams) -> InputResult {
    let _one = ASKING.lock().await;
    let InputParams { prompt, choices, .. } = params;
    tell!("\n{prompt}");
    for (n, choice) in choices.iter().enumerate() {
        tell!("  {} {choice}", n + 1);
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
    let answer = ask(format!("{question} [y/N] ")).await.unwrap_or_default();
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Opens a page where there is a browser.
pub(super) fn open_browser(url: &str) {
    let is_page = url.starts_with("https://") || url.starts_with("http://");
    if is_page && let Err(error) = open::that_detached(url) {
        tracing::info!(%error, "no browser could be opened");
    }
}

/// Reads a line that is typed from now on: what was typed before was not meant for this question.
async fn ask(prompt: String) -> Option<String> {
    let line = tokio::task::spawn_blocking(move || {
        platform::discard_typed_input();
        tell_text(PLAIN, &prompt);
        let mut line = String::new();
        (io::stdin().lock().read_line(&mut line).ok()? > 0).then_some(line)
    });
    line.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<Reply>) {
        assert_eq!(Reply::from_line(line, true), expected, "{line}");
    }

    fn result(action: ConfirmAction, message: Option<&str>) -> Option<Reply> {
        Some(Reply::Result(ConfirmResult { action, message: message.map(str::to_owned) }))
    }

    #[test]
    fn only_a_clear_yes_allows() {
        check("y", result(ConfirmAction::Allow, None));
        check("Yes", result(ConfirmAction::Allow, None));
        check("S", result(ConfirmAction::AllowSession, None));
        assert_eq!(Reply::from_line("s", false), None);
    }

    #[test]
    fn a_no_may_have_a_comment() {
        check("n", result(ConfirmAction::Deny, None));
        check("No.", result(ConfirmAction::Deny, None));
        check("n use make", result(ConfirmAction::Deny, Some("use make")));
        check("no, use make -j4", result(ConfirmAction::Deny, Some("use make -j4")));
        check("N use make", result(ConfirmAction::Deny, Some("use make")));
        check("N", Some(Reply::Comment));
    }

    #[test]
    fn an_answer_that_is_neither_yes_nor_no_is_unclear() {
        for line in ["", "ok", "sure", "allow", "yes please", "y?", "Use make instead", "not that", "none"] {
            check(line, None);
        }
        check("v", Some(Reply::ViewAll));
    }
}

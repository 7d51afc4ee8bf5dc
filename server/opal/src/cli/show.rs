//! Events as a person reads them in a terminal: the answer on stdout, everything around it on stderr.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use protocol::{AgentEvent, ContextUsage, EndReason, TokenUsage, ToolResult};

pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
const TOOL: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const HUNK: Style = AnsiColor::Magenta.on_default();

/// Lines of a tool's result that are shown; the model has seen all of it.
const RESULT_LINES: usize = 12;

/// Prints a line to stderr. If nobody reads it, it was for nobody.
macro_rules! tell {
    ($($argument:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("{}\n", format_args!($($argument)*)));
    }};
}
pub(super) use tell;

/// As [`tell`], without ending the line.
pub(super) fn tell_text(text: &str) {
    let mut stderr = anstream::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Prints events as they come.
#[derive(Debug, Default)]
pub(super) struct Show {
    /// Something on this line of stdout is not ended yet.
    in_line: bool,
    /// The output of the running command was already streamed.
    streamed: bool,
    usage: ContextUsage,
}

impl Show {
    /// Fails when stdout does: then nobody waits for the answer any more.
    pub(super) fn event(&mut self, event: &AgentEvent) -> io::Result<()> {
        match event {
            AgentEvent::MessageDelta { delta, .. } => self.text(delta)?,
            AgentEvent::MessageEnd { .. } => self.end_line()?,
            AgentEvent::AgentEnd { reason } => {
                self.end_line()?;
                self.end(*reason);
            }
            AgentEvent::ThinkingEnd { text, .. } => {
                self.around(|| tell!("{FAINT}{}{FAINT:#}", printable(text.trim())));
            }
            AgentEvent::ToolExecutionStart { tool, args, .. } => {
                self.streamed = false;
                self.around(|| tell!("{TOOL}▸ {tool}{TOOL:#} {}", summary(args)));
            }
            AgentEvent::ToolOutput { delta, .. } => {
                self.streamed = true;
                self.around(|| tell_text(&format!("{FAINT}{}{FAINT:#}", printable(delta))));
            }
            AgentEvent::ToolExecutionEnd { result, .. } => self.result(result),
            AgentEvent::Retry { attempt, delay_ms, reason, .. } => {
                let seconds = *delay_ms as f64 / 1000.0;
                self.around(|| {
                    tell!("{FAINT}try {attempt} failed: {reason}; again in {seconds:.1} s{FAINT:#}");
                });
            }
            AgentEvent::Error { message, hint, .. } => {
                let hint = hint.as_deref().unwrap_or_default();
                self.around(|| tell!("{ERROR}error:{ERROR:#} {message}. {hint}"));
            }
            AgentEvent::UsageUpdate { usage } => self.usage = *usage,
            AgentEvent::TurnEnd { usage, .. } => self.usage(*usage),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, delta: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        let shown = if stdout.is_terminal() { printable(delta) } else { Cow::Borrowed(delta) };
        self.in_line = !delta.ends_with('\n');
        stdout.write_all(shown.as_bytes())?;
        stdout.flush()
    }

    fn result(&mut self, result: &ToolResult) {
        let streamed = self.streamed;
        self.around(|| match result {
            ToolResult { diff: Some(diff), .. } => tell_text(&coloured(diff)),
            ToolResult { ok: true, .. } if streamed => {}
            ToolResult { ok: true, output, .. } => {
                let output = output.as_deref().unwrap_or_default();
                for line in output.lines().take(RESULT_LINES) {
                    tell!("{FAINT}  {}{FAINT:#}", printable(line));
                }
                if output.lines().nth(RESULT_LINES).is_some() {
                    tell!("{FAINT}  …{FAINT:#}");
                }
            }
            ToolResult { error, .. } => {
                let error = error.as_deref().unwrap_or_default();
                tell!("{REMOVED}  ✗ {}{REMOVED:#}", printable(error.lines().next().unwrap_or_default()));
            }
        });
    }

    fn usage(&mut self, turn: TokenUsage) {
        let window = self.usage.window.map(|window| format!(" of {window}")).unwrap_or_default();
        let used = self.usage.used;
        let cost = turn.cost.map(|cost| format!(", ${cost:.4}")).unwrap_or_default();
        self.around(|| {
            tell!(
                "{FAINT}{} tokens in ({} cached), {} out{cost}; context {used}{window}{FAINT:#}",
                turn.input,
                turn.cached,
                turn.output
            );
        });
    }

    fn end(&mut self, reason: EndReason) {
        let words = match reason {
            EndReason::Completed | EndReason::Error | EndReason::Unknown => return,
            EndReason::Aborted => "aborted",
            EndReason::Length => "stopped: the model's output limit was reached",
            EndReason::Denied => "stopped: what the model tried was denied",
            EndReason::Loop => "stopped: the model repeated the same call",
        };
        self.around(|| tell!("{ERROR}{words}{ERROR:#}"));
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.in_line { self.text("\n") } else { Ok(()) }
    }

    /// What the server tells its user beside the conversation.
    pub(super) fn message(&mut self, text: &str) {
        self.around(|| tell!("{}", printable(text)));
    }

    /// Prints to stderr on a line of its own.
    fn around(&mut self, print: impl FnOnce()) {
        // Where both go to the same terminal they must not share a line.
        if io::stdout().is_terminal() && io::stderr().is_terminal() {
            // If it fails, the next text does too.
            let _ = self.end_line();
        }
        print();
    }
}

/// A unified diff in colours.
pub(super) fn coloured(diff: &str) -> String {
    let mut out = String::new();
    for line in diff.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => ADDED,
            Some(b'-') => REMOVED,
            Some(b'@') => HUNK,
            _ => FAINT,
        };
        out.push_str(&format!("  {style}{}{style:#}\n", printable(line)));
    }
    out
}

/// The one argument that tells what a call is about.
fn summary(args: &serde_json::Value) -> String {
    let told = ["path", "command", "question", "handle"].iter().find_map(|name| args.get(name)?.as_str());
    let text = told.map_or_else(|| args.to_string(), str::to_owned);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    format!("{}{more}", printable(first))
}

/// A text with what would steer the terminal made visible. A model could otherwise show another command
/// than the one it asks for.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |char: &char| match char {
        '\n' | '\t' => false,
        // They turn the direction of what follows.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        char => char.is_control(),
    };
    if !text.contains(|char: char| steers(&char)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.replace("\r\n", "\n").chars() {
        if steers(&char) { shown.extend(char.escape_default()) } else { shown.push(char) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_the_terminal_is_shown() {
        assert_eq!(printable("é\tx\r\ny"), "é\tx\ny");
        assert_eq!(printable("rm -rf ~\r\u{1b}[2Kls"), r"rm -rf ~\r\u{1b}[2Kls");
        assert_eq!(printable("a\u{202e}b\u{9b}c"), r"a\u{202e}b\u{9b}c");
    }

    #[test]
    fn a_call_is_told_by_its_first_line() {
        assert_eq!(summary(&serde_json::json!({"command": "make\nrm \u{1b}x"})), "make …");
        assert_eq!(summary(&serde_json::json!({"path": "a\u{7}"})), r"a\u{7}");
    }
}

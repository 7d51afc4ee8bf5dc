//! Events as a person reads them in a terminal: the answer on stdout, everything around it on stderr.

use std::io::{IsTerminal, Write};

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
    pub(super) fn event(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::MessageDelta { delta, .. } => self.text(delta),
            AgentEvent::MessageEnd { .. } => self.end_line(),
            AgentEvent::ThinkingEnd { text, .. } => {
                self.around(|| anstream::eprintln!("{FAINT}{}{FAINT:#}", text.trim()));
            }
            AgentEvent::ToolExecutionStart { tool, args, .. } => {
                self.streamed = false;
                self.around(|| anstream::eprintln!("{TOOL}▸ {tool}{TOOL:#} {}", summary(args)));
            }
            AgentEvent::ToolOutput { delta, .. } => {
                self.streamed = true;
                self.around(|| anstream::eprint!("{FAINT}{delta}{FAINT:#}"));
            }
            AgentEvent::ToolExecutionEnd { result, .. } => self.result(result),
            AgentEvent::Retry { attempt, delay_ms, reason, .. } => {
                let seconds = *delay_ms as f64 / 1000.0;
                self.around(|| {
                    anstream::eprintln!(
                        "{FAINT}try {attempt} failed: {reason}; again in {seconds:.1} s{FAINT:#}"
                    );
                });
            }
            AgentEvent::Error { message, hint, .. } => {
                let hint = hint.as_deref().unwrap_or_default();
                self.around(|| anstream::eprintln!("{ERROR}error:{ERROR:#} {message}. {hint}"));
            }
            AgentEvent::UsageUpdate { usage } => self.usage = *usage,
            AgentEvent::TurnEnd { usage, .. } => self.usage(*usage),
            AgentEvent::AgentEnd { reason } => self.end(*reason),
            _ => {}
        }
    }

    fn text(&mut self, delta: &str) {
        let mut stdout = anstream::stdout();
        // A closed stdout ends the program at its next check; the model's words are then nobody's.
        let _ = stdout.write_all(delta.as_bytes()).and_then(|()| stdout.flush());
        self.in_line = !delta.ends_with('\n');
    }

    fn result(&mut self, result: &ToolResult) {
        let streamed = self.streamed;
        self.around(|| match result {
            ToolResult { diff: Some(diff), .. } => anstream::eprint!("{}", coloured(diff)),
            ToolResult { ok: true, .. } if streamed => {}
            ToolResult { ok: true, output, .. } => {
                let output = output.as_deref().unwrap_or_default();
                for line in output.lines().take(RESULT_LINES) {
                    anstream::eprintln!("{FAINT}  {line}{FAINT:#}");
                }
                if output.lines().nth(RESULT_LINES).is_some() {
                    anstream::eprintln!("{FAINT}  …{FAINT:#}");
                }
            }
            ToolResult { error, .. } => {
                let error = error.as_deref().unwrap_or_default();
                anstream::eprintln!("{REMOVED}  ✗ {}{REMOVED:#}", error.lines().next().unwrap_or_default());
            }
        });
    }

    fn usage(&mut self, turn: TokenUsage) {
        let window = self.usage.window.map(|window| format!(" of {window}")).unwrap_or_default();
        let used = self.usage.used;
        self.around(|| {
            anstream::eprintln!(
                "{FAINT}{} tokens in ({} cached), {} out; context {used}{window}{FAINT:#}",
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
        self.around(|| anstream::eprintln!("{ERROR}{words}{ERROR:#}"));
    }

    fn end_line(&mut self) {
        if self.in_line {
            self.text("\n");
        }
    }

    /// Prints to stderr on a line of its own.
    fn around(&mut self, print: impl FnOnce()) {
        // Where both go to the same terminal they must not share a line.
        if std::io::stdout().is_terminal() || std::io::stderr().is_terminal() {
            self.end_line();
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
        out.push_str(&format!("  {style}{line}{style:#}\n"));
    }
    out
}

/// The one argument that tells what a call is about.
fn summary(args: &serde_json::Value) -> String {
    let told = ["path", "command", "question", "handle"].iter().find_map(|name| args.get(name)?.as_str());
    let text = told.map_or_else(|| args.to_string(), str::to_owned);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

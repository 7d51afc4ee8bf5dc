//! Events as a person reads them in a terminal: the answer on stdout, everything around it on stderr.

use std::io::{self, Write};

use protocol::{AgentEvent, ContextUsage, EndReason, TokenUsage, ToolResult};
use text::cut;

use super::print::{
    ERROR, FAINT, Out, PLAIN, TOOL, WARNING, out, stderr_is_terminal, stdout_is_terminal, tell, tell_pieces,
    tell_text,
};

/// Lines of a tool's result that are shown; the model has seen all of it.
const RESULT_LINES: usize = 12;
/// Characters of the argument that tells what a call is about.
const SUMMARY: usize = 200;

/// Prints events as they come.
#[derive(Debug)]
pub(super) struct Show {
    out: Out,
    /// Something on this line of stdout is not ended yet.
    in_line: bool,
    /// The output of the running command was already streamed.
    streamed: bool,
    usage: ContextUsage,
}

impl Default for Show {
    fn default() -> Self {
        Self { out: out(), in_line: false, streamed: false, usage: ContextUsage::default() }
    }
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
                self.around(|| tell!(FAINT: "{}", text.trim()));
            }
            AgentEvent::ToolExecutionStart { tool, args, .. } => {
                self.streamed = false;
                let summary = summary(args);
                self.around(|| {
                    tell_pieces(&[(TOOL, format_args!("▸ {tool}")), (PLAIN, format_args!(" {summary}"))]);
                });
            }
            AgentEvent::ToolOutput { delta, .. } => {
                self.streamed = true;
                self.around(|| tell_text(FAINT, delta));
            }
            AgentEvent::ToolExecutionEnd { result, .. } => self.result(result),
            AgentEvent::Retry { attempt, delay_ms, reason, .. } => {
                let seconds = *delay_ms as f64 / 1000.0;
                self.around(|| tell!(FAINT: "try {attempt} failed: {reason}; again in {seconds:.1} s"));
            }
            AgentEvent::Warning { message, hint, .. } => {
                let hint = hint.as_deref().unwrap_or_default();
                self.around(|| {
                    tell_pieces(&[
                        (WARNING, format_args!("warning:")),
                        (PLAIN, format_args!(" {message}. {hint}")),
                    ]);
                });
            }
            AgentEvent::Error { message, hint, .. } => {
                let hint = hint.as_deref().unwrap_or_default();
                self.around(|| {
                    tell_pieces(&[
                        (ERROR, format_args!("error:")),
                        (PLAIN, format_args!(" {message}. {hint}")),
                    ]);
                });
            }
            AgentEvent::UsageUpdate { usage } => self.usage = *usage,
            AgentEvent::TurnEnd { usage, .. } => self.usage(*usage),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, delta: &str) -> io::Result<()> {
        self.in_line = !delta.ends_with('\n');
        self.out.write_all(delta.as_bytes())?;
        self.out.flush()
    }

    fn result(&mut self, result: &ToolResult) {
        let streamed = self.streamed;
        self.around(|| match result {
            ToolResult { diff: Some(diff), .. } => tell_diff(diff.lines()),
            ToolResult { ok: true, .. } if streamed => {}
            ToolResult { ok: true, output, .. } => {
                let output = output.as_deref().unwrap_or_default();
                for line in output.lines().take(RESULT_LINES) {
                    tell!(FAINT: "  {line}");
                }
                if output.lines().nth(RESULT_LINES).is_some() {
                    tell!(FAINT: "  …");
                }
            }
            ToolResult { error, .. } => {
                let error = error.as_deref().unwrap_or_default();
                tell!(REMOVED: "  ✗ {}", error.lines().next().unwrap_or_default());
            }
        });
    }

    fn usage(&mut self, turn: TokenUsage) {
        let window = self.usage.window.map(|window| format!(" of {window}")).unwrap_or_default();
        let about = if self.usage.estimated { "~" } else { "" };
        let used = self.usage.used;
        let cost = turn.cost.map(|cost| format!(", ${cost:.4}")).unwrap_or_default();
        self.around(|| {
            tell!(
                FAINT: "{} tokens in ({} cached), {} out{cost}; context {about}{used}{window}",
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
        self.around(|| tell!(ERROR: "{words}"));
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.in_line { self.text("\n") } else { Ok(()) }
    }

    /// What the server tells its user beside the conversation.
    pub(super) fn message(&mut self, text: &str) {
        self.around(|| tell!("{text}"));
    }

    /// Prints to stderr on a line of its own.
    fn around(&mut self, print: impl FnOnce()) {
        // Where both go to the same terminal they must not share a line.
        if stdout_is_terminal() && stderr_is_terminal() {
            // If it fails, the next text does too.
            let _ = self.end_line();
        }
        print();
    }
}

/// Prints the lines of a unified diff in colours.
pub(super) fn tell_diff<'a>(lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        match line.as_bytes().first() {
            Some(b'+') => tell!(ADDED: "  {line}"),
            Some(b'-') => tell!(REMOVED: "  {line}"),
            Some(b'@') => tell!(HUNK: "  {line}"),
            _ => tell!(FAINT: "  {line}"),
        }
    }
}

/// The one argument that tells what a call is about, on one line.
fn summary(args: &serde_json::Value) -> String {
    let told = ["path", "command", "question", "handle"].iter().find_map(|name| args.get(name)?.as_str());
    let text = told.map_or_else(|| args.to_string(), str::to_owned);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let more = if lines.next().is_some() { " …" } else { "" };
    format!("{}{more}", cut(first, SUMMARY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_by_its_first_line() {
        assert_eq!(summary(&serde_json::json!({"command": "make\nrm \u{1b}x"})), "make …");
        assert_eq!(summary(&serde_json::json!({"path": "a\u{7}"})), r"a\u{7}");
    }
}

//! `shell`: runs a command line, under the shell's own name.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Confirm;
use crate::context::Context;
use crate::permission::Action;
use crate::process::{Capture, Next, Process, READ_SIZE, Spec, describe};
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode, timeout};
use crate::workspace::FileName;

/// Characters of a command in a question's title.
const TITLE: usize = 120;

#[derive(Debug)]
pub(super) struct ShellTool {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Args {
    command: String,
    /// Seconds.
    #[serde(default)]
    timeout: Option<f64>,
    #[serde(default)]
    background: bool,
}

/// How a command came to its end.
enum End {
    Exited(io::Result<ExitStatus>),
    TimedOut(Duration),
    Aborted,
}

impl ShellTool {
    pub(super) fn new(shell: &str) -> Self {
        Self { name: shell.into() }
    }
}

impl Tool for ShellTool {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.clone(),
            description: format!(
                "Run a command line with {} in the working directory. There is no terminal and no input. What \
                 the command leaves running is ended, unless `background` is set: then you get a handle for \
                 `process`.",
                self.name
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "command": {"type": "string"},
                    "timeout": {"type": "number", "description": "seconds; 120 if not given, at most 600"},
                    "background": {"type": "boolean", "description": "keep it running and return at once"}
                },
                "required": ["command"]
            }),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::Command
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            let context = &call.context;
            let limits = &context.limits;
            let timeout = timeout(args.timeout, limits.command_timeout, limits.command_timeout_max)?;
            let verb = if args.background { "Run in the background:" } else { "Run" };
            let confirm = Confirm {
                title: format!("{verb} {}", one_line(&args.command)),
                command: Some(args.command.clone()),
                directory: Some(context.working_dir.to_string()),
                ..Confirm::default()
            };
            let action = Action::Command {
                command: &args.command,
                directory: &context.working_dir,
                background: args.background,
            };
            call.permit(action, confirm).await?;

            let unsaved = call.finish(context.workspace.save_edited()).await.unwrap_or_default();
            // Saving may take long, and a command does harm from its first moment on.
            if call.cancelled.is_cancelled() {
                return Err(ToolError::Aborted);
            }
            let spec = Spec {
                shell: &context.shell,
                command: &args.command,
                directory: &context.working_dir,
                hidden_env: &context.hidden_env,
                feed: args.background,
            };
            // A command that is dropped while it starts is killed.
            let process = call.wait(Process::start(&spec)).await?.map_err(ToolError::failed)?;
            let file = context.output_dir.join(format!("{}.txt", file_name(call.id.as_str())));
            let (mut text, exit_code) = if args.background {
                let handle =
                    context.processes.keep(process, &args.command, file, limits, call.cancelled.clone());
                (format!("running in the background as {handle}; use `process` with this handle"), None)
            } else {
                foreground(process, Capture::new(file, limits.output_file), timeout, call).await?
            };
            if !unsaved.is_empty() {
                let names: Vec<String> =
                    unsaved.into_iter().map(|path| context.display(&FileName::Path(path))).collect();
                text.push_str(&format!(
                    "\n[The command saw the files on disk; these have unsaved changes in the editor: {}]",
                    names.join(", ")
                ));
            }
            Ok(Output { exit_code, ..Output::text(text) })
        }
        .boxed()
    }
}

/// Runs to the end of the command itself, whatever it leaves behind. Returns what to show and the exit code.
async fn foreground(
    mut process: Process,
    mut capture: Capture,
    timeout: Duration,
    call: &Call,
) -> Result<(String, Option<i32>), ToolError> {
    let limits = &call.context.limits;
    let deadline = Instant::now() + timeout;
    let mut buffer = vec![0; READ_SIZE];
    let mut open = true;
    let end = loop {
        tokio::select! {
            biased;
            () = call.cancelled.cancelled() => break End::Aborted,
            () = tokio::time::sleep_until(deadline) => break End::TimedOut(timeout),
            next = process.next(&mut buffer, open) => match next {
                Next::Output(n) => take(&buffer[..n], &mut capture, call).await,
                Next::Closed => open = false,
                Next::Exited(status) => break End::Exited(status),
            },
        }
    };
    if !matches!(end, End::Exited(_)) {
        process.end(limits.kill_grace).await;
    }
    // A grandchild may hold the output open for ever; what is there already is still taken.
    let until = Instant::now() + limits.command_drain;
    while open && let Some(n) = process.drain(&mut buffer, until).await {
        take(&buffer[..n], &mut capture, call).await;
    }
    // What is about to end by itself may do so.
    process.ended(until).await;
    let left_something = process.end(limits.kill_grace).await;
    let mut text = capture.finish().await;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let exit_code = match end {
        End::Exited(status) => {
            let exit_code = status.as_ref().ok().and_then(ExitStatus::code);
            match exit_code {
                Some(0) if text.is_empty() => text.push_str("(no output; exit code 0)\n"),
                Some(0) => {}
                _ => text.push_str(&format!("[{}]\n", describe(status))),
            }
            exit_code
        }
        End::TimedOut(after) => {
            text.push_str(&format!(
                "[It was killed after {} s. Ask for more time with `timeout`, or use `background`.]\n",
                after.as_secs_f64()
            ));
            return Err(ToolError::Failed(text));
        }
        End::Aborted => {
            text.push_str("[It was killed: the user aborted.]\n");
            return Err(ToolError::Failed(text));
        }
    };
    if left_something {
        text.push_str(
            "[It had left processes running; they were ended. Use `background` to keep a command.]\n",
        );
    }
    Ok((text, exit_code))
}

async fn take(bytes: &[u8], capture: &mut Capture, call: &Call) {
    let clean = capture.push(bytes).await;
    if !clean.is_empty() {
        call.reporter.output(&call.id, clean).await;
    }
}

/// The beginning of a command, as it can stand in a title: printable, so that nothing hides a part of it.
pub(super) fn one_line(command: &str) -> String {
    let command = command.trim();
    let first = command.lines().next().unwrap_or_default();
    let printable = text::printable_line(first);
    let shown: String = printable.chars().take(TITLE).collect();
    if shown.len() < printable.len() || first.len() < command.len() { format!("{shown} …") } else { shown }
}

/// Call ids come from outside: only what is safe in a file name.
fn file_name(call_id: &str) -> String {
    let name: String =
        call_id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect();
    if name.is_empty() { "call".into() } else { name }
}

//! `process`: waits for, feeds and kills background commands.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shell::one_line;
use crate::call::Call;
use crate::client::Confirm;
use crate::context::Context;
use crate::permission;
use crate::process::Background;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode, timeout};

/// How long `wait` waits when the model names no time.
const WAIT: Duration = Duration::from_secs(10);
/// How long feeding and killing wait for what comes of it.
const SETTLE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct Process;

#[derive(Debug, Deserialize)]
struct Args {
    handle: String,
    action: Action,
    #[serde(default)]
    input: Option<String>,
    /// Seconds.
    #[serde(default)]
    timeout: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Wait,
    Input,
    Kill,
}

impl Tool for Process {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "process".into(),
            description:
                "Deal with a background command: `wait` until it ends or `timeout` seconds are over, \
                          write `input` to it, or `kill` it. Returns its output since the last look."
                    .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "handle": {"type": "string"},
                    "action": {"type": "string", "enum": ["wait", "input", "kill"]},
                    "input": {"type": "string", "description": "for `input`; end it with a newline if one is needed"},
                    "timeout": {"type": "number", "description": "for `wait`: seconds; 10 if not given"}
                },
                "required": ["handle", "action"]
            }),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::Command
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            let mut background = call.context.processes.find(&args.handle).ok_or_else(|| {
                ToolError::failed(format!("there is no background command {}", args.handle))
            })?;
            let time = match args.action {
                Action::Wait => timeout(args.timeout, WAIT, call.context.limits.command_timeout_max)?,
                Action::Input => {
                    let input =
                        args.input.ok_or_else(|| ToolError::failed("bad arguments: input: missing"))?;
                    feed(&background, &args.handle, input, call).await?;
                    SETTLE
                }
                Action::Kill => {
                    background.kill();
                    call.context.limits.kill_grace + SETTLE
                }
            };
            let wait = tokio::select! {
                biased;
                () = call.cancelled.cancelled() => return Err(ToolError::Aborted),
                wait = background.wait(time) => wait,
            };
            let mut text = wait.output;
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            match wait.ended {
                Some(how) => text.push_str(&format!("[{how}]")),
                // With the time, so that waiting for something slow is not taken for going in circles.
                None => {
                    text.push_str(&format!("[still running after {:.1} s]", background.age().as_secs_f64()));
                }
            }
            Ok(Output::text(text))
        }
        .boxed()
    }
}

/// Writes to a command's input. A shell does what it is fed, so this is asked for like a command.
async fn feed(background: &Background, handle: &str, input: String, call: &Call) -> Result<(), ToolError> {
    let not_fed = |why| ToolError::failed(format!("{handle} {why}"));
    background.reads().map_err(not_fed)?;
    let confirm = Confirm {
        title: format!("Feed {handle} ({}): {}", one_line(&background.command), one_line(&input)),
        command: Some(input.clone()),
        directory: Some(call.context.working_dir.to_string()),
        ..Confirm::default()
    };
    let action = permission::Action::Feed { handle, command: &background.command };
    call.permit(action, confirm).await?;
    background.feed(input).map_err(not_fed)
}

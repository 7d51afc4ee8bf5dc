//! `process`: waits for, feeds and kills background commands.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};

/// Seconds that `wait` waits when the model names none.
const WAIT: f64 = 10.0;
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
                Action::Wait => Duration::try_from_secs_f64(args.timeout.unwrap_or(WAIT))
                    .map_err(|_| {
                        ToolError::failed("bad arguments: timeout: expected a positive number of seconds")
                    })?
                    .min(call.context.limits.command_timeout_max),
                Action::Input => {
                    let input =
                        args.input.ok_or_else(|| ToolError::failed("bad arguments: input: missing"))?;
                    if !background.feed(input).await {
                        return Err(ToolError::failed(format!(
                            "{} does not read its input any more",
                            args.handle
                        )));
                    }
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
                None => text.push_str("[still running]"),
            }
            Ok(Output::text(text))
        }
        .boxed()
    }
}

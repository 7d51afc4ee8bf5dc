//! Running the tool calls of one answer.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use provider::{Part, ToolCall};
use serde_json::Value;

use super::Turn;
use super::repetition::Repetition;
use crate::call::Call;
use crate::id::CallId;
use crate::report::Report;
use crate::result::{Output, ToolError, ToolResult};
use crate::tool::{Access, arguments};

/// After so many answers in a row of which every call was denied, the turn ends.
pub(super) const MAX_DENIED_ANSWERS: u32 = 3;

pub(super) struct Outcome {
    pub(super) all_denied: bool,
}

/// A call that waits for its turn.
struct Planned {
    call: ToolCall,
    /// `Err`: the arguments are not those of the tool.
    args: Result<Value, String>,
    access: Access,
}

impl Turn {
    /// Runs the calls, side by side where they do not touch the same things. Every call gets a result:
    /// when steering waits or the turn is cancelled, those not started get one that says so.
    pub(super) async fn calls(&self, calls: Vec<ToolCall>, repetition: &mut Repetition) -> Outcome {
        let planned = join_all(calls.into_iter().map(|call| self.plan(call))).await;
        let mut waiting: VecDeque<Planned> = planned.into();
        let mut running = FuturesUnordered::new();
        let mut touched: Vec<(CallId, Access)> = Vec::new();
        let mut all_denied = true;
        loop {
            if !*self.steering.borrow() && !self.cancelled.is_cancelled() {
                let mut held_back: VecDeque<Planned> = VecDeque::new();
                while let Some(planned) = waiting.pop_front() {
                    let conflicts = touched.iter().map(|(_, access)| access);
                    let conflicts = conflicts.chain(held_back.iter().map(|earlier| &earlier.access));
                    let must_wait = running.len() >= self.context.limits.parallel_calls
                        || conflicts.into_iter().any(|other| planned.access.conflicts(other));
                    if must_wait {
                        held_back.push_back(planned);
                    } else {
                        touched.push((CallId::new(planned.call.call_id.as_str()), planned.access.clone()));
                        running.push(self.call(planned));
                    }
                }
                waiting = held_back;
            }
            let Some((call, mut result)) = running.next().await else { break };
            let call_id = CallId::new(call.call_id.as_str());
            touched.retain(|(id, _)| *id != call_id);
            all_denied &= matches!(result.outcome, Err(ToolError::Denied(_)));
            if matches!(&result.outcome, Ok(output) if output.diff.is_some()) {
                repetition.changed_a_file();
            } else {
                // The file of a long output is named after the call.
                let text = result.text().replace(&call.call_id, "");
                if let Some(note) = repetition.note(&call.name, &call.arguments, &text) {
                    result.add_note(note);
                }
            }
            self.end(call_id, call.name, result).await;
        }
        for planned in waiting {
            all_denied = false;
            let error = if self.cancelled.is_cancelled() { ToolError::Aborted } else { ToolError::Skipped };
            let result = ToolResult { outcome: Err(error) };
            self.start(&planned).await;
            self.end(CallId::new(planned.call.call_id.as_str()), planned.call.name, result).await;
        }
        Outcome { all_denied }
    }

    async fn plan(&self, call: ToolCall) -> Planned {
        let schema = self.asking.toolbox.parameters(&call.name).unwrap_or(&Value::Null);
        let args = arguments(&call.arguments, schema);
        let access = match (self.asking.toolbox.find(&call.name), &args) {
            (Some(tool), Ok(args)) => self.resolved(tool.access(args, &self.context)).await,
            _ => Access::Nothing,
        };
        Planned { call, args, access }
    }

    /// Two names of one file are one file. Where the disk does not answer, each name stands for itself: the
    /// lock of the file still keeps two writers apart.
    async fn resolved(&self, access: Access) -> Access {
        let limit = tokio::time::sleep(self.context.limits.resolve);
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => access,
            resolved = access.resolved(&*self.context.workspace) => resolved,
            () = limit => access,
        }
    }

    async fn call(&self, planned: Planned) -> (ToolCall, ToolResult) {
        self.start(&planned).await;
        let Planned { call, args, .. } = planned;
        let context = Call {
            id: CallId::new(call.call_id.as_str()),
            tool: call.name.clone(),
            context: self.context.clone(),
            reporter: self.reporter.clone(),
            cancelled: self.cancelled.child_token(),
            words: Mutex::default(),
        };
        let outcome = match (self.asking.toolbox.find(&call.name), args) {
            (None, _) => Err(ToolError::Failed(self.asking.toolbox.unknown(&call.name))),
            (_, Err(problem)) => Err(ToolError::Failed(problem)),
            (Some(tool), Ok(args)) => {
                let run = AssertUnwindSafe(tool.run(args, &context)).catch_unwind().await;
                run.unwrap_or_else(|_panic| {
                    Err(ToolError::failed("the tool failed because of a bug in Opal"))
                })
            }
        };
        let mut result = ToolResult { outcome };
        for word in context.words.into_inner().unwrap_or_else(PoisonError::into_inner) {
            result.add_note(format!("[The user allowed this and says: {word}]"));
        }
        (call, result)
    }

    async fn start(&self, Planned { call, args, .. }: &Planned) {
        let report = Report::CallStarted {
            call_id: CallId::new(call.call_id.as_str()),
            tool: call.name.clone(),
            args: args.clone().unwrap_or_else(|_| Value::String(call.arguments.clone())),
        };
        self.reporter.report(report).await;
    }

    async fn end(&self, call_id: CallId, tool: String, mut result: ToolResult) {
        result.mask();
        self.reporter.report(Report::CallEnded { call_id, tool, result }).await;
    }
}

impl ToolResult {
    /// Adds something for the model to read behind the result.
    fn add_note(&mut self, note: String) {
        match &mut self.outcome {
            Ok(Output { parts, .. }) => match parts.last_mut() {
                Some(Part::Text(text)) => {
                    text.push('\n');
                    text.push_str(&note);
                }
                _ => parts.push(Part::Text(note)),
            },
            Err(ToolError::Failed(text) | ToolError::Denied(text)) => {
                text.push('\n');
                text.push_str(&note);
            }
            Err(ToolError::Aborted | ToolError::Skipped) => {}
        }
    }
}

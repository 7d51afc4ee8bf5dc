//! Opal's own types to wire types. Boring on purpose.
//!
//! Texts that clients show in titles, dialogs, notifications and lists leave here printable ([`lines`], [`line`]):
//! questions, reasons of errors and retries, names of tools, sessions and files. The conversation itself (messages,
//! arguments and results of calls, changes made) leaves as it is, because it is kept and copied; a client shows it in a
//! text view, and a terminal client cleans it on its way to the terminal. So do URIs and ids, which are not shown.

use std::time::SystemTime;

use agent::changes::list::Changes;
use agent::changes::undone::Undone;
use agent::client::{Confirm, Question, QuestionKind};
use agent::event::{self, Event, Queued, QueuedKind, WaitingFor};
use agent::journal::history::{Told, What};
use agent::journal::tree::Node;
use agent::permission::Mode;
use agent::result::ToolResult;
use agent::session::State;
use agent::workspace::FileName;
use agent::{ClientTool, Context};
use protocol as wire;
use provider::{Account, ModelInfo, ThinkingLevel, Usage};

use crate::transport::outbox::Delta;

/// The events that can merge and are encoded by hand; see [`crate::transport::Outbox::push_delta`].
pub(crate) fn delta<'a>(session_id: &'a str, seq: u64, event: &'a Event) -> Option<Delta<'a>> {
    let (kind, key, id, text) = match event {
        Event::MessageDelta { message_id, delta } => {
            ("message_delta", "message_id", message_id.as_str(), delta)
        }
        Event::ThinkingDelta { message_id, delta } => {
            ("thinking_delta", "message_id", message_id.as_str(), delta)
        }
        Event::ToolOutput { call_id, delta } => ("tool_output", "call_id", call_id.as_str(), delta),
        _ => return None,
    };
    Some(Delta { session_id, seq, kind, key, id, text })
}

pub(crate) fn event(event: &Event) -> wire::AgentEvent {
    use wire::AgentEvent as Wire;
    match event.clone() {
        Event::AgentStart => Wire::AgentStart,
        Event::TurnStart { turn_id, text, attachments } => Wire::TurnStart {
            turn_id: turn_id.to_string(),
            text,
            attachments: attachments.into_iter().map(attachment).collect(),
        },
        Event::MessageStart { message_id } => Wire::MessageStart { message_id: message_id.to_string() },
        Event::MessageDelta { message_id, delta } => {
            Wire::MessageDelta { message_id: message_id.to_string(), delta }
        }
        Event::MessageEnd { message_id, text } => {
            Wire::MessageEnd { message_id: message_id.to_string(), text }
        }
        Event::ThinkingStart { message_id } => Wire::ThinkingStart { message_id: message_id.to_string() },
        Event::ThinkingDelta { message_id, delta } => {
            Wire::ThinkingDelta { message_id: message_id.to_string(), delta }
        }
        Event::ThinkingEnd { message_id, text } => {
            Wire::ThinkingEnd { message_id: message_id.to_string(), text }
        }
        Event::ToolExecutionStart { tool, call_id, args } => {
            Wire::ToolExecutionStart { tool: tool_name(&tool), call_id: call_id.to_string(), args }
        }
        Event::ToolOutput { call_id, delta } => Wire::ToolOutput { call_id: call_id.to_string(), delta },
        Event::ToolExecutionEnd { tool, call_id, result } => Wire::ToolExecutionEnd {
            tool: tool_name(&tool),
            call_id: call_id.to_string(),
            result: tool_result(&result),
        },
        Event::DocumentEdited { uri, diff } => Wire::DocumentEdited { uri, diff },
        Event::TurnEnd { turn_id, message, usage, cost } => {
            Wire::TurnEnd { turn_id: turn_id.to_string(), message, usage: token_usage(usage, cost) }
        }
        Event::ChangesUndone { turn_id, files, conflicts } => {
            Wire::ChangesUndone { turn_id: turn_id.to_string(), files, conflicts }
        }
        Event::Branched { leaf } => Wire::Branched { leaf: leaf.map(|leaf| leaf.to_string()) },
        Event::ModelChanged { model, thinking } => {
            Wire::ModelChanged { model, thinking_level: thinking.map(thinking_level) }
        }
        Event::CompactionStart { trigger, used } => {
            Wire::CompactionStart { reason: compaction_reason(trigger), used }
        }
        Event::CompactionEnd { result, used } => {
            let error = result.as_ref().err().map(|why| lines(why));
            let (summary, fallback) = result.map_or((None, false), |done| (done.summary, done.fallback));
            Wire::CompactionEnd { summary, used, fallback, error }
        }
        Event::AgentAbort => Wire::AgentAbort,
        Event::AgentEnd { reason } => Wire::AgentEnd { reason: end_reason(reason) },
        Event::MessageQueued { message } => {
            let wire::QueuedMessage { message_id, text, kind } = queued(message);
            Wire::MessageQueued { message_id, text, kind }
        }
        Event::MessageApplied { message_id } => Wire::MessageApplied { message_id: message_id.to_string() },
        Event::MessageWithdrawn { message_id } => {
            Wire::MessageWithdrawn { message_id: message_id.to_string() }
        }
        Event::UsageUpdate { usage } => Wire::UsageUpdate { usage: context_usage(usage) },
        Event::StatusUpdate { running, waiting_for } => {
            Wire::StatusUpdate { state: status(running), waiting_for: waiting_for.map(self::waiting_for) }
        }
        Event::Retry { message_id, attempt, delay, reason } => Wire::Retry {
            message_id: message_id.to_string(),
            attempt,
            delay_ms: millis(delay),
            reason: lines(&reason),
        },
        Event::Warning { warning } => {
            let event::Failure { code, message, hint } = warning;
            Wire::Warning { code, message: lines(&message), hint: hint.as_deref().map(lines) }
        }
        Event::Error { failure } => {
            let event::Failure { code, message, hint } = failure;
            Wire::Error { code, message: lines(&message), hint: hint.as_deref().map(lines) }
        }
    }
}

pub(crate) fn state(state: State) -> wire::SessionState {
    let session_id = state.session_id.to_string();
    wire::SessionState {
        seq: state.seq,
        status: status(state.running),
        waiting_for: state.waiting_for.map(waiting_for),
        turn_id: state.turn_id.map(|turn_id| turn_id.to_string()),
        queue: state.queue.into_iter().map(queued).collect(),
        questions: state.questions.iter().map(|asked| question(&session_id, asked)).collect(),
        usage: context_usage(state.usage),
        model: state.model,
        thinking_level: state.thinking.map(thinking_level),
        permission_mode: mode(state.permission_mode),
        working_dir: state.working_dir,
        shell: state.shell,
        session_id,
    }
}

pub(crate) fn question(session_id: &str, question: &Question) -> wire::Question {
    match &question.kind {
        QuestionKind::Confirm(asked) => wire::Question::Confirm(confirm(session_id, question, asked)),
        QuestionKind::Input { prompt, call_id, sensitive, choices } => {
            wire::Question::Input(wire::InputParams {
                session_id: session_id.into(),
                question_id: question.id.to_string(),
                call_id: call_id.as_ref().map(ToString::to_string),
                prompt: lines(prompt),
                sensitive: *sensitive,
                choices: choices.iter().map(|choice| line(choice)).collect(),
            })
        }
    }
}

fn confirm(session_id: &str, question: &Question, asked: &Confirm) -> wire::ConfirmParams {
    let mut actions = vec![wire::ConfirmAction::Allow, wire::ConfirmAction::Deny];
    if asked.grant.is_some() {
        actions.push(wire::ConfirmAction::AllowSession);
    }
    wire::ConfirmParams {
        session_id: session_id.into(),
        question_id: question.id.to_string(),
        title: line(&asked.title),
        message: lines(&asked.message),
        actions,
        details: wire::ConfirmDetails {
            tool: Some(tool_name(&asked.tool)),
            call_id: asked.call_id.as_ref().map(ToString::to_string),
            path: asked.path.clone(),
            diff: asked.diff.as_deref().map(lines),
            command: asked.command.as_deref().map(lines),
            directory: asked.directory.as_deref().map(line),
            grant: asked.grant.as_deref().map(lines),
        },
    }
}

pub(crate) fn summary(summary: store::SessionSummary, found: Option<String>) -> wire::SessionSummary {
    let store::SessionSummary { record, first_prompt, n_entries, bytes } = summary;
    wire::SessionSummary {
        session_id: record.id.to_string(),
        working_dir: record.working_dir,
        name: record.name.as_deref().map(line),
        first_prompt: first_prompt.as_deref().map(lines),
        model: record.model,
        created_at_ms: record.created_at_ms,
        updated_at_ms: record.updated_at_ms,
        n_entries,
        bytes,
        found: found.as_deref().map(line),
    }
}

pub(crate) fn told(told: Told) -> wire::HistoryEntry {
    let content = match told.what {
        What::User { turn_id, text } => wire::HistoryContent::User { turn_id, text },
        What::Steering { text } => wire::HistoryContent::Steering { text },
        What::Assistant { text, interrupted } => wire::HistoryContent::Assistant { text, interrupted },
        What::Compaction { summary, tokens_before, tokens_after, .. } => {
            wire::HistoryContent::Compaction { summary, tokens_before, tokens_after }
        }
        What::ModelChange { model, thinking_level } => wire::HistoryContent::ModelChange {
            model,
            thinking_level: thinking_level.and_then(|word| serde_json::from_value(word.into()).ok()),
        },
        What::Undo { turn_id, files } => wire::HistoryContent::Undo { turn_id, files },
        What::ToolResult { tool, call_id, args, ok, text, diff, exit_code } => {
            let (output, error) = if ok { (Some(text), None) } else { (None, Some(text)) };
            let result = wire::ToolResult { ok, output, error, diff, exit_code };
            wire::HistoryContent::ToolResult { tool: tool_name(&tool), call_id, args, result }
        }
    };
    wire::HistoryEntry { entry_id: told.entry.to_string(), created_at_ms: told.created_at_ms, content }
}

pub(crate) fn node(node: Node) -> wire::TreeEntry {
    wire::TreeEntry {
        entry_id: node.entry.to_string(),
        parent_id: node.parent.map(|parent| parent.to_string()),
        kind: node.kind.as_str().to_owned(),
        created_at_ms: node.created_at_ms,
        summary: line(&node.summary),
        text: node.prompt,
        on_branch: node.on_branch,
    }
}

pub(crate) fn changes(changes: Changes, context: &Context) -> wire::SessionChangesResult {
    wire::SessionChangesResult {
        files: changes.files.into_iter().map(|file| file_changes(file, context)).collect(),
        ran_commands: changes.ran_commands.iter().map(ToString::to_string).collect(),
    }
}

fn file_changes(file: agent::changes::list::FileChanges, context: &Context) -> wire::FileChanges {
    let (diff, error) = match file.diff {
        Ok(diff) => (Some(diff), None),
        Err(why) => (None, Some(lines(&why))),
    };
    let turns = file.turns.iter().map(ToString::to_string).collect();
    let (uri, path) = (uri(&file.name), line(&context.display(&file.name)));
    let Some(diff) = diff else {
        return wire::FileChanges {
            uri,
            path,
            turns,
            created: false,
            removed: false,
            added_lines: 0,
            removed_lines: 0,
            diff: String::new(),
            hunks: Vec::new(),
            error,
        };
    };
    wire::FileChanges {
        uri,
        path,
        turns,
        created: diff.created,
        removed: diff.removed,
        added_lines: diff.n_added as u64,
        removed_lines: diff.n_removed as u64,
        diff: provider::mask(&diff.text).into_owned(),
        hunks: diff.hunks.into_iter().map(hunk).collect(),
        error,
    }
}

fn hunk(hunk: text::Hunk) -> wire::Hunk {
    // An empty range names the line before it, as in the header of a diff.
    let start = |range: &std::ops::Range<usize>| (range.start + usize::from(!range.is_empty())) as u64;
    wire::Hunk {
        old_start: start(&hunk.old),
        old_lines: hunk.old.len() as u64,
        new_start: start(&hunk.new),
        new_lines: hunk.new.len() as u64,
        hunk_id: hunk.id,
    }
}

pub(crate) fn undone(undone: Undone, context: &Context) -> wire::SessionUndoResult {
    let file = |file: agent::changes::undone::UndoneFile| wire::UndoneFile {
        uri: uri(&file.name),
        path: line(&context.display(&file.name)),
        diff: provider::mask(&file.diff).into_owned(),
    };
    let conflict = |conflict: agent::changes::undone::Conflict| wire::UndoConflict {
        uri: uri(&conflict.name),
        path: line(&context.display(&conflict.name)),
        reason: lines(&conflict.why),
        shown: conflict.shown.map(|shown| provider::mask(&shown).into_owned()),
    };
    wire::SessionUndoResult {
        turn_id: undone.turn_id.map(|turn_id| turn_id.to_string()),
        files: undone.files.into_iter().map(file).collect(),
        conflicts: undone.conflicts.into_iter().map(conflict).collect(),
    }
}

fn uri(name: &FileName) -> String {
    match name {
        FileName::Path(path) => path.to_uri(),
        FileName::Document(uri) => uri.clone(),
    }
}

pub(crate) fn model(provider: &str, info: ModelInfo) -> wire::ModelInfo {
    wire::ModelInfo {
        model: format!("{provider}/{}", info.id),
        name: line(&info.name.unwrap_or(info.id)),
        context_window: info.context_window,
        max_output_tokens: info.max_output_tokens.map(u64::from),
        tools: info.tools,
        images: info.images,
        thinking_levels: info.thinking.map(|levels| levels.into_iter().map(thinking_level).collect()),
        price: info.price.map(|price| wire::Price {
            input: price.input,
            cached_input: price.cached_input,
            cache_write: Some(price.cache_write).filter(|write| *write != price.input),
            output: price.output,
        }),
        preview: info.preview,
        terms: info.terms,
    }
}

/// A plan, and what is left of it, in words.
pub(crate) fn plan(account: &Account) -> Option<String> {
    let mut words: Vec<String> = account.plan.iter().chain(&account.sku).take(1).cloned().collect();
    let left: Vec<String> = account
        .quotas
        .iter()
        .filter(|quota| !quota.unlimited)
        .filter_map(|quota| {
            let left = match (quota.percent_remaining, quota.remaining) {
                (Some(percent), _) => format!("{percent:.0} %"),
                (None, Some(remaining)) => remaining.to_string(),
                (None, None) => return None,
            };
            Some(format!("{left} of {} left", quota.name.replace('_', " ")))
        })
        .collect();
    // Some plans have only seconds, which say nothing to anybody.
    let date = account.resets_on.as_ref().filter(|date| date.contains('-') && !left.is_empty());
    words.extend(left);
    words.extend(date.map(|date| format!("renewed on {date}")));
    (!words.is_empty()).then(|| line(&words.join(", ")))
}

/// A text of several lines, as a person may see it.
pub(crate) fn lines(text: &str) -> String {
    text::printable(text).into_owned()
}

/// A text on one line, as a person may see it.
pub(crate) fn line(text: &str) -> String {
    text::printable_line(text).into_owned()
}

/// Characters of a tool's name; services take no more.
const MAX_TOOL_NAME: usize = 64;

/// A tool's name as the model wrote it, which may be anything.
fn tool_name(name: &str) -> String {
    text::cut(name, MAX_TOOL_NAME)
}

/// Milliseconds since 1970.
pub(crate) fn time(at: SystemTime) -> Option<i64> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis().try_into().ok()
}

pub(crate) fn queued(message: Queued) -> wire::QueuedMessage {
    wire::QueuedMessage {
        message_id: message.message_id.to_string(),
        text: message.text,
        kind: match message.kind {
            QueuedKind::Steering => wire::QueuedKind::Steering,
            QueuedKind::FollowUp => wire::QueuedKind::FollowUp,
        },
    }
}

pub(crate) fn returned(message: Queued) -> wire::ReturnedMessage {
    wire::ReturnedMessage { message_id: message.message_id.to_string(), text: message.text }
}

fn attachment(attachment: event::Attachment) -> wire::Attachment {
    match attachment {
        event::Attachment::File { uri } => wire::Attachment::File { uri },
        event::Attachment::Selection { uri, range, .. } => {
            let range = wire::Range { start: position(range.start), end: position(range.end) };
            wire::Attachment::Selection { uri, range }
        }
        event::Attachment::Image { mime_type, data } => wire::Attachment::Image { mime_type, data },
    }
}

pub(crate) fn position(position: text::Position) -> wire::Position {
    wire::Position { line: position.line, character: position.character }
}

pub(crate) fn client_tool(tool: ClientTool) -> wire::ClientTool {
    match tool {
        ClientTool::Diagnostics => wire::ClientTool::Diagnostics,
        ClientTool::References => wire::ClientTool::References,
        ClientTool::Definition => wire::ClientTool::Definition,
        ClientTool::Symbols => wire::ClientTool::Symbols,
        ClientTool::Rename => wire::ClientTool::Rename,
    }
}

fn tool_result(result: &ToolResult) -> wire::ToolResult {
    let text = Some(result.text());
    match &result.outcome {
        Ok(output) => wire::ToolResult {
            ok: true,
            output: text,
            error: None,
            diff: output.diff.clone(),
            exit_code: output.exit_code,
        },
        Err(_) => wire::ToolResult { ok: false, output: None, error: text, diff: None, exit_code: None },
    }
}

fn waiting_for(waiting_for: WaitingFor) -> wire::WaitingFor {
    match waiting_for {
        WaitingFor::Model => wire::WaitingFor::Model,
        WaitingFor::Undo => wire::WaitingFor::Undo,
        WaitingFor::Compaction => wire::WaitingFor::Compaction,
        WaitingFor::Tool { tool, call_id } => {
            wire::WaitingFor::Tool { tool: tool_name(&tool), call_id: call_id.to_string() }
        }
        WaitingFor::Answer { question_id, title } => {
            wire::WaitingFor::Answer { question_id: question_id.to_string(), title: line(&title) }
        }
        WaitingFor::Retry { attempt, delay, reason } => {
            wire::WaitingFor::Retry { attempt, delay_ms: millis(delay), reason: lines(&reason) }
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn status(running: bool) -> wire::SessionStatus {
    if running { wire::SessionStatus::Running } else { wire::SessionStatus::Idle }
}

fn compaction_reason(trigger: event::Trigger) -> wire::CompactionReason {
    match trigger {
        event::Trigger::Threshold => wire::CompactionReason::Threshold,
        event::Trigger::Overflow => wire::CompactionReason::Overflow,
        event::Trigger::Request => wire::CompactionReason::Request,
    }
}

fn end_reason(reason: event::EndReason) -> wire::EndReason {
    match reason {
        event::EndReason::Completed => wire::EndReason::Completed,
        event::EndReason::Aborted => wire::EndReason::Aborted,
        event::EndReason::Error => wire::EndReason::Error,
        event::EndReason::Length => wire::EndReason::Length,
        event::EndReason::Denied => wire::EndReason::Denied,
        event::EndReason::Loop => wire::EndReason::Loop,
    }
}

fn token_usage(usage: Usage, cost: Option<f64>) -> wire::TokenUsage {
    wire::TokenUsage {
        input: usage.input_total,
        cached: usage.input_cached,
        output: usage.output_total,
        reasoning: usage.output_reasoning,
        cost,
    }
}

fn context_usage(usage: event::ContextUsage) -> wire::ContextUsage {
    wire::ContextUsage {
        used: usage.used,
        estimated: usage.estimated,
        window: usage.window,
        compact_at: usage.compact_at,
        input: usage.session.input_total,
        cached: usage.session.input_cached,
        output: usage.session.output_total,
        reasoning: usage.session.output_reasoning,
        cost: usage.cost,
    }
}

fn mode(mode: Mode) -> wire::PermissionMode {
    match mode {
        Mode::Ask => wire::PermissionMode::Ask,
        Mode::AutoEdit => wire::PermissionMode::AutoEdit,
        Mode::Full => wire::PermissionMode::Full,
        Mode::ReadOnly => wire::PermissionMode::ReadOnly,
    }
}

fn thinking_level(level: ThinkingLevel) -> wire::ThinkingLevel {
    match level {
        ThinkingLevel::Off => wire::ThinkingLevel::Off,
        ThinkingLevel::Minimal => wire::ThinkingLevel::Minimal,
        ThinkingLevel::Low => wire::ThinkingLevel::Low,
        ThinkingLevel::Medium => wire::ThinkingLevel::Medium,
        ThinkingLevel::High => wire::ThinkingLevel::High,
        ThinkingLevel::XHigh => wire::ThinkingLevel::XHigh,
        ThinkingLevel::Max => wire::ThinkingLevel::Max,
    }
}

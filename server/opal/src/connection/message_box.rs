//! Questions as message boxes, for clients that know no other dialog.
//!
//! A box cannot be scrolled everywhere, so what is long comes in several boxes, and only the last one offers to
//! allow: nobody allows what was not shown. Every box offers to deny first, which is what Enter chooses in many clients.
//! The command or change comes last, directly above the answers, because a box that is too small shows its end.

use std::sync::Arc;
use std::time::Duration;

use agent::client::{Answer, Confirm};
use serde_json::{Value, json};
use text::{abridge, cut, rows};
use tokio::time::Instant;

use crate::editor::{Call, CallError, Editor};

/// Characters in one row of a list's heading; wider lines continue in the next.
const WIDTH: usize = 120;
/// Nobody reads more boxes than this; what needs them can only be denied.
const MAX_BOXES: usize = 25;
/// Rows that are shown of each end of what is too long.
const SOME_ROWS: usize = 10;
/// Rows of a grant. A longer one is not offered.
const MAX_GRANT_ROWS: usize = 3;
/// Characters of a title, and of a button.
const MAX_TITLE: usize = 200;
/// How long a client that cannot show a box at the moment is left alone, and for how long it is tried again: Emacs
/// refuses while its user is in a minibuffer.
const PAUSE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);
/// Codes of JSON-RPC and LSP: the client does not know the method, or its user has closed the box.
const METHOD_NOT_FOUND: i64 = -32601;
const REQUEST_CANCELLED: i64 = -32800;

/// The part of a command or change that one box shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoxSize {
    pub(super) rows: usize,
    /// Characters in one row; wider lines continue in the next.
    pub(super) width: usize,
}

const ALLOW: &str = "Allow";
const DENY: &str = "Deny";
const ALLOW_SESSION: &str = "Allow for this session";
const NEXT: &str = "Show the next part";

/// One box: its text, and what can be answered.
#[derive(Debug, Clone, PartialEq)]
struct MessageBox {
    message: String,
    actions: Vec<&'static str>,
}

/// Asks for a permission. The first box is on its way when this returns.
pub(super) fn ask_confirm(
    editor: &Arc<Editor>,
    confirm: &Confirm,
    size: BoxSize,
) -> impl Future<Output = Option<Answer>> + use<> {
    let boxes = boxes(confirm, size);
    let editor = editor.clone();
    let first = boxes.first().map(|first| show(&editor, &first.message, &first.actions));
    async move {
        let mut call = first?;
        let mut at = 0;
        loop {
            let again = || show(&editor, &boxes[at].message, &boxes[at].actions);
            let result = answer(call, &editor, again).await?;
            // Only what was on offer is an answer.
            let chosen = boxes[at].actions.iter().find(|action| result["title"] == **action);
            call = match chosen {
                Some(&ALLOW) => return Some(Answer::Allow { word: None, for_session: false }),
                Some(&ALLOW_SESSION) => return Some(Answer::Allow { word: None, for_session: true }),
                Some(&NEXT) => {
                    at += 1;
                    show(&editor, &boxes[at].message, &boxes[at].actions)
                }
                _ => return Some(Answer::Deny { word: None }),
            };
        }
    }
}

/// Asks to choose from a list.
pub(super) fn ask_choice(
    editor: &Arc<Editor>,
    prompt: &str,
    choices: &[String],
) -> impl Future<Output = Option<Answer>> + use<> {
    let message = abridge(rows(prompt, WIDTH), SOME_ROWS, SOME_ROWS).join("\n");
    let titles: Vec<String> = choices.iter().map(|choice| cut(choice, MAX_TITLE)).collect();
    let call = show(editor, &message, &titles);
    let choices = choices.to_vec();
    let editor = editor.clone();
    async move {
        let result = answer(call, &editor, || show(&editor, &message, &titles)).await?;
        let at = titles.iter().position(|title| result["title"] == *title);
        Some(Answer::Input(at.and_then(|at| choices.get(at).cloned())))
    }
}

/// Waits for an answer, and shows the box `again` while the client cannot show it. `None`: it cannot be asked.
async fn answer(mut call: Call, editor: &Editor, again: impl Fn() -> Call) -> Option<Value> {
    let mut give_up_at = None;
    loop {
        let error = match call.await {
            Ok(result) => return Some(result),
            Err(error) => error,
        };
        tracing::info!(%error, "a message box was not shown");
        match error {
            CallError::Gone | CallError::Refused { code: METHOD_NOT_FOUND | REQUEST_CANCELLED, .. } => {
                return None;
            }
            CallError::Refused { message, .. } if give_up_at.is_none() => {
                let message = format!(
                    "Opal has a question that the editor cannot show now ({}). Opal asks again every few seconds.",
                    cut(&message, MAX_TITLE)
                );
                editor.notify("window/showMessage", &json!({"type": 2, "message": message}));
            }
            CallError::Refused { .. } => {}
        }
        if *give_up_at.get_or_insert_with(|| Instant::now() + PATIENCE) <= Instant::now() {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
        call = again();
    }
}

fn show<T: AsRef<str>>(editor: &Arc<Editor>, message: &str, actions: &[T]) -> Call {
    let actions: Vec<Value> = actions.iter().map(|title| json!({"title": title.as_ref()})).collect();
    // Type 3: information. A warning or error is shown with an alarm by some editors.
    let params = json!({"type": 3, "message": message, "actions": actions});
    editor.call("window/showMessageRequest", &params)
}

/// A diff without the lines that name the file, as the title does.
fn without_names(diff: &str) -> &str {
    let rest = diff.strip_prefix("--- ").and_then(|diff| diff.split_once("\n+++ "));
    rest.and_then(|(_, rest)| rest.split_once('\n')).map_or(diff, |(_, hunks)| hunks)
}

fn boxes(confirm: &Confirm, size: BoxSize) -> Vec<MessageBox> {
    let BoxSize { rows: n_rows, width } = size;
    let mut head = vec![cut(&confirm.title, MAX_TITLE)];
    head.extend(rows(&confirm.message, width));
    head.extend(confirm.directory.as_ref().map(|directory| format!("in {}", cut(directory, usize::MAX))));
    let command = confirm.command.as_deref();
    let change = confirm.diff.as_deref().map(without_names);
    let body: Vec<String> =
        [command, change].into_iter().flatten().flat_map(|text| rows(text, width)).collect();
    let message = |notice: Option<String>, body: &[String]| {
        let head = head.iter().cloned().chain(notice).collect::<Vec<_>>().join("\n");
        if body.is_empty() { head } else { format!("{head}\n\n{}", body.join("\n")) }
    };

    let n_boxes = body.len().div_ceil(n_rows).max(1);
    if n_boxes > MAX_BOXES {
        let notice = format!(
            "{} lines are too many to review here, so this can only be denied. Ask for smaller steps, or use an \
             editor with Opal's plugin.",
            body.len()
        );
        let n_shown = SOME_ROWS.min(n_rows.div_ceil(2));
        let some = abridge(body, n_shown, n_shown);
        return vec![MessageBox { message: message(Some(notice), &some), actions: vec![DENY] }];
    }
    let grant = confirm.grant.as_ref().map(|grant| rows(grant, width));
    let grant = grant.filter(|rows| rows.len() <= MAX_GRANT_ROWS);
    let grant = grant.map(|rows| format!("“{ALLOW_SESSION}” allows from now on: {}", rows.join("\n")));
    let of_part = |at: usize| {
        let part = &body[at * n_rows..body.len().min((at + 1) * n_rows)];
        let is_last = at + 1 == n_boxes;
        let mut notices = Vec::new();
        match is_last {
            _ if n_boxes == 1 => {}
            true => notices.push(format!("This is the last of {n_boxes} parts.")),
            false => notices
                .push(format!("This is part {} of {n_boxes}. You can allow it after the last part.", at + 1)),
        }
        let mut actions = vec![DENY, if is_last { ALLOW } else { NEXT }];
        if let Some(grant) = grant.as_ref().filter(|_| is_last) {
            notices.push(grant.clone());
            actions.push(ALLOW_SESSION);
        }
        let notice = (!notices.is_empty()).then(|| notices.join("\n"));
        MessageBox { message: message(notice, part), actions }
    };
    (0..n_boxes).map(of_part).collect()
}

#[cfg(test)]
mod tests;

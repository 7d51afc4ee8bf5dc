//! Questions as message boxes, for clients that know no other dialog.
//!
//! A box cannot be scrolled everywhere, so what is long comes in several boxes, and only the last one offers to
//! allow: nobody allows what was not shown. The other boxes offer to deny first, so that neither the place of
//! "Allow" nor the same button again and again allows anything.

use std::sync::Arc;

use agent::client::{Answer, Confirm};
use serde_json::{Value, json};
use text::{abridge, cut, rows};

use super::answer;
use crate::editor::{Call, Editor};

/// Rows of a command or change in one box.
const ROWS: usize = 20;
/// Characters in one row; wider lines continue in the next.
const WIDTH: usize = 120;
/// Nobody reads more boxes than this; what needs them can only be denied.
const MAX_BOXES: usize = 25;
/// Rows of a grant. A longer one is not offered.
const MAX_GRANT_ROWS: usize = 3;
/// Characters of a title, and of a button.
const MAX_TITLE: usize = 200;

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
) -> impl Future<Output = Option<Answer>> + use<> {
    let boxes = boxes(confirm);
    let show = {
        let editor = editor.clone();
        move |shown: &MessageBox| show(&editor, &shown.message, &shown.actions)
    };
    let first = boxes.first().map(&show);
    async move {
        let mut call = first?;
        let mut at = 0;
        loop {
            let result = answer(call).await?;
            // Only what was on offer is an answer.
            let chosen = boxes[at].actions.iter().find(|action| result["title"] == **action);
            call = match chosen {
                Some(&ALLOW) => return Some(Answer::Allow { word: None, for_session: false }),
                Some(&ALLOW_SESSION) => return Some(Answer::Allow { word: None, for_session: true }),
                Some(&NEXT) => {
                    at += 1;
                    show(&boxes[at])
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
    let message = abridge(rows(prompt, WIDTH), ROWS / 2, ROWS / 2).join("\n");
    let titles: Vec<String> = choices.iter().map(|choice| cut(choice, MAX_TITLE)).collect();
    let call = show(editor, &message, &titles);
    let choices = choices.to_vec();
    async move {
        let result = answer(call).await?;
        let at = titles.iter().position(|title| result["title"] == *title);
        Some(Answer::Input(at.and_then(|at| choices.get(at).cloned())))
    }
}

fn show<T: AsRef<str>>(editor: &Arc<Editor>, message: &str, actions: &[T]) -> Call {
    let actions: Vec<Value> = actions.iter().map(|title| json!({"title": title.as_ref()})).collect();
    // Type 3: information. A warning or error is shown with an alarm by some editors.
    let params = json!({"type": 3, "message": message, "actions": actions});
    editor.call("window/showMessageRequest", &params)
}

fn boxes(confirm: &Confirm) -> Vec<MessageBox> {
    let head = format!("{}\n{}", cut(&confirm.title, MAX_TITLE), rows(&confirm.message, WIDTH).join("\n"));
    let place = confirm.directory.as_ref().map(|directory| format!("\n\nin {}", cut(directory, usize::MAX)));
    let place = place.unwrap_or_default();
    let body: Vec<String> =
        [&confirm.command, &confirm.diff].into_iter().flatten().flat_map(|text| rows(text, WIDTH)).collect();
    let shown =
        |rows: &[String]| if rows.is_empty() { String::new() } else { format!("\n\n{}", rows.join("\n")) };

    let n_boxes = body.len().div_ceil(ROWS).max(1);
    if n_boxes > MAX_BOXES {
        let some = shown(&abridge(body.clone(), ROWS / 2, ROWS / 2));
        let message = format!(
            "{head}{some}{place}\n\nThe {} lines are too long to be read here, so this can only be denied. Ask for \
             smaller steps, or use an editor with Opal's plugin.",
            body.len()
        );
        return vec![MessageBox { message, actions: vec![DENY] }];
    }
    let grant =
        confirm.grant.as_ref().map(|grant| rows(grant, WIDTH)).filter(|rows| rows.len() <= MAX_GRANT_ROWS);
    let mut boxes: Vec<MessageBox> = (0..n_boxes)
        .map(|at| {
            let some = shown(&body[at * ROWS..body.len().min((at + 1) * ROWS)]);
            let part = match n_boxes {
                1 => String::new(),
                n if at + 1 == n => format!("\n\nThis is the last of {n} parts."),
                n => format!("\n\nThis is part {} of {n}. It can be allowed below the last one.", at + 1),
            };
            MessageBox { message: format!("{head}{some}{place}{part}"), actions: vec![DENY, NEXT] }
        })
        .collect();
    if let Some(last) = boxes.last_mut() {
        last.actions = vec![ALLOW, DENY];
        if let Some(grant) = grant {
            last.message.push_str(&format!("\n\n“{ALLOW_SESSION}” allows from now on: {}", grant.join("\n")));
            last.actions.push(ALLOW_SESSION);
        }
    }
    boxes
}

#[cfg(test)]
mod tests;

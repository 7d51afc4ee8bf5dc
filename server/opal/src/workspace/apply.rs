//! A workspace edit, and whether it was applied.
//!
//! What the editor answers is not believed: some say yes to an edit for another version, some never
//! answer. The text that it sends back is.

use std::sync::Arc;

use agent::workspace::{File, Origin, WriteError};
use serde_json::{Value, json};
use text::{Counting, EditSet, Landing, Rope, differs_only_outside};
use tokio::time::Instant;

use super::Held;
use crate::Limits;
use crate::connection::Connection;
use crate::editor::CallError;

const APPLY_EDIT: &str = "workspace/applyEdit";

/// How a text compares with what an edit should have made of it.
enum Seen {
    /// The edit stands; this is the text.
    Applied(Rope),
    /// Nothing has changed that the edit replaces.
    Base,
    /// Neither; it may still be on its way.
    Other(Rope),
    /// A change could not be read.
    Lost,
}

/// Applies edits to an open document and waits until the editor shows that they stand. Returns what stands,
/// which is more than `expected` if the user typed meanwhile.
pub(super) async fn to_document(
    held: &Held,
    edits: &EditSet,
    expected: &Rope,
    limits: &Limits,
) -> Result<Rope, WriteError> {
    let Held { connection, document } = held;
    if edits.is_empty() {
        return Ok(expected.clone());
    }
    let written = edits.changed_ranges_after();
    let now = || connection.documents.get_by_uri(&document.uri);
    let is_as_it_was = || now().is_some_and(|now| !now.is_lost() && now.text().is_instance(document.text()));
    let mut landing = Landing::new(document.text(), edits);
    let mut steps = connection.documents.follow(&document.uri);
    let mut look = || {
        while let Ok(step) = steps.try_recv() {
            landing.step(&step);
        }
        match now() {
            // It was closed, or undone, since: it was applied all the same, and must not be sent again.
            now if landing.has_landed() => {
                Seen::Applied(now.map_or_else(|| expected.clone(), |now| now.text().clone()))
            }
            None => Seen::Other(Rope::new()),
            Some(now) if now.is_lost() => Seen::Lost,
            Some(_) if landing.base_stands() => Seen::Base,
            // Some editors tell of the edit and of what the user typed beside it in one change.
            Some(now) if differs_only_outside(expected, now.text(), &written) => {
                Seen::Applied(now.text().clone())
            }
            Some(now) => Seen::Other(now.text().clone()),
        }
    };
    let mut changes = connection.documents.changes();
    // The user may have typed since the text was read. From here to the call nothing is awaited that could
    // let another change in between: a client that takes no versions would put the edit in the wrong place.
    if !is_as_it_was() {
        return Err(WriteError::Stale);
    }
    let edit = document_edit(held, edits, connection.documents.counting());
    let params = json!({"label": "Opal", "edit": edit});
    let mut call = connection.editor.call(APPLY_EDIT, &params);
    let mut answer: Option<Result<Value, CallError>> = None;
    let mut deadline = Instant::now() + limits.apply_edit;
    let mut is_late = false;
    loop {
        changes.borrow_and_update();
        let seen = look();
        if let Seen::Applied(text) = seen {
            // The answer may still come, or never; the text has spoken.
            call.abandon();
            return Ok(text);
        }
        // Whoever is left has the file as it stands there.
        if answer == Some(Err(CallError::Gone)) {
            return Err(WriteError::Stale);
        }
        if let Some(refused) = answer.as_ref().and_then(refusal) {
            return Err(match seen {
                Seen::Base if is_as_it_was() => WriteError::Refused { reason: refused },
                _ => WriteError::Stale,
            });
        }
        tokio::select! {
            biased;
            changed = changes.changed() => {
                if changed.is_err() {
                    return Err(WriteError::Unanswered);
                }
                if is_late && !is_as_it_was() {
                    deadline = deadline.min(Instant::now() + limits.verify_edit);
                }
            }
            result = &mut call, if answer.is_none() => {
                answer = Some(result);
                deadline = Instant::now() + limits.verify_edit;
            }
            () = connection.stop.cancelled() => return Err(WriteError::Stale),
            () = tokio::time::sleep_until(deadline) => {
                let is_unshown = answer.is_some() && is_as_it_was();
                if is_unshown && !std::mem::replace(&mut is_late, true) {
                    deadline = Instant::now() + limits.late_change;
                    continue;
                }
                return Err(match look() {
                    Seen::Applied(text) => return Ok(text),
                    Seen::Lost => WriteError::Unanswered,
                    Seen::Base if answer.is_none() => WriteError::Unanswered,
                    // Some editors send their changes late. The text was the one that the edit was made for, so it
                    // stands where it should.
                    Seen::Base if is_unshown => {
                        connection.documents.expect_change(&document.uri);
                        WriteError::Unshown
                    }
                    Seen::Base if connection.profile().checks_versions() => WriteError::Stale,
                    Seen::Base => WriteError::Diverged { now: now().map_or_else(Rope::new, |now| now.text().clone()) },
                    Seen::Other(now) => WriteError::Diverged { now },
                });
            }
        }
    }
}

/// Applies edits to a file that is not open, or creates it. Whether it was applied is seen after saving.
pub(super) async fn to_closed(
    connection: &Arc<Connection>,
    uri: &str,
    base: &File,
    edits: &EditSet,
    limits: &Limits,
) -> Result<(), WriteError> {
    let text_edits = text_edits(edits, &base.text, connection.documents.counting());
    let edit = if base.origin == Origin::Missing {
        json!({"documentChanges": [
            {"kind": "create", "uri": uri, "options": {"overwrite": false, "ignoreIfExists": true}},
            {"textDocument": {"uri": uri, "version": null}, "edits": text_edits},
        ]})
    } else if connection.profile().document_changes {
        json!({"documentChanges": [{"textDocument": {"uri": uri, "version": null}, "edits": text_edits}]})
    } else {
        json!({"changes": {uri: text_edits}})
    };
    answered(connection, edit, limits).await
}

/// Removes a file. Whether it is gone is seen on the disk.
pub(super) async fn remove(
    connection: &Arc<Connection>,
    uri: &str,
    limits: &Limits,
) -> Result<(), WriteError> {
    let edit =
        json!({"documentChanges": [{"kind": "delete", "uri": uri, "options": {"ignoreIfNotExists": true}}]});
    answered(connection, edit, limits).await
}

/// Sends an edit whose effect shows on the disk.
async fn answered(connection: &Arc<Connection>, edit: Value, limits: &Limits) -> Result<(), WriteError> {
    let call = connection.editor.call(APPLY_EDIT, &json!({"label": "Opal", "edit": edit}));
    match tokio::time::timeout(limits.apply_edit, call).await {
        Ok(Err(CallError::Gone)) => Err(WriteError::Stale),
        Ok(answer) => match refusal(&answer) {
            Some(reason) => Err(WriteError::Refused { reason }),
            None => Ok(()),
        },
        Err(_elapsed) => Err(WriteError::Unanswered),
    }
}

fn document_edit(held: &Held, edits: &EditSet, counting: Counting) -> Value {
    let Held { connection, document } = held;
    let text_edits = text_edits(edits, document.text(), counting);
    // Opal's own clients take versioned edits whatever they advertise.
    let profile = connection.profile();
    if profile.document_changes || profile.opal.is_some() {
        let identifier = json!({"uri": document.uri, "version": document.version().0});
        json!({"documentChanges": [{"textDocument": identifier, "edits": text_edits}]})
    } else {
        json!({"changes": {&document.uri: text_edits}})
    }
}

fn text_edits(edits: &EditSet, old: &Rope, counting: Counting) -> Vec<Value> {
    let position = |position: text::Position| json!({"line": position.line, "character": position.character});
    let edit = |(range, new_text): (text::PositionRange, String)| json!({"range": {"start": position(range.start), "end": position(range.end)}, "newText": new_text});
    edits.to_ranges(old, counting).into_iter().map(edit).collect()
}

/// Why the editor said no, if it did.
fn refusal(answer: &Result<Value, CallError>) -> Option<String> {
    match answer {
        Ok(result) if result.get("applied").and_then(Value::as_bool) == Some(true) => None,
        Ok(result) => {
            let reason = result.get("failureReason").and_then(Value::as_str);
            Some(reason.unwrap_or("it gave no reason").to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests;

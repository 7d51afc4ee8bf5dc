//! What `write` and `edit` have in common: a change is computed on the file as it stands, asked for,
//! applied, and seen to stand.

use text::{EditSet, Rope, UnifiedDiff, added_notice, notice, same_text};

use super::read::{permit_read, refuse_slip};
use crate::blocking::{blocking_unless, edits_between, unified_diff};
use crate::call::Call;
use crate::changes::keep::{Planned, keep};
use crate::client::Confirm;
use crate::context::is_masked;
use crate::permission::Action;
use crate::result::{Output, ToolError};
use crate::workspace::{Change, File, FileError, FileName, OnDisk, Origin, WriteError, Written};

/// Bytes of a file shown when an edit did not end as it should.
const SHOWN: usize = 4_000;

/// The computation of a change, which takes long where the file is large.
pub(super) struct Computation {
    is_small: bool,
    run: Box<dyn FnOnce() -> Result<EditSet, ToolError> + Send>,
}

/// The one who wrote the text of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// The model, which so has seen the new text. The user is asked about it.
    Model,
    /// The editor, whose new text the model is not shown. The user has been asked already.
    Editor,
}

impl Computation {
    /// `is_small`: it is soon done.
    pub(super) fn new(
        is_small: bool,
        run: impl FnOnce() -> Result<EditSet, ToolError> + Send + 'static,
    ) -> Self {
        Self { is_small, run: Box::new(run) }
    }
}

/// Changes one file. `compute` is called anew when the user typed meanwhile; it may refuse, at once or in
/// the computation that it returns.
pub(super) async fn change(
    path: &str,
    call: &Call,
    compute: impl Fn(&File) -> Result<Computation, ToolError>,
) -> Result<Output, ToolError> {
    let name = resolved(path, call).await?;
    refuse_slip(path, &name, call).await?;
    change_file(&name, Author::Model, call, compute).await
}

/// Changes a resolved file; otherwise the same as [`change`].
pub(super) async fn change_file(
    name: &FileName,
    author: Author,
    call: &Call,
    compute: impl Fn(&File) -> Result<Computation, ToolError>,
) -> Result<Output, ToolError> {
    let shown = call.context.display(name);
    let action = writing(name);
    let mut asked = author == Author::Editor;
    // What can only be refused is refused before the file is looked at.
    call.decide(action)?;
    for _ in 0..call.context.limits.edit_tries {
        let base = match read_or_missing(name, call).await {
            Ok(base) => base,
            Err(error) => return tell(name, call, Err(error)).await,
        };
        let computed = match compute(&base) {
            Ok(Computation { is_small, run }) => call.wait(blocking_unless(is_small, run)).await?,
            Err(error) => Err(error),
        };
        let edits = match computed {
            Ok(edits) => edits,
            Err(error) => return tell(name, call, Err(error)).await,
        };
        refuse_nul(&edits)?;
        if edits.is_empty() && base.origin != Origin::Missing {
            let same = Output::text(format!("{shown} has this text already; nothing was changed"));
            return tell(name, call, Ok(same)).await;
        }
        let expected = edits.apply(&base.text).map_err(ToolError::failed)?;
        if let Some(notice) = added_notice(&base.text, &edits, &expected) {
            return tell(name, call, Err(copied_notice(&shown, &notice))).await;
        }
        let diff = call.wait(unified_diff(&base.text, &expected, &shown)).await?;
        if !asked {
            let verb = if base.origin == Origin::Missing { "Create" } else { "Edit" };
            let confirm = Confirm {
                title: format!("{verb} {shown} (+{} −{})", diff.added, diff.removed),
                path: Some(name.to_string()),
                diff: Some(diff.text.clone()),
                ..Confirm::default()
            };
            call.permit(action, confirm).await?;
            asked = true;
        }
        if call.cancelled.is_cancelled() {
            return Err(ToolError::Aborted);
        }
        let (context, reporter) = (&call.context, &call.reporter);
        let planned = Planned { base: &base, edits: &edits, removed: false };
        let kept = keep(planned, context, reporter).await.map_err(|failure| {
            ToolError::failed(format!(
                "{shown} was not changed, because what stands there cannot be kept: {}",
                failure.message
            ))
        })?;
        let change = Change { base: base.clone(), edits: edits.clone() };
        let written = call.finish(context.workspace.write(change)).await;
        match written.unwrap_or(Err(WriteError::Unanswered)) {
            Ok(written) => {
                kept.made(&expected, Some(&written.left), context, reporter).await;
                let is_seen = author == Author::Model;
                let was_stale = context.note_edit(name, &base.text, &edits, &written.expected, is_seen);
                return Ok(report(name, &base.text, diff, written, was_stale, call).await);
            }
            // The user typed meanwhile, or the editor lost the edit: again, on what stands there now.
            Err(WriteError::Stale) => kept.not_made(reporter).await,
            Err(WriteError::Diverged { now }) => {
                kept.made(&expected, Some(&now), context, reporter).await;
                let since = shown_diff(name, &shown, &base.text, &now, call).await;
                return Err(ToolError::failed(format!(
                    "the edit was sent to the editor, but something else stands in {shown} now. Do not send it \
                     again without looking. The change against the text before:\n{since}"
                )));
            }
            Err(error @ (WriteError::Unanswered | WriteError::Unshown)) => {
                return Err(ToolError::failed(format!(
                    "{error}. The edit may have been applied to {shown}, so do not send it again before you have read the file"
                )));
            }
            Err(error) => {
                kept.not_made(reporter).await;
                return Err(ToolError::failed(error));
            }
        }
    }
    Err(ToolError::failed(format!(
        "{shown} keeps changing while the edit is being applied; nothing was changed. Read it again."
    )))
}

/// Refuses text with a NUL, which makes a file binary: no editor shows it as text, and no tool reads it again.
fn refuse_nul(edits: &EditSet) -> Result<(), ToolError> {
    let has_nul = edits.edits().iter().any(|edit| edit.new_text.contains('\0'));
    match has_nul {
        true => Err(ToolError::failed(
            "the new text holds a NUL character, so the file would be binary; nothing was changed. Leave the NUL \
             out, write it as an escape of the file's language, or make the file with a command",
        )),
        false => Ok(()),
    }
}

/// What changing the file is, to the rules.
pub(super) fn writing(name: &FileName) -> Action<'_> {
    match name {
        FileName::Path(path) => Action::Write { path },
        FileName::Document(_) => Action::WriteDocument,
    }
}

/// Gives a result that shows what stands in the file; so the file must be one that may be read.
async fn tell(name: &FileName, call: &Call, result: Result<Output, ToolError>) -> Result<Output, ToolError> {
    if let FileName::Path(path) = name {
        permit_read(path, call).await?;
    }
    result
}

async fn resolved(path: &str, call: &Call) -> Result<FileName, ToolError> {
    match call.context.name(path) {
        FileName::Path(path) => Ok(FileName::Path(call.wait(call.context.workspace.resolve(&path)).await??)),
        document => Ok(document),
    }
}

async fn read_or_missing(name: &FileName, call: &Call) -> Result<File, ToolError> {
    match call.wait(call.context.workspace.read(name)).await? {
        Ok(file) => Ok(file),
        Err(FileError::NotFound { .. }) if matches!(name, FileName::Path(_)) => {
            Ok(File { name: name.clone(), text: Rope::new(), origin: Origin::Missing })
        }
        Err(error) => Err(error.into()),
    }
}

/// Tells the user and the model what stands now. `expected` is the diff of what was to be made of the base.
async fn report(
    name: &FileName,
    base: &Rope,
    expected: UnifiedDiff,
    written: Written,
    was_stale: bool,
    call: &Call,
) -> Output {
    let shown = &call.context.display(name);
    let is_as_expected = same_text(&written.text, &written.expected);
    let diff = match is_as_expected {
        true => expected,
        false => unified_diff(base, &written.text, shown).await,
    };
    call.reporter.edited(written.uri, diff.text.clone()).await;
    let mut words = format!("{shown}: +{} −{}", diff.added, diff.removed);
    if was_stale {
        words.push_str("\n(the file had changed since you read it)");
    }
    if !is_as_expected {
        let since = shown_diff(name, shown, &written.expected, &written.text, call).await;
        words.push_str(&format!(
            "\nThe text was changed further (by the user or a formatter) and now differs from your edit:\n{since}"
        ));
    }
    match written.on_disk {
        OnDisk::Saved => {}
        OnDisk::LeftDirty => words.push_str("\n(not saved: the document has unsaved changes of the user)"),
        OnDisk::LeftDifferent => words.push_str(
            "\n(not saved: the document in the editor and the file on disk differed before this edit, which the \
             user has to resolve)",
        ),
        OnDisk::NotSaved => words.push_str("\n(in the editor, but not saved to disk)"),
    }
    let files = vec![call.context.state_of(name, &written.text)];
    Output { diff: Some(diff.text), files, ..Output::text(words) }
}

/// Returns the diff from a text that the model knows to what stands there now, of which it has then seen what the
/// diff shows.
async fn shown_diff(name: &FileName, shown: &str, known: &Rope, now: &Rope, call: &Call) -> String {
    let mut diff = unified_diff(known, now, shown).await.text;
    let is_whole = diff.len() <= SHOWN;
    if !is_whole {
        let rest = diff.split_off(diff.floor_char_boundary(SHOWN));
        diff.push_str(&format!("\n{}", notice::more_of_diff(rest.chars().count())));
    }
    let edits = edits_between(known, now).await;
    // A cut diff may end within any of the changes: none of them counts.
    call.context.note_edit(name, known, &edits, now, is_whole && !is_masked(&diff));
    diff
}

/// Refuses a text in which the model has copied what Opal says of text that it did not show.
fn copied_notice(shown: &str, notice: &str) -> ToolError {
    ToolError::failed(format!(
        "{shown} was not changed: the new text has `{notice}` in it. That is no part of a file: it stands where text \
         was left out of what you were shown. Read the text that is missing and send it as it is, or change only \
         what you have seen with `edit`. If the file must have these very words, write them with the shell"
    ))
}

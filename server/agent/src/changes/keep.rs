//! Keeping what stands in a file before it is changed.

use store::{NewBlob, Retention};
use text::{EditSet, Rope, same_text};

use crate::blocking::{SMALL_BYTES, blocking_unless, edits_between};
use crate::context::{Context, Left};
use crate::event::Failure;
use crate::journal::record::{self, BeforeRecord, ChangeRecord, LeftRecord};
use crate::report::Reporter;
use crate::workspace::{File, FileName, Origin};

/// A change that is about to be made.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) base: &'a File,
    pub(crate) edits: &'a EditSet,
    /// The file goes.
    pub(crate) removed: bool,
}

/// A change that is stored and can be made. Whoever made it, or did not, says so.
#[derive(Debug)]
#[must_use = "a change that was not made must be taken out of the log"]
pub(crate) struct Kept {
    id: u64,
    name: FileName,
    before: Rope,
}

/// Stores a change. When this returns the text before it is durable.
///
/// The first change of a file in a turn keeps the whole text. Later ones keep what they change, and what
/// others did in between.
///
/// # Errors
/// Why it could not be stored; then it must not be made.
pub(crate) async fn keep(
    planned: Planned<'_>,
    context: &Context,
    reporter: &Reporter,
) -> Result<Kept, Failure> {
    let Planned { base, edits, removed } = planned;
    let mut blob = None;
    let before = match context.left(&base.name) {
        _ if base.origin == Origin::Missing => BeforeRecord::Missing,
        Some(Left { change, text }) => {
            BeforeRecord::After { change, edits: record::edits(&edits_between(&text, &base.text).await) }
        }
        None => {
            let image = image(&base.text).await;
            let hash = image.hash().to_string();
            blob = Some(image);
            BeforeRecord::Image(hash)
        }
    };
    let change = ChangeRecord {
        turn_id: String::new(),
        file: (&base.name).into(),
        before,
        edits: record::edits(edits),
        removed,
    };
    let id = reporter.changing(change, blob).await?;
    Ok(Kept { id, name: base.name.clone(), before: base.text.clone() })
}

impl Kept {
    /// The change was made; `left` is what it made of the file, `expected` what it was to make of it.
    pub(crate) async fn made(
        self,
        expected: &Rope,
        left: Option<&Rope>,
        context: &Context,
        reporter: &Reporter,
    ) {
        if let Some(left) = left
            && !same_text(left, expected)
        {
            let edits = Some(record::edits(&edits_between(&self.before, left).await));
            reporter.left(LeftRecord { change: self.id, edits }).await;
        }
        context.set_left(self.name, left.map(|text| Left { change: self.id, text: text.clone() }));
    }

    /// That of its entry.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Nothing was changed after all.
    pub(crate) async fn not_made(self, reporter: &Reporter) {
        reporter.left(LeftRecord { change: self.id, edits: None }).await;
    }
}

async fn image(text: &Rope) -> NewBlob {
    let is_small = text.len_bytes() <= SMALL_BYTES;
    let text = text.clone();
    blocking_unless(is_small, move || NewBlob::new(String::from(text).as_bytes(), Retention::BeforeImage))
        .await
}

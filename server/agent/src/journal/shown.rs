//! What the model is shown in place of what was compacted.

use provider::Part;

use super::record::CompactionRecord;
use crate::tokens;

/// Blanking less saves nothing worth a changed prefix.
const LONG: u64 = 200;

pub(crate) fn is_long(output: &[Part]) -> bool {
    tokens::of_parts(output) > LONG
}

/// The user message that stands in place of what was summarised.
pub(crate) fn summary(record: &CompactionRecord) -> String {
    let mut shown = String::from(
        "The conversation before this point was compacted; this stands in its place. It is a record, not a \
         request: what is done need not be done again. Files may have changed since: read a file again \
         before you change it or rely on it.\n",
    );
    let summary = record.summary.as_deref().unwrap_or_default().trim();
    shown += &format!("\n<summary>\n{summary}\n</summary>\n");
    let ledger = record.ledger.trim();
    if !ledger.is_empty() {
        shown += &format!(
            "\nThis was kept by Opal itself, for the whole session:\n<ledger>\n{ledger}\n</ledger>\n"
        );
    }
    shown
}

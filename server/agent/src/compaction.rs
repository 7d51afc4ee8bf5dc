//! Showing the model less of a long conversation: when, what is left, and what stands in for the rest.
//!
//! Two stages. First old tool output is blanked; when that is not enough, what is before the recent
//! entries is replaced by a summary, and by a ledger of what the program itself knows to have happened.
//! Nothing is removed from the store.
//!
//! Everything here is computed from the stored branch. Who asks the model, waits and appends the
//! [`CompactionRecord`] is the turn and the session.

mod cut;
mod fallback;
mod ledger;
mod material;

use store::Entry;

use crate::event::Trigger;
use crate::journal::record::CompactionRecord;
use crate::journal::{Stored, View, shown, size};
use crate::tokens;

/// What the model that summarises is told first. The request itself is [`Summarise::request`].
pub(crate) const PROMPT: &str = include_str!("compaction/prompt.md");

/// Kept free for the answer: what other agents have settled on.
const RESERVE: u64 = 16_384;
/// Recent entries that stay as they were.
const KEEP: u64 = 20_000;
/// Taken to be there when the window is not known.
const ROOM: u64 = 128_000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) trigger: Trigger,
    /// Tokens in the window now: the last measure and an estimate of what came since.
    pub(crate) used_now: u64,
    pub(crate) window: Option<u64>,
    /// Tokens of recent entries to leave as they are; see [`default_keep`].
    pub(crate) keep: u64,
}

#[derive(Debug)]
pub(crate) enum Plan {
    /// There is nothing older than the recent entries.
    Nothing,
    /// Without old tool output there is room enough.
    Blank(CompactionRecord),
    /// A model is to be asked for a summary.
    Summarise(Box<Summarise>),
}

/// A compaction that lacks only its summary.
#[derive(Debug)]
pub(crate) struct Summarise {
    /// For the model that summarises: one user message, below [`PROMPT`].
    pub(crate) request: String,
    /// Of the entries that stay as they were.
    pub(crate) tokens_kept: u64,
    /// Of everything else that stays, such as instructions and tools.
    tokens_around: u64,
    fallback: String,
    record: CompactionRecord,
}

/// How many tokens may be used before a conversation is compacted.
pub(crate) fn compact_at(window: u64) -> u64 {
    window - RESERVE.min(window / 4)
}

/// How many tokens of recent entries stay if the user does not say.
pub(crate) fn default_keep(window: Option<u64>) -> u64 {
    window.map_or(KEEP, |window| KEEP.min(compact_at(window) / 2))
}

/// Decides what is to become of a branch, root first.
pub(crate) fn plan(branch: &[&Entry], input: Input) -> Plan {
    let branch = Stored::read(branch);
    let view = View::of(&branch);
    let visible = &branch[view.begins_at..];
    let tokens: Vec<u64> = visible.iter().map(|stored| size::of_stored(stored, &view)).collect();
    let n_old = cut::first_kept(visible, &tokens, input.keep).unwrap_or(visible.len());
    let (old, kept) = visible.split_at(n_old);
    let (tokens_old, tokens_kept) = tokens.split_at(n_old);
    let (tokens_old, tokens_kept) = (tokens_old.iter().sum::<u64>(), tokens_kept.iter().sum::<u64>());
    if tokens_old == 0 {
        return Plan::Nothing;
    }
    let kept_from = kept.first().map(|stored| stored.id.0);
    let room = input.window.map_or(ROOM, compact_at);
    let record = CompactionRecord {
        trigger: input.trigger.into(),
        summary: None,
        ledger: String::new(),
        kept_from: None,
        blanked_before: None,
        fallback: false,
        tokens_before: input.used_now,
        tokens_after: input.used_now,
        usage: None,
        cost: None,
    };

    if input.trigger == Trigger::Threshold && kept_from.is_some() {
        let saved: u64 = old.iter().map(|stored| size::saved_by_blanking(stored, &view)).sum();
        let tokens_after = input.used_now.saturating_sub(saved);
        // Less would soon be used up, and the service's cache is lost each time.
        if saved > 0 && tokens_after < room / 4 * 3 {
            return Plan::Blank(CompactionRecord { blanked_before: kept_from, tokens_after, ..record });
        }
    }

    let previous = view.summary.as_ref();
    let previous_text = previous.and_then(|previous| previous.summary.as_deref());
    let tokens_replaced =
        tokens_old + previous.map_or(0, |previous| tokens::of_text(&shown::summary(previous)));
    Plan::Summarise(Box::new(Summarise {
        // Estimates may be a quarter off, and the prompt needs room too.
        request: material::request(previous_text, old, room / 4 * 3),
        tokens_kept,
        tokens_around: input.used_now.saturating_sub(tokens_replaced + tokens_kept),
        fallback: fallback::fallback(previous_text, old, room / 4),
        record: CompactionRecord { ledger: ledger::ledger(&branch, room / 8), kept_from, ..record },
    }))
}

impl Summarise {
    /// The entry to append, with the model's summary.
    pub(crate) fn with(self, summary: String) -> CompactionRecord {
        let mut record = CompactionRecord { summary: Some(summary), ..self.record };
        record.tokens_after =
            self.tokens_around + self.tokens_kept + tokens::of_text(&shown::summary(&record));
        record
    }

    /// The entry to append when no model has summarised.
    pub(crate) fn without_model(mut self) -> CompactionRecord {
        self.record.fallback = true;
        let summary = std::mem::take(&mut self.fallback);
        self.with(summary)
    }
}

#[cfg(test)]
mod tests;

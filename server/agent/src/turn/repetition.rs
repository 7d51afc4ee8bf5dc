//! Notices a model that goes in circles.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The same call with the same result: the third time the model is told, the fifth ends the turn.
const TELL_AT: u32 = 3;
const STOP_AT: u32 = 5;

/// Counts equal calls with equal results of one turn. A change to a file starts the count anew, since
/// after it the same command may well be worth running again.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    counts: HashMap<u64, u32>,
    highest: u32,
}

impl Repetition {
    /// Returns what to tell the model beside the result.
    pub(super) fn note(&mut self, tool: &str, arguments: &str, result: &str) -> Option<String> {
        let mut hasher = DefaultHasher::new();
        (tool, arguments, result).hash(&mut hasher);
        let count = self.counts.entry(hasher.finish()).or_default();
        *count += 1;
        self.highest = self.highest.max(*count);
        (*count == TELL_AT || *count == STOP_AT - 1).then(|| {
            format!(
                "[This is the same call with the same result for the {} time. Do something else, or finish.]",
                if *count == TELL_AT { "third" } else { "fourth" }
            )
        })
    }

    pub(super) fn changed_a_file(&mut self) {
        self.counts.clear();
    }

    pub(super) fn is_loop(&self) -> bool {
        self.highest >= STOP_AT
    }
}

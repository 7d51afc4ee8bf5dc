//! Which answers came from the model that is asked next: only these may have their thinking replayed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::{Answer, Request};

/// What the service calls the models it was asked for: a deployment's name says nothing about the model
/// behind it.
#[derive(Debug, Default)]
pub(crate) struct Models {
    reported: Mutex<HashMap<String, String>>,
}

impl Models {
    /// Hears of each complete answer.
    pub(crate) fn answered(&self, request: &Request, answer: &Answer) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.get(&request.model) != Some(&answer.model) {
            reported.insert(request.model.clone(), answer.model.clone());
        }
    }

    /// Whether an answer was given by the model that `request` is for.
    pub(crate) fn same<'a>(&self, request: &'a Request, provider: &'a str) -> impl Fn(&Answer) -> bool + 'a {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let reported = reported.get(&request.model).cloned();
        move |answer| {
            answer.provider == provider
                && (is_same(&request.model, &answer.model) || reported.as_ref() == Some(&answer.model))
        }
    }
}

/// Whether a service that reports `reported` was asked for `requested`: the same id, or with a date as
/// in `gpt-5-2025-08-07`.
fn is_same(requested: &str, reported: &str) -> bool {
    match reported.strip_prefix(requested) {
        Some("") => true,
        Some(date) => date.starts_with("-20") && date[1..].chars().all(|c| c.is_ascii_digit() || c == '-'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn models_are_the_same_with_a_date() {
        assert!(is_same("gpt-5", "gpt-5"));
        assert!(is_same("gpt-5", "gpt-5-2025-08-07"));
        assert!(is_same("gpt-5.4-mini", "gpt-5.4-mini-2026-02-17"));
        assert!(is_same("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"));
        assert!(!is_same("gpt-5", "gpt-5-mini-2025-08-07"));
        assert!(!is_same("gpt-5", "gpt-5.4-2026-02-17"));
        assert!(!is_same("gpt-5-2025-08-07", "gpt-5"));
    }
}

//! How much a model is asked to think, in the words it knows.

use serde::Serialize;

use crate::ThinkingLevel;

/// The smallest budget.
const MIN_BUDGET: u32 = 1024;
/// Of the output this much is kept for the answer itself.
const FOR_THE_ANSWER: u32 = 1024;

/// The `thinking` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Disabled,
    Enabled {
        budget_tokens: u32,
    },
    /// The model decides; `output_config` says how hard it tries.
    Adaptive {
        display: &'static str,
        #[serde(skip)]
        effort: &'static str,
    },
}

impl Thinking {
    /// `None`: nothing is said about it.
    pub(super) fn of(model: &str, level: Option<ThinkingLevel>, max_tokens: u32) -> Option<Self> {
        let level = level?;
        if level == ThinkingLevel::Off {
            return Some(Self::Disabled);
        }
        if is_adaptive(model) {
            // There is no less than low.
            let effort = if level == ThinkingLevel::Minimal { ThinkingLevel::Low } else { level }.effort();
            // Left out by default on some.
            return Some(Self::Adaptive { display: "summarized", effort });
        }
        let budget_tokens = budget(level).min(max_tokens.saturating_sub(FOR_THE_ANSWER));
        Some(if budget_tokens < MIN_BUDGET { Self::Disabled } else { Self::Enabled { budget_tokens } })
    }
}

fn budget(level: ThinkingLevel) -> u32 {
    match level {
        ThinkingLevel::Off => 0,
        ThinkingLevel::Minimal => MIN_BUDGET,
        ThinkingLevel::Low => 4096,
        ThinkingLevel::Medium => 10_000,
        ThinkingLevel::High => 16_000,
        ThinkingLevel::XHigh => 24_000,
        ThinkingLevel::Max => 32_000,
    }
}

/// Claude since 4.6. Models of others know budgets, if anything.
fn is_adaptive(model: &str) -> bool {
    let Some((_, rest)) = model.split_once("claude") else {
        return false;
    };
    // A date is no version, and neither is what a gateway puts after it.
    let is_version = |part: &&str| (1..=2).contains(&part.len());
    let parts = rest.split(['-', '.', '@', ':']).skip_while(|part| part.parse::<u32>().is_err());
    let mut version = parts.take_while(is_version).map_while(|part| part.parse::<u32>().ok());
    match (version.next(), version.next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) >= (4, 6),
        // A name without a number is newer than those with one.
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_models_decide_for_themselves() {
        for model in [
            "claude-opus-4-6",
            "claude-sonnet-4.6",
            "claude-opus-5",
            "claude-opus-4-7-20260401",
            "anthropic/claude-opus-4.6:beta",
            "claude-something",
        ] {
            assert!(is_adaptive(model), "{model}");
        }
        for model in [
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4.5",
            "claude-opus-4-20250514",
            "claude-opus-4@20250514",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-3-7-sonnet-latest",
            "claude-3-5-haiku-20241022",
            "MiniMax-M2",
        ] {
            assert!(!is_adaptive(model), "{model}");
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        let budget = |level, max_tokens| match Thinking::of("claude-sonnet-4-5", Some(level), max_tokens) {
            Some(Thinking::Enabled { budget_tokens }) => Some(budget_tokens),
            _ => None,
        };
        assert_eq!(budget(ThinkingLevel::Max, 64_000), Some(32_000));
        assert_eq!(budget(ThinkingLevel::Max, 32_000), Some(30_976));
        assert_eq!(budget(ThinkingLevel::Minimal, 32_000), Some(1024));
        assert_eq!(budget(ThinkingLevel::High, 2048), Some(1024));
        assert_eq!(budget(ThinkingLevel::High, 2047), None);
        assert_eq!(budget(ThinkingLevel::Off, 64_000), None);
        assert_eq!(Thinking::of("claude-sonnet-4-5", None, 64_000), None);
    }
}

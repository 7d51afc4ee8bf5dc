//! What is known of a model: how much it takes, what it can do, what it costs.
//!
//! Facts come from three places, each of which knows better than the one before: [`ModelInfo::known`], the
//! service's own list, the user's configuration. [`ModelInfo::overlay`] lays one over the other. A model that
//! nobody knows anything of works all the same.

mod registry;

use self::registry::Weights;
use crate::{ThinkingLevel, Usage};

/// What is asked for even if there seems to be no room: the service knows better whether there is.
const LEAST_OUTPUT: u64 = 4096;
/// More than Opal's own instructions and tools take.
const UNMEASURED: u64 = 8192;

/// What is known of one model. `None` is unknown, never "no".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelInfo {
    /// As the service knows it.
    pub id: String,
    /// For people, where it is not the id.
    pub name: Option<String>,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Tokens of the prompt, where the service limits it on its own.
    pub max_prompt_tokens: Option<u64>,
    /// Includes reasoning.
    pub max_output_tokens: Option<u32>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    /// The levels that it can be asked for, in ascending order; empty: none of them.
    pub thinking: Option<Vec<ThinkingLevel>>,
    pub price: Option<Price>,
    /// The service's own choice for those who make none.
    pub is_default: bool,
    pub preview: bool,
    /// What the account has to accept before it may use it.
    pub terms: Option<String>,
}

/// What tokens cost, in USD per million.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    /// As `input` where the service has no rate of its own for what its cache had.
    pub cached_input: f64,
    /// As `input` where writing to the cache costs nothing extra.
    pub cache_write: f64,
    /// Includes reasoning.
    pub output: f64,
    /// Long prompts cost more.
    pub surcharge: Option<Surcharge>,
}

/// What the whole of a request costs more whose prompt is long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surcharge {
    /// Prompts of more tokens than this.
    pub above: u64,
    /// The input costs so many times as much, cached or not.
    pub input: f64,
    pub output: f64,
}

impl ModelInfo {
    /// A model of which only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// What Opal itself knows of a model, by its id: with or without a vendor before it and a date behind it,
    /// as in `gpt-5`, `anthropic/claude-sonnet-4.5` and `claude-sonnet-4-5-20250929`.
    pub fn known(id: &str) -> Self {
        registry::find(id).0
    }

    /// The same on a server of the user's own. What fits into an open model depends on the memory there and
    /// is often much less than it could take, so only the server can say.
    pub fn known_locally(id: &str) -> Self {
        match registry::find(id) {
            (known, Weights::Open) => Self { context_window: None, max_output_tokens: None, ..known },
            (known, Weights::Closed) => known,
        }
    }

    /// These facts, and where `other` knows something, that. The id stays.
    #[must_use]
    pub fn overlay(self, other: Self) -> Self {
        // A limit of the prompt belongs to its window.
        let fits = |prompt: &u64| other.context_window.is_none_or(|window| *prompt < window);
        Self {
            id: self.id,
            name: other.name.or(self.name),
            context_window: other.context_window.or(self.context_window),
            max_prompt_tokens: other.max_prompt_tokens.or(self.max_prompt_tokens.filter(fits)),
            max_output_tokens: other.max_output_tokens.or(self.max_output_tokens),
            tools: other.tools.or(self.tools),
            images: other.images.or(self.images),
            thinking: other.thinking.or(self.thinking),
            price: other.price.or(self.price),
            is_default: other.is_default || self.is_default,
            preview: other.preview || self.preview,
            terms: other.terms.or(self.terms),
        }
    }

    /// The level to ask for: the one wanted, else the nearest below it, else the lowest. A model that does not
    /// think is asked for none; of one of which nobody knows it is asked what is wanted.
    pub fn thinking_near(&self, wanted: ThinkingLevel) -> Option<ThinkingLevel> {
        match &self.thinking {
            Some(levels) => levels.iter().rfind(|level| **level <= wanted).or(levels.first()).copied(),
            None => Some(wanted),
        }
    }

    /// How many tokens an answer to a prompt of so many tokens may have. Services refuse a request whose prompt
    /// and longest answer do not fit into the window together, so a long prompt leaves less.
    pub fn max_output(&self, prompt_tokens: u64) -> Option<u32> {
        let limit = self.max_output_tokens?;
        // Where the prompt has a limit of its own the answer has its own room.
        let (Some(window), None) = (self.context_window, self.max_prompt_tokens) else {
            return Some(limit);
        };
        // What was said since the last measure is estimated, and before the first one nobody has measured the
        // instructions and the tools.
        let room = window.saturating_sub(prompt_tokens + prompt_tokens / 20 + UNMEASURED);
        Some(limit.min(u32::try_from(room.max(LEAST_OUTPUT.min(window / 4))).unwrap_or(u32::MAX)))
    }
}

impl Price {
    /// In USD.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let Usage { input_total, input_cached, input_cache_write, output_total, .. } = *usage;
        let fresh = input_total.saturating_sub(input_cached).saturating_sub(input_cache_write);
        let input = fresh as f64 * self.input
            + input_cached as f64 * self.cached_input
            + input_cache_write as f64 * self.cache_write;
        let output = output_total as f64 * self.output;
        let (input_factor, output_factor) = match self.surcharge {
            Some(Surcharge { above, input, output }) if input_total > above => (input, output),
            _ => (1.0, 1.0),
        };
        (input * input_factor + output * output_factor) / 1e6
    }
}

#[cfg(test)]
mod tests;

//! The models that Opal knows by itself.
//!
//! The figures are the vendors' published limits and list prices, as collected by <https://models.dev>
//! (anomalyco/models.dev on GitHub). A price is left out where sources disagree. What long prompts cost more was
//! compared in November 2026 with copies of <https://developers.openai.com/api/docs/pricing> and
//! <https://ai.google.dev/gemini-api/docs/pricing>; of Grok 4.3 xAI's own page says only that it is more. Claude
//! models with a long window have no such rate. Models come and go
//! faster than this table: what a service says in its list, and what the user configures, is believed over it.
//! Windows of open models are those they were trained for, see [`ModelInfo::known_locally`].

use super::Surcharge;
use crate::ThinkingLevel::{self, High, Low, Max, Medium, Minimal, Off, XHigh};
use crate::{ModelInfo, Price};

/// A model, or a family whose members differ in size only.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// How its ids begin, in the form of [`plain`].
    id: &'static str,
    name: Option<&'static str>,
    context_window: Option<u64>,
    max_prompt_tokens: Option<u64>,
    max_output_tokens: Option<u32>,
    tools: Option<bool>,
    images: Option<bool>,
    thinking: Option<&'static [ThinkingLevel]>,
    price: Option<Price>,
    weights: Weights,
}

/// Who can run a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weights {
    /// Its vendor, and those who pass requests on to it.
    Closed,
    /// Anyone.
    Open,
}

/// What a model has that takes no level: it thinks as it pleases, or not at all.
const NO_LEVELS: &[ThinkingLevel] = &[];
const LOW_TO_HIGH: &[ThinkingLevel] = &[Low, Medium, High];
const LOW_TO_XHIGH: &[ThinkingLevel] = &[Low, Medium, High, XHigh];
const MINIMAL_TO_HIGH: &[ThinkingLevel] = &[Minimal, Low, Medium, High];
const OFF_TO_HIGH: &[ThinkingLevel] = &[Off, Low, Medium, High];
const OFF_TO_XHIGH: &[ThinkingLevel] = &[Off, Low, Medium, High, XHigh];
const OFF_TO_MAX: &[ThinkingLevel] = &[Off, Low, Medium, High, XHigh, Max];
/// Of models that are given a budget of tokens, which is made of any level.
const BUDGET: &[ThinkingLevel] = &[Off, Minimal, Low, Medium, High, XHigh, Max];

/// In the order of the vendors' lists; the longest id that fits counts, wherever it stands.
#[rustfmt::skip]
const KNOWN: &[Known] = &[
    // OpenAI. The window is that of prompt and answer; the prompt has a limit of its own.
    of("gpt-5", "GPT-5").fits(400_000, 272_000, 128_000).sees().thinks(MINIMAL_TO_HIGH).costs(1.25, 0.125, 10.0),
    of("gpt-5-mini", "GPT-5 mini").fits(400_000, 272_000, 128_000).sees().thinks(MINIMAL_TO_HIGH).costs(0.25, 0.025, 2.0),
    of("gpt-5-nano", "GPT-5 nano").fits(400_000, 272_000, 128_000).sees().thinks(MINIMAL_TO_HIGH).costs(0.05, 0.005, 0.4),
    of("gpt-5-chat", "GPT-5 Chat").window(128_000, 16_384).sees().thinks(NO_LEVELS).costs(1.25, 0.125, 10.0),
    of("gpt-5-codex", "GPT-5 Codex").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_HIGH).costs(1.25, 0.125, 10.0),
    of("gpt-5-pro", "GPT-5 pro").window(400_000, 272_000).sees().thinks(&[High]).costs(15.0, 15.0, 120.0),
    of("gpt-5-1", "GPT-5.1").fits(400_000, 272_000, 128_000).sees().thinks(OFF_TO_HIGH).costs(1.25, 0.125, 10.0),
    of("gpt-5-1-chat", "GPT-5.1 Chat").window(128_000, 16_384).sees().costs(1.25, 0.125, 10.0),
    of("gpt-5-1-codex", "GPT-5.1 Codex").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_HIGH).costs(1.25, 0.125, 10.0),
    of("gpt-5-1-codex-max", "GPT-5.1 Codex Max").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_XHIGH).costs(1.25, 0.125, 10.0),
    of("gpt-5-1-codex-mini", "GPT-5.1 Codex mini").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_HIGH).costs(0.25, 0.025, 2.0),
    of("gpt-5-2", "GPT-5.2").fits(400_000, 272_000, 128_000).sees().thinks(OFF_TO_XHIGH).costs(1.75, 0.175, 14.0),
    of("gpt-5-2-chat", "GPT-5.2 Chat").window(128_000, 16_384).sees().costs(1.75, 0.175, 14.0),
    of("gpt-5-2-codex", "GPT-5.2 Codex").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_XHIGH).costs(1.75, 0.175, 14.0),
    of("gpt-5-2-pro", "GPT-5.2 pro").fits(400_000, 272_000, 128_000).sees().thinks(&[Medium, High, XHigh]).costs(21.0, 21.0, 168.0),
    of("gpt-5-3-codex", "GPT-5.3 Codex").fits(400_000, 272_000, 128_000).sees().thinks(LOW_TO_XHIGH).costs(1.75, 0.175, 14.0),
    of("gpt-5-4", "GPT-5.4").fits(1_050_000, 922_000, 128_000).sees().thinks(OFF_TO_XHIGH).costs(2.5, 0.25, 15.0).dearer_above(272_000, 2.0, 1.5),
    of("gpt-5-4-mini", "GPT-5.4 mini").fits(400_000, 272_000, 128_000).sees().thinks(OFF_TO_XHIGH).costs(0.75, 0.075, 4.5),
    of("gpt-5-4-nano", "GPT-5.4 nano").fits(400_000, 272_000, 128_000).sees().thinks(OFF_TO_XHIGH).costs(0.2, 0.02, 1.25),
    of("gpt-5-4-pro", "GPT-5.4 pro").fits(1_050_000, 922_000, 128_000).sees().thinks(&[Medium, High, XHigh]),
    of("gpt-5-5", "GPT-5.5").fits(1_050_000, 922_000, 128_000).sees().thinks(OFF_TO_XHIGH).costs(5.0, 0.5, 30.0).dearer_above(272_000, 2.0, 1.5),
    of("gpt-5-5-pro", "GPT-5.5 pro").fits(1_050_000, 922_000, 128_000).sees(),
    of("gpt-5-6", "GPT-5.6").fits(1_050_000, 922_000, 128_000).sees().thinks(OFF_TO_MAX),
    of("gpt-4-1", "GPT-4.1").window(1_047_576, 32_768).sees().thinks(NO_LEVELS).costs(2.0, 0.5, 8.0),
    of("gpt-4-1-mini", "GPT-4.1 mini").window(1_047_576, 32_768).sees().thinks(NO_LEVELS).costs(0.4, 0.1, 1.6),
    of("gpt-4-1-nano", "GPT-4.1 nano").window(1_047_576, 32_768).sees().thinks(NO_LEVELS).costs(0.1, 0.025, 0.4),
    of("gpt-4o", "GPT-4o").window(128_000, 16_384).sees().thinks(NO_LEVELS).costs(2.5, 1.25, 10.0),
    of("gpt-4o-mini", "GPT-4o mini").window(128_000, 16_384).sees().thinks(NO_LEVELS).costs(0.15, 0.075, 0.6),
    of("o1", "o1").window(200_000, 100_000).sees().thinks(LOW_TO_HIGH).costs(15.0, 7.5, 60.0),
    of("o1-pro", "o1-pro").window(200_000, 100_000).sees().thinks(LOW_TO_HIGH).costs(150.0, 150.0, 600.0),
    of("o3", "o3").window(200_000, 100_000).sees().thinks(LOW_TO_HIGH).costs(2.0, 0.5, 8.0),
    of("o3-mini", "o3-mini").window(200_000, 100_000).blind().thinks(LOW_TO_HIGH).costs(1.1, 0.55, 4.4),
    of("o3-pro", "o3-pro").window(200_000, 100_000).sees().thinks(LOW_TO_HIGH).costs(20.0, 20.0, 80.0),
    of("o4-mini", "o4-mini").window(200_000, 100_000).sees().thinks(LOW_TO_HIGH).costs(1.1, 0.275, 4.4),

    // Anthropic.
    of("claude-3-5-haiku", "Claude Haiku 3.5").window(200_000, 8_192).sees().thinks(NO_LEVELS).costs_with_writes(0.8, 0.08, 1.0, 4.0),
    of("claude-3-5-sonnet", "Claude Sonnet 3.5").window(200_000, 8_192).sees().thinks(NO_LEVELS).costs_with_writes(3.0, 0.3, 3.75, 15.0),
    of("claude-3-7-sonnet", "Claude Sonnet 3.7").window(200_000, 64_000).sees().thinks(BUDGET).costs_with_writes(3.0, 0.3, 3.75, 15.0),
    of("claude-sonnet-4", "Claude Sonnet 4").window(200_000, 64_000).sees().thinks(BUDGET).costs_with_writes(3.0, 0.3, 3.75, 15.0),
    of("claude-sonnet-4-5", "Claude Sonnet 4.5").window(200_000, 64_000).sees().thinks(BUDGET).costs_with_writes(3.0, 0.3, 3.75, 15.0),
    of("claude-sonnet-4-6", "Claude Sonnet 4.6").window(1_000_000, 64_000).sees().thinks(&[Off, Low, Medium, High, Max]).costs_with_writes(3.0, 0.3, 3.75, 15.0),
    of("claude-sonnet-5", "Claude Sonnet 5").window(1_000_000, 128_000).sees().thinks(&[Off, Low, Medium, High, Max]).costs_with_writes(2.0, 0.2, 2.5, 10.0),
    of("claude-sonnet-5-5", "Claude Sonnet 5.5").window(1_000_000, 128_000).sees().costs_with_writes(2.0, 0.2, 2.5, 10.0),
    of("claude-haiku-4-5", "Claude Haiku 4.5").window(200_000, 64_000).sees().thinks(BUDGET).costs_with_writes(1.0, 0.1, 1.25, 5.0),
    of("claude-opus-4", "Claude Opus 4").window(200_000, 32_000).sees().thinks(BUDGET).costs_with_writes(15.0, 1.5, 18.75, 75.0),
    of("claude-opus-4-1", "Claude Opus 4.1").window(200_000, 32_000).sees().thinks(BUDGET).costs_with_writes(15.0, 1.5, 18.75, 75.0),
    of("claude-opus-4-5", "Claude Opus 4.5").window(200_000, 64_000).sees().thinks(BUDGET).costs_with_writes(5.0, 0.5, 6.25, 25.0),
    of("claude-opus-4-6", "Claude Opus 4.6").window(1_000_000, 128_000).sees().thinks(&[Off, Low, Medium, High, Max]).costs_with_writes(5.0, 0.5, 6.25, 25.0),
    of("claude-opus-4-7", "Claude Opus 4.7").window(1_000_000, 128_000).sees().thinks(OFF_TO_MAX).costs_with_writes(5.0, 0.5, 6.25, 25.0),
    of("claude-opus-4-8", "Claude Opus 4.8").window(1_000_000, 128_000).sees().thinks(OFF_TO_MAX).costs_with_writes(5.0, 0.5, 6.25, 25.0),
    of("claude-opus-5", "Claude Opus 5").window(1_000_000, 128_000).sees().thinks(OFF_TO_MAX).costs_with_writes(5.0, 0.5, 6.25, 25.0),
    of("claude-opus-5-5", "Claude Opus 5.5").window(1_000_000, 128_000).sees().costs_with_writes(4.0, 0.2, 5.0, 20.0),

    // Google, through its OpenAI-compatible API.
    of("gemini-2-5-pro", "Gemini 2.5 Pro").window(1_048_576, 65_536).sees().thinks(MINIMAL_TO_HIGH).costs(1.25, 0.125, 10.0).dearer_above(200_000, 2.0, 1.5),
    of("gemini-2-5-flash", "Gemini 2.5 Flash").window(1_048_576, 65_536).sees().thinks(OFF_TO_HIGH).costs(0.3, 0.03, 2.5),
    of("gemini-2-5-flash-lite", "Gemini 2.5 Flash-Lite").window(1_048_576, 65_536).sees().thinks(OFF_TO_HIGH).costs(0.1, 0.01, 0.4),
    of("gemini-3-pro", "Gemini 3 Pro").window(1_048_576, 65_536).sees().thinks(&[Low, High]).costs(2.0, 0.2, 12.0).dearer_above(200_000, 2.0, 1.5),
    of("gemini-3-flash", "Gemini 3 Flash").window(1_048_576, 65_536).sees().thinks(MINIMAL_TO_HIGH).costs(0.5, 0.05, 3.0),
    of("gemini-3-1-pro", "Gemini 3.1 Pro").window(1_048_576, 65_536).sees().thinks(LOW_TO_HIGH).costs(2.0, 0.2, 12.0).dearer_above(200_000, 2.0, 1.5),
    of("gemini-3-5-flash", "Gemini 3.5 Flash").window(1_048_576, 65_536).sees().costs(1.5, 0.15, 9.0),
    of("gemini-3-8-flash", "Gemini 3.8 Flash").window(1_048_576, 65_536).sees(),

    // xAI.
    of("grok-3", "Grok 3").context(131_072).blind().thinks(NO_LEVELS).costs(3.0, 0.75, 15.0),
    of("grok-3-mini", "Grok 3 mini").context(131_072).blind().thinks(&[Low, High]).costs(0.3, 0.075, 0.5),
    of("grok-4", "Grok 4").context(256_000).sees().thinks(NO_LEVELS).costs(3.0, 0.75, 15.0),
    of("grok-4-fast", "Grok 4 Fast").context(2_000_000).sees().thinks(NO_LEVELS).costs(0.2, 0.05, 0.5),
    of("grok-4-1-fast", "Grok 4.1 Fast").context(2_000_000).sees().thinks(NO_LEVELS).costs(0.2, 0.05, 0.5),
    of("grok-4-3", "Grok 4.3").window(1_000_000, 30_000).sees().costs(1.25, 0.2, 2.5).dearer_above(200_000, 2.0, 2.0),
    of("grok-4-5", "Grok 4.5").context(500_000).sees(),
    of("grok-code-fast-1", "Grok Code Fast 1").window(256_000, 10_000).blind().thinks(NO_LEVELS).costs(0.2, 0.02, 1.5),

    // Open models, named as Ollama, LM Studio and the hubs do. What hosts ask for them differs.
    family("gpt-oss").context(131_072).blind().thinks(LOW_TO_HIGH),
    family("qwen3").context(40_960).blind(),
    family("qwen3-coder").context(262_144).blind().thinks(NO_LEVELS),
    family("qwen3-vl").context(262_144).sees(),
    family("qwen3-5").context(262_144).sees(),
    family("qwen2-5-coder").context(32_768).blind().thinks(NO_LEVELS),
    family("llama3-1").context(131_072).blind().thinks(NO_LEVELS),
    family("llama-3-1").context(131_072).blind().thinks(NO_LEVELS),
    // Some of these see, and those do not all take tools.
    untested("llama3-2").context(131_072).thinks(NO_LEVELS),
    untested("llama-3-2").context(131_072).thinks(NO_LEVELS),
    family("llama3-3").context(131_072).blind().thinks(NO_LEVELS),
    family("llama-3-3").context(131_072).blind().thinks(NO_LEVELS),
    family("llama4").sees().thinks(NO_LEVELS),
    family("llama-4").sees().thinks(NO_LEVELS),
    family("deepseek-v3").context(131_072).blind(),
    family("deepseek-v3-1").context(131_072).blind(),
    family("deepseek-v3-2").context(131_072).blind(),
    family("deepseek-chat").context(131_072).blind(),
    family("deepseek-reasoner").context(131_072).blind(),
    // Most of what goes by this name is a smaller model that was taught by it, and takes no tools.
    untested("deepseek-r1").context(131_072).blind(),
    family("mistral-small3-1").context(131_072).sees().thinks(NO_LEVELS),
    family("mistral-small3-2").context(131_072).sees().thinks(NO_LEVELS),
    family("mistral-small-3-1").context(131_072).sees().thinks(NO_LEVELS),
    family("mistral-small-3-2").context(131_072).sees().thinks(NO_LEVELS),
    family("mistral-small-2506").context(131_072).sees().thinks(NO_LEVELS),
    family("mistral-nemo").context(131_072).blind().thinks(NO_LEVELS),
    family("devstral").context(131_072).blind().thinks(NO_LEVELS),
    family("devstral-small-2").context(262_144).sees().thinks(NO_LEVELS),
    family("devstral-small-2512").context(262_144).sees().thinks(NO_LEVELS),
    family("codestral").context(262_144).blind().thinks(NO_LEVELS),
];

/// Members of a family that see, though the others do not, have one of these in their names.
const SEEING: &[&str] = &["-vl", "vision", "omni"];

/// A vendor's model. All of them take tools.
const fn of(id: &'static str, name: &'static str) -> Known {
    Known { name: Some(name), weights: Weights::Closed, ..family(id) }
}

/// Open models of several sizes, which go by their ids.
const fn family(id: &'static str) -> Known {
    Known { tools: Some(true), ..untested(id) }
}

/// Those of which not all take tools.
const fn untested(id: &'static str) -> Known {
    Known {
        id,
        name: None,
        context_window: None,
        max_prompt_tokens: None,
        max_output_tokens: None,
        tools: None,
        images: None,
        thinking: None,
        price: None,
        weights: Weights::Open,
    }
}

impl Known {
    const fn fits(self, window: u64, prompt: u64, output: u32) -> Self {
        Self { max_prompt_tokens: Some(prompt), ..self.window(window, output) }
    }

    const fn window(self, window: u64, output: u32) -> Self {
        Self { max_output_tokens: Some(output), ..self.context(window) }
    }

    const fn context(self, window: u64) -> Self {
        Self { context_window: Some(window), ..self }
    }

    const fn sees(self) -> Self {
        Self { images: Some(true), ..self }
    }

    const fn blind(self) -> Self {
        Self { images: Some(false), ..self }
    }

    const fn thinks(self, levels: &'static [ThinkingLevel]) -> Self {
        Self { thinking: Some(levels), ..self }
    }

    /// Where writing to the cache costs as much as reading anew.
    const fn costs(self, input: f64, cached_input: f64, output: f64) -> Self {
        self.costs_with_writes(input, cached_input, input, output)
    }

    const fn costs_with_writes(self, input: f64, cached_input: f64, cache_write: f64, output: f64) -> Self {
        Self { price: Some(Price { input, cached_input, cache_write, output, surcharge: None }), ..self }
    }

    /// A prompt beyond so many tokens costs so many times as much, and so does its answer.
    const fn dearer_above(self, tokens: u64, input: f64, output: f64) -> Self {
        let surcharge = Some(Surcharge { above: tokens, input, output });
        match self.price {
            Some(price) => Self { price: Some(Price { surcharge, ..price }), ..self },
            None => self,
        }
    }
}

#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.id)
}

/// What is known of a model by its id.
pub(super) fn find(id: &str) -> (ModelInfo, Weights) {
    let plain = plain(id);
    let fitting = KNOWN.iter().filter_map(|known| Some((known, Rest::of(plain.strip_prefix(known.id)?)?)));
    let Some((known, rest)) = fitting.max_by_key(|(known, _)| known.id.len()) else {
        return (ModelInfo::new(id), Weights::Open);
    };
    let info = ModelInfo {
        id: id.to_owned(),
        name: known.name.filter(|_| rest == Rest::Release).map(str::to_owned),
        context_window: known.context_window,
        max_prompt_tokens: known.max_prompt_tokens,
        max_output_tokens: known.max_output_tokens,
        tools: known.tools,
        images: known.images.filter(|sees| *sees || !SEEING.iter().any(|word| plain.contains(word))),
        thinking: known.thinking.map(<[ThinkingLevel]>::to_vec),
        price: known.price.filter(|_| rest == Rest::Release),
        is_default: false,
        preview: plain.ends_with("-preview"),
        terms: None,
    };
    (info, known.weights)
}

/// An id without the vendor, in the one spelling that the table has: `us.anthropic.claude-sonnet-4.5@20250929`
/// is `claude-sonnet-4-5-20250929`.
fn plain(id: &str) -> String {
    let id = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    let id = id.rsplit_once("anthropic.").map_or(&*id, |(_, id)| id);
    let id = id.strip_prefix("meta-").unwrap_or(id);
    id.replace(['.', ':', '@', '_', ' '], "-")
}

/// What an id has after the part that the table knows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rest {
    /// Nothing, or a date: the model itself.
    Release,
    /// A size, a quantisation, a tier. The model can do the same, at a price of its own.
    Variant,
}

impl Rest {
    /// `None`: it is another model, as `gpt-50` or `gpt-5.9` are to `gpt-5`.
    fn of(rest: &str) -> Option<Self> {
        if rest.is_empty() {
            return Some(Self::Release);
        }
        let mut parts = rest.strip_prefix('-')?.split('-').peekable();
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.peek().is_some_and(|part| is_number(part) && part.len() < 3) {
            return None;
        }
        let is_version = |part: &str| part.strip_prefix('v').is_some_and(is_number);
        let says_nothing = |part: &str| matches!(part, "latest" | "preview" | "beta");
        let release = parts.all(|part| is_number(part) || is_version(part) || says_nothing(part));
        Some(if release { Self::Release } else { Self::Variant })
    }
}

//! Lists in OpenAI's shape, and what other services add to an entry of theirs.

use serde_json::Value;

use crate::lenient::count;
use crate::{ModelInfo, Price};

/// Where the size of the window stands. What a local server has loaded comes before what it could load.
const WINDOWS: [&str; 6] = [
    "/loaded_context_length", // LM Studio
    "/max_model_len",         // vLLM
    "/meta/n_ctx",            // llama.cpp
    "/context_length",        // OpenRouter, Together
    "/context_window",        // Groq
    "/max_context_length",    // Mistral, LM Studio
];

const OUTPUTS: [&str; 3] = [
    "/top_provider/max_completion_tokens", // OpenRouter
    "/max_completion_tokens",              // Groq
    "/max_output_tokens",
];

/// Words in the names of models that do not answer in words, of which some services list many.
const NO_ANSWERS: [&str; 16] = [
    "audio",
    "babbage",
    "dall",
    "davinci",
    "embed",
    "embedding",
    "embeddings",
    "image",
    "imagen",
    "moderation",
    "realtime",
    "rerank",
    "sora",
    "transcribe",
    "tts",
    "whisper",
];

/// The models of a list that can be talked to.
pub(super) fn models(list: &Value) -> Vec<ModelInfo> {
    entries(list).iter().filter(|entry| answers(entry)).filter_map(model).collect()
}

/// Whether this is such a list at all. Ollama's has no entries before the first model is there.
pub(super) fn is_list(list: &Value) -> bool {
    let has_id = |entry: &Value| entry.get("id").is_some_and(Value::is_string);
    match list.get("data") {
        Some(Value::Array(entries)) => entries.iter().all(has_id),
        Some(Value::Null) => list["object"] == "list",
        _ => false,
    }
}

/// Together's list has nothing around it.
pub(super) fn entries(list: &Value) -> &[Value] {
    let entries = list.get("data").unwrap_or(list);
    entries.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An entry without an id is none.
pub(super) fn model(entry: &Value) -> Option<ModelInfo> {
    let id = text(entry, "id")?;
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| tokens(entry, pointer));
    Some(ModelInfo {
        name: text(entry, "display_name").or(text(entry, "name")).filter(|name| *name != id),
        context_window: first(&WINDOWS),
        max_output_tokens: first(&OUTPUTS).and_then(|tokens| tokens.try_into().ok()),
        tools: tools(entry),
        images: images(entry),
        thinking: lists(entry, "/supported_parameters", "reasoning").filter(|thinks| !thinks).map(|_| vec![]),
        price: entry.get("pricing").and_then(price),
        ..ModelInfo::new(id)
    })
}

fn answers(entry: &Value) -> bool {
    let id = entry["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let kind = entry["type"].as_str().unwrap_or_default();
    let named_otherwise =
        |text: &str| text.split(|c: char| !c.is_alphanumeric()).any(|word| NO_ANSWERS.contains(&word));
    lists(entry, "/architecture/output_modalities", "text").unwrap_or(!named_otherwise(&id))
        && !named_otherwise(kind)
}

fn tools(entry: &Value) -> Option<bool> {
    lists(entry, "/supported_parameters", "tools") // OpenRouter
        .or(lists(entry, "/capabilities", "tool_use")) // LM Studio
        .or_else(|| entry.pointer("/capabilities/function_calling")?.as_bool()) // Mistral
}

fn images(entry: &Value) -> Option<bool> {
    let kind = match entry["type"].as_str() {
        Some("vlm") => Some(true),
        Some("llm") => Some(false),
        _ => None,
    };
    lists(entry, "/architecture/input_modalities", "image") // OpenRouter
        .or(kind) // LM Studio
        .or_else(|| entry.pointer("/capabilities/vision")?.as_bool()) // Mistral
}

/// OpenRouter's: USD per token, as text. A negative one depends on what is behind.
fn price(pricing: &Value) -> Option<Price> {
    let rate = |name: &str| {
        let rate = pricing.get(name)?;
        let rate = rate.as_f64().or_else(|| rate.as_str()?.trim().parse().ok())?;
        // Per million, without the dust of the multiplication.
        (rate.is_finite() && rate >= 0.0).then(|| (rate * 1e12).round() / 1e6)
    };
    let (input, output) = (rate("prompt")?, rate("completion")?);
    Some(Price {
        input,
        cached_input: rate("input_cache_read").unwrap_or(input),
        cache_write: rate("input_cache_write").filter(|write| *write > 0.0).unwrap_or(input),
        output,
        surcharge: None,
    })
}

pub(super) fn text(entry: &Value, field: &str) -> Option<String> {
    entry.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number of tokens; 0 stands for an unknown one.
pub(super) fn tokens(entry: &Value, pointer: &str) -> Option<u64> {
    count(entry, pointer).filter(|tokens| *tokens > 0)
}

/// Whether a list has this word, if there is such a list.
fn lists(entry: &Value, pointer: &str, word: &str) -> Option<bool> {
    entry.pointer(pointer)?.as_array().map(|words| words.iter().any(|listed| listed == word))
}

//! What Anthropic's Messages would refuse.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{check_schema, raw_fields};
use crate::model::Request;
use crate::model::family::SIGNATURE;

const MARK: &str = r#","cache_control":{"type":"ephemeral"}"#;

pub(in crate::model) fn check(request: &Request, context_limit: Option<usize>) -> Vec<String> {
    let body = &request.body;
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    must(request.header("anthropic-version").is_some(), "the version is missing");
    must(body["model"].as_str().is_some_and(|model| !model.is_empty()), "`model` is missing");
    must(body["stream"] == true, "`stream` is not true");
    let max_tokens = body["max_tokens"].as_u64().unwrap_or_default();
    must(max_tokens > 0, "`max_tokens` is missing");
    for field in ["store", "prompt_cache_key", "stream_options", "reasoning_effort", "instructions", "input"]
    {
        must(body.get(field).is_none(), &format!("`{field}` is not known"));
    }
    let thinking = &body["thinking"];
    let is_thinking = match thinking["type"].as_str() {
        None => {
            must(thinking.is_null(), "`thinking` without a type");
            false
        }
        Some("disabled") => false,
        Some("enabled") => {
            let budget = thinking["budget_tokens"].as_u64().unwrap_or_default();
            must((1024..max_tokens).contains(&budget), "a budget beyond what may be said, or below 1024");
            true
        }
        Some("adaptive") => {
            must(body["output_config"]["effort"].is_string(), "no effort for thinking");
            true
        }
        Some(_) => {
            must(false, "an unknown kind of thinking");
            false
        }
    };
    must(body.to_string().matches(r#""cache_control""#).count() <= 4, "more than four marks for the cache");
    if let Some(limit) = context_limit {
        must(body.to_string().len() / 4 <= limit, "the conversation is longer than the model's context");
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        problems.extend(check_schema(tool, "input_schema"));
    }
    match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => check_messages(messages, is_thinking, &mut problems),
        _ => problems.push("`messages` is no list of messages".into()),
    }
    problems
}

fn check_messages(messages: &[Value], is_thinking: bool, problems: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    // Calls of the message before, whose results have to come now.
    let mut open: Vec<&str> = Vec::new();
    let last_answer = messages.iter().rposition(|message| message["role"] == "assistant");
    for (at, message) in messages.iter().enumerate() {
        let mut problem = |text: String| problems.push(format!("messages[{at}]: {text}"));
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        if message["role"] != role {
            problem(format!("a message of {} where one of {role} belongs", message["role"]));
        }
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        if blocks.is_empty() {
            problem("a message without content".into());
        }
        let is_result = |block: &Value| block["type"] == "tool_result";
        if blocks.iter().skip_while(|block| is_result(block)).any(is_result) {
            problem("a result after something else".into());
        }
        let mut expected = std::mem::take(&mut open);
        for block in blocks {
            match (role, block["type"].as_str().unwrap_or_default()) {
                (_, "text") => {
                    if block["text"].as_str().is_none_or(|text| text.trim().is_empty()) {
                        problem("a text of nothing".into());
                    }
                }
                ("user", "image") => check_image(block, &mut problem),
                ("user", "tool_result") => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default();
                    match expected.iter().position(|expected| *expected == id) {
                        Some(at) => {
                            expected.remove(at);
                        }
                        None => problem(format!("the result of {id:?}, which was not called just before")),
                    }
                    match &block["content"] {
                        Value::String(text) if !text.is_empty() => {}
                        Value::Array(parts) if !parts.is_empty() => {
                            for part in parts.iter().filter(|part| part["type"] == "image") {
                                check_image(part, &mut problem);
                            }
                        }
                        _ => problem(format!("the result of {id} is empty")),
                    }
                }
                ("assistant", "tool_use") => {
                    let id = block["id"].as_str().unwrap_or_default();
                    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if id.is_empty() || !id.chars().all(is_id) || !used.insert(id) {
                        problem(format!("the call id {id:?} is bad or used twice"));
                    }
                    if !block["input"].is_object() || !block["name"].is_string() {
                        problem(format!("the call {id} has no name, or its input is no object"));
                    }
                    open.push(id);
                }
                ("assistant", "thinking") => {
                    let signature = block["signature"].as_str().unwrap_or_default();
                    if !signature.starts_with(SIGNATURE) || !block["thinking"].is_string() {
                        problem(format!("thinking that was not signed here: {block}"));
                    }
                    if block.get("cache_control").is_some() {
                        problem("a mark on thinking".into());
                    }
                }
                (role, kind) => problem(format!("a block {kind:?} of {role}")),
            }
        }
        if !expected.is_empty() {
            problem(format!("no results for the calls {expected:?}"));
        }
        let begins_thinking = blocks.first().is_some_and(|block| block["type"] == "thinking");
        if is_thinking && Some(at) == last_answer && !open.is_empty() && !begins_thinking {
            problem("calls without the thinking that led to them, while the model is to think".into());
        }
        if blocks.last().is_some_and(|block| block["type"] == "thinking") {
            problem("thinking at the end of a message".into());
        }
    }
    if !open.is_empty() {
        problems.push(format!("no results for the calls {open:?}"));
    }
    if messages.last().is_some_and(|message| message["role"] != "user") {
        problems.push("the last message is not the user's".into());
    }
}

fn check_image(block: &Value, problem: &mut impl FnMut(String)) {
    let source = &block["source"];
    let kinds = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    let is_kind = source["media_type"].as_str().is_some_and(|kind| kinds.contains(&kind));
    if source["type"] != "base64" || !is_kind || !source["data"].is_string() {
        problem(format!("the image {source}"));
    }
}

/// What the cache compares, in order: the tools, what the system says, then each block. The marks move on.
pub(in crate::model) fn parts(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        role: &'a str,
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    let fields = raw_fields(body);
    let text = |name: &str| fields.get(name).map_or("", |raw| raw.get());
    let mut parts: Vec<String> =
        ["model", "tools", "system"].iter().map(|name| format!("{name} {}", text(name))).collect();
    let messages: Vec<Message<'_>> = serde_json::from_str(text("messages")).unwrap_or_default();
    for Message { role, content } in messages {
        parts.extend(content.into_iter().map(|block| format!("{role} {}", block.get().replace(MARK, ""))));
    }
    parts
}

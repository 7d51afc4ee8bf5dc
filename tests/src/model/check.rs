//! What a strict service would refuse, and what would spoil its prompt cache. Here stands what is true of the
//! Responses API; the other families have files of their own.

pub(super) mod anthropic;
pub(super) mod chat;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Returns everything that is wrong with a request body.
pub fn check_body(body: &Value, context_limit: Option<usize>) -> Vec<String> {
    let mut problems = Vec::new();
    if !body.is_object() {
        return vec!["the body is not a JSON object".into()];
    }
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    must(body["model"].as_str().is_some_and(|model| !model.is_empty()), "`model` is missing");
    must(body["stream"] == true, "`stream` is not true");
    must(body["store"] == false, "`store` is not false");
    must(body["instructions"].is_string(), "`instructions` is no string");
    must(body.get("previous_response_id").is_none(), "`previous_response_id` needs a store");
    must(
        body["prompt_cache_key"].as_str().is_some_and(|key| key.len() <= 64),
        "`prompt_cache_key` is missing or too long",
    );
    if let Some(limit) = context_limit {
        must(body.to_string().len() / 4 <= limit, "the conversation is longer than the model's context");
    }
    check_tools(body, &mut problems);
    match body["input"].as_array() {
        Some(input) if !input.is_empty() => check_input(input, &mut problems),
        _ => problems.push("`input` is no list of items".into()),
    }
    problems
}

fn check_tools(body: &Value, problems: &mut Vec<String>) {
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    if tools.is_empty() && body.get("tool_choice").is_some() {
        problems.push("`tool_choice` without tools".into());
    }
    if tools.len() > 128 {
        problems.push(format!("{} tools, 128 are allowed", tools.len()));
    }
    let mut names = BTreeSet::new();
    for tool in tools {
        let name = tool["name"].as_str().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) || !names.insert(name) {
            problems.push(format!("a tool named {name:?}, or two of them"));
        }
        if tool["type"] != "function" || !tool["description"].is_string() || tool["strict"] != false {
            problems.push(format!("the tool {name} is not a lax function with a description"));
        }
        if tool["parameters"]["type"] != "object" || !tool["parameters"]["properties"].is_object() {
            problems.push(format!("the parameters of {name} are no schema of an object"));
        }
    }
}

fn check_input(input: &[Value], problems: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    // Calls that have no output yet, in order; outputs follow the last of them and nothing comes between.
    let mut open: Vec<&str> = Vec::new();
    let mut answering = false;
    for (at, item) in input.iter().enumerate() {
        let mut problem = |text: String| problems.push(format!("input[{at}]: {text}"));
        let kind = item["type"].as_str().unwrap_or("message");
        check_id(item, kind, &mut problem);
        match kind {
            "function_call" => {
                let id = item["call_id"].as_str().unwrap_or_default();
                if !is_id(id) || !used.insert(id) {
                    problem(format!("the call id {id:?} is bad or used twice"));
                }
                if answering && !open.is_empty() {
                    problem(format!("a call before the outputs of {open:?}"));
                }
                if item["name"].as_str().is_none_or(str::is_empty) || !item["arguments"].is_string() {
                    problem(format!("the call {id} has no name or its arguments are no text"));
                }
                answering = false;
                open.push(id);
            }
            "function_call_output" => {
                let id = item["call_id"].as_str().unwrap_or_default();
                match open.first() {
                    Some(first) if *first == id => {
                        open.remove(0);
                    }
                    first => problem(format!("the output of {id:?} stands where that of {first:?} belongs")),
                }
                if !item["output"].is_string() && !item["output"].is_array() {
                    problem(format!("the output of {id} is neither text nor parts"));
                }
                answering = true;
            }
            other => {
                let is_user =
                    item["role"] == "user" || item["role"] == "developer" || item["role"] == "system";
                if !open.is_empty() && (answering || is_user) {
                    problem(format!("{other} between calls and their outputs; {open:?} have none"));
                }
                match other {
                    "message" => check_message(item, &mut problem),
                    "reasoning" => check_reasoning(item, input.get(at + 1), &mut problem),
                    _ => problem(format!("an item of the type {other}")),
                }
            }
        }
    }
    if !open.is_empty() {
        problems.push(format!("no output for the calls {open:?}"));
    }
}

fn check_message(item: &Value, problem: &mut impl FnMut(String)) {
    let role = item["role"].as_str().unwrap_or_default();
    let allowed: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        "user" | "developer" | "system" => &["input_text", "input_image", "input_file"],
        _ => return problem(format!("a message of the role {role:?}")),
    };
    let parts = match &item["content"] {
        Value::String(_) => return,
        Value::Array(parts) if !parts.is_empty() => parts,
        _ => return problem("a message without content".into()),
    };
    for part in parts {
        let kind = part["type"].as_str().unwrap_or_default();
        if !allowed.contains(&kind) {
            problem(format!("a part {kind:?} in a message of {role}"));
        }
        if kind.ends_with("_text") && !part["text"].is_string() {
            problem("a text part without text".into());
        }
    }
}

fn check_reasoning(item: &Value, next: Option<&Value>, problem: &mut impl FnMut(String)) {
    if !item["summary"].is_array() || !item["encrypted_content"].is_string() {
        problem("reasoning that cannot be replayed".into());
    }
    let follows = next.is_some_and(|next| {
        next["role"] == "assistant" || next["type"] == "function_call" || next["type"] == "reasoning"
    });
    if !follows {
        problem("reasoning without the item it led to".into());
    }
}

fn check_id(item: &Value, kind: &str, problem: &mut impl FnMut(String)) {
    let prefix = match kind {
        "message" => "msg",
        "function_call" => "fc",
        _ => "",
    };
    match &item["id"] {
        Value::Null => {}
        Value::String(id) if id.len() <= 64 && id.starts_with(prefix) => {}
        id => problem(format!("the id {id} of a {kind}")),
    }
}

fn is_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&id.len()) && id.chars().all(allowed) && !id.ends_with('_')
}

/// Returns what is wrong with the beginning of a body, given the one before of the same conversation: it must
/// begin with all of it, up to the end of its `input`.
pub fn check_prefix(previous: &[u8], body: &[u8]) -> Vec<String> {
    let Some(end) = end_of_input(previous) else {
        return vec!["the previous `input` cannot be found".into()];
    };
    let same = previous.iter().zip(body).take_while(|(a, b)| a == b).count();
    if same >= end {
        return Vec::new();
    }
    let around = |bytes: &[u8]| {
        let from = same.saturating_sub(60).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..(same + 60).min(bytes.len())]).into_owned()
    };
    vec![format!(
        "the beginning changed at byte {same} of {end}, which the provider's cache would not know:\n    was …{}\n    is  …{}",
        around(previous),
        around(body),
    )]
}

/// Where the last item of `input` ends, as an offset.
fn end_of_input(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        input: &'a RawValue,
    }
    let text = std::str::from_utf8(body).ok()?;
    let input = serde_json::from_str::<Body>(text).ok()?.input.get();
    let start = input.as_ptr() as usize - text.as_ptr() as usize;
    Some(start + input.trim_end_matches(']').len())
}

/// A tool as every family describes one, with the schema of its parameters in this field.
fn check_schema(tool: &Value, field: &str) -> Option<String> {
    let name = tool["name"].as_str().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_good = (1..=64).contains(&name.len())
        && name.chars().all(is_name)
        && tool["description"].is_string()
        && tool[field]["type"] == "object"
        && tool[field]["properties"].is_object();
    (!is_good).then(|| format!("the tool {tool}"))
}

/// The fields of an object as they came.
fn raw_fields(object: &[u8]) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_slice(object).unwrap_or_default()
}

/// As [`check_prefix`], of what a request consists of for its service's cache.
pub(super) fn check_beginning(previous: &[String], now: &[String]) -> Vec<String> {
    let same = previous.iter().zip(now).take_while(|(a, b)| a == b).count();
    if same == previous.len() {
        return Vec::new();
    }
    let short =
        |parts: &[String]| parts.get(same).map_or("nothing".to_owned(), |it| it.chars().take(300).collect());
    vec![format!(
        "the beginning changed at part {same} of {}, which the provider's cache would not know:\n    was {}\n    is  {}",
        previous.len(),
        short(previous),
        short(now),
    )]
}

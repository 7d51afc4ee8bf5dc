//! What strict servers of Chat Completions would refuse.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{check_schema, is_id, raw_fields};

/// Fields of an assistant's message that hold thinking.
const THINKING: [&str; 4] = ["reasoning_content", "reasoning", "reasoning_text", "thinking"];

pub(in crate::model) fn check(body: &Value, context_limit: Option<usize>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    must(body["model"].as_str().is_some_and(|model| !model.is_empty()), "`model` is missing");
    must(body["stream"] == true, "`stream` is not true");
    must(body["stream_options"]["include_usage"] == true, "no usage is asked for");
    // What only OpenAI knows, and servers that check what they get refuse.
    for field in ["store", "prompt_cache_key", "max_completion_tokens", "instructions", "input"] {
        must(body.get(field).is_none(), &format!("`{field}` is not known"));
    }
    if let Some(limit) = context_limit {
        must(body.to_string().len() / 4 <= limit, "the conversation is longer than the model's context");
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        must(tool["type"] == "function", "a tool that is no function");
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    problems.extend(tools.filter_map(|tool| check_schema(&tool["function"], "parameters")));
    match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => check_messages(messages, &mut problems),
        _ => problems.push("`messages` is no list of messages".into()),
    }
    problems
}

fn check_messages(messages: &[Value], problems: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    // Calls that have no result yet.
    let mut open: Vec<&str> = Vec::new();
    let last_user = messages.iter().rposition(|message| message["role"] == "user" && !is_of_results(message));
    for (at, message) in messages.iter().enumerate() {
        let mut problem = |text: String| problems.push(format!("messages[{at}]: {text}"));
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            problem(format!("a message of {role} before the results of {open:?}"));
            open.clear();
        }
        let content = &message["content"];
        match role {
            "system" if at == 0 && content.is_string() => {}
            "user" => check_content(content, &mut problem),
            "assistant" => {
                if !content.is_string() {
                    problem("what the assistant said is no text".into());
                }
                let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
                if calls.is_empty() && content == "" {
                    problem("an assistant who says nothing".into());
                }
                for call in calls {
                    let id = call["id"].as_str().unwrap_or_default();
                    let function = &call["function"];
                    let arguments = function["arguments"].as_str().unwrap_or_default();
                    // Templates of local servers read them.
                    let is_object =
                        serde_json::from_str::<Value>(arguments).is_ok_and(|json| json.is_object());
                    if !is_id(id) || id.len() > 40 || !used.insert(id) {
                        problem(format!("the call id {id:?} is bad or used twice"));
                    }
                    if call["type"] != "function" || !function["name"].is_string() || !is_object {
                        problem(format!("the call {id} is no function with arguments"));
                    }
                    open.push(id);
                }
                let thinks = THINKING.iter().any(|field| message.get(field).is_some());
                if thinks && Some(at) < last_user {
                    problem("thinking of a turn that is over".into());
                }
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                match open.first() {
                    Some(first) if *first == id => {
                        open.remove(0);
                    }
                    first => problem(format!("the result of {id:?} stands where that of {first:?} belongs")),
                }
                if !content.is_string() {
                    problem(format!("the result of {id} is no text"));
                }
            }
            role => problem(format!("a message of the role {role:?}")),
        }
    }
    if !open.is_empty() {
        problems.push(format!("no results for the calls {open:?}"));
    }
}

/// Whether a message shows the images that results had, which no user has sent.
fn is_of_results(message: &Value) -> bool {
    message["content"][0]["text"]
        .as_str()
        .is_some_and(|text| text.starts_with("Images from the tool results"))
}

fn check_content(content: &Value, problem: &mut impl FnMut(String)) {
    let parts = match content {
        Value::String(text) if !text.is_empty() => return,
        Value::Array(parts) if !parts.is_empty() => parts,
        _ => return problem("a message without content".into()),
    };
    for part in parts {
        let is_good = match part["type"].as_str() {
            Some("text") => part["text"].is_string(),
            // Local servers take nothing else.
            Some("image_url") => {
                part["image_url"]["url"].as_str().is_some_and(|url| url.starts_with("data:image/"))
            }
            _ => false,
        };
        if !is_good {
            problem(format!("the part {part}"));
        }
    }
}

/// What a cache would compare, in order: the tools, then each message. Thinking goes back only while the turn
/// lasts, and templates leave it out themselves afterwards.
pub(in crate::model) fn parts(body: &[u8]) -> Vec<String> {
    let fields = raw_fields(body);
    let text = |name: &str| fields.get(name).map_or("", |raw| raw.get());
    let mut parts = vec![format!("model {}", text("model")), format!("tools {}", text("tools"))];
    let messages: Vec<&RawValue> = serde_json::from_str(text("messages")).unwrap_or_default();
    parts.extend(messages.into_iter().map(|message| {
        let mut shown = message.get().to_owned();
        for (name, raw) in raw_fields(message.get().as_bytes()) {
            if THINKING.contains(&name.as_str()) {
                shown = shown.replace(&format!(",\"{name}\":{raw}"), "");
            }
        }
        shown
    }));
    parts
}

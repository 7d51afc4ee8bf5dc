//! Which part of a conversation a service has refused.
//!
//! Services point into the body of the request, as in `messages.3.content.0` or `input[3]`. Nobody but Opal knows what
//! that is, so it is put in words.

use serde_json::Value;

/// The list of items in a body, by the name that each API has for it.
const LISTS: &[&str] = &["messages", "input"];

/// Characters that services put around an index: `messages[3]`, `messages.[3]`, `messages.3`, `'messages', 3`.
const AROUND: &[char] = &['.', '[', '\'', '"', ',', ' ', ']'];

/// Characters that are quoted of an item.
const MAX_QUOTED: usize = 80;

/// Describes the item of the body that a service's message points to.
pub(crate) fn rejected_item(message: &str, body: impl FnOnce() -> Option<Value>) -> Option<String> {
    let (list, index, rest) = LISTS.iter().find_map(|list| pointed_to(message, list))?;
    let body = body()?;
    let items = body.get(list)?.as_array()?;
    describe(items.get(index)?, block_index(rest), items)
}

/// Returns the list, the index in it, and what follows.
fn pointed_to<'a>(message: &'a str, list: &'static str) -> Option<(&'static str, usize, &'a str)> {
    message.match_indices(list).find_map(|(at, _)| {
        let rest = &message[at + list.len()..];
        let rest = ["[", ".", "', ", "\", "].iter().find_map(|between| rest.strip_prefix(between))?;
        let (index, rest) = leading_index(rest)?;
        Some((list, index, rest))
    })
}

fn leading_index(text: &str) -> Option<(usize, &str)> {
    let text = text.trim_start_matches(AROUND);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The index of a block within an item, as in `.content.1`.
fn block_index(rest: &str) -> Option<usize> {
    let rest = rest.trim_start_matches(AROUND).strip_prefix("content")?;
    leading_index(rest).map(|(index, _)| index)
}

fn describe(item: &Value, block: Option<usize>, items: &[Value]) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let blocks = item.get("content").and_then(Value::as_array);
    let block = block.and_then(|block| blocks?.get(block)).filter(|block| block.get("tool_use_id").is_some());
    // Messages has its results within messages of the user.
    let only = blocks.and_then(|blocks| blocks.first()).filter(|block| block.get("tool_use_id").is_some());
    let result = block.or(only).unwrap_or(item);
    let of_call = ["call_id", "tool_call_id", "tool_use_id"].iter().find_map(|name| text(result, name));
    if let Some(id) = of_call {
        let call = find_call(&id, items).unwrap_or(id);
        let is_call = item.get("type").is_some_and(|kind| kind == "function_call");
        return Some(format!("the {} `{}`", if is_call { "call" } else { "result of" }, quoted(&call)));
    }
    let role = text(item, "role")?;
    match first_text(item) {
        Some(text) => Some(format!("the {role} message that begins with `{}`", quoted(&text))),
        None => Some(format!("a message of the {role}")),
    }
}

/// Returns name and arguments of the call with this id.
fn find_call(id: &str, items: &[Value]) -> Option<String> {
    let lists =
        ["tool_calls", "content"].map(|name| items.iter().filter_map(move |item| item.get(name)?.as_array()));
    let mut calls = items.iter().chain(lists.into_iter().flatten().flatten());
    calls.find_map(|call| {
        let is_it = ["call_id", "id"].iter().any(|name| call.get(name).is_some_and(|value| value == id));
        let function = call.get("function").unwrap_or(call);
        let name = function.get("name")?.as_str().filter(|_| is_it)?;
        let arguments = match function.get("arguments").or(function.get("input")) {
            Some(Value::String(arguments)) => arguments.clone(),
            Some(arguments) => arguments.to_string(),
            None => String::new(),
        };
        Some(format!("{name} {arguments}"))
    })
}

fn first_text(item: &Value) -> Option<String> {
    match item.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => blocks.iter().find_map(|block| Some(block.get("text")?.as_str()?.to_owned())),
        _ => None,
    }
}

/// One line, without what could be taken for the end of the quotation.
fn quoted(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match words.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(message: &str, body: &Value, item: Option<&str>) {
        assert_eq!(rejected_item(message, || Some(body.clone())).as_deref(), item, "{message}");
    }

    #[test]
    fn an_item_is_found_in_the_body_of_each_api() {
        let responses = json!({"input": [
            {"role": "user", "content": [{"type": "input_text", "text": "what is\n`this`"}]},
            {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"path\":\"a.png\"}"},
            {"type": "function_call_output", "call_id": "c1", "output": []},
        ]});
        for message in ["Invalid 'input[2].output[0].image_url'.", "input.2: bad image"] {
            check(message, &responses, Some(r#"the result of `read {"path":"a.png"}`"#));
        }
        check(
            "Invalid 'input[0].content[0]'",
            &responses,
            Some("the user message that begins with `what is 'this'`"),
        );
        check("Invalid 'input[1].name'", &responses, Some(r#"the call `read {"path":"a.png"}`"#));
        check("Invalid 'input[9]'", &responses, None);
        check("Invalid input, 2 images", &responses, None);
        check("Invalid image", &responses, None);

        let chat = json!({"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
        ]});
        check("messages[2].content", &chat, Some("the result of `read {}`"));
        check("messages.[3].content.[0]", &chat, Some("a message of the user"));
        check("('body', 'messages', 1, 'content')", &chat, Some("a message of the assistant"));

        let anthropic = json!({"messages": [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}},
                {"type": "tool_use", "id": "c2", "name": "read", "input": {"path": "b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": []},
                {"type": "tool_result", "tool_use_id": "c2", "content": []},
                {"type": "text", "text": "look"},
            ]},
        ]});
        check(
            "messages.1.content.1.image.source.base64: too large",
            &anthropic,
            Some(r#"the result of `read {"path":"b"}`"#),
        );
        check(
            "messages.1: all messages must have content",
            &anthropic,
            Some(r#"the result of `read {"path":"a"}`"#),
        );
    }
}

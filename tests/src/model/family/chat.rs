//! The stream of Chat Completions.

use serde_json::{Value, json};

use super::{call_id, pieces};
use crate::model::script::{Block, End, Event, Script};

pub(super) fn stream(script: &Script, number: u32) -> Vec<Event> {
    let chunk = |begins: Option<usize>, fields: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "created": 0,
            "model": "fake-model", "choices": [],
        });
        chunk.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Event { begins, text: format!("data: {chunk}\n\n") }
    };
    let delta = |begins, delta: Value| {
        chunk(begins, json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
    };
    let mut events = vec![delta(None, json!({ "role": "assistant", "content": "" }))];
    let mut n_calls = 0;
    for (place, block) in script.blocks.iter().enumerate() {
        let first = |at: usize| (at == 0).then_some(place);
        match block {
            Block::Thinking(text) => {
                let pieces = pieces(text).into_iter().enumerate();
                events.extend(
                    pieces.map(|(at, piece)| delta(first(at), json!({ "reasoning_content": piece }))),
                );
            }
            Block::Text(text) => {
                let pieces = pieces(text).into_iter().enumerate();
                events.extend(pieces.map(|(at, piece)| delta(first(at), json!({ "content": piece }))));
            }
            Block::Tool { call_id: id, name, arguments } => {
                let id = id.clone().unwrap_or_else(|| call_id(number, place));
                let head = json!({
                    "index": n_calls, "id": id, "type": "function",
                    "function": { "name": name, "arguments": "" },
                });
                events.push(delta(Some(place), json!({ "tool_calls": [head] })));
                events.extend(pieces(arguments).into_iter().map(|piece| {
                    let more = json!({ "index": n_calls, "function": { "arguments": piece } });
                    delta(None, json!({ "tool_calls": [more] }))
                }));
                n_calls += 1;
            }
        }
    }
    let end = Some(script.blocks.len());
    let reason = match &script.end {
        End::Cut | End::Hang => return events,
        End::Failed { code, message } => {
            let error = json!({ "error": { "message": message, "type": "server_error", "code": code } });
            events.push(Event { begins: end, text: format!("data: {error}\n\n") });
            return events;
        }
        End::Length => "length",
        _ if n_calls > 0 => "tool_calls",
        _ => "stop",
    };
    let (input, cached, output) = script.tokens();
    events.push(chunk(end, json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })));
    events.push(chunk(
        None,
        json!({ "usage": {
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": { "cached_tokens": cached, "cache_write_tokens": script.cache_written },
        } }),
    ));
    events.push(Event { begins: None, text: "data: [DONE]\n\n".into() });
    events
}

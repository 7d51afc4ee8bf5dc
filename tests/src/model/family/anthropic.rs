//! The stream of Anthropic's Messages.

use serde_json::{Value, json};

use super::{call_id, pieces};
use crate::model::script::{Block, End, Event, Script};

/// What thinking is signed with.
pub(in crate::model) const SIGNATURE: &str = "c2lnbmVk";

pub(super) fn stream(script: &Script, number: u32) -> Vec<Event> {
    let (input, cached, output) = script.tokens();
    let written = script.cache_written;
    let usage = |output: u64| {
        json!({
            "input_tokens": input - cached - written, "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written, "output_tokens": output,
        })
    };
    let message = json!({
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "fake-model",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage(1),
    });
    let mut events =
        vec![event(None, "message_start", json!({ "message": message })), event(None, "ping", json!({}))];
    for (place, block) in script.blocks.iter().enumerate() {
        let (start, deltas) = match block {
            Block::Thinking(text) => (
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                pieces(text)
                    .into_iter()
                    .map(|it| json!({ "type": "thinking_delta", "thinking": it }))
                    .collect(),
            ),
            Block::Text(text) => (
                json!({ "type": "text", "text": "" }),
                pieces(text).into_iter().map(|it| json!({ "type": "text_delta", "text": it })).collect(),
            ),
            Block::Tool { call_id: id, name, arguments } => {
                let id = id.clone().unwrap_or_else(|| call_id(number, place));
                let delta = |it| json!({ "type": "input_json_delta", "partial_json": it });
                (
                    json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                    pieces(arguments).into_iter().map(delta).collect::<Vec<_>>(),
                )
            }
        };
        let delta =
            |delta: Value| event(None, "content_block_delta", json!({ "index": place, "delta": delta }));
        let block_start = json!({ "index": place, "content_block": start });
        events.push(event(Some(place), "content_block_start", block_start));
        events.extend(deltas.into_iter().map(delta));
        if script.finishes(place) {
            if matches!(block, Block::Thinking(_)) {
                let signature = format!("{SIGNATURE}-{number}-{place}");
                events.push(delta(json!({ "type": "signature_delta", "signature": signature })));
            }
            events.push(event(None, "content_block_stop", json!({ "index": place })));
        }
    }
    let end = Some(script.blocks.len());
    let has_calls = script.blocks.iter().any(|block| matches!(block, Block::Tool { .. }));
    let reason = match &script.end {
        End::Cut | End::Hang => return events,
        End::Failed { code, message } => {
            let error = json!({ "error": { "type": code, "message": message }, "request_id": "req_1" });
            events.push(event(end, "error", error));
            return events;
        }
        End::Length => "max_tokens",
        _ if has_calls => "tool_use",
        _ => "end_turn",
    };
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    events.push(event(end, "message_delta", json!({ "delta": delta, "usage": usage(output) })));
    events.push(event(None, "message_stop", json!({})));
    events
}

fn event(begins: Option<usize>, kind: &str, fields: Value) -> Event {
    let mut data = json!({ "type": kind });
    data.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Event { begins, text: format!("event: {kind}\ndata: {data}\n\n") }
}

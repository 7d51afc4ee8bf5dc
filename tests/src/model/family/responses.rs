//! The stream of the Responses API, which the recorded model of `opal demo` speaks too.

use replay::Recording;
use serde_json::Value;

use crate::model::script::{Block, End, Event, Script};

pub(super) fn stream(script: &Script, number: u32) -> Vec<Event> {
    let mut recording = Recording::new("fake-model").number(number);
    for block in &script.blocks {
        recording = match block.clone() {
            Block::Thinking(text) => recording.thinking(text),
            Block::Text(text) => recording.text(text),
            Block::Tool { call_id: Some(id), name, arguments } => {
                recording.tool_call_with_id(id, name, arguments)
            }
            Block::Tool { call_id: None, name, arguments } => recording.tool_call(name, arguments),
        };
    }
    let (input, cached, output) = script.tokens();
    recording = recording.usage(input, cached, output).cache_written(script.cache_written);
    recording = match &script.end {
        End::Length => recording.incomplete("max_output_tokens"),
        End::Failed { code, message } => recording.failed(code, message),
        End::Cut => recording.cut(),
        End::Hang => recording.hang(),
        _ => recording,
    };
    let n_blocks = script.blocks.len();
    recording.sse().split_inclusive("\n\n").map(|text| event(text, n_blocks)).collect()
}

fn event(text: &str, n_blocks: usize) -> Event {
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    let data = rest.lines().next().and_then(|line| line.strip_prefix("data: ")).unwrap_or_default();
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let begins = match name.strip_prefix("event: response.").unwrap_or_default() {
        "output_item.added" => data["output_index"].as_u64().and_then(|place| usize::try_from(place).ok()),
        "completed" | "incomplete" | "failed" => Some(n_blocks),
        _ => None,
    };
    Event { begins, text: text.to_owned() }
}

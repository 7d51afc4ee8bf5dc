//! Conversations for tests.

use std::sync::Arc;

use bytes::Bytes;
use expect_test::Expect;
use serde_json::{Value, json};

use crate::{
    Answer, Block, Initiator, Item, ItemKind, Part, Request, StopReason, ThinkingLevel, ToolCall, ToolSpec,
};

pub(crate) fn request(items: Vec<Item>) -> Request {
    Request {
        model: "gpt-5".into(),
        instructions: "Be brief.".into(),
        tools: [].into(),
        items: Arc::new(items.into_iter().map(Arc::new).collect()),
        thinking: None,
        cache_key: "session".into(),
        max_output_tokens: None,
        context_window: None,
        images: None,
        streams: true,
        initiator: Initiator::User,
    }
}

/// One that has everything.
pub(crate) fn full_request() -> Request {
    Request {
        tools: [ToolSpec {
            name: "read".into(),
            description: "Reads a file.".into(),
            parameters: json!({ "type": "object", "properties": { "path": { "type": "string" } } }),
        }]
        .into(),
        thinking: Some(ThinkingLevel::High),
        max_output_tokens: Some(3000),
        ..request(vec![Item::user("Why?")])
    }
}

pub(crate) fn answer(blocks: Vec<Block>) -> Item {
    answer_of("work", blocks)
}

pub(crate) fn answer_of(provider: &str, blocks: Vec<Block>) -> Item {
    Item::new(ItemKind::Assistant(Answer {
        provider: provider.into(),
        model: "gpt-5".into(),
        response_id: None,
        blocks,
        stop: StopReason::Stop,
        usage: None,
    }))
}

/// Thinking with what goes back of it.
pub(crate) fn thought(replay: impl Into<String>) -> Block {
    Block::Thinking { text: "Hm.".into(), replay: Some(replay.into()) }
}

pub(crate) fn said(text: &str) -> Block {
    Block::Text { text: text.into(), phase: None }
}

pub(crate) fn call(call_id: &str) -> Block {
    call_with(call_id, "{\"path\":\"a\"}")
}

pub(crate) fn call_with(call_id: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall { call_id: call_id.into(), name: "read".into(), arguments: arguments.into() })
}

pub(crate) fn result(call_id: &str, output: &[&str]) -> Item {
    result_of(call_id, output.iter().map(|text| Part::Text((*text).into())).collect())
}

pub(crate) fn result_of(call_id: &str, output: Vec<Part>) -> Item {
    Item::new(ItemKind::ToolResult { call_id: call_id.into(), output })
}

pub(crate) fn image() -> Part {
    Part::Image { mime_type: "image/png".into(), data: "aGk=".into() }
}

/// The text of a body, which is JSON.
pub(crate) fn joined(pieces: &[Bytes]) -> String {
    let text = String::from_utf8(pieces.concat()).unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    text
}

/// A list, one element a line.
pub(crate) fn lines(list: &Value) -> String {
    list.as_array().unwrap().iter().map(|element| format!("{element}\n")).collect()
}

/// Of two requests, the second longer by some items: all but the end of the first is in the second too, and
/// the large pieces are the same memory, so that nothing was rendered again.
#[track_caller]
pub(crate) fn check_shared(first: &[Bytes], second: &[Bytes], n_end: usize) {
    let shared = first.len() - n_end;
    for (at, (old, new)) in first.iter().zip(second).take(shared).enumerate() {
        assert_eq!(old, new);
        // What is not kept is the model's name, the options, and brackets.
        let small = at < 3 || old.len() < 40;
        assert!(small || old.as_ptr() == new.as_ptr(), "piece {at} was rendered again: {old:?}");
    }
}

/// What a family shows of images to a model that sees none: the messages of the field, one a line. What has
/// no images is rendered once, whichever model is asked.
#[track_caller]
pub(crate) fn check_unseen(render: impl Fn(&Request) -> Vec<Bytes>, field: &str, shown: Expect) {
    let request = request(vec![
        Item::user("One."),
        Item::new(ItemKind::User {
            parts: vec![Part::Text("Look:".into()), image(), Part::Text("See?".into())],
        }),
        answer(vec![call("call_a"), call("call_b")]),
        result_of("call_a", vec![image()]),
        result_of("call_b", vec![Part::Text("b".into()), image()]),
    ]);
    let render = |images| render(&Request { images, ..request.clone() });
    let seen = render(Some(true));
    let unseen = render(Some(false));
    let body: Value = serde_json::from_str(&joined(&unseen)).unwrap();
    shown.assert_eq(&lines(&body[field]));

    check_shared(&unseen, &render(Some(false)), 0);
    let first = |pieces: &[Bytes]| {
        let first = pieces.iter().find(|piece| piece.windows(4).any(|text| text == b"One."));
        first.unwrap().as_ptr()
    };
    assert_eq!(first(&unseen), first(&seen));
    assert_eq!(render(Some(true)), seen, "after a switch back");
    assert_eq!(render(None), seen, "where nobody knows");
}

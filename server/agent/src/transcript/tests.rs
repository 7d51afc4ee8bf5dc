use expect_test::{Expect, expect};

use super::*;

fn answer(calls: &[&str]) -> Answer {
    let call = |id: &&str| {
        Block::ToolCall(ToolCall { call_id: (*id).into(), name: "read".into(), arguments: "{}".into() })
    };
    Answer {
        provider: "p".into(),
        model: "m".into(),
        response_id: None,
        blocks: calls.iter().map(call).collect(),
        stop: StopReason::ToolUse,
        usage: None,
    }
}

fn text(text: &str) -> Vec<Part> {
    vec![Part::Text(text.into())]
}

#[track_caller]
fn check(build: impl FnOnce(&mut Transcript), expected: Expect) {
    let mut transcript = Transcript::default();
    transcript.push_user(text("hi"));
    build(&mut transcript);
    let mut out = String::new();
    for item in transcript.items().iter() {
        out += &match &item.kind {
            ItemKind::User { parts } => format!("user {parts:?}\n"),
            ItemKind::Assistant(answer) => {
                format!("assistant {:?} calls {}\n", answer.text(), answer.tool_calls().count())
            }
            ItemKind::ToolResult { call_id, output } => format!("result {call_id} {output:?}\n"),
        };
    }
    out += &format!("wants answer: {}, typed: {}\n", transcript.wants_answer(), transcript.last_is_typed());
    expected.assert_eq(&out);
}

#[test]
fn results_go_back_in_call_order() {
    check(
        |transcript| {
            transcript.push_answer(answer(&["a", "b"]));
            transcript.end_call(&CallId::new("b"), text("2"));
            transcript.end_call(&CallId::new("a"), text("1"));
        },
        expect![[r#"
            user [Text("hi")]
            assistant "" calls 2
            result a [Text("1")]
            result b [Text("2")]
            wants answer: true, typed: false
        "#]],
    );
}

#[test]
fn an_abort_pairs_what_is_open() {
    check(
        |transcript| {
            transcript.push_answer(answer(&["a", "b"]));
            transcript.end_call(&CallId::new("b"), text("2"));
            transcript.close_open("aborted");
        },
        expect![[r#"
            user [Text("hi")]
            assistant "" calls 2
            result a [Text("aborted")]
            result b [Text("2")]
            wants answer: true, typed: false
        "#]],
    );
}

#[test]
fn two_calls_with_the_same_id_get_a_result_each() {
    check(
        |transcript| {
            transcript.push_answer(answer(&["a", "a"]));
            transcript.end_call(&CallId::new("a"), text("1"));
            transcript.end_call(&CallId::new("a"), text("2"));
            transcript.end_call(&CallId::new("a"), text("3"));
        },
        expect![[r#"
            user [Text("hi")]
            assistant "" calls 2
            result a [Text("1")]
            result a [Text("2")]
            wants answer: true, typed: false
        "#]],
    );
}

#[test]
fn a_partial_answer_is_kept_with_its_mark() {
    check(
        |transcript| transcript.push_partial("p", "m", "so far".into()),
        expect![[r#"
            user [Text("hi")]
            assistant "so far" calls 0
            user [Text("[The user interrupted the answer here.]")]
            wants answer: true, typed: false
        "#]],
    );
}

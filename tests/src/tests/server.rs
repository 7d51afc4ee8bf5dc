//! The editor against a server that says what a test wants.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::background;
use crate::editor::{Apply, Confirm, Editor, Options, Order, Outcome, Profile, Reply, Stale, Typing};
use crate::frame::{FrameReader, Framing};

/// A server that says some messages when it is told to go, and all else as it should.
fn scripted(options: Options, messages: Vec<Value>) -> Editor {
    let (to_server, from_editor) = tokio::io::duplex(1024);
    let (mut to_editor, from_server) = tokio::io::duplex(1024);
    let framing = options.framing;
    let knows_opal = options.profile.knows_opal();
    background::spawn(async move {
        let mut frames = FrameReader::new(from_editor, framing);
        while let Some(frame) = frames.next().await.unwrap() {
            let message: Value = serde_json::from_slice(&frame).unwrap();
            let mut answers = Vec::new();
            match message["method"].as_str() {
                Some("exit") => break,
                Some("test/go") => answers = messages.clone(),
                _ => {}
            }
            let result = match message["method"].as_str() {
                Some("initialize") => {
                    let opal = knows_opal
                        .then(|| json!({ "version": 1, "methods": [], "position_encoding": "utf-16" }));
                    json!({ "capabilities": { "experimental": { "opal": opal } } })
                }
                Some("session/start") => json!({ "session_id": "s", "state": state(0, "idle") }),
                _ => Value::Null,
            };
            if message.get("id").is_some() && message.get("method").is_some() {
                answers.push(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
            }
            for answer in answers {
                to_editor.write_all(&framing.wrap(answer.to_string().as_bytes())).await.unwrap();
            }
        }
    });
    Editor::connect(from_server, to_server, options)
}

fn state(seq: u64, status: &str) -> Value {
    json!({
        "session_id": "s", "seq": seq, "status": status, "queue": [], "questions": [], "model": "m",
        "permission_mode": "ask", "working_dir": "/", "shell": "sh",
        "usage": { "used": 0, "input": 0, "cached": 0, "output": 0, "reasoning": 0 },
    })
}

fn event(seq: u64, event: Value) -> Value {
    let mut params = json!({ "session_id": "s", "seq": seq });
    for (field, value) in event.as_object().unwrap() {
        params[field] = value.clone();
    }
    json!({ "jsonrpc": "2.0", "method": "agent/event", "params": params })
}

/// Numbers events from 1.
fn events(events: &[Value]) -> Vec<Value> {
    events.iter().zip(1..).map(|(value, seq)| event(seq, value.clone())).collect()
}

async fn hear(options: Options, messages: Vec<Value>) -> Editor {
    let editor = scripted(options, messages);
    editor.initialize().await;
    editor.request("session/start", json!({ "working_dir": "/" })).await.unwrap();
    editor.request("test/go", json!({})).await.unwrap();
    editor
}

async fn check(messages: Vec<Value>, problems: Expect) -> Editor {
    let editor = hear(Options::default(), messages).await;
    problems.assert_eq(&editor.finish().await.join("\n"));
    editor
}

fn start() -> Value {
    json!({ "type": "agent_start" })
}

fn turn() -> Value {
    json!({ "type": "turn_start", "turn_id": "t", "text": "hello" })
}

fn turn_end() -> Value {
    let usage = json!({ "input": 0, "cached": 0, "output": 0, "reasoning": 0 });
    json!({ "type": "turn_end", "turn_id": "t", "message": "hi", "usage": usage })
}

fn end() -> Value {
    json!({ "type": "agent_end", "reason": "completed" })
}

fn message_start() -> Value {
    json!({ "type": "message_start", "message_id": "m" })
}

fn delta(text: &str) -> Value {
    json!({ "type": "message_delta", "message_id": "m", "delta": text })
}

fn message_end(text: &str) -> Value {
    json!({ "type": "message_end", "message_id": "m", "text": text })
}

#[tokio::test]
async fn a_good_run_has_no_problems() {
    let told =
        [start(), turn(), message_start(), delta("h"), delta("i"), message_end("hi"), turn_end(), end()];
    let editor = check(events(&told), expect![""]).await;
    expect![[r#"
        .t.u.r.n._.s.t.a.r.t. . .h.e.l.l.o.
        .m.e.s.s.a.g.e. . . . . .h.i.
        .a.g.e.n.t._.e.n.d. . . .c.o.m.p.l.e.t.e.d.
        ."#]]
    .assert_eq(&editor.transcript());
}

#[tokio::test]
async fn gaps_in_the_numbers_are_seen() {
    let told = vec![event(1, start()), event(3, end())];
    check(told, expect!["seq 3 came after 1"]).await;
    let mut merged = event(4, delta("hi"));
    merged["params"]["first_seq"] = json!(4);
    merged["params"]["seq"] = json!(7);
    let mut told = events(&[start(), turn(), message_start()]);
    told.extend([merged, event(8, message_end("hi")), event(9, turn_end()), event(10, end())]);
    check(told, expect![""]).await;
}

#[tokio::test]
async fn what_does_not_fit_together_is_seen() {
    let told = [start(), turn(), message_start(), delta("h"), message_end("hi"), turn_end(), end()];
    check(events(&told), expect![[r#"seq 5: message_end says "hi", the deltas said "h""#]]).await;
    let told = [start(), turn(), message_start(), turn_end(), end(), end()];
    check(
        events(&told),
        expect![[r#"
        seq 4: the turn ended, the message m did not
        seq 6: agent_end in an idle session"#]],
    )
    .await;
    check(events(&[start(), turn()]), expect!["session s: the story ended while it was running"]).await;
    let retry = json!({ "type": "retry", "message_id": "m", "attempt": 1, "delay_ms": 5, "reason": "cut" });
    check(events(&[start(), turn(), message_start(), delta("h"), retry, turn_end(), end()]), expect![""])
        .await;
    check(events(&[json!({ "type": "mystery" })]), expect!["seq 1: an event of an unknown type"]).await;
}

#[tokio::test]
async fn bad_messages_are_seen() {
    let told = vec![
        json!({ "jsonrpc": "2.0", "id": 99, "result": null }),
        json!({ "id": 1, "result": null, "jsonrpc": "2.0" }),
        json!({ "method": "window/logMessage", "params": {} }),
        json!([1]),
        json!({ "jsonrpc": "2.0", "method": "opal/secret" }),
    ];
    check(
        told,
        expect![[r#"
        an answer to 99, which was never asked: Ok(Null)
        initialize (id 1) was answered 2 times
        a message without jsonrpc 2.0: {"method":"window/logMessage","params":{}}
        a message is not an object: [1]
        a notification that no client knows: opal/secret"#]],
    )
    .await;
}

#[tokio::test]
async fn a_held_question_has_to_be_answered_or_withdrawn() {
    let question = json!({
        "session_id": "s", "question_id": "q", "title": "run ls", "message": "", "actions": ["allow", "deny"], "details": {},
    });
    let asked = json!({ "jsonrpc": "2.0", "id": "x", "method": "client/confirm", "params": question });
    check(vec![asked.clone()], expect![[r#"the story left client/confirm (id "x") unanswered"#]]).await;
    let resolved = json!({ "jsonrpc": "2.0", "method": "client/resolved", "params": { "session_id": "s", "question_id": "q" } });
    check(vec![asked.clone(), resolved], expect![""]).await;

    let editor = scripted(Options::default(), vec![asked]);
    editor.on_confirm(Confirm::Deny("not now"));
    editor.initialize().await;
    editor.request("test/go", json!({})).await.unwrap();
    assert_eq!(editor.finish().await, [""; 0]);
}

/// An edit of `one` to `two` in a document of version 2, and what the document then is.
async fn apply(version: i32, profile: Profile, apply: Option<Apply>) -> String {
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 3 } });
    let edit = json!({ "documentChanges": [{
        "textDocument": { "uri": "untitled:a", "version": version },
        "edits": [{ "range": range, "newText": "two" }],
    }] });
    let asked =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "workspace/applyEdit", "params": { "edit": edit } });
    let editor = scripted(Options { profile, ..Options::default() }, vec![asked]);
    editor.initialize().await;
    editor.open_untitled("untitled:a", "one 1\n");
    editor.set_text("untitled:a", "one 2\n");
    apply.into_iter().for_each(|apply| editor.on_edit(apply));
    editor.request("test/go", json!({})).await.unwrap();
    editor.release();
    let shown = format!("{} v{}", editor.text("untitled:a"), editor.document_version("untitled:a"));
    assert_eq!(editor.finish().await, [""; 0]);
    shown.replace('\n', "")
}

#[tokio::test]
async fn edits_are_applied_as_each_client_does() {
    assert_eq!(apply(2, Profile::Opal, None).await, "two 2 v3");
    assert_eq!(apply(1, Profile::VsCode, None).await, "one 2 v2");
    assert_eq!(apply(1, Profile::Neovim, None).await, "one 2 v2");
    let with = |outcome| Some(Apply { outcome, ..Apply::default() });
    assert_eq!(apply(2, Profile::Opal, with(Outcome::Refuse)).await, "one 2 v2");
    assert_eq!(apply(2, Profile::Opal, with(Outcome::Pretend)).await, "one 2 v2");
    assert_eq!(apply(2, Profile::Opal, with(Outcome::Differently(str::to_uppercase))).await, "TWO 2 v3");
    let typing = Typing { find: "2".into(), put: "3".into() };
    let both = Apply {
        typing: Some(typing),
        order: Order::AnswerFirst,
        reply: Reply::Held,
        stale: Stale::Refuse,
        outcome: Outcome::Apply,
    };
    assert_eq!(apply(2, Profile::Opal, Some(both)).await, "two 3 v3");
}

#[tokio::test]
async fn speaks_lines_too() {
    let told = events(&[start(), end()]);
    let editor = hear(Options { framing: Framing::Lines, ..Options::default() }, told).await;
    assert_eq!(editor.finish().await, [""; 0]);
}

#[tokio::test]
async fn an_editor_that_does_not_read_finds_it_all_later() {
    let editor = scripted(Options::default(), events(&[start(), end()]));
    editor.initialize().await;
    editor.stop_reading();
    let going = editor.start_request("test/go", json!({}));
    assert_eq!(editor.count("agent_end"), 0);
    editor.go_on_reading();
    going.answer().await.unwrap();
    assert_eq!(editor.count("agent_end"), 1);
    assert_eq!(editor.finish().await, [""; 0]);
}

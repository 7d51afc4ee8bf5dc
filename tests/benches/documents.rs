//! Edits of a big open document.

use std::time::Instant;

use replay::Recording;
use serde_json::{Value, json};

use crate::client::{Client, uri};
use crate::model::Model;
use crate::numbers::{median, ms, peak, quantile, resident};
use crate::table::{Row, Target};

const BYTES: usize = 10 << 20;
const EDITS: usize = 1000;

fn line(n: usize) -> String {
    format!("line {n:06}: some text that makes it as long as lines of programs are\n")
}

/// Opens a document of 10 MB that is not as on disk, so that nothing is saved; returns its URI and line count.
fn open(client: &mut Client) -> (String, usize) {
    let n_lines = BYTES / line(0).len();
    let text: String = (0..n_lines).map(line).collect();
    let path = client.directory.path().join("big.txt");
    std::fs::write(&path, &text).unwrap();
    let uri = uri(&path);
    let document = json!({ "uri": uri, "languageId": "plaintext", "version": 1, "text": text + "typed\n" });
    client.notify("textDocument/didOpen", json!({ "textDocument": document }));
    (uri, n_lines)
}

pub(crate) fn edits(rows: &mut Vec<Row>) {
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    let (_, n_lines) = open(&mut client);
    client.prompt(&session);
    let mut exchange = model.next();
    let mut version = 1;
    let mut times = Vec::new();
    for n in 0..EDITS {
        // A prime walks through the whole document.
        let old = format!("line {:06}:", n * 7919 % n_lines);
        let edit = json!({ "old_text": old, "new_text": old.replace("line", "edited") });
        let arguments = json!({ "path": "big.txt", "edits": [edit] });
        let call =
            Recording::new("bench").number(n as u32 + 1).tool_call("edit", arguments).usage(100, 0, 10);
        let last_byte = exchange.play(&call);
        apply(&mut client, &mut version);
        exchange = model.next();
        times.push(ms(exchange.at - last_byte));
    }
    exchange.play(&Recording::new("bench").text("Done.").usage(100, 0, 10));
    client.until("\"agent_end\"");
    rows.push(
        Row::new("an edit of an open 10 MB document, median", "ms", median(&times))
            .target(Target::AtMost(5.0)),
    );
    rows.push(Row::new("an edit of an open 10 MB document, p99", "ms", quantile(&times, 0.99)));
}

/// Does what `workspace/applyEdit` asks, as far as the server can see.
fn apply(client: &mut Client, version: &mut i64) {
    let request = loop {
        let message = client.next();
        assert!(!message.contains("\"ok\":false"), "the edit failed: {}", message.json());
        if message.contains("workspace/applyEdit") {
            break message.json();
        }
    };
    let edit = &request["params"]["edit"];
    let change = match &edit["documentChanges"] {
        Value::Array(changes) => changes[0].clone(),
        _ => {
            let (uri, edits) = edit["changes"].as_object().unwrap().iter().next().unwrap();
            json!({ "textDocument": { "uri": uri }, "edits": edits })
        }
    };
    let content = |edit: &Value| json!({ "range": edit["range"], "text": edit["newText"] });
    let changes: Vec<_> = change["edits"].as_array().unwrap().iter().rev().map(content).collect();
    *version += 1;
    let document = json!({ "uri": change["textDocument"]["uri"], "version": version });
    client.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    client.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": { "applied": true } }));
}

pub(crate) fn changes(rows: &mut Vec<Row>) {
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    let (uri, n_lines) = open(&mut client);
    client.request("agent/state", json!({ "session_id": session }));
    let begin = Instant::now();
    for n in 0..EDITS {
        let position = json!({ "line": n * 7919 % n_lines, "character": 4 });
        let change = json!({ "range": { "start": position, "end": position }, "text": "x" });
        let document = json!({ "uri": uri, "version": n + 2 });
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [change] }),
        );
    }
    client.request("agent/state", json!({ "session_id": session }));
    let each = ms(begin.elapsed()) / EDITS as f64;
    rows.push(Row::new("a didChange of an open 10 MB document", "ms", each));
}

/// Memory for a closed file that is edited, and what stays of documents that were closed.
pub(crate) fn memory(rows: &mut Vec<Row>) {
    const FILE: usize = 20 << 20;
    const DOCUMENT: usize = 60 << 20;
    let mb = |n_bytes: usize| (n_bytes >> 20) as f64;
    let text = |n_bytes: usize| -> String { (0..n_bytes / line(0).len()).map(line).collect() };
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    let path = client.directory.path().join("large.txt");
    std::fs::write(&path, text(FILE)).unwrap();
    let before = resident(client.pid());
    client.prompt(&session);
    let edit = json!({ "old_text": line(100_000), "new_text": "edited\n" });
    let call = json!({ "path": "large.txt", "edits": [edit] });
    model.next().play(&Recording::new("bench").tool_call("edit", call).usage(100, 0, 10));
    model.next().play(&Recording::new("bench").text("Done.").usage(100, 0, 10));
    client.until("\"agent_end\"");
    assert!(std::fs::metadata(&path).unwrap().len() < text(FILE).len() as u64, "the edit failed");
    let beyond = peak(client.pid()) - before;
    rows.push(
        Row::new("an edit of a closed file of 20 MB, peak memory for it", "MB", beyond).baseline(mb(FILE)),
    );

    let (mut client, _) = Client::opal_with_session(model.url(), "full");
    let before = resident(client.pid());
    for name in ["a", "b"] {
        let uri = uri(&client.directory.path().join(name));
        let document = json!({ "uri": uri, "languageId": "plaintext", "version": 1, "text": text(DOCUMENT) });
        client.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }
    client.request("session/list", json!({}));
    let open = resident(client.pid()) - before;
    rows.push(Row::new("two open documents of 60 MB", "MB", open).baseline(mb(2 * DOCUMENT)));
    for name in ["a", "b"] {
        let uri = uri(&client.directory.path().join(name));
        client.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }
    client.request("session/list", json!({}));
    // The memory is given back beside the answer.
    std::thread::sleep(std::time::Duration::from_secs(1));
    rows.push(Row::new("  what stays when they are closed", "MB", resident(client.pid()) - before));
}

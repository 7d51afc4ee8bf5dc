//! From the model's last byte to the request that carries the result of its call.

use std::process::{Command, Stdio};
use std::time::Instant;

use replay::Recording;
use serde_json::{Value, json};

use crate::client::Client;
use crate::model::Model;
use crate::numbers::{median, ms};
use crate::table::{Row, Target};

const CALLS: usize = 100;

pub(crate) fn round_trips(rows: &mut Vec<Row>) {
    let read = calls("read", |n| json!({ "path": format!("file{n}.txt") }));
    rows.push(
        Row::new("read: the call's last byte to the next request", "ms", read).target(Target::AtMost(0.5)),
    );
    let shell = calls("shell", |n| json!({ "command": format!("true {n}") }));
    rows.push(
        Row::new("shell true: the same", "ms", shell).target(Target::AtMost(3.0)).baseline(plain_shell()),
    );
}

fn calls(tool: &str, arguments: impl Fn(usize) -> Value) -> f64 {
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    for n in 0..CALLS {
        std::fs::write(client.directory.path().join(format!("file{n}.txt")), "a line\n".repeat(50)).unwrap();
    }
    client.prompt(&session);
    let mut exchange = model.next();
    let mut times = Vec::new();
    for n in 0..CALLS {
        let call =
            Recording::new("bench").number(n as u32 + 1).tool_call(tool, arguments(n)).usage(100, 0, 10);
        let last_byte = exchange.play(&call);
        exchange = model.next();
        times.push(ms(exchange.at - last_byte));
    }
    exchange.play(&Recording::new("bench").text("Done.").usage(100, 0, 10));
    client.until("\"agent_end\"");
    median(&times)
}

/// What it costs to run `sh -c true` and nothing else.
fn plain_shell() -> f64 {
    let run = |_| {
        let begin = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap();
        ms(begin.elapsed())
    };
    median(&(0..CALLS).map(run).collect::<Vec<_>>())
}

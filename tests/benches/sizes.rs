//! How soon it is there, and how much it takes up.

use std::time::{Duration, Instant};

use replay::Recording;
use serde_json::json;

use crate::client::Client;
use crate::model::Model;
use crate::numbers::{cpu, median, ms, resident, switches};
use crate::table::{Row, Target};

pub(crate) fn start(rows: &mut Vec<Row>) {
    const RUNS: usize = 30;
    let time = |start: &dyn Fn() -> Client| -> f64 {
        let runs: Vec<_> = (0..RUNS)
            .map(|_| {
                let begin = Instant::now();
                let mut client = start();
                client
                    .request("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
                ms(begin.elapsed())
            })
            .collect();
        median(&runs)
    };
    let model = Model::start();
    let opal = time(&|| Client::opal(model.url()));
    let relay = time(&|| Client::relay(model.url()));
    rows.push(
        Row::new("spawn to the answer to initialize", "ms", opal).target(Target::AtMost(5.0)).baseline(relay),
    );
}

pub(crate) fn memory(rows: &mut Vec<Row>) {
    const SESSIONS: usize = 100;
    let model = Model::start();
    let mut relay = Client::relay(model.url());
    relay.request("initialize", json!({}));
    let baseline = resident(relay.pid());

    let mut client = Client::opal(model.url());
    client.initialize();
    rows.push(
        Row::new("memory after initialize", "MB", resident(client.pid()))
            .target(Target::AtMost(10.0))
            .baseline(baseline),
    );

    let session = client.start_session("full");
    turn(&model, &mut client, &session);
    rows.push(
        Row::new("memory after one prompt", "MB", resident(client.pid()))
            .target(Target::AtMost(15.0))
            .baseline(baseline),
    );

    let before = resident(client.pid());
    for _ in 0..SESSIONS {
        client.start_session("full");
    }
    let idle = (resident(client.pid()) - before) / SESSIONS as f64;
    rows.push(Row::new("memory of a further session", "MB", idle).target(Target::AtMost(0.1)));

    let before = resident(client.pid());
    for _ in 0..SESSIONS {
        let session = client.start_session("full");
        turn(&model, &mut client, &session);
    }
    let used = (resident(client.pid()) - before) / SESSIONS as f64;
    rows.push(Row::new("memory of a further session, with a prompt", "MB", used).target(Target::AtMost(0.1)));
}

fn turn(model: &Model, client: &mut Client, session: &str) {
    client.prompt(session);
    model.next().play(&Recording::new("bench").text("A short answer.").usage(100, 0, 10));
    client.until("agent_end");
}

pub(crate) fn idle(rows: &mut Vec<Row>) {
    const TIME: Duration = Duration::from_secs(3);
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    turn(&model, &mut client, &session);
    // What a turn leaves to do, such as writing, is no idling.
    std::thread::sleep(Duration::from_secs(1));
    let before = (cpu(client.pid()), switches(client.pid()));
    std::thread::sleep(TIME);
    let used = (cpu(client.pid()) - before.0) * 1e3;
    rows.push(Row::new("CPU in 3 s of idling", "ms", used).target(Target::AtMost(0.0)));
    let woken = switches(client.pid()) - before.1;
    rows.push(Row::new("wake-ups in 3 s of idling", "", woken).target(Target::AtMost(0.0)));
}

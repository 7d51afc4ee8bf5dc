//! What a turn costs beside the model.

use std::time::Instant;

use replay::Recording;
use serde_json::Value;

use crate::client::Client;
use crate::model::Model;
use crate::numbers::{median, ms};
use crate::table::{Row, Target};

fn answer() -> Recording {
    Recording::new("bench").text("A short answer, as models give when little was asked.").usage(100, 0, 10)
}

pub(crate) fn turn(rows: &mut Vec<Row>) {
    const TURNS: usize = 100;
    let model = Model::start();
    let (mut opal, session) = Client::opal_with_session(model.url(), "full");
    let mut relay = Client::relay(model.url());
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..TURNS {
        let begin = Instant::now();
        opal.prompt(&session);
        let mut exchange = model.next();
        times[0].push(ms(exchange.at - begin));
        let last_byte = exchange.play(&answer());
        times[1].push(ms(opal.until("\"agent_end\"").at - last_byte));

        let begin = Instant::now();
        relay.notify("go", Value::Null);
        let mut exchange = model.next();
        times[2].push(ms(exchange.at - begin));
        let last_byte = exchange.play(&answer());
        times[3].push(ms(relay.until("\"end\"").at - last_byte));
    }
    let [to_request, to_end, relay_to_request, relay_to_end] = times.map(|times| median(&times));
    rows.push(
        Row::new("prompt to the request at the model", "ms", to_request)
            .target(Target::AtMost(1.0))
            .baseline(relay_to_request),
    );
    rows.push(
        Row::new("the model's last byte to agent_end", "ms", to_end)
            .target(Target::AtMost(0.5))
            .baseline(relay_to_end),
    );
}

pub(crate) fn history(rows: &mut Vec<Row>) {
    const TURNS: usize = 1000;
    const SOME: usize = 50;
    let model = Model::start();
    let (mut client, session) = Client::opal_with_session(model.url(), "full");
    let mut times = Vec::new();
    let mut n_bytes = 0;
    for _ in 0..TURNS {
        let begin = Instant::now();
        client.prompt(&session);
        let mut exchange = model.next();
        n_bytes = exchange.n_bytes;
        exchange.play(&answer());
        times.push(ms(client.until("\"agent_end\"").at - begin));
    }
    // The very first one connects; the median of some hides that on purpose.
    let (first, last) = (median(&times[..SOME]), median(&times[TURNS - SOME..]));
    rows.push(
        Row::new("the 1,000th turn, beside the first", "ms", last)
            .target(Target::TimesBaseline(1.2))
            .baseline(first),
    );
    let plain: Vec<_> = (0..SOME).map(|_| ms(model.plain_request(n_bytes))).collect();
    rows.push(Row::new(format!("  of it, sending a request of {} KB", n_bytes / 1024), "ms", median(&plain)));
}

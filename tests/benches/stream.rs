//! Text on its way from the model's socket to the editor's pipe.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::model::{Model, deltas};
use crate::numbers::{cpu, median, ms, quantile};
use crate::table::{Row, Target};

/// Whoever is in the middle: how to start an answer, and how its end is known.
struct Middle {
    client: Client,
    session: Option<String>,
}

impl Middle {
    fn opal(model: &Model) -> Self {
        let (client, session) = Client::opal_with_session(model.url(), "full");
        Self { client, session: Some(session) }
    }

    fn relay(model: &Model) -> Self {
        Self { client: Client::relay(model.url()), session: None }
    }

    fn go(&mut self) {
        match &self.session {
            Some(session) => self.client.prompt(session),
            None => self.client.notify("go", serde_json::Value::Null),
        }
    }

    fn end(&self) -> &'static str {
        match self.session {
            Some(_) => "\"agent_end\"",
            None => "\"end\"",
        }
    }
}

pub(crate) fn delay(rows: &mut Vec<Row>) {
    let model = Model::start();
    let opal = delays(&model, Middle::opal(&model));
    let relay = delays(&model, Middle::relay(&model));
    for (name, part, limit) in [("median", 0.5, Some(0.12)), ("p99", 0.99, None)] {
        let (measured, baseline) = (quantile(&opal, part), quantile(&relay, part));
        let row = Row::new(format!("delay of a delta, {name}"), "ms", measured).baseline(baseline);
        if let Some(limit) = limit {
            rows.push(row.clone().target(Target::AtMost(limit)));
        }
        rows.push(row.target(Target::TimesBaseline(1.5)));
    }
}

/// Sends deltas one by one, each after the one before has arrived and a pause.
fn delays(model: &Model, mut middle: Middle) -> Vec<f64> {
    const DELTAS: usize = 2000;
    const PAUSE: Duration = Duration::from_micros(500);
    let (before, deltas, after) = deltas(DELTAS);
    middle.go();
    let mut exchange = model.next();
    exchange.begin();
    exchange.send(&before);
    let mut delays = Vec::new();
    for (n, delta) in deltas.iter().enumerate() {
        std::thread::sleep(PAUSE);
        let sent = Instant::now();
        exchange.send(delta);
        let arrived = middle.client.until(&format!("word{n} "));
        delays.push(ms(arrived.at - sent));
    }
    exchange.send(&after);
    middle.client.until(middle.end());
    delays
}

pub(crate) fn throughput(rows: &mut Vec<Row>) {
    let model = Model::start();
    let opal = flood(&model, Middle::opal(&model));
    let relay = flood(&model, Middle::relay(&model));
    let rate = |name: &str| Row::new(name, "/s", opal.rate).baseline(relay.rate);
    rows.push(rate("20,000 deltas at once").target(Target::AtLeast(500_000.0)));
    rows.push(rate("20,000 deltas at once").target(Target::PartOfBaseline(0.5)));
    rows.push(Row::new("  frames for them", "", opal.n_frames).baseline(relay.n_frames));
    rows.push(Row::new("  CPU of a delta", "µs", opal.cpu).target(Target::AtMost(2.0)).baseline(relay.cpu));
}

struct Flood {
    /// Deltas a second.
    rate: f64,
    n_frames: f64,
    /// Microseconds a delta.
    cpu: f64,
}

/// Sends all deltas as fast as they are taken.
fn flood(model: &Model, mut middle: Middle) -> Flood {
    const DELTAS: usize = 20_000;
    const RUNS: usize = 7;
    let (before, deltas, after) = deltas(DELTAS);
    let all: Vec<u8> = deltas.concat();
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        middle.go();
        let mut exchange = model.next();
        exchange.begin();
        exchange.send(&before);
        std::thread::sleep(Duration::from_millis(20));
        let (frames_before, cpu_before) = (middle.client.n_frames, cpu(middle.client.pid()));
        let (all, after) = (all.clone(), after.clone());
        let begin = Instant::now();
        let writer = std::thread::spawn(move || {
            exchange.send(&all);
            exchange.send(&after);
        });
        let end = middle.client.until(middle.end());
        writer.join().unwrap();
        let n_frames = (middle.client.n_frames - frames_before) as f64;
        let cpu = (cpu(middle.client.pid()) - cpu_before) * 1e6 / DELTAS as f64;
        runs.push((DELTAS as f64 / (end.at - begin).as_secs_f64(), n_frames, cpu));
    }
    let of = |pick: fn(&(f64, f64, f64)) -> f64| median(&runs.iter().map(pick).collect::<Vec<_>>());
    Flood { rate: of(|run| run.0), n_frames: of(|run| run.1), cpu: of(|run| run.2) }
}

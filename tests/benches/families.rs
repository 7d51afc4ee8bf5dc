//! The wires that models are reached by: how fast their streams are read, and what a long history costs.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use provider::{Endpoint, Initiator, Item, Provider, Request, Timeouts};
use tests::Family;
use tests::model::Script;

use crate::client::Client;
use crate::model::{END, Model, events};
use crate::numbers::{cpu, median, ms, resident};
use crate::table::{Row, Target};

/// Reads streams with nothing around but HTTP, beside a program that splits the same bytes into lines.
pub(crate) fn decode(rows: &mut Vec<Row>) {
    const RUNS: usize = 9;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let words: String = (0..60_000).map(|n| format!("word{n} ")).collect();
    for family in Family::ALL {
        let model = Model::start();
        let provider = connect(family, model.url());
        let stream = Script::default().text(words.as_str()).sse(family, 1);
        let mb = stream.len() as f64 / 1e6;
        let chunks: Vec<u8> = [events(&stream).concat(), END.to_vec()].concat();
        let rate = |read: &(dyn Fn() -> f64 + Sync)| {
            let runs: Vec<f64> = (0..RUNS)
                .map(|_| {
                    std::thread::scope(|scope| {
                        let reading = scope.spawn(read);
                        let mut exchange = model.next();
                        exchange.begin();
                        exchange.send(&chunks);
                        mb / reading.join().unwrap()
                    })
                })
                .collect();
            median(&runs)
        };
        let read = rate(&|| {
            let begin = Instant::now();
            runtime.block_on(async {
                let mut answer = provider.answer(request());
                while let Some(events) = answer.next().await {
                    std::hint::black_box(events.unwrap());
                }
            });
            begin.elapsed().as_secs_f64()
        });
        let url = model.url().to_owned();
        let split = rate(&|| split_lines(&url));
        let row = Row::new(format!("reading a stream of {}", family.api()), "MB/s", read).baseline(split);
        rows.push(row.target(Target::AtLeast(50.0)));
    }
}

/// Asks, and reads the answer line by line; returns how many seconds that took.
fn split_lines(url: &str) -> f64 {
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let mut line = Vec::new();
    // The last chunk is empty.
    while line != b"0\r\n" {
        line.clear();
        reader.read_until(b'\n', &mut line).unwrap();
        std::hint::black_box(&line);
    }
    begin.elapsed().as_secs_f64()
}

fn connect(family: Family, url: &str) -> Arc<dyn Provider> {
    let endpoint = Endpoint {
        name: "bench".into(),
        base_url: url.into(),
        api_key: None,
        key_header: None,
        headers: Vec::new(),
    };
    let connect = match family {
        Family::Responses => provider::responses,
        Family::Chat => provider::chat,
        Family::Anthropic => provider::anthropic,
    };
    connect(endpoint, Timeouts::default()).unwrap()
}

fn request() -> Request {
    Request {
        model: "bench".into(),
        instructions: "Help.".into(),
        tools: [].into(),
        items: Arc::new(vec![Arc::new(Item::user("count"))]),
        thinking: None,
        cache_key: "bench".into(),
        max_output_tokens: None,
        context_window: None,
        images: None,
        streams: true,
        initiator: Initiator::User,
    }
}

/// Turn after turn with 200,000 tokens of history: only what is new is encoded.
pub(crate) fn long_history(rows: &mut Vec<Row>) {
    const TURNS: u32 = 100;
    /// About 10,000 tokens, twenty times.
    const LONG: &str = "A line of an answer that is about as long as most are, give or take.\n";
    for family in Family::ALL {
        let model = Model::start();
        let mut client = Client::opal_of(model.url(), family.api());
        client.initialize();
        let session = client.start_session("full");
        let answer = |client: &mut Client, script: Script, n: u32| {
            client.prompt(&session);
            let mut exchange = model.next();
            exchange.begin();
            exchange.send(&[events(&script.sse(family, n)).concat(), END.to_vec()].concat());
            client.until("\"agent_end\"");
            exchange.n_bytes
        };
        for n in 0..20 {
            answer(&mut client, Script::default().text(LONG.repeat(580)), n);
        }
        let before = (resident(client.pid()), cpu(client.pid()));
        let mut n_bytes = 0;
        let mut times = Vec::new();
        for n in 0..TURNS {
            let begin = Instant::now();
            n_bytes = answer(&mut client, Script::default().text("Yes."), 20 + n);
            times.push(ms(begin.elapsed()));
        }
        let name = format!("{}, requests of {} KB", family.api(), n_bytes / 1024);
        let after = resident(client.pid());
        rows.push(
            Row::new(format!("memory, {name}"), "MB", after)
                .baseline(before.0)
                .target(Target::TimesBaseline(1.2)),
        );
        let plain: Vec<f64> = (0..20).map(|_| ms(model.plain_request(n_bytes))).collect();
        rows.push(
            Row::new("  a turn, beside sending as much", "ms", median(&times)).baseline(median(&plain)),
        );
        let used = (cpu(client.pid()) - before.1) * 1e3 / f64::from(TURNS);
        rows.push(Row::new("  CPU of it", "ms", used).target(Target::AtMost(5.0)));
    }
}

//! The model, played by hand: blocking sockets, so that each write happens exactly when it is timed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use replay::Recording;

/// A service on loopback; whoever asks waits until this program answers.
pub(crate) struct Model {
    url: String,
    requests: Receiver<Exchange>,
}

/// One request, and the way to answer it.
pub(crate) struct Exchange {
    /// When its first byte came.
    pub at: Instant,
    /// When its last byte came.
    pub whole: Instant,
    pub n_bytes: usize,
    stream: TcpStream,
}

impl Model {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (to_main, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let to_main = to_main.clone();
                std::thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    while let Some(exchange) = receive(&stream) {
                        if to_main.send(exchange).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The time in which a request of this size is sent and received, and nothing else.
    pub(crate) fn plain_request(&self, n_bytes: usize) -> Duration {
        let mut stream =
            TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches("/v1")).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request =
            format!("POST /v1/responses HTTP/1.1\r\ncontent-length: {n_bytes}\r\n\r\n").into_bytes();
        request.resize(request.len() + n_bytes, b' ');
        let begin = Instant::now();
        stream.write_all(&request).unwrap();
        self.next().whole - begin
    }

    /// Waits for the next request.
    pub(crate) fn next(&self) -> Exchange {
        self.requests.recv().unwrap()
    }
}

/// Reads one request; `None` when the client has gone.
fn receive(mut stream: &TcpStream) -> Option<Exchange> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let mut at = None;
    loop {
        let n_bytes = stream.read(&mut buffer).ok().filter(|n_bytes| *n_bytes > 0)?;
        at.get_or_insert_with(Instant::now);
        bytes.extend_from_slice(&buffer[..n_bytes]);
        let Some(head) = bytes.windows(4).take(1 << 14).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        if text.starts_with("get ") {
            // The list of models, which this service has none of.
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok()?;
            (bytes, at) = (Vec::new(), None);
            continue;
        }
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
        if bytes.len() >= head + 4 + length {
            let stream = stream.try_clone().unwrap();
            return Some(Exchange { at: at?, whole: Instant::now(), n_bytes: bytes.len(), stream });
        }
    }
}

impl Exchange {
    /// Sends the head of a stream.
    pub(crate) fn begin(&mut self) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        self.stream.write_all(head.as_bytes()).unwrap();
    }

    /// Sends bytes of the body that are chunks already.
    pub(crate) fn send(&mut self, chunks: &[u8]) {
        self.stream.write_all(chunks).unwrap();
    }

    /// Answers with a whole stream; returns when its last byte was about to be sent.
    pub(crate) fn play(&mut self, recording: &Recording) -> Instant {
        self.begin();
        let mut events = events(&recording.sse());
        let last = events.pop().unwrap();
        self.send(&events.concat());
        let at = Instant::now();
        self.send(&[last, END.to_vec()].concat());
        at
    }
}

/// The end of a chunked body.
pub(crate) const END: &[u8] = b"0\r\n\r\n";

/// The events of a stream, each as a chunk of its own.
pub(crate) fn events(stream: &str) -> Vec<Vec<u8>> {
    stream
        .split_inclusive("\n\n")
        .map(|event| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes())
        .collect()
}

/// A stream of `n` short deltas: what comes before them, the deltas, and what comes after.
pub(crate) fn deltas(n: usize) -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
    let words: Vec<_> = (0..n).map(|n| format!("word{n} ")).collect();
    let events = events(&Recording::new("bench").text(words.concat()).usage(100, 0, 10).sse());
    let is_delta = |event: &[u8]| event.windows(25).any(|window| window == b"response.output_text.delt");
    let first = events.iter().position(|event| is_delta(event)).unwrap();
    let last = events.iter().rposition(|event| is_delta(event)).unwrap();
    let (before, rest) = events.split_at(first);
    let (deltas, after) = rest.split_at(last + 1 - first);
    (before.concat(), deltas.to_vec(), [after.concat(), END.to_vec()].concat())
}

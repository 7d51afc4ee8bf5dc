//! The least a program between a model and an editor can do: the baseline of the benches.
//!
//! Answers every request with `null`. On the notification `go` it posts a request to the URL in `RELAY_URL` and
//! copies the text of each `response.output_text.delta` into a notification `delta`; when the stream is complete
//! it says `end`. Blocking, one thread, one connection, one write for all that one read has brought.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde::Deserialize;

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    delta: Cow<'a, str>,
}

fn main() -> io::Result<()> {
    let mut stdin = BufReader::new(io::stdin().lock());
    let mut connection = None;
    while let Some(body) = read_frame(&mut stdin)? {
        let message: Message = serde_json::from_slice(&body)?;
        if let Some(id) = message.id {
            let mut out = Vec::new();
            frame(&mut out, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#));
            write_all(&out)?;
        }
        match message.method.as_str() {
            "go" => relay(&mut connection)?,
            "exit" => break,
            _ => {}
        }
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a program of the tests, for a test to read")]
fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn read_frame(stdin: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stdin.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(": ") {
            Some((_, value)) => length = value.parse().map_err(io::Error::other)?,
            None => break,
        }
    }
    let mut body = vec![0; length];
    stdin.read_exact(&mut body)?;
    Ok(Some(body))
}

fn frame(out: &mut Vec<u8>, body: &str) {
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// Posts a request and relays what comes.
fn relay(connection: &mut Option<TcpStream>) -> io::Result<()> {
    let url = std::env::var("RELAY_URL").map_err(io::Error::other)?;
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(&host)?;
            stream.set_nodelay(true)?;
            connection.insert(stream)
        }
    };
    let body = r#"{"model":"m","input":[],"stream":true}"#;
    let head =
        format!("POST /v1/responses HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;

    // The text of a chunked body is lines too: what is no `data:` line is a chunk's size, and is passed over.
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        let old = buffer.len();
        buffer.resize(old + (1 << 16), 0);
        let n_bytes = stream.read(&mut buffer[old..])?;
        buffer.truncate(old + n_bytes);
        let mut out = Vec::new();
        let mut ended = n_bytes == 0;
        let whole = buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in buffer[..whole].split(|byte| *byte == b'\n') {
            let Some(data) = line.strip_prefix(b"data: ") else { continue };
            let Ok(event) = serde_json::from_slice::<Event>(data) else { continue };
            match event.kind.as_ref() {
                "response.output_text.delta" => {
                    let delta = serde_json::to_string(&event.delta)?;
                    frame(
                        &mut out,
                        &format!(r#"{{"jsonrpc":"2.0","method":"delta","params":{{"delta":{delta}}}}}"#),
                    );
                }
                "response.completed" => ended = true,
                _ => {}
            }
        }
        buffer.drain(..whole);
        if ended {
            frame(&mut out, r#"{"jsonrpc":"2.0","method":"end"}"#);
        }
        write_all(&out)?;
        if ended {
            return drain(stream, buffer);
        }
    }
}

/// Reads up to the last chunk, so that the connection can be used again.
fn drain(stream: &mut TcpStream, mut seen: Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    while !seen.ends_with(b"0\r\n\r\n") && !seen.is_empty() {
        let n_bytes = stream.read(&mut buffer)?;
        if n_bytes == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..n_bytes]);
    }
    Ok(())
}

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};

use crate::{Limits, Server, Settings};

/// Reads the next message, which must be a line.
async fn message<R: tokio::io::AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>) -> Value {
    let line = lines.next_line().await.unwrap().unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[tokio::test]
async fn a_warning_waits_until_the_client_is_ready() {
    let server = Server::new(Settings::default(), Limits::default());
    server.notify("a warning".into());
    let (client, other_end) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(other_end);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(reader, writer).await }
    });
    // What the server would send by itself, it sends now.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (reader, mut writer) = tokio::io::split(client);
    let mut lines = BufReader::new(reader).lines();
    let initialize =
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}});
    writer.write_all(format!("{initialize}\n").as_bytes()).await.unwrap();
    assert_eq!(message(&mut lines).await["id"], 1);
    let initialized = json!({"jsonrpc": "2.0", "method": "initialized", "params": {}});
    writer.write_all(format!("{initialized}\n").as_bytes()).await.unwrap();
    assert_eq!(message(&mut lines).await["params"]["message"], "Opal: a warning");
    server.shutdown().await;
    serving.await.unwrap();
}

//! The model, asked by hand.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::{FakeModel, Gate};

async fn ask(model: &FakeModel, text: &str) -> TcpStream {
    let body = json!({
        "model": "m", "instructions": "", "stream": true, "store": false, "prompt_cache_key": text,
        "input": [{ "role": "user", "content": text }],
    });
    let body = body.to_string();
    let address = model.url().replace("http://", "").replace("/v1", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await; // A cut stream ends with an error.
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn plays_what_is_scripted() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("hello").tool("read", json!({ "path": "a" })));
    model.next(|t| t.status(429).retry_after("7"));
    model.next(|t| t.text("half").cut());
    let answer = rest(ask(&model, "one").await).await;
    assert!(answer.contains("hello") && answer.contains("response.completed"), "{answer}");
    let refused = rest(ask(&model, "two").await).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 7"), "{refused}");
    let cut = rest(ask(&model, "three").await).await;
    assert!(cut.contains("half") && !cut.contains("response.completed"), "{cut}");
    assert_eq!(model.request(2).await.user_texts(), ["two"]);
}

#[tokio::test]
async fn waits_at_gates_and_knows_whom_it_answers() {
    let model = FakeModel::start().await;
    let gate = Gate::new();
    model.next_for("slow", |t| t.text("first").pause_until(&gate).text("second"));
    model.next_for("fast", |t| t.text("third"));
    let mut slow = ask(&model, "slow").await;
    let fast = rest(ask(&model, "fast").await).await;
    assert!(fast.contains("third"));
    let mut seen = String::new();
    while !seen.contains("first") {
        let mut buffer = [0; 4096];
        let n_bytes = slow.read(&mut buffer).await.unwrap();
        seen.push_str(std::str::from_utf8(&buffer[..n_bytes]).unwrap());
    }
    assert!(!seen.contains("second"));
    gate.open();
    assert!(rest(slow).await.contains("second"));
}

#[tokio::test]
#[should_panic(expected = "was not scripted")]
async fn a_request_without_a_script_fails_the_test() {
    let model = FakeModel::start().await;
    rest(ask(&model, "hello").await).await;
}

#[tokio::test]
#[should_panic(expected = "never asked for")]
async fn a_script_without_a_request_fails_the_test() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("nobody hears this"));
}

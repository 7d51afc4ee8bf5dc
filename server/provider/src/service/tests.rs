use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use super::*;
use crate::chat::Chat;
use crate::tests::prompt;

/// A body of which all is there.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

fn chunk(content: &str, reason: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":{reason}}}]}}\n\n"
    )
}

#[tokio::test]
async fn what_lies_there_after_the_grace_is_part_of_the_answer() {
    // It fills a batch, so that the rest lies there when the grace is over.
    let first = chunk("A", "\"stop\"") + ":" + &" ".repeat(256 << 10) + "\n\n";
    let pieces = [first, ": still here\n\n".into(), chunk("B", "null"), chunk("C", "\"stop\"")];
    let body = Pieces(pieces.map(Bytes::from).into());
    let decoder = Chat::compatible().decoder(Draft::new(&prompt(), "work"));
    let mut reading = Reading {
        body: reqwest::Body::wrap(body),
        idle: Duration::from_secs(60),
        is_overdue: false,
        format: Format::Unknown,
        decoding: Decoding::new(decoder, Duration::ZERO),
    };
    let mut text = None;
    while text.is_none() {
        let (batch, ended) = reading.batch("work").await;
        assert!(ended.is_none());
        text = batch.iter().find_map(|event| match event {
            AnswerEvent::Finished(answer) => Some(answer.text()),
            _ => None,
        });
    }
    assert_eq!(text.as_deref(), Some("ABC"));
}

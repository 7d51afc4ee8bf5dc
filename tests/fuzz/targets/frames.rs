#![no_main]
//! The frames of the editor's protocol: it does not matter in which pieces they come, and a whole frame
//! is read whatever came before it.

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

// The module by itself, so that nobody builds the whole server to fuzz it.
// Its tests are found only from its own place, which stops rustfmt.
#[allow(dead_code)]
#[rustfmt::skip]
#[path = "../../../server/opal/src/transport/frame.rs"]
mod frame;

use frame::{Frame, FrameReader};

const MAX_FRAME: usize = 64 * 1024;

/// A stream that always has its next piece ready.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn read(pieces: &[&[u8]]) -> Vec<String> {
    let pieces = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| piece.to_vec());
    let mut reader = FrameReader::new(Pieces(pieces.collect()), MAX_FRAME);
    let mut frames = Vec::new();
    loop {
        let next = pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()));
        match next {
            // How much of it is there when it is skipped is the one thing that the pieces decide.
            Poll::Ready(Some(Frame::TooLarge { why, .. })) => frames.push(why),
            Poll::Ready(Some(frame)) => frames.push(format!("{frame:?}")),
            Poll::Ready(None) => return frames,
            Poll::Pending => unreachable!("the stream is always ready"),
        }
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::check_pieces(input, read));

//! A request body that shares most of its memory with the one before.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A piece of this size is sent as it is, not copied.
const LARGE_PIECE: usize = 16 << 10;
/// Smaller ones are copied together up to this.
const GATHERED: usize = 128 << 10;

/// A request body in pieces, the large ones shared, not copied. Its length is known, so it is sent with one.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl Segments {
    /// Small pieces are copied together: a long conversation has thousands of them, and each would cost
    /// more on its way to the socket than its copy.
    pub(crate) fn new(pieces: Vec<Bytes>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut gathered = VecDeque::new();
        let mut small = Vec::new();
        for piece in pieces {
            if piece.len() < LARGE_PIECE {
                if small.len() + piece.len() > GATHERED {
                    gathered.push_back(mem::take(&mut small).into());
                }
                if small.is_empty() {
                    small.reserve(GATHERED.min(usize::try_from(left).unwrap_or(GATHERED)));
                }
                small.extend_from_slice(&piece);
                continue;
            }
            if !small.is_empty() {
                gathered.push_back(mem::take(&mut small).into());
            }
            gathered.push_back(piece);
        }
        if !small.is_empty() {
            gathered.push_back(small.into());
        }
        Self { pieces: gathered, left }
    }

    /// Copies all that is not sent yet.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.pieces.iter().flatten().copied().collect()
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| {
            self.left -= piece.len() as u64;
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

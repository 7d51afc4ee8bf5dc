//! Splitting a stream into frames, and finding the next one after a bad one.

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A header section beyond this is not LSP.
const MAX_HEADER: usize = 8 * 1024;
/// Room made for a read; a frame that is known to be larger gets its own size.
const READ_SIZE: usize = 64 * 1024;
/// A buffer beyond this is given up when little is left in it.
const KEEP_CAPACITY: usize = 256 * 1024;
/// How much of a skipped frame is looked at.
const BEGINNING: usize = 4 * 1024;
/// How often a byte is given back to the stream, on average.
const RETURNS: usize = 4;
const LENGTH: &[u8] = b"content-length:";
const HEADER_END: &[u8] = b"\r\n\r\n";

/// How messages are told apart on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// LSP's base protocol.
    ContentLength,
    /// One message a line, split on `\n` only.
    Lines,
}

/// What the stream had next.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message; not yet known to be JSON.
    Message(Bytes),
    /// Something that is no frame was skipped. To be answered with this text.
    Bad(String),
    /// A frame was skipped because of its size. `beginning` holds its first bytes, as far as they were received.
    TooLarge { why: String, beginning: Bytes },
}

/// Reads frames. The first byte decides the framing: `{` can only begin a line of JSON.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    framing: Option<Framing>,
    max_frame: usize,
    /// Bytes of an unfinished line that hold no line end: they are not looked at again.
    searched: usize,
    /// Skipping what is left of something bad.
    lost: bool,
    /// Bytes that may still be given back by [`FrameReader::reject`].
    returnable: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Frames beyond `max_frame` bytes are skipped.
    pub fn new(stream: R, max_frame: usize) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            framing: None,
            max_frame,
            searched: 0,
            lost: false,
            returnable: 0,
        }
    }

    /// Known after the first byte.
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// The next frame; `None` at the end of the stream or when it breaks. May be dropped while waiting
    /// without losing anything.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                return Some(frame);
            }
            self.buffer.reserve(READ_SIZE);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return None,
                // What was given back may be given back again, but not for each header that it holds.
                Ok(n) => self.returnable = self.returnable.saturating_add(n * RETURNS),
                Err(error) => {
                    tracing::debug!(%error, "the stream broke");
                    return None;
                }
            }
        }
    }

    /// Says that a message was not JSON. If the length before it was wrong, it may hold the beginning of
    /// the next frame, which is then given back to the stream, unless that happens all the time.
    pub fn reject(&mut self, message: &Bytes) {
        if self.framing != Some(Framing::ContentLength) {
            return;
        }
        if let Some(at) = find_header(message) {
            let Some(left) = self.returnable.checked_sub(message.len() - at + self.buffer.len()) else {
                return;
            };
            self.returnable = left;
            let mut rest = BytesMut::from(&message[at..]);
            rest.extend_from_slice(&self.buffer);
            self.buffer = rest;
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let framing = match self.framing {
            Some(framing) => framing,
            None => {
                let framing =
                    if *self.buffer.first()? == b'{' { Framing::Lines } else { Framing::ContentLength };
                *self.framing.insert(framing)
            }
        };
        match framing {
            Framing::Lines => self.take_line(),
            Framing::ContentLength => self.take_counted(),
        }
    }

    fn take_line(&mut self) -> Option<Frame> {
        loop {
            let Some(end) = memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                if self.lost || self.searched > self.max_frame {
                    let too_large = (!self.lost).then(|| self.too_large(&self.buffer));
                    self.buffer = BytesMut::new();
                    self.searched = 0;
                    self.lost = true;
                    return too_large;
                }
                return None;
            };
            let end = std::mem::take(&mut self.searched) + end;
            let line = self.split(end);
            self.buffer.advance(1);
            if std::mem::take(&mut self.lost) || line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(match line.len() > self.max_frame {
                true => self.too_large(&line),
                false => Frame::Message(line),
            });
        }
    }

    fn take_counted(&mut self) -> Option<Frame> {
        if self.lost {
            match find_header(&self.buffer) {
                Some(at) => {
                    self.buffer.advance(at);
                    self.lost = false;
                }
                None => {
                    // The beginning of a header may be at the end.
                    let keep = self.buffer.len().min(MAX_HEADER);
                    self.buffer.advance(self.buffer.len() - keep);
                    return None;
                }
            }
        }
        let head = &self.buffer[..self.buffer.len().min(MAX_HEADER)];
        let Some(header_end) = memmem::find(head, HEADER_END) else {
            return (self.buffer.len() >= MAX_HEADER).then(|| self.lose("there is no LSP header"));
        };
        let Some(length) = content_length(&self.buffer[..header_end]) else {
            self.buffer.advance(1);
            return Some(self.lose("the header has no valid Content-Length"));
        };
        let start = header_end + HEADER_END.len();
        if length > self.max_frame {
            // What follows tells what is skipped, unless the length is wrong and another frame follows.
            let rest = &self.buffer[start..];
            if rest.len() < BEGINNING && find_header(rest).is_none() {
                return None;
            }
            let too_large = self.too_large(&self.buffer[start..]);
            self.buffer.advance(header_end);
            self.lost = true;
            return Some(too_large);
        }
        let end = start + length;
        if self.buffer.len() < end {
            self.buffer.reserve(end - self.buffer.len());
            return None;
        }
        self.buffer.advance(start);
        Some(Frame::Message(self.split(length)))
    }

    /// Takes the first bytes out of the buffer, and what follows a large frame out of its buffer: else it would stay
    /// as large for ever.
    fn split(&mut self, length: usize) -> Bytes {
        let is_large = self.buffer.capacity() > KEEP_CAPACITY;
        let frame = self.buffer.split_to(length).freeze();
        if is_large && self.buffer.len() <= READ_SIZE {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        frame
    }

    fn lose(&mut self, why: &str) -> Frame {
        self.lost = true;
        Frame::Bad(why.to_owned())
    }

    fn too_large(&self, frame: &[u8]) -> Frame {
        let why = format!("the frame is larger than {} MiB", self.max_frame >> 20);
        Frame::TooLarge { why, beginning: Bytes::copy_from_slice(&frame[..frame.len().min(BEGINNING)]) }
    }
}

/// The value of the Content-Length among header lines.
fn content_length(header: &[u8]) -> Option<usize> {
    header.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        if !name.eq_ignore_ascii_case(LENGTH) {
            return None;
        }
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    })
}

/// Where a whole, valid header begins. JSON holds no raw line breaks inside its strings, so this is not
/// found in a message by accident.
fn find_header(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    memmem::find_iter(bytes, HEADER_END).find_map(|end| {
        let mut begin = from.max(end.saturating_sub(MAX_HEADER));
        from = end + HEADER_END.len();
        bytes[begin..end].split(|byte| *byte == b'\n').find_map(|line| {
            let found = find_length(line).map(|at| begin + at);
            begin += line.len() + 1;
            found
        })
    })
}

/// Where a valid Content-Length begins that ends with the line. Garbage may stand before it.
fn find_length(line: &[u8]) -> Option<usize> {
    // Only the last one can have a number behind it.
    let at = line.windows(LENGTH.len()).rposition(|window| window.eq_ignore_ascii_case(LENGTH))?;
    content_length(&line[at..]).map(|_| at)
}

#[cfg(test)]
mod tests;

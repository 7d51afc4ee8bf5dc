//! Frames, as a strict client reads and writes them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// LSP's: `Content-Length`, a blank line, the body.
    #[default]
    Header,
    /// One message a line.
    Lines,
}

impl Framing {
    /// Puts a body into a frame.
    pub fn wrap(self, body: &[u8]) -> Vec<u8> {
        match self {
            Framing::Header => {
                let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
                frame.extend_from_slice(body);
                frame
            }
            Framing::Lines => {
                let mut frame = body.to_vec();
                frame.push(b'\n');
                frame
            }
        }
    }
}

/// Why what came is not a frame.
#[derive(Debug)]
pub enum FrameError {
    Io(io::Error),
    /// The stream ended inside a frame.
    Cut(String),
    /// The bytes are no frame.
    Invalid(String),
}

/// Reads frames one by one.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    framing: Framing,
    buffer: Vec<u8>,
    /// How much of the buffer has been searched for the end of a line or header.
    searched: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(reader: R, framing: Framing) -> Self {
        Self { reader, framing, buffer: Vec::new(), searched: 0 }
    }

    /// Returns the next body, or `None` at a clean end of the stream.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            if let Some(body) = self.take()? {
                return Ok(Some(body));
            }
            let n_bytes = self.reader.read_buf(&mut self.buffer).await.map_err(FrameError::Io)?;
            if n_bytes == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(FrameError::Cut(show(&self.buffer))),
                };
            }
        }
    }

    /// Takes a whole frame out of the buffer, if one is there.
    fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let (start, end) = match self.framing {
            Framing::Header => {
                let Some(header_end) = self.find(b"\r\n\r\n") else {
                    return Ok(None);
                };
                let length = content_length(&self.buffer[..header_end])?;
                (header_end + 4, header_end + 4 + length)
            }
            Framing::Lines => {
                let Some(line_end) = self.find(b"\n") else {
                    return Ok(None);
                };
                (0, line_end)
            }
        };
        if self.buffer.len() < end {
            return Ok(None);
        }
        let body = self.buffer[start..end].to_vec();
        let rest = end + usize::from(self.framing == Framing::Lines);
        self.buffer.drain(..rest);
        self.searched = 0;
        Ok(Some(body))
    }

    fn find(&mut self, needle: &[u8]) -> Option<usize> {
        let from = self.searched.saturating_sub(needle.len());
        let found = self.buffer[from..].windows(needle.len()).position(|window| window == needle);
        match found {
            Some(at) => Some(from + at),
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }
}

fn content_length(header: &[u8]) -> Result<usize, FrameError> {
    let invalid = || FrameError::Invalid(show(header));
    let header = std::str::from_utf8(header).map_err(|_| invalid())?;
    let mut length = None;
    for line in header.split("\r\n") {
        match line.split_once(": ") {
            Some(("Content-Length", value)) if length.is_none() => {
                length = Some(value.parse().map_err(|_| invalid())?)
            }
            Some(("Content-Type", _)) => {}
            _ => return Err(invalid()),
        }
    }
    length.ok_or_else(invalid)
}

/// The beginning of some bytes, for a message.
fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

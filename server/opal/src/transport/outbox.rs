//! What leaves on one connection: in order, bounded, and in as few writes as there are wake-ups.
//!
//! Frames are encoded straight into one buffer. Whoever pushes never waits: while the client reads, the
//! buffer is written as soon as the writer runs; while it does not, neighbouring deltas of one message
//! merge, whatever other sessions say in between, and a client that leaves the outbox full for too long is
//! disconnected.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Framing;

/// A buffer that has grown beyond this is given back after it was written.
const KEEP_CAPACITY: usize = 256 * 1024;

/// A text delta, as it can be merged.
#[derive(Debug, Clone, Copy)]
pub struct Delta<'a> {
    pub session_id: &'a str,
    pub seq: u64,
    /// `message_delta`, `thinking_delta` or `tool_output`.
    pub kind: &'static str,
    /// `message_id` or `call_id`.
    pub key: &'static str,
    pub id: &'a str,
    pub text: &'a str,
}

#[derive(Debug)]
pub struct Outbox {
    inner: Mutex<Inner>,
    /// Something is to be written, or the outbox was closed.
    ready: Notify,
    /// The outbox has become full while a write is under way.
    full: Notify,
    /// The outbox is not full any more, or was closed.
    drained: Notify,
    framing: OnceLock<Framing>,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    scratch: Vec<u8>,
    /// The last delta of each session, while the client is slow: more of the same message may join it.
    merging: Vec<Merging>,
    /// A write has been waiting for the client.
    slow: bool,
    /// Bytes that were taken out of `bytes`, and that the client has not taken yet.
    leaving: usize,
    /// Kept from one write to the next if it stays full.
    full_since: Option<Instant>,
    closed: bool,
}

#[derive(Debug)]
struct Merging {
    session_id: String,
    first_seq: u64,
    seq: u64,
    kind: &'static str,
    key: &'static str,
    id: String,
    text: String,
}

impl Outbox {
    /// More than `max_bytes` waiting, merged text aside, is full.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            ready: Notify::new(),
            full: Notify::new(),
            drained: Notify::new(),
            framing: OnceLock::new(),
            max_bytes,
        }
    }

    /// Fixes the framing; the first call counts.
    pub fn set_framing(&self, framing: Framing) {
        let _ = self.framing.set(framing);
    }

    /// Adds one message. It leaves at the next [`Outbox::flush`].
    pub fn push(&self, message: &impl Serialize) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        self.end_merging(&mut inner);
        inner.scratch.clear();
        let Inner { scratch, .. } = &mut *inner;
        if let Err(error) = serde_json::to_writer(scratch, message) {
            tracing::error!(%error, "a message could not be encoded");
            return;
        }
        self.frame(&mut inner);
    }

    /// Adds a delta, or merges it with the one before while the client is slow.
    pub fn push_delta(&self, delta: Delta<'_>) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        if let Some(at) = inner.merging.iter().position(|merging| merging.session_id == delta.session_id) {
            let merging = &mut inner.merging[at];
            if merging.id == delta.id && merging.kind == delta.kind && merging.seq + 1 == delta.seq {
                merging.seq = delta.seq;
                merging.text.push_str(delta.text);
                return;
            }
            let merged = inner.merging.remove(at);
            self.encode_merged(&mut inner, &merged);
        }
        if inner.slow {
            inner.merging.push(Merging {
                session_id: delta.session_id.into(),
                first_seq: delta.seq,
                seq: delta.seq,
                kind: delta.kind,
                key: delta.key,
                id: delta.id.into(),
                text: delta.text.into(),
            });
        } else {
            self.encode_delta(&mut inner, delta, delta.seq);
        }
    }

    /// Lets everything that was pushed leave.
    pub fn flush(&self) {
        self.ready.notify_one();
    }

    /// Nothing more is taken; what is there still leaves.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
        self.drained.notify_waiters();
    }

    /// Waits until the outbox is not full.
    ///
    /// Whoever makes large answers waits here first, and so does the reader: a client that asks and does not read
    /// is not read either, else its answers would pile up.
    pub async fn room(&self) {
        loop {
            let mut drained = pin!(self.drained.notified());
            drained.as_mut().enable();
            {
                let inner = self.lock();
                if inner.closed || !self.is_full(&inner) {
                    return;
                }
            }
            drained.await;
        }
    }

    fn end_merging(&self, inner: &mut Inner) {
        for merged in std::mem::take(&mut inner.merging) {
            self.encode_merged(inner, &merged);
        }
    }

    fn encode_merged(&self, inner: &mut Inner, merged: &Merging) {
        let delta = Delta {
            session_id: &merged.session_id,
            seq: merged.seq,
            kind: merged.kind,
            key: merged.key,
            id: &merged.id,
            text: &merged.text,
        };
        self.encode_delta(inner, delta, merged.first_seq);
    }

    /// The hot path: by hand, since it runs for every token.
    fn encode_delta(&self, inner: &mut Inner, delta: Delta<'_>, first_seq: u64) {
        let out = &mut inner.scratch;
        out.clear();
        out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"agent/event","params":{"session_id":""#);
        // Session ids are made of base32 letters.
        out.extend_from_slice(delta.session_id.as_bytes());
        out.extend_from_slice(br#"","seq":"#);
        push_number(out, delta.seq);
        if first_seq != delta.seq {
            out.extend_from_slice(br#","first_seq":"#);
            push_number(out, first_seq);
        }
        out.extend_from_slice(br#","type":""#);
        out.extend_from_slice(delta.kind.as_bytes());
        out.extend_from_slice(br#"",""#);
        out.extend_from_slice(delta.key.as_bytes());
        out.extend_from_slice(br#"":"#);
        push_string(out, delta.id);
        out.extend_from_slice(br#","delta":"#);
        push_string(out, delta.text);
        out.extend_from_slice(b"}}");
        self.frame(inner);
    }

    /// Moves the encoded message behind the others.
    fn frame(&self, inner: &mut Inner) {
        let Inner { bytes, scratch, .. } = inner;
        match self.framing.get().copied().unwrap_or(Framing::ContentLength) {
            Framing::ContentLength => {
                bytes.extend_from_slice(b"Content-Length: ");
                push_number(bytes, scratch.len() as u64);
                bytes.extend_from_slice(b"\r\n\r\n");
                bytes.extend_from_slice(scratch);
            }
            Framing::Lines => {
                bytes.extend_from_slice(scratch);
                bytes.push(b'\n');
            }
        }
        if scratch.capacity() > KEEP_CAPACITY {
            *scratch = Vec::new();
        }
        if inner.slow && inner.full_since.is_none() && self.is_full(inner) {
            inner.full_since = Some(Instant::now());
            self.full.notify_one();
        }
    }

    /// Notes how much of a write the client has still to take.
    fn set_leaving(&self, leaving: usize, slow: bool) {
        let mut inner = self.lock();
        inner.leaving = leaving;
        inner.slow = slow;
        let is_full = self.is_full(&inner);
        inner.full_since = if is_full { inner.full_since.or_else(|| Some(Instant::now())) } else { None };
        if !is_full {
            self.drained.notify_waiters();
        }
    }

    fn is_full(&self, inner: &Inner) -> bool {
        inner.leaving + inner.bytes.len() > self.max_bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task's side of an outbox.
#[derive(Debug)]
pub struct OutboxWriter {
    pub outbox: Arc<Outbox>,
    /// How long the outbox may be full.
    pub stall: Duration,
}

impl OutboxWriter {
    /// Writes until the outbox is closed and empty, or the client stops reading.
    pub async fn run(&self, mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut chunk = Vec::new();
        loop {
            let closed = self.take(&mut chunk);
            if chunk.is_empty() {
                if closed {
                    return stream.flush().await;
                }
                self.outbox.ready.notified().await;
                continue;
            }
            self.write(&mut stream, &chunk).await?;
            chunk.clear();
            if chunk.capacity() > KEEP_CAPACITY {
                chunk = Vec::new();
            }
        }
    }

    /// Takes all that is there. True: nothing more will come.
    fn take(&self, chunk: &mut Vec<u8>) -> bool {
        let mut inner = self.outbox.lock();
        self.outbox.end_merging(&mut inner);
        std::mem::swap(&mut inner.bytes, chunk);
        inner.leaving = chunk.len();
        inner.closed
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), mut chunk: &[u8]) -> io::Result<()> {
        while !chunk.is_empty() {
            let n = match stream.write(chunk).now_or_never() {
                // A client that reads takes it at once, and nothing else happens.
                Some(written) => written?,
                None => {
                    self.outbox.set_leaving(chunk.len(), true);
                    self.unless_stalled(stream.write(chunk)).await?
                }
            };
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            chunk = &chunk[n..];
        }
        match stream.flush().now_or_never() {
            Some(flushed) => flushed?,
            None => {
                self.outbox.set_leaving(0, true);
                self.unless_stalled(stream.flush()).await?;
            }
        }
        self.outbox.set_leaving(0, false);
        Ok(())
    }

    /// Waits for the client, but not for ever once the outbox is full.
    async fn unless_stalled<T>(&self, write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::pin!(write);
        loop {
            let full_since = self.outbox.lock().full_since;
            let deadline = full_since.map(|since| since + self.stall);
            tokio::select! {
                biased;
                written = &mut write => return written,
                () = self.outbox.full.notified(), if deadline.is_none() => {}
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    let stalled = "the client has not read for too long";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, stalled));
                }
            }
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests;

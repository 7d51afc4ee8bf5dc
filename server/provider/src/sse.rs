//! Server-sent events, read from bytes in any pieces.
//!
//! Follows the standard except in one place: a last event without its blank line counts if its data is
//! complete JSON, because servers do forget that line. `id` and `retry` are read past: an answer is
//! never resumed, it is asked for again.

use std::borrow::Cow;
use std::mem;

use memchr::memchr2;
use serde::de::IgnoredAny;

/// Room for one event. Images and encrypted blobs are large; nothing honest is larger.
pub(crate) const MAX_EVENT_BYTES: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event<'a> {
    /// Empty where the stream gives none.
    pub(crate) name: &'a str,
    pub(crate) data: Cow<'a, str>,
}

/// An event grew beyond [`MAX_EVENT_BYTES`].
#[derive(Debug, PartialEq)]
pub(crate) struct TooLarge;

/// The state between two pieces. An event that lies whole within one piece is not copied.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    name: Vec<u8>,
    /// The data of the event so far, where it could not stay in its piece. Lines are joined by LF.
    data: Vec<u8>,
    has_data: bool,
    /// The last piece ended with CR: a LF at the start of the next belongs to it.
    after_cr: bool,
    past_first_line: bool,
    /// `[DONE]` was seen; nothing counts after it.
    done: bool,
}

enum Line<'a> {
    Blank,
    Data(&'a [u8]),
    Name(&'a [u8]),
    Other,
}

impl Decoder {
    /// Reads one piece and hands out every event it completes.
    ///
    /// # Errors
    /// [`TooLarge`], or the first error of `emit`. The decoder is of no use after that.
    pub(crate) fn feed<E: From<TooLarge>>(
        &mut self,
        piece: &[u8],
        mut emit: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        if mem::take(&mut self.after_cr) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_cr = piece.is_empty();
        }
        // The one data line of the event, as long as it can stay where it lies.
        let mut here: Option<&[u8]> = None;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, ending) = rest.split_at(end);
            rest = match ending {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
            if !self.line.is_empty() {
                self.line.extend_from_slice(line);
                self.owned_line(&mut emit)?;
                continue;
            }
            match self.parse(line) {
                Line::Data(value) if here.is_none() && !self.has_data => here = Some(value),
                Line::Data(value) => {
                    if let Some(first) = here.take() {
                        self.append(first);
                    }
                    self.append(value);
                }
                Line::Name(name) => set(&mut self.name, name),
                Line::Blank => self.dispatch(here.take(), &mut emit)?,
                Line::Other => {}
            }
        }
        if let Some(first) = here {
            self.append(first);
        }
        self.line.extend_from_slice(rest);
        if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
            return Err(TooLarge.into());
        }
        Ok(())
    }

    /// The end of the stream: hands out a last event that only lacks its blank line.
    pub(crate) fn finish<E>(&mut self, mut emit: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        if !self.line.is_empty() {
            self.owned_line(&mut emit)?;
        }
        let complete = self.data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(&self.data).is_ok();
        if self.has_data && complete {
            self.dispatch(None, &mut emit)?;
        }
        Ok(())
    }

    /// Handles the line that was put together in `self.line`.
    fn owned_line<E>(&mut self, emit: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut line = mem::take(&mut self.line);
        match self.parse(&line) {
            Line::Data(value) => self.append(value),
            Line::Name(name) => set(&mut self.name, name),
            Line::Blank => self.dispatch(None, emit)?,
            Line::Other => {}
        }
        line.clear();
        self.line = line;
        Ok(())
    }

    fn parse<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        let first = !mem::replace(&mut self.past_first_line, true);
        let line = if first { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => Line::Data(value),
            b"event" => Line::Name(value),
            _ if line.is_empty() => Line::Blank,
            _ => Line::Other,
        }
    }

    fn append(&mut self, value: &[u8]) {
        if mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
    }

    fn dispatch<E>(
        &mut self,
        here: Option<&[u8]>,
        emit: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut result = Ok(());
        if (here.is_some() || self.has_data) && !self.done {
            let data = here.unwrap_or(&self.data);
            self.done = data == b"[DONE]";
            let name = str::from_utf8(&self.name).unwrap_or_default();
            result = emit(Event { name, data: String::from_utf8_lossy(data) });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        result
    }
}

fn set(field: &mut Vec<u8>, value: &[u8]) {
    field.clear();
    field.extend_from_slice(value);
}

#[cfg(test)]
mod tests;

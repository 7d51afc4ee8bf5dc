//! The JSON of a request, in pieces.
//!
//! Most pieces are kept from the request before: the instructions with the tools, and each item. The items
//! come last, so that a longer conversation only adds to the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;

use crate::http::Segments;
use crate::{Request, ToolSpec};

#[derive(Debug)]
pub(crate) struct Body {
    pieces: Vec<Bytes>,
    /// A list has been opened and is empty yet.
    at_start: bool,
}

impl Body {
    /// Begins the object with the model's name.
    pub(crate) fn new(request: &Request) -> Self {
        let mut start = b"{\"model\":".to_vec();
        json(&mut start, &request.model);
        Self { pieces: vec![start.into()], at_start: false }
    }

    pub(crate) fn push(&mut self, piece: impl Into<Bytes>) {
        self.at_start = false;
        self.pieces.push(piece.into());
    }

    /// Adds to the list. Each item brings the comma that parts it from the one before; an empty one is
    /// nothing.
    pub(crate) fn item(&mut self, item: impl Into<Bytes>) {
        let item = item.into();
        debug_assert!(item.is_empty() || item[0] == b',', "{item:?}");
        if !item.is_empty() {
            let first = self.at_start;
            self.push(if first { item.slice(1..) } else { item });
        }
    }

    /// Begins a list with `piece`, itself after a comma, which ends with its bracket or with what is always
    /// in it.
    pub(crate) fn open(&mut self, piece: impl Into<Bytes>) {
        let piece = piece.into();
        let is_empty = piece.ends_with(b"[");
        self.item(piece);
        self.at_start = is_empty;
    }

    /// Ends the body with what closes its lists and objects.
    pub(crate) fn close(mut self, end: &'static str) -> Self {
        self.push(end.as_bytes());
        self
    }

    #[cfg(test)]
    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }
}

impl From<Body> for Segments {
    fn from(body: Body) -> Self {
        Self::new(body.pieces)
    }
}

/// Instructions and tools as JSON, kept for the conversations at hand: they are long and seldom change.
#[derive(Debug, Default)]
pub(crate) struct Preludes(Mutex<VecDeque<Prelude>>);

#[derive(Debug)]
struct Prelude {
    instructions: Arc<str>,
    tools: Arc<[ToolSpec]>,
    json: Bytes,
}

impl Preludes {
    /// More than the sessions that are busy at one time; what falls out is rendered again.
    const KEPT: usize = 8;

    pub(crate) fn get(&self, request: &Request, render: fn(&str, &[ToolSpec]) -> Vec<u8>) -> Bytes {
        let Request { instructions, tools, .. } = request;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|prelude| {
            Arc::ptr_eq(&prelude.instructions, instructions) && Arc::ptr_eq(&prelude.tools, tools)
        });
        if let Some(prelude) = found {
            return prelude.json.clone();
        }
        let json = Bytes::from(render(instructions, tools));
        if kept.len() == Self::KEPT {
            kept.pop_front();
        }
        let (instructions, tools) = (instructions.clone(), tools.clone());
        kept.push_back(Prelude { instructions, tools, json: json.clone() });
        json
    }
}

/// Adds a field to an object that has one.
pub(crate) fn field<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    json(out, value);
}

/// Adds to a list, see [`Body::item`].
pub(crate) fn element<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    out.push(b',');
    json(out, value);
}

pub(crate) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok(), "JSON of own types into memory: {written:?}");
}

//! A text in which each character knows who wrote it.

use std::ops::Range;

use serde_json::{Value, json};

/// Who wrote a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    File,
    User,
    Agent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) character: char,
    pub(super) author: Author,
}

/// What the `character` of a position counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Units {
    Utf8,
    Utf16,
    Utf32,
}

impl Units {
    pub(super) fn of(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
        }
    }
}

/// One replacement, in characters of the text that it is made for.
#[derive(Debug, Clone)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

pub(super) fn typed(text: &str, author: Author) -> Vec<Typed> {
    text.chars().map(|character| Typed { character, author }).collect()
}

pub(super) fn plain(text: &[Typed]) -> String {
    text.iter().map(|typed| typed.character).collect()
}

/// Returns where each line begins. LSP's line ends: `\n`, `\r\n` and `\r`.
fn line_starts(text: &[Typed]) -> Vec<usize> {
    let mut starts = vec![0];
    for (at, typed) in text.iter().enumerate() {
        let next = text.get(at + 1).map(|next| next.character);
        if typed.character == '\n' || (typed.character == '\r' && next != Some('\n')) {
            starts.push(at + 1);
        }
    }
    starts
}

/// Returns the line that a character stands in.
pub(super) fn line_of(text: &[Typed], at: usize) -> usize {
    line_starts(text).partition_point(|start| *start <= at) - 1
}

pub(super) fn position(text: &[Typed], at: usize, units: Units) -> Value {
    let line = line_of(text, at);
    let start = line_starts(text)[line];
    let character: usize = text[start..at].iter().map(|typed| units.of(typed.character)).sum();
    json!({"line": line, "character": character})
}

/// Reads a position as strictly as an editor can: it must be a place between two characters of its line.
pub(super) fn offset(text: &[Typed], position: &Value, units: Units) -> usize {
    let number = |name: &str| position[name].as_u64().unwrap() as usize;
    let starts = line_starts(text);
    let mut at = *starts.get(number("line")).unwrap_or_else(|| panic!("{position} is no line of the text"));
    let mut left = number("character");
    while left > 0 {
        let character = text.get(at).unwrap_or_else(|| panic!("{position} is beyond the text")).character;
        assert!(character != '\n' && character != '\r', "{position} is beyond its line");
        let units = units.of(character);
        assert!(units <= left, "{position} is inside a character");
        left -= units;
        at += 1;
    }
    at
}

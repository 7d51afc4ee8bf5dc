//! The editor's own documents. Written apart from the server's on purpose: each is a check on the other.

use std::fmt;

use serde_json::{Value, json};

/// What the `character` of a position counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    Utf8,
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        }
    }

    fn units(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// What an editor does with files, beyond holding their text as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// Holds `\n` in its documents, and writes CRLF where the file had it, like Sublime Text, Emacs and JetBrains.
    pub lf_buffers: bool,
    /// Saves in Latin-1. What is not UTF-8 is read and saved so by every editor.
    pub latin1: bool,
    /// Ends lines at LF alone, like Neovim, Helix and Emacs.
    pub lf_lines: bool,
}

/// One open document.
#[derive(Debug, Clone)]
pub struct Document {
    /// As this client spells it.
    pub uri: String,
    pub version: i32,
    pub text: String,
    /// The file begins with a byte order mark, which is not part of the text.
    pub bom: bool,
    habits: Habits,
    /// Of a document that holds `\n`: the file has CRLF.
    crlf: bool,
    /// What the document was before, oldest first; of big documents nothing is kept.
    pub earlier: Vec<String>,
}

/// One replacement: bytes of the text it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    pub start: usize,
    pub end: usize,
    pub text: String,
}

/// Why an edit cannot be applied.
#[derive(Debug)]
pub struct BadEdit(pub String);

impl fmt::Display for BadEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const KEEP_BELOW: usize = 1 << 20;

impl Document {
    pub fn new(uri: &str, bytes: &[u8]) -> Self {
        Self::open(uri, bytes, Habits::default())
    }

    pub fn open(uri: &str, bytes: &[u8], mut habits: Habits) -> Self {
        let bom = bytes.starts_with(b"\xef\xbb\xbf");
        let bytes = if bom { &bytes[3..] } else { bytes };
        let mut text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| {
            habits.latin1 = true;
            bytes.iter().copied().map(char::from).collect()
        });
        let crlf = habits.lf_buffers && text.contains("\r\n");
        if crlf {
            text = text.replace("\r\n", "\n");
        }
        Self { uri: uri.to_owned(), version: 1, text, bom, habits, crlf, earlier: Vec::new() }
    }

    /// What a save writes.
    pub fn bytes(&self) -> Vec<u8> {
        let text = if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() };
        if self.habits.latin1 {
            return text.chars().map(|c| u8::try_from(c).expect("a story writes Latin-1 here")).collect();
        }
        let mut bytes = if self.bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// Every text this document has had, the present one last.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.earlier.iter().chain([&self.text]).map(String::as_str)
    }

    /// Reads LSP text edits: a set, all made for the present text.
    pub fn parse_edits(&self, edits: &Value, encoding: Encoding) -> Result<Vec<Replacement>, BadEdit> {
        let edits = edits.as_array().ok_or_else(|| BadEdit("`edits` is not an array".into()))?;
        let lines = Lines::new(&self.text, self.habits);
        let mut replacements = Vec::new();
        for edit in edits {
            let start = lines.offset(&edit["range"]["start"], encoding)?;
            let end = lines.offset(&edit["range"]["end"], encoding)?;
            let text = edit["newText"].as_str().ok_or_else(|| BadEdit("`newText` is not a string".into()))?;
            if start > end {
                return Err(BadEdit(format!("the range {} ends before it starts", edit["range"])));
            }
            let text = if self.habits.lf_buffers { text.replace("\r\n", "\n") } else { text.to_owned() };
            replacements.push(Replacement { start, end, text });
        }
        replacements.sort_by_key(|replacement| replacement.start);
        match replacements.windows(2).find(|pair| pair[0].end > pair[1].start) {
            Some(pair) => Err(BadEdit(format!("the edits overlap: {:?} and {:?}", pair[0], pair[1]))),
            None => Ok(replacements),
        }
    }

    /// Replaces, and returns the content changes that tell the server so, in an order in which each holds
    /// on the text the one before has left: from the back.
    pub fn replace(&mut self, replacements: &[Replacement], encoding: Encoding) -> Vec<Value> {
        let before = self.text.clone();
        let lines = Lines::new(&before, self.habits);
        let mut changes = Vec::new();
        for Replacement { start, end, text } in replacements.iter().rev() {
            let range =
                json!({ "start": lines.position(*start, encoding), "end": lines.position(*end, encoding) });
            changes.push(json!({ "range": range, "text": text }));
            self.text.replace_range(*start..*end, text);
        }
        drop(lines);
        self.version += 1;
        if before.len() < KEEP_BELOW {
            self.earlier.push(before);
        }
        changes
    }

    /// Sets the text, as the one replacement that leads to it.
    pub fn become_text(&mut self, text: &str, encoding: Encoding) -> Vec<Value> {
        let replacement = difference(&self.text, text);
        self.replace(&[replacement], encoding)
    }

    /// The LSP range of some bytes.
    pub fn range(&self, start: usize, end: usize, encoding: Encoding) -> Value {
        let lines = Lines::new(&self.text, self.habits);
        json!({ "start": lines.position(start, encoding), "end": lines.position(end, encoding) })
    }
}

/// The one replacement that turns `old` into `new`: what lies between what they share at both ends.
fn difference(old: &str, new: &str) -> Replacement {
    let shared = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let start = shared(&mut old.chars().zip(new.chars()));
    let tail = shared(&mut old[start..].chars().rev().zip(new[start..].chars().rev()));
    let (mut start, mut end, mut new_end) = (start, old.len() - tail, new.len() - tail);
    // A position between the two halves of a CRLF does not exist.
    let splits_crlf = |at: usize| old[..at].ends_with('\r') && old[at..].starts_with('\n');
    if splits_crlf(start) {
        start -= 1;
    }
    if splits_crlf(end) {
        end += 1;
        new_end += 1;
    }
    Replacement { start, end, text: new[start..new_end].to_owned() }
}

/// Where the lines of a text begin: after LF, CRLF and CR, as LSP has it, or after LF alone.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    breaks: &'static [char],
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, habits: Habits) -> Self {
        let bytes = text.as_bytes();
        let is_lone_cr = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
        let ends = |at: usize| bytes[at] == b'\n' || !habits.lf_lines && is_lone_cr(at);
        let starts = std::iter::once(0).chain((0..bytes.len()).filter(|at| ends(*at)).map(|at| at + 1));
        let breaks = if habits.lf_lines { &['\n'][..] } else { &['\r', '\n'] };
        Self { text, starts: starts.collect(), breaks }
    }

    /// A line without its break.
    fn line(&self, line: usize) -> &'a str {
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        self.text[self.starts[line]..end].trim_end_matches(self.breaks)
    }

    /// Strict: a server that computes on the right text never names a place that is not there.
    fn offset(&self, position: &Value, encoding: Encoding) -> Result<usize, BadEdit> {
        let missing = |what: &str| BadEdit(format!("the position {position} {what}"));
        let line = position["line"].as_u64().ok_or_else(|| missing("has no line"))? as usize;
        let character = position["character"].as_u64().ok_or_else(|| missing("has no character"))? as usize;
        if line == self.starts.len() && character == 0 {
            return Ok(self.text.len());
        }
        if line >= self.starts.len() {
            return Err(missing("is after the last line"));
        }
        let mut units = 0;
        let start = self.starts[line];
        for (at, c) in self.line(line).char_indices() {
            if units == character {
                return Ok(start + at);
            }
            units += encoding.units(c);
        }
        match units == character {
            true => Ok(start + self.line(line).len()),
            false => Err(missing("is beyond the end of its line or inside a character")),
        }
    }

    fn position(&self, offset: usize, encoding: Encoding) -> Value {
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = &self.text[self.starts[line]..offset];
        let character: usize = before.chars().map(|c| encoding.units(c)).sum();
        json!({ "line": line, "character": character })
    }
}

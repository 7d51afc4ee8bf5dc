//! Halves of surrogate pairs, which JSON can escape alone: `"\ud83d"`.
//!
//! Some services cut a text between the two halves of a character, and no Rust string can hold one. So a
//! private-use character stands for each half while an answer is decoded, whatever the family. Behind the
//! decoder a half waits for the next delta of its kind, and what never finds its other half becomes U+FFFD.

use memchr::memchr;

use crate::{Answer, AnswerEvent, Block};

/// Stands for U+D800, and the 2,047 characters behind it for the other halves. They lie at the end of a plane
/// that no font or product is known to use, and are looked for only in an answer in which a half has come.
const FIRST: u32 = 0x10_F000;
const HIGH: std::ops::RangeInclusive<u16> = 0xd800..=0xdbff;
const LOW: std::ops::RangeInclusive<u16> = 0xdc00..=0xdfff;

/// What waits for its other half.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    /// Some half has come.
    any: bool,
    text: Option<char>,
    thinking: Option<char>,
}

impl Halves {
    /// JSON that serde can read, in place of one in which halves stand alone. `None`: it has none.
    pub(crate) fn mend(&mut self, json: &str) -> Option<String> {
        let mended = rewritten(json, |half, out| out.extend(stand_in(half)));
        self.any |= mended.is_some();
        mended
    }

    /// Puts together what a decoder has added to `out` since it had this length.
    pub(crate) fn join(&mut self, out: &mut Vec<AnswerEvent>, since: usize) {
        if !self.any || out.len() == since {
            return;
        }
        for event in out.split_off(since) {
            match event {
                AnswerEvent::TextDelta(delta) => {
                    out.extend(complete(&mut self.text, delta).map(AnswerEvent::TextDelta));
                }
                AnswerEvent::ThinkingDelta(delta) => {
                    out.extend(complete(&mut self.thinking, delta).map(AnswerEvent::ThinkingDelta));
                }
                AnswerEvent::ThinkingEnd(text) => {
                    self.thinking = None;
                    out.push(AnswerEvent::ThinkingEnd(joined(&text)));
                }
                AnswerEvent::Finished(mut answer) => {
                    if let Some(half) = self.text.take() {
                        out.push(AnswerEvent::TextDelta(joined(&half.to_string())));
                    }
                    join_blocks(&mut answer);
                    out.push(AnswerEvent::Finished(answer));
                }
                AnswerEvent::Started => out.push(AnswerEvent::Started),
            }
        }
    }

    /// What a service says about a failure.
    pub(crate) fn join_message(&self, message: &mut String) {
        if self.any {
            *message = joined(message);
        }
    }
}

/// JSON in which nothing stands for half a character; `None` if there was no such thing in it.
pub(crate) fn without_halves(json: &str) -> Option<String> {
    rewritten(json, |_, out| out.push_str("\\ufffd"))
}

fn join_blocks(answer: &mut Answer) {
    for block in &mut answer.blocks {
        match block {
            Block::Thinking { text, replay } => {
                *text = joined(text);
                *replay = replay.as_deref().map(joined);
            }
            Block::Text { text, .. } => *text = joined(text),
            Block::ToolCall(call) => {
                for text in [&mut call.call_id, &mut call.name, &mut call.arguments] {
                    *text = joined(text);
                }
            }
        }
    }
}

/// A delta with the half that waited for it, without the one that has to wait in its turn. `None`: nothing
/// else was in it.
fn complete(waiting: &mut Option<char>, delta: String) -> Option<String> {
    let mut text = match waiting.take() {
        Some(half) => format!("{half}{delta}"),
        None => delta,
    };
    if let Some(last) = text.chars().next_back().filter(|last| half(*last).is_some_and(|h| HIGH.contains(&h)))
    {
        text.truncate(text.len() - last.len_utf8());
        *waiting = Some(last);
    }
    (!text.is_empty()).then(|| joined(&text))
}

/// Makes characters of halves that stand side by side.
fn joined(text: &str) -> String {
    // UTF-16 has the halves as they are, and its decoder knows what to do with each.
    let mut units = Vec::with_capacity(text.len());
    for char in text.chars() {
        match half(char) {
            Some(half) => units.push(half),
            None => units.extend_from_slice(char.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16_lossy(&units)
}

fn stand_in(half: u16) -> Option<char> {
    char::from_u32(FIRST + u32::from(half - HIGH.start()))
}

fn half(char: char) -> Option<u16> {
    let offset = u16::try_from(u32::from(char).checked_sub(FIRST)?).ok()?;
    HIGH.start().checked_add(offset).filter(|half| HIGH.contains(half) || LOW.contains(half))
}

/// JSON with something else in place of each half that stands alone; `None` if none does.
fn rewritten(json: &str, put: impl Fn(u16, &mut String)) -> Option<String> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        let escape = at + found;
        at = match escaped(bytes, escape) {
            None => escape + 2,
            Some(high)
                if HIGH.contains(&high)
                    && escaped(bytes, escape + 6).is_some_and(|low| LOW.contains(&low)) =>
            {
                escape + 12
            }
            Some(half) if HIGH.contains(&half) || LOW.contains(&half) => {
                out.push_str(&json[copied..escape]);
                put(half, &mut out);
                copied = escape + 6;
                copied
            }
            Some(_) => escape + 6,
        };
    }
    (copied > 0).then(|| out + &json[copied..])
}

/// The UTF-16 unit that is escaped here.
fn escaped(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits =
        str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_that_stand_alone_are_rewritten() {
        let check = |json: &str, shown: Option<&str>| {
            assert_eq!(without_halves(json).as_deref(), shown, "{json}");
        };
        check(r#""plain é 😀""#, None);
        check(r#""\ud83d\ude00 \u00e9 \n""#, None);
        check(r#""a\ud83d""#, Some(r#""a\ufffd""#));
        check(r#""\uDE00b""#, Some(r#""\ufffdb""#));
        check(r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#));
        check(r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#));
        // An escaped backslash begins no escape.
        check(r#""C:\\ud83d""#, None);
        check(r#""\\\ud83d""#, Some(r#""\\\ufffd""#));
        // Cut off, and no number.
        for json in [r"\", r"\u", r"\ud83", r"\u+83d", "\\é", r"\ud8é"] {
            check(json, None);
        }
    }

    #[test]
    fn every_half_has_a_stand_in_of_its_own() {
        for unit in *HIGH.start()..=*LOW.end() {
            assert_eq!(half(stand_in(unit).unwrap()), Some(unit));
        }
        for char in ['a', '\u{10EFFF}', '\u{10F800}', '\u{10FFFF}'] {
            assert_eq!(half(char), None);
        }
    }
}

//! Whether two texts are the same but for what an editor changes by opening and saving a file: line ends, the
//! byte order mark, and the encoding of a file that is not Unicode.

use std::collections::HashMap;

use ropey::{Rope, RopeSlice};

const BOM: &str = "\u{feff}";

/// Returns true if two texts differ in nothing but line ends and a byte order mark. A line end at the end of
/// only one of them is no difference either.
///
/// Sublime Text, Emacs and the JetBrains editors hold `\n` whatever the file has, VS Code holds one line end
/// where the file mixes them, and Neovim adds the last one (`'fixeol'`).
pub fn same_lines(a: &str, b: &Rope) -> bool {
    let a = a.strip_prefix(BOM).unwrap_or(a).as_bytes();
    let begin = bom_len(b);
    let n_same = n_same_bytes(a, b.byte_slice(begin..));
    let mut ends_line = a[..n_same].ends_with(b"\n");
    let mut a = normal_bytes(a[n_same..].iter().copied());
    let mut b = normal_bytes(b.bytes_at(begin + n_same));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(b'\n'), None) => return !ends_line && a.next().is_none(),
            (None, Some(b'\n')) => return !ends_line && b.next().is_none(),
            (a, b) if a == b => ends_line = a == Some(b'\n'),
            _ => return false,
        }
    }
}

/// Returns true if an editor can have read `text` from `bytes`, which are neither UTF-8 nor marked UTF-16:
/// from UTF-16 without a mark, or from an encoding that keeps ASCII and has one character for each code.
///
/// No encoding is guessed. The text says which character a code has, and a code with two characters says
/// that the text was changed. U+FFFD says that the editor could not read the file: to save it would lose
/// what stands there.
pub fn can_be_decoded_from(text: &Rope, bytes: &[u8]) -> bool {
    let text = normal_lines(without_bom(text));
    let Ok(text) = String::from_utf8(text) else { return false };
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return false;
    }
    let is_utf16 = |unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        let decoded = String::from_utf16(&units);
        rest.is_empty() && decoded.is_ok_and(|decoded| normal_lines(decoded.bytes()) == text.as_bytes())
    };
    let bytes_only = normal_lines(bytes.iter().copied());
    let is_in = |codes: Codes| codes.can_be(&text, &bytes_only);
    is_in(Codes::OneByte)
        || is_in(Codes::TwoBytes)
        || is_in(Codes::ShiftJis)
        || is_utf16(u16::from_le_bytes)
        || is_utf16(u16::from_be_bytes)
}

/// How many bytes the code of a character beyond ASCII has.
#[derive(Debug, Clone, Copy)]
enum Codes {
    /// ISO 8859, KOI8, the code pages of Windows and DOS.
    OneByte,
    /// EUC, GBK, Big5.
    TwoBytes,
    /// Two, and one for a half-width kana.
    ShiftJis,
}

impl Codes {
    fn can_be(self, text: &str, mut bytes: &[u8]) -> bool {
        let mut known: HashMap<&[u8], char> = HashMap::new();
        for c in text.chars() {
            let Some(first) = bytes.first() else { return false };
            let Some((code, rest)) = bytes.split_at_checked(self.len(*first)) else { return false };
            bytes = rest;
            let fits = match code {
                [byte] if byte.is_ascii() => c == char::from(*byte),
                code => !c.is_ascii() && *known.entry(code).or_insert(c) == c,
            };
            if !fits {
                return false;
            }
        }
        bytes.is_empty()
    }

    fn len(self, first: u8) -> usize {
        match self {
            Self::TwoBytes if !first.is_ascii() => 2,
            Self::ShiftJis if matches!(first, 0x81..=0x9F | 0xE0..=0xFC) => 2,
            _ => 1,
        }
    }
}

/// How many bytes two texts have in common from the start, up to a place that is not within a line end. Most texts
/// that are compared are equal or nearly so, and comparing slices is many times faster than comparing bytes.
fn n_same_bytes(a: &[u8], b: RopeSlice<'_>) -> usize {
    let mut n_same = 0;
    for chunk in b.chunks().map(str::as_bytes) {
        let rest = &a[n_same..];
        if rest.starts_with(chunk) {
            n_same += chunk.len();
            continue;
        }
        n_same += rest.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        break;
    }
    let n_returns = a[..n_same].iter().rev().take_while(|byte| **byte == b'\r').count();
    n_same - n_returns
}

fn without_bom(text: &Rope) -> impl Iterator<Item = u8> {
    text.bytes_at(bom_len(text))
}

/// Bytes of the byte order mark at the beginning, if there is one.
fn bom_len(text: &Rope) -> usize {
    let has_bom = text.get_char(0).is_some_and(|first| BOM.starts_with(first));
    if has_bom { BOM.len() } else { 0 }
}

/// The bytes of a text with `\n` for each line end.
fn normal_bytes(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    let mut after_cr = false;
    bytes.filter_map(move |byte| {
        let is_rest_of_crlf = std::mem::replace(&mut after_cr, byte == b'\r') && byte == b'\n';
        (!is_rest_of_crlf).then_some(if byte == b'\r' { b'\n' } else { byte })
    })
}

/// As [`normal_bytes`], without the last line end.
fn normal_lines(bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut lines: Vec<u8> = normal_bytes(bytes).collect();
    lines.pop_if(|last| *last == b'\n');
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::testing::any_text;

    #[track_caller]
    fn check_same(a: &str, b: &str, expected: bool) {
        let same = |a: &str, b: &str| same_lines(a, &Rope::from_str(b));
        assert_eq!((same(a, b), same(b, a)), (expected, expected));
    }

    #[test]
    fn line_ends_and_byte_order_marks_are_no_difference() {
        check_same("one\r\ntwo\r\n", "one\ntwo\n", true);
        check_same("one\rtwo\r\nthree\n", "one\ntwo\nthree\n", true);
        check_same("\u{feff}one\r\n", "one\n", true);
        check_same("one", "one\n", true);
        check_same("", "\r\n", true);
    }

    #[test]
    fn a_line_more_is_a_difference() {
        check_same("one\n", "one\n\n", false);
        check_same("one\n\ntwo", "one\ntwo", false);
        check_same("one\r\r\n", "one\n", false);
        check_same("one", "One", false);
        check_same("", "one", false);
    }

    /// As [`same_lines`], as simple as can be.
    fn simply_same_lines(a: &str, b: &str) -> bool {
        let normal =
            |text: &str| text.strip_prefix(BOM).unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let (a, b) = (normal(a), normal(b));
        let adds_last = |a: &str, b: &str| !a.ends_with('\n') && a.to_owned() + "\n" == b;
        a == b || adds_last(&a, &b) || adds_last(&b, &a)
    }

    proptest! {
        #[test]
        fn all_texts_are_compared_as_if_they_were_copied(a in any_text(), b in any_text(), at in any::<Index>()) {
            let with_lf = a.replace("\r\n", "\n");
            let cut: String = a.chars().take(at.index(a.chars().count() + 1)).collect();
            for b in [b, with_lf.clone(), with_lf + "\n", BOM.to_owned() + &a, cut] {
                prop_assert_eq!(same_lines(&a, &Rope::from_str(&b)), simply_same_lines(&a, &b));
                prop_assert_eq!(same_lines(&b, &Rope::from_str(&a)), simply_same_lines(&b, &a));
            }
        }
    }

    #[track_caller]
    fn check_decoded(text: &str, bytes: &[u8], expected: bool) {
        assert_eq!(can_be_decoded_from(&Rope::from_str(text), bytes), expected);
    }

    #[test]
    fn texts_of_other_encodings_are_known_by_their_codes() {
        check_decoded("café, très\n", b"caf\xe9, tr\xe8s\r\n", true);
        // KOI8-R
        check_decoded("мама", b"\xcd\xc1\xcd\xc1", true);
        // EUC-JP and Shift_JIS of the same words
        check_decoded("表 x 表示\n", b"\xc9\xbd x \xc9\xbd\xbc\xa8\n", true);
        check_decoded("表 x 表示\n", b"\x95\x5c x \x95\x5c\x8e\xa6\n", true);
        check_decoded("a\u{ff71}表", b"a\xb1\x95\x5c", true);
        check_decoded("é\n", b"\xe9\0\r\0\n\0", true);
        check_decoded("é\n", b"\0\xe9\0\n", true);
    }

    #[test]
    fn a_changed_text_is_not_what_the_file_holds() {
        check_decoded("café, tres\n", b"caf\xe9, tr\xe8s\n", false);
        check_decoded("café, trés\n", b"caf\xe9, tr\xe8s \xe9 \xe8\n", false);
        check_decoded("пама", b"\xcd\xc1\xcd\xc1", false);
        check_decoded("café typed", b"caf\xe9", false);
        check_decoded("", b"\xe9", false);
    }

    #[test]
    fn a_text_that_the_editor_could_not_read_is_not_what_the_file_holds() {
        check_decoded("caf\u{fffd}\n", b"caf\xe9\n", false);
    }
}

//! From the bytes of a frame to JSON, leniently where an editor's text is what is not Unicode.
//!
//! Editors that count in UTF-16 can send half of a surrogate pair, which JSON can escape and Rust's strings cannot
//! hold. An editor whose buffer holds arbitrary bytes may send them as they are. Neither is a reason to drop a
//! message: its request would stay unanswered, and its change would be missing from then on.

use std::borrow::Cow;

use memchr::memchr;
use serde_json::Value;

/// A message as it was sent, or nearly.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) value: Value,
    /// Bytes that are no UTF-8 were replaced, so that texts have other lengths than at the client.
    pub(super) is_damaged: bool,
}

/// Reads JSON. Half a pair becomes U+FFFD, which counts one unit of UTF-16 as well.
///
/// # Errors
/// Why it is no JSON.
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Json> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(Json { value, is_damaged: false }),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(bytes);
    let is_damaged = matches!(text, Cow::Owned(_));
    let mut mended = text.into_owned().into_bytes();
    if !replace_halves(&mut mended) && !is_damaged {
        return Err(error);
    }
    Ok(Json { value: serde_json::from_slice(&mended)?, is_damaged })
}

/// Makes `\ufffd` of each escaped half of a pair whose other half is not beside it. False: there is none.
fn replace_halves(json: &mut [u8]) -> bool {
    const ESCAPE: usize = r"\u0000".len();
    let mut found = false;
    let mut at = 0;
    // A backslash stands in strings only, and each begins an escape.
    while let Some(next) = memchr(b'\\', json.get(at..).unwrap_or_default()) {
        at += next;
        at += match (unit(&json[at..]), unit(json.get(at + ESCAPE..).unwrap_or_default())) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
            (Some(0xD800..=0xDFFF), _) => {
                json[at..at + ESCAPE].copy_from_slice(br"\ufffd");
                found = true;
                ESCAPE
            }
            _ => 2,
        };
    }
    found
}

/// The unit that these bytes begin with, if they begin with `\u` and four digits.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(br"\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Expect) {
        let shown = match parse(bytes) {
            Ok(json) => format!("{}{}", json.value, if json.is_damaged { ", damaged" } else { "" }),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn half_a_pair_becomes_one_unit() {
        check(br#"["a\ud83db", "\uDE00", "\ud83d\ud83d\ude00"]"#, expect![[r#"["a�b","�","�😀"]"#]]);
        check(
            br#"["\ud83d", "\\ud83d", "\ud83d\n", "\ude00\ud83d"]"#,
            expect![[r#"["�","\\ud83d","�\n","��"]"#]],
        );
        check(br#"{"\ud83d": "\\\ud83d"}"#, expect![[r#"{"�":"\\�"}"#]]);
    }

    #[test]
    fn whole_pairs_are_kept() {
        check(br#"["\ud83d\ude00"]"#, expect![[r#"["😀"]"#]]);
    }

    #[test]
    fn bytes_that_are_no_text_are_said_to_be_damaged() {
        check(b"[\"caf\xe9\"]", expect![[r#"["caf�"], damaged"#]]);
        check(b"[\"\xed\xa0\xbd\"]", expect![[r#"["���"], damaged"#]]);
    }

    #[test]
    fn what_is_no_json_stays_an_error() {
        check(br#"["\ud83d"#, expect!["EOF while parsing a string at line 1 column 8"]);
        check(br#"["\ud8"]"#, expect!["invalid escape at line 1 column 8"]);
        check(br#"["\u"#, expect!["EOF while parsing a string at line 1 column 4"]);
        check(b"nonsense\\", expect!["expected ident at line 1 column 2"]);
        check(b"", expect!["EOF while parsing a value at line 1 column 0"]);
    }
}

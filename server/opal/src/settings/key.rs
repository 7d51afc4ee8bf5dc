//! Keys that were typed in the wrong place, which must not be printed back.

use std::fmt;

/// Characters of what may be a key; words of a configuration are shorter.
const MIN_CHARS: usize = 16;

/// The name of an environment variable that holds a key, as the user typed it.
#[derive(Clone)]
pub(super) struct Variable(String);

impl Variable {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Returns true if it is spelled as names of variables are, and as keys are not: they mix small letters
    /// with digits.
    pub(super) fn is_plain(&self) -> bool {
        let bytes = self.0.as_bytes();
        let is_name = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let has = |of_kind: fn(&u8) -> bool| bytes.iter().any(of_kind);
        let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
        let begins = bytes.first().is_some_and(|byte| !byte.is_ascii_digit());
        // A long word without a separator is no name that anybody would choose, if it has digits.
        let is_one_word = bytes.len() >= MIN_CHARS && has(u8::is_ascii_digit) && !bytes.contains(&b'_');
        is_name && begins && !is_mixed && !is_one_word
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_plain() { &self.0 } else { "***" })
    }
}

/// Returns true if a word of the text may be a key.
pub(super) fn may_hold_key(text: &str) -> bool {
    let mut words = text.split(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '-' | '_')));
    words.any(|word| {
        let has = |of_kind: fn(&u8) -> bool| word.bytes().any(|byte| of_kind(&byte));
        word.len() >= MIN_CHARS && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    })
}

/// What an error says of a value, without the value if it may be a key.
pub(super) fn without_key(message: &str) -> &str {
    match message.find("expected ") {
        _ if !may_hold_key(message) => message,
        Some(start) => &message[start..],
        None => "not as it should be",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_name_of_a_variable() {
        for name in ["OPENAI_API_KEY", "KEY_2", "work_key", "_KEY"] {
            assert!(Variable::new(name).is_plain(), "{name}");
        }
        for key in [
            "sk-proj-AbC1",
            "gsk_abc123",
            "ghp_0a1b2c",
            "AIzaSyD4x",
            "0123ABCD",
            "AKIAIOSFODNN7EXAMPLE",
            "two words",
            "",
        ] {
            assert!(!Variable::new(key).is_plain(), "{key}");
        }
    }

    #[test]
    fn what_may_be_a_key_is_left_out_of_errors() {
        let told = |message| without_key(message).to_owned();
        assert_eq!(told("unknown variant `sk-0123456789abcdef`, expected `a`"), "expected `a`");
        assert_eq!(told("invalid value sk_0123456789abcdef"), "not as it should be");
        assert_eq!(told("unknown variant `yolo`, expected `a`"), "unknown variant `yolo`, expected `a`");
        assert_eq!(told("invalid type: integer `7`"), "invalid type: integer `7`");
    }
}

//! UTF-8 from a pipe, where a read may end inside a character.

/// Decodes UTF-8 that arrives in pieces.
///
/// A character split between two pieces is held back (at most 3 bytes); invalid bytes become
/// U+FFFD, as many as `String::from_utf8_lossy` would make of the whole.
#[derive(Debug, Default)]
pub struct Utf8Chunks {
    held_back: Vec<u8>,
}

impl Utf8Chunks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece, and returns the text known by now.
    pub fn push(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.held_back);
        bytes.extend_from_slice(piece);
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    break;
                }
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    // Valid by the error's own word, so nothing is replaced here.
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(len) = error.error_len() else {
                        self.held_back = invalid.to_vec();
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &invalid[len..];
                }
            }
        }
        text
    }

    /// Ends the text: a character that never came whole is one U+FFFD. Ready for another text.
    pub fn finish(&mut self) -> String {
        let held_back = std::mem::take(&mut self.held_back);
        String::from_utf8_lossy(&held_back).into_owned()
    }
}

//! Bytes of a file to text and back, so that what Opal does not edit stays byte for byte.
//!
//! It guesses no legacy encodings: a file that is not Unicode is refused, not mangled.

use ropey::Rope;

/// How the text of a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    #[default]
    Utf8,
    /// With a byte order mark in front.
    Utf8Bom,
    /// With its byte order mark; UTF-16 without one is not recognised.
    Utf16Le,
    /// With its byte order mark; UTF-16 without one is not recognised.
    Utf16Be,
}

/// A file's text without its byte order mark, line endings untouched, and how it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    pub encoding: Encoding,
}

/// Why a file has no text to work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// NUL, or more than 30% control characters, in the first 8 KiB.
    #[error("file is binary")]
    Binary,
    /// Looks like text, in an encoding that is not UTF-8 or marked UTF-16.
    #[error("file is neither UTF-8 nor UTF-16 with a byte order mark")]
    NotUnicode,
}

/// How much of a file is looked at to tell text from binary: git and ripgrep look at 8 KiB too.
const PROBE_BYTES: usize = 8 * 1024;
/// A text with escape sequences has some control characters; a compressed stream has 10% of
/// bytes there and a NUL besides. The limit is the one other agents have lived with.
const MAX_CONTROL_PERCENT: usize = 30;

const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";
const UTF16_LE_BOM: &[u8] = b"\xFF\xFE";
const UTF16_BE_BOM: &[u8] = b"\xFE\xFF";

/// Returns the text of a file.
///
/// # Errors
/// [`DecodeError::Binary`] or [`DecodeError::NotUnicode`].
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if let Some(bytes) = bytes.strip_prefix(UTF16_LE_BOM) {
        return utf16(bytes, Encoding::Utf16Le, u16::from_le_bytes);
    }
    if let Some(bytes) = bytes.strip_prefix(UTF16_BE_BOM) {
        return utf16(bytes, Encoding::Utf16Be, u16::from_be_bytes);
    }
    let (bytes, encoding) = match bytes.strip_prefix(UTF8_BOM) {
        Some(bytes) => (bytes, Encoding::Utf8Bom),
        None => (bytes, Encoding::Utf8),
    };
    if is_binary(bytes) {
        return Err(DecodeError::Binary);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Decoded { text: text.to_owned(), encoding }),
        Err(_) => Err(DecodeError::NotUnicode),
    }
}

/// Returns the bytes of a file that holds `text`: the inverse of [`decode`].
pub fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    encode_chunks(std::iter::once(text), text.len(), encoding)
}

/// As [`encode`], without first making one string of the rope.
pub fn encode_rope(text: &Rope, encoding: Encoding) -> Vec<u8> {
    encode_chunks(text.chunks(), text.len_bytes(), encoding)
}

fn utf16(bytes: &[u8], encoding: Encoding, unit: fn([u8; 2]) -> u16) -> Result<Decoded, DecodeError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::NotUnicode);
    }
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| DecodeError::NotUnicode)?;
    if is_binary(text.as_bytes()) {
        return Err(DecodeError::Binary);
    }
    Ok(Decoded { text, encoding })
}

fn is_binary(bytes: &[u8]) -> bool {
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    // Tab, line breaks, form feed, backspace and escape occur in texts people edit.
    let is_control = |byte: &&u8| matches!(**byte, 0..=7 | 14..=26 | 28..=31 | 127);
    probe.contains(&0) || probe.iter().filter(is_control).count() * 100 > probe.len() * MAX_CONTROL_PERCENT
}

fn encode_chunks<'a>(chunks: impl Iterator<Item = &'a str>, len: usize, encoding: Encoding) -> Vec<u8> {
    let bom = match encoding {
        Encoding::Utf8 => b"",
        Encoding::Utf8Bom => UTF8_BOM,
        Encoding::Utf16Le => UTF16_LE_BOM,
        Encoding::Utf16Be => UTF16_BE_BOM,
    };
    let mut bytes = Vec::with_capacity(bom.len() + len);
    bytes.extend_from_slice(bom);
    for chunk in chunks {
        match encoding {
            Encoding::Utf8 | Encoding::Utf8Bom => bytes.extend_from_slice(chunk.as_bytes()),
            Encoding::Utf16Le => bytes.extend(chunk.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Utf16Be => bytes.extend(chunk.encode_utf16().flat_map(u16::to_be_bytes)),
        }
    }
    bytes
}

#[cfg(test)]
mod tests;

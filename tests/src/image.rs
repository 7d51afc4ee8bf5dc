//! A picture of three by two red pixels, as a service takes it.

pub const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x03\x00\x00\x00\x02\x08\x02\x00\x00\x00\x12\x16\xf1M\
\x00\x00\x00\x10IDATx\xdac\xfc\xcf\x00\x05L0\x06\x03\x00\x13)\x01\x03\x18\xd9\xa8\x0b\
\x00\x00\x00\x00IEND\xaeB`\x82";

/// The same in base64.
pub const PNG_BASE64: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR42mP8zwAFTDAGAwATKQEDGNmoCwAAAABJRU5ErkJggg==";

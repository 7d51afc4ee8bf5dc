//! What sessions and entries are called.

use std::fmt;
use std::sync::Arc;

use rand::Rng;

/// Crockford's base32: no letter that reads like a digit.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a random session id: 80 random bits.
const SESSION_ID_LEN: usize = 16;

/// The longest id that is accepted from outside.
const MAX_SESSION_ID_LEN: usize = 64;

/// A session. Only ASCII letters in lower case, digits, `-` and `_`, because it also names a file.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

/// Why a text is no session id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a session id")]
pub struct InvalidSessionId(pub String);

impl SessionId {
    /// Makes a new id that is in use nowhere.
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let id: String =
            (0..SESSION_ID_LEN).map(|_| char::from(BASE32[rng.random_range(0..BASE32.len())])).collect();
        Self(id.into())
    }

    /// Checks an id that comes from outside.
    ///
    /// # Errors
    /// If it is empty, longer than 64 bytes, or has a character that an id cannot have.
    pub fn parse(id: &str) -> Result<Self, InvalidSessionId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if id.is_empty() || id.len() > MAX_SESSION_ID_LEN || !id.bytes().all(allowed) {
            return Err(InvalidSessionId(id.to_owned()));
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id as the database has it; it was checked when it was written.
    pub(crate) fn stored(id: String) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entry of one session. The caller counts; the store only asks that each is used once.
///
/// At most [`EntryId::MAX`], the largest number the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

impl EntryId {
    /// The largest id that can be stored.
    pub const MAX: Self = Self(i64::MAX as u64);
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

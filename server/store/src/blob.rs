//! Large contents, addressed by what they are: before-images and long outputs.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::error::StoreError;

/// The name of a blob: the BLAKE3 hash of its content, in hexadecimal where it is text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobHash([u8; 32]);

/// Why a text is no blob hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a blob hash")]
pub struct InvalidBlobHash(pub String);

impl BlobHash {
    /// The hash of a content.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).to_hex().fmt(f)
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobHash {
    type Err = InvalidBlobHash;

    fn from_str(hex: &str) -> Result<Self, InvalidBlobHash> {
        let hash = blake3::Hash::from_hex(hex).map_err(|_| InvalidBlobHash(hex.to_owned()))?;
        Ok(Self(*hash.as_bytes()))
    }
}

/// How long a blob is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// As long as a session that has it.
    Session,
    /// As long, but the oldest go first when the budget of before-images is used up (see [`Budget`]).
    BeforeImage,
}

/// How much the before-images may take, compressed.
///
/// An image that two sessions have counts for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub session_bytes: u64,
    pub total_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { session_bytes: 256 << 20, total_bytes: 2 << 30 }
    }
}

/// Contents below this are not worth compressing.
const MIN_COMPRESSED_LEN: usize = 128;

/// zstd's own default: about 300 MB/s, and close to what higher levels save on source text.
const COMPRESSION_LEVEL: i32 = 3;

/// A blob to be stored, hashed and compressed.
#[derive(Clone, PartialEq, Eq)]
pub struct NewBlob {
    pub(crate) hash: BlobHash,
    pub(crate) retention: Retention,
    pub(crate) len: u64,
    pub(crate) content: Content,
}

/// A content as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Plain(Vec<u8>),
    Zstd(Vec<u8>),
    /// Given up for the budget; only the import of a session that lost it makes this.
    Gone,
}

impl NewBlob {
    /// Hashes and compresses `content`: some milliseconds for a megabyte, so not for an async thread when large.
    pub fn new(content: &[u8], retention: Retention) -> Self {
        let hash = BlobHash::of(content);
        let len = content.len() as u64;
        Self { hash, retention, len, content: Content::compress(content) }
    }

    /// What the content is asked for by.
    pub fn hash(&self) -> BlobHash {
        self.hash
    }

    pub fn retention(&self) -> Retention {
        self.retention
    }
}

impl fmt::Debug for NewBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewBlob").field("hash", &self.hash).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Content {
    fn compress(content: &[u8]) -> Self {
        if content.len() >= MIN_COMPRESSED_LEN
            && let Ok(compressed) = zstd::bulk::compress(content, COMPRESSION_LEVEL)
            && compressed.len() < content.len()
        {
            return Self::Zstd(compressed);
        }
        Self::Plain(content.to_vec())
    }

    /// The content as it was, which has `len` bytes. `None` if it is gone or damaged.
    pub(crate) fn plain(&self, len: u64) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Plain(bytes) => Some(Cow::Borrowed(bytes)),
            Self::Zstd(bytes) => decompress(bytes, len).map(Cow::Owned),
            Self::Gone => None,
        }
    }

    /// Bytes on disk.
    pub(crate) fn stored_len(&self) -> u64 {
        match self {
            Self::Plain(bytes) | Self::Zstd(bytes) => bytes.len() as u64,
            Self::Gone => 0,
        }
    }
}

/// The largest content that is unpacked; SQLite keeps none that is larger.
const MAX_LEN: u64 = 1_000_000_000;

/// Never makes more than `len` bytes, nor believes a `len` that the input contradicts.
fn decompress(compressed: &[u8], len: u64) -> Option<Vec<u8>> {
    let stated = zstd::zstd_safe::get_frame_content_size(compressed).ok().flatten()?;
    let len = usize::try_from(len).ok().filter(|_| stated == len && len <= MAX_LEN)?;
    zstd::bulk::decompress(compressed, len).ok()
}

/// Why a blob could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    #[error("no blob {0} is stored")]
    Unknown(BlobHash),
    /// It was stored, and made room for newer ones.
    #[error("blob {0} is no longer kept")]
    Gone(BlobHash),
    #[error(transparent)]
    Store(#[from] StoreError),
}

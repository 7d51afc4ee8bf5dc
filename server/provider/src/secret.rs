//! Keys and tokens, and keeping them out of what is shown and stored.
//!
//! Every [`Secret`] is known to one set in this process, for as long as the process lives: what is masked
//! must not depend on somebody having passed the right list along.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem;

/// Shorter ones are not masked: they would blank ordinary words, and nobody has such a key.
const MIN_BYTES: usize = 8;
/// Shorter ones may be words that servers on this machine take for a key: LM Studio's, `lm-studio`, stands in the `PATH`
/// too.
const MIN_BYTES_OF_PART: usize = 16;
/// So many are known at the same time, and more if they are all in use. An hour brings two.
const MANY: usize = 64;
/// Stands where a secret stood.
const MASK: &str = "***";

/// A key or token, without spaces around it. It is sent to its service and shown nowhere.
#[derive(Clone)]
pub struct Secret(Arc<str>);

/// Every secret of this process, the longest first: one may be the beginning of another.
static KNOWN: RwLock<Vec<Arc<str>>> = RwLock::new(Vec::new());

impl Secret {
    /// Takes a secret; from now on it is masked wherever [`mask`] is asked.
    pub fn new(secret: impl AsRef<str>) -> Self {
        let secret = secret.as_ref().trim();
        if secret.len() < MIN_BYTES {
            return Self(secret.into());
        }
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.iter().find(|known| &***known == secret) {
            return Self(known.clone());
        }
        if known.len() >= MANY {
            known.retain(|known| Arc::strong_count(known) > 1);
        }
        let secret: Arc<str> = secret.into();
        let place = known.partition_point(|known| known.len() >= secret.len());
        known.insert(place, secret.clone());
        Self(secret)
    }

    /// The secret itself, for sending it, or storing it where secrets are kept.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The text with every known secret replaced.
pub fn mask(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(Cow::Borrowed(text), |text, secret| {
        match memmem::find(text.as_bytes(), secret.as_bytes()) {
            Some(_) => Cow::Owned(text.replace(&**secret, MASK)),
            None => text,
        }
    })
}

/// [`mask`] for a text of one's own.
pub(crate) fn masked(text: String) -> String {
    match mask(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}

/// Returns true if a value is a secret that something in this process uses now, or contains one, as in `Bearer KEY` or
/// `https://user:KEY@host`.
pub fn holds_secret(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut in_use = known.iter().filter(|secret| Arc::strong_count(secret) > 1);
    in_use.any(|secret| {
        let is_part = secret.len() >= MIN_BYTES_OF_PART && memmem::find(value, secret.as_bytes()).is_some();
        is_part || secret.as_bytes() == value
    })
}

/// [`mask`] for a text that comes in pieces: a secret may be cut anywhere.
#[derive(Debug, Default)]
pub struct Masker {
    /// What may be the beginning of a secret.
    held: String,
}

impl Masker {
    /// Takes another piece; returns what can be shown by now.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut text = mask(&self.held).into_owned();
        self.held = text.split_off(text.len() - n_held(&text));
        text
    }

    /// Ends the text; returns what was held back.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// How many bytes at the end of a text are the beginning of a secret.
fn n_held(text: &str) -> usize {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let of = |secret: &str| {
        let longest = text.len().min(secret.len() - 1);
        // The rest begins where a character of the secret begins, so it is one of the text's too.
        let is_beginning = |n: &usize| secret.as_bytes().starts_with(&text.as_bytes()[text.len() - n..]);
        (1..=longest).rev().find(is_beginning).unwrap_or_default()
    };
    known.iter().map(|secret| of(secret)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! Names of things. Session ids are random, everything inside a session is counted.

use std::fmt;
use std::sync::Arc;

use rand::Rng;

/// Crockford's base32: no letter that reads like a digit.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a session id: 80 random bits.
const SESSION_ID_LEN: usize = 16;

macro_rules! ids {
    ($( $(#[$doc:meta])* $name:ident; )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(Arc<str>);

            impl $name {
                pub fn new(id: impl Into<Arc<str>>) -> Self {
                    Self(id.into())
                }

                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )*
    };
}

ids! {
    /// A session; unique everywhere.
    SessionId;
    /// A turn; unique in its session. Clients may choose it.
    TurnId;
    /// A message of the model or of the queue; unique in its session.
    MessageId;
    /// A question; unique in its session.
    QuestionId;
    /// A tool call, as the model named it.
    CallId;
}

impl SessionId {
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let id: String =
            (0..SESSION_ID_LEN).map(|_| char::from(BASE32[rng.random_range(0..BASE32.len())])).collect();
        Self::new(id)
    }
}

impl MessageId {
    /// The number in an id that Opal gave, as in `m12`.
    pub(crate) fn number(&self) -> u64 {
        self.as_str().strip_prefix('m').and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

/// Counts ids of one session: `t1`, `t2`, …
#[derive(Debug, Default)]
pub(crate) struct Counter(u64);

impl Counter {
    /// Goes on behind a number that was given before.
    pub(crate) fn after(last: u64) -> Self {
        Self(last)
    }

    pub(crate) fn next(&mut self, prefix: &str) -> String {
        self.0 += 1;
        format!("{prefix}{}", self.0)
    }
}

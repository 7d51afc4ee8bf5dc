//! What a model is shown: the items of a conversation, each with its rendering kept.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::Answer;

/// One item of a conversation. Immutable, shared as `Arc<Item>`; each provider family keeps the JSON it
/// rendered for it here, so that a request costs what is new in it and not its whole history.
pub struct Item {
    pub kind: ItemKind,
    kept: Mutex<Kept>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// A prompt, a steering message, or a note to the model.
    User {
        parts: Vec<Part>,
    },
    Assistant(Answer),
    /// The result of one tool call of the answer before it.
    ToolResult {
        call_id: String,
        output: Vec<Part>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    Image {
        /// As in `image/png`.
        mime_type: String,
        /// Base64.
        data: String,
    },
}

#[derive(Default)]
struct Kept {
    rendering: Option<(Rendering, Rendered)>,
    /// The service refused to take the thinking back; it is not offered again.
    replay_refused: bool,
    /// Why the service refused an image, perhaps one of these; they are not shown again.
    images_refused: Option<String>,
}

/// All that the JSON of an item depends on besides the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rendering {
    /// The family, as in `responses`; where it renders in several ways, each has a name.
    pub(crate) form: &'static str,
    /// Whether the thinking goes back to the service that produced it.
    pub(crate) replay: bool,
    /// Whether images are shown. Of an item that has none they always are, so that its JSON stays.
    pub(crate) images: bool,
}

/// The JSON of an item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendered {
    /// What stands in its place.
    pub(crate) here: Bytes,
    /// What has to wait until all results of an answer have been shown.
    pub(crate) after: Bytes,
}

impl From<Vec<u8>> for Rendered {
    fn from(here: Vec<u8>) -> Self {
        Self { here: here.into(), after: Bytes::new() }
    }
}

impl ItemKind {
    fn parts(&self) -> &[Part] {
        match self {
            Self::User { parts } | Self::ToolResult { output: parts, .. } => parts,
            Self::Assistant(_) => &[],
        }
    }

    fn has_images(&self) -> bool {
        self.parts().iter().any(Part::is_image)
    }

    /// The same for a model that is shown none: it reads where they were and `why`, in the order in which they were.
    fn without_images(&self, why: &str) -> Self {
        let parts = self.parts().iter().map(|part| match part {
            Part::Image { mime_type, .. } => Part::Text(format!("[An image ({mime_type}) was here; {why}.]")),
            Part::Text(_) => part.clone(),
        });
        match self {
            Self::User { .. } => Self::User { parts: parts.collect() },
            Self::ToolResult { call_id, .. } => {
                Self::ToolResult { call_id: call_id.clone(), output: parts.collect() }
            }
            Self::Assistant(answer) => Self::Assistant(answer.clone()),
        }
    }
}

impl Part {
    pub(crate) fn is_image(&self) -> bool {
        matches!(self, Self::Image { .. })
    }
}

impl Item {
    pub fn new(kind: ItemKind) -> Self {
        Self { kind, kept: Mutex::default() }
    }

    /// A user item of plain text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(ItemKind::User { parts: vec![Part::Text(text.into())] })
    }

    /// The JSON kept for this rendering, or `render`'s, which is kept.
    pub(crate) fn rendered(
        &self,
        mut wanted: Rendering,
        render: impl FnOnce(&ItemKind, Rendering) -> Rendered,
    ) -> Rendered {
        let mut kept = self.kept();
        wanted.replay &= !kept.replay_refused;
        wanted.images &= kept.images_refused.is_none();
        wanted.images |= !self.kind.has_images();
        match &kept.rendering {
            Some((rendering, rendered)) if *rendering == wanted => rendered.clone(),
            _ => {
                let rendered = match (wanted.images, &kept.images_refused) {
                    (true, _) => render(&self.kind, wanted),
                    (false, Some(why)) => render(&self.kind.without_images(why), wanted),
                    (false, None) => {
                        render(&self.kind.without_images("this model cannot see images"), wanted)
                    }
                };
                kept.rendering = Some((wanted, rendered.clone()));
                rendered
            }
        }
    }

    /// From now on this item is rendered without its thinking. Returns whether that changes anything.
    pub(crate) fn refuse_replay(&self) -> bool {
        let mut kept = self.kept();
        let was_replayed = matches!(&kept.rendering, Some((rendering, _)) if rendering.replay);
        kept.replay_refused = true;
        was_replayed
    }

    /// From now on this item is rendered with words in place of its images. Returns whether that changes anything.
    pub(crate) fn refuse_images(&self, reason: &str) -> bool {
        let mut kept = self.kept();
        let were_shown = matches!(&kept.rendering, Some((rendering, _)) if rendering.images);
        if !were_shown || !self.kind.has_images() {
            return false;
        }
        kept.images_refused = Some(format!("the service refused it, or another one, and said: {reason}"));
        true
    }

    /// Returns true if a model that sees images is shown one here.
    pub(crate) fn shows_images(&self) -> bool {
        self.kind.has_images() && self.kept().images_refused.is_none()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

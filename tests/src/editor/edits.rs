//! What an editor does when the server asks it to change, save, confirm or type something.

use serde_json::{Value, json};

/// What to do with one `workspace/applyEdit`.
#[derive(Debug, Clone, Default)]
pub struct Apply {
    pub stale: Stale,
    pub outcome: Outcome,
    pub reply: Reply,
    pub order: Order,
    /// The user types at that very moment: `find` becomes `put` in the edited document, and the server sees
    /// both changes as one.
    pub typing: Option<Typing>,
}

/// What to do with an edit made for another version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stale {
    /// Like VS Code: `applied: false`.
    #[default]
    Refuse,
    /// Like Neovim: nothing happens, and it says `applied: true`.
    Pretend,
}

#[derive(Debug, Clone, Copy, Default)]
pub enum Outcome {
    #[default]
    Apply,
    /// `applied: false`; the text stays.
    Refuse,
    /// `applied: true`; the text stays.
    Pretend,
    /// The text that comes out is passed through this.
    Differently(fn(&str) -> String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reply {
    #[default]
    AtOnce,
    /// Held back until [`super::Editor::release`].
    Held,
    /// Never answered, like a client that forgets.
    Never,
    /// −32601.
    Unknown,
}

/// Which of the answer and the `didChange` goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    ChangeFirst,
    AnswerFirst,
}

#[derive(Debug, Clone)]
pub struct Typing {
    pub find: String,
    pub put: String,
}

/// What to do with one `client/save_documents`.
#[derive(Debug, Clone, Copy, Default)]
pub enum Save {
    #[default]
    Write,
    /// A formatter runs first.
    Format(fn(&str) -> String),
    /// Answers that nothing was saved.
    Fail,
    Never,
    /// Saves and answers when the story releases it.
    Held,
}

/// What to answer to one question, whichever way it is asked.
#[derive(Debug, Clone, Default)]
pub enum Confirm {
    /// Wait for the story to answer. The question may be withdrawn meanwhile.
    #[default]
    Hold,
    Allow,
    AllowSession,
    /// With a word to the model.
    Deny(&'static str),
    /// Twice the same answer, which is once too often.
    Twice(&'static str),
    /// Never, even after the question was withdrawn.
    Never,
    /// −32601.
    Unknown,
    /// Anything.
    Result(Value),
}

impl Confirm {
    /// The result of `client/confirm`, if this is one.
    pub fn result(&self) -> Option<Value> {
        match self {
            Self::Allow => Some(json!({ "action": "allow" })),
            Self::AllowSession => Some(json!({ "action": "allow_session" })),
            Self::Deny("") => Some(json!({ "action": "deny" })),
            Self::Deny(word) => Some(json!({ "action": "deny", "message": word })),
            Self::Twice(action) => Some(json!({ "action": action })),
            Self::Result(result) => Some(result.clone()),
            Self::Hold | Self::Never | Self::Unknown => None,
        }
    }

    /// The button of `window/showMessageRequest` that says the same.
    pub fn button(&self, titles: &[&str]) -> Option<Value> {
        let fits = |title: &&&str| {
            let title = title.to_lowercase();
            match self {
                Self::AllowSession => title.contains("session"),
                Self::Allow | Self::Twice("allow") => {
                    title.starts_with("allow") && !title.contains("session")
                }
                Self::Deny(_) | Self::Twice(_) => title.starts_with("deny"),
                _ => false,
            }
        };
        match self {
            Self::Result(result) => Some(result.clone()),
            _ => titles.iter().find(fits).map(|title| json!({ "title": title })),
        }
    }
}

//! An attached client, as a session sees it: somebody who is told and can be asked.

use std::fmt;

use futures::future::BoxFuture;

use crate::event::Event;
use crate::id::{CallId, QuestionId, SessionId};

/// One attached client. It may watch several sessions.
pub trait Client: Send + Sync + fmt::Debug {
    fn id(&self) -> ClientId;

    /// Takes the event with number `seq`. Called on the session's task: must not block.
    fn event(&self, session: &SessionId, seq: u64, event: &Event);

    /// Called after a group of events, so that they can leave together.
    fn flush(&self);

    /// Puts a question. `None`: this client cannot be asked, or has gone. Dropping the future gives up
    /// waiting; the client is then told by [`Client::resolved`].
    fn ask(&self, session: &SessionId, question: &Question) -> BoxFuture<'static, Option<Answer>>;

    /// The question was answered elsewhere or withdrawn.
    fn resolved(&self, session: &SessionId, question: &QuestionId);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub u64);

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub id: QuestionId,
    pub kind: QuestionKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum QuestionKind {
    Confirm(Confirm),
    Input { prompt: String, call_id: Option<CallId>, sensitive: bool, choices: Vec<String> },
}

/// Everything a user needs to see to decide.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confirm {
    pub title: String,
    /// Why it is asked.
    pub message: String,
    pub tool: String,
    pub call_id: Option<CallId>,
    pub path: Option<String>,
    pub diff: Option<String>,
    pub command: Option<String>,
    pub directory: Option<String>,
    /// What allowing for the session would allow; `None`: not on offer.
    pub grant: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// With a word to the model.
    Allow { word: Option<String>, for_session: bool },
    /// With a word to the model.
    Deny { word: Option<String> },
    /// `None`: cancelled.
    Input(Option<String>),
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Answered(Answer),
    /// No attached client can be asked.
    Nobody,
}

impl QuestionKind {
    /// One line that names the question.
    pub fn title(&self) -> &str {
        match self {
            Self::Confirm(confirm) => &confirm.title,
            Self::Input { prompt, .. } => prompt,
        }
    }

    /// Whether `answer` answers this kind of question.
    pub fn accepts(&self, answer: &Answer) -> bool {
        match self {
            Self::Confirm(confirm) => match answer {
                Answer::Allow { for_session, .. } => !for_session || confirm.grant.is_some(),
                Answer::Deny { .. } => true,
                Answer::Input(_) => false,
            },
            Self::Input { .. } => matches!(answer, Answer::Input(_)),
        }
    }
}

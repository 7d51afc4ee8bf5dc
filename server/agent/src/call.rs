//! One tool call that runs, and how it asks for permission.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::client::{Answer, Asked, Confirm, QuestionKind};
use crate::client_tools::Asking;
use crate::context::Context;
use crate::id::CallId;
use crate::permission::{Action, Decision, Grant};
use crate::report::Reporter;
use crate::result::ToolError;

/// One call that runs: the session's context and the way back to its turn.
#[derive(Debug)]
pub struct Call {
    pub id: CallId,
    /// As the model named the tool.
    pub tool: String,
    pub context: Arc<Context>,
    pub reporter: Reporter,
    pub cancelled: CancellationToken,
    /// What the user said when allowing; added to the result for the model.
    pub words: Mutex<Vec<String>>,
}

impl Call {
    /// Asks the rules, and the user if they say so.
    pub async fn permit(&self, action: Action<'_>, confirm: Confirm) -> Result<(), ToolError> {
        if self.decide(action)?.is_none() {
            return Ok(());
        }
        // One question at a time; an earlier answer may have granted this one.
        let _turn_to_ask = self.reporter.questions.lock().await;
        let Some((why, grant)) = self.decide(action)? else { return Ok(()) };
        let question = QuestionKind::Confirm(Confirm {
            message: why,
            tool: self.tool.clone(),
            call_id: Some(self.id.clone()),
            grant: Some(grant.to_string()),
            diff: confirm.diff.map(|diff| provider::mask(&diff).into_owned()),
            ..confirm
        });
        match self.ask(question).await? {
            Asked::Answered(Answer::Allow { word, for_session }) => {
                if for_session {
                    self.context.permissions().grant(grant);
                }
                self.words.lock().unwrap_or_else(PoisonError::into_inner).extend(word);
                Ok(())
            }
            Asked::Answered(Answer::Deny { word: Some(word) }) => {
                Err(ToolError::Denied(format!("the user denied this and says: {word}")))
            }
            Asked::Answered(_) => {
                Err(ToolError::Denied("the user denied this. Do not try another way to do the same.".into()))
            }
            Asked::Nobody => Err(ToolError::Denied(
                "denied: this needs the user's permission and nobody can be asked here".into(),
            )),
        }
    }

    /// Asks the rules only: an error if they refuse, and if the user is to be asked, why.
    pub fn decide(&self, action: Action<'_>) -> Result<Option<(String, Grant)>, ToolError> {
        let roots = self.context.roots();
        match self.context.permissions().decide(&roots, action) {
            Decision::Allow => Ok(None),
            Decision::Ask { why, grant } => Ok(Some((why, grant))),
            Decision::Deny { why } => {
                Err(ToolError::Denied(format!("refused: {why}. Do not try another way; go on without it.")))
            }
        }
    }

    /// Puts a question to all attached clients; the first answer wins.
    pub async fn ask(&self, question: QuestionKind) -> Result<Asked, ToolError> {
        self.wait(self.reporter.ask(question)).await
    }

    /// Asks an editor for what it knows; by then it was told of the call.
    pub async fn ask_editor<T>(&self, asking: Asking<'_, T>) -> Result<T, ToolError> {
        let asked = async {
            self.reporter.announced().await;
            asking.await
        };
        self.wait(asked).await?.map_err(ToolError::failed)
    }

    /// Waits for something that must not be cut off. `None`: the call was aborted and the work did not end
    /// soon after, as with a disk that does not answer. Whether it has an effect is not known then.
    pub async fn finish<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        finish(work, &self.cancelled, self.context.limits.abort_grace).await
    }

    /// Waits for something that changes nothing, and is dropped when the call is aborted. Everything that
    /// looks at the disk is waited for so.
    pub async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, ToolError> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(ToolError::Aborted),
            done = work => Ok(done),
        }
    }
}

/// Finishes work as [`Call::finish`] does, outside of a call.
pub(crate) async fn finish<T>(
    work: impl Future<Output = T>,
    cancelled: &CancellationToken,
    grace: Duration,
) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return Some(done),
        () = cancelled.cancelled() => {}
    }
    tokio::time::timeout(grace, work).await.ok()
}

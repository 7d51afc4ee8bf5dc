//! What a tool is, and what it is given to work with.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use provider::{Part, ToolSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;
use text::AbsPath;
use text::Rope;
use tokio_util::sync::CancellationToken;

use crate::client::{Answer, Confirm, QuestionKind};
use crate::id::CallId;
use crate::limits::Limits;
use crate::permission::{Action, Decision, Permissions};
use crate::process::{Processes, Shell};
use crate::turn::Reporter;
use crate::workspace::{FileError, FileName, Workspace};

/// Something the model can call.
pub trait Tool: Send + Sync + fmt::Debug {
    /// How the model sees it.
    fn spec(&self) -> ToolSpec;

    /// What a call touches, so that calls which touch the same things wait for each other.
    fn access(&self, args: &Value, context: &Context) -> Access;

    /// Runs one call. When `call.cancelled` fires it ends soon, leaving nothing half done and no process
    /// behind.
    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>>;
}

/// What a call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Nothing,
    Read(FileName),
    Write(FileName),
    /// A command may write anything, but commands do not wait for each other.
    Command,
    /// Waits for the user.
    User,
}

impl Access {
    /// Whether two calls must run one after the other.
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(a), Self::Write(b)) | (Self::Write(a), Self::Read(b) | Self::Write(b)) => a == b,
            (Self::Write(_), Self::Command) | (Self::Command, Self::Write(_)) => true,
            (Self::User, Self::User) => true,
            _ => false,
        }
    }
}

/// What a call came to, for the model and for the user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    pub parts: Vec<Part>,
    /// The change as a unified diff.
    pub diff: Option<String>,
}

impl Output {
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Text(text.into())], diff: None }
    }
}

/// Why a call came to nothing. The text goes to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Denied(String),
    #[error("aborted by the user before it finished")]
    Aborted,
    #[error("skipped: the user said something before this call was started")]
    Skipped,
}

impl ToolError {
    pub fn failed(text: impl fmt::Display) -> Self {
        Self::Failed(text.to_string())
    }
}

impl From<FileError> for ToolError {
    fn from(error: FileError) -> Self {
        Self::failed(error)
    }
}

/// A finished call as it is told and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    pub outcome: Result<Output, ToolError>,
}

impl ToolResult {
    /// What goes to the model.
    pub fn parts(&self) -> Vec<Part> {
        match &self.outcome {
            Ok(output) => output.parts.clone(),
            Err(error) => vec![Part::Text(error.to_string())],
        }
    }

    /// All text of it.
    pub fn text(&self) -> String {
        let parts = self.parts();
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Image { .. } => "[image]",
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// What all calls of a session share.
#[derive(Debug)]
pub struct Context {
    pub working_dir: AbsPath,
    pub workspace: Arc<dyn Workspace>,
    pub shell: Shell,
    pub limits: Limits,
    /// Background commands.
    pub processes: Processes,
    /// Environment variables that commands do not get.
    pub hidden_env: Vec<String>,
    /// Where long outputs are kept whole; created when first needed.
    pub output_dir: PathBuf,
    permissions: Mutex<Permissions>,
    seen: Mutex<HashMap<FileName, u128>>,
}

impl Context {
    pub fn new(
        working_dir: AbsPath,
        workspace: Arc<dyn Workspace>,
        shell: Shell,
        permissions: Permissions,
        limits: Limits,
        hidden_env: Vec<String>,
        output_dir: PathBuf,
    ) -> Self {
        Self {
            working_dir,
            workspace,
            shell,
            limits,
            processes: Processes::default(),
            hidden_env,
            output_dir,
            permissions: Mutex::new(permissions),
            seen: Mutex::default(),
        }
    }

    pub fn permissions(&self) -> MutexGuard<'_, Permissions> {
        self.permissions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where reads and writes are inside.
    pub fn roots(&self) -> Vec<AbsPath> {
        let mut roots = self.workspace.folders();
        roots.push(self.working_dir.clone());
        roots
    }

    /// A path as the model writes it: relative to the working directory, or absolute, or the URI of an
    /// open document.
    pub fn name(&self, path: &str) -> FileName {
        match path.split_once(':') {
            Some(("file", _)) => match AbsPath::from_uri(path) {
                Ok(path) => FileName::Path(path),
                Err(_) => FileName::Path(self.working_dir.join(path)),
            },
            Some(("untitled", _)) => FileName::Document(path.into()),
            _ => FileName::Path(self.working_dir.join(path)),
        }
    }

    /// A path as the user reads it.
    pub fn display(&self, name: &FileName) -> String {
        match name {
            FileName::Path(path) => path.relative_to(&self.working_dir).unwrap_or_else(|| path.to_string()),
            FileName::Document(uri) => uri.clone(),
        }
    }

    /// Notes that the model has seen this text of the file.
    pub fn note_seen(&self, name: &FileName, text: &Rope) {
        let fingerprint = fingerprint(text);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), fingerprint);
    }

    /// What the model knows of the file, given what stands there.
    pub fn seen(&self, name: &FileName, text: &Rope) -> Seen {
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        match known {
            None => Seen::Never,
            Some(known) if known == fingerprint(text) => Seen::AsItStands,
            Some(_) => Seen::Before,
        }
    }
}

/// What the model knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Never,
    AsItStands,
    /// It has changed since.
    Before,
}

fn fingerprint(text: &Rope) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    for chunk in text.chunks() {
        hash.update(chunk.as_bytes());
    }
    hash.digest128()
}

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
        let (why, grant) = match self.decide(action) {
            Decision::Allow => return Ok(()),
            Decision::Deny { why } => {
                return Err(ToolError::Denied(format!(
                    "refused: {why}. Do not try another way; go on without it."
                )));
            }
            Decision::Ask { why, grant } => (why, grant),
        };
        // One question at a time; an earlier answer may have granted this one.
        let _turn_to_ask = self.reporter.questions.lock().await;
        if self.decide(action) == Decision::Allow {
            return Ok(());
        }
        let question = QuestionKind::Confirm(Confirm {
            message: why,
            tool: self.tool.clone(),
            call_id: Some(self.id.clone()),
            grant: Some(grant.to_string()),
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

    fn decide(&self, action: Action<'_>) -> Decision {
        let roots = self.context.roots();
        self.context.permissions().decide(&roots, action)
    }

    /// Puts a question to all attached clients; the first answer wins.
    pub async fn ask(&self, question: QuestionKind) -> Result<Asked, ToolError> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(ToolError::Aborted),
            answer = self.reporter.ask(question) => Ok(answer),
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Answered(Answer),
    /// No attached client can be asked.
    Nobody,
}

/// Decodes a call's arguments; the error names the field.
pub fn decode<T: DeserializeOwned>(args: Value) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(args).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        ToolError::failed(if path == "." {
            format!("bad arguments: {inner}")
        } else {
            format!("bad arguments: {path}: {inner}")
        })
    })
}

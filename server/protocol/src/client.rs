//! `client/*`: what the server asks of a client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::null_as_default;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmParams {
    pub session_id: String,
    pub question_id: String,
    /// One line: what is about to happen.
    pub title: String,
    /// Why it is asked.
    pub message: String,
    /// The answers on offer, in the order to show them.
    pub actions: Vec<ConfirmAction>,
    pub details: ConfirmDetails,
}

/// What a user needs to see to decide. All fields optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmDetails {
    /// The tool that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The call it belongs to, as in `tool_execution_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Absolute path of the file it touches; absent if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The change as a unified diff; of several files, one behind the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Absolute path of the directory the command runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What `allow_session` would allow from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}

/// An answer to `client/confirm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmAction {
    /// Do it, this once.
    Allow,
    /// Do not do it.
    Deny,
    /// Allow, and do not ask again for the same in this session.
    AllowSession,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmResult {
    pub action: ConfirmAction,
    /// A word to the model; mostly the reason for a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputParams {
    pub session_id: String,
    pub question_id: String,
    /// The call it belongs to, as in `tool_execution_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// What to ask the user.
    pub prompt: String,
    /// Do not show what is typed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub sensitive: bool,
    /// Answers to choose from; another text may be given all the same.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// The answer to `client/input`; a `null` result or a `null` text means cancelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InputResult {
    /// What the user typed or chose.
    #[serde(default)]
    pub text: Option<String>,
}

/// A question that waits for an answer, as `agent/state` lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Question {
    /// May it be done?
    Confirm(ConfirmParams),
    /// What is the text?
    Input(InputParams),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedParams {
    pub session_id: String,
    pub question_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SaveDocumentsParams {
    pub session_id: String,
    /// In the client's own spelling.
    pub uris: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SaveDocumentsResult {
    /// Those that are on disk now.
    pub saved: Vec<String>,
}

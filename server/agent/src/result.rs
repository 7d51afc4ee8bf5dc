//! What a tool call came to.

use std::borrow::Cow;
use std::fmt;

use provider::{Part, mask};

use crate::workspace::FileError;

/// What a call came to, for the model and for the user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    pub parts: Vec<Part>,
    /// The change as a unified diff.
    pub diff: Option<String>,
    /// How a command ended, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The files that were read or written, as they stand now.
    pub files: Vec<FileState>,
}

/// A file at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// As the model names it.
    pub path: String,
    /// Of the text; only compared with others of its kind.
    pub hash: String,
}

impl Output {
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Text(text.into())], ..Self::default() }
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
        Self::failed(format!("{error}. {}", error.hint()))
    }
}

/// A finished call as it is told and stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    pub outcome: Result<Output, ToolError>,
}

impl ToolResult {
    /// Takes the secrets out of it that Opal knows: neither the model nor whoever reads along needs them.
    pub(crate) fn mask(&mut self) {
        let mask_in = |text: &mut String| {
            if let Cow::Owned(masked) = mask(text) {
                *text = masked;
            }
        };
        match &mut self.outcome {
            Ok(output) => {
                output.diff.iter_mut().for_each(mask_in);
                for part in &mut output.parts {
                    if let Part::Text(text) = part {
                        mask_in(text);
                    }
                }
            }
            Err(ToolError::Failed(text) | ToolError::Denied(text)) => mask_in(text),
            Err(ToolError::Aborted | ToolError::Skipped) => {}
        }
    }

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

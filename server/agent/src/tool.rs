//! What a tool is.

mod arguments;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use arguments::arguments;

use crate::call::Call;
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::workspace::{FileName, Workspace};

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
    /// What comes of it depends on files that are not known before.
    ReadAny,
    /// Changes files that are not known before.
    WriteAny,
    /// A command may write anything, but commands do not wait for each other.
    Command,
    /// Waits for the user.
    User,
}

impl Access {
    /// The same with the links of its path followed.
    pub(crate) async fn resolved(&self, workspace: &dyn Workspace) -> Self {
        match self {
            Self::Read(name) => Self::Read(resolved(name, workspace).await),
            Self::Write(name) => Self::Write(resolved(name, workspace).await),
            other => other.clone(),
        }
    }

    /// Whether two calls must run one after the other.
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Read(a), Self::Write(b)) | (Self::Write(a), Self::Read(b) | Self::Write(b)) => a == b,
            (Self::Write(_), Self::Command | Self::ReadAny) => true,
            (Self::Command | Self::ReadAny, Self::Write(_)) => true,
            (Self::WriteAny, other) | (other, Self::WriteAny) => !matches!(other, Self::Nothing | Self::User),
            (Self::User, Self::User) => true,
            _ => false,
        }
    }
}

/// A path that cannot be resolved stands for itself: the call will say why.
async fn resolved(name: &FileName, workspace: &dyn Workspace) -> FileName {
    match name {
        FileName::Path(path) => match workspace.resolve(path).await {
            Ok(path) => FileName::Path(path),
            Err(_) => name.clone(),
        },
        FileName::Document(_) => name.clone(),
    }
}

/// What a call is about, in its arguments: a path, a command, a name.
pub(crate) fn about(args: &Value) -> Option<&str> {
    ["path", "command", "query"].iter().find_map(|name| args.get(name)?.as_str())
}

/// A `timeout` that the model asks for in seconds; what is longer than `max` is cut to it.
pub(crate) fn timeout(asked: Option<f64>, usual: Duration, max: Duration) -> Result<Duration, ToolError> {
    match asked {
        None => Ok(usual),
        Some(seconds) if seconds < 0.0 => {
            Err(ToolError::failed("bad arguments: timeout: expected a number of seconds, at least 0"))
        }
        Some(seconds) => Ok(Duration::try_from_secs_f64(seconds).map_or(max, |asked| asked.min(max))),
    }
}

/// Decodes arguments that `arguments` has put in the form of the tool's schema; the error names the field.
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

//! Who may do what: the mode, the roots, and what the user has granted.
//!
//! Decides only; it asks nobody and touches no file. Paths come resolved, so that a symlink out of the
//! workspace is outside.

use std::fmt;

use text::AbsPath;

/// How much runs unasked. Inside means inside one of the roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Reads inside are free; writes, commands and everything outside ask.
    #[default]
    Ask,
    /// As [`Mode::Ask`], and writes inside are free.
    AutoEdit,
    /// Never asks.
    Full,
    /// Writes and commands are refused without asking.
    ReadOnly,
}

impl Mode {
    /// As configurations and stored sessions spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::AutoEdit => "auto_edit",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    Read {
        path: &'a AbsPath,
    },
    Write {
        path: &'a AbsPath,
    },
    /// Changes a document that is no file.
    WriteDocument,
    Command {
        command: &'a str,
        directory: &'a AbsPath,
    },
    /// Writes to the input of a background command.
    Feed {
        handle: &'a str,
        /// What runs there.
        command: &'a str,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Ask { why: String, grant: Grant },
    Deny { why: String },
}

/// What "allow for the session" allows from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Reads below a directory outside the roots, or of one file.
    Read { under: AbsPath },
    /// Writes inside the roots.
    WriteInside,
    /// Reads and writes below a directory outside the roots, or of one file.
    Write { under: AbsPath },
    /// Exactly this command in this directory.
    Command { command: String, directory: AbsPath },
    /// Whatever is written to the input of this background command. Handles do not come again.
    Feed { handle: String, command: String },
}

/// The mode and the grants of one session.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    pub mode: Mode,
    grants: Vec<Grant>,
}

impl Permissions {
    pub fn new(mode: Mode) -> Self {
        Self { mode, grants: Vec::new() }
    }

    pub fn grant(&mut self, grant: Grant) {
        if !self.grants.contains(&grant) {
            self.grants.push(grant);
        }
    }

    pub fn decide(&self, roots: &[AbsPath], action: Action<'_>) -> Decision {
        if self.mode == Mode::Full {
            return Decision::Allow;
        }
        if self.mode == Mode::ReadOnly && !matches!(action, Action::Read { .. }) {
            return Decision::Deny { why: "this session is read-only".into() };
        }
        if self.is_granted(roots, action) {
            return Decision::Allow;
        }
        match action {
            Action::Read { path } if is_inside(roots, path) => Decision::Allow,
            Action::Read { path } => Decision::Ask {
                why: format!("{path} is outside the workspace"),
                grant: Grant::Read { under: around(path) },
            },
            Action::Write { path } if !is_inside(roots, path) => Decision::Ask {
                why: format!("{path} is outside the workspace"),
                grant: Grant::Write { under: around(path) },
            },
            Action::Write { path } if runs_programs(path) => Decision::Ask {
                why: "what stands in .git can run programs".into(),
                grant: Grant::Write { under: path.clone() },
            },
            Action::Write { .. } | Action::WriteDocument if self.mode == Mode::AutoEdit => Decision::Allow,
            Action::Write { .. } | Action::WriteDocument => {
                Decision::Ask { why: "edits are asked for in this mode".into(), grant: Grant::WriteInside }
            }
            Action::Command { command, directory } => Decision::Ask {
                why: "commands are asked for in this mode".into(),
                grant: Grant::Command { command: command.into(), directory: directory.clone() },
            },
            Action::Feed { handle, command } => Decision::Ask {
                why: "what a running command is fed is asked for in this mode".into(),
                grant: Grant::Feed { handle: handle.into(), command: command.into() },
            },
        }
    }

    fn is_granted(&self, roots: &[AbsPath], action: Action<'_>) -> bool {
        self.grants.iter().any(|grant| match (grant, action) {
            (Grant::Read { under } | Grant::Write { under }, Action::Read { path }) => {
                path.starts_with(under)
            }
            (Grant::Write { under }, Action::Write { path }) => path.starts_with(under),
            (Grant::WriteInside, Action::Write { path }) => is_inside(roots, path) && !runs_programs(path),
            (Grant::WriteInside, Action::WriteDocument) => true,
            (Grant::Command { command, directory }, Action::Command { command: c, directory: d }) => {
                command == c && directory == d
            }
            (Grant::Feed { handle, .. }, Action::Feed { handle: h, .. }) => handle == h,
            _ => false,
        })
    }
}

fn is_inside(roots: &[AbsPath], path: &AbsPath) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

/// Hooks and settings of a repository: a free edit there would be a free command.
fn runs_programs(path: &AbsPath) -> bool {
    path.as_path().components().any(|part| part.as_os_str() == ".git")
}

/// The file's directory. The file alone if that is the root of everything, which nobody means to grant.
fn around(path: &AbsPath) -> AbsPath {
    path.parent().filter(|directory| directory.parent().is_some()).unwrap_or_else(|| path.clone())
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { under } => write!(f, "reads in {under}"),
            Self::WriteInside => f.write_str("edits inside the workspace"),
            Self::Write { under } => write!(f, "reads and edits in {under}"),
            Self::Feed { handle, command } => write!(f, "all input to {handle}, which runs: {command}"),
            Self::Command { command, directory } => write!(f, "this same command in {directory}: {command}"),
        }
    }
}

#[cfg(test)]
mod tests;

//! Who may do what: the mode, the roots, and what the user has granted.
//!
//! Decides only; it asks nobody and touches no file. Paths come resolved, so that a symlink out of the
//! workspace is outside. Which files are not like others is in [`places`], for every mode and grant.

mod grant;
mod places;

use text::AbsPath;

pub use grant::Grant;
use places::Place;
pub use places::Places;

/// How much runs unasked. Inside means inside one of the roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Reads inside are free; writes, commands and everything outside ask.
    #[default]
    Ask,
    /// As [`Mode::Ask`], and writes inside are free.
    AutoEdit,
    /// Never asks. Opal's data directory is refused, because nobody could be asked.
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
        /// It is kept running, and can be fed.
        background: bool,
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

/// The mode and the grants of one session.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    pub mode: Mode,
    places: Places,
    grants: Vec<Grant>,
}

impl Permissions {
    pub fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Returns these permissions on a machine with these directories.
    #[must_use]
    pub fn with_places(self, places: Places) -> Self {
        Self { places, ..self }
    }

    pub fn grant(&mut self, grant: Grant) {
        if !self.grants.contains(&grant) {
            self.grants.push(grant);
        }
    }

    pub fn decide(&self, roots: &[AbsPath], action: Action<'_>) -> Decision {
        let place = match action {
            Action::Read { path } | Action::Write { path } => self.places.of(roots, path),
            _ => None,
        };
        match place {
            Some(place @ Place::OwnCredentials) => return Decision::Deny { why: place.reason().into() },
            Some(place @ Place::Own) if self.mode == Mode::Full => {
                return Decision::Deny {
                    why: format!("{}, and nobody can be asked in this mode", place.reason()),
                };
            }
            _ => {}
        }
        if self.mode == Mode::Full {
            return Decision::Allow;
        }
        if self.mode == Mode::ReadOnly && !matches!(action, Action::Read { .. }) {
            return Decision::Deny { why: "this session is read-only".into() };
        }
        if self.grants.iter().any(|grant| grant.covers(action, roots, &self.places)) {
            return Decision::Allow;
        }
        match action {
            Action::Read { path } => self.decide_read(roots, path, place),
            Action::Write { path } => self.decide_write(roots, path, place),
            Action::WriteDocument if self.mode == Mode::AutoEdit => Decision::Allow,
            Action::WriteDocument => asks_for_edits(),
            Action::Command { command, directory, background } => Decision::Ask {
                why: "commands are asked for in this mode".into(),
                grant: Grant::Command { command: command.into(), directory: directory.clone(), background },
            },
            Action::Feed { handle, command } => Decision::Ask {
                why: "what a running command is fed is asked for in this mode".into(),
                grant: Grant::Feed { handle: handle.into(), command: command.into() },
            },
        }
    }

    fn decide_read(&self, roots: &[AbsPath], path: &AbsPath, place: Option<Place>) -> Decision {
        if let Some(place) = place.filter(|place| place.guards_reads()) {
            let grant = Grant::Read { path: path.clone() };
            return Decision::Ask { why: reason(path, place), grant };
        }
        if is_inside(roots, path) || self.places.is_output(path) {
            return Decision::Allow;
        }
        Decision::Ask { why: outside(path), grant: Grant::of_reads_around(path, &self.places) }
    }

    fn decide_write(&self, roots: &[AbsPath], path: &AbsPath, place: Option<Place>) -> Decision {
        let why = match place {
            Some(place) => reason(path, place),
            None if !is_inside(roots, path) => outside(path),
            None if self.mode == Mode::AutoEdit => return Decision::Allow,
            None => return asks_for_edits(),
        };
        Decision::Ask { why, grant: Grant::Write { path: path.clone() } }
    }
}

fn asks_for_edits() -> Decision {
    Decision::Ask { why: "edits are asked for in this mode".into(), grant: Grant::WriteInside }
}

fn outside(path: &AbsPath) -> String {
    format!("{path} is outside the workspace")
}

fn reason(path: &AbsPath, place: Place) -> String {
    format!("{path}: {}", place.reason())
}

fn is_inside(roots: &[AbsPath], path: &AbsPath) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

#[cfg(test)]
mod tests;

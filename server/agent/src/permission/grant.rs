//! What "allow for the session" allows from then on.

use std::fmt;

use text::AbsPath;

use super::{Action, Places, is_inside};

/// What the user has allowed for the session: exactly what its text says, which the question shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Reads of one file.
    Read { path: AbsPath },
    /// Reads below a directory outside the roots. The user means what is seen there, so hidden files and
    /// credentials are not among it.
    ReadBelow { directory: AbsPath },
    /// Reads and edits of one file.
    Write { path: AbsPath },
    /// Edits of the files in the roots that are like others, and of documents that are no files.
    WriteInside,
    /// This command in this directory, in the background or not. Its time is limited by Opal.
    Command { command: String, directory: AbsPath, background: bool },
    /// Input to this background command, any number of times. Handles do not come again.
    Feed { handle: String, command: String },
}

impl Grant {
    /// Returns the grant for reads like that of this file outside the roots.
    pub(super) fn of_reads_around(path: &AbsPath, places: &Places) -> Self {
        let around = path.parent().filter(|directory| {
            // Nobody means to grant all that they have.
            !places.is_home_or_above(directory) && !is_hidden(&path.file_name())
        });
        match around {
            Some(directory) => Self::ReadBelow { directory },
            None => Self::Read { path: path.clone() },
        }
    }

    pub(super) fn covers(&self, action: Action<'_>, roots: &[AbsPath], places: &Places) -> bool {
        match (self, action) {
            (Self::Read { path } | Self::Write { path }, Action::Read { path: other }) => path == other,
            (Self::Write { path }, Action::Write { path: other }) => path == other,
            (Self::ReadBelow { directory }, Action::Read { path }) => {
                let below = path.relative_to(directory);
                let is_seen = below.is_some_and(|below| !below.split('/').any(is_hidden));
                is_seen && !places.of(roots, path).is_some_and(|place| place.guards_reads())
            }
            (Self::WriteInside, Action::Write { path }) => {
                is_inside(roots, path) && places.of(roots, path).is_none()
            }
            (Self::WriteInside, Action::WriteDocument) => true,
            (
                Self::Command { command, directory, background },
                Action::Command { command: other, directory: elsewhere, background: other_background },
            ) => command == other && directory == elsewhere && *background == other_background,
            (Self::Feed { handle, command }, Action::Feed { handle: other, command: other_command }) => {
                handle == other && command == other_command
            }
            _ => false,
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path } => write!(f, "reads of {path}"),
            Self::ReadBelow { directory } => {
                write!(f, "reads in {directory} and below, except hidden files and credentials")
            }
            Self::Write { path } => write!(f, "reads and edits of {path}"),
            Self::WriteInside => f.write_str(
                "edits in the workspace and of untitled documents, except files that run programs or hold \
                 credentials",
            ),
            Self::Command { command, directory, background: false } => {
                write!(f, "this same command in {directory}: {command}")
            }
            Self::Command { command, directory, background: true } => {
                write!(f, "this same command in the background in {directory}: {command}")
            }
            Self::Feed { handle, command } => write!(f, "all input to {handle}, which runs: {command}"),
        }
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

//! What the server and a supervisor say to each other: which command to run, and what has come of it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::Command;

/// A byte of this value is the server's order to terminate the command.
pub(super) const TERMINATE: u8 = b'T';

/// A command to be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) directory: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// What a supervisor tells of its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// It is there under this process id, and has not read the request yet. Without this the command has certainly not
    /// run.
    Ready(i32),
    /// The shell runs and has this process id.
    Started(i32),
    /// The shell could not be started, with this error of the system.
    NotStarted(i32),
    /// The shell has ended with this raw status. Its descendants may go on.
    Exited(i32),
    /// The system does not show what the shell has started, so only its process group was signalled.
    Unseen,
    /// Everything has ended, and there is no further message. `had_to`: something still ran when it was terminated.
    Ended { had_to: bool },
}

impl Request {
    /// The request for a command as it was prepared for [`Command::spawn`].
    pub(super) fn of(command: &Command) -> Self {
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        for (name, value) in command.get_envs() {
            environment.retain(|(known, _)| known != name);
            environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
        Self {
            program: command.get_program().to_owned(),
            arguments: command.get_args().map(OsStr::to_owned).collect(),
            directory: command.get_current_dir().unwrap_or("/".as_ref()).to_owned(),
            environment,
        }
    }

    /// The request as bytes: a length, then strings with a NUL behind each. [`Command`] lets no string hold one.
    pub(super) fn encode(&self) -> Vec<u8> {
        let n_arguments = self.arguments.len().to_string();
        let variables = self.environment.iter().flat_map(|(name, value)| [name, value]);
        let strings = [&self.program, self.directory.as_os_str(), n_arguments.as_ref()]
            .into_iter()
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .chain(variables.map(OsString::as_os_str));
        let mut strings_with_ends = Vec::new();
        for string in strings {
            strings_with_ends.extend_from_slice(string.as_bytes());
            strings_with_ends.push(0);
        }
        let length = strings_with_ends.len() as u64;
        [&length.to_ne_bytes(), &strings_with_ends[..]].concat()
    }

    /// Reads what [`Request::encode`] has written.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; size_of::<u64>()];
        stream.read_exact(&mut length)?;
        let mut encoded = Vec::new();
        stream.take(u64::from_ne_bytes(length)).read_to_end(&mut encoded)?;
        let mut strings =
            encoded.split(|byte| *byte == 0).map(|string| OsString::from_vec(string.to_owned()));
        let mut next = || strings.next().ok_or(io::ErrorKind::UnexpectedEof);
        let (program, directory) = (next()?, PathBuf::from(next()?));
        let n_arguments = next()?.to_str().and_then(|n| n.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let arguments = strings.by_ref().take(n_arguments).collect();
        let mut environment = Vec::new();
        while let (Some(name), Some(value)) = (strings.next(), strings.next()) {
            environment.push((name, value));
        }
        Ok(Self { program, arguments, directory, environment })
    }
}

impl Message {
    pub(super) const LENGTH: usize = 5;

    pub(super) fn encode(self) -> [u8; Self::LENGTH] {
        let (kind, value) = match self {
            Self::Ready(pid) => (b'R', pid),
            Self::Started(pid) => (b'S', pid),
            Self::NotStarted(error) => (b'N', error),
            Self::Exited(status) => (b'E', status),
            Self::Unseen => (b'U', 0),
            Self::Ended { had_to } => (b'O', had_to.into()),
        };
        let [a, b, c, d] = value.to_ne_bytes();
        [kind, a, b, c, d]
    }

    pub(super) fn decode([kind, value @ ..]: [u8; Self::LENGTH]) -> Option<Self> {
        let value = i32::from_ne_bytes(value);
        match kind {
            b'R' => Some(Self::Ready(value)),
            b'S' => Some(Self::Started(value)),
            b'N' => Some(Self::NotStarted(value)),
            b'E' => Some(Self::Exited(value)),
            b'U' => Some(Self::Unseen),
            b'O' => Some(Self::Ended { had_to: value != 0 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_out_as_it_went_in() {
        let odd = OsString::from_vec(vec![b'a', 0xff, b'\n', b'=']);
        let request = Request {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "".into(), odd.clone()],
            directory: PathBuf::from(&odd),
            environment: vec![("A".into(), "".into()), (odd.clone(), odd)],
        };
        let encoded = request.encode();
        assert_eq!(Request::read(&mut &encoded[..]).unwrap(), request);
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let ends = [true, false].map(|had_to| Message::Ended { had_to });
        let others = [
            Message::Ready(5),
            Message::Started(7),
            Message::NotStarted(2),
            Message::Exited(-1),
            Message::Unseen,
        ];
        for message in others.into_iter().chain(ends) {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([0; Message::LENGTH]), None);
    }
}

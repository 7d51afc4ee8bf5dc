//! The only way to the terminal: every text is made printable on it (see [`text::printable`]), and only the styles
//! given here reach the terminal as escape sequences.
//!
//! `clippy.toml` disallows the other ways. What is piped out of stdout stays as it is: it is for programs.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use text::{Printable, Utf8Chunks, printable};

pub(super) const PLAIN: Style = Style::new();
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const TOOL: Style = AnsiColor::Cyan.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const ADDED: Style = AnsiColor::Green.on_default();
pub(super) const REMOVED: Style = AnsiColor::Red.on_default();
pub(super) const HUNK: Style = AnsiColor::Magenta.on_default();

/// Prints a line to stderr, made printable as a whole: `tell!("{} files", n)`, or `tell!(FAINT: "{} files", n)`.
macro_rules! tell {
    ($style:ident: $($argument:tt)*) => {
        $crate::cli::print::tell_pieces(&[($crate::cli::print::$style, format_args!($($argument)*))])
    };
    ($($argument:tt)*) => {
        $crate::cli::print::tell_pieces(&[($crate::cli::print::PLAIN, format_args!($($argument)*))])
    };
}
pub(super) use tell;

/// Prints a line of several styles to stderr.
pub(super) fn tell_pieces(pieces: &[(Style, fmt::Arguments<'_>)]) {
    let mut line = String::new();
    for (style, piece) in pieces {
        // Writing to a string does not fail.
        let _ = write!(line, "{style}{}{style:#}", printable(&piece.to_string()));
    }
    line.push('\n');
    write_stderr(&line);
}

/// Prints a text to stderr without ending the line.
pub(super) fn tell_text(style: Style, text: &str) {
    write_stderr(&format!("{style}{}{style:#}", printable(text)));
}

/// If nobody reads stderr, it was for nobody.
#[expect(clippy::disallowed_methods, reason = "the one place that writes to stderr")]
fn write_stderr(styled: &str) {
    let mut stderr = anstream::stderr();
    let _ = stderr.write_all(styled.as_bytes()).and_then(|()| stderr.flush());
}

#[expect(clippy::disallowed_methods, reason = "asks only")]
pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

#[expect(clippy::disallowed_methods, reason = "asks only")]
pub(super) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A text on stdout that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// What a terminal needs; characters may be split between two writes.
    terminal: Option<(Utf8Chunks, Printable)>,
}

/// Stdout: printable on a terminal, and as it is elsewhere.
pub(super) fn out() -> Out {
    Out { terminal: stdout_is_terminal().then(Default::default) }
}

impl Write for Out {
    #[expect(clippy::disallowed_methods, reason = "the one place that writes to stdout")]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.terminal {
            None => io::stdout().write(bytes),
            Some((chunks, printable)) => {
                io::stdout().write_all(printable.push(&chunks.push(bytes)).as_bytes())?;
                Ok(bytes.len())
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that writes to stdout")]
    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Stderr for the log, whose lines come whole and printable.
#[derive(Debug)]
pub(super) struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write_stderr(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

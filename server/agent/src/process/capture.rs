//! A command's output: cleaned for reading, its secrets masked, kept short for the model, and whole in a file.

use std::io;
use std::path::{Path, PathBuf};

use provider::Masker;
use text::{ControlFilter, HeadTail, Utf8Chunks, notice};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// Until the output is longer than this, no file is made. The same as what the model is shown.
const KEPT_CHARS: usize = 30_000;

#[derive(Debug)]
pub(crate) struct Capture {
    utf8: Utf8Chunks,
    /// What the model is shown: each line as it was drawn last.
    drawn: Cleaner,
    kept: HeadTail,
    /// What is shown while the command runs.
    live: Cleaner,
    /// What goes to the file: each line in all states that it was drawn in.
    everything: Cleaner,
    /// All of that, while it is short.
    short: String,
    n_chars: usize,
    file: Option<File>,
    path: PathBuf,
    /// Bytes that may still go to the file.
    room: u64,
    trouble: Option<String>,
}

impl Capture {
    /// `path` is created only if the output is long; at most `max` bytes of it are kept there.
    pub(crate) fn new(path: PathBuf, max: u64) -> Self {
        Self {
            utf8: Utf8Chunks::default(),
            drawn: Cleaner::new(ControlFilter::new()),
            kept: HeadTail::default(),
            live: Cleaner::new(ControlFilter::live()),
            everything: Cleaner::new(ControlFilter::everything()),
            short: String::new(),
            n_chars: 0,
            file: None,
            path,
            room: max,
            trouble: None,
        }
    }

    /// Takes more output and returns it as it can be shown.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> String {
        let decoded = self.utf8.push(bytes);
        self.kept.push(&self.drawn.push(&decoded));
        let everything = self.everything.push(&decoded);
        self.keep(&everything).await;
        self.live.push(&decoded)
    }

    /// Ends the output: returns what was held back of it, and brings the file up to date.
    pub(crate) async fn end(&mut self) -> String {
        let rest = self.utf8.finish();
        self.kept.push(&self.drawn.end(&rest));
        let everything = self.everything.end(&rest);
        self.keep(&everything).await;
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush().await
        {
            self.give_up(&error);
        }
        self.live.end(&rest)
    }

    /// The output for the model, with a word about where the whole is.
    pub(crate) async fn finish(mut self) -> String {
        self.end().await;
        let mut shown = self.kept.finish();
        let n_redrawn = self.drawn.controls.n_redrawn();
        if n_redrawn > 0 {
            shown.push_str(&format!("\n{}", notice::redrawn_lines(n_redrawn)));
        }
        if let Some(place) = self.place() {
            shown.push_str(&format!("\n{place}"));
        }
        shown
    }

    /// Where the whole output is, if it is too long to be shown.
    pub(crate) fn place(&self) -> Option<String> {
        let path = self.path.display();
        match (&self.trouble, &self.file) {
            (Some(trouble), _) => Some(format!("[The whole output could not be kept: {trouble}]")),
            (None, Some(_)) if self.room == 0 => Some(format!("[The first part of the output is in {path}]")),
            (None, Some(_)) => Some(format!("[The whole output is in {path}]")),
            (None, None) => None,
        }
    }

    async fn keep(&mut self, clean: &str) {
        self.n_chars += clean.chars().count();
        if self.file.is_none() && self.trouble.is_none() {
            self.short.push_str(clean);
            if self.n_chars <= KEPT_CHARS {
                return;
            }
            let short = std::mem::take(&mut self.short);
            match create(&self.path).await {
                Ok((file, path)) => (self.file, self.path) = (Some(file), path),
                Err(error) => self.give_up(&error),
            }
            self.write(&short).await;
        } else {
            self.write(clean).await;
        }
    }

    async fn write(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        let n = self.room.min(text.len() as u64);
        self.room -= n;
        let n = usize::try_from(n).unwrap_or(text.len());
        if let Err(error) = file.write_all(&text.as_bytes()[..n]).await {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.trouble = Some(error.to_string());
        self.file = None;
    }
}

/// Makes output readable, and masks the secrets in it.
#[derive(Debug)]
struct Cleaner {
    controls: ControlFilter,
    secrets: Masker,
}

impl Cleaner {
    fn new(controls: ControlFilter) -> Self {
        Self { controls, secrets: Masker::default() }
    }

    fn push(&mut self, decoded: &str) -> String {
        self.secrets.push(&self.controls.push(decoded))
    }

    /// Takes the last piece, and returns what was held back too.
    fn end(&mut self, decoded: &str) -> String {
        let mut rest = self.controls.push(decoded);
        rest.push_str(&self.controls.finish());
        let mut clean = self.secrets.push(&rest);
        clean.push_str(&self.secrets.finish());
        clean
    }
}

/// Makes a new file at the path or beside it: call ids may come again, and what an earlier result points to
/// stays as it is.
async fn create(path: &Path) -> io::Result<(File, PathBuf)> {
    if let Some(directory) = path.parent() {
        let mut private = tokio::fs::DirBuilder::new();
        // Output may hold what nobody else on the machine should read.
        #[cfg(unix)]
        private.mode(0o700);
        private.recursive(true).create(directory).await?;
    }
    let mut free = path.to_owned();
    for n in 2.. {
        match File::create_new(&free).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                free = path.with_extension(format!("{n}.txt"));
            }
            created => return Ok((created?, free)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests;

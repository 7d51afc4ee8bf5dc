//! A command's output: cleaned for reading, kept short for the model, and whole in a file.

use std::io;
use std::path::{Path, PathBuf};

use text::{ControlFilter, HeadTail, Utf8Chunks};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// Until the output is longer than this, no file is made. The same as what the model is shown.
const KEPT_CHARS: usize = 30_000;

#[derive(Debug)]
pub(crate) struct Capture {
    utf8: Utf8Chunks,
    controls: ControlFilter,
    kept: HeadTail,
    /// Everything, while it is short.
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
            controls: ControlFilter::default(),
            kept: HeadTail::default(),
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
        let clean = self.controls.push(&decoded);
        self.keep(&clean).await;
        clean
    }

    async fn keep(&mut self, clean: &str) {
        self.kept.push(clean);
        self.n_chars += clean.chars().count();
        if self.file.is_none() && self.trouble.is_none() {
            self.short.push_str(clean);
            if self.n_chars <= KEPT_CHARS {
                return;
            }
            let short = std::mem::take(&mut self.short);
            match create(&self.path).await {
                Ok(file) => self.file = Some(file),
                Err(error) => self.trouble = Some(error.to_string()),
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
            self.trouble = Some(error.to_string());
            self.file = None;
        }
    }

    /// The output for the model, with a word about where the whole is.
    pub(crate) async fn finish(mut self) -> String {
        let rest = self.utf8.finish();
        let clean = self.controls.push(&rest);
        self.keep(&clean).await;
        let mut shown = self.kept.finish();
        if let Some(mut file) = self.file {
            match file.flush().await {
                Ok(()) => shown.push_str(&format!("\n[The whole output is in {}]", self.path.display())),
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        if let Some(trouble) = self.trouble {
            shown.push_str(&format!("\n[The whole output could not be kept: {trouble}]"));
        }
        shown
    }
}

async fn create(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory).await?;
    }
    File::create(path).await
}

//! Commands that go on while the model does other things.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use text::HeadTail;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Capture, Next, Process, READ_SIZE, describe};
use crate::limits::Limits;

/// Inputs on their way to one command; more are refused until it has read some.
const INPUTS: usize = 16;

/// The background commands of a session.
#[derive(Debug, Default)]
pub struct Processes {
    /// By handle; those that have ended stay, so that their end can be asked for.
    all: Mutex<HashMap<String, Background>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One background command.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    pub(crate) command: String,
    started: Instant,
    input: mpsc::Sender<String>,
    kill: CancellationToken,
    /// Fires when the turn that started it is aborted.
    aborted: CancellationToken,
    /// How it ended; `None` while it runs.
    ended: watch::Receiver<Option<String>>,
    unread: Arc<Mutex<Unread>>,
}

/// Output that has not been looked at yet.
#[derive(Debug, Default)]
struct Unread {
    output: HeadTail,
    /// Where the whole output is, once it is long.
    place: Option<String>,
}

/// What has come of a background command.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Output since the last look.
    pub(crate) output: String,
    /// `None`: it still runs.
    pub(crate) ended: Option<String>,
}

/// Why a background command was not fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFed {
    #[error("does not read its input any more; `wait` tells whether it has ended")]
    Closed,
    #[error("has not read its earlier input yet; `wait` for it, or `kill` it")]
    Full,
}

impl Processes {
    /// Keeps a command running. It is ended when `aborted` fires, or with the session.
    pub(crate) fn keep(
        &self,
        mut process: Process,
        command: &str,
        file: PathBuf,
        limits: &Limits,
        aborted: CancellationToken,
    ) -> String {
        let (input, inputs) = mpsc::channel(INPUTS);
        let (ended, watched) = watch::channel(None);
        let background = Background {
            command: command.to_owned(),
            started: Instant::now(),
            input,
            kill: self.stop.child_token(),
            aborted,
            ended: watched,
            unread: Arc::default(),
        };
        let handle = {
            let mut all = self.all();
            let handle = format!("bg{}", all.len() + 1);
            all.insert(handle.clone(), background.clone());
            handle
        };
        let capture = Capture::new(file, limits.output_file);
        let pauses = (limits.command_drain, limits.kill_grace);
        let Background { kill, aborted, unread, .. } = background;
        self.tasks.spawn(async move {
            let how = tend(&mut process, inputs, capture, &unread, &kill, &aborted, pauses).await;
            // Nobody may be waiting.
            let _ = ended.send(Some(how));
        });
        handle
    }

    pub(crate) fn find(&self, handle: &str) -> Option<Background> {
        self.all().get(handle).cloned()
    }

    /// Waits until those have ended whose turn was aborted.
    pub(crate) async fn aborted_have_ended(&self) {
        let aborted: Vec<Background> =
            self.all().values().filter(|background| background.aborted.is_cancelled()).cloned().collect();
        for mut background in aborted {
            // An error: its task is gone, and the process with it.
            let _ = background.ended.wait_for(Option::is_some).await;
        }
    }

    /// Ends them all and waits until they have ended.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Background>> {
        lock(&self.all)
    }
}

impl Background {
    /// Waits until it ends or the time is over, and takes the output since the last look.
    pub(crate) async fn wait(&mut self, time: Duration) -> Wait {
        let ended = match tokio::time::timeout(time, self.ended.wait_for(Option::is_some)).await {
            Ok(Ok(ended)) => ended.clone(),
            Ok(Err(_)) => Some("it has ended".into()),
            Err(_elapsed) => None,
        };
        let mut unread = lock(&self.unread);
        let long = std::mem::take(&mut unread.output);
        let mut output = long.finish();
        if long.left_out() > 0
            && let Some(place) = &unread.place
        {
            output.push_str(&format!("\n{place}"));
        }
        Wait { output, ended }
    }

    /// For how long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it can be fed at all.
    pub(crate) fn reads(&self) -> Result<(), NotFed> {
        if self.input.is_closed() { Err(NotFed::Closed) } else { Ok(()) }
    }

    /// Writes to its input. Does not wait until it has read it.
    pub(crate) fn feed(&self, input: String) -> Result<(), NotFed> {
        self.input.try_send(input).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => NotFed::Closed,
            mpsc::error::TrySendError::Full(_) => NotFed::Full,
        })
    }

    pub(crate) fn kill(&self) {
        self.kill.cancel();
    }
}

/// Serves one command until it has ended; returns how.
async fn tend(
    process: &mut Process,
    inputs: mpsc::Receiver<String>,
    mut capture: Capture,
    unread: &Mutex<Unread>,
    kill: &CancellationToken,
    aborted: &CancellationToken,
    (drain, grace): (Duration, Duration),
) -> String {
    let mut buffer = vec![0; READ_SIZE];
    let mut open = true;
    // Beside the rest: a command that does not read its input, or not before its output is taken, would
    // hold everything up.
    let feeding = write_all(process.stdin.take(), inputs);
    tokio::pin!(feeding);
    let mut is_fed = true;
    let exited = loop {
        tokio::select! {
            next = process.next(&mut buffer, open) => match next {
                Next::Output(n) => take(&buffer[..n], &mut capture, unread).await,
                Next::Closed => open = false,
                Next::Exited(status) => break Ok(describe(status)),
            },
            () = &mut feeding, if is_fed => is_fed = false,
            () = kill.cancelled() => break Err("it was killed"),
            () = aborted.cancelled() => break Err("it was killed when the turn was aborted"),
        }
    };
    if exited.is_err() {
        process.end(grace).await;
    }
    let until = Instant::now() + drain;
    while open && let Some(n) = process.drain(&mut buffer, until).await {
        take(&buffer[..n], &mut capture, unread).await;
    }
    let rest = capture.end().await;
    lock(unread).output.push(&rest);
    process.ended(until).await;
    let left_something = process.end(grace).await;
    match exited {
        Ok(how) if left_something => format!("{how}; it had left processes running, which were ended"),
        Ok(how) => how,
        Err(why) => why.into(),
    }
}

/// Writes what a command is fed, until it does not read any more.
async fn write_all(stdin: Option<ChildStdin>, mut inputs: mpsc::Receiver<String>) {
    let Some(mut stdin) = stdin else { return };
    while let Some(input) = inputs.recv().await {
        if let Err(error) = stdin.write_all(input.as_bytes()).await {
            tracing::debug!(%error, "a background command does not read its input");
            return;
        }
    }
}

async fn take(bytes: &[u8], capture: &mut Capture, unread: &Mutex<Unread>) {
    let clean = capture.push(bytes).await;
    let mut unread = lock(unread);
    unread.output.push(&clean);
    unread.place = capture.place();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

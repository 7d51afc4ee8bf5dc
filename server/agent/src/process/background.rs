//! Commands that go on while the model does other things.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use text::HeadTail;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Capture, Next, Process, READ_SIZE, describe};
use crate::limits::Limits;

/// Inputs on their way to one command.
const INPUTS: usize = 16;

/// The background commands of a session.
#[derive(Debug, Default)]
pub struct Processes {
    running: Mutex<HashMap<String, Background>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A handle to one background command.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    input: mpsc::Sender<String>,
    kill: CancellationToken,
    state: watch::Receiver<State>,
    /// Output that has not been read yet.
    unread: Arc<Mutex<HeadTail>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// How it ended; `None` while it runs.
    ended: Option<String>,
}

/// What has come of a background command.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Output since the last look.
    pub(crate) output: String,
    /// `None`: it still runs.
    pub(crate) ended: Option<String>,
}

impl Processes {
    /// Keeps a command running. It is ended when `cancelled` fires, or with the session.
    pub(crate) fn keep(
        &self,
        mut process: Process,
        file: PathBuf,
        limits: &Limits,
        cancelled: CancellationToken,
    ) -> String {
        let (input, inputs) = mpsc::channel(INPUTS);
        let (state, watched) = watch::channel(State::default());
        let kill = self.stop.child_token();
        let unread = Arc::new(Mutex::new(HeadTail::default()));
        let background = Background { input, kill: kill.clone(), state: watched, unread: unread.clone() };
        let handle = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let handle = format!("bg{}", running.len() + 1);
            running.insert(handle.clone(), background);
            handle
        };
        let capture = Capture::new(file, limits.output_file);
        let pauses = (limits.command_drain, limits.kill_grace);
        self.tasks.spawn(async move {
            let ended = tend(&mut process, inputs, capture, &unread, &kill, &cancelled, pauses).await;
            // Nobody may be waiting.
            let _ = state.send(State { ended: Some(ended) });
        });
        handle
    }

    pub(crate) fn find(&self, handle: &str) -> Option<Background> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(handle).cloned()
    }

    /// Ends them all and waits until they have ended.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Background {
    /// Waits until it ends or the time is over, and takes the output since the last look.
    pub(crate) async fn wait(&mut self, time: Duration) -> Wait {
        let ended = tokio::time::timeout(time, self.state.wait_for(|state| state.ended.is_some())).await;
        let ended = match ended {
            Ok(Ok(state)) => state.ended.clone(),
            Ok(Err(_)) => Some("it has ended".into()),
            Err(_elapsed) => None,
        };
        let unread = std::mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner));
        Wait { output: unread.finish(), ended }
    }

    /// Writes to its input. False: it does not read any more.
    pub(crate) async fn feed(&self, input: String) -> bool {
        self.input.send(input).await.is_ok()
    }

    pub(crate) fn kill(&self) {
        self.kill.cancel();
    }
}

/// Serves one command until it has ended; returns how.
async fn tend(
    process: &mut Process,
    mut inputs: mpsc::Receiver<String>,
    mut capture: Capture,
    unread: &Mutex<HeadTail>,
    kill: &CancellationToken,
    cancelled: &CancellationToken,
    (drain, grace): (Duration, Duration),
) -> String {
    let mut buffer = vec![0; READ_SIZE];
    let mut stdin = process.stdin.take();
    let mut open = true;
    let ended = loop {
        tokio::select! {
            next = process.next(&mut buffer, open) => match next {
                Next::Output(n) => take(&buffer[..n], &mut capture, unread).await,
                Next::Closed => open = false,
                Next::Exited(status) => break describe(status),
            },
            Some(input) = inputs.recv(), if stdin.is_some() => {
                let write = match &mut stdin {
                    Some(pipe) => pipe.write_all(input.as_bytes()).await,
                    None => Ok(()),
                };
                if let Err(error) = write {
                    tracing::debug!(%error, "a background command does not read its input");
                    stdin = None;
                    inputs.close();
                }
            }
            () = kill.cancelled() => break "it was killed".to_owned(),
            () = cancelled.cancelled() => break "it was killed when the turn was aborted".to_owned(),
        }
    };
    let until = Instant::now() + drain;
    while open && let Some(n) = process.drain(&mut buffer, until).await {
        take(&buffer[..n], &mut capture, unread).await;
    }
    process.end_group(grace).await;
    ended
}

async fn take(bytes: &[u8], capture: &mut Capture, unread: &Mutex<HeadTail>) {
    let clean = capture.push(bytes).await;
    unread.lock().unwrap_or_else(PoisonError::into_inner).push(&clean);
}

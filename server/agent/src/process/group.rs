//! A command and what it has started, as far as the platform keeps that together: a process group, or a job.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::process::ChildStdin;
use tokio::time::Instant;

use super::platform;

/// Pauses between looks whether something of a group still runs: the first, and the longest.
const GROUP_POLL: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(50)];

#[derive(Debug)]
pub(super) struct Group(Box<dyn ChildWrapper>);

impl Group {
    pub(super) fn start(command: &mut CommandWrap) -> io::Result<Self> {
        // Should the server be torn down without a chance to end the group.
        command.command_mut().kill_on_drop(true);
        Ok(Self(platform::in_own_group(command).spawn()?))
    }

    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.0.stdin().take()
    }

    /// Waits for the command itself, not for what it started.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        // The wrapper's own wait may wait for the whole group.
        self.0.inner_mut().wait().await
    }

    /// Whether anything of its group still runs.
    fn runs(&self) -> bool {
        platform::group_runs(self.0.as_ref())
    }

    /// Ends the whole group: TERM, the grace, KILL. Returns whether there was something to end.
    pub(super) async fn end(&mut self, grace: Duration) -> bool {
        if !self.runs() {
            platform::end_unseen(self.0.as_mut());
            return false;
        }
        platform::terminate(self.0.as_ref());
        if !self.ended(Instant::now() + grace).await
            && let Err(error) = self.0.start_kill()
        {
            tracing::debug!(%error, "killing a command's group");
        }
        // What hangs in the kernel cannot be killed, and must not hold up the session.
        match tokio::time::timeout(grace, self.exited()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "waiting for a killed command"),
            Err(_elapsed) => tracing::warn!("a killed command does not end"),
        }
        true
    }

    /// Waits until nothing of its group runs any more; false if something does at the deadline.
    pub(super) async fn ended(&mut self, deadline: Instant) -> bool {
        let mut is_reaped = false;
        let [mut pause, longest] = GROUP_POLL;
        while self.runs() {
            if Instant::now() >= deadline {
                return false;
            }
            // The group is no child of ours, so there is nothing to wait on; ask now and then. The command
            // itself, which counts until it is reaped, is.
            tokio::select! {
                _ = self.exited(), if !is_reaped => is_reaped = true,
                () = tokio::time::sleep_until(deadline.min(Instant::now() + pause)) => {
                    pause = longest.min(pause * 2);
                }
            }
        }
        true
    }
}

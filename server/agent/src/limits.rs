//! How long and how much: every limit of a session in one place, so that tests can shorten them.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Limits {
    /// Tool calls of one answer that run at the same time.
    pub parallel_calls: usize,
    /// Pauses before the first, second and third retry of a request; ±20 % jitter is added.
    pub retry_delays: Vec<Duration>,
    /// A longer pause asked for by the service ends the turn instead.
    pub retry_after_max: Duration,
    /// A command's time when the model names none.
    pub command_timeout: Duration,
    /// The longest time the model may ask for.
    pub command_timeout_max: Duration,
    /// How long output is still taken after the command itself has exited.
    pub command_drain: Duration,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
    /// Bytes of `tool_output` per call; the rest is only in the result and its file.
    pub tool_output: usize,
    /// Bytes kept of one command's output on disk.
    pub output_file: u64,
    /// Tries to apply an edit while the user types.
    pub edit_tries: usize,
    /// The time that an abort waits for a change that is being applied.
    pub abort_grace: Duration,
    /// How long the calls of an answer wait for the disk to say which files they name.
    pub resolve: Duration,
    /// How long closing waits for runs to stop.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parallel_calls: 4,
            retry_delays: [2, 4, 8].map(Duration::from_secs).into(),
            retry_after_max: Duration::from_secs(60),
            command_timeout: Duration::from_secs(120),
            command_timeout_max: Duration::from_secs(600),
            command_drain: Duration::from_millis(150),
            kill_grace: Duration::from_secs(1),
            tool_output: 256 * 1024,
            output_file: 1 << 30,
            edit_tries: 3,
            abort_grace: Duration::from_secs(3),
            resolve: Duration::from_secs(2),
            close: Duration::from_secs(4),
        }
    }
}

//! The server's patience, shortened where a story would have to wait for its end.

use std::time::Duration;

use opal::Limits;

use super::Start;

impl Start {
    /// Retries of a request to the model come after milliseconds.
    pub fn fast_retries(self) -> Self {
        self.limits(|limits| retries(limits, Duration::from_millis(20)))
    }

    /// Retries of a request to the model come after a minute: for looking at the wait.
    pub fn slow_retries(self) -> Self {
        self.limits(|limits| retries(limits, Duration::from_secs(50)))
    }

    /// How long the model may be silent.
    pub fn model_silence(self, limit: Duration) -> Self {
        self.limits(|limits| model_silence(limits, limit))
    }

    /// How long the editor may take to answer a request about its documents.
    pub fn editor_patience(self, limit: Duration) -> Self {
        self.limits(|limits| editor_patience(limits, limit))
    }

    /// How long a client with a full outbox is kept.
    pub fn stall_patience(self, limit: Duration) -> Self {
        self.limits(|limits| stall_patience(limits, limit))
    }
}

fn retries(limits: &mut Limits, delay: Duration) {
    limits.session.retry_delays.iter_mut().for_each(|pause| *pause = delay);
}

fn model_silence(limits: &mut Limits, limit: Duration) {
    limits.provider.headers = limit;
    limits.provider.local_headers = limit;
    limits.provider.idle = limit;
}

fn editor_patience(limits: &mut Limits, limit: Duration) {
    limits.apply_edit = limit;
    limits.verify_edit = limit;
    limits.late_change = limit;
    limits.save_documents = limit;
}

fn stall_patience(limits: &mut Limits, limit: Duration) {
    limits.outbox_stall = limit;
    limits.outbox = 1 << 20;
}

//! When a request that failed is made again.

use std::slice;
use std::time::Duration;

use provider::ProviderError;

use crate::event::Failure;
use crate::limits::Limits;

/// The pauses between the tries of one request.
#[derive(Debug)]
pub(crate) struct Retries<'a> {
    limits: &'a Limits,
    delays: slice::Iter<'a, Duration>,
    n_tries: u32,
}

/// A request is made again after this.
#[derive(Debug)]
pub(crate) struct Pause {
    /// The number of the retry, from 1.
    pub(crate) attempt: u32,
    pub(crate) delay: Duration,
    pub(crate) reason: String,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self { limits, delays: limits.retry_delays.iter(), n_tries: 0 }
    }

    /// After an error: how long to wait, or why it is of no use.
    pub(crate) fn after(&mut self, error: &ProviderError) -> Result<Pause, Failure> {
        let longest = self.limits.retry_after_max;
        // "At once" is no pause: a clock that is ahead makes one of every date.
        let asked = error.retry_after().filter(|asked| !asked.is_zero());
        let delay = match (error.is_retryable(), asked, self.delays.next()) {
            (true, Some(asked), Some(_)) if asked <= longest => asked,
            (true, None, Some(delay)) => jitter(*delay),
            (_, asked, _) => {
                let mut failure = Failure::from(error);
                if let Some(asked) = asked.filter(|asked| *asked > longest) {
                    failure.message.push_str(&format!("; it asks to wait {} s", asked.as_secs()));
                }
                return Err(failure);
            }
        };
        self.n_tries += 1;
        let attempt = self.n_tries;
        tracing::info!(%error, attempt, ?delay, "the model's answer failed, trying again");
        Ok(Pause { attempt, delay, reason: Failure::from(error).message })
    }
}

/// ±20 %, so that many sessions do not come back at once.
fn jitter(delay: Duration) -> Duration {
    delay.mul_f64(rand::random_range(0.8..=1.2))
}

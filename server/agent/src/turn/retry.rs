//! When a request that failed is made again.

use std::slice;
use std::time::Duration;

use provider::ProviderError;

use crate::event::Failure;
use crate::limits::Limits;

/// An answer that says nothing is asked for again so often: one more would be the same.
const MAX_EMPTY: u32 = 2;

/// The pauses between the tries of one request.
#[derive(Debug)]
pub(crate) struct Retries<'a> {
    limits: &'a Limits,
    delays: slice::Iter<'a, Duration>,
    n_tries: u32,
    n_empty: u32,
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
        Self { limits, delays: limits.retry_delays.iter(), n_tries: 0, n_empty: 0 }
    }

    /// After an error: how long to wait, or why it is of no use.
    pub(crate) fn after(&mut self, error: &ProviderError) -> Result<Pause, Failure> {
        let longest = self.limits.retry_after_max;
        // "At once" is no pause: a clock that is ahead makes one of every date.
        let asked = error.retry_after().filter(|asked| !asked.is_zero());
        self.n_empty += u32::from(matches!(error, ProviderError::Empty { .. }));
        let may_help = error.is_retryable() && self.n_empty <= MAX_EMPTY;
        let delay = match (may_help, asked, self.delays.next()) {
            (true, Some(asked), Some(_)) if asked <= longest => asked,
            (true, None, Some(delay)) => jitter(*delay),
            (_, asked, _) => {
                let mut failure = Failure::from(error);
                if let Some(asked) = asked.filter(|asked| *asked > longest) {
                    failure.message.push_str(&format!("; it asks to wait {}", in_words(asked)));
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

/// As in `90 s`, `20 min` and `3 h 20 min`, rounded up.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes / 60, minutes % 60) {
        (0..=120, _, _) => format!("{seconds} s"),
        (_, 0, minutes) => format!("{minutes} min"),
        (_, hours, 0) => format!("{hours} h"),
        (_, hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// ±20 %, so that many sessions do not come back at once.
fn jitter(delay: Duration) -> Duration {
    delay.mul_f64(rand::random_range(0.8..=1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_too_long_is_told_in_words() {
        let check = |seconds: f64, shown: &str| assert_eq!(in_words(Duration::from_secs_f64(seconds)), shown);
        check(61.5, "62 s");
        check(120.0, "120 s");
        check(121.0, "3 min");
        check(3600.0, "1 h");
        check(12_000.0, "3 h 20 min");
        assert!(in_words(Duration::MAX).ends_with(" min"));
    }

    #[test]
    fn an_answer_that_says_nothing_is_asked_for_twice_more() {
        let limits = Limits::default();
        let mut retries = Retries::new(&limits);
        let empty = ProviderError::Empty { provider: "work".into(), message: "no".into(), usage: None };
        let tries: Vec<bool> = (0..3).map(|_| retries.after(&empty).is_ok()).collect();
        assert_eq!(tries, [true, true, false]);
    }
}

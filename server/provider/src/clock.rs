//! Time, so that tests need not wait for it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

pub(crate) type SharedClock = Arc<dyn Clock>;

pub(crate) trait Clock: fmt::Debug + Send + Sync {
    /// Never goes back, and stands still while the machine sleeps.
    fn now(&self) -> Instant;
    /// What the user sees on the wall: right as a rule, but anybody may set it.
    fn wall(&self) -> SystemTime;
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's own.
#[derive(Debug)]
pub(crate) struct System;

impl Clock for System {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(time).boxed()
    }
}

/// Stands still but for who sleeps: that passes at once, and all of it.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Hasty {
    begun: Instant,
    wall: SystemTime,
    passed: std::sync::Mutex<Duration>,
}

#[cfg(test)]
impl Hasty {
    pub(crate) fn at(wall: SystemTime) -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), wall, passed: Default::default() })
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }

    pub(crate) fn passed(&self) -> Duration {
        *self.passed.lock().unwrap()
    }
}

#[cfg(test)]
impl Clock for Hasty {
    fn now(&self) -> Instant {
        self.begun + self.passed()
    }

    fn wall(&self) -> SystemTime {
        self.wall + self.passed()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.pass(time);
        tokio::task::yield_now().boxed()
    }
}

//! A value that is fetched when somebody needs it: once for all who wait.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::ProviderError;

pub(crate) struct Kept<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<Arc<T>>,
    /// While one is under way.
    flight: Option<Flight<T>>,
}

type Flight<T> = Shared<BoxFuture<'static, Result<Arc<T>, ProviderError>>>;

impl<T: Send + Sync + 'static> Kept<T> {
    /// The value, if it is `fresh`; else what `fetch` makes of it. Callers that come while a fetch is under
    /// way wait for that one. It goes on when they give up, each of them or all.
    ///
    /// # Errors
    /// As the fetch ended; the value stays what it was.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        fresh: impl Fn(&T) -> bool,
        fetch: impl FnOnce(Option<Arc<T>>) -> F,
    ) -> Result<Arc<T>, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        let flight = {
            let mut state = self.lock();
            if let Some(value) = state.value.as_ref().filter(|value| fresh(value)) {
                return Ok(value.clone());
            }
            match &state.flight {
                Some(flight) => flight.clone(),
                None => {
                    let flight = self.depart(fetch(state.value.clone()));
                    state.flight.insert(flight).clone()
                }
            }
        };
        flight.await
    }

    /// The value, however old.
    pub(crate) fn latest(&self) -> Option<Arc<T>> {
        self.lock().value.clone()
    }

    /// Drops the value, if it is one of these.
    pub(crate) fn forget(&self, which: impl Fn(&T) -> bool) {
        let mut state = self.lock();
        state.value.take_if(|value| which(value));
    }

    /// In a task of its own, so that no caller takes it along.
    fn depart(
        self: &Arc<Self>,
        fetch: impl Future<Output = Result<T, ProviderError>> + Send + 'static,
    ) -> Flight<T> {
        let kept = self.clone();
        let task = tokio::spawn(async move {
            // Made here: a runtime that is going down drops the task at once, while the state is locked.
            let landing = Landing(kept);
            let value = Arc::new(fetch.await?);
            landing.0.lock().value = Some(value.clone());
            Ok(value)
        });
        let landed = async move {
            task.await.unwrap_or_else(|error| {
                let message = format!("the request was given up: {error}");
                Err(ProviderError::Cut { provider: "opal".into(), message })
            })
        };
        landed.boxed().shared()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However a flight ends, the next caller may start another.
struct Landing<T: Send + Sync + 'static>(Arc<Kept<T>>);

impl<T: Send + Sync + 'static> Drop for Landing<T> {
    fn drop(&mut self) {
        self.0.lock().flight = None;
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { value: None, flight: None }) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("Kept").field(&state.value).finish()
    }
}

#[cfg(test)]
mod tests;

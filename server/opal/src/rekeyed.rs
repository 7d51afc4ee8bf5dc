//! A provider whose key a program prints.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use provider::{AnswerStream, ModelInfo, Provider, ProviderError, Request};

/// Runs the program, and makes the provider with the key that it prints. What failed is for people.
type Make = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Provider>, String>> + Send + Sync>;

/// Asks the program again when the service refuses its key: many print tokens that run out within the hour.
#[derive(Debug, Clone)]
pub(crate) struct Rekeyed(Arc<Keyed>);

struct Keyed {
    make: Make,
    /// With the latest key.
    provider: Mutex<Arc<dyn Provider>>,
    name: String,
    /// Held while the program runs: it may ask its user for something.
    renewing: tokio::sync::Mutex<()>,
}

impl Rekeyed {
    /// `provider` has the first key.
    pub(crate) fn new(provider: Arc<dyn Provider>, make: Make) -> Self {
        let name = provider.name().to_owned();
        Self(Arc::new(Keyed { make, provider: Mutex::new(provider), name, renewing: Default::default() }))
    }
}

impl Keyed {
    fn now(&self) -> Arc<dyn Provider> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The provider with another key than the one that was refused.
    async fn renewed(&self, refused: &Arc<dyn Provider>) -> Result<Arc<dyn Provider>, ProviderError> {
        let _one_at_a_time = self.renewing.lock().await;
        let now = self.now();
        if !Arc::ptr_eq(&now, refused) {
            return Ok(now);
        }
        let renewed = (self.make)().await;
        let renewed = renewed
            .map_err(|message| ProviderError::Unauthorized { provider: self.name.clone(), message })?;
        self.provider.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&renewed);
        Ok(renewed)
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Provider for Rekeyed {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn answer(&self, request: Request) -> AnswerStream {
        let keyed = self.0.clone();
        let answer = async move {
            let provider = keyed.now();
            let mut answer = provider.answer(request.clone());
            match answer.next().await {
                Some(Err(ProviderError::Unauthorized { .. })) => match keyed.renewed(&provider).await {
                    Ok(renewed) => renewed.answer(request),
                    Err(error) => stream::once(ready(Err(error))).boxed(),
                },
                Some(first) => stream::once(ready(first)).chain(answer).boxed(),
                None => answer,
            }
        };
        answer.flatten_stream().boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        async {
            let provider = self.0.now();
            match provider.models().await {
                Err(ProviderError::Unauthorized { .. }) => self.0.renewed(&provider).await?.models().await,
                listed => listed,
            }
        }
        .boxed()
    }
}

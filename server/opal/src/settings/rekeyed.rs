//! A provider whose key a program prints.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use provider::{AnswerStream, ModelInfo, Provider, ProviderError, Request, Timeouts};

use super::NoModel;
use super::providers::ProviderSettings;
use crate::errors::chain;

/// Asks the program again when the service refuses its key: many print tokens that run out within the hour.
#[derive(Debug, Clone)]
pub(super) struct Rekeyed(Arc<Keyed>);

#[derive(Debug)]
struct Keyed {
    name: String,
    settings: ProviderSettings,
    timeouts: Timeouts,
    /// With the latest key.
    provider: Mutex<Arc<dyn Provider>>,
    /// Held while the program runs: it may ask its user for something.
    renewing: tokio::sync::Mutex<()>,
}

impl Rekeyed {
    /// # Errors
    /// If the program gives no key.
    pub(super) async fn new(
        name: &str,
        settings: &ProviderSettings,
        timeouts: &Timeouts,
    ) -> Result<Self, NoModel> {
        let provider = Mutex::new(settings.connect(name, timeouts).await?);
        let (name, settings, timeouts) = (name.to_owned(), settings.clone(), *timeouts);
        Ok(Self(Arc::new(Keyed { name, settings, timeouts, provider, renewing: Default::default() })))
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
        let renewed = self.settings.connect(&self.name, &self.timeouts).await.map_err(|error| {
            ProviderError::Unauthorized { provider: self.name.clone(), message: chain(&error) }
        })?;
        self.provider.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&renewed);
        Ok(renewed)
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

//! Copilot as sessions have it.

use std::future::ready;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use provider::{AnswerStream, Copilot, ModelInfo, Provider, ProviderError, Request, SignInError};

use super::{Auth, COPILOT, CredentialsError};
use crate::causes::chain;

/// The Copilot of whoever is signed in when it is asked: sessions outlive sign-ins.
#[derive(Debug)]
pub(crate) struct SignedIn(Arc<Auth>);

impl SignedIn {
    pub(crate) fn new(auth: Arc<Auth>) -> Self {
        Self(auth)
    }
}

impl Auth {
    pub(super) async fn now(&self) -> Result<Copilot, ProviderError> {
        let again = |message| ProviderError::SignInAgain { provider: COPILOT.into(), message };
        match self.copilot().await {
            Ok(Some(copilot)) => Ok(copilot),
            Ok(None) => Err(ProviderError::SignedOut { provider: COPILOT.into() }),
            // Another try may find the network again.
            Err(error @ CredentialsError::Renewal(SignInError::Unreachable { .. })) => {
                Err(ProviderError::Cut { provider: COPILOT.into(), message: chain(&error) })
            }
            Err(error) => Err(again(chain(&error))),
        }
    }
}

impl Provider for SignedIn {
    fn name(&self) -> &str {
        COPILOT
    }

    fn answer(&self, request: Request) -> AnswerStream {
        let auth = self.0.clone();
        let answer = async move {
            match auth.now().await {
                Ok(copilot) => copilot.answer(request),
                Err(error) => stream::once(ready(Err(error))).boxed(),
            }
        };
        answer.flatten_stream().boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        async { Provider::models(&self.0.now().await?).await }.boxed()
    }
}

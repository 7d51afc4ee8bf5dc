//! Where a request goes and with what credentials.
//!
//! Most services have an address and a key that stay; others hand out tokens that run out within the hour,
//! and with them the address. A [`Service`](crate::service::Service) asks before each request.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderMap;

use crate::classify::Failure;
use crate::endpoint::Target;
use crate::{ProviderError, Request};

pub(crate) trait Access: fmt::Debug + Send + Sync + 'static {
    /// The provider's name in the configuration.
    fn name(&self) -> &str;

    /// What an answer keeps as its [`provider`](crate::Answer::provider): thinking goes back only to where it
    /// came from.
    fn origin(&self) -> &str {
        self.name()
    }

    /// Where the next request goes. May wait for a token.
    fn target(&self) -> impl Future<Output = Result<Arc<Target>, ProviderError>> + Send;

    /// What only this request carries; wins over the target's headers.
    fn headers(&self, _request: &Request) -> HeaderMap {
        HeaderMap::new()
    }

    /// Hears what came before an answer.
    fn answers(&self, _headers: &HeaderMap) {}

    /// Hears that a request to `target` failed before anything was answered. True if the credentials were the
    /// reason and the next target has others, so that the request is worth sending once more.
    fn renews(&self, _target: &Arc<Target>, _failure: &Failure) -> bool {
        false
    }

    /// A failure in the caller's terms.
    fn error(&self, failure: Failure, model: &str) -> ProviderError {
        failure.into_error(self.name(), model)
    }
}

/// An endpoint that stays as it is configured.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Arc<Target>);

impl Access for Fixed {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn target(&self) -> Result<Arc<Target>, ProviderError> {
        Ok(self.0.clone())
    }
}

//! How a request gets to a model of Copilot's.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};

use super::config::{EVENTS, JSON};
use super::credentials::Credentials;
use super::family::Family;
use super::quota;
use super::token::Token;
use crate::access::Access;
use crate::classify::{Class, Failure};
use crate::endpoint::Target;
use crate::{Initiator, ProviderError, Request, anthropic};

const INITIATOR: HeaderName = HeaderName::from_static("x-initiator");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VISION: HeaderName = HeaderName::from_static("copilot-vision-request");

/// One path under the base that the token names.
#[derive(Debug)]
pub(super) struct CopilotAccess {
    credentials: Arc<Credentials>,
    path: String,
    accepts: &'static str,
    /// What goes along with each request, besides what it is that asks.
    headers: &'static [(&'static str, &'static str)],
    family: Option<Family>,
    /// The last target and the token in it.
    made: Mutex<Option<(Arc<Token>, Arc<Target>)>>,
}

impl CopilotAccess {
    /// For answers.
    pub(super) fn to(family: Family, credentials: &Arc<Credentials>) -> Self {
        let path = match family {
            Family::Responses => credentials.config.responses_path.trim_matches('/'),
            Family::Chat => "chat/completions",
            Family::Messages => "v1/messages",
        };
        let headers: &[_] = match family {
            Family::Responses | Family::Chat => &[INTENT],
            Family::Messages => &[INTENT, anthropic::VERSION],
        };
        Self::new(credentials, path.to_owned(), EVENTS, headers, Some(family))
    }

    /// For everything else.
    pub(super) fn call(
        credentials: &Arc<Credentials>,
        path: String,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self::new(credentials, path, JSON, headers, None)
    }

    fn new(
        credentials: &Arc<Credentials>,
        path: String,
        accepts: &'static str,
        headers: &'static [(&'static str, &'static str)],
        family: Option<Family>,
    ) -> Self {
        let (credentials, made) = (credentials.clone(), Mutex::default());
        Self { credentials, path, accepts, headers, family, made }
    }
}

const INTENT: (&str, &str) = ("openai-intent", "conversation-edits");

impl Access for CopilotAccess {
    fn name(&self) -> &str {
        &self.credentials.config.name
    }

    fn origin(&self) -> &str {
        &self.credentials.origin
    }

    async fn target(&self) -> Result<Arc<Target>, ProviderError> {
        let token = self.credentials.token().await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, target)) = made.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &token)) {
            return Ok(target.clone());
        }
        let config = &self.credentials.config;
        let target = config
            .model_target(&token.base, &self.path, &token.secret, self.accepts, self.headers)
            .map_err(|error| config.misfit(&error))?;
        let target = Arc::new(target);
        *made = Some((token, target.clone()));
        Ok(target)
    }

    /// A request that is sent again after a refusal keeps its initiator: the refused one was not billed.
    fn headers(&self, request: &Request) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let initiator = match request.initiator {
            Initiator::User => "user",
            Initiator::Agent => "agent",
        };
        headers.insert(INITIATOR, HeaderValue::from_static(initiator));
        if let Ok(id) = HeaderValue::try_from(uuid(rand::random())) {
            headers.insert(REQUEST_ID, id);
        }
        if !request.streams {
            headers.insert(ACCEPT, HeaderValue::from_static(JSON));
        }
        if request.shows_images() && request.items.iter().any(|item| item.shows_images()) {
            headers.insert(VISION, HeaderValue::from_static("true"));
        }
        if self.family == Some(Family::Messages) && anthropic::thinks_within_budget(request) {
            let (name, value) = anthropic::INTERLEAVED;
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn answers(&self, headers: &HeaderMap) {
        if let Some(account) = quota::seen(headers) {
            self.credentials.saw(account);
        }
    }

    fn renews(&self, target: &Arc<Target>, failure: &Failure) -> bool {
        if failure.class != Class::Auth && !is_forbidden(failure) {
            return false;
        }
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Of an older target the token has been replaced already.
        if let Some((token, _)) = made.as_ref().filter(|(_, made)| Arc::ptr_eq(made, target)) {
            self.credentials.refused(token);
        }
        true
    }

    fn error(&self, failure: Failure, model: &str) -> ProviderError {
        let (provider, message) = (self.name().to_owned(), failure.said());
        let code = failure.code.as_deref().unwrap_or_default();
        match failure.class {
            Class::Auth => ProviderError::SignInAgain { provider, message },
            Class::InvalidRequest if is_forbidden(&failure) => {
                ProviderError::NotEntitled { provider, message, url: None }
            }
            Class::InvalidRequest if code.split(':').next() == Some("model_not_supported") => {
                ProviderError::ModelUnavailable { provider, model: model.to_owned(), message }
            }
            // Its word for a content filter.
            Class::InvalidRequest if failure.status.is_some_and(|status| status == 422) => {
                ProviderError::ContentFilter { provider, message }
            }
            _ => failure.into_error(&provider, model),
        }
    }
}

/// A 403 that is about nothing else. It may be the token, or what the account may do.
fn is_forbidden(failure: &Failure) -> bool {
    failure.class == Class::InvalidRequest && failure.status.is_some_and(|status| status == 403)
}

/// A random UUID (version 4) of these bits.
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn ids_are_random_uuids() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "01234567-89ab-4def-8123-456789abcdef");
    }
}

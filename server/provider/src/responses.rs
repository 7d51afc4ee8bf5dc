//! The Responses API: OpenAI's, and that of the servers compatible with it.

mod decode;
mod render;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::Segments;
use crate::service::{Service, Wire};
use crate::{Answer, ConfigError, Endpoint, Provider, Request, Timeouts};

/// A provider that speaks the Responses API. No connection is made before the first request.
///
/// # Errors
/// [`ConfigError`] when the endpoint cannot be used as it is configured.
pub fn responses(endpoint: Endpoint, timeouts: Timeouts) -> Result<Arc<dyn Provider>, ConfigError> {
    Ok(Arc::new(Service::new(endpoint, timeouts, Responses::default())?))
}

#[derive(Debug, Default)]
pub(crate) struct Responses {
    preludes: render::Preludes,
    /// What the service calls the models it was asked for: a deployment's name says nothing about the
    /// model behind it.
    reported: Mutex<HashMap<String, String>>,
}

impl Wire for Responses {
    const PATH: &str = "responses";
    type Decoder = decode::Decoder;

    fn render(&self, request: &Request, provider: &str) -> Segments {
        let reported =
            self.reported.lock().unwrap_or_else(PoisonError::into_inner).get(&request.model).cloned();
        let replays = |answer: &Answer| {
            answer.provider == provider
                && (is_same_model(&request.model, &answer.model) || reported.as_ref() == Some(&answer.model))
        };
        render::body(request, &self.preludes, replays)
    }

    fn decoder(&self, request: &Request, provider: &str) -> decode::Decoder {
        decode::Decoder::new(provider, &request.model)
    }

    fn finished(&self, request: &Request, answer: &Answer) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.get(&request.model) != Some(&answer.model) {
            reported.insert(request.model.clone(), answer.model.clone());
        }
    }
}

/// Whether a service that reports `reported` was asked for `requested`: the same id, or with a date as
/// in `gpt-5-2025-08-07`.
fn is_same_model(requested: &str, reported: &str) -> bool {
    match reported.strip_prefix(requested) {
        Some("") => true,
        Some(date) => date.starts_with("-20") && date[1..].chars().all(|c| c.is_ascii_digit() || c == '-'),
        None => false,
    }
}

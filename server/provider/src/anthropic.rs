//! The Messages API: Anthropic's, and that of the services compatible with it.

mod decode;
mod render;
mod thinking;

use std::sync::Arc;

use self::thinking::Thinking;
use crate::body::Preludes;
use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::endpoint::KeyHeader;
use crate::http::Segments;
use crate::service::{Service, Wire};
use crate::{Answer, ConfigError, Endpoint, Provider, Request, Timeouts};

/// A provider that speaks the Messages API. No connection is made before the first request.
///
/// # Errors
/// [`ConfigError`] when the endpoint cannot be used as it is configured.
pub fn anthropic(endpoint: Endpoint, timeouts: Timeouts) -> Result<Arc<dyn Provider>, ConfigError> {
    Ok(Arc::new(Service::new(endpoint, timeouts, Anthropic::default())?))
}

pub(crate) const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
/// Lets the models that think within a budget do so between calls too; the others always do.
pub(crate) const INTERLEAVED: (&str, &str) = ("anthropic-beta", "interleaved-thinking-2025-05-14");

/// Whether [`INTERLEAVED`] changes anything.
pub(crate) fn thinks_within_budget(request: &Request) -> bool {
    let max_tokens = request.max_output_tokens.unwrap_or(u32::MAX);
    matches!(Thinking::of(&request.model, request.thinking, max_tokens), Some(Thinking::Enabled { .. }))
}

#[derive(Debug, Default)]
pub(crate) struct Anthropic {
    preludes: Preludes,
}

impl Wire for Anthropic {
    const PATH: &str = "messages";
    const KEY: KeyHeader = KeyHeader::XApiKey;
    const HEADERS: &[(&str, &str)] = &[VERSION, INTERLEAVED];
    const CATALOG: Catalog = Catalog::Anthropic;
    type Decoder = decode::Decoder;

    fn render(&self, request: &Request, replays: impl Fn(&Answer) -> bool) -> Segments {
        render::body(request, &self.preludes, replays).into()
    }

    fn decoder(&self, draft: Draft) -> decode::Decoder {
        decode::Decoder::new(draft)
    }
}

//! The Messages API: Anthropic's, and that of the services compatible with it.

mod decode;
mod render;
mod thinking;

use std::sync::Arc;

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

#[derive(Debug, Default)]
struct Anthropic {
    preludes: Preludes,
}

impl Wire for Anthropic {
    const PATH: &str = "messages";
    const KEY: KeyHeader = KeyHeader::XApiKey;
    const HEADERS: &[(&str, &str)] = &[
        ("anthropic-version", "2023-06-01"),
        // Lets the models that think within a budget do so between calls too; the others always do.
        ("anthropic-beta", "interleaved-thinking-2025-05-14"),
    ];
    const CATALOG: Catalog = Catalog::Anthropic;
    type Decoder = decode::Decoder;

    fn render(&self, request: &Request, replays: impl Fn(&Answer) -> bool) -> Segments {
        render::body(request, &self.preludes, replays).into()
    }

    fn decoder(&self, draft: Draft) -> decode::Decoder {
        decode::Decoder::new(draft)
    }
}

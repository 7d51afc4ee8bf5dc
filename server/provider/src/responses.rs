//! The Responses API: OpenAI's, and that of the servers compatible with it.

mod decode;
mod render;

use std::sync::Arc;

use crate::body::Preludes;
use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::endpoint::KeyHeader;
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
    preludes: Preludes,
}

impl Wire for Responses {
    const PATH: &str = "responses";
    const KEY: KeyHeader = KeyHeader::Bearer;
    const HEADERS: &[(&str, &str)] = &[];
    const CATALOG: Catalog = Catalog::OpenAi;
    type Decoder = decode::Decoder;

    fn render(&self, request: &Request, replays: impl Fn(&Answer) -> bool) -> Segments {
        render::body(request, &self.preludes, replays).into()
    }

    fn decoder(&self, draft: Draft) -> decode::Decoder {
        decode::Decoder::new(draft)
    }
}

//! Chat Completions: OpenAI's, and what Ollama, llama.cpp, LM Studio, vLLM, OpenRouter and many more make
//! of it.

mod decode;
mod dialect;
mod render;

use std::sync::Arc;

use self::dialect::Dialect;
use crate::body::Preludes;
use crate::catalog::Catalog;
use crate::draft::Draft;
use crate::endpoint::KeyHeader;
use crate::http::Segments;
use crate::service::{Service, Wire};
use crate::{Answer, ConfigError, Endpoint, Provider, Request, Timeouts};

/// A provider that speaks Chat Completions. No connection is made before the first request.
///
/// # Errors
/// [`ConfigError`] when the endpoint cannot be used as it is configured.
pub fn chat(endpoint: Endpoint, timeouts: Timeouts) -> Result<Arc<dyn Provider>, ConfigError> {
    let chat = Chat { dialect: Dialect::of(&endpoint.base_url), preludes: Preludes::default() };
    Ok(Arc::new(Service::new(endpoint, timeouts, chat)?))
}

#[derive(Debug)]
pub(crate) struct Chat {
    dialect: Dialect,
    preludes: Preludes,
}

impl Chat {
    /// Of a service that is none of those with habits of their own.
    pub(crate) fn compatible() -> Self {
        Self { dialect: Dialect::Compatible, preludes: Preludes::default() }
    }
}

impl Wire for Chat {
    const PATH: &str = "chat/completions";
    const KEY: KeyHeader = KeyHeader::Bearer;
    const HEADERS: &[(&str, &str)] = &[];
    const CATALOG: Catalog = Catalog::OpenAi;
    type Decoder = decode::Decoder;

    fn render(&self, request: &Request, replays: impl Fn(&Answer) -> bool) -> Segments {
        render::body(request, self.dialect, &self.preludes, replays).into()
    }

    fn decoder(&self, draft: Draft) -> decode::Decoder {
        decode::Decoder::new(draft)
    }
}

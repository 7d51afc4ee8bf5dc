//! Where a service is and what it costs to reach it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::Secret;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// One configured service.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The provider's name in the configuration.
    pub name: String,
    /// Everything before the path of the API, as in `https://api.openai.com/v1`.
    pub base_url: String,
    pub api_key: Option<Secret>,
    /// How the key is sent; `None`: as the API has it.
    pub key_header: Option<KeyHeader>,
    /// Sent with each request; they win over what would be sent otherwise.
    pub headers: Vec<(String, String)>,
}

/// The header that carries a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
}

/// How long to wait for a service.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub connect: Duration,
    /// From the connection to the headers of the response.
    pub headers: Duration,
    /// The same for servers on this machine or its network, which may first load a model.
    pub local_headers: Duration,
    /// Between two bytes of an answer. Models think for minutes without a word.
    pub idle: Duration,
    /// From the reason why the model stopped to the end of the stream: what the answer cost may come in between.
    /// Then the answer is whole, even if the connection stays open.
    pub ending: Duration,
    /// As long as a second of those that a sign-in's code lives, and of those between two questions whether
    /// the user has entered it. Tests have shorter ones.
    pub code_second: Duration,
}

/// An endpoint that cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("base_url of provider {provider} is not a URL: {reason}")]
    InvalidUrl { provider: String, reason: String },
    #[error("base_url of provider {provider} has to begin with http:// or https://")]
    UnsupportedScheme { provider: String },
    #[error("header {header:?} of provider {provider} cannot be sent")]
    InvalidHeader { provider: String, header: String },
    #[error("the key of provider {provider} has characters that cannot be sent")]
    InvalidKey { provider: String },
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(120),
            local_headers: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            ending: Duration::from_secs(2),
            code_second: Duration::from_secs(1),
        }
    }
}

/// An endpoint that has been looked at.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// The base as it may be shown: no credentials, no query.
    pub(crate) shown: String,
    /// In use as long as this is.
    secrets: Vec<Secret>,
}

impl Endpoint {
    /// Whether a service at this address is on this machine or its network.
    pub fn is_local(base_url: &str) -> bool {
        Url::parse(base_url.trim()).is_ok_and(|url| is_local(&url))
    }
}

impl Target {
    /// `path` is what this API adds to the base; the rest is what it sends unless the endpoint says otherwise.
    pub(crate) fn new(
        endpoint: Endpoint,
        path: &str,
        key_header: KeyHeader,
        always: &[(&'static str, &'static str)],
    ) -> Result<Self, ConfigError> {
        let key_header = endpoint.key_header.unwrap_or(key_header);
        let Endpoint { name: provider, base_url, api_key, headers: configured, .. } = endpoint;
        let mut url = Url::parse(base_url.trim()).map_err(|error| ConfigError::InvalidUrl {
            provider: provider.clone(),
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ConfigError::UnsupportedScheme { provider });
        }
        let shown = shown(&url);
        // The query stays: some services have their version there.
        let whole = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);

        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("opal/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        // Compression would hold back events until a block is full.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in always {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }

        let mut secrets: Vec<Secret> = url.password().map(Secret::new).into_iter().collect();
        if let Some(secret) = api_key.filter(|key| !key.reveal().is_empty()) {
            let key = secret.reveal();
            let (name, value) = match key_header {
                KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
                KeyHeader::XApiKey => (X_API_KEY, key.to_owned()),
            };
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| ConfigError::InvalidKey { provider: provider.clone() })?;
            value.set_sensitive(true);
            headers.insert(name, value);
            secrets.push(secret);
        }
        for (header, value) in configured {
            let sent = (HeaderName::try_from(&header), HeaderValue::try_from(&value));
            let (Ok(name), Ok(mut sent)) = sent else {
                return Err(ConfigError::InvalidHeader { provider, header });
            };
            if is_secret(&name) {
                sent.set_sensitive(true);
                secrets.push(Secret::new(value.strip_prefix("Bearer ").unwrap_or(&value)));
            }
            headers.insert(name, sent);
        }
        Ok(Self { name: provider, url, headers, shown, secrets })
    }

    /// Another address of the same service, from which something is read.
    pub(crate) fn getting(&self, url: Url) -> Self {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.remove(CONTENT_TYPE);
        Self {
            name: self.name.clone(),
            url,
            headers,
            shown: self.shown.clone(),
            secrets: self.secrets.clone(),
        }
    }

    /// On this machine: no proxy leads there.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// On this machine or its network.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.url)
    }

    /// Takes another secret that may come back in what the service says.
    pub(crate) fn also_uses(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("base", &self.shown).finish_non_exhaustive()
    }
}

fn is_loopback(url: &Url) -> bool {
    match ip(url) {
        Some(ip) => ip.is_loopback(),
        None => url.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".localhost")),
    }
}

fn is_local(url: &Url) -> bool {
    let private = match ip(url) {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local(),
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
        None => url.host_str().is_some_and(|host| host.ends_with(".local")),
    };
    private || is_loopback(url)
}

fn ip(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// A URL without the parts that may hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path().trim_end_matches('/'))
}

fn is_secret(header: &HeaderName) -> bool {
    let words = ["auth", "key", "token", "secret", "cookie", "password"];
    words.iter().any(|word| header.as_str().contains(word))
}

//! The HTTP side: clients, built when they are first needed and kept for their connections.

mod segments;
mod tls;

use std::error::Error;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use tokio::sync::OnceCell;

pub(crate) use self::segments::Segments;
use self::tls::{plain_tls, system_tls};
use crate::classify::{Class, Failure};
use crate::endpoint::{Target, shown};
use crate::secret::masked;
use crate::{ProviderError, Timeouts};

/// Of the body of an error this much is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How long everything but an answer may take: tokens, lists of models.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// Lists of models, the longest of these responses, have some hundred KB.
const MAX_CALL_BYTES: usize = 8 << 20;

/// Sends requests. Cheap to clone; the clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    timeouts: Timeouts,
    /// One for each [`way`].
    clients: Arc<[OnceCell<Client>; 4]>,
}

/// A whole response, of whatever status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    url: Url,
}

/// Why there is no response to read.
pub(crate) enum SendError {
    /// The service answered, with a failure.
    Refused(Failure),
    /// It did not answer.
    Unreached(ProviderError),
}

impl Http {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, clients: Arc::default() }
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Posts `body` and returns a successful response, its body unread. `headers` win over the target's.
    pub(crate) async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Segments,
    ) -> Result<http::Response<reqwest::Body>, SendError> {
        let client = self.client(target).await.map_err(SendError::Unreached)?;
        let request = client
            .post(target.url.clone())
            .headers(target.headers.clone())
            .headers(headers)
            .body(reqwest::Body::wrap(body))
            .send();
        let limit = if target.is_local() { self.timeouts.local_headers } else { self.timeouts.headers };
        let response = match tokio::time::timeout(self.timeouts.connect + limit, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(SendError::Unreached(self.unreached(target, &error))),
            Err(_) => {
                let provider = target.name.clone();
                return Err(SendError::Unreached(ProviderError::Idle { provider, after: limit }));
            }
        };
        match response.status() {
            status if status.is_success() => Ok(response.into()),
            status if status.is_redirection() => {
                Err(SendError::Refused(redirected(response.url(), response.headers(), status)))
            }
            _ => Err(SendError::Refused(self.refusal(response).await)),
        }
    }

    /// One small request and its whole response, for everything but answers.
    pub(crate) async fn call(
        &self,
        target: &Target,
        method: Method,
        body: Option<Vec<u8>>,
    ) -> Result<Response, ProviderError> {
        let client = self.client(target).await?;
        let mut request = client.request(method, target.url.clone()).headers(target.headers.clone());
        if let Some(body) = body {
            request = request.body(body);
        }
        let cut = |message: String| {
            let message = masked(message);
            ProviderError::Cut { provider: target.name.clone(), message }
        };
        let exchange = async {
            let mut response = request.send().await.map_err(|error| self.unreached(target, &error))?;
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| cut(broken(&error)))? {
                if body.len() + piece.len() > MAX_CALL_BYTES {
                    return Err(cut(format!("{} sent more than {} MiB", target.shown, MAX_CALL_BYTES >> 20)));
                }
                body.extend_from_slice(&piece);
            }
            let (status, url) = (response.status(), response.url().clone());
            Ok(Response { status, headers: mem::take(response.headers_mut()), body, url })
        };
        let timed_out = |_| ProviderError::Idle { provider: target.name.clone(), after: CALL_LIMIT };
        tokio::time::timeout(CALL_LIMIT, exchange).await.map_err(timed_out)?
    }

    async fn client(&self, target: &Target) -> Result<&Client, ProviderError> {
        self.clients[way(target)].get_or_try_init(|| self.connect(target)).await
    }

    async fn connect(&self, target: &Target) -> Result<Client, ProviderError> {
        // No proxy leads to this machine. The system's certificates take milliseconds to read, and
        // nothing that is reached without TLS needs them.
        let loopback = target.is_loopback();
        let tls = match target.url.scheme() {
            "https" => system_tls().await,
            _ if loopback => plain_tls(),
            // Not even a proxy does, as a rule; one that does may be reached over TLS.
            _ => system_tls().await.or_else(|_| plain_tls()),
        };
        let built = tls.and_then(|tls| {
            let builder = Client::builder()
                .tls_backend_preconfigured(tls)
                .connect_timeout(self.timeouts.connect)
                .redirect(redirect::Policy::none())
                .tcp_nodelay(true);
            let builder = if loopback { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| reason(&error))
        });
        built.map_err(|message| {
            let message = format!("could not prepare the connection: {message}");
            ProviderError::Cut { provider: target.name.clone(), message }
        })
    }

    fn unreached(&self, target: &Target, error: &reqwest::Error) -> ProviderError {
        let base = &target.shown;
        let message = if error.is_connect() && error.is_timeout() {
            format!("could not connect to {base} within {} s", self.timeouts.connect.as_secs())
        } else if error.is_connect() {
            format!("could not connect to {base}: {}", reason(error))
        } else {
            format!("{base} did not answer: {}", reason(error))
        };
        ProviderError::Cut { provider: target.name.clone(), message: masked(message) }
    }

    async fn refusal(&self, response: reqwest::Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        // What the service's own people ask for.
        let id = ["x-request-id", "x-github-request-id"].iter().find_map(|name| headers.get(*name));
        tracing::debug!(%status, ?id, "the service refused the request");
        let mut response = response;
        let mut body = Vec::new();
        // A body that breaks off or stalls is read as far as it came: the status is what counts.
        let read = async {
            while body.len() < MAX_ERROR_BYTES
                && let Ok(Some(piece)) = response.chunk().await
            {
                body.extend_from_slice(&piece[..piece.len().min(MAX_ERROR_BYTES - body.len())]);
            }
        };
        let limit = self.timeouts.idle.min(self.timeouts.connect);
        if tokio::time::timeout(limit, read).await.is_err() {
            tracing::debug!("gave up reading the body of an error");
        }
        Failure::response(status, &headers, &body, SystemTime::now())
    }
}

impl Response {
    /// What a response that is not a success says.
    pub(crate) fn failure(&self) -> Failure {
        if self.status.is_redirection() {
            return redirected(&self.url, &self.headers, self.status);
        }
        let body = &self.body[..self.body.len().min(MAX_ERROR_BYTES)];
        Failure::response(self.status, &self.headers, body, SystemTime::now())
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Targets that one client serves: on this machine or not, with TLS or without.
fn way(target: &Target) -> usize {
    2 * usize::from(target.is_loopback()) + usize::from(target.url.scheme() == "https")
}

/// A connection that broke while the answer came.
pub(crate) fn broken(error: &reqwest::Error) -> String {
    format!("the connection was lost before the answer was complete: {}", reason(error))
}

/// The request is not sent again elsewhere: it carries a key and a conversation.
fn redirected(from: &Url, headers: &HeaderMap, status: StatusCode) -> Failure {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    let to = to.as_ref().map_or_else(|| "elsewhere".to_owned(), |url: &Url| shown(url));
    Failure::new(Class::InvalidRequest, format!("the address redirects to {to} (HTTP {})", status.as_u16()))
}

/// The innermost cause, in words.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let known = cause.downcast_ref::<io::Error>().map(io::Error::kind).and_then(|kind| match kind {
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::ConnectionReset => Some("connection reset"),
        io::ErrorKind::ConnectionAborted => Some("connection aborted"),
        io::ErrorKind::BrokenPipe => Some("connection closed"),
        io::ErrorKind::UnexpectedEof => Some("connection closed"),
        io::ErrorKind::TimedOut => Some("timed out"),
        io::ErrorKind::HostUnreachable => Some("host unreachable"),
        io::ErrorKind::NetworkUnreachable => Some("network unreachable"),
        _ => None,
    });
    match known {
        Some(known) => known.to_owned(),
        None if error.is_timeout() => "timed out".to_owned(),
        None => cause.to_string(),
    }
}

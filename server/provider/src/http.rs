//! The HTTP side: one client per service, built when it is first needed and kept for its connections.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Client, StatusCode, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::OnceCell;

use crate::classify::{Class, Failure};
use crate::endpoint::{Target, shown};
use crate::{ProviderError, Timeouts};

/// Of the body of an error this much is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// What is got, lists of models as a rule, is read up to here.
const MAX_GOT_BYTES: usize = 16 << 20;

/// A piece of this size is sent as it is, not copied.
const LARGE_PIECE: usize = 16 << 10;
/// Smaller ones are copied together up to this.
const GATHERED: usize = 128 << 10;

/// A request body in pieces, the large ones shared, not copied. Its length is known, so it is sent with one.
#[derive(Debug, Clone)]
pub(crate) struct Segments {
    pieces: VecDeque<Bytes>,
    left: u64,
}

#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) target: Target,
    timeouts: Timeouts,
    client: OnceCell<Client>,
}

/// Why there is no response to read.
pub(crate) enum SendError {
    /// The service answered, with a failure.
    Refused(Failure),
    /// It did not answer.
    Unreached(ProviderError),
}

impl Segments {
    /// Small pieces are copied together: a long conversation has thousands of them, and each would cost
    /// more on its way to the socket than its copy.
    pub(crate) fn new(pieces: Vec<Bytes>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut gathered = VecDeque::new();
        let mut small = Vec::new();
        for piece in pieces {
            if piece.len() < LARGE_PIECE {
                if small.len() + piece.len() > GATHERED {
                    gathered.push_back(mem::take(&mut small).into());
                }
                if small.is_empty() {
                    small.reserve(GATHERED.min(usize::try_from(left).unwrap_or(GATHERED)));
                }
                small.extend_from_slice(&piece);
                continue;
            }
            if !small.is_empty() {
                gathered.push_back(mem::take(&mut small).into());
            }
            gathered.push_back(piece);
        }
        if !small.is_empty() {
            gathered.push_back(small.into());
        }
        Self { pieces: gathered, left }
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| {
            self.left -= piece.len() as u64;
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Http {
    pub(crate) fn new(target: Target, timeouts: Timeouts) -> Self {
        Self { target, timeouts, client: OnceCell::new() }
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Posts `body` and returns the body of a successful response.
    pub(crate) async fn post(&self, body: Segments) -> Result<reqwest::Body, SendError> {
        let client = self.client.get_or_try_init(|| self.connect()).await.map_err(SendError::Unreached)?;
        let request = client
            .post(self.target.url.clone())
            .headers(self.target.headers.clone())
            .body(reqwest::Body::wrap(body))
            .send();
        let headers =
            if self.target.is_local() { self.timeouts.local_headers } else { self.timeouts.headers };
        let response = match tokio::time::timeout(self.timeouts.connect + headers, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(SendError::Unreached(self.unreached(&error))),
            Err(_) => {
                let provider = self.target.name.clone();
                return Err(SendError::Unreached(ProviderError::Idle { provider, after: headers }));
            }
        };
        match response.status() {
            status if status.is_success() => Ok(http::Response::from(response).into_body()),
            status if status.is_redirection() => Err(SendError::Refused(redirected(&response, status))),
            _ => Err(SendError::Refused(self.refusal(response).await)),
        }
    }

    /// Gets what is at `url`, an address of the same service. `None`: there is nothing.
    pub(crate) async fn get(&self, url: Url) -> Result<Option<Bytes>, SendError> {
        let client = self.client.get_or_try_init(|| self.connect()).await.map_err(SendError::Unreached)?;
        let mut headers = self.target.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.remove(CONTENT_TYPE);
        let unreached = |error| SendError::Unreached(self.unreached(&error));
        let mut response = client.get(url).headers(headers).send().await.map_err(unreached)?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
            status if status.is_success() => {
                let mut body = BytesMut::new();
                while let Some(piece) = response.chunk().await.map_err(unreached)? {
                    body.extend_from_slice(&piece);
                    if body.len() > MAX_GOT_BYTES {
                        let message = format!("the answer has more than {} MiB", MAX_GOT_BYTES >> 20);
                        return Err(SendError::Refused(Failure::new(Class::InvalidRequest, message)));
                    }
                }
                Ok(Some(body.freeze()))
            }
            status if status.is_redirection() => Err(SendError::Refused(redirected(&response, status))),
            _ => Err(SendError::Refused(self.refusal(response).await)),
        }
    }

    /// A connection that broke while the answer came.
    pub(crate) fn broken(&self, error: &reqwest::Error) -> String {
        format!("the connection was lost before the answer was complete: {}", reason(error))
    }

    async fn connect(&self) -> Result<Client, ProviderError> {
        // No proxy leads to this machine. The system's certificates take milliseconds to read, and
        // nothing that is reached without TLS needs them.
        let loopback = self.target.is_loopback();
        let tls = match self.target.url.scheme() {
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
            ProviderError::Cut { provider: self.target.name.clone(), message }
        })
    }

    fn unreached(&self, error: &reqwest::Error) -> ProviderError {
        let base = &self.target.shown;
        let message = if error.is_connect() && error.is_timeout() {
            format!("could not connect to {base} within {} s", self.timeouts.connect.as_secs())
        } else if error.is_connect() {
            format!("could not connect to {base}: {}", reason(error))
        } else {
            format!("{base} did not answer: {}", reason(error))
        };
        ProviderError::Cut { provider: self.target.name.clone(), message: self.target.masked(message) }
    }

    async fn refusal(&self, response: reqwest::Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
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

/// The request is not sent again elsewhere: it carries a key and a conversation.
fn redirected(response: &reqwest::Response, status: StatusCode) -> Failure {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let to = location.and_then(|location| response.url().join(location).ok());
    let to = to.as_ref().map_or_else(|| "elsewhere".to_owned(), |url: &Url| shown(url));
    Failure::new(Class::InvalidRequest, format!("the address redirects to {to} (HTTP {})", status.as_u16()))
}

/// TLS as the system trusts it.
async fn system_tls() -> Result<ClientConfig, String> {
    let read = tokio::task::spawn_blocking(|| {
        let config = tls_builder()?.with_platform_verifier().map_err(|error| error.to_string())?;
        Ok(with_protocols(config.with_no_client_auth()))
    });
    read.await.map_err(|error| error.to_string())?
}

/// TLS that trusts nobody, for where none is spoken.
fn plain_tls() -> Result<ClientConfig, String> {
    Ok(with_protocols(tls_builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

fn tls_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    // Named here: a default for the whole process would be a race between those who set it.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring);
    builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
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

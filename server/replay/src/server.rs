//! The server: accepts, hands each request to the handler, plays the reply.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running server. Dropping it ends every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    counts: watch::Sender<Counts>,
    _stop: DropGuard,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: usize,
    closed: usize,
    received: usize,
}

/// One request as it came, with its whole body.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// What a request gets.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<Step>,
}

/// One step of a reply's body. After the last one the body ends properly.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Bytes),
    Pause(Duration),
    /// Waits for one `notify_one` of the gate.
    Wait(Arc<Notify>),
    /// Sends nothing more until the client goes away.
    Hang,
    /// Breaks the connection in the middle of the body.
    Cut,
}

impl Server {
    /// Listens on a free port of 127.0.0.1. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(handler: impl Fn(Received) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;

        let stop = CancellationToken::new();
        let counts = watch::Sender::new(Counts::default());
        tokio::spawn(accept(listener, Arc::new(handler), counts.clone(), stop.clone()));
        Ok(Self { address, counts, _stop: stop.drop_guard() })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections have been accepted so far.
    pub fn connections(&self) -> usize {
        self.counts.borrow().accepted
    }

    /// How many requests have been received so far, each with its whole body.
    pub fn requests(&self) -> usize {
        self.counts.borrow().received
    }

    /// Waits until `n` requests have been received since the start.
    pub async fn received(&self, n: usize) {
        self.until(|counts| counts.received >= n).await;
    }

    /// Waits until `n` connections have ended since the start, whoever closed them.
    pub async fn closed(&self, n: usize) {
        self.until(|counts| counts.closed >= n).await;
    }

    async fn until(&self, reached: impl Fn(&Counts) -> bool) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.counts.subscribe().wait_for(|counts| reached(counts)).await;
    }
}

impl Received {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Reply {
    /// A whole body at once.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            body: vec![Step::Send(body.into())],
        }
    }

    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A stream of server-sent events with status 200.
    pub fn stream(body: Vec<Step>) -> Self {
        Self { status: 200, headers: vec![("content-type".into(), "text/event-stream".into())], body }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn into_response(self) -> Response<impl hyper::body::Body<Data = Bytes, Error = io::Error>> {
        let mut response = Response::new(StreamBody::new(play(self.body)));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            match (hyper::header::HeaderName::try_from(&name), value.try_into()) {
                (Ok(name), Ok(value)) => {
                    response.headers_mut().append(name, value);
                }
                _ => tracing::warn!(name, "left out a header that cannot be sent"),
            }
        }
        response
    }
}

impl<T: Into<Bytes>> From<T> for Step {
    fn from(bytes: T) -> Self {
        Self::Send(bytes.into())
    }
}

async fn accept<H>(
    listener: TcpListener,
    handler: Arc<H>,
    counts: watch::Sender<Counts>,
    stop: CancellationToken,
) where
    H: Fn(Received) -> Reply + Send + Sync + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted.inspect_err(|error| tracing::warn!(%error, "could not accept")) else {
            continue;
        };
        counts.send_modify(|counts| counts.accepted += 1);
        let (handler, counts, stop) = (handler.clone(), counts.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = serve(stream, handler, counts.clone()) => {}
            }
            counts.send_modify(|counts| counts.closed += 1);
        });
    }
}

async fn serve<H>(stream: TcpStream, handler: Arc<H>, counts: watch::Sender<Counts>)
where
    H: Fn(Received) -> Reply + Send + Sync + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not turn Nagle's algorithm off");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, counts) = (handler.clone(), counts.clone());
        async move {
            let received = receive(request).await?;
            counts.send_modify(|counts| counts.received += 1);
            Ok::<_, hyper::Error>(handler(received).into_response())
        }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Clients that go away and replies that are cut end here: both are meant to happen.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn receive(request: Request<Incoming>) -> Result<Received, hyper::Error> {
    let (head, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Received {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, |path| path.to_string()),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.collect().await?.to_bytes(),
    })
}

fn play(steps: Vec<Step>) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Send(bytes) => return Some((Ok(Frame::data(bytes)), steps)),
                Step::Pause(duration) => tokio::time::sleep(duration).await,
                Step::Wait(gate) => gate.notified().await,
                Step::Hang => std::future::pending().await,
                Step::Cut => {
                    // hyper flushes what it holds when the body has nothing ready, not when it fails.
                    tokio::task::yield_now().await;
                    return Some((Err(io::ErrorKind::ConnectionAborted.into()), steps));
                }
            }
        }
    })
}

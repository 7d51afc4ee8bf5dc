//! One answer from request to last event, for every family.
//!
//! A family is a [`Wire`]: it renders requests and decodes events. What is the same for all of them is
//! here: sending, batches, timeouts, and the one retry that only this crate can do.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use http_body::Body;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::{Access, Fixed};
use crate::catalog::{self, Catalog, Source};
use crate::classify::{Class, Failure, plain};
use crate::decoding::Decoding;
use crate::draft::Draft;
use crate::endpoint::{KeyHeader, Target};
use crate::http::{Http, Segments, SendError, broken};
use crate::models::Models;
use crate::rejected::rejected_item;
use crate::secret::masked;
use crate::{
    Answer, AnswerEvent, AnswerStream, ConfigError, Endpoint, Item, ItemKind, ModelInfo, Provider,
    ProviderError, Request, Timeouts, sse,
};

/// An API that services speak.
pub(crate) trait Wire: fmt::Debug + Send + Sync + 'static {
    /// What the API adds to the base URL.
    const PATH: &str;
    /// How a key is sent, unless the endpoint says otherwise.
    const KEY: KeyHeader;
    /// What goes along with each request.
    const HEADERS: &[(&str, &str)];
    /// How its services list their models.
    const CATALOG: Catalog;
    type Decoder: Decode + 'static;

    /// The body. `replays` tells whether the thinking of an answer may go back to this model.
    fn render(&self, request: &Request, replays: impl Fn(&Answer) -> bool) -> Segments;
    fn decoder(&self, draft: Draft) -> Self::Decoder;
}

/// Reads one answer. An error ends it.
pub(crate) trait Decode: Send + Sync {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure>;
    /// An answer that came as one JSON text in place of a stream.
    fn whole(&mut self, body: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure>;
    /// The stream ended without an event that says so. Finishes the answer if all of it is there.
    fn end(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure>;
    /// Finishes the answer with what there is of it, as if its output had reached its limit.
    fn cut_short(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure>;
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    /// The model has stopped, and the event added nothing to the answer: all that may still come is what it cost,
    /// and the end of the stream.
    Ending,
    Finished,
}

#[derive(Debug)]
pub(crate) struct Service<W, A = Fixed> {
    inner: Arc<Inner<W, A>>,
}

#[derive(Debug)]
struct Inner<W, A> {
    http: Http,
    access: A,
    wire: W,
    models: Models,
    endings: Arc<Endings>,
}

impl<W: Wire> Service<W> {
    /// A service at an endpoint that stays as it is configured.
    pub(crate) fn new(endpoint: Endpoint, timeouts: Timeouts, wire: W) -> Result<Self, ConfigError> {
        let target = Target::new(endpoint, W::PATH, W::KEY, W::HEADERS)?;
        Ok(Self::with_access(Fixed(Arc::new(target)), Http::new(timeouts), wire))
    }
}

impl<W: Wire, A: Access> Service<W, A> {
    pub(crate) fn with_access(access: A, http: Http, wire: W) -> Self {
        let (models, endings) = (Models::default(), Arc::default());
        Self { inner: Arc::new(Inner { http, access, wire, models, endings }) }
    }
}

impl<W: Wire, A: Access> Provider for Service<W, A> {
    fn name(&self) -> &str {
        self.inner.access.name()
    }

    fn answer(&self, request: Request) -> AnswerStream {
        let run = Run {
            service: self.inner.clone(),
            request,
            target: None,
            state: State::Start,
            started: false,
            replayed_less: false,
            renewed: false,
        };
        Box::pin(stream::unfold(Box::new(run), |mut run| async move { Some((run.next().await?, run)) }))
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async {
            let target = self.inner.access.target().await?;
            let source = Source { http: &self.inner.http, target: &target };
            catalog::models(source, W::PATH, W::CATALOG).await
        })
    }
}

/// One answer on its way.
struct Run<W: Wire, A> {
    service: Arc<Inner<W, A>>,
    request: Request,
    /// Where the request went last.
    target: Option<Arc<Target>>,
    state: State<W::Decoder>,
    /// The caller knows that the answer has begun.
    started: bool,
    /// Thinking has been left out and the request sent again.
    replayed_less: bool,
    /// The credentials have been renewed and the request sent again.
    renewed: bool,
}

enum State<D> {
    Start,
    Reading(Box<Reading<D>>),
    /// The error that follows the events before it.
    Failed(ProviderError),
    Finished(Rest),
    Over,
}

/// Why no answer came, before it is put in the caller's terms.
enum Ended {
    Failure(Failure),
    Error(ProviderError),
}

impl<W: Wire, A: Access> Run<W, A> {
    async fn next(&mut self) -> Option<Result<Vec<AnswerEvent>, ProviderError>> {
        loop {
            let ended = match mem::replace(&mut self.state, State::Over) {
                State::Start => match self.open().await {
                    Ok(reading) => {
                        self.state = State::Reading(Box::new(reading));
                        continue;
                    }
                    Err(ended) => ended,
                },
                State::Reading(mut reading) => {
                    let (mut batch, ended) = reading.batch(self.service.access.name()).await;
                    if self.started {
                        batch.retain(|event| *event != AnswerEvent::Started);
                    }
                    let Some(ended) = ended else {
                        self.started |= !batch.is_empty();
                        if let Some(AnswerEvent::Finished(answer)) = batch.last() {
                            self.service.models.answered(&self.request, answer);
                            let ending = Some(self.service.endings.begin());
                            let body = (!reading.is_overdue).then_some(reading.body);
                            self.state = State::Finished(Rest { body, ending });
                        } else {
                            self.state = State::Reading(reading);
                            if batch.is_empty() {
                                continue;
                            }
                        }
                        return Some(Ok(batch));
                    };
                    let said_something = batch.iter().any(|event| *event != AnswerEvent::Started);
                    if !said_something && self.may_retry(&ended) {
                        self.state = State::Start;
                        continue;
                    }
                    if !batch.is_empty() {
                        self.state = State::Failed(self.error(ended));
                        return Some(Ok(batch));
                    }
                    return Some(Err(self.error(ended)));
                }
                State::Failed(error) => return Some(Err(error)),
                State::Finished(rest) => {
                    rest.read().await;
                    return None;
                }
                State::Over => return None,
            };
            if self.may_retry(&ended) {
                self.state = State::Start;
                continue;
            }
            return Some(Err(self.error(ended)));
        }
    }

    async fn open(&mut self) -> Result<Reading<W::Decoder>, Ended> {
        let Inner { http, access, wire, models, endings } = &*self.service;
        endings.settle().await;
        let target = access.target().await.map_err(Ended::Error)?;
        self.target = Some(target.clone());
        let (model, provider, origin) = (&self.request.model, access.name(), access.origin());
        tracing::debug!(provider, model, items = self.request.items.len(), "asking");
        let body = wire.render(&self.request, models.same(&self.request, origin));
        let response =
            http.post(&target, access.headers(&self.request), body).await.map_err(|error| match error {
                SendError::Refused(failure) => Ended::Failure(failure),
                SendError::Unreached(error) => Ended::Error(error),
            })?;
        access.answers(response.headers());
        Ok(Reading {
            body: response.into_body(),
            idle: http.timeouts().idle,
            is_overdue: false,
            format: Format::Unknown,
            decoding: Decoding::new(wire.decoder(Draft::new(&self.request, origin)), http.timeouts().ending),
        })
    }

    /// Once each: without the thinking that the service refused to take back, if there is any, and with
    /// renewed credentials. Without images at most twice, see [`leave_out_images`].
    fn may_retry(&mut self, ended: &Ended) -> bool {
        let Ended::Failure(failure) = ended else { return false };
        if failure.class == Class::Replay {
            if mem::replace(&mut self.replayed_less, true) {
                return false;
            }
            // All of them, so not `any`.
            let changed = self.request.items.iter().filter(|item| item.refuse_replay()).count();
            tracing::debug!(changed, "the service refused earlier thinking");
            return changed > 0;
        }
        if failure.class == Class::Image {
            return leave_out_images(&self.request.items, &masked(failure.said()));
        }
        let Some(target) = self.target.as_ref().filter(|_| !self.renewed) else { return false };
        self.renewed = self.service.access.renews(target, failure);
        self.renewed
    }

    /// The body as it was sent last.
    fn body(&self) -> Option<Value> {
        let Inner { access, wire, models, .. } = &*self.service;
        let body = wire.render(&self.request, models.same(&self.request, access.origin()));
        serde_json::from_slice(&body.to_vec()).ok()
    }

    fn error(&self, ended: Ended) -> ProviderError {
        let error = match ended {
            Ended::Failure(mut failure) => {
                failure.message = masked(failure.message);
                tracing::debug!(class = ?failure.class, code = failure.code, "the service reported a failure");
                if failure.class == Class::Image {
                    failure.class = Class::InvalidRequest;
                }
                let mut error = self.service.access.error(failure, &self.request.model);
                if let ProviderError::BadRequest { message, item, .. } = &mut error {
                    *item = rejected_item(message, || self.body()).map(masked);
                }
                error
            }
            Ended::Error(error) => error,
        };
        tracing::debug!(%error, "no answer");
        error
    }
}

/// Puts words in place of images, from now on and in every request of the conversation. Those that came since the last
/// answer are the first to go: the service has taken the others before. Returns whether there was one.
fn leave_out_images(items: &[Arc<Item>], reason: &str) -> bool {
    let is_answer = |item: &Arc<Item>| matches!(item.kind, ItemKind::Assistant(_));
    let n_known = items.iter().rposition(is_answer).map_or(0, |last| last + 1);
    let refuse = |items: &[Arc<Item>]| items.iter().filter(|item| item.refuse_images(reason)).count();
    let n_changed = match refuse(&items[n_known..]) {
        0 => refuse(items),
        n_changed => n_changed,
    };
    tracing::debug!(n_changed, "the service refused an image");
    n_changed > 0
}

/// The response while it comes.
struct Reading<D> {
    body: reqwest::Body,
    idle: Duration,
    /// The answer is whole, but not its stream: the connection is of no more use.
    is_overdue: bool,
    format: Format,
    decoding: Decoding<D>,
}

/// Goes to the end of the run queue once. tokio's own `yield_now` also polls for IO, which costs a system
/// call for every piece.
async fn let_others_run() {
    let mut waited = false;
    poll_fn(|context| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a body turns out to be. Its first byte tells more reliably than its content type.
enum Format {
    Unknown,
    Stream(sse::Decoder),
    Json(Vec<u8>),
    Page(Vec<u8>),
}

impl From<sse::TooLarge> for Failure {
    fn from(sse::TooLarge: sse::TooLarge) -> Self {
        let limit = sse::MAX_EVENT_BYTES >> 20;
        Self::new(Class::InvalidRequest, format!("the answer has an event of more than {limit} MiB"))
    }
}

impl<D: Decode> Reading<D> {
    /// So much is decoded at most before a batch goes out.
    const MAX_BATCH_BYTES: usize = 256 << 10;
    /// Of a web page in place of an answer.
    const MAX_PAGE_BYTES: usize = 64 << 10;

    /// All that is there, or, if there is nothing, what comes next. Empty if that was no whole event.
    async fn batch(&mut self, provider: &str) -> (Vec<AnswerEvent>, Option<Ended>) {
        let mut out = Vec::new();
        let Some(first) = self.first_frame().await else {
            if self.decoding.whole_at().is_some() {
                let ended = self.give_up_the_rest(provider, &mut out).await;
                return (out, ended.err().map(Ended::Failure));
            }
            let error = ProviderError::Idle { provider: provider.to_owned(), after: self.idle };
            return (out, Some(Ended::Error(error)));
        };
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(frame) = next {
            let read = match frame {
                Some(Ok(bytes)) => {
                    taken += bytes.len();
                    self.feed(&bytes, &mut out)
                }
                Some(Err(error)) => self.finish(Some(&broken(&error)), &mut out),
                None => self.finish(None, &mut out),
            };
            match read {
                Ok(Progress::More | Progress::Ending) if taken < Self::MAX_BATCH_BYTES => {}
                Ok(_) => break,
                Err(failure) => return (out, Some(Ended::Failure(failure))),
            }
            next = self.frame_that_is_there().await;
        }
        (out, None)
    }

    /// What comes next, unless that takes too long.
    async fn first_frame(&mut self) -> Option<Option<Result<Bytes, reqwest::Error>>> {
        let now = Instant::now();
        let limit =
            self.decoding.whole_at().map_or(now + self.idle, |whole_at| whole_at.min(now + self.idle));
        // What keeps a connection alive may always be there.
        if limit <= now {
            return None;
        }
        tokio::time::timeout_at(limit, frame(&mut self.body)).await.ok()
    }

    /// What has come already.
    async fn frame_that_is_there(&mut self) -> Option<Option<Result<Bytes, reqwest::Error>>> {
        let there = frame(&mut self.body).now_or_never();
        if there.is_some() {
            return there;
        }
        // The connection's task hands pieces over one by one, and may hold more of the same read.
        let_others_run().await;
        frame(&mut self.body).now_or_never()
    }

    /// Finishes an answer that is whole. What lies there counts: it may be the caller who was slow. There may be more
    /// of the answer in it, which then is not whole yet.
    async fn give_up_the_rest(&mut self, provider: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let mut taken = 0;
        while taken < Self::MAX_BATCH_BYTES
            && let Some(Some(Ok(bytes))) = self.frame_that_is_there().await
        {
            taken += bytes.len();
            match self.feed(&bytes, out)? {
                Progress::Ending => {}
                Progress::More | Progress::Finished => return Ok(()),
            }
        }
        tracing::debug!(provider, "the stream goes on behind its answer");
        self.is_overdue = true;
        self.decoding.end(out)
    }

    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure> {
        if let Format::Unknown = self.format {
            bytes = bytes.trim_ascii_start();
            self.format = match bytes.first() {
                None => return Ok(Progress::More),
                Some(b'{') => Format::Json(Vec::new()),
                Some(b'<') => Format::Page(Vec::new()),
                Some(_) => Format::Stream(sse::Decoder::default()),
            };
        }
        match &mut self.format {
            Format::Stream(events) => {
                events.feed(bytes, |event| self.decoding.event(&event, out))?;
                Ok(self.decoding.progress())
            }
            Format::Json(body) if body.len() + bytes.len() > sse::MAX_EVENT_BYTES => {
                Err(sse::TooLarge.into())
            }
            Format::Json(body) => {
                body.extend_from_slice(bytes);
                Ok(Progress::More)
            }
            Format::Page(page) => {
                page.extend_from_slice(bytes);
                if page.len() > Self::MAX_PAGE_BYTES { self.finish(None, out) } else { Ok(Progress::More) }
            }
            Format::Unknown => Ok(Progress::More),
        }
    }

    /// The body ended, properly or because it broke.
    fn finish(&mut self, broken: Option<&str>, out: &mut Vec<AnswerEvent>) -> Result<Progress, Failure> {
        let cut = |failure: Failure| match broken {
            Some(reason) if failure.class == Class::Cut => Failure::new(Class::Cut, reason),
            _ => failure,
        };
        match mem::replace(&mut self.format, Format::Unknown) {
            Format::Stream(mut events) => {
                events.finish(|event| self.decoding.event(&event, out))?;
                self.decoding.end(out).map_err(cut)?;
                Ok(Progress::Finished)
            }
            Format::Json(body) => {
                self.decoding.whole(&String::from_utf8_lossy(&body), out).map_err(cut)?;
                Ok(Progress::Finished)
            }
            Format::Page(page) => {
                let title = plain(&String::from_utf8_lossy(&page));
                Err(Failure::new(
                    Class::InvalidRequest,
                    format!("a web page came in place of an answer: {title}"),
                ))
            }
            Format::Unknown => Err(cut(Failure::new(Class::Cut, "the answer is empty"))),
        }
    }
}

/// The end of a body after its last event. Once it is read the connection can serve the next request.
struct Rest {
    body: Option<reqwest::Body>,
    ending: Option<Ending>,
}

impl Rest {
    /// What takes longer is not worth keeping: the connection is closed.
    const PATIENCE: Duration = Duration::from_millis(250);
    /// Turns of the run queue until a connection that has ended its answer is seen to be free.
    const TURNS: usize = 4;

    async fn read(mut self) {
        if let Some(body) = self.body.take() {
            Self::drain(body).await;
        }
    }

    async fn drain(mut body: reqwest::Body) {
        let rest = async { while let Some(Ok(_)) = frame(&mut body).await {} };
        let _ = tokio::time::timeout(Self::PATIENCE, rest).await;
        // The connection's task notes the end, and one of the pool's puts it back.
        for _ in 0..Self::TURNS {
            let_others_run().await;
        }
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let (Some(body), Ok(runtime)) = (self.body.take(), Handle::try_current()) {
            let ending = self.ending.take();
            runtime.spawn(async move {
                Self::drain(body).await;
                drop(ending);
            });
        }
    }
}

/// Counts the answers of a service whose connections are about to be free.
#[derive(Debug, Default)]
struct Endings(watch::Sender<usize>);

/// One of them, until it is dropped.
struct Ending(Arc<Endings>);

impl Endings {
    /// A new connection may take longer than this, with TLS much longer.
    const WORTH_WAITING: Duration = Duration::from_millis(20);

    fn begin(self: &Arc<Self>) -> Ending {
        self.0.send_modify(|n_endings| *n_endings += 1);
        Ending(self.clone())
    }

    /// Lets a connection become free, if one is about to.
    async fn settle(&self) {
        let mut n_endings = self.0.subscribe();
        let settled = n_endings.wait_for(|n_endings| *n_endings == 0);
        let _ = tokio::time::timeout(Self::WORTH_WAITING, settled).await;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.0.send_modify(|n_endings| *n_endings -= 1);
    }
}

/// The next data of a body; `None` at its end.
async fn frame(body: &mut reqwest::Body) -> Option<Result<Bytes, reqwest::Error>> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(bytes)) => return Some(Ok(bytes)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests;

//! `session/*`, as far as it is about stored sessions and not about living ones.

use protocol::{
    ExportFormat, SessionDone, SessionExportParams, SessionExportResult, SessionHistoryParams,
    SessionHistoryResult, SessionListParams, SessionListResult, SessionParams, SessionSetParams,
    SessionTreeResult,
};
use serde_json::Value;
use store::{ListQuery, LoadedSession, SessionId, SessionRecord, Store, StoreError};
use text::AbsPath;
use tower_lsp::jsonrpc::{Error, Result};

use super::{Backend, decode, reply};
use crate::blocking::blocking;
use crate::resolve::resolve;
use crate::{errors, from_proto, to_proto};

/// Entries on a page of a history when the client names no number.
const PAGE: usize = 200;
const MAX_PAGE: usize = 1000;

impl Backend {
    pub(super) async fn session_list(&self, params: Value) -> Result<SessionListResult> {
        let params: SessionListParams = decode(params)?;
        let limit = params.limit.map_or(0, |limit| limit as usize);
        let working_dir = params.working_dir;
        let working_dir = blocking(move || working_dir.map(|name| directory(&name))).await;
        match params.query.filter(|words| !words.trim().is_empty()) {
            Some(words) => {
                let found =
                    self.read(move |store| search(store, &words, working_dir.as_deref(), limit)).await?;
                Ok(SessionListResult { sessions: found, next_cursor: None })
            }
            None => {
                let query = ListQuery { working_dir, query: None, cursor: params.cursor, limit };
                let page = self.read(move |store| store.list(&query)).await?;
                Ok(SessionListResult {
                    sessions: page
                        .sessions
                        .into_iter()
                        .map(|summary| to_proto::summary(summary, None))
                        .collect(),
                    next_cursor: page.next_cursor,
                })
            }
        }
    }

    pub(super) async fn session_history(&self, params: Value) -> Result<SessionHistoryResult> {
        let params: SessionHistoryParams = decode(params)?;
        let page = Window::of(&params)?;
        let told = self.load(params.session_id, agent::journal::history).await?;
        let (entries, next_cursor) = page.cut(told);
        Ok(SessionHistoryResult { entries: entries.into_iter().map(to_proto::told).collect(), next_cursor })
    }

    pub(super) async fn session_tree(&self, params: Value) -> Result<SessionTreeResult> {
        let params: SessionHistoryParams = decode(params)?;
        let page = Window::of(&params)?;
        let (leaf, nodes) = self.load(params.session_id, agent::journal::tree::tree).await?;
        let (nodes, next_cursor) = page.cut(nodes);
        let entries = nodes.into_iter().map(to_proto::node).collect();
        Ok(SessionTreeResult { leaf: leaf.map(|leaf| leaf.to_string()), entries, next_cursor })
    }

    pub(super) async fn session_set(&self, params: Value) -> Result<SessionDone> {
        let params: SessionSetParams = decode(params)?;
        if let Some(mode) = params.permission_mode {
            reply(self.session(&params.session_id)?.set_mode(from_proto::mode(mode))).await?;
        }
        if params.model.is_some() || params.thinking_level.is_some() {
            let session = self.session(&params.session_id)?;
            let model = match &params.model {
                Some(name) => Some(self.server.model(Some(name)).await.map_err(errors::no_model)?),
                None => None,
            };
            let level = params.thinking_level.map(from_proto::thinking_level);
            reply(session.set_model(model, level)).await?;
        }
        if let Some(name) = params.name {
            let id = self.stored(params.session_id).await?;
            let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
            self.server.store().rename(&id, name).await.map_err(errors::stored)?;
        }
        Ok(SessionDone { ok: true })
    }

    pub(super) async fn session_delete(&self, params: Value) -> Result<SessionDone> {
        let params: SessionParams = decode(params)?;
        if self.server.find(&params.session_id).is_ok() {
            return Err(errors::live());
        }
        let id = self.stored(params.session_id).await?;
        let (store, locked, client) = (self.server.store().clone(), id.clone(), self.connection.client());
        // Nobody must be writing it.
        let lock = tokio::task::spawn_blocking(move || store.lock(&locked, &client)).await;
        let _lock = lock.map_err(|_| Error::internal_error())?.map_err(errors::held)?;
        self.server.store().delete(&id).await.map_err(errors::stored)?;
        let outputs = self.server.outputs().clone();
        blocking(move || outputs.forget(&id)).await;
        Ok(SessionDone { ok: true })
    }

    pub(super) async fn session_export(&self, params: Value) -> Result<SessionExportResult> {
        let params: SessionExportParams = decode(params)?;
        let text = match params.format.unwrap_or_default() {
            ExportFormat::Markdown => self.load(params.session_id, agent::journal::markdown).await?,
            ExportFormat::JsonLines => {
                let id = self.stored(params.session_id).await?;
                let _room = self.connection.room_for_answer().await;
                let store = self.server.store().clone();
                let exported = tokio::task::spawn_blocking(move || {
                    let mut out = Vec::new();
                    store.export(&id, &mut out).map(|()| String::from_utf8_lossy(&out).into_owned())
                });
                exported.await.map_err(|_| Error::internal_error())?.map_err(errors::export)?
            }
        };
        Ok(SessionExportResult { text })
    }

    pub(super) async fn record(&self, prefix: String) -> Result<SessionRecord> {
        self.read(move |store| store.find(&prefix)).await
    }

    /// What comes of a whole session: decoding thousands of entries takes milliseconds, in which others go on.
    async fn load<T: Send + 'static>(
        &self,
        prefix: String,
        take: impl FnOnce(&LoadedSession) -> T + Send + 'static,
    ) -> Result<T> {
        self.read(move |store| Ok(take(&store.load(&store.find(&prefix)?.id)?))).await
    }

    async fn stored(&self, prefix: String) -> Result<SessionId> {
        self.read(move |store| Ok(store.find(&prefix)?.id)).await
    }

    /// Reads where waiting for the disk harms nobody.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> std::result::Result<T, StoreError> + Send + 'static,
    ) -> Result<T> {
        let _room = self.connection.room_for_answer().await;
        let store = self.server.store().clone();
        let result = tokio::task::spawn_blocking(move || read(&store)).await;
        result.map_err(|_panic| Error::internal_error())?.map_err(errors::stored)
    }
}

/// The part of a list that a client asked for.
struct Window {
    from: usize,
    limit: usize,
}

impl Window {
    fn of(params: &SessionHistoryParams) -> Result<Self> {
        let from = match params.cursor.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(from)) => from,
            Some(Err(_)) => return Err(Error::invalid_params("cursor: expected one of a page before")),
        };
        let limit = params.limit.map_or(PAGE, |limit| limit as usize).clamp(1, MAX_PAGE);
        Ok(Self { from, limit })
    }

    /// The page, and where the next one begins.
    fn cut<T>(&self, whole: Vec<T>) -> (Vec<T>, Option<String>) {
        let next = self.from.saturating_add(self.limit);
        let next_cursor = (next < whole.len()).then(|| next.to_string());
        (whole.into_iter().skip(self.from).take(self.limit).collect(), next_cursor)
    }
}

/// The sessions with the best hits, each with its best line.
fn search(
    store: &Store,
    words: &str,
    working_dir: Option<&str>,
    limit: usize,
) -> std::result::Result<Vec<protocol::SessionSummary>, StoreError> {
    let limit = if limit == 0 { 50 } else { limit };
    let mut found = Vec::new();
    for hit in store.search_sessions(words, working_dir, limit)? {
        match store.summary(&hit.session) {
            // Deleted since it was found.
            Err(StoreError::UnknownSession(_)) => {}
            summary => found.push(to_proto::summary(summary?, Some(hit.line))),
        }
    }
    Ok(found)
}

/// A directory as sessions store it.
fn directory(name: &str) -> String {
    let path = if name.starts_with("file:") { AbsPath::from_uri(name).ok() } else { AbsPath::new(name).ok() };
    path.map_or_else(|| name.to_owned(), |path| resolve(&path).unwrap_or(path).to_string())
}

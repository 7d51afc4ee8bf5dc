//! What all connections share: the sessions, the providers, and the end of it all.

mod start;

pub(crate) use start::{ResumeError, Which};

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use agent::Model;
use agent::client::ClientId;
use agent::permission::Places;
use agent::session::SessionHandle;
use store::Store;
use text::AbsPath;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_lsp::lsp_types::MessageType;

use crate::blocking::blocking;
use crate::connection::Connection;
use crate::file_locks::FileLocks;
use crate::models::Models;
use crate::resolve::resolve;
use crate::settings::{NoModel, Settings};
use crate::unfinished::Unfinished;
use crate::workspace::SessionWorkspace;
use crate::{Limits, Outputs, platform};

/// The server. Cheap to clone; it lives as long as its sessions and connections.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    models: Models,
    limits: Limits,
    /// What every user should know, such as a damaged store that was set aside.
    notices: watch::Sender<Vec<String>>,
    store: Store,
    outputs: Outputs,
    file_locks: FileLocks,
    unfinished: Unfinished,
    /// Old outputs are removed when the first session begins: the start is not held up by it.
    swept: Once,
    sessions: Mutex<Vec<Live>>,
    /// Held while a session is loaded, so that two clients do not load the same one twice.
    loading: tokio::sync::Mutex<()>,
    clients: AtomicU64,
    /// Fires at [`Server::shutdown`].
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A session that lives in this process; the latest is the last.
#[derive(Debug, Clone)]
struct Live {
    handle: SessionHandle,
    workspace: Arc<SessionWorkspace>,
}

/// No session is meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSession {
    #[error("there is no session {0}")]
    Unknown(String),
    #[error("several sessions begin with {0}")]
    Ambiguous(String),
    #[error("there is no session in {0}")]
    NoneIn(String),
}

/// Why a session could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("no model to talk to")]
    NoModel(#[source] NoModel),
    #[error("{name}: {problem}")]
    Params { name: &'static str, problem: String },
    /// That of a stored session.
    #[error("the session's directory {0} is gone")]
    DirectoryGone(String),
}

impl Server {
    pub fn new(settings: Settings, limits: Limits) -> Self {
        let notices = watch::Sender::new(Vec::new());
        let told = notices.clone();
        let notice = move |notice: store::Notice| {
            tracing::warn!("{notice}");
            told.send_modify(|notices| notices.push(notice.to_string()));
        };
        let options = store::Options { notice: Arc::new(notice), ..store::Options::default() };
        let store = Store::open(&settings.data_dir, options);
        let shared = Shared {
            outputs: Outputs::new(&settings.data_dir),
            file_locks: FileLocks::default(),
            unfinished: Unfinished::new(&settings.data_dir),
            swept: Once::new(),
            models: Models::new(&settings, limits.provider),
            settings,
            notices,
            limits,
            store,
            sessions: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            clients: AtomicU64::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Aborts what runs, ends every process, and waits for both.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let limit = self.shared.limits.session.close + self.shared.limits.linger;
        if tokio::time::timeout(limit, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.shared.tasks.len(), "not everything has stopped in time");
        }
        let store = self.shared.store.clone();
        let closed = tokio::task::spawn_blocking(move || store.close());
        let _ = tokio::time::timeout(self.shared.limits.linger, closed).await;
    }

    /// Shows every client a warning, those that connect later too.
    pub fn notify(&self, notice: String) {
        self.shared.notices.send_modify(|notices| notices.push(notice));
    }

    /// Shows a client the warnings, as soon as it is ready and until it goes.
    pub(crate) fn show_notices(&self, connection: &Arc<Connection>) {
        let mut notices = self.shared.notices.subscribe();
        notices.mark_changed();
        let connection = connection.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = connection.stop.cancelled() => return,
                () = connection.ready() => {}
            }
            let mut n_told = 0;
            loop {
                tokio::select! {
                    () = connection.stop.cancelled() => return,
                    changed = notices.changed() => if changed.is_err() { return },
                }
                let new = notices.borrow_and_update()[n_told..].to_vec();
                n_told += new.len();
                for message in new {
                    connection.show_message(MessageType::WARNING, &format!("Opal: {message}"));
                }
            }
        });
    }

    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }

    pub(crate) fn outputs(&self) -> &Outputs {
        &self.shared.outputs
    }

    /// Lets a connection's documents and dialogs serve a session.
    pub(crate) fn attach(&self, session: &SessionHandle, connection: &Arc<Connection>) {
        if let Some(live) = self.sessions().iter().find(|live| live.handle.id() == session.id()) {
            live.workspace.attach(connection);
        }
        connection.watch(session.clone());
    }

    /// Warns who works where reads are free of nearly all that they have.
    pub(crate) async fn warn_of_wide_roots(&self, working_dir: &AbsPath, connection: &Connection) {
        let server = self.clone();
        let places = blocking(move || server.places("")).await;
        let mut roots = connection.folders();
        roots.push(working_dir.clone());
        if let Some(root) = roots.iter().find(|root| places.is_home_or_above(root)) {
            let message = format!(
                "the workspace is {root}, so almost all your files can be read without asking, and changed in mode \
                 auto_edit; open the directory of a project instead"
            );
            connection.show_message(MessageType::WARNING, &format!("Opal: {message}"));
        }
    }

    /// The directories that the permissions of a session know. Blocks on the disk.
    fn places(&self, session: &str) -> Places {
        // One that cannot be resolved is known as it is named.
        let resolved = |path: PathBuf| AbsPath::new(path).ok().map(|path| resolve(&path).unwrap_or(path));
        Places {
            home: dirs::home_dir().and_then(resolved),
            data_dir: resolved(self.shared.settings.data_dir.clone()),
            outputs: resolved(self.shared.outputs.of(session)),
        }
    }

    /// A session by id, or by the beginning of it.
    pub(crate) fn find(&self, id: &str) -> Result<SessionHandle, NoSession> {
        let sessions = self.sessions();
        if let Some(live) = sessions.iter().find(|live| live.handle.id().as_str() == id) {
            return Ok(live.handle.clone());
        }
        let mut matching =
            sessions.iter().filter(|live| !id.is_empty() && live.handle.id().as_str().starts_with(id));
        match (matching.next(), matching.next()) {
            (Some(live), None) => Ok(live.handle.clone()),
            (Some(_), Some(_)) => Err(NoSession::Ambiguous(id.into())),
            (None, _) => Err(NoSession::Unknown(id.into())),
        }
    }

    /// Ends a connection when the process of its client is gone, in case the stream does not tell.
    pub(crate) fn follow_process(&self, process_id: u32, connection: CancellationToken) {
        let gone = platform::process_gone(process_id);
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = connection.cancelled() => {}
                () = gone => {
                    tracing::info!(process_id, "the client's process has gone");
                    connection.cancel();
                }
            }
        });
    }

    pub(crate) fn models(&self) -> &Models {
        &self.shared.models
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The model of this name, or the one to use when none is named.
    pub(crate) async fn model(&self, name: Option<&str>) -> Result<Model, NoModel> {
        self.shared.models.resolve(&self.shared.settings, name).await
    }

    pub(crate) fn next_client(&self) -> ClientId {
        ClientId(self.shared.clients.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Fires at [`Server::shutdown`].
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// What [`Server::shutdown`] waits for.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.shared.tasks
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Live>> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn new_connection(&self) -> Arc<Connection> {
        let outbox = Arc::new(crate::transport::Outbox::new(1 << 20));
        Arc::new(Connection::new(self.next_client(), outbox, self.stop().child_token()))
    }
}

/// An existing directory, by absolute path or `file:` URI, resolved. Blocks on the disk.
fn directory(name: &str) -> Result<AbsPath, StartError> {
    let bad = |problem: String| StartError::Params { name: "working_dir", problem };
    let path = if name.starts_with("file:") {
        AbsPath::from_uri(name).map_err(|error| bad(error.to_string()))?
    } else {
        AbsPath::new(PathBuf::from(name)).map_err(|error| bad(error.to_string()))?
    };
    let path = resolve(&path).map_err(|error| bad(error.to_string()))?;
    match path.as_path().metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(bad(format!("{path} is not a directory"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(bad(format!("there is no directory {path}")))
        }
        Err(error) => Err(bad(format!("the directory {path} cannot be used: {error}"))),
    }
}

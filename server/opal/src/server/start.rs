//! Sessions that begin, and stored ones that go on.

use std::sync::Arc;
use std::time::SystemTime;

use agent::client::Client;
use agent::instructions::instructions;
use agent::journal::{Journal, Loaded, record::SettingsRecord};
use agent::permission::Permissions;
use agent::session::{Options, SessionHandle};
use agent::{Context, Model, SessionId, Shell, Toolbox};
use protocol::SessionStartParams;
use store::{LockError, SessionRecord, SessionUpdate, Store, StoreError};
use text::AbsPath;
use tokio_util::sync::CancellationToken;

use super::{Live, NoSession, Server, Shared, StartError, directory};
use crate::blocking::blocking;
use crate::connection::Connection;
use crate::from_proto;
use crate::settings::NoModel;
use crate::workspace::SessionWorkspace;

/// What a session is made of, new or stored.
struct Setup {
    id: SessionId,
    model: Option<String>,
    working_dir: AbsPath,
    settings: SettingsRecord,
}

/// Which session to go on with.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// By id, or by the beginning of it; to work in this directory, if one is named.
    Id { id: String, working_dir: Option<String> },
    /// The latest of a directory.
    LatestIn(String),
}

/// Why a stored session cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResumeError {
    #[error("{0}")]
    None(NoSession),
    #[error("{0}")]
    Held(LockError),
    #[error("{0}")]
    Store(StoreError),
    #[error("{0}")]
    Start(StartError),
}

impl Server {
    /// Starts a session. It is stored with its first prompt.
    pub(crate) async fn start_session(
        &self,
        params: SessionStartParams,
        connection: &Arc<Connection>,
    ) -> Result<SessionHandle, StartError> {
        let named = params.working_dir;
        let working_dir = blocking(move || directory(&named)).await?;
        let setup = Setup {
            id: SessionId::random(),
            model: params.model,
            settings: SettingsRecord {
                thinking_level: params.thinking_level.and_then(word_of),
                permission_mode: params.permission_mode.and_then(word_of),
                system_prompt: params.system_prompt,
                tools: params.tools,
                shell: params.shell,
                queue: Vec::new(),
            },
            working_dir,
        };
        let model = self.model(setup.model.as_deref()).await.map_err(StartError::NoModel)?;
        let (setup, options, workspace) = self.options(setup, model).await?;
        let now = agent::journal::now_ms();
        let record = store::SessionRecord {
            id: stored_id(&setup.id)?,
            working_dir: setup.working_dir.to_string(),
            name: None,
            model: Some(options.model.name()),
            created_at_ms: now,
            updated_at_ms: now,
            leaf: None,
            parent: None,
            settings_json: serde_json::to_string(&setup.settings).unwrap_or_default(),
        };
        let journal = Journal::new(self.shared.store.clone(), record).of_client(connection.client());
        let session = self.run(options, journal, Loaded::default(), workspace);
        tracing::info!(session = %session.id(), client = connection.id().0, "session started");
        Ok(session)
    }

    /// A session that lives here, or one from the store.
    pub(crate) async fn resume(
        &self,
        which: Which,
        connection: &Connection,
    ) -> Result<SessionHandle, ResumeError> {
        if let Which::Id { id, .. } = &which
            && let Ok(session) = self.find(id)
        {
            return Ok(session);
        }
        let _one_at_a_time = self.shared.loading.lock().await;
        let (store, wanted) = (self.shared.store.clone(), which.clone());
        let record = match blocking(move || find(&store, &wanted)).await {
            Ok(record) => record,
            // One that was just begun is not stored yet.
            Err(error) => return self.latest_live(&which).await.ok_or(error),
        };
        if let Ok(session) = self.find(record.id.as_str()) {
            return Ok(session);
        }
        let moved_to = match which {
            Which::Id { working_dir: Some(name), .. } => {
                Some(blocking(move || directory(&name)).await.map_err(ResumeError::Start)?)
            }
            _ => None,
        };
        let (store, client) = (self.shared.store.clone(), connection.client());
        // Decoding thousands of entries takes milliseconds: other sessions go on meanwhile.
        let (mut loaded, lock, conversation) = blocking(move || {
            // Locked before it is read: nobody adds to it in between.
            let lock = store.lock(&record.id, &client).map_err(ResumeError::Held)?;
            let loaded = store.load(&record.id).map_err(ResumeError::Store)?;
            let conversation = agent::journal::load(&loaded);
            Ok((loaded, lock, conversation))
        })
        .await?;
        if let Some(directory) = moved_to {
            self.move_to(&mut loaded.record, &directory).await.map_err(ResumeError::Store)?;
        }
        let setup = setup(&loaded.record).await.map_err(ResumeError::Start)?;
        let (setup, notices) = self.mended(setup).await.map_err(ResumeError::Start)?;
        notices.into_iter().for_each(|notice| self.notify(notice));
        let model = self.kept_model(setup.model.as_deref()).await;
        let model = model.map_err(|error| ResumeError::Start(StartError::NoModel(error)))?;
        let (_, options, workspace) = self.options(setup, model).await.map_err(ResumeError::Start)?;
        let journal = Journal::resumed(self.shared.store.clone(), lock, &loaded);
        let session = self.run(options, journal, conversation, workspace);
        tracing::info!(session = %session.id(), entries = loaded.entries.len(), "session resumed");
        Ok(session)
    }

    /// The session works in this directory from now on, and is found there.
    async fn move_to(&self, record: &mut SessionRecord, directory: &AbsPath) -> Result<(), StoreError> {
        let working_dir = directory.to_string();
        if record.working_dir == working_dir {
            return Ok(());
        }
        record.working_dir.clone_from(&working_dir);
        let update = SessionUpdate { working_dir: Some(working_dir), ..SessionUpdate::default() };
        self.shared.store.update(&record.id, update).await
    }

    /// The latest session of a directory that lives here; it may not be stored yet.
    async fn latest_live(&self, which: &Which) -> Option<SessionHandle> {
        let Which::LatestIn(name) = which.clone() else { return None };
        let directory = blocking(move || directory(&name)).await.ok()?;
        let sessions = self.sessions();
        let latest = sessions.iter().rev().find(|live| live.handle.context().working_dir == directory);
        latest.map(|live| live.handle.clone())
    }

    fn run(
        &self,
        options: Options,
        journal: Journal,
        loaded: Loaded,
        workspace: Arc<SessionWorkspace>,
    ) -> SessionHandle {
        let stop = self.shared.stop.child_token();
        let model = options.model.clone();
        let handle = SessionHandle::start(options, journal, loaded, stop.clone(), &self.shared.tasks);
        if model.window().is_none() {
            self.look_up(handle.clone(), model, stop);
        }
        self.sessions().push(Live { handle: handle.clone(), workspace });
        self.shared.swept.call_once(|| {
            let server = self.clone();
            self.shared.tasks.spawn(blocking(move || {
                server.shared.outputs.sweep(SystemTime::now());
                let notices = server.shared.unfinished.recover(SystemTime::now());
                notices.into_iter().for_each(|notice| server.notify(notice));
            }));
        });
        handle
    }

    /// Asks the service what nobody knows of a model, without which a conversation cannot be compacted in time.
    fn look_up(&self, session: SessionHandle, model: Model, stop: CancellationToken) {
        let server = self.clone();
        self.shared.tasks.spawn(async move {
            let looked_up = server.models().look_up(server.settings(), &model);
            let Some(Some(found)) = stop.run_until_cancelled(looked_up).await else { return };
            // Unless another was chosen meanwhile.
            if let Ok(state) = session.state()
                && let Ok(state) = state.await
                && state.model == found.name()
            {
                let _ = session.set_model(Some(found), None);
            }
        });
    }

    /// What a stored session that does not live here works with, for looking at it.
    pub(crate) async fn context_of(
        &self,
        record: &SessionRecord,
        connection: &Arc<Connection>,
    ) -> Result<Arc<Context>, StartError> {
        let (setup, _) = self.mended(setup(record).await?).await?;
        let server = self.clone();
        let (context, workspace) = blocking(move || server.context(&setup)).await?;
        workspace.attach(connection);
        Ok(context)
    }

    /// As [`Self::mend`], where looking for shells on the disk harms nobody.
    async fn mended(&self, mut setup: Setup) -> Result<(Setup, Vec<String>), StartError> {
        let server = self.clone();
        blocking(move || {
            let notices = server.mend(&mut setup.settings)?;
            Ok((setup, notices))
        })
        .await
    }

    /// Leaves out of a stored session's settings what is not there any more, and tells what is done without it.
    fn mend(&self, settings: &mut SettingsRecord) -> Result<Vec<String>, StartError> {
        let mut told = Vec::new();
        let named = settings.shell.clone().unwrap_or_default();
        let gone = settings.shell.take_if(|name| Shell::named(name).is_err());
        let shell = self.shell(settings)?;
        if gone.is_some() {
            told.push(format!(
                "there is no shell {named} on the PATH any more, so {} runs this session's commands",
                shell.name()
            ));
            // It may be among the tools under its own name.
            let tools = settings.tools.iter_mut().flatten();
            tools.filter(|tool| **tool == named).for_each(|tool| shell.name().clone_into(tool));
        }
        while let Err(unknown) = Toolbox::new(&shell, settings.tools.as_deref()) {
            told.push(format!("{unknown}; this session goes on without it"));
            settings.tools.iter_mut().for_each(|tools| tools.retain(|tool| *tool != unknown.name));
        }
        Ok(told)
    }

    fn shell(&self, settings: &SettingsRecord) -> Result<Shell, StartError> {
        match settings.shell.as_ref().or(self.shared.settings.shell.as_ref()) {
            Some(name) => Shell::named(name)
                .map_err(|error| StartError::Params { name: "shell", problem: error.to_string() }),
            None => Ok(Shell::usual()),
        }
    }

    fn context(&self, setup: &Setup) -> Result<(Arc<Context>, Arc<SessionWorkspace>), StartError> {
        let settings = &self.shared.settings;
        let shell = self.shell(&setup.settings)?;
        let Shared { limits, file_locks, unfinished, .. } = &*self.shared;
        let workspace =
            SessionWorkspace::new(setup.id.clone(), limits.clone(), file_locks.clone(), unfinished.clone());
        let mode = setup.settings.permission_mode.as_deref().and_then(of_word);
        let mode = mode.or(settings.permission_mode).unwrap_or_default();
        let context = Context::new(
            setup.working_dir.clone(),
            workspace.clone(),
            shell,
            Permissions::new(from_proto::mode(mode)).with_places(self.places(setup.id.as_str())),
            self.shared.limits.session.clone(),
            settings.secret_env.clone(),
            self.shared.outputs.of(setup.id.as_str()),
        );
        Ok((Arc::new(context), workspace))
    }

    /// The model of a stored session. One that is not configured any more is replaced by the default, and the user
    /// is told: it may cost something else, and is sent the conversation.
    async fn kept_model(&self, name: Option<&str>) -> Result<Model, NoModel> {
        let Some(name) = name else { return self.model(None).await };
        match self.models().resolve_kept(self.settings(), name).await {
            Err(error) => {
                tracing::warn!(%error, name, "a stored session's model is replaced");
                let model = self.model(None).await?;
                let now = model.name();
                self.notify(format!("{name} cannot answer any more, so {now} does in this session: {error}"));
                Ok(model)
            }
            model => model,
        }
    }

    async fn options(
        &self,
        setup: Setup,
        model: Model,
    ) -> Result<(Setup, Options, Arc<SessionWorkspace>), StartError> {
        let settings = &self.shared.settings;
        let server = self.clone();
        let (setup, context) = blocking(move || {
            let context = server.context(&setup);
            (setup, context)
        })
        .await;
        let (context, workspace) = context?;
        let toolbox = Toolbox::new(&context.shell, setup.settings.tools.as_deref())
            .map_err(|error| StartError::Params { name: "tools", problem: error.to_string() })?;
        let thinking = setup.settings.thinking_level.as_deref().and_then(of_word).or(settings.thinking_level);
        let system_prompt = setup.settings.system_prompt.as_deref();
        let options = Options {
            id: setup.id.clone(),
            model,
            thinking: thinking.map(from_proto::thinking_level),
            instructions: instructions(system_prompt, &setup.working_dir, context.shell.name()),
            toolbox: Arc::new(toolbox),
            context,
            settings: setup.settings.clone(),
        };
        Ok((setup, options, workspace))
    }
}

/// The stored session that is meant.
fn find(store: &Store, which: &Which) -> Result<SessionRecord, ResumeError> {
    match which {
        Which::Id { id, .. } => store.find(id).map_err(|error| match error {
            StoreError::UnknownSession(_) => ResumeError::None(NoSession::Unknown(id.clone())),
            StoreError::Ambiguous { .. } => ResumeError::None(NoSession::Ambiguous(id.clone())),
            error => ResumeError::Store(error),
        }),
        Which::LatestIn(name) => {
            let none = || ResumeError::None(NoSession::NoneIn(name.clone()));
            let path = directory(name).map_err(|_| none())?;
            store.latest(&path.to_string()).map_err(ResumeError::Store)?.ok_or_else(none)
        }
    }
}

async fn setup(record: &SessionRecord) -> Result<Setup, StartError> {
    let named = record.working_dir.clone();
    Ok(Setup {
        id: SessionId::new(record.id.as_str()),
        model: record.model.clone(),
        working_dir: blocking(move || directory(&named))
            .await
            .map_err(|_| StartError::DirectoryGone(record.working_dir.clone()))?,
        settings: serde_json::from_str(&record.settings_json).unwrap_or_default(),
    })
}

fn stored_id(id: &SessionId) -> Result<store::SessionId, StartError> {
    store::SessionId::parse(id.as_str())
        .map_err(|error| StartError::Params { name: "session_id", problem: error.to_string() })
}

/// A word of the protocol as it is stored.
fn word_of(value: impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

fn of_word<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

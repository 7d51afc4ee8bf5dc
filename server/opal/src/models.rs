//! Which providers there are, what they offer, and which model is meant.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::Model;
use futures::future::join_all;
use provider::{Candidate, LocalServer, ModelInfo, Provider, ProviderError, Timeouts, probe};
use tokio::time::Instant;

use crate::auth::{Auth, COPILOT, SignedIn};
use crate::settings::{NoModel, Settings};

/// As long as editors keep the lists of their services.
const LIST_AGE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Models {
    timeouts: Timeouts,
    pub(crate) auth: Arc<Auth>,
    /// Made when first used, then kept with their connections.
    providers: Mutex<HashMap<String, Arc<dyn Provider>>>,
    lists: Mutex<HashMap<String, List>>,
    /// A model server found on this machine.
    local: Mutex<Vec<LocalServer>>,
}

/// What a service offers, as it said then.
#[derive(Debug, Clone)]
struct List {
    models: Arc<[ModelInfo]>,
    at: Instant,
}

/// What one provider offers, or why it does not say.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) provider: String,
    pub(crate) models: Result<Vec<ModelInfo>, NoModel>,
}

impl Models {
    pub(crate) fn new(settings: &Settings, timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            auth: Arc::new(Auth::new(settings, timeouts)),
            providers: Mutex::default(),
            lists: Mutex::default(),
            local: Mutex::default(),
        }
    }

    /// The model of this name, or the one to use when none is named.
    pub(crate) async fn resolve(&self, settings: &Settings, name: Option<&str>) -> Result<Model, NoModel> {
        match name.or(settings.default_model.as_deref()) {
            Some(name) => self.named(settings, name).await,
            None => {
                let name = self.default_name(settings).await?;
                self.named(settings, &name).await
            }
        }
    }

    /// The model of this name. While nobody is signed in to Copilot its models stay what they are: each request
    /// says what is missing.
    pub(crate) async fn resolve_kept(&self, settings: &Settings, name: &str) -> Result<Model, NoModel> {
        match (self.named(settings, name).await, name.split_once('/')) {
            (Err(NoModel::SignedOut | NoModel::Auth(_)), Some((_, id))) => {
                let info = settings.overlay(COPILOT, facts(settings, COPILOT, id, None));
                Ok(Model { provider: Arc::new(SignedIn::new(self.auth.clone())), info: Arc::new(info) })
            }
            (model, _) => model,
        }
    }

    /// What to use when nothing is said: what is configured, a sign-in, keys in the environment, a server on
    /// this machine.
    pub(crate) async fn default_name(&self, settings: &Settings) -> Result<String, NoModel> {
        if let Some(name) = &settings.default_model {
            return Ok(name.clone());
        }
        if let Some(name) = settings.only_model()? {
            return Ok(name);
        }
        if let Some(copilot) = self.copilot().await? {
            let offered =
                self.list(COPILOT, &copilot).await.map_err(|error| NoModel::asked(COPILOT, error))?;
            return match offered.iter().find(|model| model.is_default).or(offered.first()) {
                Some(model) => Ok(format!("{COPILOT}/{}", model.id)),
                None => Err(NoModel::NoDefault(COPILOT.into())),
            };
        }
        if let Some(name) = settings.implied_model() {
            return Ok(name);
        }
        let servers = self.find_local(&settings.local_servers).await;
        let with_models = servers.iter().find_map(|server| Some((server, server.models.first()?)));
        match (with_models, servers.first()) {
            (Some((server, model)), _) => Ok(format!("{}/{}", server.name, model.id)),
            (None, Some(server)) => Err(NoModel::NoDefault(server.name.clone())),
            (None, None) => Err(NoModel::Unconfigured),
        }
    }

    async fn named(&self, settings: &Settings, name: &str) -> Result<Model, NoModel> {
        let form = || NoModel::Form(name.to_owned());
        let (provider, id) = name.split_once('/').ok_or_else(form)?;
        if provider.is_empty() || id.is_empty() {
            return Err(form());
        }
        let handle = self.provider(settings, provider).await?;
        let info = settings.overlay(provider, facts(settings, provider, id, self.said(provider, id)));
        Ok(Model { provider: handle, info: Arc::new(info) })
    }

    /// What the services say of a model beyond what is known already. `None`: nothing new.
    pub(crate) async fn look_up(&self, settings: &Settings, model: &Model) -> Option<Model> {
        let name = model.provider.name();
        let listed = self.list(name, &model.provider).await.ok()?;
        let found = listed.iter().find(|listed| listed.id == model.info.id)?.clone();
        let info = settings.overlay(name, facts(settings, name, &model.info.id, Some(found)));
        (info != *model.info).then(|| Model { provider: model.provider.clone(), info: Arc::new(info) })
    }

    /// What every provider offers, or one of them.
    pub(crate) async fn offers(&self, settings: &Settings, only: Option<&str>) -> Vec<Offer> {
        let mut names: Vec<String> = settings.provider_names().map(str::to_owned).collect();
        match self.auth.who().await {
            Ok(Some(_)) => names.push(COPILOT.into()),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "who is signed in is not known"),
        }
        names.extend(self.find_local(&settings.local_servers).await.into_iter().map(|server| server.name));
        // What is configured under the name of another has its place.
        let mut seen = HashSet::new();
        names.retain(|name| only.is_none_or(|only| only == name) && seen.insert(name.clone()));
        if let (true, Some(only)) = (names.is_empty(), only) {
            names.push(only.to_owned());
        }
        join_all(names.into_iter().map(|provider| async {
            let models = self.offer(settings, &provider).await;
            Offer { provider, models }
        }))
        .await
    }

    async fn offer(&self, settings: &Settings, name: &str) -> Result<Vec<ModelInfo>, NoModel> {
        let provider = self.provider(settings, name).await?;
        let configured = settings.configured_models(name);
        let listed = match self.list(name, &provider).await {
            Ok(listed) => listed.to_vec(),
            // What is configured can be used, whatever the service says.
            Err(error) if configured.is_empty() => return Err(NoModel::asked(name, error)),
            Err(error) => {
                tracing::info!(%error, name, "the service does not list its models");
                Vec::new()
            }
        };
        let mut all: Vec<ModelInfo> = configured
            .into_iter()
            .map(|id| {
                let listed = listed.iter().find(|listed| listed.id == id).cloned();
                settings.overlay(name, facts(settings, name, &id, listed))
            })
            .collect();
        let is_new = |model: &ModelInfo| all.iter().all(|other| other.id != model.id);
        let more: Vec<ModelInfo> = listed.into_iter().filter(is_new).collect();
        all.extend(more.into_iter().map(|model| facts(settings, name, &model.id.clone(), Some(model))));
        Ok(all)
    }

    /// The provider is made anew when it is next used: somebody has signed in or out.
    pub(crate) fn forget(&self, name: &str) {
        lock(&self.providers).remove(name);
        lock(&self.lists).remove(name);
    }

    pub(crate) async fn provider(
        &self,
        settings: &Settings,
        name: &str,
    ) -> Result<Arc<dyn Provider>, NoModel> {
        if let Some(provider) = lock(&self.providers).get(name) {
            return Ok(provider.clone());
        }
        if settings.has_provider(name) {
            let made = settings.provider(name, &self.timeouts).await?;
            return Ok(self.keep(name, made));
        }
        if name == COPILOT {
            return self.copilot().await?.ok_or(NoModel::SignedOut);
        }
        if let Some(server) = self.find_local(&settings.local_server(name)).await.pop() {
            let made = settings.local_provider(&server, &self.timeouts)?;
            return Ok(self.keep(name, made));
        }
        Err(settings.unknown_provider(name))
    }

    async fn copilot(&self) -> Result<Option<Arc<dyn Provider>>, NoModel> {
        let copilot = self.auth.copilot().await.map_err(NoModel::Auth)?;
        Ok(copilot.map(|_| Arc::new(SignedIn::new(self.auth.clone())) as Arc<dyn Provider>))
    }

    /// If two made it at the same time, both use the first.
    fn keep(&self, name: &str, made: Arc<dyn Provider>) -> Arc<dyn Provider> {
        lock(&self.providers).entry(name.to_owned()).or_insert(made).clone()
    }

    /// Those that run now: people start and stop them.
    async fn find_local(&self, candidates: &[Candidate]) -> Vec<LocalServer> {
        let found = probe(candidates).await;
        let mut local = lock(&self.local);
        local.retain(|server| candidates.iter().all(|candidate| candidate.name != server.name));
        local.extend(found.iter().cloned());
        found
    }

    async fn list(
        &self,
        name: &str,
        provider: &Arc<dyn Provider>,
    ) -> Result<Arc<[ModelInfo]>, ProviderError> {
        if let Some(models) = self.listed(name) {
            return Ok(models);
        }
        let models: Arc<[ModelInfo]> = provider.models().await?.into();
        lock(&self.lists).insert(name.to_owned(), List { models: models.clone(), at: Instant::now() });
        Ok(models)
    }

    /// What the service has said of a model, as far as it was asked already.
    fn said(&self, provider: &str, id: &str) -> Option<ModelInfo> {
        let find = |models: &[ModelInfo]| models.iter().find(|model| model.id == id).cloned();
        match self.listed(provider) {
            Some(listed) => find(&listed),
            None => {
                let local = lock(&self.local);
                local.iter().find(|server| server.name == provider).and_then(|server| find(&server.models))
            }
        }
    }

    fn listed(&self, name: &str) -> Option<Arc<[ModelInfo]>> {
        let list = lock(&self.lists).get(name).cloned()?;
        (list.at.elapsed() < LIST_AGE).then_some(list.models)
    }
}

/// What Opal knows of a model, and what its service says.
fn facts(settings: &Settings, provider: &str, id: &str, listed: Option<ModelInfo>) -> ModelInfo {
    let known = if settings.is_local(provider) {
        ModelInfo::known_locally(id)
    } else if provider == COPILOT && !settings.has_provider(COPILOT) {
        // It has smaller limits than the vendors, and its plans have no price for a token.
        let known = ModelInfo::known(id);
        ModelInfo {
            context_window: None,
            max_prompt_tokens: None,
            max_output_tokens: None,
            price: None,
            ..known
        }
    } else {
        ModelInfo::known(id)
    };
    match listed {
        Some(listed) => known.overlay(listed),
        None => known,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

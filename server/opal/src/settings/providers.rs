//! The providers of a configuration: where they are, their keys, and what is said of their models.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use process_wrap::tokio::CommandWrap;
use provider::{
    Candidate, CopilotConfig, Domain, DomainError, Endpoint, Identity, LocalServer, ModelInfo, Price,
    Provider, ProviderError, Secret, Timeouts,
};
use serde::Deserialize;

use super::key::{Variable, may_hold_key};
use super::{NoModel, Settings};
use crate::causes::chain;
use crate::platform::without_terminal;
use crate::rekeyed::Rekeyed;

/// How long a command may take that gives a key: it may ask the user for a passphrase.
const KEY_COMMAND_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(super) struct ProviderSettings {
    api: Api,
    base_url: String,
    api_key: ApiKey,
    headers: Vec<(String, String)>,
    models: Vec<ModelSettings>,
    /// Nobody has configured it, but its key is in the environment; what to use then.
    implied: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) enum ApiKey {
    None,
    /// A variable, and what was in it when the settings were read.
    Env(Variable, Option<Secret>),
    /// It stands where a variable should be named, and is no name of one that is set.
    Misplaced {
        /// Held so that it is masked wherever it is shown.
        _key: Secret,
    },
    /// A program, and its arguments, that prints it.
    Command(Vec<String>),
    Known(Secret),
}

/// How a provider is talked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Api {
    #[default]
    Responses,
    Chat,
    Anthropic,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawProvider {
    #[serde(default)]
    api: Api,
    base_url: String,
    pub(super) api_key_env: Option<String>,
    api_key_command: Option<Vec<String>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    models: Vec<ModelSettings>,
}

/// What the user says of a model; it wins over what anybody else knows.
#[derive(Debug, Clone, Default, Deserialize)]
struct ModelSettings {
    id: String,
    name: Option<String>,
    context_window: Option<u64>,
    max_output_tokens: Option<u32>,
    images: Option<bool>,
    price: Option<RawPrice>,
}

/// USD for a million tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
struct RawPrice {
    input: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    output: f64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RawCopilot {
    domain: Option<String>,
    github_url: Option<String>,
    api_url: Option<String>,
    base_url: Option<String>,
    responses_path: Option<String>,
    exchange: Option<bool>,
    client_id: Option<String>,
    editor_version: Option<String>,
    plugin_version: Option<String>,
    integration_id: Option<String>,
    user_agent: Option<String>,
    api_version: Option<String>,
}

/// A service that many have a key of, under the name that its own tools look for.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) variable: &'static str,
    /// For another address; its own tools look there too.
    base_variable: &'static str,
    api: Api,
    base_url: &'static str,
    /// What to use when nothing is said.
    model: &'static str,
}

/// In the order in which one is chosen.
pub(super) const KNOWN: [Known; 3] = [
    Known {
        name: "anthropic",
        variable: "ANTHROPIC_API_KEY",
        base_variable: "ANTHROPIC_BASE_URL",
        api: Api::Anthropic,
        base_url: "https://api.anthropic.com/v1",
        model: "claude-sonnet-4-5",
    },
    Known {
        name: "openai",
        variable: "OPENAI_API_KEY",
        base_variable: "OPENAI_BASE_URL",
        api: Api::Responses,
        base_url: "https://api.openai.com/v1",
        model: "gpt-5",
    },
    Known {
        name: "openrouter",
        variable: "OPENROUTER_API_KEY",
        base_variable: "OPENROUTER_BASE_URL",
        api: Api::Chat,
        base_url: "https://openrouter.ai/api/v1",
        model: "anthropic/claude-sonnet-4.5",
    },
];

/// How a provider can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyStatus {
    pub(crate) ready: bool,
    /// `None`: it needs none.
    pub(crate) source: Option<String>,
}

impl Known {
    pub(super) fn settings(&self, env: &dyn Fn(&str) -> Option<String>) -> ProviderSettings {
        let elsewhere = env(self.base_variable).map(|url| url.trim_end_matches('/').to_owned());
        let base_url = match elsewhere {
            // Anthropic's tools add the version themselves.
            Some(url) if self.api == Api::Anthropic && !url.ends_with("/v1") => format!("{url}/v1"),
            Some(url) => url,
            None => self.base_url.into(),
        };
        ProviderSettings {
            api: self.api,
            base_url,
            api_key: ApiKey::Env(Variable::new(self.variable), None),
            headers: Vec::new(),
            models: Vec::new(),
            implied: Some(self.model),
        }
    }
}

impl ProviderSettings {
    pub(super) fn of_environment(api: Api, base_url: String, api_key: ApiKey, model: Option<String>) -> Self {
        let models = model.map(|id| ModelSettings { id, ..ModelSettings::default() });
        Self {
            api,
            base_url,
            api_key,
            headers: Vec::new(),
            models: models.into_iter().collect(),
            implied: None,
        }
    }
}

impl ProviderSettings {
    /// Takes the key out of the environment.
    pub(super) fn find_key(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let ApiKey::Env(variable, key) = &mut self.api_key else { return };
        *key = env(variable.name()).map(Secret::new);
        if key.is_none() && !variable.is_plain() {
            self.api_key = ApiKey::Misplaced { _key: Secret::new(variable.name()) };
        }
    }
}

impl From<RawProvider> for ProviderSettings {
    fn from(raw: RawProvider) -> Self {
        let api_key = match (raw.api_key_env, raw.api_key_command) {
            (Some(variable), _) => ApiKey::Env(Variable::new(variable), None),
            (None, Some(command)) => ApiKey::Command(command),
            (None, None) => ApiKey::None,
        };
        Self {
            api: raw.api,
            base_url: raw.base_url,
            api_key,
            headers: raw.headers.into_iter().collect(),
            models: raw.models,
            implied: None,
        }
    }
}

impl RawCopilot {
    pub(super) fn config(self) -> Result<CopilotConfig, DomainError> {
        let usual = CopilotConfig::default();
        let identity = Identity {
            client_id: self.client_id.unwrap_or(usual.identity.client_id),
            editor_version: self.editor_version.unwrap_or(usual.identity.editor_version),
            plugin_version: self.plugin_version.unwrap_or(usual.identity.plugin_version),
            integration_id: self.integration_id.unwrap_or(usual.identity.integration_id),
            user_agent: self.user_agent.unwrap_or(usual.identity.user_agent),
            api_version: self.api_version.unwrap_or(usual.identity.api_version),
        };
        Ok(CopilotConfig {
            domain: self.domain.map_or(Ok(usual.domain), |domain| Domain::parse(&domain))?,
            github_url: self.github_url,
            api_url: self.api_url,
            base_url: self.base_url,
            responses_path: self.responses_path.unwrap_or(usual.responses_path),
            exchange: self.exchange.unwrap_or(usual.exchange),
            identity,
            ..usual
        })
    }
}

impl Settings {
    /// The only model that is configured, if there is one; `None` if nothing is.
    pub(crate) fn only_model(&self) -> Result<Option<String>, NoModel> {
        let mut configured = self.providers.iter().filter(|(_, provider)| provider.implied.is_none());
        match (configured.next(), configured.next()) {
            (None, _) => Ok(None),
            (Some((name, provider)), None) => match provider.models.first() {
                Some(model) => Ok(Some(format!("{name}/{}", model.id))),
                None => Err(NoModel::NoDefault(name.clone())),
            },
            (Some(_), Some(_)) => Err(NoModel::NoChoice),
        }
    }

    /// The model of a key in the environment.
    pub(crate) fn implied_model(&self) -> Option<String> {
        KNOWN.iter().find_map(|known| {
            let model = self.providers.get(known.name)?.implied?;
            Some(format!("{}/{model}", known.name))
        })
    }

    pub(crate) fn provider_names(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(String::as_str)
    }

    pub(crate) fn has_provider(&self, name: &str) -> bool {
        self.providers.contains_key(name)
    }

    /// Whether what has this name runs on this machine or its network.
    pub(crate) fn is_local(&self, name: &str) -> bool {
        match self.providers.get(name) {
            Some(provider) => Endpoint::is_local(&provider.base_url),
            None => !self.local_server(name).is_empty(),
        }
    }

    /// The server of this machine with this name, if there may be one.
    pub(crate) fn local_server(&self, name: &str) -> Vec<Candidate> {
        self.local_servers.iter().filter(|server| server.name == name).cloned().collect()
    }

    /// Why there is no provider of this name.
    pub(crate) fn unknown_provider(&self, name: &str) -> NoModel {
        if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
            return NoModel::NoKey { provider: name.into(), variable: known.variable.into() };
        }
        if let Some(server) = self.local_servers.iter().find(|server| server.name == name) {
            return NoModel::NotRunning { name: name.into(), port: server.port };
        }
        let known: Vec<&str> = self.provider_names().chain([crate::auth::COPILOT]).collect();
        NoModel::UnknownProvider { name: name.into(), known: known.join(", ") }
    }

    /// The ids of the models that are configured for a provider.
    pub(crate) fn configured_models(&self, name: &str) -> Vec<String> {
        let models = self.providers.get(name).map(|provider| provider.models.as_slice()).unwrap_or_default();
        models.iter().map(|model| model.id.clone()).collect()
    }

    /// The facts, and what the user says of the model.
    pub(crate) fn overlay(&self, provider: &str, info: ModelInfo) -> ModelInfo {
        let models =
            self.providers.get(provider).map(|provider| provider.models.as_slice()).unwrap_or_default();
        match models.iter().find(|model| model.id == info.id) {
            Some(model) => info.overlay(model.info()),
            None => info,
        }
    }

    /// Makes the provider of this name. Nothing is sent yet; a command for its key is run, and waited for.
    pub(crate) async fn provider(
        &self,
        name: &str,
        timeouts: &Timeouts,
    ) -> Result<Arc<dyn Provider>, NoModel> {
        let settings = self.providers.get(name).ok_or_else(|| self.unknown_provider(name))?;
        let provider = settings.connect(name, timeouts).await?;
        if !matches!(settings.api_key, ApiKey::Command(_)) {
            return Ok(provider);
        }
        let (name, settings, timeouts) = (name.to_owned(), settings.clone(), *timeouts);
        let make = move || {
            let (name, settings) = (name.clone(), settings.clone());
            async move { settings.connect(&name, &timeouts).await.map_err(|error| chain(&error)) }.boxed()
        };
        Ok(Arc::new(Rekeyed::new(provider, Box::new(make))))
    }

    pub(crate) fn local_provider(
        &self,
        server: &LocalServer,
        timeouts: &Timeouts,
    ) -> Result<Arc<dyn Provider>, NoModel> {
        let endpoint = Endpoint {
            name: server.name.clone(),
            base_url: server.base_url.clone(),
            api_key: None,
            key_header: None,
            headers: Vec::new(),
        };
        connect(Api::Chat, endpoint, timeouts)
    }

    /// Where a provider's key comes from, and whether it is there.
    pub(crate) fn key_status(&self, name: &str) -> KeyStatus {
        match self.providers.get(name).map(|provider| &provider.api_key) {
            None | Some(ApiKey::None) => KeyStatus { ready: true, source: None },
            Some(ApiKey::Env(variable, key)) => {
                let source = format!("the environment ({})", variable.name());
                KeyStatus { ready: key.is_some(), source: Some(source) }
            }
            Some(ApiKey::Misplaced { .. }) => {
                let source = "the environment, but api_key_env does not name a variable".into();
                KeyStatus { ready: false, source: Some(source) }
            }
            Some(ApiKey::Command(command)) => {
                let program = command.first().map(|program| shown(program)).unwrap_or_default();
                KeyStatus { ready: true, source: Some(format!("the command {program}")) }
            }
            Some(ApiKey::Known(_)) => {
                KeyStatus { ready: true, source: Some("the environment (OPAL_API_KEY)".into()) }
            }
        }
    }
}

fn connect(api: Api, endpoint: Endpoint, timeouts: &Timeouts) -> Result<Arc<dyn Provider>, NoModel> {
    let provider = endpoint.name.clone();
    let connect = match api {
        Api::Responses => provider::responses,
        Api::Chat => provider::chat,
        Api::Anthropic => provider::anthropic,
    };
    connect(endpoint, *timeouts).map_err(|source| NoModel::Provider { provider, source })
}

impl ProviderSettings {
    pub(super) async fn connect(
        &self,
        name: &str,
        timeouts: &Timeouts,
    ) -> Result<Arc<dyn Provider>, NoModel> {
        let endpoint = Endpoint {
            name: name.into(),
            base_url: self.base_url.clone(),
            api_key: self.api_key.read(name).await?,
            key_header: None,
            headers: self.headers.clone(),
        };
        connect(self.api, endpoint, timeouts)
    }
}

impl ApiKey {
    async fn read(&self, provider: &str) -> Result<Option<Secret>, NoModel> {
        match self {
            Self::None => Ok(None),
            Self::Known(key) => Ok(Some(key.clone())),
            Self::Env(_, Some(key)) => Ok(Some(key.clone())),
            Self::Env(variable, None) => {
                Err(NoModel::NoKey { provider: provider.into(), variable: variable.name().into() })
            }
            Self::Misplaced { .. } => Err(NoModel::NoVariable { provider: provider.into() }),
            Self::Command(command) => {
                let failed = |reason: String| NoModel::KeyCommand { provider: provider.into(), reason };
                let (program, arguments) =
                    command.split_first().ok_or_else(|| failed("api_key_command is empty".into()))?;
                let path = agent::find_program(program);
                let program = shown(program);
                let path = path.ok_or_else(|| {
                    failed(format!("{program} is neither a program on the PATH nor the absolute path of one"))
                })?;
                let mut command = CommandWrap::with_new(path, |command| {
                    command.args(arguments).kill_on_drop(true);
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                });
                let output =
                    async { Box::into_pin(without_terminal(&mut command).spawn()?.wait_with_output()).await };
                let output = tokio::time::timeout(KEY_COMMAND_LIMIT, output)
                    .await
                    .map_err(|_| {
                        failed(format!("{program} took more than {} s", KEY_COMMAND_LIMIT.as_secs()))
                    })?
                    .map_err(|error| failed(format!("{program}: {error}")))?;
                // What it prints is never shown: the key may be in it.
                if !output.status.success() {
                    return Err(failed(format!("{program} ended with {}", output.status)));
                }
                let key = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                if key.is_empty() {
                    return Err(failed(format!("{program} printed nothing")));
                }
                Ok(Some(Secret::new(key)))
            }
        }
    }
}

/// The program of a command, if it cannot be a key in its place.
fn shown(program: &str) -> &str {
    let is_path = program.contains(std::path::is_separator);
    if !is_path && may_hold_key(program) { "its first word" } else { program }
}

impl ModelSettings {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.name.clone(),
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            images: self.images,
            price: self.price.map(|price| Price {
                input: price.input,
                cached_input: price.cached_input.unwrap_or(price.input),
                cache_write: price.cache_write.unwrap_or(price.input),
                output: price.output,
                surcharge: None,
            }),
            ..ModelInfo::new(self.id.as_str())
        }
    }
}

impl NoModel {
    /// The service was asked, and this came of it.
    pub(crate) fn asked(provider: &str, error: ProviderError) -> Self {
        tracing::debug!(provider, %error, "the service did not say what it offers");
        Self::Asked(error)
    }
}

//! What the user has configured: the file, then the environment; the later wins.
//!
//! [`Raw`] is what was typed, [`Settings`] what it means. A project's own file is not read: it could say
//! where requests go, and there is no way yet to say that a project is trusted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{PermissionMode, ThinkingLevel};
use provider::{ConfigError, Endpoint, Provider, Secret, Timeouts};
use serde::Deserialize;

/// The provider that `OPAL_BASE_URL` makes.
const ENV_PROVIDER: &str = "env";

#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `provider/model`.
    pub default_model: Option<String>,
    pub thinking_level: Option<ThinkingLevel>,
    pub permission_mode: Option<PermissionMode>,
    pub shell: Option<String>,
    providers: BTreeMap<String, ProviderSettings>,
    /// Environment variables that hold a secret; commands do not get them.
    pub secret_env: Vec<String>,
    /// Where Opal keeps what it keeps.
    pub data_dir: PathBuf,
    /// What was odd about the configuration, for the user to read.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone)]
struct ProviderSettings {
    api: Api,
    base_url: String,
    api_key: ApiKey,
    headers: Vec<(String, String)>,
    models: Vec<ModelSettings>,
}

#[derive(Debug, Clone)]
enum ApiKey {
    None,
    Env(String),
    Known(Secret),
}

/// A model as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub provider: String,
    /// As the provider knows it.
    pub id: String,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u32>,
}

/// Why there is no model to talk to.
#[derive(Debug, thiserror::Error)]
pub enum NoModel {
    #[error("none is configured")]
    Unconfigured,
    #[error("`{0}` is not of the form provider/model")]
    Form(String),
    #[error("there is no provider `{name}`; there are {known}")]
    UnknownProvider { name: String, known: String },
    #[error("the provider `{0}` is configured without a model, and none was asked for")]
    NoDefault(String),
    #[error("the environment variable {variable} with the key of `{provider}` is not set")]
    NoKey { provider: String, variable: String },
    #[error("the provider `{provider}` cannot be used")]
    Provider {
        provider: String,
        #[source]
        source: ConfigError,
    },
}

/// A configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{path} cannot be read")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}: {message}")]
    Parse { path: String, message: String },
    #[error("{variable}: {message}")]
    Variable { variable: &'static str, message: String },
}

#[derive(Debug, Default, Deserialize)]
struct Raw {
    model: Option<String>,
    thinking_level: Option<ThinkingLevel>,
    permission_mode: Option<PermissionMode>,
    shell: Option<String>,
    #[serde(default)]
    providers: BTreeMap<String, RawProvider>,
}

#[derive(Debug, Deserialize)]
struct RawProvider {
    #[serde(default)]
    api: Api,
    base_url: String,
    api_key_env: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    models: Vec<ModelSettings>,
}

/// How a provider is talked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Api {
    #[default]
    Responses,
    Chat,
    Anthropic,
}

#[derive(Debug, Clone, Deserialize)]
struct ModelSettings {
    id: String,
    context_window: Option<u64>,
    max_output_tokens: Option<u32>,
}

/// The keys that are understood, for naming the nearest one.
const KEYS: &[&str] = &["model", "thinking_level", "permission_mode", "shell", "providers"];
const PROVIDER_KEYS: &[&str] = &["api", "base_url", "api_key_env", "headers", "models"];
const MODEL_KEYS: &[&str] = &["id", "context_window", "max_output_tokens"];

impl Settings {
    /// Reads the user's file, if there is one, and the environment.
    pub fn load(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let data_dir = match env("OPAL_DATA_DIR").filter(|path| !path.is_empty()) {
            Some(path) => std::path::absolute(&path).map_err(|error| SettingsError::Variable {
                variable: "OPAL_DATA_DIR",
                message: error.to_string(),
            })?,
            // Not a directory that others can write to: the file says where requests go.
            None => match dirs::home_dir() {
                Some(home) => home.join(".opal"),
                None => {
                    let message = "must be set: there is no home directory".into();
                    return Err(SettingsError::Variable { variable: "OPAL_DATA_DIR", message });
                }
            },
        };
        let path = data_dir.join("config.toml");
        let mut settings = match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::default(),
            Err(source) => return Err(SettingsError::Read { path: path.display().to_string(), source }),
        };
        settings.data_dir = data_dir;
        settings.apply_env(env)?;
        Ok(settings)
    }

    /// Settings from the text of a `config.toml` alone.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings = Self::parse(text, Path::new("config.toml"))?;
        Ok(Self { data_dir: std::env::temp_dir().join("opal"), ..settings })
    }

    fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let bad = |message: String| SettingsError::Parse { path: path.display().to_string(), message };
        let table: toml::Table = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        let mut warnings = Vec::new();
        check_keys(&table, "", KEYS, &mut warnings);
        for (name, provider) in table.get("providers").and_then(toml::Value::as_table).into_iter().flatten() {
            let Some(provider) = provider.as_table() else { continue };
            check_keys(provider, &format!("providers.{name}."), PROVIDER_KEYS, &mut warnings);
            for model in provider.get("models").and_then(toml::Value::as_array).into_iter().flatten() {
                if let Some(model) = model.as_table() {
                    check_keys(model, &format!("providers.{name}.models."), MODEL_KEYS, &mut warnings);
                }
            }
        }
        let raw: Raw = serde_path_to_error::deserialize(table).map_err(|error| {
            let path = error.path().to_string();
            bad(format!("{path}: {}", error.into_inner()))
        })?;
        let mut secret_env = Vec::new();
        let providers = raw.providers.into_iter().map(|(name, raw)| {
            let RawProvider { api, base_url, api_key_env, headers, models } = raw;
            secret_env.extend(api_key_env.clone());
            let api_key = api_key_env.map_or(ApiKey::None, ApiKey::Env);
            let headers = headers.into_iter().collect();
            (name, ProviderSettings { api, base_url, api_key, headers, models })
        });
        Ok(Self {
            providers: providers.collect(),
            default_model: raw.model,
            thinking_level: raw.thinking_level,
            permission_mode: raw.permission_mode,
            shell: raw.shell,
            secret_env,
            data_dir: PathBuf::new(),
            warnings,
        })
    }

    fn apply_env(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), SettingsError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        self.secret_env.push("OPAL_API_KEY".into());
        if let Some(base_url) = env("OPAL_BASE_URL") {
            let api = env("OPAL_API").map(|api| word("OPAL_API", &api)).transpose()?.unwrap_or_default();
            let model = env("OPAL_MODEL");
            let models = model.iter().map(|id| ModelSettings {
                id: id.clone(),
                context_window: None,
                max_output_tokens: None,
            });
            let provider = ProviderSettings {
                api,
                base_url,
                api_key: env("OPAL_API_KEY").map_or(ApiKey::None, |key| ApiKey::Known(Secret::new(key))),
                headers: Vec::new(),
                models: models.collect(),
            };
            self.providers.insert(ENV_PROVIDER.into(), provider);
            // Word for word, slashes included.
            self.default_model =
                model.map(|model| format!("{ENV_PROVIDER}/{model}")).or(self.default_model.take());
        } else if let Some(model) = env("OPAL_MODEL") {
            self.default_model = Some(model);
        }
        if let Some(mode) = env("OPAL_PERMISSION_MODE") {
            self.permission_mode = Some(word("OPAL_PERMISSION_MODE", &mode)?);
        }
        if let Some(level) = env("OPAL_THINKING_LEVEL") {
            self.thinking_level = Some(word("OPAL_THINKING_LEVEL", &level)?);
        }
        self.shell = env("OPAL_SHELL").or(self.shell.take());
        Ok(())
    }

    /// The model of this name, or the default one.
    pub fn model(&self, name: Option<&str>) -> Result<Model, NoModel> {
        let name = match name.or(self.default_model.as_deref()) {
            Some(name) => name.to_owned(),
            // A provider with one model leaves no doubt.
            None => match self.providers.iter().next() {
                None => return Err(NoModel::Unconfigured),
                Some((provider, settings)) if self.providers.len() == 1 => match settings.models.first() {
                    Some(model) => format!("{provider}/{}", model.id),
                    None => return Err(NoModel::NoDefault(provider.clone())),
                },
                Some(_) => return Err(NoModel::Unconfigured),
            },
        };
        let (provider, id) = name.split_once('/').ok_or_else(|| NoModel::Form(name.clone()))?;
        if provider.is_empty() || id.is_empty() {
            return Err(NoModel::Form(name));
        }
        let settings = self.provider_settings(provider)?;
        let model = settings.models.iter().find(|model| model.id == id);
        Ok(Model {
            provider: provider.to_owned(),
            id: id.to_owned(),
            context_window: model.and_then(|model| model.context_window),
            max_output_tokens: model.and_then(|model| model.max_output_tokens),
        })
    }

    /// Makes the provider of this name. Nothing is sent yet.
    pub(crate) fn provider(&self, name: &str, timeouts: &Timeouts) -> Result<Arc<dyn Provider>, NoModel> {
        let settings = self.provider_settings(name)?;
        let api_key = match &settings.api_key {
            ApiKey::None => None,
            ApiKey::Known(key) => Some(key.clone()),
            ApiKey::Env(variable) => match std::env::var(variable) {
                Ok(key) if !key.is_empty() => Some(Secret::new(key)),
                _ => return Err(NoModel::NoKey { provider: name.into(), variable: variable.clone() }),
            },
        };
        let endpoint = Endpoint {
            name: name.into(),
            base_url: settings.base_url.clone(),
            api_key,
            key_header: None,
            headers: settings.headers.clone(),
        };
        let connect = match settings.api {
            Api::Responses => provider::responses,
            Api::Chat => provider::chat,
            Api::Anthropic => provider::anthropic,
        };
        connect(endpoint, *timeouts).map_err(|source| NoModel::Provider { provider: name.into(), source })
    }

    fn provider_settings(&self, name: &str) -> Result<&ProviderSettings, NoModel> {
        self.providers.get(name).ok_or_else(|| {
            if self.providers.is_empty() {
                return NoModel::Unconfigured;
            }
            let known: Vec<&str> = self.providers.keys().map(String::as_str).collect();
            NoModel::UnknownProvider { name: name.into(), known: known.join(", ") }
        })
    }
}

impl NoModel {
    /// What the user can do: a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unconfigured => {
                "Set OPAL_BASE_URL and OPAL_MODEL, or add a provider to ~/.opal/config.toml; `opal demo` works without."
            }
            Self::Form(_) => "Name a model as in work/gpt-5, with the provider before the first slash.",
            Self::UnknownProvider { .. } => "Correct the name, or add the provider to ~/.opal/config.toml.",
            Self::NoDefault(_) => "Set OPAL_MODEL, or `model` in ~/.opal/config.toml.",
            Self::NoKey { .. } => "Set the variable in the environment that starts the editor.",
            Self::Provider { .. } => "Correct the provider's entry in ~/.opal/config.toml or OPAL_BASE_URL.",
        }
    }
}

/// Reports keys that are not known, with the nearest one that is.
fn check_keys(table: &toml::Table, prefix: &str, known: &[&str], warnings: &mut Vec<String>) {
    for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
        let near = text::nearest_names(key, known.iter().copied(), 1);
        let near = near.first().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        warnings.push(format!("config.toml: `{prefix}{key}` is not known{near}"));
    }
}

/// A value that is one of a few words.
fn word<T: serde::de::DeserializeOwned>(variable: &'static str, value: &str) -> Result<T, SettingsError> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(value))
        .map_err(|error| SettingsError::Variable { variable, message: error.to_string() })
}

#[cfg(test)]
mod tests;

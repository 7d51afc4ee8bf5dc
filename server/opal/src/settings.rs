//! What the user has configured: the file, then the environment; the later wins.
//!
//! [`Raw`] is what was typed, [`Settings`] what it means. A project's own file is not read: it could say
//! where requests go, and there is no way yet to say that a project is trusted.

mod exposed;
mod key;
mod providers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::{PermissionMode, ThinkingLevel};
use provider::{Candidate, ConfigError, CopilotConfig, ProviderError, Secret};
use serde::Deserialize;

use crate::auth::{CredentialsError, Place};
use key::Variable;
use providers::{ApiKey, ProviderSettings, RawCopilot, RawProvider};

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
    /// Where the sign-in is kept.
    pub(crate) credentials: Place,
    /// Where Copilot is; the default is that of github.com.
    pub(crate) copilot: CopilotConfig,
    /// Where model servers on this machine are looked for.
    pub(crate) local_servers: Vec<Candidate>,
    /// Environment variables that hold a secret; commands do not get them.
    pub secret_env: Vec<String>,
    /// Where Opal keeps what it keeps.
    pub data_dir: PathBuf,
    /// What was odd about the configuration, for the user to read.
    pub warnings: Vec<String>,
}

/// Why there is no model to talk to.
#[derive(Debug, thiserror::Error)]
pub enum NoModel {
    #[error("none is configured, nobody is signed in, and no model server runs on this machine")]
    Unconfigured,
    /// Several providers are configured, and none of them was chosen.
    #[error("several providers are configured, and no model was asked for")]
    NoChoice,
    #[error("nobody is signed in to GitHub Copilot")]
    SignedOut,
    #[error("who is signed in is not known")]
    Auth(#[source] CredentialsError),
    /// The service was asked what it offers.
    #[error("{0}")]
    Asked(ProviderError),
    #[error("`{0}` is not of the form provider/model")]
    Form(String),
    #[error("there is no provider `{name}`; there are {known}")]
    UnknownProvider { name: String, known: String },
    #[error("no model server answers on port {port}, where `{name}` is looked for")]
    NotRunning { name: String, port: u16 },
    #[error("the provider `{0}` is configured without a model, and none was asked for")]
    NoDefault(String),
    #[error("the environment variable {variable} with the key of `{provider}` is not set")]
    NoKey { provider: String, variable: String },
    /// Mostly the key itself stands where its variable should be named.
    #[error(
        "api_key_env of `{provider}` does not name an environment variable; it is not shown here, because it may be the key itself"
    )]
    NoVariable { provider: String },
    #[error("the command that gives the key of `{provider}` failed: {reason}")]
    KeyCommand { provider: String, reason: String },
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
    credentials: Place,
    #[serde(default)]
    providers: BTreeMap<String, RawProvider>,
    #[serde(default)]
    copilot: RawCopilot,
    /// Ports of model servers on this machine, by name.
    local_servers: Option<BTreeMap<String, u16>>,
}

/// The keys that are understood, for naming the nearest one.
const KEYS: &[&str] = &[
    "model",
    "thinking_level",
    "permission_mode",
    "shell",
    "credentials",
    "providers",
    "copilot",
    "local_servers",
];
const PROVIDER_KEYS: &[&str] = &["api", "base_url", "api_key_env", "api_key_command", "headers", "models"];
const COPILOT_KEYS: &[&str] = &[
    "domain",
    "github_url",
    "api_url",
    "base_url",
    "responses_path",
    "exchange",
    "client_id",
    "editor_version",
    "plugin_version",
    "integration_id",
    "user_agent",
    "api_version",
];
const MODEL_KEYS: &[&str] = &["id", "name", "context_window", "max_output_tokens", "images", "price"];

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
        settings.warnings.extend(exposed::warnings(&data_dir));
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
        // Without the line itself, which may hold a key.
        let table: toml::Table = toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            bad(format!("line {line}: {}", error.message()))
        })?;
        let mut warnings = Vec::new();
        check_keys(&table, "", KEYS, &mut warnings);
        if let Some(copilot) = table.get("copilot").and_then(toml::Value::as_table) {
            check_keys(copilot, "copilot.", COPILOT_KEYS, &mut warnings);
        }
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
            // What was found there is told, but not of what may be secret.
            let inner = error.into_inner();
            let is_secret =
                path.contains("headers") || path.contains("api_key") || key::may_hold_key(inner.message());
            let expected = inner.message().split_once("expected ").filter(|_| is_secret);
            bad(match expected {
                Some((_, expected)) => format!("{path}: expected {expected}"),
                None if is_secret => format!("{path}: not as it should be"),
                None => format!("{path}: {}", inner.message()),
            })
        })?;
        let mut secret_env = Vec::new();
        let mut providers = BTreeMap::new();
        for (name, provider) in raw.providers {
            secret_env.extend(provider.api_key_env.clone());
            providers.insert(name, provider.into());
        }
        let copilot = raw.copilot.config().map_err(|error| bad(format!("copilot.domain: {error}")))?;
        let local_servers = match raw.local_servers {
            Some(ports) => ports.into_iter().map(|(name, port)| Candidate::new(name, port)).collect(),
            None => Candidate::usual(),
        };
        Ok(Self {
            providers,
            copilot,
            local_servers,
            default_model: raw.model,
            thinking_level: raw.thinking_level,
            permission_mode: raw.permission_mode,
            shell: raw.shell,
            credentials: raw.credentials,
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
            let key = env("OPAL_API_KEY").map_or(ApiKey::None, |key| ApiKey::Known(Secret::new(key)));
            let provider = ProviderSettings::of_environment(api, base_url, key, model.clone());
            self.providers.insert(ENV_PROVIDER.into(), provider);
            // Word for word, slashes included.
            self.default_model =
                model.map(|model| format!("{ENV_PROVIDER}/{model}")).or(self.default_model.take());
        } else if let Some(model) = env("OPAL_MODEL") {
            self.default_model = Some(model);
        }
        for known in &providers::KNOWN {
            if env(known.variable).is_some() {
                self.secret_env.push(known.variable.into());
                self.providers.entry(known.name.into()).or_insert_with(|| known.settings(&env));
            }
        }
        self.providers.values_mut().for_each(|provider| provider.find_key(&env));
        // What is a key rather than the name of a variable is to be repeated nowhere.
        self.secret_env.retain(|name| Variable::new(name.as_str()).is_plain() || env(name).is_some());
        if let Some(mode) = env("OPAL_PERMISSION_MODE") {
            self.permission_mode = Some(word("OPAL_PERMISSION_MODE", &mode)?);
        }
        if let Some(level) = env("OPAL_THINKING_LEVEL") {
            self.thinking_level = Some(word("OPAL_THINKING_LEVEL", &level)?);
        }
        self.shell = env("OPAL_SHELL").or(self.shell.take());
        Ok(())
    }
}

impl NoModel {
    /// What the user can do: a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unconfigured => {
                "Sign in to GitHub Copilot with `opal login`, or set a key such as OPENAI_API_KEY or ANTHROPIC_API_KEY, \
                 or start a model server such as Ollama; ~/.opal/config.toml and OPAL_BASE_URL name any other. `opal \
                 demo` works without."
            }
            Self::NoChoice => {
                "Name one as provider/model, or set `model` in ~/.opal/config.toml; `opal models` lists them."
            }
            Self::SignedOut => "Sign in with `opal login`.",
            Self::Auth(error) => error.hint(),
            Self::Asked(error) => error.hint().unwrap_or("Try again, or name a model as provider/model."),
            Self::Form(_) => "Name a model as in work/gpt-5, with the provider before the first slash.",
            Self::UnknownProvider { .. } => "Correct the name, or add the provider to ~/.opal/config.toml.",
            Self::NotRunning { .. } => {
                "Start it, or name its port under `local_servers` in ~/.opal/config.toml."
            }
            Self::NoDefault(_) => "Set OPAL_MODEL, or `model` in ~/.opal/config.toml.",
            Self::KeyCommand { .. } => {
                "Run the command of api_key_command in ~/.opal/config.toml yourself, and correct it."
            }
            Self::NoVariable { .. } => {
                "Put the key into a variable and its name into api_key_env in ~/.opal/config.toml, or use api_key_command."
            }
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
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(value)).map_err(
        |error| {
            // OPAL_API is easily taken for OPAL_API_KEY.
            let message = key::without_key(&error.to_string()).to_owned();
            SettingsError::Variable { variable, message }
        },
    )
}

#[cfg(test)]
mod tests;

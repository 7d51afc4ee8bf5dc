//! Which Copilot, and what Opal says it is.

use reqwest::Url;

use crate::endpoint::{KeyHeader, Target};
use crate::{ConfigError, Domain, Endpoint, ProviderError, Secret};

/// What Opal calls itself where it may say so.
const OWN_NAME: &str = concat!("opal/", env!("CARGO_PKG_VERSION"));

pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";

/// A Copilot to use. The default is that of github.com.
#[derive(Debug, Clone)]
pub struct CopilotConfig {
    /// The provider's name in the configuration.
    pub name: String,
    pub domain: Domain,
    /// Where users sign in; `None`: `https://DOMAIN`.
    pub github_url: Option<String>,
    /// Where tokens are exchanged; `None`: `https://api.DOMAIN`.
    pub api_url: Option<String>,
    /// Where the models are; `None`: where the exchanged token says, within GitHub's hosts. The token is sent
    /// to whatever stands here.
    pub base_url: Option<String>,
    /// The path of the Responses API below the base. Some say it is `v1/responses`.
    pub responses_path: String,
    /// Exchange GitHub's token for one of Copilot's. If not, GitHub's own goes to the models, which take it
    /// only of some apps.
    pub exchange: bool,
    pub identity: Identity,
}

/// What GitHub is told about who asks. It changes from time to time what it accepts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Of the app whose users sign in. The exchange takes tokens of those it knows.
    pub client_id: String,
    /// `Editor-Version`: `NAME/VERSION`, of an editor that GitHub knows.
    pub editor_version: String,
    /// `Editor-Plugin-Version`: `NAME/VERSION`, whatever they are.
    pub plugin_version: String,
    /// `Copilot-Integration-Id`.
    pub integration_id: String,
    pub user_agent: String,
    /// `X-GitHub-Api-Version`, a date.
    pub api_version: String,
}

impl Default for CopilotConfig {
    fn default() -> Self {
        Self {
            name: "copilot".into(),
            domain: Domain::default(),
            github_url: None,
            api_url: None,
            base_url: None,
            responses_path: "responses".into(),
            exchange: true,
            identity: Identity::default(),
        }
    }
}

/// A set that is known to be accepted: that of an editor's own plugin under its own name.
impl Default for Identity {
    fn default() -> Self {
        Self {
            client_id: "Iv1.b507a08c87ecfe98".into(),
            editor_version: "Neovim/0.11.0".into(),
            plugin_version: OWN_NAME.into(),
            integration_id: "vscode-chat".into(),
            user_agent: OWN_NAME.into(),
            api_version: "2025-04-01".into(),
        }
    }
}

impl CopilotConfig {
    /// Without a slash at its end.
    pub(crate) fn github_url(&self) -> String {
        url_or(self.github_url.as_deref(), || format!("https://{}", self.domain))
    }

    fn api_url(&self) -> String {
        url_or(self.api_url.as_deref(), || format!("https://api.{}", self.domain))
    }

    /// As it is shown when signing in does not work.
    pub(crate) fn github_host(&self) -> String {
        let url = Url::parse(&self.github_url()).ok();
        url.as_ref().and_then(Url::host_str).unwrap_or(self.domain.as_str()).to_owned()
    }

    /// A call for signing in, which needs no credentials.
    pub(crate) fn login_target(&self, path: &str) -> Result<Target, ConfigError> {
        self.target(&self.github_url(), path, None, vec![accept(JSON)])
    }

    /// A call to GitHub's API with its token, which goes nowhere else.
    pub(crate) fn api_target(&self, path: &str, token: &Secret) -> Result<Target, ConfigError> {
        let mut headers = self.editor_headers();
        headers.push(accept(JSON));
        self.target(&self.api_url(), path, Some(token), headers)
    }

    /// A call to the models. `accepts` is the type of the answer.
    pub(super) fn model_target(
        &self,
        base: &str,
        path: &str,
        token: &Secret,
        accepts: &str,
        headers: &[(&str, &str)],
    ) -> Result<Target, ConfigError> {
        // They go with exchanged tokens.
        let mut all = if self.exchange { self.editor_headers() } else { Vec::new() };
        all.push(accept(accepts));
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.target(base, path, Some(token), all)
    }

    fn target(
        &self,
        base: &str,
        path: &str,
        token: Option<&Secret>,
        mut headers: Vec<(String, String)>,
    ) -> Result<Target, ConfigError> {
        headers.push(("User-Agent".into(), self.identity.user_agent.clone()));
        let (name, base_url) = (self.name.clone(), base.to_owned());
        let endpoint = Endpoint { name, base_url, api_key: token.cloned(), key_header: None, headers };
        Target::new(endpoint, path, KeyHeader::Bearer, &[])
    }

    fn editor_headers(&self) -> Vec<(String, String)> {
        let Identity { editor_version, plugin_version, integration_id, api_version, .. } = &self.identity;
        let headers = [
            ("Editor-Version", editor_version),
            ("Editor-Plugin-Version", plugin_version),
            ("Copilot-Integration-Id", integration_id),
            ("X-GitHub-Api-Version", api_version),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.clone())).into()
    }

    /// A configuration that was found wrong only when it was used.
    pub(crate) fn misfit(&self, error: &ConfigError) -> ProviderError {
        ProviderError::InvalidRequest { provider: self.name.clone(), message: error.to_string() }
    }
}

fn accept(what: &str) -> (String, String) {
    ("Accept".into(), what.into())
}

fn url_or(configured: Option<&str>, default: impl FnOnce() -> String) -> String {
    match configured.map(str::trim).filter(|url| !url.is_empty()) {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_each_github_is() {
        for (domain, login, api) in [
            ("github.com", "https://github.com/login/device/code", "https://api.github.com/copilot"),
            ("acme.ghe.com", "https://acme.ghe.com/login/device/code", "https://api.acme.ghe.com/copilot"),
            (
                "git.acme.example",
                "https://git.acme.example/login/device/code",
                "https://api.git.acme.example/copilot",
            ),
        ] {
            let config = CopilotConfig { domain: Domain::parse(domain).unwrap(), ..CopilotConfig::default() };
            assert_eq!(config.login_target("login/device/code").unwrap().url.as_str(), login);
            assert_eq!(config.api_target("copilot", &Secret::new("ghu_1")).unwrap().url.as_str(), api);
            assert_eq!(config.github_host(), domain);
        }
        let github_url = Some("http://127.0.0.1:4000/".to_owned());
        let config = CopilotConfig { github_url, api_url: Some("  ".into()), ..CopilotConfig::default() };
        assert_eq!(config.login_target("login").unwrap().url.as_str(), "http://127.0.0.1:4000/login");
        assert_eq!(config.api_url(), "https://api.github.com");
    }
}

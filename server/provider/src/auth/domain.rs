//! Where GitHub is.

use std::fmt;

use reqwest::Url;

/// The host name of a GitHub: `github.com`, `TENANT.ghe.com`, or an enterprise's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(String);

/// What the user typed is no host name. It is not repeated: people paste the wrong thing, tokens too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not the host name of a GitHub, such as github.com or TENANT.ghe.com")]
pub struct DomainError;

impl Domain {
    /// Reads what a user types or pastes: with or without a scheme, a path, spaces around.
    ///
    /// # Errors
    /// When there is no host name in it. An IP address is none: the API has a name of its own before it.
    pub fn parse(input: &str) -> Result<Self, DomainError> {
        let input = input.trim();
        let url = if input.contains("://") { input.to_owned() } else { format!("https://{input}") };
        let url = Url::parse(&url).map_err(|_| DomainError)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(DomainError);
        }
        let host = url.domain().unwrap_or_default().trim_end_matches('.');
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if host.split('.').all(is_name) { Ok(Self(host.to_owned())) } else { Err(DomainError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_github_com(&self) -> bool {
        self.0 == "github.com"
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self("github.com".into())
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_as_they_are_typed() {
        for (input, domain) in [
            ("github.com", Some("github.com")),
            ("  GitHub.com \n", Some("github.com")),
            ("https://github.com/login/device?x=1", Some("github.com")),
            ("http://acme.ghe.com/", Some("acme.ghe.com")),
            ("acme.ghe.com/orgs/acme", Some("acme.ghe.com")),
            ("https://me:pw@git.acme.example:8443/a", Some("git.acme.example")),
            ("git.acme.example.", Some("git.acme.example")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("", None),
            ("   ", None),
            ("https://", None),
            ("ftp://github.com", None),
            ("two words.com", None),
            ("10.0.0.1", None),
            ("[::1]", None),
            ("under_score.example", None),
            ("..", None),
        ] {
            let parsed = Domain::parse(input).ok();
            assert_eq!(parsed.as_ref().map(Domain::as_str), domain, "{input}");
        }
    }
}

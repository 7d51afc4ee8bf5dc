//! Where the models are. The answer that says so also carries the token that goes there, so it is believed
//! only within GitHub's own hosts.

use reqwest::Url;

use crate::{CopilotConfig, Domain};

/// The base for this Copilot token, without a slash at its end: as configured, else as the token says, else as
/// the exchange says (`endpoints.api`), else as the domain has it.
pub(super) fn base(config: &CopilotConfig, token: &str, endpoint: Option<&str>) -> String {
    if let Some(configured) = config.base_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
        return configured.trim_end_matches('/').to_owned();
    }
    let told = [of_proxy(token), endpoint.map(str::to_owned)];
    let accepted = told.into_iter().flatten().find_map(|url| {
        let base = accepted(&url, &config.domain);
        if base.is_none() {
            tracing::warn!(domain = %config.domain, "the service named a host that is not GitHub's; not used");
        }
        base
    });
    accepted.unwrap_or_else(|| fallback(&config.domain))
}

fn fallback(domain: &Domain) -> String {
    if domain.is_github_com() {
        "https://api.githubcopilot.com".into()
    } else {
        format!("https://copilot-api.{domain}")
    }
}

/// From the field `proxy-ep` of a token, whose fields are parted by `;`. What follows a `:` is the signature.
fn of_proxy(token: &str) -> Option<String> {
    let proxy = token.split(';').find_map(|field| field.strip_prefix("proxy-ep="))?;
    let host = proxy.strip_prefix("https://").or(proxy.strip_prefix("http://")).unwrap_or(proxy);
    let host = host.split([':', '/']).next().filter(|host| !host.is_empty())?;
    Some(match host.strip_prefix("proxy.") {
        Some(rest) => format!("https://api.{rest}"),
        None => format!("https://{host}"),
    })
}

/// The URL if a Copilot token may go there.
fn accepted(url: &str, domain: &Domain) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    let host = url.domain()?;
    let within =
        |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_githubs = within("githubcopilot.com") || (!domain.is_github_com() && within(domain.as_str()));
    let is_plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    let accepted = url.scheme() == "https" && is_githubs && is_plain;
    accepted.then(|| format!("https://{host}{}", url.path().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(domain: &str, token: &str, endpoint: Option<&str>, expected: &str) {
        let config = CopilotConfig { domain: Domain::parse(domain).unwrap(), ..CopilotConfig::default() };
        assert_eq!(base(&config, token, endpoint), expected, "{domain} {token} {endpoint:?}");
    }

    #[test]
    fn where_the_models_are() {
        let individual = "https://api.individual.githubcopilot.com";
        check(
            "github.com",
            "tid=1;proxy-ep=proxy.individual.githubcopilot.com;st=dotcom:mac",
            None,
            individual,
        );
        check(
            "github.com",
            "tid=1;proxy-ep=https://proxy.individual.githubcopilot.com/;a=b:mac",
            None,
            individual,
        );
        // As the last field it is followed by the signature.
        check("github.com", "tid=1;proxy-ep=proxy.individual.githubcopilot.com:0123abcd", None, individual);
        check(
            "github.com",
            "proxy-ep=proxy.business.githubcopilot.com",
            Some(individual),
            "https://api.business.githubcopilot.com",
        );
        check("github.com", "tid=1;exp=2:mac", Some("https://api.individual.githubcopilot.com/"), individual);
        check("github.com", "opaque", None, "https://api.githubcopilot.com");
        check("github.com", "proxy-ep=:mac", None, "https://api.githubcopilot.com");
        check("acme.ghe.com", "opaque", None, "https://copilot-api.acme.ghe.com");
        check(
            "acme.ghe.com",
            "opaque",
            Some("https://copilot-api.acme.ghe.com"),
            "https://copilot-api.acme.ghe.com",
        );
        check("git.acme.example", "opaque", None, "https://copilot-api.git.acme.example");
    }

    #[test]
    fn a_forged_host_gets_no_token() {
        for endpoint in [
            "https://evil.example",
            "https://evilgithubcopilot.com",
            "https://api.githubcopilot.com.evil.example",
            "https://api.githubcopilot.com@evil.example",
            "https://user@api.githubcopilot.com",
            "https://api.githubcopilot.com:8443",
            "http://api.githubcopilot.com",
            "https://evil.example/githubcopilot.com",
            "https://evil.example#githubcopilot.com",
            "https://acme.ghe.com",
            "https://127.0.0.1",
            "//githubcopilot.com",
            "",
        ] {
            check("github.com", "opaque", Some(endpoint), "https://api.githubcopilot.com");
            let token = format!("tid=1;proxy-ep={endpoint};a=b");
            let config = CopilotConfig::default();
            let used = base(&config, &token, None);
            assert!(
                used.ends_with("githubcopilot.com") && used.starts_with("https://"),
                "{endpoint}: {used}"
            );
            assert!(Url::parse(&used).unwrap().host_str().unwrap().ends_with(".githubcopilot.com"), "{used}");
        }
        check("acme.ghe.com", "opaque", Some("https://evilacme.ghe.com"), "https://copilot-api.acme.ghe.com");
        check("acme.ghe.com", "opaque", Some("https://other.ghe.com"), "https://copilot-api.acme.ghe.com");
    }

    #[test]
    fn what_is_configured_is_used() {
        let base_url = Some("http://127.0.0.1:4000/".into());
        let config = CopilotConfig { base_url, ..CopilotConfig::default() };
        assert_eq!(
            base(&config, "proxy-ep=proxy.individual.githubcopilot.com", None),
            "http://127.0.0.1:4000"
        );
    }
}

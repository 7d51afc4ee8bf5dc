//! GitHub tokens that other programs have left. They are read, never written.

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::Domain;
use crate::Secret;

/// A token that may be good for Copilot.
#[derive(Debug, Clone)]
pub struct FoundToken {
    pub token: Secret,
    /// The host it is for; it goes nowhere else.
    pub domain: Domain,
    /// Where it was found, for the user: `the environment (GH_TOKEN)`, or a file's path.
    pub found_in: String,
    /// Whose it is, where that is known.
    pub user: Option<String>,
    /// Usually a token for something else, which Copilot refuses: to be used only when the user says so.
    pub needs_asking: bool,
}

/// The environment's tokens in the order in which GitHub's own tools look, and whether each is meant for
/// Copilot.
const VARIABLES: [(&str, bool); 3] =
    [("COPILOT_GITHUB_TOKEN", true), ("GH_TOKEN", false), ("GITHUB_TOKEN", false)];

/// Finds tokens, the best of each host first. `env` reads a variable; `files` are those of the editors'
/// plugins ([`find_existing_tokens`] says which), each with its path and text.
///
/// Tokens of the environment belong to github.com unless `GH_HOST` says otherwise.
pub fn existing_tokens(env: impl Fn(&str) -> Option<String>, files: &[(String, String)]) -> Vec<FoundToken> {
    let variable =
        |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let host = variable("GH_HOST").map_or_else(|| Ok(Domain::default()), |host| Domain::parse(&host));
    let in_codespace = variable("CODESPACES").is_some();
    let mut found = Vec::new();
    if let Ok(domain) = host {
        found.extend(VARIABLES.iter().filter_map(|(name, for_copilot)| {
            Some(FoundToken {
                token: Secret::new(variable(name)?),
                domain: domain.clone(),
                found_in: format!("the environment ({name})"),
                user: None,
                needs_asking: !for_copilot && !in_codespace,
            })
        }));
    }
    for (path, text) in files {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(entries)) => {
                found.extend(entries.iter().filter_map(|(key, entry)| in_file(path, key, entry)));
            }
            _ => tracing::debug!(path, "not a file of tokens"),
        }
    }
    // What needs no question comes first; otherwise the order stays.
    found.sort_by_key(|found| found.needs_asking);
    found
}

/// The key is a host name, with the client id after a colon in newer files.
fn in_file(path: &str, key: &str, entry: &Value) -> Option<FoundToken> {
    let text = |field: &str| entry.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty());
    let host = key.split(':').next().unwrap_or_default();
    Some(FoundToken {
        domain: Domain::parse(host).ok()?,
        token: Secret::new(text("oauth_token")?),
        found_in: path.to_owned(),
        user: text("user").map(str::to_owned),
        needs_asking: false,
    })
}

/// [`existing_tokens`] of this process and this user: `github-copilot/apps.json` and `hosts.json` in
/// `$XDG_CONFIG_HOME`, else `~/.config`; on Windows in `%LOCALAPPDATA%`.
///
/// Reads two small files; call it where a file may be read.
pub fn find_existing_tokens() -> Vec<FoundToken> {
    let folder = config_folder().map(|folder| folder.join("github-copilot"));
    let files = folder.iter().flat_map(|folder| ["apps.json", "hosts.json"].map(|name| folder.join(name)));
    let files: Vec<_> = files
        .filter_map(|path| Some((path.display().to_string(), fs::read_to_string(&path).ok()?)))
        .collect();
    existing_tokens(|name| env::var(name).ok(), &files)
}

fn config_folder() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(env: &[(&str, &str)], domain: &str, shown: Expect) {
        let apps = r#"{
            "github.com:Iv1.b507a08c87ecfe98": {"user": "octo", "oauth_token": "ghu_app", "githubAppId": "Iv1"},
            "acme.ghe.com:Iv1.b507a08c87ecfe98": {"user": "worker", "oauth_token": "ghu_work"},
            "github.com:empty": {"user": "octo", "oauth_token": " "},
            "github.com:odd": 7
        }"#;
        let hosts = r#"{"github.com": {"user": "octo", "oauth_token": "gho_host"}}"#;
        let files = [("apps.json", apps), ("hosts.json", hosts), ("broken.json", "{\"github.com\": ")];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let read =
            |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut found = existing_tokens(read, &files);
        found.retain(|found| found.domain.as_str() == domain);
        let line = |found: FoundToken| {
            let user = found.user.map(|user| format!(" of {user}")).unwrap_or_default();
            let asks = if found.needs_asking { ", after asking" } else { "" };
            assert!(!format!("{:?}", found.token).contains("gh"));
            format!("{} {}{user}{asks}\n", found.token.reveal(), found.found_in)
        };
        shown.assert_eq(&found.into_iter().map(line).collect::<String>());
    }

    #[test]
    fn tokens_of_this_host_only_and_the_best_first() {
        check(
            &[],
            "github.com",
            expect![[r#"
            ghu_app apps.json of octo
            gho_host hosts.json of octo
        "#]],
        );
        check(
            &[],
            "acme.ghe.com",
            expect![[r#"
            ghu_work apps.json of worker
        "#]],
        );
        check(&[], "other.example", expect![""]);
        let env = [("GITHUB_TOKEN", "ghp_1"), ("GH_TOKEN", " "), ("COPILOT_GITHUB_TOKEN", " gho_2\n")];
        check(
            &env,
            "github.com",
            expect![[r#"
            gho_2 the environment (COPILOT_GITHUB_TOKEN)
            ghu_app apps.json of octo
            gho_host hosts.json of octo
            ghp_1 the environment (GITHUB_TOKEN), after asking
        "#]],
        );
        check(
            &env,
            "acme.ghe.com",
            expect![[r#"
            ghu_work apps.json of worker
        "#]],
        );
        check(
            &[("GH_HOST", "acme.ghe.com"), ("GH_TOKEN", "gho_3")],
            "acme.ghe.com",
            expect![[r#"
            ghu_work apps.json of worker
            gho_3 the environment (GH_TOKEN), after asking
        "#]],
        );
        check(
            &[("CODESPACES", "true"), ("GITHUB_TOKEN", "ghu_4")],
            "github.com",
            expect![[r#"
            ghu_4 the environment (GITHUB_TOKEN)
            ghu_app apps.json of octo
            gho_host hosts.json of octo
        "#]],
        );
    }
}

//! Files that are not like others: those that run programs by themselves, those that hold credentials, and
//! Opal's own.
//!
//! The only list of them, for every mode and every grant. It is pure: paths come resolved and only their names
//! are compared. A root's own path does not count, so that work on an editor's configuration is work like
//! any other.
//!
//! Listed is what a program reads by itself when a directory is opened or entered, a repository used, or a
//! shell started. Build files, such as a Makefile or package.json, are not listed: agents change them every day,
//! and they run when somebody builds.

mod name;

use std::path::Component;

use text::AbsPath;

use name::Name;

/// Directories that the rules know, symlinks resolved.
#[derive(Debug, Clone, Default)]
pub struct Places {
    pub home: Option<AbsPath>,
    /// Opal's data directory.
    pub data_dir: Option<AbsPath>,
    /// The long outputs of this session. They are in the data directory, and free to read.
    pub outputs: Option<AbsPath>,
}

/// The way in which a file is not like others, and the line of the table that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The credentials that Opal keeps.
    OwnCredentials,
    /// The rest of Opal's data directory.
    Own,
    Credentials(&'static Line),
    Programs(&'static Line),
}

/// Names of files, and the reason why they are listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) reason: &'static str,
    /// With `/` at the end a directory with all that is in it, else a file. One `*` in a name stands for
    /// any characters.
    names: &'static [&'static str],
}

const fn line(reason: &'static str, names: &'static [&'static str]) -> Line {
    Line { reason, names }
}

/// Reading and changing these asks.
const CREDENTIALS: &[Line] = &[
    line("SSH keeps keys and the commands of its configuration there", &[".ssh/"]),
    line("it is named like a private key", &["id_rsa", "id_dsa", "id_ecdsa*", "id_ed25519*", "*.ppk"]),
    line("it may hold a private key", &["*.pem", "*.key", "*.p12", "*.pfx"]),
    line("GnuPG keeps keys there", &[".gnupg/"]),
    line("it holds passwords for the network", &[".netrc", "_netrc", ".git-credentials", ".pgpass"]),
    line("package managers keep tokens there", &[".npmrc", ".pypirc", ".gem/credentials"]),
    line("Cargo keeps tokens there", &[".cargo/credentials", ".cargo/credentials.toml"]),
    line("a cloud's tools keep credentials there", &[".aws/", ".azure/", ".config/gcloud/", ".kube/"]),
    line("Docker keeps passwords there", &[".docker/config.json"]),
    line("GitHub's tools keep tokens there", &[".config/gh/hosts.yml", ".config/github-copilot/"]),
    line("another agent keeps its credentials there", &[".codex/auth.json", ".claude/.credentials.json"]),
    line("applications keep secrets there", &[".env", ".env.local", ".env.*.local"]),
];

/// Changing these asks. Reading them is as free as that of other files.
const PROGRAMS: &[Line] = &[
    // Git: https://git-scm.com/docs/githooks, and https://git-scm.com/docs/git-config for core.fsmonitor,
    // core.sshCommand and the like. Any directory with HEAD, objects and refs is a repository to it.
    line("git runs hooks and configured commands from it", &[".git/", "*.git/", ".gitconfig"]),
    line("it makes its directory a git repository, which can run programs", &["HEAD"]),
    line("a git repository without a working tree keeps commands there", &["config", "config.worktree"]),
    line("git runs hooks of this name", &["hooks/pre-*", "hooks/post-*", "hooks/*-msg", "hooks/update"]),
    line(
        "git runs hooks of this name",
        &["hooks/proc-receive", "hooks/push-to-checkout", "hooks/fsmonitor*"],
    ),
    line(
        "git runs hooks of this name",
        &["hooks/reference-transaction", "hooks/sendemail-validate", "hooks/p4-*"],
    ),
    line("it names commands that run with a commit", &[".husky/", ".githooks/", ".pre-commit-config.yaml"]),
    line("it names commands that run with a commit", &["lefthook.*", ".lefthook.*"]),
    line("version control runs hooks and configured commands from it", &[".hg/", ".jj/"]),
    // Editors, when the directory is opened.
    line("VS Code runs programs that are named there", &[".vscode/", "*.code-workspace"]),
    line(
        "editors run programs that are named there",
        &[".idea/", ".zed/", ".helix/", ".vs/", "*.sublime-project"],
    ),
    line(
        "containers for development run commands from it",
        &[".devcontainer/", ".devcontainer.json", ".gitpod.yml"],
    ),
    line("Vim and Neovim run it", &[".nvim.lua", ".nvimrc", ".exrc", ".vimrc", "_vimrc", ".lazy.lua"]),
    line("Emacs runs it", &[".dir-locals.el", ".dir-locals-2.el", ".emacs", ".emacs.d/"]),
    line("R runs it", &[".Rprofile"]),
    // Shells, when they are started or enter the directory.
    line("it runs in the shell that enters the directory", &[".envrc", ".direnv/"]),
    line("it runs in the shell that enters the directory", &["mise*.toml", ".mise*.toml", ".mise/"]),
    line(
        "a shell runs it",
        &[".bashrc", ".bash_*", ".profile", ".zsh*", ".zprofile", ".zlog*", "*profile.ps1"],
    ),
    line("it is run when a session starts", &[".xprofile", ".xinitrc", ".xsession", "Library/LaunchAgents/"]),
    line("programs keep settings and what they start there", &[".config/", ".local/", "AppData/"]),
    // Agents start servers of tools by themselves.
    line("agents start programs that are named there", &[".mcp.json", ".claude/", ".claude.json", ".codex/"]),
    line(
        "agents start programs that are named there",
        &[".cursor/", ".gemini/", ".kiro/", ".opal/", ".windsurf/"],
    ),
    // https://doc.rust-lang.org/cargo/reference/config.html#buildrustc-wrapper: language servers run Cargo.
    line("build tools run programs that are named there", &[".cargo/", ".mvn/", ".yarnrc", ".yarnrc.yml"]),
];

impl Places {
    /// Returns the way in which the file is not like others.
    pub(super) fn of(&self, roots: &[AbsPath], path: &AbsPath) -> Option<Place> {
        if let Some(own) = self.own(path) {
            return Some(own);
        }
        let names = names_below_root(roots, path);
        let listed = |lines: &'static [Line]| lines.iter().find(|line| line.has(&names));
        listed(CREDENTIALS).map(Place::Credentials).or_else(|| listed(PROGRAMS).map(Place::Programs))
    }

    /// Returns true for what Opal has kept for the session's model to read.
    pub(super) fn is_output(&self, path: &AbsPath) -> bool {
        self.outputs.as_ref().is_some_and(|outputs| path.starts_with(outputs))
    }

    /// Returns true for the user's home directory and every directory that it is in.
    pub fn is_home_or_above(&self, directory: &AbsPath) -> bool {
        directory.parent().is_none() || self.home.as_ref().is_some_and(|home| home.starts_with(directory))
    }

    fn own(&self, path: &AbsPath) -> Option<Place> {
        let data_dir = names(self.data_dir.as_ref()?);
        let names = names(path);
        let below = names.strip_prefix(data_dir.as_slice())?;
        match below {
            _ if self.is_output(path) => None,
            [file] if file.is("auth.json") || file.is(".auth-*") => Some(Place::OwnCredentials),
            _ => Some(Place::Own),
        }
    }
}

impl Place {
    /// Returns true if reading is not as free as that of other files.
    pub(super) fn guards_reads(self) -> bool {
        !matches!(self, Self::Programs(_))
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::OwnCredentials => "Opal's own credentials are never read or changed",
            Self::Own => "Opal keeps its settings and sessions there",
            Self::Credentials(line) | Self::Programs(line) => line.reason,
        }
    }
}

impl Line {
    fn has(&self, path: &[Name]) -> bool {
        self.names.iter().any(|pattern| {
            let is_directory = pattern.ends_with('/');
            let parts: Vec<&str> = pattern.trim_end_matches('/').split('/').collect();
            let is_here = |(idx, names): (usize, &[Name])| {
                (is_directory || idx + parts.len() == path.len())
                    && names.iter().zip(&parts).all(|(name, part)| name.is(part))
            };
            path.windows(parts.len()).enumerate().any(is_here)
        })
    }
}

/// The names of a path below the innermost root that it is in; all of them if it is in none.
fn names_below_root(roots: &[AbsPath], path: &AbsPath) -> Vec<Name> {
    let mut all = names(path);
    let around = roots.iter().filter(|root| path.starts_with(root));
    let n_above = around.map(|root| names(root).len()).max().unwrap_or_default();
    all.drain(..n_above.min(all.len()));
    all
}

fn names(path: &AbsPath) -> Vec<Name> {
    let components = path.as_path().components();
    let names = components.filter_map(|component| match component {
        Component::Normal(name) => Some(Name::new(&name.to_string_lossy())),
        _ => None,
    });
    names.collect()
}

//! Putting the house together.

use std::future::IntoFuture;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use opal::{Limits, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{House, Opal, Server, put};
use crate::background;
use crate::editor::{Confirm, Editor, Habits, Options, Profile};
use crate::frame::Framing;
use crate::github::GitHub;
use crate::model::{FakeModel, Family};
use crate::process::{Process, binary, make_private};

/// A code that lives for 900 of them is not outlived by its story, and one of 5 is polled for every 30 ms.
const CODE_SECOND: Duration = Duration::from_millis(5);

/// A house as a story wants it; awaiting it builds it.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct Start {
    base_url: Option<String>,
    family: Family,
    /// More providers, each with the entry of its model.
    others: Vec<(String, FakeModel, String)>,
    /// More of the entry of the model.
    model: String,
    files: Vec<(String, Vec<u8>)>,
    open: Vec<String>,
    options: Options,
    session: Value,
    settings: String,
    limits: Limits,
    confirm: Confirm,
    in_process: bool,
    environment: Vec<(String, String)>,
    say_nothing: bool,
    no_session: bool,
    window: u64,
    /// Nothing is configured but what `settings` says.
    is_bare: bool,
    /// Files in the data directory.
    data: Vec<(String, String)>,
}

impl Start {
    pub(super) fn new(base_url: Option<String>, family: Family) -> Self {
        Self {
            base_url,
            family,
            others: Vec::new(),
            model: String::new(),
            files: Vec::new(),
            open: Vec::new(),
            options: Options::default(),
            session: json!({}),
            settings: String::new(),
            limits: Limits::default(),
            confirm: Confirm::Hold,
            in_process: false,
            environment: Vec::new(),
            say_nothing: false,
            no_session: false,
            window: 200_000,
            is_bare: false,
            data: Vec::new(),
        }
    }

    /// A server that has no provider but Copilot; nobody is signed in, and no session is started.
    pub(super) fn with_github(github: &GitHub) -> Self {
        let start = Self { is_bare: true, ..Self::new(None, Family::Responses) };
        start
            .settings(&github.config())
            .limits(|limits| limits.provider.code_second = CODE_SECOND)
            .no_session()
    }

    /// Sign-ins are kept in a keyring: one in this process, which is nobody's.
    pub fn keyring(mut self) -> Self {
        static KEYRING: std::sync::Once = std::sync::Once::new();
        KEYRING.call_once(|| keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap()));
        self.settings.insert_str(0, "credentials = \"keyring\"\n");
        self
    }

    /// Somebody is signed in, and a session with this model is started.
    pub fn signed_in(self, github: &GitHub, model: &str) -> Self {
        let start = Self { no_session: false, ..self };
        start.data("auth.json", &github.auth_json()).session("model", format!("copilot/{model}"))
    }

    /// A file in Opal's data directory.
    pub fn data(mut self, name: &str, content: &str) -> Self {
        self.data.push((name.into(), content.into()));
        self
    }

    /// Says hello and starts no session.
    pub fn no_session(mut self) -> Self {
        self.no_session = true;
        self
    }

    /// A file of the workspace.
    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.into(), content.as_ref().to_vec()));
        self
    }

    /// Opens a file in the editor.
    pub fn open(mut self, name: &str) -> Self {
        self.open.push(name.into());
        self
    }

    pub fn profile(mut self, profile: Profile) -> Self {
        self.options.profile = profile;
        self
    }

    pub fn framing(mut self, framing: Framing) -> Self {
        self.options.framing = framing;
        self
    }

    /// Offers to find out these.
    pub fn offers(mut self, tools: &[&'static str]) -> Self {
        self.options.tools = tools.to_vec();
        self
    }

    /// Offers these position encodings.
    pub fn encodings(mut self, encodings: &[&'static str]) -> Self {
        self.options.encodings = Some(encodings.to_vec());
        self
    }

    /// The editor sends whole texts.
    pub fn full_sync(mut self) -> Self {
        self.options.full_sync = true;
        self
    }

    /// What the editor does with files.
    pub fn habits(mut self, habits: Habits) -> Self {
        self.options.habits = habits;
        self
    }

    /// The editor does not escape its URIs.
    pub fn raw_uris(mut self) -> Self {
        self.options.raw_uris = true;
        self
    }

    /// The session's permission mode.
    pub fn mode(self, mode: &str) -> Self {
        self.session("permission_mode", mode)
    }

    /// One more field of `session/start`.
    pub fn session(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.session[field] = value.into();
        self
    }

    /// The user says this to every question.
    pub fn confirm(mut self, confirm: Confirm) -> Self {
        self.confirm = confirm;
        self
    }

    /// More of `config.toml`; stands before the provider.
    pub fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self
    }

    /// More of what `config.toml` says of the model, as in `images = false`; in memory only.
    pub fn model(mut self, toml: &str) -> Self {
        self.model = format!(", {toml}");
        self
    }

    /// Another provider of this name, whose model is `fake-model` as well; in memory only. `toml`: more of
    /// what is said of the model.
    pub fn provider(mut self, name: &str, model: &FakeModel, toml: &str) -> Self {
        self.others.push((name.into(), model.clone(), toml.into()));
        self
    }

    /// Another place for the model's service than the fake model.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Changes how long the server waits for things; in memory only.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Runs the real binary instead of a server in memory.
    pub fn process(mut self) -> Self {
        self.in_process = true;
        self
    }

    /// A variable in the environment of the binary.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The model's context window in tokens; in memory only.
    pub fn window(mut self, tokens: u64) -> Self {
        self.window = tokens;
        self
    }

    /// Only connects: no `initialize`, no session.
    pub fn silent(mut self) -> Self {
        self.say_nothing = true;
        self
    }

    async fn build(self) -> Opal {
        // macOS has its temporary directory behind a symlink; names in transcripts are the resolved ones.
        let temp = std::env::temp_dir().canonicalize().unwrap();
        let root = TempDir::with_prefix_in("opal-story-", temp).unwrap();
        let directory = root.path().join("workspace");
        std::fs::create_dir(&directory).unwrap();
        for (name, content) in &self.files {
            put(&directory.join(name), content);
        }
        let options = Options { directory: directory.clone(), ..self.options.clone() };
        let (editor, server) = match self.in_process {
            true => self.start_process(&root, options).await,
            false => self.start_in_memory(&root, options),
        };
        editor.always_confirm(self.confirm.clone());
        let mut session = String::new();
        if !self.say_nothing {
            editor.initialize().await;
            for name in &self.open {
                editor.open(name);
            }
        }
        if !self.say_nothing && !self.no_session {
            let mut params = self.session.clone();
            params["working_dir"] = json!(directory);
            match editor.request("session/start", params).await {
                Ok(started) => session = started["session_id"].as_str().unwrap().to_owned(),
                Err(error) => panic!("the session cannot be started: {error}\n{editor}"),
            }
        }
        let house = House { editors: vec![editor.clone()], root, server };
        Opal { editor, session, house: Some(house) }
    }

    fn start_in_memory(&self, root: &TempDir, options: Options) -> (Editor, Server) {
        self.put_data(&root.path().join("data"));
        let url = self.base_url.as_deref().unwrap_or("http://127.0.0.1:9/v1");
        let (window, model) = (self.window, &self.model);
        let provider = |name: &str, family: Family, url: &str, model: &str| {
            format!(
                "[providers.{name}]\napi = \"{}\"\nbase_url = \"{url}\"\n\
                 models = [{{ id = \"fake-model\", context_window = {window}{model} }}]\n",
                family.api(),
            )
        };
        let mut toml = format!("model = \"fake/fake-model\"\n{}\n", self.settings);
        toml.push_str(&provider("fake", self.family, url, model));
        if self.is_bare {
            toml.clone_from(&self.settings);
        }
        for (name, other, model) in &self.others {
            let model = if model.is_empty() { String::new() } else { format!(", {model}") };
            toml.push_str(&provider(name, other.family(), &other.url(), &model));
        }
        let mut settings = Settings::from_toml(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
        settings.data_dir = root.path().join("data");
        opal::platform::launch_commands_with(binary().to_owned());
        let server = opal::Server::new(settings, self.limits.clone());
        let (editor, connection) = connect(&server, options);
        (editor, Server::Memory { server, connections: vec![connection] })
    }

    fn put_data(&self, directory: &Path) {
        for (name, content) in &self.data {
            put(&directory.join(name), content.as_bytes());
        }
    }

    async fn start_process(&self, root: &TempDir, options: Options) -> (Editor, Server) {
        let private = root.path().join("private");
        std::fs::create_dir(&private).unwrap();
        make_private(&private);
        let mut environment = self.environment.clone();
        if let Some(url) = &self.base_url {
            environment.push(("OPAL_BASE_URL".into(), url.clone()));
            environment.push(("OPAL_API".into(), self.family.api().into()));
        }
        if self.is_bare {
            // What the environment of the tests has does not count.
            let empty = FOREIGN_VARIABLES.map(|name| (name.to_owned(), String::new()));
            environment.splice(0..0, empty);
            self.put_data(&private.join("data"));
            put(&private.join("data/config.toml"), self.settings.as_bytes());
        } else {
            environment.push(("OPAL_MODEL".into(), "fake-model".into()));
        }
        let started = Process::start(&["lsp", "--stdio"], &options.directory, &private, environment).await;
        let (process, stdin, stdout) = started;
        (Editor::connect(stdout, stdin, options), Server::Process(Box::new(process)))
    }
}

/// What other programs know of tokens, and where.
const FOREIGN_VARIABLES: [&str; 8] = [
    "COPILOT_GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "XDG_CONFIG_HOME",
    "CODESPACES",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
];

/// Connects an editor to a server in memory.
pub(super) fn connect(server: &opal::Server, options: Options) -> (Editor, JoinHandle<()>) {
    // About what a pipe holds.
    const PIPE: usize = 64 * 1024;
    let (to_server, from_editor) = tokio::io::duplex(PIPE);
    let (to_editor, from_server) = tokio::io::duplex(PIPE);
    let server = server.clone();
    let connection = background::spawn(async move {
        // How a connection ends is what the editor sees of it.
        let _ = server.serve(from_editor, to_editor).await;
    });
    (Editor::connect(from_server, to_server, options), connection)
}

impl IntoFuture for Start {
    type Output = Opal;
    type IntoFuture = Pin<Box<dyn Future<Output = Opal> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.build())
    }
}

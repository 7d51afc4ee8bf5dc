//! The tools, one in a file, and the box a session takes them from.

mod ask_user;
mod change;
mod definition;
mod diagnostics;
mod edit;
mod place;
mod process;
mod quote;
mod read;
mod references;
mod rename;
mod shell;
mod symbols;
mod write;

use std::sync::Arc;

use provider::{ToolSpec, UNNAMED};
use serde_json::Value;

use crate::client_tools::ClientTool;
use crate::process::Shell;
use crate::tool::Tool;

/// The model may call `shell` by this name whatever it is shown under.
const SHELL: &str = "shell";

/// Characters of a tool's name. Services take no more:
/// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools>.
const MAX_NAME: usize = 64;

/// The tools of a session. They stay the same, so that requests keep their beginning; only what a client
/// offers for the first time is added at the end.
#[derive(Debug, Clone)]
pub struct Toolbox {
    tools: Vec<Arc<dyn Tool>>,
    /// Those that no client has offered yet.
    unoffered: Vec<(ClientTool, Arc<dyn Tool>)>,
    specs: Arc<[ToolSpec]>,
    shell: String,
}

/// A tool was asked for that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no tool `{name}`; there are {known}")]
pub struct UnknownTool {
    pub name: String,
    pub known: String,
}

impl Toolbox {
    /// All tools, or those of the given names.
    pub fn new(shell: &Shell, only: Option<&[String]>) -> Result<Self, UnknownTool> {
        let tools: Vec<Arc<dyn Tool>> = vec![
            Arc::new(read::Read),
            Arc::new(edit::Edit),
            Arc::new(write::Write),
            Arc::new(shell::ShellTool::new(shell.name())),
            Arc::new(process::Process),
            Arc::new(ask_user::AskUser),
        ];
        let unoffered: Vec<_> = ClientTool::ALL.into_iter().map(|tool| (tool, client_tool(tool))).collect();
        let mut toolbox = Self { specs: specs(&tools), tools, unoffered, shell: shell.name().to_owned() };
        if let Some(only) = only {
            let all: Vec<String> = toolbox.all().map(|tool| tool.spec().name).collect();
            if let Some(name) = only.iter().find(|name| *name != SHELL && !all.contains(name)) {
                return Err(UnknownTool { name: name.clone(), known: all.join(", ") });
            }
            let wanted = |tool: &Arc<dyn Tool>| {
                let name = tool.spec().name;
                only.iter().any(|only| *only == name || (only == SHELL && name == shell.name()))
            };
            toolbox.tools.retain(wanted);
            toolbox.unoffered.retain(|(_, tool)| wanted(tool));
            toolbox.specs = specs(&toolbox.tools);
        }
        Ok(toolbox)
    }

    /// With what clients offer now. What was offered once stays, whoever goes: a call then says that nobody
    /// can be asked, which is cheaper than another beginning of every request.
    pub(crate) fn offer(toolbox: &mut Arc<Self>, offered: &[ClientTool]) {
        if !toolbox.unoffered.iter().any(|(tool, _)| offered.contains(tool)) {
            return;
        }
        let toolbox = Arc::make_mut(toolbox);
        let added = toolbox.unoffered.extract_if(.., |(tool, _)| offered.contains(tool));
        toolbox.tools.extend(added.map(|(_, tool)| tool));
        toolbox.specs = specs(&toolbox.tools);
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter().chain(self.unoffered.iter().map(|(_, tool)| tool))
    }

    pub(crate) fn specs(&self) -> Arc<[ToolSpec]> {
        self.specs.clone()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&dyn Tool> {
        Some(self.tools[self.position(name)?].as_ref())
    }

    /// The JSON Schema of a tool's arguments.
    pub(crate) fn parameters(&self, name: &str) -> Option<&Value> {
        Some(&self.specs[self.position(name)?].parameters)
    }

    fn position(&self, name: &str) -> Option<usize> {
        let name = if name == SHELL { &self.shell } else { name };
        self.specs.iter().position(|spec| spec.name == name)
    }

    /// What to tell a model that called something else, by any name.
    pub(crate) fn unknown(&self, name: &str) -> String {
        match name {
            UNNAMED => format!("not run: the call names no tool; there are {}", self.names()),
            name => UnknownTool { name: text::cut(name, MAX_NAME), known: self.names() }.to_string(),
        }
    }

    fn names(&self) -> String {
        self.specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn client_tool(tool: ClientTool) -> Arc<dyn Tool> {
    match tool {
        ClientTool::Diagnostics => Arc::new(diagnostics::Diagnostics),
        ClientTool::References => Arc::new(references::References),
        ClientTool::Definition => Arc::new(definition::Definition),
        ClientTool::Symbols => Arc::new(symbols::Symbols),
        ClientTool::Rename => Arc::new(rename::Rename),
    }
}

fn specs(tools: &[Arc<dyn Tool>]) -> Arc<[ToolSpec]> {
    tools.iter().map(|tool| tool.spec()).collect()
}

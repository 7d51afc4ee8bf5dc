//! The tools, one in a file, and the box a session takes them from.

mod ask_user;
mod change;
mod edit;
mod process;
mod read;
mod shell;
mod write;

use std::sync::Arc;

use provider::ToolSpec;

use crate::process::Shell;
use crate::tool::Tool;
pub(crate) use read::image_type;

/// The model may call `shell` by this name whatever it is shown under.
const SHELL: &str = "shell";

/// The tools of a session. Fixed for its life, so that requests keep their beginning.
#[derive(Debug)]
pub struct Toolbox {
    tools: Vec<Box<dyn Tool>>,
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
        let tools: Vec<Box<dyn Tool>> = vec![
            Box::new(read::Read),
            Box::new(edit::Edit),
            Box::new(write::Write),
            Box::new(shell::ShellTool::new(shell.name())),
            Box::new(process::Process),
            Box::new(ask_user::AskUser),
        ];
        let mut toolbox = Self { specs: specs(&tools), tools, shell: shell.name().to_owned() };
        if let Some(only) = only {
            if let Some(name) = only.iter().find(|name| toolbox.find(name).is_none()) {
                return Err(UnknownTool { name: name.clone(), known: toolbox.names() });
            }
            let wanted =
                |name: &str| only.iter().any(|only| only == name || (only == SHELL && name == shell.name()));
            toolbox.tools.retain(|tool| wanted(&tool.spec().name));
            toolbox.specs = specs(&toolbox.tools);
        }
        Ok(toolbox)
    }

    pub(crate) fn specs(&self) -> Arc<[ToolSpec]> {
        self.specs.clone()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&dyn Tool> {
        let name = if name == SHELL { &self.shell } else { name };
        let at = self.specs.iter().position(|spec| spec.name == name)?;
        Some(self.tools[at].as_ref())
    }

    /// What to tell a model that called something else.
    pub(crate) fn unknown(&self, name: &str) -> String {
        UnknownTool { name: name.into(), known: self.names() }.to_string()
    }

    fn names(&self) -> String {
        self.specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn specs(tools: &[Box<dyn Tool>]) -> Arc<[ToolSpec]> {
    tools.iter().map(|tool| tool.spec()).collect()
}

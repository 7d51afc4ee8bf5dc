//! How real clients differ: what they say in `initialize`, and what they do with an edit.

use serde_json::{Value, json};

use super::edits::{Apply, Stale};

/// One kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Knows Opal, does everything, and does it well.
    #[default]
    Opal,
    /// VS Code with the extension: UTF-16 only, refuses a stale edit.
    VsCode,
    /// Neovim with the plugin: says that a stale edit was applied.
    Neovim,
    /// Helix without a plugin: asks by `window/showMessageRequest`.
    Helix,
    /// Emacs without a plugin: cannot create files by an edit.
    Emacs,
    /// Kate without a plugin: cannot be asked, and says nothing of workspace edits.
    Kate,
    /// The least that LSP allows.
    Plain,
}

impl Profile {
    /// Whether it tells the server that it knows Opal.
    pub fn knows_opal(self) -> bool {
        matches!(self, Self::Opal | Self::VsCode | Self::Neovim)
    }

    /// What it calls itself. The real name where the server knows the editor by it.
    pub fn client_name(self) -> String {
        match self {
            Self::Helix => "helix".into(),
            Self::Emacs => "Eglot".into(),
            _ => format!("fake {self:?}"),
        }
    }

    /// Whether lines end at LF alone.
    pub fn has_lf_lines(self) -> bool {
        matches!(self, Self::Neovim | Self::Helix | Self::Emacs)
    }

    /// Whether `window/showMessageRequest` is answered.
    pub fn shows_message_requests(self) -> bool {
        !matches!(self, Self::Kate)
    }

    pub fn creates_files(self) -> bool {
        matches!(self, Self::Opal | Self::VsCode | Self::Neovim | Self::Helix)
    }

    /// What it does with an edit, unless a story says otherwise.
    pub fn apply(self) -> Apply {
        let stale = match self {
            Self::Neovim => Stale::Pretend,
            _ => Stale::Refuse,
        };
        Apply { stale, ..Apply::default() }
    }

    /// Position encodings in the order it offers them; empty: it offers none, which means UTF-16.
    pub fn encodings(self) -> &'static [&'static str] {
        match self {
            Self::Opal | Self::Neovim => &["utf-8", "utf-16", "utf-32"],
            Self::VsCode => &["utf-16"],
            Self::Helix => &["utf-8", "utf-32", "utf-16"],
            Self::Emacs => &["utf-32", "utf-8", "utf-16"],
            Self::Kate | Self::Plain => &[],
        }
    }

    /// The `capabilities` of its `initialize`.
    pub fn capabilities(self, encodings: &[&str], tools: &[&str]) -> Value {
        let mut capabilities = json!({
            "textDocument": { "synchronization": { "didSave": true, "dynamicRegistration": false } },
        });
        if !encodings.is_empty() {
            capabilities["general"] = json!({ "positionEncodings": encodings });
        }
        if !matches!(self, Self::Kate) {
            capabilities["workspace"] = json!({ "applyEdit": true, "workspaceFolders": true });
        }
        if !matches!(self, Self::Kate | Self::Plain | Self::Neovim) {
            capabilities["workspace"]["workspaceEdit"] = json!({ "documentChanges": true });
        }
        if self.creates_files() {
            capabilities["workspace"]["workspaceEdit"]["resourceOperations"] =
                json!(["create", "rename", "delete"]);
        }
        if self.shows_message_requests() && self != Self::Plain {
            let additional = json!({ "additionalPropertiesSupport": false });
            capabilities["window"] = json!({
                "showMessage": { "messageActionItem": additional },
                "showDocument": { "support": true },
                "workDoneProgress": true,
            });
        }
        if self.knows_opal() {
            let mut opal = json!({ "version": 1, "confirm": true, "input": true, "save_documents": true, "tools": tools });
            if self.has_lf_lines() {
                opal["line_ends"] = json!("lf");
            }
            capabilities["experimental"] = json!({ "opal": opal });
        }
        capabilities
    }
}

//! What a user can tell an editor to do: one list for every client.

/// A command: a row of the palette, and a word after `:Opal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// The word after `:Opal`.
    pub name: &'static str,
    /// What VS Code calls it.
    pub id: &'static str,
    /// As a palette shows it; `…` if something is asked for first.
    pub title: &'static str,
    pub argument: Argument,
    /// What it does: one sentence.
    pub help: &'static str,
}

/// What may follow a command's name. Without it the user is asked, or chooses from a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    None,
    Text,
    Session,
    Model,
    ThinkingLevel,
    PermissionMode,
}

impl Argument {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Argument::None => "none",
            Argument::Text => "text",
            Argument::Session => "session",
            Argument::Model => "model",
            Argument::ThinkingLevel => "thinking_level",
            Argument::PermissionMode => "permission_mode",
        }
    }

    pub(crate) const ALL: [Argument; 6] = [
        Argument::None,
        Argument::Text,
        Argument::Session,
        Argument::Model,
        Argument::ThinkingLevel,
        Argument::PermissionMode,
    ];
}

macro_rules! commands {
    ($( $name:literal $id:literal $title:literal ($argument:ident) $help:literal; )*) => {
        /// Every command, in the order in which a reader meets them.
        pub const COMMANDS: &[Command] = &[
            $( Command {
                name: $name,
                id: $id,
                title: $title,
                argument: Argument::$argument,
                help: $help,
            }, )*
        ];
    };
}

commands! {
    "prompt" "opal.prompt" "Prompt…" (Text)
        "Says what is to be done.";
    "prompt_selection" "opal.promptAboutSelection" "Prompt About Selection…" (Text)
        "Says what is to be done with what is selected.";
    "steer" "opal.steer" "Steer the Running Turn…" (Text)
        "Says something to the running turn, at its next safe point.";
    "follow_up" "opal.followUp" "Queue a Follow-Up…" (Text)
        "Says what is to be done when the running turn has ended.";
    "abort" "opal.abort" "Abort" (None)
        "Stops what runs and hands back what was queued.";
    "answer" "opal.answer" "Answer the Open Question…" (None)
        "Shows the oldest question that waits for an answer.";
    "new" "opal.newSession" "New Session" (None)
        "Starts a new session.";
    "resume" "opal.resumeSession" "Resume Session…" (Session)
        "Goes on with a stored session.";
    "branch" "opal.branch" "Branch From Here…" (None)
        "Goes back in the conversation, and on from there.";
    "compact" "opal.compact" "Compact Conversation" (None)
        "Lets a summary stand for what is older, as the model sees it.";
    "undo" "opal.undo" "Undo Last Turn" (None)
        "Takes back what the last turn changed in files.";
    "undo_file" "opal.undoFile" "Undo Opal's Changes of This File" (None)
        "Takes back everything that the session changed in this file.";
    "undo_hunk" "opal.undoHunk" "Undo This Change" (None)
        "Takes back the change under the cursor.";
    "redo" "opal.redo" "Redo" (None)
        "Brings again what was taken back last.";
    "review" "opal.review" "Review Changes" (None)
        "Shows what the session changed in files.";
    "model" "opal.selectModel" "Select Model…" (Model)
        "Chooses the model that answers from the next turn on.";
    "thinking" "opal.selectThinking" "Select Thinking Level…" (ThinkingLevel)
        "Chooses how long the model thinks.";
    "permissions" "opal.selectPermissions" "Select Permission Mode…" (PermissionMode)
        "Chooses how much runs unasked.";
    "sign_in" "opal.signIn" "Sign In…" (None)
        "Signs in to GitHub Copilot.";
    "sign_out" "opal.signOut" "Sign Out" (None)
        "Signs out and removes what was kept for it.";
    "open" "opal.focus" "Focus on the Prompt" (None)
        "Shows the conversation and goes there.";
    "state" "opal.showState" "Show State" (None)
        "Says what the session does, with which model, and how full its context is.";
    "log" "opal.showLog" "Show Log" (None)
        "Shows the server's log.";
    "restart" "opal.restart" "Restart Server" (None)
        "Ends the server and starts it again; the session goes on.";
}

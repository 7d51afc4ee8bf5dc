//! The list of methods. Everything that must agree on them is made from, or checked against, this table.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::*;

/// A method that is answered.
pub trait Request {
    const METHOD: &'static str;
    type Params: Serialize + DeserializeOwned + Send;
    type Result: Serialize + DeserializeOwned + Send;
}

/// A method that is not answered.
pub trait Notification {
    const METHOD: &'static str;
    type Params: Serialize + DeserializeOwned + Send;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ClientToServer,
    ServerToClient,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct MethodInfo {
    pub name: &'static str,
    pub direction: Direction,
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// `None`: a notification.
    pub result: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// What it must not overtake.
    pub after: &'static str,
    /// What it does: one sentence.
    pub summary: &'static str,
}

/// The names of what a client may call, in the order of [`METHODS`]: what a server has to register.
pub fn client_to_server_methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().filter(|info| info.direction == Direction::ClientToServer).map(|info| info.name)
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

macro_rules! methods {
    ($( $direction:ident $name:literal $type:ident ($params:ty) $(-> $result:ty)?; after $after:literal; $summary:literal; )*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $summary)]
            #[derive(Debug, Clone, Copy)]
            pub struct $type;
            methods!(@impl $type $name ($params) $(-> $result)?);
        )*

        /// Every method of Opal's own, in the order in which a reader meets them.
        pub const METHODS: &[MethodInfo] = &[
            $( MethodInfo {
                name: $name,
                direction: Direction::$direction,
                params: schema_of::<$params>,
                result: methods!(@result $($result)?),
                after: $after,
                summary: $summary,
            }, )*
        ];
    };
    (@impl $type:ident $name:literal ($params:ty) -> $result:ty) => {
        impl Request for $type {
            const METHOD: &'static str = $name;
            type Params = $params;
            type Result = $result;
        }
    };
    (@impl $type:ident $name:literal ($params:ty)) => {
        impl Notification for $type {
            const METHOD: &'static str = $name;
            type Params = $params;
        }
    };
    (@result $result:ty) => { Some(schema_of::<$result>) };
    (@result) => { None };
}

methods! {
    ClientToServer "session/start" SessionStart (SessionStartParams) -> SessionStartResult;
        after "`initialize`";
        "Starts a session in a directory and attaches this client to it.";
    ClientToServer "session/resume" SessionResume (SessionResumeParams) -> SessionStartResult;
        after "`initialize`";
        "Attaches this client to a session, which goes on where it stood.";
    ClientToServer "session/list" SessionList (SessionListParams) -> SessionListResult;
        after "`initialize`";
        "Lists the stored sessions, or searches them.";
    ClientToServer "session/history" SessionHistory (SessionHistoryParams) -> SessionHistoryResult;
        after "`initialize`";
        "Returns a session's conversation, whether it is live or not.";
    ClientToServer "session/tree" SessionTree (SessionHistoryParams) -> SessionTreeResult;
        after "`initialize`";
        "Returns a session's whole tree, the branches that were left included.";
    ClientToServer "session/branch" SessionBranch (SessionBranchParams) -> SessionBranchResult;
        after "`session/start`";
        "Moves to another entry of the tree, from where the conversation goes on; answers when it stands there.";
    ClientToServer "session/compact" SessionCompact (SessionCompactParams) -> SessionDone;
        after "`session/start`";
        "Lets a summary stand for what is older, as the model sees it.";
    ClientToServer "session/changes" SessionChanges (SessionChangesParams) -> SessionChangesResult;
        after "`initialize`";
        "Returns what the session changed in files, as diffs.";
    ClientToServer "session/undo" SessionUndo (SessionUndoParams) -> SessionUndoResult;
        after "`session/start`";
        "Takes changes of files back; answers when the files stand as they were, or why not.";
    ClientToServer "session/set" SessionSet (SessionSetParams) -> SessionDone;
        after "`initialize`";
        "Names a session, or changes its model, how long it thinks, or how much runs unasked.";
    ClientToServer "session/delete" SessionDelete (SessionParams) -> SessionDone;
        after "`initialize`";
        "Removes a stored session that is not live.";
    ClientToServer "session/export" SessionExport (SessionExportParams) -> SessionExportResult;
        after "`initialize`";
        "Returns a stored session as text.";
    ClientToServer "agent/prompt" Prompt (PromptParams) -> PromptResult;
        after "`session/start`";
        "Begins a turn with a prompt of the user.";
    ClientToServer "agent/steer" Steer (SteerParams) -> SteerResult;
        after "`session/start`";
        "Says something to the running turn, at its next safe point; when idle it acts as a prompt.";
    ClientToServer "agent/follow_up" FollowUp (FollowUpParams) -> FollowUpResult;
        after "`session/start`";
        "Queues a prompt for when the model would stop; when idle it begins at once.";
    ClientToServer "agent/cancel_queued" CancelQueued (CancelQueuedParams) -> CancelQueuedResult;
        after "the request that queued it";
        "Withdraws a queued message.";
    ClientToServer "agent/abort" Abort (SessionParams) -> AbortResult;
        after "`session/start`";
        "Stops the run and hands back what was queued; answers when the run has stopped.";
    ClientToServer "agent/state" State (SessionParams) -> SessionState;
        after "`session/start`";
        "Returns the whole state, to begin with or to catch up.";
    ClientToServer "models/list" ModelsList (ModelsListParams) -> ModelsListResult;
        after "`initialize`";
        "Lists what each provider offers.";
    ClientToServer "models/enable" ModelsEnable (ModelsEnableParams) -> SessionDone;
        after "`initialize`";
        "Accepts the terms of a model for the account that is signed in.";
    ClientToServer "auth/status" AuthStatus (NoParams) -> AuthStatusResult;
        after "`initialize`";
        "Says what each provider is used with, and who is signed in.";
    ClientToServer "auth/login" AuthLogin (AuthLoginParams) -> AuthLoginResult;
        after "`initialize`";
        "Signs in to GitHub Copilot; answers when that is done or has failed.";
    ClientToServer "auth/logout" AuthLogout (AuthLogoutParams) -> SessionDone;
        after "`initialize`";
        "Signs out and removes what was kept for it.";
    ServerToClient "auth/device_code" DeviceCode (DeviceCodeParams);
        after "the `auth/login` it belongs to";
        "Shows what the user has to do to sign in.";
    ServerToClient "agent/event" Event (EventParams);
        after "the event with the number before";
        "Tells what happened in a session.";
    ServerToClient "client/confirm" Confirm (ConfirmParams) -> ConfirmResult;
        after "the `tool_execution_start` it belongs to";
        "Asks whether something may be done.";
    ServerToClient "client/input" Input (InputParams) -> Option<InputResult>;
        after "the `tool_execution_start` it belongs to";
        "Asks for a text.";
    ServerToClient "client/resolved" Resolved (ResolvedParams);
        after "the question";
        "Says that a question was answered elsewhere or withdrawn, so that its dialog can close.";
    ServerToClient "client/save_documents" SaveDocuments (SaveDocumentsParams) -> SaveDocumentsResult;
        after "the `workspace/applyEdit` that changed them";
        "Asks to save documents that were clean before Opal edited them.";
    ServerToClient "client/tool_call" CallClientTool (ClientToolParams) -> ClientToolResult;
        after "the `tool_execution_start` it belongs to";
        "Asks what the editor's language servers know, for the model.";
}

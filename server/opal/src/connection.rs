//! One attached client: what it can do, its documents, and the way to it.

mod message_box;
mod resolving;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use agent::client::{Answer, Client, ClientId, Question, QuestionKind};
use agent::event::Event;
use agent::id::{QuestionId, SessionId};
use agent::session::SessionHandle;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol as wire;
use protocol::{Notification, Request};
use serde::Serialize;
use serde_json::{Value, json};
use text::{AbsPath, printable};
use tokio::sync::{Semaphore, SemaphorePermit, SetOnce};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::MessageType;

use crate::documents::Documents;
use crate::editor::{Call, Editor};
use crate::transport::Outbox;
use crate::{from_proto, to_proto};
use message_box::BoxSize;
use resolving::Resolving;

/// Large answers that are made for one client at the same time.
const LARGE_ANSWERS: usize = 4;

#[derive(Debug)]
pub(crate) struct Connection {
    id: ClientId,
    outbox: Arc<Outbox>,
    /// Ends the connection.
    pub(crate) stop: CancellationToken,
    pub(crate) editor: Arc<Editor>,
    pub(crate) documents: Documents,
    large_answers: Semaphore,
    profile: OnceLock<Profile>,
    ready: SetOnce<()>,
    folders: Mutex<Vec<Folder>>,
    resolving: Resolving,
    /// The sessions it watches.
    sessions: Mutex<Vec<SessionHandle>>,
}

/// A folder as the client named it, and where it leads once that is known.
type Folder = (AbsPath, Option<AbsPath>);

/// What the client said of itself in `initialize`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// What it calls itself.
    pub(crate) client: Option<String>,
    /// `None`: a plain LSP client.
    pub(crate) opal: Option<wire::ClientCapabilities>,
    pub(crate) document_changes: bool,
    pub(crate) create_files: bool,
    pub(crate) delete_files: bool,
    /// Opens pages in a browser when asked to.
    pub(crate) show_document: bool,
}

/// Editors, by their names in lower case, whose lines end at LF alone whatever LSP says. Vim and its kin, Emacs
/// and Kakoune keep a CR in its line, and Helix builds its text type without it
/// (<https://github.com/helix-editor/helix/blob/master/helix-core/Cargo.toml>). Others make a lone CR a line end
/// of their own when they open a file, and show none.
const LF_EDITORS: [&str; 9] =
    ["neovim", "vim-lsp", "coc.nvim", "coc.vim", "helix", "eglot", "emacs", "kak-lsp", "kakoune-lsp"];

/// The names of Emacs's LSP clients, in lower case.
const EMACS: [&str; 2] = ["eglot", "emacs"];

impl Profile {
    fn is_one_of(&self, names: &[&str]) -> bool {
        let name = self.client.as_deref().unwrap_or_default().to_lowercase();
        names.contains(&name.as_str())
    }

    /// Returns true if it refuses or ignores an edit that was made for an older text. A client that takes no versions
    /// cannot. Eglot numbers the versions of a document when it sends its changes, half a second after the user has
    /// stopped typing (`eglot-send-changes-idle-time`), and applies an edit made for an older text to the current one.
    pub(crate) fn checks_versions(&self) -> bool {
        (self.document_changes || self.opal.is_some()) && !self.is_one_of(&EMACS)
    }

    /// Returns the part of a command or change that one message box shows. Emacs shows the end of a question in a quarter of its
    /// frame (`max-mini-window-height`), which has 24 rows of 80 characters in a terminal.
    fn box_size(&self) -> BoxSize {
        match self.is_one_of(&EMACS) {
            true => BoxSize { rows: 5, width: 76 },
            false => BoxSize { rows: 20, width: 120 },
        }
    }

    /// The breaks that end a line in its positions: as it declares, else as its name is known for.
    pub(crate) fn line_ends(&self) -> text::LineEnds {
        let is_known = || self.is_one_of(&LF_EDITORS);
        match self.opal.as_ref().and_then(|opal| opal.line_ends) {
            Some(wire::LineEnds::Lf) => text::LineEnds::Lf,
            Some(wire::LineEnds::Lsp) => text::LineEnds::Lsp,
            Some(wire::LineEnds::Unknown) | None if is_known() => text::LineEnds::Lf,
            Some(wire::LineEnds::Unknown) | None => text::LineEnds::Lsp,
        }
    }
}

impl Connection {
    pub(crate) fn new(id: ClientId, outbox: Arc<Outbox>, stop: CancellationToken) -> Self {
        Self {
            id,
            editor: Arc::new(Editor::new(outbox.clone())),
            outbox,
            stop,
            documents: Documents::new(),
            large_answers: Semaphore::new(LARGE_ANSWERS),
            profile: OnceLock::new(),
            ready: SetOnce::new(),
            folders: Mutex::default(),
            resolving: Resolving::new(),
            sessions: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn outbox(&self) -> Arc<Outbox> {
        self.outbox.clone()
    }

    /// Waits for its turn to make an answer that may be large, and until the client has taken the ones before. The
    /// answer is made while the permit is held. `None`: the semaphore was closed, which nobody does.
    pub(crate) async fn room_for_answer(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.large_answers.acquire().await.ok();
        self.outbox.room().await;
        permit
    }

    /// False when the client has gone.
    pub(crate) fn is_open(&self) -> bool {
        self.editor.is_open()
    }

    /// Known after `initialize`; the first one counts.
    pub(crate) fn set_profile(&self, profile: Profile) {
        let _ = self.profile.set(profile);
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile.get().cloned().unwrap_or_default()
    }

    /// What the client calls itself, for others who want its sessions.
    pub(crate) fn client(&self) -> String {
        self.profile.get().and_then(|profile| profile.client.clone()).unwrap_or_else(|| "opal".into())
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.profile.get().is_some()
    }

    /// Records that the client has said `initialized`.
    pub(crate) fn set_ready(&self) {
        let _ = self.ready.set(());
    }

    /// Waits until the client has said `initialized`. A message that no request caused must not come earlier: LSP
    /// forbids most of them, and the framing is not known before the client's first byte.
    pub(crate) async fn ready(&self) {
        self.ready.wait().await;
    }

    /// Whether every change goes through this client as a workspace edit.
    pub(crate) fn saves_documents(&self) -> bool {
        self.profile.get().and_then(|profile| profile.opal.as_ref()).is_some_and(|opal| opal.save_documents)
    }

    pub(crate) fn offers(&self, tool: wire::ClientTool) -> bool {
        let opal = self.profile.get().and_then(|profile| profile.opal.as_ref());
        opal.is_some_and(|opal| opal.tools.contains(&tool))
    }

    /// The folders it works in, resolved. One that cannot be resolved, or not yet, is not among them: nothing
    /// is inside it.
    pub(crate) fn folders(&self) -> Vec<AbsPath> {
        self.lock_folders().iter().filter_map(|(_, resolved)| resolved.clone()).collect()
    }

    fn lock_folders(&self) -> MutexGuard<'_, Vec<Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a session it watches.
    pub(crate) fn watch(&self, session: SessionHandle) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if !sessions.iter().any(|watched| watched.id() == session.id()) {
            sessions.push(session);
        }
    }

    /// The client has gone.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.editor.close();
        self.outbox.close();
        let sessions = std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
        for session in sessions {
            session.detach(self.id).await;
        }
    }

    /// Asks in Opal's own way, if the client has declared that it can.
    fn ask_opal(
        &self,
        opal: &wire::ClientCapabilities,
        session: &SessionId,
        question: &Question,
    ) -> Option<BoxFuture<'static, Option<Answer>>> {
        match to_proto::question(session.as_str(), question) {
            wire::Question::Confirm(params) if opal.confirm => {
                let call = self.editor.call(wire::methods::Confirm::METHOD, &params);
                Some(confirmed(call).boxed())
            }
            wire::Question::Input(params) if opal.input => {
                let call = self.editor.call(wire::methods::Input::METHOD, &params);
                Some(entered(call).boxed())
            }
            _ => None,
        }
    }

    /// Asks by message boxes; a free text cannot be asked for so.
    fn ask_plain(&self, question: &Question) -> Option<BoxFuture<'static, Option<Answer>>> {
        match &question.kind {
            QuestionKind::Confirm(confirm) => {
                let size = self.profile().box_size();
                Some(message_box::ask_confirm(&self.editor, confirm, size).boxed())
            }
            QuestionKind::Input { choices, .. } if choices.is_empty() => None,
            QuestionKind::Input { prompt, choices, .. } => {
                Some(message_box::ask_choice(&self.editor, prompt, choices).boxed())
            }
        }
    }

    /// Shows the user a message.
    pub(crate) fn show_message(&self, kind: MessageType, message: &str) {
        let params = json!({"type": kind, "message": printable(message)});
        self.editor.notify("window/showMessage", &params);
    }

    /// Writes a message to the client's log of the server.
    pub(crate) fn log_message(&self, kind: MessageType, message: &str) {
        let params = json!({"type": kind, "message": printable(message)});
        self.editor.notify("window/logMessage", &params);
    }
}

impl Client for Connection {
    fn id(&self) -> ClientId {
        self.id
    }

    fn event(&self, session: &SessionId, seq: u64, event: &Event) {
        if let Some(delta) = to_proto::delta(session.as_str(), seq, event) {
            self.outbox.push_delta(delta);
            return;
        }
        let params = wire::EventParams {
            session_id: session.to_string(),
            seq,
            first_seq: None,
            event: to_proto::event(event),
        };
        self.outbox.push(&json_rpc(wire::methods::Event::METHOD, &params));
    }

    fn flush(&self) {
        self.outbox.flush();
    }

    fn ask(&self, session: &SessionId, question: &Question) -> BoxFuture<'static, Option<Answer>> {
        let asked = match self.profile.get() {
            Some(Profile { opal: Some(opal), .. }) => {
                self.ask_opal(opal, session, question).or_else(|| self.ask_plain(question))
            }
            Some(Profile { opal: None, .. }) => self.ask_plain(question),
            None => None,
        };
        asked.unwrap_or_else(|| futures::future::ready(None).boxed())
    }

    fn resolved(&self, session: &SessionId, question: &QuestionId) {
        // A plain client's message box is withdrawn by `$/cancelRequest` when the call is dropped.
        if self.profile.get().is_some_and(|profile| profile.opal.is_some()) {
            let params =
                wire::ResolvedParams { session_id: session.to_string(), question_id: question.to_string() };
            self.editor.notify(wire::methods::Resolved::METHOD, &params);
        }
    }
}

#[derive(Serialize)]
struct JsonRpc<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a P,
}

fn json_rpc<'a, P: Serialize>(method: &'a str, params: &'a P) -> JsonRpc<'a, P> {
    JsonRpc { jsonrpc: "2.0", method, params }
}

async fn confirmed(call: Call) -> Option<Answer> {
    let result = answer(call).await?;
    match serde_json::from_value::<wire::ConfirmResult>(result) {
        Ok(result) => Some(from_proto::confirmed(result)),
        // A closed dialog, or an action that was not on offer.
        Err(error) => {
            tracing::debug!(%error, "an answer to client/confirm is taken as a denial");
            Some(Answer::Deny { word: None })
        }
    }
}

async fn entered(call: Call) -> Option<Answer> {
    let result = answer(call).await?;
    let text = serde_json::from_value::<Option<wire::InputResult>>(result).ok().flatten();
    Some(Answer::Input(text.and_then(|result| result.text)))
}

async fn answer(call: Call) -> Option<Value> {
    match call.await {
        Ok(result) => Some(result),
        Err(error) => {
            tracing::info!(%error, "the client cannot be asked");
            None
        }
    }
}

#[cfg(test)]
mod tests;

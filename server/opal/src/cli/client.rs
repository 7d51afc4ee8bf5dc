//! A small LSP client: what `opal demo` and `opal run` drive the server with.
//!
//! It speaks newline-delimited JSON, keeps open documents like an editor, and applies and saves edits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, bail};
use protocol::{AgentEvent, EventParams, Request, methods};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use text::{AbsPath, EditSet, Position, PositionEncoding, PositionRange, Rope};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};

/// The other end of a server.
#[derive(Debug, Clone)]
pub(super) struct Client {
    outgoing: mpsc::UnboundedSender<Value>,
    pending: Pending,
}

/// Who waits for an answer; `None` when the server has gone.
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Line>>>>>;

/// A message of the server. Params stay as they were written.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    #[serde(default)]
    result: Value,
    error: Option<Value>,
}

/// What the server sends by itself.
#[derive(Debug)]
pub(super) enum Incoming {
    Event {
        event: AgentEvent,
        /// The whole of it, to the letter.
        params: Box<RawValue>,
    },
    /// To be answered with [`Client::answer`].
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    Notification {
        method: String,
        params: Value,
    },
}

impl Client {
    pub(super) fn connect<R, W>(reader: R, mut writer: W) -> (Self, mpsc::UnboundedReceiver<Incoming>)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (outgoing, mut messages) = mpsc::unbounded_channel::<Value>();
        let (incoming, received) = mpsc::unbounded_channel();
        let pending = Pending::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                let line = format!("{message}\n");
                if writer.write_all(line.as_bytes()).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
            }
        });
        let answers = pending.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(line) = serde_json::from_str(&line) else { continue };
                if let Some(message) = sort(line, &answers)
                    && incoming.send(message).is_err()
                {
                    break;
                }
            }
            // Whoever waits learns that the server has gone.
            answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        (Self { outgoing, pending }, received)
    }

    pub(super) async fn request<M: Request>(&self, params: &M::Params) -> anyhow::Result<M::Result> {
        let result = self.call(M::METHOD, serde_json::to_value(params)?).await?;
        serde_json::from_value(result).with_context(|| format!("the answer to {}", M::METHOD))
    }

    pub(super) async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let pending = pending.as_mut().ok_or_else(gone)?;
            let id = (1..).find(|id| !pending.contains_key(id)).unwrap_or_default();
            pending.insert(id, sender);
            id
        };
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = answer.await.map_err(|_| gone())?;
        if let Some(error) = answer.error {
            let message = error["message"].as_str().unwrap_or("no reason given");
            let text = match error["data"]["hint"].as_str() {
                Some(hint) => format!("{message}. {hint}"),
                None => message.to_owned(),
            };
            return Err(Refused { code: error["code"].as_i64().unwrap_or_default(), text }.into());
        }
        Ok(answer.result)
    }

    pub(super) fn notify(&self, method: &str, params: &impl Serialize) {
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    pub(super) fn answer(&self, id: &Value, result: &impl Serialize) {
        self.send(json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    pub(super) fn refuse(&self, id: &Value, method: &str) {
        let error = json!({"code": -32601, "message": format!("{method} is not known here")});
        self.send(json!({"jsonrpc": "2.0", "id": id, "error": error}));
    }

    /// LSP's handshake, as a client that knows Opal.
    pub(super) async fn initialize(
        &self,
        root: &AbsPath,
        opal: &protocol::ClientCapabilities,
    ) -> anyhow::Result<()> {
        let root = json!({"uri": root.to_uri(), "name": root.file_name()});
        let params = json!({
            "processId": std::process::id(),
            "clientInfo": {"name": "opal", "version": env!("CARGO_PKG_VERSION")},
            "workspaceFolders": [root],
            "capabilities": {
                "general": {"positionEncodings": ["utf-8"]},
                "workspace": {
                    "applyEdit": true,
                    "workspaceEdit": {"documentChanges": true, "resourceOperations": []},
                },
                "experimental": {"opal": opal},
            },
        });
        self.call("initialize", params).await?;
        self.notify("initialized", &json!({}));
        Ok(())
    }

    /// LSP's farewell.
    pub(super) async fn shutdown(&self) -> anyhow::Result<()> {
        self.call("shutdown", Value::Null).await?;
        self.notify("exit", &Value::Null);
        Ok(())
    }

    fn send(&self, message: Value) {
        // A server that is gone is noticed by whoever waits for an answer.
        let _ = self.outgoing.send(message);
    }
}

/// What the server answers instead of a result.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refused {
    code: i64,
    text: String,
}

impl Refused {
    /// Whether other params may do.
    pub(super) fn is_of_params(&self) -> bool {
        self.code == -32602
    }
}

fn gone() -> anyhow::Error {
    anyhow!("the server has gone")
}

/// Hands answers to whoever waits, and the rest on.
fn sort(line: Line, pending: &Pending) -> Option<Incoming> {
    let Some(method) = line.method else {
        let id = line.id.as_u64()?;
        let waiting = pending.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.remove(&id)?;
        // Whoever asked may have given up.
        let _ = waiting.send(line);
        return None;
    };
    if method == <methods::Event as protocol::Notification>::METHOD {
        let params = line.params?;
        let event = serde_json::from_str::<EventParams>(params.get()).ok()?.event;
        return Some(Incoming::Event { event, params });
    }
    let params = line.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
    Some(match line.id {
        Value::Null => Incoming::Notification { method, params },
        id => Incoming::Request { id, method, params },
    })
}

/// Open documents, edited and saved as an editor does it.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: HashMap<String, (i32, Rope)>,
}

impl Documents {
    pub(super) fn open(&mut self, client: &Client, path: &AbsPath, text: &str) {
        let uri = path.to_uri();
        let item = json!({"uri": uri, "languageId": "plaintext", "version": 1, "text": text});
        client.notify("textDocument/didOpen", &json!({"textDocument": item}));
        self.open.insert(uri, (1, Rope::from_str(text)));
    }

    /// Applies a workspace edit to open documents, and answers it.
    pub(super) fn apply(&mut self, client: &Client, id: &Value, params: &Value) {
        let changes = params["edit"]["documentChanges"].as_array();
        let applied = changes.into_iter().flatten().try_for_each(|change| self.change(client, change));
        client.answer(
            id,
            &match applied {
                Ok(()) => json!({"applied": true}),
                Err(error) => json!({"applied": false, "failureReason": error.to_string()}),
            },
        );
    }

    fn change(&mut self, client: &Client, change: &Value) -> anyhow::Result<()> {
        let uri = change["textDocument"]["uri"].as_str().context("an edit of something else than a text")?;
        let (version, text) = self.open.get_mut(uri).with_context(|| format!("{uri} is not open"))?;
        if change["textDocument"]["version"].as_i64() != Some(i64::from(*version)) {
            bail!("{uri} is at version {version}");
        }
        let edits = change["edits"].as_array().into_iter().flatten().map(|edit| {
            let range = serde_json::from_value::<protocol::Range>(edit["range"].clone())?;
            let position = |position: protocol::Position| Position::new(position.line, position.character);
            let range = PositionRange::new(position(range.start), position(range.end));
            Ok((range, edit["newText"].as_str().unwrap_or_default().to_owned()))
        });
        let edits: Vec<_> = edits.collect::<anyhow::Result<_>>()?;
        *text = EditSet::from_ranges(text, &edits, PositionEncoding::Utf8)?.apply(text)?;
        *version += 1;
        let identifier = json!({"uri": uri, "version": version});
        let changes = json!([{"text": text.to_string()}]);
        client.notify(
            "textDocument/didChange",
            &json!({"textDocument": identifier, "contentChanges": changes}),
        );
        Ok(())
    }

    /// Saves what it is asked to save, and says so.
    pub(super) fn save(&self, client: &Client, id: &Value, params: &protocol::SaveDocumentsParams) {
        let saved = params.uris.iter().filter(|uri| {
            let Some((_, text)) = self.open.get(*uri) else { return false };
            let Ok(path) = AbsPath::from_uri(uri) else { return false };
            std::fs::write(path.as_path(), text.to_string()).is_ok()
        });
        let saved = saved.cloned().collect();
        client.answer(id, &protocol::SaveDocumentsResult { saved });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_is_kept_to_the_letter() {
        let params = r#"{"z": 1.50, "seq":7,"session_id":"s", "type":"of_tomorrow","a":"\u00e9"}"#;
        let line = format!(r#"{{"jsonrpc":"2.0","params":{params},"method":"agent/event"}}"#) + "\n";
        let (_client, mut incoming) = Client::connect(std::io::Cursor::new(line), Vec::new());
        let Some(Incoming::Event { event, params: kept }) = incoming.recv().await else {
            panic!("no event came")
        };
        assert_eq!((event, kept.get()), (AgentEvent::Unknown, params));
    }

    #[tokio::test]
    async fn a_server_that_has_gone_is_noticed_by_the_next_call() {
        let (client, mut incoming) = Client::connect(tokio::io::empty(), Vec::new());
        assert!(incoming.recv().await.is_none());
        let error = client.call("shutdown", Value::Null).await.unwrap_err();
        assert_eq!(error.to_string(), "the server has gone");
    }
}

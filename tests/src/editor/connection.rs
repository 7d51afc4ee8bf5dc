//! The connection: reading, writing, beginning and ending.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::document::{Encoding, Habits};
use super::profile::Profile;
use super::state::State;
use super::user::file_uri;
use super::{Editor, Outgoing, Shared};
use crate::background;
use crate::frame::{FrameError, FrameReader, Framing};

/// What kind of editor, and where it works.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub profile: Profile,
    pub framing: Framing,
    /// The folder that is open in it.
    pub directory: PathBuf,
    /// Position encodings to offer instead of the profile's.
    pub encodings: Option<Vec<&'static str>>,
    /// Sends whole texts even where the server takes changes.
    pub full_sync: bool,
    /// Writes URIs with brackets, spaces and letters as they are.
    pub raw_uris: bool,
    pub habits: Habits,
    /// What it offers to find out; a story answers.
    pub tools: Vec<&'static str>,
}

impl Editor {
    /// Connects; nothing is said yet.
    pub fn connect<R, W>(reader: R, writer: W, options: Options) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (outgoing, to_write) = mpsc::unbounded_channel();
        let framing = options.framing;
        let shared = Shared {
            state: Mutex::new(State::new(options)),
            changed: Notify::new(),
            outgoing,
            reading: watch::Sender::new(true),
            deaf: CancellationToken::new(),
            reader: Mutex::new(None),
            gone: CancellationToken::new(),
        };
        let editor = Self { shared: Arc::new(shared) };
        background::spawn(write(writer, to_write, editor.shared.gone.clone()));
        let reader = background::spawn(editor.clone().read(FrameReader::new(reader, framing)));
        *editor.shared.reader.lock().unwrap() = Some(reader);
        editor
    }

    async fn read<R: AsyncRead + Unpin>(self, mut frames: FrameReader<R>) {
        let mut reading = self.shared.reading.subscribe();
        let end = loop {
            if reading.wait_for(|reading| *reading).await.is_err() {
                return;
            }
            let frame = tokio::select! {
                biased;
                _ = reading.wait_for(|reading| !*reading) => continue,
                () = self.shared.gone.cancelled() => return,
                () = self.shared.deaf.cancelled() => return,
                frame = frames.next() => frame,
            };
            match frame {
                Ok(Some(body)) => self.with(|state| state.receive(&body)),
                Ok(None) => break "at the end of a message".to_owned(),
                Err(FrameError::Io(error)) => break format!("with an error: {error}"),
                Err(error) => {
                    self.state().problems.push(format!("not a frame: {error:?}"));
                    break format!("inside a message: {error:?}");
                }
            }
            self.shared.changed.notify_waiters();
        };
        self.state().close(&end);
        self.shared.changed.notify_waiters();
    }

    /// LSP's handshake; returns the answer to `initialize`.
    pub async fn initialize(&self) -> Value {
        let params = self.initialize_params();
        let result = match self.request("initialize", params).await {
            Ok(result) => result,
            Err(error) => panic!("initialize was refused: {error}\n{self}"),
        };
        self.notify("initialized", json!({}));
        result
    }

    pub fn initialize_params(&self) -> Value {
        let state = self.state();
        let options = &state.options;
        let encodings = state.encodings();
        let root = file_uri(&options.directory, false);
        json!({
            "processId": null,
            "clientInfo": { "name": options.profile.client_name(), "version": "1" },
            "rootUri": root,
            "workspaceFolders": [{ "uri": root, "name": "workspace" }],
            "capabilities": options.profile.capabilities(&encodings, &options.tools),
        })
    }

    pub fn encoding(&self) -> Encoding {
        self.state().encoding
    }

    /// Says goodbye properly and waits for the server to close; returns what was wrong in the whole
    /// conversation.
    pub async fn finish(&self) -> Vec<String> {
        if self.state().closed.is_none() {
            if self.state().is_initialized() {
                let shutdown = self.request("shutdown", Value::Null).await;
                if shutdown != Ok(Value::Null) {
                    self.state().problems.push(format!("shutdown was answered {shutdown:?}"));
                }
            }
            self.notify("exit", Value::Null);
            self.until_closed().await;
            self.send(Outgoing::Close);
        }
        self.with(State::finish)
    }

    /// Waits until the server has closed the connection; returns how.
    pub async fn until_closed(&self) -> String {
        self.wait("the end of the connection", |state| state.closed.clone()).await
    }

    /// Closes the editor's own direction and leaves the other open.
    pub fn close_writing(&self) {
        self.send(Outgoing::Close);
    }

    /// Closes the direction it reads from and leaves its own open.
    pub async fn close_reading(&self) {
        self.shared.deaf.cancel();
        let reader = self.shared.reader.lock().unwrap().take();
        if let Some(reader) = reader {
            reader.await.unwrap();
        }
    }

    /// Dies: both directions at once, nothing said. What the server owed it is owed no more.
    pub fn vanish(&self) {
        let mut state = self.state();
        state.close("the editor vanished");
        state.vanished = true;
        drop(state);
        self.shared.gone.cancel();
        self.shared.changed.notify_waiters();
    }
}

async fn write<W>(mut writer: W, mut to_write: mpsc::UnboundedReceiver<Outgoing>, gone: CancellationToken)
where
    W: AsyncWrite + Unpin,
{
    let writing = async {
        while let Some(Outgoing::Bytes(bytes)) = to_write.recv().await {
            // A server that has gone is noticed by the reading half.
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await; // It is closed either way.
    };
    tokio::select! {
        () = writing => {}
        () = gone.cancelled() => {}
    }
}

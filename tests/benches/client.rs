//! The editor, played by hand: blocking pipes, one thread, each message stamped with the time of its read.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A child process that speaks framed messages.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// When the buffer was last filled.
    filled: Instant,
    next_id: u64,
    /// Messages read so far.
    pub n_frames: usize,
    /// Where the child works.
    pub directory: TempDir,
}

/// One message and when it was read.
pub(crate) struct Message {
    pub at: Instant,
    pub body: Vec<u8>,
}

impl Client {
    /// `data` is what an earlier run has stored, if there was one.
    fn spawn(mut command: Command, data: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        command.current_dir(directory.path()).env("HOME", directory.path());
        command.env("OPAL_DATA_DIR", data.map_or_else(|| directory.path().join(".opal"), Path::to_owned));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
            buffer: Vec::with_capacity(1 << 20),
            start: 0,
            filled: Instant::now(),
            next_id: 0,
            n_frames: 0,
            directory,
        }
    }

    /// Starts `opal` and nothing else.
    pub(crate) fn opal(url: &str) -> Self {
        Self::opal_of(url, "responses")
    }

    /// Starts `opal` on what an earlier run has stored.
    pub(crate) fn opal_on(url: &str, data: &Path) -> Self {
        Self::spawn(command(url, "responses"), Some(data))
    }

    /// Starts `opal` with a model that is reached by this API.
    pub(crate) fn opal_of(url: &str, api: &str) -> Self {
        Self::spawn(command(url, api), None)
    }

    /// Starts `opal` with a session in a permission mode; returns its id too.
    pub(crate) fn opal_with_session(url: &str, mode: &str) -> (Self, String) {
        let mut client = Self::opal(url);
        client.initialize();
        let session = client.start_session(mode);
        (client, session)
    }

    /// Starts the baseline.
    pub(crate) fn relay(url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
        command.env("RELAY_URL", url);
        Self::spawn(command, None)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.stdin.as_mut().unwrap().write_all(frame.as_bytes()).unwrap();
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub(crate) fn start_request(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params }));
        self.next_id
    }

    /// Sends a request and reads up to its answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.start_request(method, params);
        loop {
            let message: Value = serde_json::from_slice(&self.next().body).unwrap();
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// As an editor that edits and saves documents.
    pub(crate) fn initialize(&mut self) {
        let encodings = json!({ "positionEncodings": ["utf-8", "utf-16"] });
        let opal =
            json!({ "opal": { "version": 1, "confirm": true, "input": true, "save_documents": true } });
        let workspace = json!({ "applyEdit": true, "workspaceEdit": { "documentChanges": true } });
        self.initialize_with(json!({ "general": encodings, "experimental": opal, "workspace": workspace }));
    }

    /// As a program without documents: what tools write goes to the disk, and nothing is asked of it.
    pub(crate) fn initialize_plain(&mut self) {
        self.initialize_with(json!({ "experimental": { "opal": { "version": 1 } } }));
    }

    fn initialize_with(&mut self, capabilities: Value) {
        let root = format!("file://{}", self.directory.path().display());
        self.request(
            "initialize",
            json!({ "processId": null, "rootUri": root, "capabilities": capabilities }),
        );
        self.notify("initialized", json!({}));
    }

    pub(crate) fn start_session(&mut self, mode: &str) -> String {
        let params = json!({ "working_dir": self.directory.path(), "permission_mode": mode });
        self.request("session/start", params)["session_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn prompt(&mut self, session: &str) {
        self.start_request("agent/prompt", json!({ "session_id": session, "text": "Go on." }));
    }

    /// Reads the next message.
    pub(crate) fn next(&mut self) -> Message {
        loop {
            if let Some((start, end)) = self.whole_frame() {
                let body = self.buffer[start..end].to_vec();
                self.start = end;
                self.n_frames += 1;
                return Message { at: self.filled, body };
            }
            self.fill();
        }
    }

    /// Reads up to a message that contains these bytes.
    pub(crate) fn until(&mut self, part: &str) -> Message {
        loop {
            let message = self.next();
            if message.contains(part) {
                return message;
            }
        }
    }

    /// The body of the frame at the beginning of the buffer, if all of it is there.
    fn whole_frame(&self) -> Option<(usize, usize)> {
        let rest = &self.buffer[self.start..];
        let head = rest.windows(4).take(200).position(|window| window == b"\r\n\r\n")?;
        let length = std::str::from_utf8(&rest[..head]).ok()?.strip_prefix("Content-Length: ")?;
        let length: usize = length.lines().next()?.parse().ok()?;
        let start = self.start + head + 4;
        (self.buffer.len() >= start + length).then_some((start, start + length))
    }

    fn fill(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        let old = self.buffer.len();
        self.buffer.resize(old + (1 << 16), 0);
        let n_bytes = self.stdout.read(&mut self.buffer[old..]).unwrap();
        self.filled = Instant::now();
        self.buffer.truncate(old + n_bytes);
        assert!(n_bytes > 0, "the process ended");
    }
}

impl Message {
    pub(crate) fn contains(&self, part: &str) -> bool {
        self.body.windows(part.len()).any(|window| window == part.as_bytes())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stdin.take();
        let _ = self.child.kill(); // It may have gone by itself.
        let _ = self.child.wait();
    }
}

fn command(url: &str, api: &str) -> Command {
    let mut command = Command::new(tests::process::binary());
    command.args(["lsp", "--stdio"]);
    command.env("OPAL_BASE_URL", url).env("OPAL_API", api).env("OPAL_MODEL", "bench");
    command
}

pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

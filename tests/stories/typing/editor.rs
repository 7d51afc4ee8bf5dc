//! An editor with a user in front of it who does not wait for the agent.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::frame::{FrameReader, Framing};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::Tally;
use super::plan::Plan;
use super::typed::{Author, Splice, Typed, Units, line_of, offset, plain, position, typed};
use crate::crash::Random;

/// Letters that only the user types: no `old_text` of the agent contains one.
const KEYS: &[char] = &['ж', 'ŧ', 'ß', '字', '𐐷', '\n'];
/// Lines of the file before anybody changes it.
const LINES: u64 = 8;

pub(super) struct Editor {
    seed: u64,
    random: Random,
    frames: FrameReader<DuplexStream>,
    to_server: DuplexStream,
    /// Frames that leave together, so that the server sees them in one read.
    out: Vec<u8>,
    connection: JoinHandle<()>,
    session: String,
    last_id: u64,
    kind: Kind,
    units: Units,
    full_sync: bool,
    format: Format,
    path: PathBuf,
    uri: String,
    buffer: Vec<Typed>,
    version: i32,
    /// Earlier texts, for the user's undo.
    undo: Vec<Vec<Typed>>,
    /// What was saved last.
    saved: Vec<u8>,
    /// The user has typed, deleted or undone something. What was saved since does not count: the server may be ahead
    /// of what the editor has read, so a save may cross an edit on its way.
    user_has_changed: bool,
    keystrokes: u64,
    rests: bool,
    /// Changes of which the server is not told yet, and whether those to come are among them.
    late: Vec<Vec<Value>>,
    is_late: bool,
    /// The server waits for a change.
    owes_change: bool,
    /// The calls whose edits stand, or stood; each with whether the user had changed anything by then.
    arrived: Vec<Option<bool>>,
}

/// What the client can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Knows Opal: versioned edits, and it saves when asked.
    Opal,
    /// Takes versioned edits.
    Versioned,
    /// Takes edits without a version and applies them to whatever stands there.
    Plain,
}

/// How the file is stored, and whether the buffer shows its line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Lf,
    CrLf,
    /// Every third line ends with `\r\n`.
    Mixed,
    /// `\r\n` on disk and `\n` in the buffer.
    CrLfHidden,
    Bom,
    Utf16,
    Latin1,
}

/// What the editor does with an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    Apply,
    AnswerFirst,
    TypeThenRefuse,
    /// Applies the edit beside what the user types in this moment.
    TypeThenMerge,
    ApplyThenType,
    Refuse,
    /// Applies it and says yes, and tells of the change when the user does something, as Emacs may.
    Late,
    /// Says yes and does nothing.
    Pretend,
    /// Applies it and never answers.
    Mute,
    /// Neither applies nor answers.
    Forget,
}

impl Editor {
    /// Connects, opens a document, and starts a session.
    pub(super) async fn open(
        server: &opal::Server,
        directory: &Path,
        seed: u64,
        random: &mut Random,
    ) -> Self {
        let (to_server, from_editor) = tokio::io::duplex(64 * 1024);
        let (to_editor, from_server) = tokio::io::duplex(64 * 1024);
        let server = server.clone();
        let connection = tokio::spawn(async move {
            server.serve(from_editor, to_editor).await;
        });
        let format = pick(random, &Format::ALL);
        let mut text = String::new();
        for line in 0..LINES {
            let end = if format == Format::Mixed && line % 3 == 0 { "\r\n" } else { "\n" };
            text.push_str(&format!("line-{line} of the file{end}"));
        }
        if format == Format::CrLf {
            text = text.replace('\n', "\r\n");
        }
        let path = directory.join("typed.txt");
        let mut editor = Self {
            seed,
            random: Random(random.below(u64::MAX >> 33)),
            frames: FrameReader::new(from_server, Framing::Lines),
            to_server,
            out: Vec::new(),
            connection,
            session: String::new(),
            last_id: 0,
            kind: pick(random, &[Kind::Opal, Kind::Opal, Kind::Versioned, Kind::Plain]),
            units: pick(random, &[Units::Utf8, Units::Utf16, Units::Utf32]),
            full_sync: random.below(4) == 0,
            format,
            uri: format!("file://{}", path.display()),
            path,
            buffer: typed(&text, Author::File),
            version: 1,
            undo: Vec::new(),
            saved: Vec::new(),
            user_has_changed: false,
            keystrokes: 0,
            rests: false,
            late: Vec::new(),
            is_late: false,
            owes_change: false,
            arrived: Vec::new(),
        };
        editor.write_file();
        editor.begin(directory).await;
        editor
    }

    async fn begin(&mut self, directory: &Path) {
        let opal = json!({"version": 1, "confirm": true, "input": true, "save_documents": true, "tools": []});
        let mut capabilities = json!({"general": {"positionEncodings": [self.units.name()]}});
        if self.kind != Kind::Plain {
            capabilities["workspace"] = json!({"workspaceEdit": {"documentChanges": true}});
        }
        if self.kind == Kind::Opal {
            capabilities["experimental"] = json!({"opal": opal});
        }
        let root = format!("file://{}", directory.display());
        let folders = json!([{"uri": root, "name": "typing"}]);
        let params = json!({"processId": null, "workspaceFolders": folders, "capabilities": capabilities});
        self.request("initialize", params).await;
        self.notify("initialized", json!({}));
        let document = json!({"uri": self.uri, "languageId": "x", "version": 1, "text": plain(&self.buffer)});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
        if self.random.below(4) == 0 {
            self.user_types(None);
        }
        let params = json!({"working_dir": directory, "permission_mode": "auto_edit"});
        let started = self.request("session/start", params).await;
        self.session = started["session_id"].as_str().unwrap().to_owned();
    }

    /// The lines of the file that the agent may plan with.
    pub(super) fn lines(&self) -> Vec<String> {
        (0..LINES).map(|line| format!("line-{line} of the file")).collect()
    }

    pub(super) fn keystrokes(&self) -> u64 {
        self.keystrokes
    }

    /// The user stops typing.
    pub(super) fn rest(&mut self) {
        if self.owes_change {
            self.user_types(None);
        }
        self.rests = true;
    }

    /// Sends a prompt and plays the editor until the run has ended.
    pub(super) async fn prompt(&mut self, text: &str, plan: &Plan) {
        if self.arrived.is_empty() {
            self.arrived = vec![None; plan.len()];
        }
        let params = json!({"session_id": self.session, "text": text});
        self.send_request("agent/prompt", params);
        loop {
            let frame = self.receive().await;
            if frame["params"]["type"] == "agent_end" {
                assert_eq!(frame["params"]["reason"], "completed", "seed {}: {frame}", self.seed);
                return;
            }
            self.handle(&frame, plan);
        }
    }

    fn handle(&mut self, frame: &Value, plan: &Plan) {
        match frame["method"].as_str() {
            Some("workspace/applyEdit") => self.take_edit(&frame["id"], &frame["params"]["edit"], plan),
            Some("client/save_documents") => self.take_save(&frame["id"]),
            Some("agent/event") if self.kind != Kind::Plain && self.random.below(12) == 0 => {
                self.user_acts();
            }
            None => assert!(frame.get("error").is_none(), "seed {}: {frame}", self.seed),
            _ => {}
        }
    }

    fn take_edit(&mut self, id: &Value, edit: &Value, plan: &Plan) {
        let (version, edits) = match edit.get("documentChanges") {
            Some(changes) => (changes[0]["textDocument"]["version"].as_i64(), &changes[0]["edits"]),
            None => (None, &edit["changes"][&self.uri]),
        };
        if version.is_some_and(|version| version != i64::from(self.version)) {
            return self.answer_edit(id, false);
        }
        let mut splices: Vec<Splice> =
            edits.as_array().unwrap().iter().map(|edit| self.splice(edit)).collect();
        splices.sort_by_key(|splice| splice.range.start);
        match self.reaction() {
            Reaction::Apply => {
                self.apply(&splices, plan);
                self.answer_edit(id, true);
            }
            Reaction::AnswerFirst => {
                self.answer(id, json!({"applied": true}));
                self.apply(&splices, plan);
            }
            Reaction::TypeThenRefuse => {
                self.user_types(None);
                self.answer_edit(id, false);
            }
            Reaction::TypeThenMerge => {
                if let Some((at, n_typed)) = self.user_types(Some(&splices)) {
                    for splice in splices.iter_mut().filter(|splice| splice.range.start >= at) {
                        splice.range = splice.range.start + n_typed..splice.range.end + n_typed;
                    }
                }
                self.apply(&splices, plan);
                self.answer_edit(id, true);
            }
            Reaction::ApplyThenType => {
                self.apply(&splices, plan);
                self.user_types(None);
                self.answer_edit(id, true);
            }
            Reaction::Refuse => self.answer_edit(id, false),
            Reaction::Late => {
                self.is_late = true;
                self.apply(&splices, plan);
                self.is_late = false;
                self.owes_change = true;
                self.answer(id, json!({"applied": true}));
            }
            Reaction::Pretend => {
                self.owes_change = true;
                self.answer_edit(id, true);
            }
            Reaction::Mute => self.apply(&splices, plan),
            Reaction::Forget => {}
        }
    }

    fn reaction(&mut self) -> Reaction {
        let reaction = match self.random.below(200) {
            0..100 => Reaction::Apply,
            100..120 => Reaction::AnswerFirst,
            120..145 => Reaction::TypeThenRefuse,
            145..165 => Reaction::TypeThenMerge,
            165..185 => Reaction::ApplyThenType,
            185..196 => Reaction::Refuse,
            196 => Reaction::Late,
            197 => Reaction::Pretend,
            198 => Reaction::Mute,
            _ => Reaction::Forget,
        };
        let types_before = matches!(reaction, Reaction::TypeThenRefuse | Reaction::TypeThenMerge);
        let types = types_before || reaction == Reaction::ApplyThenType;
        // Without versions nothing tells the editor that an edit was meant for an earlier text.
        if (self.rests && types) || (self.kind == Kind::Plain && types_before) {
            return Reaction::Apply;
        }
        reaction
    }

    fn splice(&self, edit: &Value) -> Splice {
        let at = |end: &str| offset(&self.buffer, &edit["range"][end], self.units);
        Splice { range: at("start")..at("end"), text: edit["newText"].as_str().unwrap().to_owned() }
    }

    /// Applies an edit of the agent and watches over what it does.
    fn apply(&mut self, splices: &[Splice], plan: &Plan) {
        let before = plan.marks_in(&plain(&self.buffer));
        let lost = splices
            .iter()
            .any(|splice| self.buffer[splice.range.clone()].iter().any(|typed| typed.author == Author::User));
        assert!(
            !lost,
            "seed {}: {splices:?} removes what the user typed:\n{}",
            self.seed,
            plain(&self.buffer)
        );
        self.change(splices, Author::Agent);
        let after = plan.marks_in(&plain(&self.buffer));
        for (call, marks) in plan.marks().into_iter().enumerate() {
            let gained = after[call].saturating_sub(before[call]);
            if gained == 0 {
                continue;
            }
            assert_eq!(gained, marks, "seed {}: call {call} is half applied by {splices:?}", self.seed);
            let earlier = self.arrived[call].replace(self.user_has_changed);
            assert_eq!(earlier, None, "seed {}: call {call} is applied twice", self.seed);
        }
    }

    /// Changes the text and tells the server.
    fn change(&mut self, splices: &[Splice], author: Author) {
        self.undo.push(self.buffer.clone());
        let mut changes = Vec::new();
        for splice in splices.iter().rev() {
            let start = position(&self.buffer, splice.range.start, self.units);
            let end = position(&self.buffer, splice.range.end, self.units);
            changes.push(json!({"range": {"start": start, "end": end}, "text": splice.text}));
            self.buffer.splice(splice.range.clone(), typed(&splice.text, author));
        }
        self.tell_change(changes);
    }

    fn tell_change(&mut self, changes: Vec<Value>) {
        let changes = if self.full_sync { vec![json!({"text": plain(&self.buffer)})] } else { changes };
        self.late.push(changes);
        if !self.is_late {
            self.send_changes();
        }
    }

    fn send_changes(&mut self) {
        self.owes_change &= self.late.is_empty();
        for changes in std::mem::take(&mut self.late) {
            self.send_change(changes);
        }
    }

    fn send_change(&mut self, changes: Vec<Value>) {
        self.version += 1;
        let document = json!({"uri": self.uri, "version": self.version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    fn answer_edit(&mut self, id: &Value, applied: bool) {
        if self.kind == Kind::Plain && self.random.below(3) == 0 {
            self.user_acts();
        }
        self.answer(id, json!({"applied": applied}));
    }

    fn take_save(&mut self, id: &Value) {
        match self.random.below(100) {
            0..80 => self.save(),
            80..85 if !self.rests => {
                self.user_types(None);
                self.save();
            }
            85..90 => {
                self.save();
                self.user_acts();
            }
            90..95 => self.format_and_save(),
            // It does not save, and says so.
            95..99 => {}
            // It forgets the request.
            _ => return,
        }
        self.answer(id, json!({"saved": []}));
    }

    /// Types, deletes, takes back or saves.
    fn user_acts(&mut self) {
        if self.rests {
            return;
        }
        match self.random.below(10) {
            0..6 => drop(self.user_types(None)),
            6..8 => self.user_deletes(),
            8 => self.user_undoes(),
            _ => self.save(),
        }
    }

    /// Types a few characters, away from the lines of `splices`. Returns where and how many.
    fn user_types(&mut self, away_from: Option<&[Splice]>) -> Option<(usize, usize)> {
        let at = self.place();
        let line = line_of(&self.buffer, at);
        let is_near = |splice: &Splice| {
            let first = line_of(&self.buffer, splice.range.start).saturating_sub(1);
            (first..=line_of(&self.buffer, splice.range.end) + 1).contains(&line)
        };
        if away_from.is_some_and(|splices| splices.iter().any(is_near)) {
            return None;
        }
        let n_typed = 1 + self.random.below(4) as usize;
        let text: String =
            (0..n_typed).map(|_| KEYS[self.random.below(KEYS.len() as u64) as usize]).collect();
        self.keystrokes += n_typed as u64;
        self.user_has_changed = true;
        self.change(&[Splice { range: at..at, text }], Author::User);
        Some((at, n_typed))
    }

    /// A place of the text where the cursor can be: not within a line break.
    fn place(&mut self) -> usize {
        let at = self.random.below(self.buffer.len() as u64 + 1) as usize;
        let is = |at: usize, character: char| {
            self.buffer.get(at).is_some_and(|typed| typed.character == character)
        };
        if at > 0 && is(at - 1, '\r') && is(at, '\n') { at - 1 } else { at }
    }

    fn user_deletes(&mut self) {
        let (a, b) = (self.place(), self.place());
        let (start, mut end) = (a.min(b), a.max(b).min(a.min(b) + 6));
        let splits = end > start
            && self.buffer.get(end).is_some_and(|typed| typed.character == '\n')
            && self.buffer[end - 1].character == '\r';
        end += usize::from(splits);
        self.user_has_changed = true;
        self.change(&[Splice { range: start..end, text: String::new() }], Author::User);
    }

    fn user_undoes(&mut self) {
        let Some(earlier) = self.undo.pop() else { return };
        let end = position(&self.buffer, self.buffer.len(), self.units);
        let range = json!({"start": {"line": 0, "character": 0}, "end": end});
        self.buffer = earlier;
        self.user_has_changed = true;
        self.tell_change(vec![json!({"range": range, "text": plain(&self.buffer)})]);
    }

    fn format_and_save(&mut self) {
        self.change(&[Splice { range: 0..0, text: "formatted\n".into() }], Author::File);
        self.save();
    }

    fn save(&mut self) {
        self.send_changes();
        self.write_file();
        self.notify("textDocument/didSave", json!({"textDocument": {"uri": self.uri}}));
    }

    fn write_file(&mut self) {
        let text = plain(&self.buffer);
        self.saved = match self.format {
            Format::Lf | Format::CrLf | Format::Mixed => text.into_bytes(),
            Format::CrLfHidden => text.replace('\n', "\r\n").into_bytes(),
            Format::Bom => format!("\u{feff}{text}").into_bytes(),
            Format::Utf16 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Format::Latin1 => text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect(),
        };
        std::fs::write(&self.path, &self.saved).unwrap();
    }

    /// Holds what the model was told of a call against what happened.
    pub(super) fn judge(&self, call: usize, result: &str, tally: &mut Tally) {
        let seed = self.seed;
        let arrived = self.arrived[call];
        let is_uncertain =
            result.contains("may have been applied to") || result.contains("something else stands");
        if result.starts_with("typed.txt: +") {
            assert!(arrived.is_some(), "seed {seed}: call {call} was never applied: {result}");
            tally.applied += 1;
            tally.merged += u64::from(result.contains("changed further"));
        } else if is_uncertain {
            tally.uncertain += 1;
        } else {
            assert!(arrived.is_none(), "seed {seed}: call {call} was applied: {result}");
            tally.refused += 1;
        }
        let blames_user = result.contains("unsaved changes of the user");
        assert!(!blames_user || arrived == Some(true), "seed {seed}: call {call} blames the user: {result}");
    }

    /// Holds what the model reads against what the editor shows, and the disk against what was saved.
    pub(super) fn compare(&self, read: &str) {
        let seed = self.seed;
        let shown = plain(&self.buffer);
        let without_end = |text: &str| text.replace("\r\n", "\n").trim_end_matches('\n').to_owned();
        assert_eq!(without_end(read), without_end(&shown), "seed {seed}: {:?}", self.format);
        assert_eq!(std::fs::read(&self.path).unwrap(), self.saved, "seed {seed}: the server wrote the file");
    }

    /// Closes the connection.
    pub(super) async fn close(mut self) {
        self.request("shutdown", Value::Null).await;
        self.notify("exit", Value::Null);
        self.flush().await;
        self.connection.await.unwrap();
    }

    async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send_request(method, params);
        loop {
            let frame = self.receive().await;
            if frame["id"] == id && frame.get("method").is_none() {
                assert!(frame.get("error").is_none(), "seed {}: {frame}", self.seed);
                return frame["result"].clone();
            }
        }
    }

    fn send_request(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = json!(format!("e{}", self.last_id));
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn answer(&mut self, id: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    fn send(&mut self, message: &Value) {
        self.out.extend(Framing::Lines.wrap(message.to_string().as_bytes()));
    }

    /// Sends what waits, then returns the next frame.
    async fn receive(&mut self) -> Value {
        self.flush().await;
        let frame = tokio::time::timeout(tests::background::DEADLINE, self.frames.next()).await;
        let frame = frame.unwrap_or_else(|_| panic!("seed {}: the server is silent", self.seed));
        serde_json::from_slice(&frame.unwrap().unwrap()).unwrap()
    }

    async fn flush(&mut self) {
        let out = std::mem::take(&mut self.out);
        // A server that has closed the connection is noticed by reading.
        let _ = self.to_server.write_all(&out).await;
    }
}

impl Format {
    const ALL: [Self; 7] =
        [Self::Lf, Self::CrLf, Self::Mixed, Self::CrLfHidden, Self::Bom, Self::Utf16, Self::Latin1];
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len() as u64) as usize]
}

//! What the program itself knows to have happened, for the whole session. No model has a hand in it.

mod latest;

use serde::Deserialize;

use super::material::clip;
use crate::journal::history::fence;
use crate::journal::record::{AssistantRecord, BlockRecord, StopRecord, ToolResultRecord, UndoRecord};
use crate::journal::{Record, Stored};
use crate::tokens;
use latest::Latest;

/// Of those changed, and of those read.
const FILES: usize = 60;
const COMMANDS: usize = 30;
const COMMAND_CHARS: usize = 200;
const INSTRUCTION_CHARS: usize = 4_000;

#[derive(Debug, Default)]
struct Ledger {
    changed: Latest<Hash>,
    /// And not changed.
    read: Latest<Hash>,
    commands: Latest<Ending>,
    /// Calls of the last answer that run a command: call id and command.
    running: Vec<(String, String)>,
    instruction: Option<String>,
    is_answered: bool,
}

/// Of a file, as it was last seen.
#[derive(Debug)]
enum Hash {
    Known(String),
    TakenBack,
}

#[derive(Debug)]
enum Ending {
    Exited(i32),
    Failed,
    /// It runs in the background, or was ended by a signal.
    NoCode,
    NoResult,
}

/// Tells of the whole branch, as compact Markdown. Lists are shorter where there is little room.
pub(super) fn ledger(branch: &[Stored], max_tokens: u64) -> String {
    let mut ledger = Ledger::default();
    for stored in branch {
        match &stored.record {
            Record::User(user) => ledger.instruction(&user.text),
            Record::Steering(steering) => ledger.instruction(&steering.text),
            Record::Assistant(answer) => ledger.answer(answer),
            Record::ToolResult(result) => ledger.result(result),
            Record::Undo(undo) => ledger.undo(undo),
            Record::Compaction(_) | Record::ModelChange(_) | Record::Note(_) => {}
        }
    }
    let mut fraction = 1;
    loop {
        let rendered = ledger.render(fraction);
        if tokens::of_text(&rendered) <= max_tokens || fraction > FILES {
            return rendered;
        }
        fraction *= 2;
    }
}

impl Ledger {
    fn instruction(&mut self, text: &str) {
        self.instruction = Some(text.to_owned());
        self.is_answered = false;
    }

    fn answer(&mut self, answer: &AssistantRecord) {
        self.running.clear();
        self.is_answered = matches!(answer.stop, StopRecord::Stop) && !answer.interrupted;
        for block in &answer.blocks {
            let BlockRecord::ToolCall { call_id, arguments, .. } = block else { continue };
            self.is_answered = false;
            if let Some(command) = command(arguments) {
                self.commands.touch(&command, Ending::NoResult);
                self.running.push((call_id.clone(), command));
            }
        }
    }

    fn result(&mut self, result: &ToolResultRecord) {
        if let Some(at) = self.running.iter().position(|(call_id, _)| *call_id == result.call_id) {
            let (_, command) = self.running.remove(at);
            let ending = match (result.exit_code, result.ok) {
                (Some(code), _) => Ending::Exited(code),
                (None, true) => Ending::NoCode,
                (None, false) => Ending::Failed,
            };
            self.commands.touch(&command, ending);
        }
        for file in &result.files {
            let hash = Hash::Known(file.hash.clone());
            if result.diff.is_some() || self.changed.contains(&file.path) {
                self.read.remove(&file.path);
                self.changed.touch(&file.path, hash);
            } else {
                self.read.touch(&file.path, hash);
            }
        }
    }

    fn undo(&mut self, undo: &UndoRecord) {
        for path in &undo.files {
            if self.changed.contains(path) {
                self.changed.touch(path, Hash::TakenBack);
            }
        }
    }

    /// With a `1/fraction` of what may be shown.
    fn render(&self, fraction: usize) -> String {
        let changed = self.changed.latest_first(Hash::line);
        let read = self.read.latest_first(Hash::line);
        let commands = self.commands.latest_first(Ending::line);
        let mut out =
            list("Files changed, latest first, with their hash as last seen:", &changed, FILES / fraction);
        out += &list("Files read and not changed:", &read, FILES / fraction);
        out += &list("Commands run, latest first:", &commands, COMMANDS / fraction);
        if let Some(instruction) = &self.instruction {
            let instruction = clip(instruction.trim(), INSTRUCTION_CHARS / fraction);
            let state = if self.is_answered { "answered" } else { "not answered yet" };
            let fence = fence(&instruction);
            out += &format!(
                "The user's last instruction, word for word ({state}):\n{fence}\n{instruction}\n{fence}\n"
            );
        }
        out
    }
}

fn list(title: &str, lines: &[String], max: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut out = format!("{title}\n");
    for line in lines.iter().take(max) {
        out += &format!("- {line}\n");
    }
    if lines.len() > max {
        out += &format!("- and {} more\n", lines.len() - max);
    }
    out + "\n"
}

/// The command that a call runs, on one line.
fn command(arguments: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Arguments {
        command: String,
    }
    let Arguments { command } = serde_json::from_str(arguments).ok()?;
    Some(command.trim().lines().collect::<Vec<_>>().join(" ⏎ "))
}

/// The beginning of a line that is longer than so many characters.
fn cut(line: &str, max_chars: usize) -> String {
    match line.char_indices().nth(max_chars) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

impl Hash {
    fn line(&self, path: &str) -> String {
        match self {
            Self::Known(hash) => format!("{path} {hash}"),
            Self::TakenBack => format!("{path} (changes taken back)"),
        }
    }
}

impl Ending {
    fn line(&self, command: &str) -> String {
        let command = cut(command, COMMAND_CHARS);
        match self {
            Self::Exited(code) => format!("exit code {code}: {command}"),
            Self::Failed => format!("failed or refused: {command}"),
            Self::NoCode => format!("no exit code: {command}"),
            Self::NoResult => format!("no result: {command}"),
        }
    }
}

#[cfg(test)]
mod tests;

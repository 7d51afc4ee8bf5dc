//! A user who types against the agent, a million times if asked to: one document, an agent that edits it, and
//! an editor that applies, merges, delays, refuses, ignores or forgets edits.
//!
//! Whatever the interleaving, these hold:
//! - No keystroke is lost: no edit of the agent removes what the user typed.
//! - No edit is half applied: all replacements of a call arrive at once or none does.
//! - What the model is told is what happened, and nobody who has typed nothing is named for unsaved changes.
//! - The server never writes the file of an open document: what is on disk was saved by the editor.
//! - What the model reads afterwards is what the editor shows.
//!
//! `OPAL_TYPING_ROUNDS` is the number of edits (1,000 by default) and `OPAL_TYPING_SEED` chooses others. Each turn has
//! a seed of its own, which a failure names.

mod editor;
mod plan;
mod typed;

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::FakeModel;

use crate::crash::{Random, number};
use editor::Editor;
use plan::Plan;

/// Edits in one turn.
const EDITS: u64 = 10;
/// Turns for which one server lives.
const TURNS: u64 = 100;
/// How long the server waits for this editor: an edit it forgets costs as much.
const PATIENCE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn no_keystroke_is_lost_and_no_edit_is_half_applied() {
    let rounds = number("OPAL_TYPING_ROUNDS", 1_000);
    let seed = number("OPAL_TYPING_SEED", 777_000);
    let mut tally = Tally::default();
    let turns = rounds.div_ceil(EDITS);
    for first in (0..turns).step_by(TURNS as usize) {
        let model = FakeModel::start().await;
        let house = House::new(&model);
        for turn in first..turns.min(first + TURNS) {
            house.turn(seed.wrapping_add(turn), &model, &mut tally).await;
        }
    }
    println!("{rounds} edits from the seed {seed}: {tally:?}");
}

/// How the edits ended, for whoever wants to know that every end is reached.
#[derive(Debug, Default)]
struct Tally {
    applied: u64,
    merged: u64,
    refused: u64,
    uncertain: u64,
    keystrokes: u64,
}

/// A server in memory and the directory that its editors work in.
struct House {
    server: opal::Server,
    root: TempDir,
}

impl House {
    fn new(model: &FakeModel) -> Self {
        // Millions of small durable writes: in memory where the system has such a directory.
        let memory = std::path::Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = TempDir::with_prefix_in("opal-story-", place.canonicalize().unwrap()).unwrap();
        let toml = format!(
            "model = \"fake/fake-model\"\n[providers.fake]\nbase_url = \"{}\"\n\
             models = [{{ id = \"fake-model\", context_window = 1000000 }}]\n",
            model.url()
        );
        let mut settings = opal::Settings::from_toml(&toml).unwrap();
        settings.data_dir = root.path().join("data");
        let limits = opal::Limits {
            apply_edit: PATIENCE,
            verify_edit: PATIENCE,
            late_change: PATIENCE,
            save_documents: PATIENCE,
            ..opal::Limits::default()
        };
        Self { server: opal::Server::new(settings, limits), root }
    }

    /// Plays one turn in an editor, a document and a session of its own.
    async fn turn(&self, seed: u64, model: &FakeModel, tally: &mut Tally) {
        let mut random = Random(seed);
        let directory = self.root.path().join(format!("{seed}"));
        std::fs::create_dir(&directory).unwrap();
        let mut editor = Editor::open(&self.server, &directory, seed, &mut random).await;
        let plan = Plan::new(editor.lines(), EDITS, &mut random);
        model.next(|answer| {
            plan.calls().fold(answer, |answer, edits| {
                answer.tool("edit", json!({"path": "typed.txt", "edits": edits}))
            })
        });
        model.next(|answer| answer.text("Done."));
        editor.prompt("Edit it.", &plan).await;
        let results = model.last_request().results();
        assert_eq!(results.len(), plan.len(), "seed {seed}: {results:#?}");
        for (number, result) in results.iter().enumerate() {
            editor.judge(number, result, tally);
        }

        // The user rests, and the model looks at what stands.
        editor.rest();
        model.next(|answer| answer.tool("read", json!({"path": "typed.txt"})));
        model.next(|answer| answer.text("Read."));
        editor.prompt("Read it.", &plan).await;
        editor.compare(&model.last_request().last_result());
        tally.keystrokes += editor.keystrokes();
        editor.close().await;
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

//! A prompt and what comes of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::editor::{Editor, Seen};

/// A turn that was started. It reads the conversation from there on: each wait begins where the one before
/// has ended.
#[derive(Debug)]
pub struct Turn {
    editor: Editor,
    pub session: String,
    pub turn_id: String,
    began: usize,
    from: AtomicUsize,
}

impl Turn {
    pub(super) fn new(editor: Editor, session: String, turn_id: String, began: usize) -> Self {
        Self { editor, session, turn_id, began, from: AtomicUsize::new(began) }
    }

    /// Waits for a request or notification of this name, or an event of this type.
    pub async fn until(&self, name: &str) -> Seen {
        self.until_where(name, |_| true).await
    }

    /// As [`Turn::until`], for one that fits.
    pub async fn until_where(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Seen {
        let from = self.from.load(Ordering::Relaxed);
        let seen = self.editor.until(Some(&self.session), from, name, fits).await;
        self.from.store(seen.at + 1, Ordering::Relaxed);
        seen
    }

    /// Waits for the end of the run; returns the reason.
    pub async fn end(&self) -> String {
        let ended = self.editor.until(Some(&self.session), self.began, "agent_end", |_| true).await;
        ended["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for the result of the next tool call that ends, and returns its text.
    pub async fn result(&self) -> Result<String, String> {
        let ended = self.until("tool_execution_end").await;
        let result = &ended["result"];
        let text = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
        match result["ok"] == true {
            true => Ok(text("output")),
            false => Err(text("error")),
        }
    }

    /// Aborts the run and waits until it has stopped.
    pub async fn abort(&self) -> Value {
        let result = self.editor.request("agent/abort", json!({ "session_id": self.session })).await;
        result.unwrap_or_else(|error| panic!("the abort was refused: {error}\n{}", self.editor))
    }
}

//! What every model is told first.

use std::sync::Arc;

use text::AbsPath;

/// Opal's own words, or the ones that replace them, and where the session is. Fixed for a session, so
/// that the beginning of every request stays the same.
pub fn instructions(system_prompt: Option<&str>, working_dir: &AbsPath, shell: &str) -> Arc<str> {
    let words = system_prompt.unwrap_or(include_str!("instructions.md")).trim_end();
    let os = std::env::consts::OS;
    format!("{words}\n\nWorking directory: {working_dir}\nOperating system: {os}\nShell: {shell}\n").into()
}

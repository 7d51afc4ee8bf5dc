//! Places in files as the model is shown them: `path:line: text`.

use std::collections::HashSet;

use crate::call::Call;
use crate::client_tools::Location;
use crate::permission::Action;
use crate::workspace::{File, FileName};

/// Lines of one result.
const MAX_LINES: usize = 100;
/// Characters of a line, and how far into it is looked for them.
const MAX_CHARS: usize = 200;
const MAX_SEARCHED: usize = 2_000;
/// Characters of a name.
pub(super) const MAX_NAME: usize = 120;

/// The places in order, each with its line as far as it may be read unasked.
pub(super) async fn quoted(locations: Vec<Location>, call: &Call) -> String {
    let locations = in_order(locations, call);
    let n_files = locations.iter().map(|location| &location.name).collect::<HashSet<_>>().len();
    let n_left_out = locations.len().saturating_sub(MAX_LINES);
    let mut out = format!("{} in {}\n", count(locations.len(), "line"), count(n_files, "file"));
    let mut is_hidden = false;
    for places in locations[..locations.len() - n_left_out].chunk_by(|a, b| a.name == b.name) {
        let Some(first) = places.first() else { continue };
        let may_read = may_read(&first.name, call).await;
        is_hidden |= !may_read;
        let file = if may_read { call.context.workspace.read(&first.name).await.ok() } else { None };
        for place in places {
            out += &format!("{}{}\n", shown(place, call), line(file.as_ref(), place.line));
        }
    }
    if n_left_out > 0 {
        out += &format!("[and {} more]\n", count(n_left_out, "line"));
    }
    if is_hidden {
        out += "[what is outside the workspace is not quoted; `read` asks the user]\n";
    }
    out.truncate(out.trim_end().len());
    out
}

/// `path:line`
pub(super) fn shown(location: &Location, call: &Call) -> String {
    format!("{}:{}", call.context.display(&location.name), location.line.saturating_add(1))
}

/// Whether the rules let the file be read without asking.
pub(super) async fn may_read(name: &FileName, call: &Call) -> bool {
    let FileName::Path(path) = name else { return true };
    match call.wait(call.context.workspace.resolve(path)).await {
        Ok(Ok(resolved)) => matches!(call.decide(Action::Read { path: &resolved }), Ok(None)),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// `1 line`, `2 lines`
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// As many lines as are shown, and how many more there are.
pub(super) fn shorten(lines: &mut Vec<String>, noun: &str) {
    let n_left_out = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if n_left_out > 0 {
        lines.push(format!("[and {} more]", count(n_left_out, noun)));
    }
}

/// On one line and cut.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = words.char_indices().nth(max_chars) {
        words.truncate(at);
        words.push('…');
    }
    words
}

/// By file and line, each line once: several language servers may tell of the same.
fn in_order(mut locations: Vec<Location>, call: &Call) -> Vec<Location> {
    locations.sort_by_cached_key(|location| (call.context.display(&location.name), location.line));
    locations.dedup();
    locations
}

fn line(file: Option<&File>, line: usize) -> String {
    let text = file.and_then(|file| file.text.get_line(line));
    let text = text.map(|text| text.chars().take(MAX_SEARCHED).collect::<String>());
    text.map(|text| format!(": {}", cut(&text, MAX_CHARS))).unwrap_or_default()
}

//! Whether commands were left running.

use std::path::Path;
use std::time::Duration;

/// The environment variable that marks what a story started, with the story's directory as its value.
pub const MARK: &str = "STORY_DIRECTORY";

/// Waits until no process of a story is left; returns those that stay.
///
/// A process belongs to a story if it runs in its directory or carries its mark. Looks at `/proc`; where there
/// is none it finds nothing.
pub async fn left_behind(directory: &Path) -> Vec<String> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        if processes_in(directory).is_empty() {
            return Vec::new();
        }
        tokio::time::sleep(Duration::from_millis(30)).await; // The kernel tells nobody when they are gone.
    }
    processes_in(directory)
}

/// The processes of a story that run now, each as its id and command line.
pub fn processes_in(directory: &Path) -> Vec<String> {
    let mark = format!("{MARK}={}", directory.display());
    let own = std::process::id().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found = Vec::new();
    for id in ids.filter(|id| *id != own && id.bytes().all(|byte| byte.is_ascii_digit())) {
        let process = Path::new("/proc").join(&id);
        let runs_there = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let is_marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        if (runs_there || is_marked) && !is_zombie(&process) {
            let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
            found.push(format!("{id} {}", String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// Dead, and only waiting to be reaped by a parent that may be this test.
fn is_zombie(process: &Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

//! Linux: the processes below this one, found and killed.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// The directory in which the system shows its processes.
const PROC: &str = "/proc";
/// Pauses between rounds of killing: the first, and the one after which the rest is given up. What hangs in the
/// kernel, or belongs to another user, cannot be killed.
const KILL_ROUNDS: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];

/// The processes below this one, those that have ended left out. An error: the system does not show them.
pub(super) fn descendants() -> io::Result<Vec<Pid>> {
    descendants_in(Path::new(PROC), &[])
}

/// Kills descendants until none is left: one may have started another one meanwhile. The `spared` stay, and so does
/// all that is below them. An error: the system does not show which there are.
pub(super) fn kill_descendants(spared: &[Pid]) -> io::Result<()> {
    let [mut pause, longest] = KILL_ROUNDS;
    while pause < longest {
        let descendants = descendants_in(Path::new(PROC), spared)?;
        if descendants.is_empty() {
            break;
        }
        for pid in descendants {
            // Gone already is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(pause);
        pause *= 2;
    }
    Ok(())
}

fn descendants_in(proc: &Path, spared: &[Pid]) -> io::Result<Vec<Pid>> {
    let own = getpid();
    // In a namespace of processes without a `/proc` of its own, the ids there are those of other processes.
    if std::fs::read_link(proc.join("self"))?.as_os_str() != OsStr::new(&id(own).to_string()) {
        return Err(io::Error::other("the processes shown are those of another namespace"));
    }
    let processes: Vec<(i32, i32)> = std::fs::read_dir(proc)?
        .flatten()
        .filter_map(|entry| with_parent(&entry.file_name(), &entry.path()))
        .filter(|(pid, _)| spared.iter().all(|spared| id(*spared) != *pid))
        .collect();
    let mut found = vec![id(own)];
    let mut n_visited = 0;
    while let Some(parent) = found.get(n_visited).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        n_visited += 1;
    }
    Ok(found.into_iter().skip(1).filter_map(Pid::from_raw).collect())
}

fn id(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// A process's id and its parent's, by its directory in `/proc`.
fn with_parent(name: &OsStr, directory: &Path) -> Option<(i32, i32)> {
    let pid = name.to_str()?.parse().ok()?;
    let stat = std::fs::read(directory.join("stat")).ok()?;
    // As in `17 (name) S 1 …`, where the name may hold anything.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = std::str::from_utf8(stat.get(after_name..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some((pid, parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_not_none_where_they_cannot_be_seen() {
        let proc = tempfile::tempdir().unwrap();
        assert!(descendants_in(proc.path(), &[]).is_err());
        std::os::unix::fs::symlink("0", proc.path().join("self")).unwrap();
        assert!(descendants_in(proc.path(), &[]).is_err());
    }

    #[test]
    fn a_spared_process_is_left_out() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(descendants().unwrap().contains(&pid));
        assert!(!descendants_in(Path::new(PROC), &[pid]).unwrap().contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

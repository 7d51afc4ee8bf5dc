//! Programs by name: what Opal itself starts, such as the shell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::platform;

/// Finds the program in the directories of PATH, or takes the absolute path that is named.
///
/// An entry of PATH that is empty or relative means the current directory, which is the project: its files
/// must not become Opal's programs. <https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html>
pub fn find_program(name: &str) -> Option<PathBuf> {
    find_in(name, &std::env::var_os("PATH").unwrap_or_default())
}

fn find_in(name: &str, search: &OsStr) -> Option<PathBuf> {
    let candidates = |directory: PathBuf| {
        platform::EXECUTABLE_SUFFIXES.iter().map(move |suffix| directory.join(format!("{name}{suffix}")))
    };
    if Path::new(name).is_absolute() {
        return Some(PathBuf::from(name)).filter(|path| platform::is_executable(path));
    }
    // `./name` and the like name a file of the project as well.
    if name.is_empty() || Path::new(name).file_name() != Some(OsStr::new(name)) {
        return None;
    }
    std::env::split_paths(search)
        .filter(|directory| directory.is_absolute())
        .flat_map(candidates)
        .find(|candidate| platform::is_executable(candidate))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Two directories: `plain/tool` cannot be run, `run/tool` can, and `plain/run` is a directory.
    fn check(name: &str, search: &[&str], expected: Option<&str>) {
        let root = tempfile::tempdir().unwrap();
        for (file, mode) in [("plain/tool", 0o644), ("run/tool", 0o755)] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(root.path().join("plain/run")).unwrap();
        let shown = root.path().to_str().unwrap();
        let search: Vec<String> = search.iter().map(|entry| entry.replace("ROOT", shown)).collect();
        let found = find_in(&name.replace("ROOT", shown), OsStr::new(&search.join(":")));
        assert_eq!(found, expected.map(|path| root.path().join(path)));
    }

    #[test]
    fn only_absolute_entries_and_executable_files_are_programs() {
        check("tool", &["ROOT/plain", "ROOT/run"], Some("run/tool"));
        check("tool", &["ROOT/plain"], None);
        check("run", &["ROOT/plain"], None);
        check("ROOT/run/tool", &[], Some("run/tool"));
        check("ROOT/plain/tool", &[], None);
        check("run/tool", &["ROOT"], None);
        check("", &["ROOT/run"], None);
        // The tests run in the directory of their crate, where there is such a file.
        assert!(fs::exists("Cargo.toml").unwrap());
        for entries in [&["", "ROOT/plain"][..], &["."], &["src/.."]] {
            check("Cargo.toml", entries, None);
        }
    }

    /// A file of the current directory that could be run.
    #[test]
    fn an_empty_entry_is_not_the_current_directory() {
        let here = tempfile::tempdir_in(".").unwrap();
        let tool = here.path().join("tool");
        fs::write(&tool, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let relative = here.path().file_name().unwrap();
        assert_eq!(find_in("tool", relative), None);
    }
}

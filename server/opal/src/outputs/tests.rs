use std::fs::File;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Outputs of sessions, each with its days and bytes, and the names of those that a sweep leaves.
fn swept(all: &[(&str, u32, usize)], bytes: u64) -> Vec<String> {
    let data = tempfile::tempdir().unwrap();
    let outputs = Outputs::new(data.path());
    let now = SystemTime::now();
    for (name, days, n_bytes) in all {
        let path = outputs.directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x".repeat(*n_bytes)).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(now - DAY * *days).unwrap();
    }
    outputs.sweep_to(now, bytes);
    let mut left: Vec<String> = files(&outputs.directory)
        .flat_map(|session| {
            let in_it: Vec<PathBuf> = files(&session).collect();
            assert!(!in_it.is_empty(), "{} is empty", session.display());
            in_it
        })
        .map(|path| path.strip_prefix(&outputs.directory).unwrap().display().to_string())
        .collect();
    left.sort();
    left
}

#[test]
#[cfg(unix)]
fn what_is_old_goes_and_the_oldest_of_what_is_too_much() {
    let all = [
        ("a/1.txt", 31, 10),
        ("a/2.txt", 29, 10),
        ("b/1.txt", 40, 10),
        ("c/1.txt", 2, 10),
        ("c/2.txt", 0, 10),
    ];
    assert_eq!(swept(&all, 1_000), ["a/2.txt", "c/1.txt", "c/2.txt"]);
    assert_eq!(swept(&all, 20), ["c/1.txt", "c/2.txt"]);
    assert_eq!(swept(&all, 0), ["c/2.txt"], "what was written today stays");
    assert_eq!(swept(&[], 0), [""; 0]);
}

#[test]
fn a_session_takes_its_outputs_along() {
    let data = tempfile::tempdir().unwrap();
    let outputs = Outputs::new(data.path());
    let [one, other] = ["one", "other"].map(|id| SessionId::parse(id).unwrap());
    for session in [&one, &other] {
        fs::create_dir_all(outputs.of(session.as_str())).unwrap();
        fs::write(outputs.of(session.as_str()).join("1.txt"), "long").unwrap();
    }
    outputs.forget(&one);
    outputs.forget(&one);
    assert!(!outputs.of("one").exists() && outputs.of("other").exists());
}

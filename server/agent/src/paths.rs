//! Paths as models and users write them.

use std::env;
use std::path::is_separator;

use text::AbsPath;

use crate::workspace::FileName;

/// Quotes that models put around a path.
const QUOTES: &[(char, char)] = &[('"', '"'), ('\'', '\''), ('`', '`'), ('<', '>'), ('“', '”'), ('‘', '’')];

/// How often a path is corrected before it is given up.
const MAX_READINGS: usize = 16;

/// Returns the file of this name: a path relative to the working directory, an absolute one, one that begins with `~`
/// for the home directory, or the URI of an open document. A directory called `~` is `./~`.
pub(crate) fn name(written: &str, working_dir: &AbsPath, home: Option<&AbsPath>) -> FileName {
    if let (Some(in_home), Some(home)) = (in_home(written), home) {
        return FileName::Path(home.join(in_home));
    }
    match written.split_once(':') {
        Some(("file", _)) => match AbsPath::from_uri(written) {
            Ok(path) => FileName::Path(path),
            Err(_) => FileName::Path(working_dir.join(written)),
        },
        Some(("untitled", _)) => FileName::Document(written.into()),
        _ => FileName::Path(working_dir.join(written)),
    }
}

pub(crate) fn home() -> Option<AbsPath> {
    AbsPath::new(env::home_dir()?).ok()
}

/// Returns what follows `~` and the separators behind it.
fn in_home(written: &str) -> Option<&str> {
    let rest = written.strip_prefix('~')?;
    let relative = rest.trim_start_matches(is_separator);
    (rest.is_empty() || relative.len() < rest.len()).then_some(relative)
}

/// Returns what else may have been meant, the likeliest first: without quotes, spaces around it, a leading `@`, a
/// line number, and so on.
pub(crate) fn other_readings(written: &str) -> Vec<String> {
    let mut readings = vec![written.to_owned()];
    let mut at = 0;
    while let Some(reading) = readings.get(at).cloned() {
        let fixes =
            [never_meant(&reading), without_at(&reading), with_slashes(&reading), without_line(&reading)];
        for fixed in fixes.into_iter().flatten() {
            if !fixed.is_empty() && !readings.contains(&fixed) && readings.len() < MAX_READINGS {
                readings.push(fixed);
            }
        }
        at += 1;
    }
    readings.remove(0);
    readings
}

/// Returns the path without what nobody wants in the name of a file.
pub(crate) fn never_meant(written: &str) -> Option<String> {
    let trimmed = written.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if trimmed.len() < written.len() {
        return Some(trimmed.into());
    }
    for (open, close) in QUOTES {
        if let Some(inner) = written.strip_prefix(*open).and_then(|rest| rest.strip_suffix(*close)) {
            return Some(inner.into());
        }
    }
    for home in ["$HOME", "${HOME}"] {
        if let Some(rest) =
            written.strip_prefix(home).filter(|rest| rest.is_empty() || rest.starts_with(is_separator))
        {
            return Some(format!("~{rest}"));
        }
    }
    let rest = written.strip_prefix("file:").filter(|_| AbsPath::from_uri(written).is_err())?;
    Some(rest.strip_prefix("//").unwrap_or(rest).into())
}

/// As in a mention, `@src/main.rs`.
fn without_at(written: &str) -> Option<String> {
    written.strip_prefix('@').map(str::to_owned)
}

/// As on Windows, `src\main.rs`, or escaped for a shell, `my\ file`.
fn with_slashes(written: &str) -> Option<String> {
    (cfg!(not(windows)) && written.contains('\\')).then(|| written.replace("\\ ", " ").replace('\\', "/"))
}

/// As in the output of a compiler, `src/main.rs:12:5`.
fn without_line(written: &str) -> Option<String> {
    let (path, number) = written.trim_end_matches(':').rsplit_once(':')?;
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-').then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &str) -> AbsPath {
        AbsPath::new(std::env::temp_dir()).unwrap().join(path)
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let (work, home) = (root("work"), root("home"));
        for (written, path) in [
            ("~", home.clone()),
            ("~/", home.clone()),
            ("~/made/x.txt", home.join("made/x.txt")),
            ("~//x", home.join("x")),
            ("~/../x", home.join("../x")),
            ("./~", work.join("./~")),
            ("./~/x", work.join("./~/x")),
            ("a/~/x", work.join("a/~/x")),
            ("~x", work.join("~x")),
            ("~$report.docx", work.join("~$report.docx")),
            ("a", work.join("a")),
        ] {
            assert_eq!(name(written, &work, Some(&home)), FileName::Path(path), "{written}");
        }
        assert_eq!(name("untitled:~", &work, Some(&home)), FileName::Document("untitled:~".into()));
    }

    #[test]
    fn slips_have_other_readings() {
        for (written, readings) in [
            ("a b.txt", &[] as &[&str]),
            ("src/main.rs", &[]),
            ("./@types", &[]),
            ("c:1x", &[]),
            ("\"a\"", &["a"]),
            ("'~/a'", &["~/a"]),
            ("`a`", &["a"]),
            ("a \n", &["a"]),
            ("@a", &["a"]),
            ("@\"a b\"", &["\"a b\"", "a b"]),
            ("src/main.rs:12", &["src/main.rs"]),
            ("src/main.rs:12:5", &["src/main.rs:12", "src/main.rs"]),
            ("src/main.rs:12-20:", &["src/main.rs"]),
            ("file://src/main.rs", &["src/main.rs"]),
            ("$HOME/a", &["~/a"]),
            ("${HOME}/a", &["~/a"]),
            ("$HOMER/a", &[]),
            ("\"", &[]),
            ("", &[]),
        ] {
            assert_eq!(other_readings(written), readings, "{written}");
        }
        if cfg!(not(windows)) {
            assert_eq!(other_readings("src\\main.rs"), ["src/main.rs"]);
            assert_eq!(other_readings("my\\ file"), ["my file"]);
        }
    }
}

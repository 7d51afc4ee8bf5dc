//! A data directory that other users of the machine can get at.
//!
//! `config.toml` names programs that Opal runs and may hold keys, and `auth.json` holds the sign-in.

use std::fs;
use std::path::Path;

use crate::platform::{Access, others};

/// Returns what is open to others, and what to do about it.
pub(super) fn warnings(data_dir: &Path) -> Vec<String> {
    warnings_from(data_dir, data_dir.ancestors().skip(1))
}

/// As [`warnings`], for a data directory in these directories.
fn warnings_from<'a>(data_dir: &Path, above: impl Iterator<Item = &'a Path>) -> Vec<String> {
    // What is not there is open to nobody.
    let look = |path: &Path| fs::metadata(path).map(|metadata| others(&metadata)).unwrap_or_default();
    // Who cannot enter the home directory gets no further.
    let reach = above.map(|directory| look(directory).enter).fold(Access::ALL, Access::and);
    let shown = data_dir.display();
    let data = look(data_dir);
    if data.is_foreign {
        return vec![format!(
            "{shown} belongs to another user, who can change what Opal runs; set OPAL_DATA_DIR to a directory \
             of your own"
        )];
    }
    if data.write.and(data.enter).and(reach).is_any() {
        return vec![format!(
            "other users can write in {shown}, and so change what Opal runs; run `chmod 700 {shown}`"
        )];
    }
    let reach = reach.and(data.enter);
    let files = ["auth.json", "config.toml"].map(|name| data_dir.join(name));
    let exposed = files.into_iter().filter_map(|path| {
        let file = look(&path);
        let verb = match (file.write.and(reach).is_any(), file.read.and(reach).is_any()) {
            (true, _) => "change",
            (_, true) => "read",
            _ => return None,
        };
        let path = path.display();
        Some(format!("other users can {verb} {path}; run `chmod 600 {path}`"))
    });
    exposed.collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[track_caller]
    fn check([home, directory, config, auth]: [u32; 4], expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let home_dir = root.path().join("home");
        let data_dir = home_dir.join("data");
        fs::create_dir_all(&data_dir).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (name, mode) in [("config.toml", config), ("auth.json", auth)] {
            fs::write(data_dir.join(name), "").unwrap();
            set(&data_dir.join(name), mode);
        }
        set(&data_dir, directory);
        set(&home_dir, home);
        let shown = data_dir.display().to_string();
        let told: Vec<String> = warnings_from(&data_dir, [home_dir.as_path()].into_iter())
            .iter()
            .map(|it| it.replace(&shown, "DATA"))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_data_directory_open_to_others_is_warned_of() {
        const WRITE: &str =
            "other users can write in DATA, and so change what Opal runs; run `chmod 700 DATA`";
        check([0o755, 0o700, 0o666, 0o666], &[]);
        check([0o700, 0o777, 0o666, 0o666], &[]);
        check(
            [0o750, 0o755, 0o644, 0o600],
            &["other users can read DATA/config.toml; run `chmod 600 DATA/config.toml`"],
        );
        check([0o755, 0o755, 0o600, 0o600], &[]);
        check([0o755, 0o777, 0o600, 0o600], &[WRITE]);
        check([0o755, 0o770, 0o600, 0o600], &[WRITE]);
        check(
            [0o755, 0o755, 0o620, 0o604],
            &[
                "other users can read DATA/auth.json; run `chmod 600 DATA/auth.json`",
                "other users can change DATA/config.toml; run `chmod 600 DATA/config.toml`",
            ],
        );
    }

    #[test]
    fn a_data_directory_that_is_not_there_is_open_to_nobody() {
        let root = tempfile::tempdir().unwrap();
        assert!(warnings(&root.path().join("data")).is_empty());
    }
}

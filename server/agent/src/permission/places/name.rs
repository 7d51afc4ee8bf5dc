//! Names of files as disks compare them: several spellings are one file.
//!
//! The model is git, which refuses every spelling of `.git`: `is_hfs_dotgit` and `is_ntfs_dotgit`, see
//! <https://github.com/git/git/blob/v2.47.0/utf8.c#L702> and <https://github.com/git/git/blob/v2.47.0/path.c#L1424>.
//! All of it applies everywhere, because such disks are mounted everywhere.

/// A name in the one spelling that stands for all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn new(name: &str) -> Self {
        let seen: String = name.chars().filter(|char| !is_ignored(*char)).collect();
        // As in `.git::$INDEX_ALLOCATION`, a stream of a file, which is that file.
        let file = seen.split(':').next().unwrap_or_default();
        // Windows leaves out what is at the end.
        let file = file.trim_end_matches([' ', '.']);
        // Upper case first: it unites letters that fold to one, such as ſ and s.
        Self(file.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
    }

    /// Returns true if the pattern means this name. One `*` stands for any characters.
    pub(super) fn is(&self, pattern: &str) -> bool {
        let pattern = pattern.to_lowercase();
        match pattern.split_once('*') {
            None => self.0 == pattern || self.is_short_for(&pattern),
            Some((start, end)) => {
                let rest = self.0.strip_prefix(start);
                rest.is_some_and(|rest| rest.ends_with(end)) || (end.is_empty() && self.is_short_for(start))
            }
        }
    }

    /// Returns true for the name that Windows gives a file for old programs, as in `GIT~1` and `NVIM~1.LUA`.
    fn is_short_for(&self, name: &str) -> bool {
        let Some((stem, number)) = self.0.split_once('~') else { return false };
        let (number, extension) = number.split_once('.').unwrap_or((number, ""));
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let name = name.trim_start_matches('.');
        let (long_stem, long_extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let begins = |long: &str, short: &str, most: usize| {
            let kept: String = long.chars().filter(|char| *char != '.').take(most).collect();
            kept == short
        };
        is_number && begins(long_stem, stem, 6) && begins(long_extension, extension, 3)
    }
}

/// Characters that HFS+ does not look at when it compares names.
fn is_ignored(char: char) -> bool {
    matches!(char, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

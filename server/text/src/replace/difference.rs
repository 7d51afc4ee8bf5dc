//! What tells a text from the one that was looked for, where the eye does not see it.

use std::fmt;

use ropey::Rope;

use super::fold::is_invisible;

/// Lines of a region that are compared.
const MAX_LINES: usize = 200;
/// Characters shown before the difference.
const MAX_BEFORE: usize = 20;

/// Names the first difference between `wanted` and the text from a line on, if one of the differing
/// characters is blank, invisible or not ASCII. Other differences are seen at a glance.
///
/// `first_line` is 1-based.
pub(super) fn name(text: &Rope, first_line: usize, wanted: &str) -> Option<String> {
    let stand = text.get_lines_at(first_line - 1)?.map(|line| line.to_string());
    let mut lines = stand.zip(crate::diff::lines(wanted)).take(MAX_LINES).enumerate();
    let (idx, stands, wanted, at) = lines.find_map(|(idx, (stands, wanted))| {
        let (stands, wanted) = (unbroken(&stands).to_owned(), unbroken(wanted));
        let at = stands.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
        let is_equal = stands.chars().count() == at && wanted.chars().count() == at;
        (!is_equal).then_some((idx, stands, wanted, at))
    })?;
    let (there, given) = (stands.chars().nth(at), wanted.chars().nth(at));
    if !there.into_iter().chain(given).any(is_hard_to_see) {
        return None;
    }
    let before: Vec<char> = stands.chars().take(at).collect();
    let before: String = before[at.saturating_sub(MAX_BEFORE)..].iter().collect();
    let place = if before.is_empty() { "at its beginning".into() } else { format!("after `{before}`") };
    let line = first_line + idx;
    Some(format!("line {line} of the file has {} {place}, old_text has {}", Shown(there), Shown(given)))
}

fn is_hard_to_see(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || !c.is_ascii()
}

fn unbroken(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// A character as a sentence names it.
struct Shown(Option<char>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the end of the line"),
            Some('\t') => f.write_str("a tab"),
            Some(' ') => f.write_str("a space"),
            Some(c) if c.is_ascii_graphic() => write!(f, "`{c}`"),
            Some(c) if c.is_control() || c.is_whitespace() || is_invisible(c) => {
                write!(f, "U+{:04X}", u32::from(c))
            }
            Some(c) => write!(f, "`{c}` (U+{:04X})", u32::from(c)),
        }
    }
}

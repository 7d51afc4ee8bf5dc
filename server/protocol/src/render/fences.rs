//! The fenced blocks of a Markdown document: where its examples are.

/// One fenced block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence<'a> {
    /// The nearest `##` or `###` heading above, without its marks.
    pub section: &'a str,
    /// What follows the opening ticks: `json client`.
    pub info: &'a str,
    pub text: &'a str,
    /// Where the text begins, counted from 1.
    pub line: usize,
}

/// Finds the blocks of a document, in order. One that is not closed is left out.
#[must_use]
pub fn fences(document: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut section = "";
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = 0;
    for (idx, line) in document.split_inclusive('\n').enumerate() {
        let end = at + line.len();
        match (open, line.trim_end().strip_prefix("```")) {
            (None, Some(info)) => open = Some((info, end, idx + 2)),
            (Some((info, start, line)), Some("")) => {
                found.push(Fence { section, info, text: &document[start..at], line });
                open = None;
            }
            (None, None) => section = heading(line).unwrap_or(section),
            (Some(_), _) => {}
        }
        at = end;
    }
    found
}

fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")).map(str::trim)
}

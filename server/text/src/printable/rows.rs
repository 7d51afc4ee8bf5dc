//! A text that a person is asked about, in rows: as much as can be read, and never less than is said.

use super::{printable, printable_line};

/// Spaces in a row that are shown as such; more would push what follows out of sight.
const MAX_SPACES: usize = 40;
/// Empty lines in a row that are shown as such.
const MAX_EMPTY: usize = 4;
/// Begins a row that continues the line above.
const CONTINUES: &str = "↳ ";

/// Splits a text into printable rows of about `width` characters. Wide gaps are replaced by their size.
pub fn rows(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let text = printable(text);
    let mut rows = Vec::new();
    let mut n_empty = 0;
    for line in text.trim_end_matches('\n').split('\n') {
        if line.trim().is_empty() {
            n_empty += 1;
            continue;
        }
        push_empty(&mut rows, n_empty);
        n_empty = 0;
        let line = narrow(line);
        let mut rest = line.as_str();
        let mut mark = "";
        while !rest.is_empty() {
            let end = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
            rows.push(format!("{mark}{}", &rest[..end]));
            rest = &rest[end..];
            mark = CONTINUES;
        }
    }
    push_empty(&mut rows, n_empty);
    rows
}

fn push_empty(rows: &mut Vec<String>, n_empty: usize) {
    if n_empty > MAX_EMPTY {
        rows.push(format!("⟨{n_empty} empty lines⟩"));
    } else {
        rows.extend(std::iter::repeat_n(String::new(), n_empty));
    }
}

/// Replaces wide gaps in a line by their size.
fn narrow(line: &str) -> String {
    let mut narrow = String::with_capacity(line.len());
    let mut gap = String::new();
    let end_gap = |gap: &mut String, narrow: &mut String| {
        match gap.chars().count() {
            n if n > MAX_SPACES => narrow.push_str(&format!("⟨{n} spaces⟩")),
            _ => narrow.push_str(gap),
        }
        gap.clear();
    };
    for c in line.chars() {
        if c.is_whitespace() {
            gap.push(c);
        } else {
            end_gap(&mut gap, &mut narrow);
            narrow.push(c);
        }
    }
    end_gap(&mut gap, &mut narrow);
    narrow
}

/// Keeps the first and the last rows, with a row between them that says how many are left out.
pub fn abridge(mut rows: Vec<String>, head: usize, tail: usize) -> Vec<String> {
    let n_left_out = rows.len().saturating_sub(head + tail);
    // A row that says so in place of one row would be no gain.
    if n_left_out > 1 {
        rows.splice(head..head + n_left_out, [format!("⟨{n_left_out} lines left out⟩")]);
    }
    rows
}

/// Makes a text printable on one line of about `max` characters: its beginning and its end, with the number of
/// characters that are left out between them.
pub fn cut(text: &str, max: usize) -> String {
    let line = narrow(&printable_line(text));
    let n_chars = line.chars().count();
    if n_chars <= max {
        return line;
    }
    let tail = max / 3;
    let head = max - tail;
    let at = |n: usize| line.char_indices().nth(n).map_or(line.len(), |(at, _)| at);
    let (head_end, tail_start) = (at(head), at(n_chars - tail));
    format!("{}⟨{} characters left out⟩{}", &line[..head_end], n_chars - max, &line[tail_start..])
}

//! JSON with slips.

use std::borrow::Cow;

/// Returns the text without commas before a closing bracket, and with the control characters in its strings
/// escaped: models break lines there. Everything else stays as it is.
pub(super) fn repaired(text: &str) -> Cow<'_, str> {
    let mut repaired = String::with_capacity(text.len());
    let mut in_string = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                repaired.push(c);
                repaired.extend(chars.next().map(|(_, escaped)| escaped));
                continue;
            }
            c if in_string && c < ' ' => {
                repaired.push_str(&format!("\\u{:04x}", u32::from(c)));
                continue;
            }
            ',' if !in_string && text[at + 1..].trim_start().starts_with([']', '}']) => continue,
            _ => {}
        }
        repaired.push(c);
    }
    if repaired == text { Cow::Borrowed(text) } else { Cow::Owned(repaired) }
}

//! URIs as editors send them, for a router whose URI type refuses some.

use serde_json::Value;

/// Escapes, in every string under a key that is or ends in `uri`, the characters that a strict URI type
/// refuses. Without it a folder called `[id] é` would make the whole message fail.
pub(crate) fn escape_uris(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(uri) if key == "uri" || key.ends_with("Uri") => {
                        if let Some(escaped) = escape(uri) {
                            *uri = escaped;
                        }
                    }
                    other => escape_uris(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(escape_uris),
        _ => {}
    }
}

/// `None`: nothing to escape.
fn escape(uri: &str) -> Option<String> {
    let bytes = uri.as_bytes();
    let is_fine = |at: usize, byte: u8| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        // RFC 3986, the brackets of an IP address aside: a path must not hold them.
        b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'#' | b'@' => true,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
        other => other.is_ascii_alphanumeric(),
    };
    if bytes.iter().enumerate().all(|(at, byte)| is_fine(at, *byte)) {
        return None;
    }
    let mut escaped = String::with_capacity(uri.len() + 16);
    for (at, byte) in bytes.iter().enumerate() {
        if is_fine(at, *byte) {
            escaped.push(char::from(*byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: &str) {
        let mut value = serde_json::json!({"folders": [{"uri": uri}], "rootUri": uri, "text": uri});
        escape_uris(&mut value);
        assert_eq!(
            value,
            serde_json::json!({"folders": [{"uri": expected}], "rootUri": expected, "text": uri})
        );
        assert!(expected.parse::<tower_lsp::lsp_types::Uri>().is_ok());
    }

    #[test]
    fn what_a_strict_uri_type_refuses_is_escaped() {
        check("file:///w/a.rs", "file:///w/a.rs");
        check("file:///w/[id] é.tsx", "file:///w/%5Bid%5D%20%C3%A9.tsx");
        check("file:///w/%5Bid%5D", "file:///w/%5Bid%5D");
        check("file:///w/100%.md", "file:///w/100%25.md");
        check("untitled:Untitled-1", "untitled:Untitled-1");
    }
}

//! `file:` URIs as byte strings, for both kinds of paths on every platform.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Why a URI names no file here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// An unsaved buffer (`untitled:`), something inside an archive or a remote file, perhaps.
    #[error("`{uri}` is not a file: URI")]
    NotFile { uri: String },
    #[error("`{uri}` names a file on host `{host}`")]
    OtherHost { uri: String, host: String },
    #[error("`{uri}` has no absolute path")]
    NotAbsolute { uri: String },
    #[error("`{uri}` contains a NUL character")]
    Nul { uri: String },
    /// Only where paths are Unicode, as on Windows.
    #[error("`{uri}` is not UTF-8")]
    NotUnicode { uri: String },
}

/// Whose paths the URIs name. A parameter so that both are tested everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Platform {
    Unix,
    Windows,
}

impl Platform {
    pub(super) const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };
}

/// What stays as it is in a path. VS Code compares URIs as text, so its spelling is the safe one.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Returns the bytes of the path.
pub(super) fn decode(uri: &str, platform: Platform) -> Result<Vec<u8>, UriError> {
    let rest = strip_scheme(uri).ok_or_else(|| UriError::NotFile { uri: uri.to_owned() })?;
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path: Vec<u8> = percent_decode_str(path).collect();
    if path.contains(&0) {
        return Err(UriError::Nul { uri: uri.to_owned() });
    }
    let host = percent_decode_str(host).decode_utf8_lossy();
    let is_local = host.is_empty() || host.eq_ignore_ascii_case("localhost");
    let path = match platform {
        Platform::Unix if is_local => path,
        Platform::Unix => {
            return Err(UriError::OtherHost { uri: uri.to_owned(), host: host.into_owned() });
        }
        Platform::Windows => windows_path(if is_local { "" } else { &host }, path),
    };
    let is_absolute = match platform {
        Platform::Unix => path.starts_with(b"/"),
        Platform::Windows => {
            path.starts_with(br"\\") || path.get(..2).is_some_and(is_drive) && path[2..].starts_with(br"\")
        }
    };
    if is_absolute { Ok(path) } else { Err(UriError::NotAbsolute { uri: uri.to_owned() }) }
}

/// Returns the URI of an absolute path.
pub(super) fn encode(path: &[u8], platform: Platform) -> String {
    match platform {
        Platform::Unix => format!("file://{}", percent_encode(path, ESCAPED)),
        Platform::Windows => encode_windows(path),
    }
}

fn strip_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    scheme.eq_ignore_ascii_case("file").then_some(rest)
}

fn windows_path(host: &str, path: Vec<u8>) -> Vec<u8> {
    let path: Vec<u8> = path.into_iter().map(|byte| if byte == b'/' { b'\\' } else { byte }).collect();
    if is_drive(host.as_bytes()) {
        // `file://C:/x`, as written by clients that glue strings.
        return [host.to_ascii_uppercase().as_bytes(), &path].concat();
    }
    if !host.is_empty() {
        return [br"\\", host.as_bytes(), &path].concat();
    }
    match path.strip_prefix(br"\") {
        Some(drive) if drive.get(..2).is_some_and(is_drive) => {
            let mut path = drive.to_vec();
            path[0].make_ascii_uppercase();
            if path.len() == 2 {
                path.push(b'\\');
            }
            path
        }
        _ => path,
    }
}

fn encode_windows(path: &[u8]) -> String {
    let path = match path.strip_prefix(br"\\?\UNC\") {
        Some(share) => [br"\\", share].concat(),
        None => path.strip_prefix(br"\\?\").unwrap_or(path).to_vec(),
    };
    let mut path: Vec<u8> = path.into_iter().map(|byte| if byte == b'\\' { b'/' } else { byte }).collect();
    if let Some(share) = path.strip_prefix(b"//") {
        return format!("file://{}", percent_encode(share, ESCAPED));
    }
    if path.get(..2).is_some_and(is_drive) {
        path[0].make_ascii_lowercase();
    }
    format!("file:///{}", percent_encode(&path, ESCAPED))
}

fn is_drive(path: &[u8]) -> bool {
    matches!(path, [letter, b':'] if letter.is_ascii_alphabetic())
}

//! What is piped into a program that wants text.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Silence after which the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads to the end, as text. Calls `waits` once if nothing comes for a while.
pub(super) async fn read(mut input: impl AsyncRead + Unpin, waits: impl FnOnce()) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut waits = Some(waits);
    loop {
        let reading = input.read_buf(&mut bytes);
        let n = match waits {
            None => reading.await?,
            // Nothing is lost when this read is given up.
            Some(_) => match tokio::time::timeout(PATIENCE, reading).await {
                Ok(n) => n?,
                Err(_elapsed) => {
                    waits.take().into_iter().for_each(|waits| waits());
                    continue;
                }
            },
        };
        if n == 0 {
            return Ok(text(&bytes));
        }
    }
}

/// The text of any bytes, with U+FFFD for what is none: a diff may quote a line of a Latin-1 file. UTF-16, which
/// PowerShell pipes into files, is known by its mark.
fn text(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks();
        let text = char::decode_utf16(units.iter().copied().map(unit));
        let mut text: String = text.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.extend(rest.first().map(|_| char::REPLACEMENT_CHARACTER));
        text
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn any_bytes_are_text() {
        assert_eq!(text(b"plain \xc3\xa9"), "plain é");
        assert_eq!(text(b"a caf\xe9 in Latin-1\n"), "a caf\u{fffd} in Latin-1\n");
        assert_eq!(text(b"\xef\xbb\xbfmarked"), "marked");
        assert_eq!(text(b"\xff\xfeh\0i\0\x3d\xd8\x00\xde"), "hi😀");
        assert_eq!(text(b"\xfe\xff\0h\0i"), "hi");
        assert_eq!(text(b"\xff\xfeh\0\x3d\xd8!\0x"), "h\u{fffd}!\u{fffd}");
        assert_eq!(text(b""), "");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_explained_once() {
        let (near, mut far) = tokio::io::duplex(64);
        let (told, n_told) = std::sync::mpsc::channel();
        let reading = tokio::spawn(async move { read(near, || told.send(()).unwrap()).await.unwrap() });
        for word in ["one ", "two"] {
            tokio::time::sleep(PATIENCE * 3).await;
            far.write_all(word.as_bytes()).await.unwrap();
        }
        tokio::time::sleep(PATIENCE * 3).await;
        drop(far);
        assert_eq!(reading.await.unwrap(), "one two");
        assert_eq!(n_told.iter().count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_at_once_is_not_waited_for() {
        let text = read(&b"all of it"[..], || panic!("nothing is waited for")).await.unwrap();
        assert_eq!(text, "all of it");
    }
}

use expect_test::{Expect, expect};

use super::*;

const MAX: usize = 1 << 20;

/// All frames of a stream that comes in pieces of each size; they must not depend on the size.
#[track_caller]
fn check(stream: &[u8], expected: Expect) {
    let whole = frames(stream, stream.len().max(1));
    for size in [1, 2, 7, 64] {
        assert_eq!(frames(stream, size), whole, "in pieces of {size}");
    }
    expected.assert_eq(&whole);
}

fn frames(stream: &[u8], size: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let pieces =
            stream.chunks(size).map(|piece| std::io::Result::Ok(bytes::Bytes::copy_from_slice(piece)));
        let stream = tokio_util::io::StreamReader::new(futures::stream::iter(pieces));
        let mut reader = FrameReader::new(stream, MAX);
        let mut out = String::new();
        while let Some(frame) = reader.next().await {
            match frame {
                Frame::Message(message) => {
                    if serde_json::from_slice::<serde_json::Value>(&message).is_err() {
                        reader.reject(&message);
                        out += "rejected ";
                    }
                    out += &format!("{}\n", String::from_utf8_lossy(&message).escape_debug());
                }
                Frame::Bad(why) | Frame::TooLarge { why, .. } => out += &format!("bad: {why}\n"),
            }
        }
        out
    })
}

fn counted(message: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{message}", message.len())
}

#[test]
fn counted_frames() {
    let stream = format!("{}content-LENGTH:2\r\nContent-Type: x\r\n\r\n[]", counted(r#"{"é":1}"#));
    check(
        stream.as_bytes(),
        expect![[r#"
            {\"é\":1}
            []
        "#]],
    );
}

#[test]
fn lines() {
    check(
        b"{\"a\":1}\n\n  \r\n{\"b\":\"\xe2\x80\xa8\"}\r\n{\"cut\"",
        expect![[r#"
            {\"a\":1}
            {\"b\":\"\u{2028}\"}\r
        "#]],
    );
}

#[test]
fn a_huge_length_is_skipped() {
    let stream = format!("Content-Length: 99999999999\r\n\r\n{{\"x\":1}}{}", counted("[1]"));
    check(
        stream.as_bytes(),
        expect![[r#"
        bad: the frame is larger than 1 MiB
        [1]
    "#]],
    );
}

#[test]
fn a_length_that_is_too_long_swallows_nothing() {
    let next = counted("[1,2,3,4,5,6,7,8,9,10]");
    let stream = format!("Content-Length: 35\r\n\r\n{{\"x\":1}}{next}{}", counted("[3]"));
    check(
        stream.as_bytes(),
        expect![[r#"
            rejected {\"x\":1}Content-Length: 22\r\n\r\n[1,2,3
            [1,2,3,4,5,6,7,8,9,10]
            [3]
        "#]],
    );
}

#[test]
fn a_length_that_is_too_short_loses_one_frame() {
    let stream = format!("Content-Length: 3\r\n\r\n{{\"x\":1}}{}", counted("[1]"));
    check(
        stream.as_bytes(),
        expect![[r#"
            rejected {\"x
            bad: the header has no valid Content-Length
            [1]
        "#]],
    );
}

#[test]
fn garbage_between_frames() {
    let stream = format!("{}garbage\r\n\r\nmore{}", counted("[1]"), counted("[2]"));
    check(
        stream.as_bytes(),
        expect![[r#"
        [1]
        bad: the header has no valid Content-Length
        [2]
    "#]],
    );
}

#[test]
fn a_header_beyond_any_reason_is_skipped() {
    let stream = format!("X: {}\r\n\r\n{}{}", "x".repeat(MAX_HEADER), counted("[1]"), counted("[2]"));
    check(
        stream.as_bytes(),
        expect![[r#"
            bad: there is no LSP header
            [1]
            [2]
        "#]],
    );
}

/// Reads a frame that consists of headers, and others behind it. Returns how many messages are rejected.
#[track_caller]
fn n_rejected(header: &str) -> usize {
    let inside = header.repeat(MAX / 40);
    let stream = format!("{}{}", counted(&inside), counted("[1]").repeat(MAX / 20));
    let frames = frames(stream.as_bytes(), stream.len());
    assert!(frames.ends_with("[1]\n"), "{header:?}: the reader does not recover");
    frames.lines().filter(|frame| frame.starts_with("rejected")).count()
}

/// To look at each byte once for each header before it would take minutes.
#[test]
fn a_frame_of_header_lines_takes_linear_time() {
    for header in ["Content-Length: x\r\n", "Content-Length:", "Content-Length: x\r\n\r\n"] {
        assert_eq!(n_rejected(header), 1, "{header:?}");
    }
    // Each of these headers claims most of what follows.
    let n = n_rejected(&format!("Content-Length: {}\r\n\r\n", MAX / 2));
    assert!(n < 50, "{n} messages are rejected");
}

#[test]
fn a_line_that_is_too_large_is_skipped() {
    let stream = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(MAX));
    expect![[r#"
        bad: the frame is larger than 1 MiB
        {}
    "#]]
    .assert_eq(&frames(stream.as_bytes(), 64));
}

#[test]
fn a_large_frame_leaves_no_large_buffer() {
    let large = "x".repeat(2 * KEEP_CAPACITY);
    for stream in [format!("{{{large}\n{{}}\n"), counted(&large) + &counted("{}")] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = FrameReader::new(stream.as_bytes(), MAX);
            reader.next().await.unwrap();
            assert_eq!(reader.next().await, Some(Frame::Message("{}".into())));
            assert!(reader.buffer.capacity() < KEEP_CAPACITY, "{}", reader.buffer.capacity());
        });
    }
}

#[test]
fn a_line_is_searched_only_once() {
    let n_pieces = 20_000;
    let stream = format!("{{{}}}\n", "x".repeat(n_pieces * 50));
    let start = std::time::Instant::now();
    frames(stream.as_bytes(), 50);
    // Searching the whole line at each piece would look at 10 GB.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn a_frame_full_of_lengths_is_no_header() {
    let message = "content-length:".repeat(MAX / 16);
    let start = std::time::Instant::now();
    frames(counted(&message).as_bytes(), MAX);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

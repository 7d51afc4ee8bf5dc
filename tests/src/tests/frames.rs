use expect_test::{Expect, expect};

use crate::frame::{FrameReader, Framing};

/// Reads all frames out of some bytes, given in two pieces.
fn check(framing: Framing, bytes: &str, shown: Expect) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let reader = tokio::io::AsyncReadExt::chain(first.as_bytes(), second.as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut lines = String::new();
    let mut frames = FrameReader::new(reader, framing);
    loop {
        match runtime.block_on(frames.next()) {
            Ok(Some(body)) => lines.push_str(&format!("{:?}\n", String::from_utf8(body).unwrap())),
            Ok(None) => break,
            Err(error) => {
                lines.push_str(&format!("{error:?}\n"));
                break;
            }
        }
    }
    shown.assert_eq(&lines);
}

#[test]
fn reads_both_framings() {
    let frames = ["{}", "[\"a\\nb\"]", "3"];
    for framing in [Framing::Header, Framing::Lines] {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| framing.wrap(frame.as_bytes())).collect();
        check(
            framing,
            &String::from_utf8(bytes).unwrap(),
            expect![[r#"
            "{}"
            "[\"a\\nb\"]"
            "3"
        "#]],
        );
    }
}

#[test]
fn refuses_what_is_no_frame() {
    check(
        Framing::Header,
        "content-length: 2\r\n\r\n{}",
        expect![[r#"
        Invalid("content-length: 2")
    "#]],
    );
    check(
        Framing::Header,
        "Content-Length: 2\r\nlog: started\r\n\r\n{}",
        expect![[r#"
        Invalid("Content-Length: 2\r\nlog: started")
    "#]],
    );
    check(
        Framing::Header,
        "Content-Length: 3\r\n\r\n{}",
        expect![[r#"
        Cut("Content-Length: 3\r\n\r\n{}")
    "#]],
    );
    check(
        Framing::Lines,
        "{}\n{",
        expect![[r#"
        "{}"
        Cut("{")
    "#]],
    );
}

use super::*;

/// Events as `name|data`; a last line tells of an event too large.
fn decode(pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    let mut emit = |event: Event<'_>| {
        events.push(format!("{}|{}", event.name, event.data));
        Ok::<(), TooLarge>(())
    };
    let fed = pieces.iter().try_for_each(|piece| decoder.feed(piece, &mut emit));
    match fed.and_then(|()| decoder.finish(&mut emit)) {
        Ok(()) => {}
        Err(TooLarge) => events.push("too large".into()),
    }
    events
}

/// Whole, byte by byte, and in two pieces cut at every position.
#[track_caller]
fn check(stream: &[u8], events: &[&str]) {
    assert_eq!(decode(&[stream]), events, "whole");
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&bytes), events, "byte by byte");
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(decode(&[head, b"", tail]), events, "cut at {at}");
    }
}

#[test]
fn lines_end_with_lf_cr_or_both() {
    check(
        b"data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\r\n\ndata: e\n\r\n",
        &["|a", "|b", "|c", "|d", "|e"],
    );
}

#[test]
fn one_bom_at_the_start_is_dropped() {
    check(b"\xef\xbb\xbfdata: a\n\n", &["|a"]);
    check(b"\xef\xbb\xbf\ndata: a\n\n", &["|a"]);
    check(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", &[]);
    check(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", &["|a"]);
}

#[test]
fn comments_and_unknown_fields_are_read_past() {
    check(b": keep-alive\n\nid: 1\nretry: 5\nfoo\ndata: a\n: b\n\n:\n\n", &["|a"]);
    check(b"Data: a\nDATA: b\n data: c\n\n", &[]);
}

#[test]
fn data_lines_are_joined() {
    check(b"data: a\ndata:b\ndata:  c\ndata\ndata:\n\n", &["|a\nb\n c\n\n"]);
}

#[test]
fn the_last_name_wins_and_does_not_outlive_its_event() {
    check(b"event: x\nevent: y\ndata: a\n\ndata: b\n\nevent: z\n\ndata: c\n\n", &["y|a", "|b", "|c"]);
}

#[test]
fn empty_data_is_an_event() {
    check(b"data\n\ndata:\n\n\n\n", &["|", "|"]);
}

#[test]
fn a_last_event_needs_its_blank_line_unless_it_is_complete() {
    check(b"data: {\"a\":[1]}", &["|{\"a\":[1]}"]);
    check(b"data: {\"a\":[1]}\n", &["|{\"a\":[1]}"]);
    check(b"data: {\"a\":[1]\n", &[]);
    check(b"data: {\"a\":\ndata: 1}\n", &["|{\"a\":\n1}"]);
    check(b"data: [DONE]", &["|[DONE]"]);
    check(b"data: [DON", &[]);
    check(b"data: hello\n", &[]);
    check(b"data: {}\n\nevent: x\ndata", &["|{}"]);
}

#[test]
fn nothing_counts_after_done() {
    check(b"data: a\n\ndata: [DONE]\n\ndata: b\n\ndata: {}", &["|a", "|[DONE]"]);
}

#[test]
fn invalid_utf8_is_replaced() {
    check(b"data: a\xffb\n\ndata: \xf0\x9f\xa6\x80\n\n", &["|a\u{fffd}b", "|🦀"]);
    check(b"data: \xf0\x9f\ndata: \xa6\x80\n\n", &["|\u{fffd}\n\u{fffd}\u{fffd}"]);
}

#[test]
fn one_event_has_a_bound() {
    let half = vec![b'x'; MAX_EVENT_BYTES / 2];
    let piece = |prefix: &[u8], suffix: &[u8]| [prefix, &half, suffix].concat();
    // Lies within the bound, in one line and in two.
    let event = [&piece(b"data: ", b"")[..], b"\n\n"];
    assert_eq!(decode(&event)[0].len(), half.len() + 1);
    let lines = [&piece(b"data: ", b"\n")[..], &piece(b"data: ", b"\n")[..], b"data: y\n\n"];
    assert_eq!(decode(&lines), ["too large"]);
    let endless = [&piece(b"data: ", b"")[..], &half[..], b"\n\n"];
    assert_eq!(decode(&endless), ["too large"]);
}

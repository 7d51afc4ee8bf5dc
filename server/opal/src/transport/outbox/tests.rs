use tokio::io::AsyncReadExt;

use super::*;

fn delta(seq: u64, id: &'static str, text: &'static str) -> Delta<'static> {
    Delta { session_id: "s", seq, kind: "message_delta", key: "message_id", id, text }
}

fn event(seq: u64) -> serde_json::Value {
    serde_json::json!({"params": {"seq": seq, "type": "agent_start"}})
}

/// Pushes before and after the pipe is full, then reads all; shows each frame's seq range and text.
async fn frames(before: impl FnOnce(&Outbox), after: impl FnOnce(&Outbox)) -> Vec<String> {
    let outbox = Arc::new(Outbox::new(1 << 20));
    outbox.set_framing(Framing::Lines);
    let (writing, mut reading) = tokio::io::duplex(8);
    before(&outbox);
    let writer = OutboxWriter { outbox: outbox.clone(), stall: Duration::from_secs(120) };
    let mut run = Box::pin(writer.run(writing));
    assert!(futures::poll!(run.as_mut()).is_pending(), "the pipe is too small for the first frame");
    after(&outbox);
    outbox.close();
    let mut all = String::new();
    let (written, read) = tokio::join!(run, reading.read_to_string(&mut all));
    written.unwrap();
    read.unwrap();
    let show = |line: &str| {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        let params = &frame["params"];
        let first = params["first_seq"].as_u64().map_or(String::new(), |first| format!("{first}-"));
        format!("{first}{} {}", params["seq"], params["delta"].as_str().unwrap_or("*"))
    };
    all.lines().map(show).collect()
}

#[tokio::test]
async fn a_fast_client_gets_every_delta() {
    let frames =
        frames(|outbox| (1..4).for_each(|seq| outbox.push_delta(delta(seq, "m1", "x"))), |_| {}).await;
    assert_eq!(frames, ["1 x", "2 x", "3 x"]);
}

#[tokio::test]
async fn a_slow_client_gets_neighbouring_deltas_of_one_message_merged() {
    let frames = frames(
        |outbox| outbox.push(&event(1)),
        |outbox| {
            outbox.push_delta(delta(2, "m1", "a"));
            outbox.push_delta(delta(3, "m1", "\"b\n"));
            outbox.push_delta(delta(4, "m2", "c"));
            outbox.push(&event(5));
            outbox.push_delta(delta(6, "m2", "d"));
            outbox.push_delta(delta(7, "m2", "e"));
        },
    )
    .await;
    assert_eq!(frames, ["1 *", "2-3 a\"b\n", "4 c", "5 *", "6-7 de"]);
}

#[tokio::test]
async fn sessions_do_not_keep_each_other_from_merging() {
    let frames = frames(
        |outbox| outbox.push(&event(1)),
        |outbox| {
            for seq in 2..5 {
                outbox.push_delta(delta(seq, "m1", "a"));
                outbox.push_delta(Delta { session_id: "t", ..delta(seq + 10, "m1", "b") });
            }
            outbox.push_delta(delta(5, "m2", "c"));
        },
    )
    .await;
    assert_eq!(frames, ["1 *", "2-4 aaa", "12-14 bbb", "5 c"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_kept() {
    let outbox = Arc::new(Outbox::new(100));
    let (writing, mut reading) = tokio::io::duplex(8);
    let text = "x".repeat(1000);
    outbox.push(&text);
    outbox.close();
    let writer = OutboxWriter { outbox, stall: Duration::from_secs(120) };
    // Empty after 128 s, but no longer full before the 120 are over.
    let reads = async {
        let mut all = Vec::new();
        while reading.read_buf(&mut all).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        all
    };
    let (written, all) = tokio::join!(async move { writer.run(writing).await }, reads);
    written.unwrap();
    assert!(all.ends_with(b"xxx\""));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_less_than_comes_is_given_up() {
    let outbox = Arc::new(Outbox::new(100));
    let (writing, mut reading) = tokio::io::duplex(8);
    let writer = OutboxWriter { outbox: outbox.clone(), stall: Duration::from_secs(120) };
    let start = Instant::now();
    let reads = async {
        loop {
            // A frame is always more than what is read of it meanwhile.
            outbox.push(&event(1));
            outbox.flush();
            let _ = reading.read(&mut [0; 8]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let ended = tokio::select! {
        ended = writer.run(writing) => ended,
        () = reads => unreachable!(),
    };
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!((120..130).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up() {
    let outbox = Arc::new(Outbox::new(100));
    let (writing, _reading) = tokio::io::duplex(8);
    outbox.push(&event(1));
    let writer = OutboxWriter { outbox: outbox.clone(), stall: Duration::from_secs(120) };
    let mut run = Box::pin(writer.run(writing));
    assert!(futures::poll!(run.as_mut()).is_pending());
    // Not full yet: it may take its time.
    assert!(tokio::time::timeout(Duration::from_secs(1000), run.as_mut()).await.is_err());
    (2..10).for_each(|seq| outbox.push(&event(seq)));
    let start = Instant::now();
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 120);
}

#[test]
fn numbers() {
    for number in [0, 7, 10, 12345, u64::MAX] {
        let mut out = Vec::new();
        push_number(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

#[tokio::test]
async fn there_is_room_again_when_the_client_has_read() {
    let outbox = Arc::new(Outbox::new(100));
    outbox.set_framing(Framing::Lines);
    assert!(outbox.room().now_or_never().is_some());
    outbox.push(&event(1).to_string().repeat(4));
    let mut room = Box::pin(outbox.room());
    assert!(futures::poll!(room.as_mut()).is_pending());

    let (writing, mut reading) = tokio::io::duplex(8);
    let writer = OutboxWriter { outbox: outbox.clone(), stall: Duration::from_secs(120) };
    let mut run = Box::pin(writer.run(writing));
    assert!(futures::poll!(run.as_mut()).is_pending());
    assert!(futures::poll!(room.as_mut()).is_pending(), "the client has not read");
    let mut read = [0; 200];
    tokio::select! {
        _ = run => panic!("the outbox was not closed"),
        () = room => {}
        _ = reading.read_exact(&mut read) => panic!("there is room before all is read"),
    }
}

#[tokio::test]
async fn a_closed_outbox_lets_nobody_wait() {
    let outbox = Outbox::new(1);
    outbox.push(&event(1));
    let mut room = Box::pin(outbox.room());
    assert!(futures::poll!(room.as_mut()).is_pending());
    outbox.close();
    room.await;
}

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::Recording;

/// The stream as one line an event: its type and what is particular about it.
#[track_caller]
fn check(recording: Recording, shown: Expect) {
    let mut lines = String::new();
    for (number, event) in recording.sse().split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        assert_eq!(data["sequence_number"], number);
        let kind = data["type"].as_str().unwrap().trim_start_matches("response.");
        let index = data.get("output_index").map(|index| format!(" {index}")).unwrap_or_default();
        let told = ["delta", "text", "arguments"].iter().find_map(|field| data.get(*field));
        let told = told.map(|told| format!(" {told}")).unwrap_or_default();
        lines.push_str(&format!("{kind}{index}{told}\n"));
    }
    shown.assert_eq(&lines);
}

#[test]
fn a_script_becomes_a_stream() {
    check(
        Recording::new("m")
            .thinking("Look first.")
            .text("Reading  it.\n")
            .tool_call("read", r#"{"path":"a"}"#),
        expect![[r#"
            created
            in_progress
            output_item.added 0
            reasoning_summary_part.added 0
            reasoning_summary_text.delta 0 "Look "
            reasoning_summary_text.delta 0 "first."
            reasoning_summary_text.done 0 "Look first."
            reasoning_summary_part.done 0
            output_item.done 0
            output_item.added 1
            content_part.added 1
            output_text.delta 1 "Reading  "
            output_text.delta 1 "it.\n"
            output_text.done 1 "Reading  it.\n"
            content_part.done 1
            output_item.done 1
            output_item.added 2
            function_call_arguments.delta 2 "{\"path\":\"a\"}"
            function_call_arguments.done 2 "{\"path\":\"a\"}"
            output_item.done 2
            completed
        "#]],
    );
}

#[test]
fn a_cut_leaves_the_last_block_unfinished() {
    check(
        Recording::new("m").text("One.").tool_call("run", "{}").cut(),
        expect![[r#"
            created
            in_progress
            output_item.added 0
            content_part.added 0
            output_text.delta 0 "One."
            output_text.done 0 "One."
            content_part.done 0
            output_item.done 0
            output_item.added 1
            function_call_arguments.delta 1 "{}"
        "#]],
    );
}

#[test]
fn calls_of_different_answers_have_different_ids() {
    let stream = |n| Recording::new("m").number(n).tool_call("read", "{}").sse();
    assert!(stream(1).contains("\"call_1_0\"") && stream(2).contains("\"call_2_0\""));
    assert_eq!(stream(1), stream(1));
}

mod over_a_socket {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use crate::{Received, Reply, Server, Step};

    async fn connect(server: &Server) -> TcpStream {
        let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(b"POST /v1?q HTTP/1.1\r\nhost: x\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        stream
    }

    async fn read_until(stream: &mut TcpStream, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let mut piece = [0; 1024];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0, "ended after {read:?}");
            read.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        }
        read
    }

    #[tokio::test]
    async fn a_handler_sees_the_request_and_its_reply_is_played() {
        let gate = Arc::new(Notify::new());
        let open = gate.clone();
        let server = Server::start(move |received: Received| {
            assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/v1?q"));
            assert_eq!((received.header("Host"), received.json()), (Some("x"), serde_json::json!({})));
            Reply::stream(vec![Step::from("one"), Step::Wait(gate.clone()), Step::from("two")])
                .header("x-a", "b")
        })
        .unwrap();
        let mut stream = connect(&server).await;
        let head = read_until(&mut stream, "one").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("x-a: b\r\n"), "{head}");
        assert!(!head.contains("two"));
        open.notify_one();
        assert!(read_until(&mut stream, "0\r\n\r\n").await.contains("two"));
        assert_eq!((server.connections(), server.requests()), (1, 1));
    }

    #[tokio::test]
    async fn a_cut_comes_after_what_was_sent() {
        let server = Server::start(|_| Reply::stream(vec![Step::from("one"), Step::Cut])).unwrap();
        let mut read = String::new();
        connect(&server).await.read_to_string(&mut read).await.unwrap();
        assert!(read.contains("one") && !read.contains("0\r\n\r\n"), "{read}");
        server.closed(1).await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_and_so_is_a_server_that_does() {
        let server = Server::start(|_| Reply::stream(vec![Step::from("one"), Step::Hang])).unwrap();
        let mut stream = connect(&server).await;
        read_until(&mut stream, "one").await;
        drop(stream);
        server.closed(1).await;

        let mut stream = connect(&server).await;
        read_until(&mut stream, "one").await;
        drop(server);
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    }
}

use agent::client::Confirm;
use expect_test::{Expect, expect};

use super::*;
use crate::transport::OutboxWriter;
use crate::{Limits, Server, Settings};

/// By which method a client with this profile is asked.
async fn check(opal: Option<wire::ClientCapabilities>, kind: QuestionKind, expected: Expect) {
    let connection = Server::new(Settings::default(), Limits::default()).new_connection();
    connection.set_profile(Profile { opal, ..Profile::default() });
    let question = Question { id: QuestionId::new("q1"), kind };
    let mut asking = connection.ask(&SessionId::random(), &question);
    let can_be_asked = futures::poll!(asking.as_mut()).is_pending();
    connection.outbox.close();
    let mut written = Vec::new();
    let writer = OutboxWriter { outbox: connection.outbox(), stall: std::time::Duration::from_secs(1) };
    writer.run(&mut written).await.unwrap();
    let written = String::from_utf8(written).unwrap();
    let methods: Vec<&str> =
        written.split("\"method\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(can_be_asked, !methods.is_empty());
    expected.assert_eq(&methods.join(" "));
}

fn input(choices: &[&str]) -> QuestionKind {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    QuestionKind::Input { prompt: "Which?".into(), call_id: None, sensitive: false, choices }
}

#[tokio::test]
async fn a_client_is_asked_in_the_way_it_has_declared_or_by_a_message_box() {
    let confirm = || QuestionKind::Confirm(Confirm::default());
    let opal = |able| {
        Some(wire::ClientCapabilities {
            version: 1,
            confirm: able,
            input: able,
            save_documents: true,
            tools: Vec::new(),
            line_ends: None,
        })
    };
    check(opal(true), confirm(), expect!["client/confirm"]).await;
    check(opal(false), confirm(), expect!["window/showMessageRequest"]).await;
    check(None, confirm(), expect!["window/showMessageRequest"]).await;
    check(opal(true), input(&[]), expect!["client/input"]).await;
    check(opal(false), input(&[]), expect![""]).await;
    check(None, input(&["a"]), expect!["window/showMessageRequest"]).await;
}

#[test]
fn lines_end_as_the_client_declares_or_is_known_for() {
    let check = |name: &str, declared: Option<wire::LineEnds>, expected: text::LineEnds| {
        let opal = wire::ClientCapabilities { line_ends: declared, ..wire::ClientCapabilities::default() };
        let profile = Profile { client: Some(name.into()), opal: Some(opal), ..Profile::default() };
        assert_eq!(profile.line_ends(), expected, "{name} {declared:?}");
    };
    check("Visual Studio Code", None, text::LineEnds::Lsp);
    check("Neovim", None, text::LineEnds::Lf);
    check("helix", Some(wire::LineEnds::Unknown), text::LineEnds::Lf);
    check("Neovim", Some(wire::LineEnds::Lsp), text::LineEnds::Lsp);
    check("new editor", Some(wire::LineEnds::Lf), text::LineEnds::Lf);
}

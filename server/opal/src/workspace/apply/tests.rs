use expect_test::{Expect, expect};
use text::Edit;

use super::*;
use crate::connection::Profile;
use crate::documents::document_name;
use crate::transport::{Outbox, OutboxWriter};
use crate::{Server, Settings};

const URI: &str = "untitled:a";

/// Makes `one` of a document `two`, while the client sends notifications before and after the edit is
/// sent. Shows what was sent and what came of it.
async fn check(before: &[Value], after: &[Value], expected: Expect) {
    let limits = Limits::default();
    let connection = Server::new(Settings::default(), limits.clone()).new_connection();
    let notify = |params: &Value| {
        let method = if params.get("contentChanges").is_some() { "didChange" } else { "didOpen" };
        connection.documents.notify(&format!("textDocument/{method}"), params).unwrap().unwrap();
    };
    notify(&json!({"textDocument": {"uri": URI, "version": 1, "text": "one, last"}}));
    let held = Held {
        connection: connection.clone(),
        document: connection.documents.get(&document_name(URI)).unwrap(),
    };
    let edits = EditSet::new(vec![Edit::new(0..3, "two")]).unwrap();
    let expect = edits.apply(held.document.text()).unwrap();

    before.iter().for_each(notify);
    let mut applied = Box::pin(to_document(&held, &edits, &expect, &limits));
    let at_once = futures::poll!(applied.as_mut());
    after.iter().for_each(notify);
    let outcome = match at_once {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => applied.await,
    };
    let outcome = match outcome {
        Ok(text) => format!("applied: {text}"),
        Err(WriteError::Diverged { now }) => format!("diverged: {now}"),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&format!("sent {}, {outcome}", sent(connection).await));
}

/// How many edits were sent.
async fn sent(connection: Arc<Connection>) -> usize {
    let outbox: Arc<Outbox> = connection.outbox();
    outbox.close();
    let mut written = Vec::new();
    let writer = OutboxWriter { outbox, stall: std::time::Duration::from_secs(1) };
    writer.run(&mut written).await.unwrap();
    String::from_utf8(written).unwrap().matches(APPLY_EDIT).count()
}

fn typed(version: i32, text: &str) -> Value {
    json!({"textDocument": {"uri": URI, "version": version}, "contentChanges": [{"text": text}]})
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_the_editor_shows_is_applied() {
    check(&[], &[typed(2, "two, last")], expect!["sent 1, applied: two, last"]).await;
    check(&[], &[typed(2, "two, last word")], expect!["sent 1, applied: two, last word"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_not_sent_for_a_text_that_is_no_more() {
    let stale = expect!["sent 0, the file changed meanwhile"];
    check(&[typed(2, "typed: one, last")], &[], stale).await;
}

#[tokio::test(start_paused = true)]
async fn a_document_that_was_opened_anew_counts_as_it_stands() {
    let reopened = json!({"textDocument": {"uri": URI, "version": 1, "text": "two, last"}});
    check(&[], &[reopened], expect!["sent 1, applied: two, last"]).await;
}

/// An editor that takes versions if it has a name, says yes at once and shows nothing, or another text after `pause`
/// seconds.
async fn check_late(client: &str, shows: Option<(u64, Value)>, expected: Expect) {
    let limits = Limits::default();
    let connection = Server::new(Settings::default(), limits.clone()).new_connection();
    let document_changes = !client.is_empty();
    connection.set_profile(Profile {
        client: Some(client.to_owned()),
        document_changes,
        ..Profile::default()
    });
    let notify = |method: &str, params: &Value| {
        connection.documents.notify(&format!("textDocument/{method}"), params).unwrap().unwrap();
    };
    notify("didOpen", &json!({"textDocument": {"uri": URI, "version": 1, "text": "one, last"}}));
    let document = || connection.documents.get(&document_name(URI)).unwrap();
    let held = Held { connection: connection.clone(), document: document() };
    let edits = EditSet::new(vec![Edit::new(0..3, "two")]).unwrap();
    let expect = edits.apply(held.document.text()).unwrap();
    let mut applied = Box::pin(to_document(&held, &edits, &expect, &limits));
    assert!(futures::poll!(applied.as_mut()).is_pending());
    connection.editor.answer(&json!(1), Ok(json!({"applied": true})));
    let outcome = match shows {
        None => applied.await,
        Some((pause, change)) => {
            let pause = tokio::time::sleep(std::time::Duration::from_secs(pause));
            let later = async {
                pause.await;
                notify("didChange", &change);
            };
            tokio::join!(applied, later).0
        }
    };
    let outcome = match outcome {
        Ok(text) => format!("applied: {text}"),
        Err(WriteError::Diverged { now }) => format!("diverged: {now}"),
        Err(error) => error.to_string(),
    };
    let was_behind = document().is_behind();
    notify("didChange", &typed(9, "typed"));
    assert!(!document().is_behind(), "the next change tells all");
    expected.assert_eq(&format!("sent {}, behind: {was_behind}, {outcome}", sent(connection.clone()).await));
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_is_shown_late_is_waited_for_and_not_sent_again() {
    check_late(
        "eglot",
        Some((8, typed(2, "two, last"))),
        expect!["sent 1, behind: false, applied: two, last"],
    )
    .await;
    check_late("", None, expect!["sent 1, behind: true, the editor says that it has applied the edit, and has not sent the new text"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_text_without_the_edit_is_another_text_only_where_versions_are_checked() {
    let change = || typed(2, "one, last word");
    check_late("Neovim", Some((1, change())), expect!["sent 1, behind: false, the file changed meanwhile"])
        .await;
    check_late("Neovim", Some((8, change())), expect!["sent 1, behind: false, the file changed meanwhile"])
        .await;
    check_late("", Some((1, change())), expect!["sent 1, behind: false, diverged: one, last word"]).await;
    check_late("Eglot", Some((1, change())), expect!["sent 1, behind: false, diverged: one, last word"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn something_else_is_told_and_not_sent_again() {
    check(&[], &[typed(2, "TWO")], expect!["sent 1, diverged: TWO"]).await;
    check(&[], &[], expect!["sent 1, the editor did not answer in time"]).await;
}

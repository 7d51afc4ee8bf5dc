use expect_test::{Expect, expect};

use super::{Fixture, entry, id, session, show};
use crate::{
    Append, BlobHash, Budget, Draft, EntryId, EntryKind, ImportError, NewBlob, Retention, SessionId,
};

fn exported() -> (Fixture, String) {
    let fixture = Fixture::with(|options| {
        options.budget = Budget { session_bytes: 40, total_bytes: 40 };
        options.clock = std::sync::Arc::new(|| 1000);
    });
    let mut record = session("s");
    record.settings_json = r#"{ "mode": "ask" }"#.to_owned();
    record.name = Some("a \"name\"".to_owned());
    fixture.store.create(record).wait().unwrap();
    let mut odd = entry(2, EntryKind::from("new_kind"), "no json");
    odd.payload = "not json\nat all".to_owned();
    odd.search_text = None;
    let mut pretty = entry(3, EntryKind::Assistant, "pretty");
    pretty.payload = "{\n  \"big\": 12345678901234567890123,\r\n  \"s\": \"a\\nb\"\n}".to_owned();
    let append = Append {
        entries: vec![entry(1, EntryKind::User, "hello Größe"), odd, pretty],
        leaf: Some(EntryId(2)),
        blobs: vec![
            NewBlob::new(&[7; 41], Retention::BeforeImage),
            NewBlob::new(b"image", Retention::BeforeImage),
            NewBlob::new("line\n".repeat(100).as_bytes(), Retention::Session),
        ],
        draft: Draft::Set(vec![r#"{"text":"hal"}"#.to_owned(), r#""f""#.to_owned()]),
    };
    fixture.store.append(&id("s"), append).wait().unwrap();
    let mut out = Vec::new();
    fixture.store.export(&id("s"), &mut out).unwrap();
    (fixture, String::from_utf8(out).unwrap())
}

#[test]
fn an_export_is_lines_that_can_be_read() {
    let (_fixture, out) = exported();
    let start: String = out.lines().map(|line| line.chars().take(110).collect::<String>() + "\n").collect();
    expect![[r#"
        {"session":{"version":1,"id":"s","working_dir":"/work","name":"a \"name\"","model":"work/gpt-5","created_at_ms
        {"entry":{"id":1,"kind":"user","created_at_ms":1,"payload":{"json":{"text":"hello Größe"}},"search_text":"hell
        {"entry":{"id":2,"parent":1,"kind":"new_kind","created_at_ms":2,"payload":{"text":"not json\nat all"}}}
        {"entry":{"id":3,"parent":2,"kind":"assistant","created_at_ms":3,"payload":{"json":{   "big": 1234567890123456
        {"blob":{"hash":"49d4a0f2a43c20499e8d981dbb9cf38b4e0f36ff86853ef7190a4657a9e49b6a","before_image":true,"len":4
        {"blob":{"hash":"0229ff7dec8a365f7300835d175494866d46e56fec330dad33cd3dc93df3c16d","before_image":true,"len":5
        {"blob":{"hash":"16d22b24cc768d4a0908ccadc44e0984950cf9f798c2df8963ef3aded64a3364","before_image":false,"len":
        {"end":{"n_entries":3,"n_blobs":3}}
    "#]].assert_eq(&start);
}

#[test]
fn a_session_goes_out_and_in_again() {
    let (fixture, out) = exported();
    let other = Fixture::new();
    let session = other.store.import(&mut out.as_bytes(), |_, _| {}).unwrap();
    assert_eq!(session, id("s"));
    let (was, is) = (fixture.store.load(&session).unwrap(), other.store.load(&session).unwrap());
    assert_eq!(is.record, was.record);
    assert_eq!(
        show(&is),
        show(&was).replace("{\n  \"big\"", "{   \"big\"").replace(",\r\n", ",  ").replace("\"\n}", "\" }")
    );
    assert_eq!(other.store.blob(BlobHash::of(b"image")).unwrap(), b"image");
    assert!(other.store.blob(BlobHash::of(&[7; 41])).is_err());
    assert_eq!(other.store.search("größe", 10).unwrap().len(), 1);
    // And a second time to the byte.
    let mut again = Vec::new();
    other.store.export(&session, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), out);
}

#[test]
fn a_taken_id_is_replaced() {
    let (fixture, out) = exported();
    let copy = fixture.store.import(&mut out.as_bytes(), |_, _| {}).unwrap();
    assert_ne!(copy, id("s"));
    assert_eq!(fixture.store.load(&copy).unwrap().entries.len(), 3);
    assert_eq!(fixture.store.load(&id("s")).unwrap().entries.len(), 3);
}

#[track_caller]
fn check_damaged(damage: impl Fn(Vec<&str>) -> String, expected: Expect) {
    let (fixture, out) = exported();
    let damaged = damage(out.lines().collect());
    let other = Fixture::new();
    let problem = match other.store.import(&mut damaged.as_bytes(), |_, _| {}) {
        Ok(session) => format!("imported as {session}"),
        Err(error @ ImportError::Line { .. }) => error.to_string(),
        Err(error) => format!("unexpected: {error}"),
    };
    expected.assert_eq(&problem);
    assert!(other.store.list(&crate::ListQuery::default()).unwrap().sessions.is_empty());
    drop(fixture);
}

#[test]
fn damaged_input_is_refused_with_its_line() {
    let without = |n: usize| {
        move |mut lines: Vec<&str>| {
            lines.remove(n);
            lines.join("\n")
        }
    };
    check_damaged(|_| String::new(), expect!["line 1: the export ends before its last line"]);
    check_damaged(
        |_| "{\"hello\": 1}\n".to_owned(),
        expect![
            "line 1: unknown variant `hello`, expected one of `session`, `entry`, `blob`, `end` (column 8)"
        ],
    );
    check_damaged(|_| "\u{0}\u{1}garbage".to_owned(), expect!["line 1: expected value (column 1)"]);
    check_damaged(without(0), expect!["line 1: the header is missing"]);
    check_damaged(without(1), expect!["line 2: entry 2 follows 1, which did not come before it"]);
    check_damaged(without(3), expect!["line 7: 3 entries were exported, 2 came before this line"]);
    check_damaged(without(5), expect!["line 7: 3 blobs were exported, 2 came before this line"]);
    check_damaged(without(7), expect!["line 8: the export ends before its last line"]);
    check_damaged(
        |lines| lines.join("\n").replace("\"parent\":1", "\"parent\":3"),
        expect!["line 3: entry 2 follows 3, which did not come before it"],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"id\":2", "\"id\":1"),
        expect!["line 3: a second entry 1"],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"leaf\":2", "\"leaf\":8"),
        expect!["line 8: the leaf 8 is not among the entries"],
    );
    check_damaged(
        |lines| lines.join("\n").replace("aW1hZ2U=", "aW1hZ2V="),
        expect![
            "line 6: the content of blob 0229ff7dec8a365f7300835d175494866d46e56fec330dad33cd3dc93df3c16d is damaged"
        ],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"len\":500", "\"len\":900000000000"),
        expect![
            "line 7: the content of blob 16d22b24cc768d4a0908ccadc44e0984950cf9f798c2df8963ef3aded64a3364 is damaged"
        ],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"version\":1", "\"version\":2"),
        expect!["line 1: made by a newer Opal (version 2, this one knows 1)"],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"id\":\"s\"", "\"id\":\"../s\""),
        expect![[r#"line 1: "../s" is not a session id"#]],
    );
    check_damaged(
        |lines| lines.join("\n") + "\n" + lines[0],
        expect!["line 9: something follows the last line of the export"],
    );
    check_damaged(
        |lines| lines.join("\n").replace("\"created_at_ms\":2", "\"created_at_ms\":\"2\""),
        expect![[r#"line 3: invalid type: string "2", expected i64 (column 65)"#]],
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let fixture = Fixture::new();
    let error = fixture.store.import(&mut [0xff_u8, 0xfe, b'\n'].as_slice(), |_, _| {}).unwrap_err();
    expect!["line 1: not UTF-8"].assert_eq(&error.to_string());
}

#[test]
fn session_ids_are_checked() {
    for good in ["a", "k3-x_9", SessionId::random().as_str()] {
        assert!(SessionId::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "A", "a/b", "..", "a b", "é", &"a".repeat(65)] {
        assert!(SessionId::parse(bad).is_err(), "{bad}");
    }
}

use expect_test::{Expect, expect};

use super::{Fixture, id, prompt, session, talk};
use crate::{EntryKind, ListQuery, Store, StoreError};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for (name, working_dir, text) in [
        ("aa1", "/work", "Fix the parser\nin src/parse.rs"),
        ("aa2", "/home", "Write Größe tests"),
        ("ab3", "/work", "Explain the parser"),
        ("ab4", "/work", "Rename things"),
    ] {
        let mut record = session(name);
        record.working_dir = working_dir.to_owned();
        fixture.store.create(record).wait().unwrap();
        let mut append = prompt(1, text);
        append.entries[0].created_at_ms = 100 + i64::from(name.as_bytes()[2]);
        fixture.store.append(&id(name), append).wait().unwrap();
    }
    fixture
}

#[track_caller]
fn check_list(query: &ListQuery, expected: Expect) {
    let fixture = fixture();
    let page = fixture.store.list(query).unwrap();
    let lines = page.sessions.iter().map(|session| {
        let prompt = session.first_prompt.as_deref().unwrap_or("-");
        format!("{} {} {prompt} ({})\n", session.record.id, session.record.working_dir, session.n_entries)
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn the_last_updated_come_first() {
    check_list(
        &ListQuery::default(),
        expect![[r#"
            ab4 /work Rename things (1)
            ab3 /work Explain the parser (1)
            aa2 /home Write Größe tests (1)
            aa1 /work Fix the parser in src/parse.rs (1)
        "#]],
    );
}

#[test]
fn a_list_is_narrowed_by_directory_and_words() {
    check_list(
        &ListQuery { working_dir: Some("/home".to_owned()), ..ListQuery::default() },
        expect![[r#"
            aa2 /home Write Größe tests (1)
        "#]],
    );
    check_list(
        &ListQuery {
            working_dir: Some("/work".to_owned()),
            query: Some("PARSER".to_owned()),
            ..ListQuery::default()
        },
        expect![[r#"
            ab3 /work Explain the parser (1)
            aa1 /work Fix the parser in src/parse.rs (1)
        "#]],
    );
    check_list(
        &ListQuery { query: Some("GRÖSSE".replace("SS", "ß")), ..ListQuery::default() },
        expect![[r#"
            aa2 /home Write Größe tests (1)
        "#]],
    );
    check_list(&ListQuery { query: Some("100%".to_owned()), ..ListQuery::default() }, expect![""]);
}

#[test]
fn pages_join_without_gap_or_overlap() {
    let fixture = fixture();
    let (mut seen, mut query) = (Vec::new(), ListQuery { limit: 1, ..ListQuery::default() });
    loop {
        let page = fixture.store.list(&query).unwrap();
        seen.extend(page.sessions.iter().map(|session| session.record.id.to_string()));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["ab4", "ab3", "aa2", "aa1"]);
    query.cursor = Some("nonsense".to_owned());
    assert!(matches!(fixture.store.list(&query), Err(StoreError::InvalidCursor(_))));
}

#[test]
fn children_are_not_listed() {
    let fixture = fixture();
    let mut child = session("child");
    child.parent = Some(id("aa1"));
    child.updated_at_ms = 10_000;
    fixture.store.create(child).wait().unwrap();
    assert_eq!(fixture.store.list(&ListQuery::default()).unwrap().sessions.len(), 4);
    assert_eq!(fixture.store.latest("/work").unwrap().unwrap().id, id("ab4"));
    assert_eq!(fixture.store.latest("/nowhere").unwrap(), None);
}

#[test]
fn a_session_is_summed_up_by_its_own_id() {
    let fixture = fixture();
    // A newer one that speaks of it.
    talk(&fixture.store, "new", &["what was aa1 about"]);
    let summary = fixture.store.summary(&id("aa1")).unwrap();
    assert_eq!(summary.first_prompt.as_deref(), Some("Fix the parser in src/parse.rs"));
    assert_eq!((summary.record.id, summary.n_entries), (id("aa1"), 1));
    let error = fixture.store.summary(&id("gone")).unwrap_err();
    assert!(matches!(error, StoreError::UnknownSession(_)), "{error}");
}

#[track_caller]
fn check_find(store: &Store, prefix: &str, expected: Expect) {
    let found = store.find(prefix);
    expected.assert_eq(&found.map_or_else(|error| error.to_string(), |record| record.id.to_string()));
}

#[test]
fn a_prefix_finds_the_only_session_that_has_it() {
    let fixture = fixture();
    check_find(&fixture.store, "aa1", expect!["aa1"]);
    check_find(&fixture.store, "AB3", expect!["ab3"]);
    check_find(&fixture.store, "ab", expect!["2 sessions begin with ab"]);
    check_find(&fixture.store, "x", expect!["no session x"]);
    check_find(&fixture.store, "%", expect!["no session %"]);
    talk(&fixture.store, "aa", &[]);
    check_find(&fixture.store, "aa", expect!["aa"]);
}

#[track_caller]
fn check_search(words: &str, expected: Expect) {
    let fixture = fixture();
    let hits = fixture.store.search(words, 10).unwrap();
    let lines = hits.iter().map(|hit| format!("{}/{} {}\n", hit.session, hit.entry, hit.line));
    expected.assert_eq(&lines.collect::<String>());
    assert!(hits.iter().all(|hit| hit.kind == EntryKind::User));
}

#[test]
fn a_search_finds_words_paths_and_beginnings() {
    check_search(
        "parser",
        expect![[r#"
            ab3/1 Explain the parser
            aa1/1 Fix the parser
        "#]],
    );
    check_search("src/parse.rs", expect![["aa1/1 in src/parse.rs\n"]]);
    check_search("groSSe".replace("SS", "ß").as_str(), expect![["aa2/1 Write Größe tests\n"]]);
    check_search("ren* things", expect![["ab4/1 Rename things\n"]]);
    check_search("parser absent", expect![""]);
    check_search("\" AND OR NOT (", expect![""]);
    check_search(
        "\"the parser",
        expect![[r#"
        ab3/1 Explain the parser
        aa1/1 Fix the parser
    "#]],
    );
}

#[test]
fn a_search_for_sessions_finds_each_once_by_its_best_entry() {
    let fixture = fixture();
    talk(&fixture.store, "long", &["the parser"; 300]);
    let mut child = session("child");
    child.parent = Some(id("long"));
    fixture.store.create(child).wait().unwrap();
    fixture.store.append(&id("child"), prompt(1, "parser")).wait().unwrap();
    fixture
        .store
        .append(&id("aa1"), prompt(2, "a parser is no more than this: parser, parser"))
        .wait()
        .unwrap();
    let find = |working_dir: Option<&str>, limit| {
        let hits = fixture.store.search_sessions("parser", working_dir, limit).unwrap();
        hits.iter().map(|hit| format!("{}/{}", hit.session, hit.entry)).collect::<Vec<_>>().join(" ")
    };
    expect!["aa1/2 long/300 ab3/1"].assert_eq(&find(None, 10));
    expect!["aa1/2 long/300"].assert_eq(&find(None, 2));
    expect![""].assert_eq(&find(Some("/home"), 10));
}

#[test]
fn better_hits_of_other_directories_hide_none_of_this_one() {
    let fixture = fixture();
    for n in 0..50 {
        talk(&fixture.store, &format!("other{n}"), &["größe"; 40]);
    }
    let hits = fixture.store.search_sessions("größe", Some("/home"), 3).unwrap();
    expect!["Write Größe tests"].assert_eq(&hits.iter().map(|hit| hit.line.as_str()).collect::<String>());
}

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::Query;

#[track_caller]
fn check_query(typed: &str, fts: Expect) {
    fts.assert_eq(&Query::parse(typed).to_fts());
}

#[test]
fn what_is_typed_becomes_words_and_phrases() {
    check_query("migrate schema", expect![[r#""migrate" AND "schema""#]]);
    check_query("\"two words\" one", expect![[r#""two words" AND "one""#]]);
    check_query("src/main.rs", expect![[r#""src main rs""#]]);
    check_query("snake_case->field", expect![[r#""snake case field""#]]);
    check_query("migr*", expect![[r#""migr"*"#]]);
    check_query("mi* m*", expect![[r#""mi" AND "m""#]]);
    check_query("größe 数据库", expect![[r#""größe" AND "数据库""#]]);
}

#[test]
fn nothing_typed_is_an_operator() {
    check_query("NOT a OR (b", expect![[r#""NOT" AND "a" AND "OR" AND "b""#]]);
    check_query("text:word ^first NEAR(a b)", expect![[r#""text word" AND "first" AND "NEAR a" AND "b""#]]);
    check_query("\"never closed", expect![[r#""never closed""#]]);
    check_query("\"\" '' -- ; * + - ^ : {} \0", expect![""]);
    check_query("it's; DROP TABLE--", expect![[r#""it s" AND "DROP" AND "TABLE""#]]);
}

#[track_caller]
fn check_line(typed: &str, text: &str, line: Expect) {
    line.assert_eq(&Query::parse(typed).best_line(text));
}

#[test]
fn a_hit_shows_the_line_with_most_of_the_words() {
    check_line("red fox", "a fox\nthe Red fox\nred fox again", expect!["the Red fox"]);
    check_line("absent", "\n\n  first\nsecond", expect!["first"]);
    check_line("x", "", expect![""]);
    check_line("ÄPFEL", "Birnen\nÄpfel", expect!["Äpfel"]);
}

#[test]
fn a_long_line_is_cut_around_the_match() {
    let line = Query::parse("needle").best_line(&format!("{} needle {}", "é".repeat(500), "x".repeat(500)));
    assert!(line.starts_with('…') && line.ends_with('…') && line.contains("needle"), "{line}");
}

#[test]
fn short_texts_and_many_matches_rank_higher() {
    let query = Query::parse("word");
    assert!(query.rank("word") > query.rank(&format!("word {}", "other ".repeat(100))));
    assert!(query.rank("word word") > query.rank("word other"));
}

proptest! {
    #[test]
    fn any_query_and_any_text_are_fine(typed in ".{0,60}", text in "(?s).{0,400}") {
        let query = Query::parse(&typed);
        prop_assert!(query.rank(&text) >= 0.0);
        query.best_line(&text);
    }

    #[test]
    fn the_index_takes_any_query(typed in "[\"'*^:(){}+\\-\0 a-zé数\u{300}-\u{303}]{0,30}") {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE VIRTUAL TABLE search USING fts5 (text)").unwrap();
        let query = Query::parse(&typed);
        if !query.phrases.is_empty() {
            connection
                .query_row("SELECT count(*) FROM search WHERE search MATCH ?1", [query.to_fts()], |_| Ok(()))
                .unwrap();
        }
    }
}

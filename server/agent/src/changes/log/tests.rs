use store::{Append, NewBlob, NewEntry, Options, Retention};
use text::Rope;

use super::*;
use crate::journal::record::{FileRecord, LeftRecord, TookBackRecord};
use crate::journal::testing;

/// A log, a line for each entry, whose ids count from 1:
/// `t1 a` (a change of a file in a turn), `2 took back 1`, `2 not made`, `said t1`, `ran`.
fn log(history: &str) -> Log {
    let records = history.lines().map(str::trim).filter(|line| !line.is_empty()).map(record).collect();
    Log::read(&testing::session(testing::entries(records)))
}

fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let id = |word: &str| word.parse().unwrap();
    match words.as_slice() {
        ["said", turn] => {
            let Record::User(user) = testing::user("go on") else { unreachable!() };
            Record::User(crate::journal::record::UserRecord { turn_id: (*turn).into(), ..user })
        }
        ["ran"] => {
            let mut result = testing::result_record("c1", "done");
            result.ran_command = true;
            Record::ToolResult(result)
        }
        [by, "took", "back", changes @ ..] => {
            let changes = changes.iter().map(|word| id(word)).collect();
            Record::Note(NoteRecord::TookBack(TookBackRecord { by: id(by), changes }))
        }
        [change, "not", "made"] => {
            Record::Note(NoteRecord::Left(LeftRecord { change: id(change), edits: None }))
        }
        [turn, file] => changed(turn, file, BeforeRecord::Missing, Vec::new()),
        _ => panic!("{line}"),
    }
}

fn changed(turn: &str, file: &str, before: BeforeRecord, edits: Vec<EditRecord>) -> Record {
    let (turn_id, file) = (turn.into(), FileRecord::Document(file.into()));
    Record::Note(NoteRecord::Change(ChangeRecord { turn_id, file, before, edits, removed: false }))
}

fn ids<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<u64> {
    changes.into_iter().map(|change| change.id).collect()
}

#[track_caller]
fn check_undone(history: &str, undone: &[u64]) {
    let log = log(history);
    assert_eq!(ids(log.changes().filter(|change| change.undone)), undone);
}

#[track_caller]
fn check_since(history: &str, leaf: u64, since: &[u64]) {
    assert_eq!(ids(log(history).since(leaf)), since);
}

#[test]
fn what_was_taken_back_is_undone() {
    check_undone("t1 a\n t1 b\n u1 a\n 3 took back 1", &[1]);
}

#[test]
fn what_was_only_to_be_taken_back_is_not() {
    check_undone("t1 a\n u1 a", &[]);
}

#[test]
fn what_was_not_made_is_forgotten() {
    let log = log("t1 a\n t1 a\n t1 b\n 2 not made");
    assert_eq!(ids(log.changes()), [1, 3]);
    assert_eq!(ids(log.of_file(&FileName::Document("a".into()))), [1]);
}

#[test]
fn an_undo_taken_back_brings_again_what_it_took_back() {
    check_undone("t1 a\n u1 a\n 2 took back 1\n u2 a\n 4 took back 2", &[2]);
}

#[test]
fn and_can_be_taken_back_in_turn() {
    let history = "t1 a\n u1 a\n 2 took back 1\n u2 a\n 4 took back 2\n u3 a\n 6 took back 4";
    check_undone(history, &[1, 4]);
}

#[test]
fn the_latest_is_taken_back_first() {
    // Undone, brought again, undone once more; then the last two go, so it stands as after the first undo.
    let history = "t1 a\n u1 a\n 2 took back 1\n u2 a\n 4 took back 2\n u3 a\n 6 took back 1\n u4 a
        8 took back 4 6";
    check_undone(history, &[1, 4, 6]);
}

#[test]
fn an_undo_that_changed_nothing_more_brings_nothing_again() {
    // The second undo found the first change undone already.
    let history = "t1 a\n t2 a\n u1 a\n 3 took back 1\n u2 a\n 5 took back 1 2\n u3 a\n 7 took back 5";
    check_undone(history, &[1, 5]);
}

#[test]
fn damage_is_passed_over() {
    check_undone("t1 a\n 7 took back 1\n u1 a\n 3 took back 3 4 99\n 8 not made", &[]);
    check_undone("t1 a\n u1 a\n 2 took back 1 1 1", &[1]);
}

#[test]
fn everything_behind_an_entry() {
    check_since("t1 a\n t2 a\n t2 b", 0, &[1, 2, 3]);
    check_since("t1 a\n t2 a\n t2 b", 1, &[2, 3]);
    check_since("t1 a\n t2 a\n t2 b", 3, &[]);
    check_since("t1 a", u64::MAX, &[]);
}

#[test]
fn an_undo_and_what_it_took_back_cancel_each_other() {
    check_since("t1 a\n u1 a\n 2 took back 1", 0, &[]);
    check_since("t1 a\n u1 a\n 2 took back 1\n u2 a\n 4 took back 2", 0, &[4]);
}

#[test]
fn an_undo_of_what_was_before_stands_for_itself() {
    check_since("t1 a\n u1 a\n 2 took back 1", 1, &[2]);
    check_since("t1 a\n t2 a\n u1 a\n 3 took back 1 2", 1, &[2, 3]);
}

#[test]
fn what_was_built_upon_cancels_nothing() {
    // The second undo stands on the first one, so that one cannot be left out though it was taken back.
    let history = "t1 a\n t2 a\n u1 a\n 3 took back 1 2\n u2 a\n 5 took back 1\n u3 a\n 7 took back 3";
    check_since(history, 1, &[2, 3, 5, 7]);
    // In another file nothing stands on it.
    check_since("t1 a\n t2 b\n u1 a\n 3 took back 1", 0, &[2]);
}

#[test]
fn an_undo_that_may_not_have_been_made_cancels_nothing() {
    check_since("t1 a\n u1 a", 0, &[1, 2]);
}

#[test]
fn turns_that_ran_commands_are_named_once() {
    let log = log("said t1\n ran\n ran\n said t2\n said t3\n ran");
    assert_eq!(log.commands, [TurnId::new("t1"), TurnId::new("t3")]);
}

/// A store in which these texts are kept, and their hashes.
struct Kept {
    store: Store,
    _directory: tempfile::TempDir,
}

impl Kept {
    fn new(texts: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Options::default());
        let session = testing::session(Vec::new()).record;
        store.create(session.clone()).wait().unwrap();
        let blobs = texts.iter().map(|text| NewBlob::new(text.as_bytes(), Retention::BeforeImage));
        let append = Append { entries: Vec::<NewEntry>::new(), blobs: blobs.collect(), ..Append::default() };
        store.append(&session.id, append).wait().unwrap();
        Self { store, _directory: directory }
    }

    /// The texts before and after each change of one file, or what is lost.
    #[track_caller]
    fn check(&self, changes: Vec<(BeforeRecord, Vec<EditRecord>)>, expected: &str) {
        let changes = changes.into_iter().map(|(before, edits)| changed("t1", "a", before, edits));
        let log = Log::read(&testing::session(testing::entries(changes.collect())));
        let all = ids(log.changes());
        let shown = match log.texts(&FileName::Document("a".into()), &all, &self.store) {
            Ok(texts) => all.iter().map(|id| show(&texts[id])).collect::<Vec<_>>().join("; "),
            Err(lost) => lost.to_string(),
        };
        assert_eq!(shown, expected);
    }
}

fn show(texts: &Texts) -> String {
    let show = |text: &Option<Rope>| text.as_ref().map_or("nothing".into(), ToString::to_string);
    format!("{} -> {}", show(&texts.before), show(&texts.after))
}

fn image(text: &str) -> BeforeRecord {
    BeforeRecord::Image(NewBlob::new(text.as_bytes(), Retention::BeforeImage).hash().to_string())
}

fn edit(start: usize, end: usize, text: &str) -> Vec<EditRecord> {
    vec![EditRecord { start, end, text: text.into() }]
}

#[test]
fn a_chain_of_texts() {
    let kept = Kept::new(&["one", "sechs"]);
    kept.check(
        vec![
            (image("one"), edit(0, 3, "two")),
            (BeforeRecord::After { change: 1, edits: edit(3, 3, "!") }, edit(0, 1, "T")),
            (image("sechs"), edit(5, 5, ".")),
            (BeforeRecord::Missing, edit(0, 0, "new")),
        ],
        "one -> two; two! -> Two!; sechs -> sechs.; nothing -> new",
    );
}

#[test]
fn texts_that_are_lost() {
    let kept = Kept::new(&["one", "é"]);
    let cases = [
        (image("never kept"), edit(0, 0, ""), "is stored"),
        (BeforeRecord::Image("x".into()), edit(0, 0, ""), "hash"),
        (
            BeforeRecord::After { change: 9, edits: Vec::new() },
            edit(0, 0, ""),
            "a change before it is missing",
        ),
        (
            BeforeRecord::After { change: 1, edits: Vec::new() },
            edit(0, 0, ""),
            "a change before it is missing",
        ),
        (image("one"), edit(2, 9, ""), "beyond the text of 3 bytes"),
        (image("one"), edit(2, 1, ""), "its edits overlap"),
        (image("one"), edit(usize::MAX, usize::MAX, ""), "beyond the text"),
        (image("é"), edit(1, 1, ""), "inside a character"),
        (BeforeRecord::Missing, edit(0, 1, ""), "beyond the text of 0 bytes"),
    ];
    for (before, edits, expected) in cases {
        let changes = vec![changed("t1", "a", before, edits)];
        let log = Log::read(&testing::session(testing::entries(changes)));
        let texts = log.texts(&FileName::Document("a".into()), &[1], &kept.store);
        let lost = texts.unwrap_err().to_string();
        assert!(lost.starts_with("its text before the change cannot be read: "), "{lost}");
        assert!(lost.contains(expected), "{lost}, not {expected}");
    }
}

#[test]
fn bytes_that_are_no_text_are_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Options::default());
    let session = testing::session(Vec::new()).record;
    store.create(session.clone()).wait().unwrap();
    let blob = NewBlob::new(&[0xff, 0xfe], Retention::BeforeImage);
    let before = BeforeRecord::Image(blob.hash().to_string());
    store.append(&session.id, Append { blobs: vec![blob], ..Append::default() }).wait().unwrap();
    let log = Log::read(&testing::session(testing::entries(vec![changed("t1", "a", before, Vec::new())])));
    let lost = log.texts(&FileName::Document("a".into()), &[1], &store).unwrap_err();
    assert!(matches!(lost, Lost::Damaged(_)), "{lost}");
}

#[test]
fn ten_thousand_changes_are_read_at_once() {
    let mut records = Vec::new();
    for n in 1..=5_000 {
        records.push(changed("t1", &format!("f{n}"), BeforeRecord::Missing, edit(0, 0, "x")));
    }
    for n in 1..=5_000 {
        records.push(changed("u1", &format!("f{n}"), BeforeRecord::Missing, edit(0, 0, "x")));
        let by = records.len() as u64;
        records.push(Record::Note(NoteRecord::TookBack(TookBackRecord { by, changes: vec![n] })));
    }
    let began = std::time::Instant::now();
    let log = Log::read(&testing::session(testing::entries(records)));
    assert_eq!(log.since(0).len(), 0);
    assert_eq!(log.changes().filter(|change| change.undone).count(), 5_000);
    let kept = Kept::new(&[]);
    for change in log.changes().take(5_000) {
        log.texts(&change.name, &[change.id], &kept.store).unwrap();
    }
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

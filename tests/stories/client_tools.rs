//! What the editor's language servers know, told to the model.

use std::time::Duration;

use serde_json::{Value, json};
use tests::editor::{Confirm, Options, Seen};
use tests::{FakeModel, Opal, Profile, Turn, calls};

const ALL: [&str; 5] = ["diagnostics", "references", "definition", "symbols", "rename"];

const PRICE: &str = "fn total(net: f64) -> f64 {\n    net * 1.19\n}\n";
const CART: &str = "use price::total;\n\nfn pay() {\n    println!(\"{}\", total(1.0));\n}\n";

/// A symbol, as a model names it.
fn at(path: &str, line: usize, symbol: &str) -> Value {
    json!({ "path": path, "line": line, "symbol": symbol })
}

fn renamed(path: &str, line: usize, symbol: &str, new_name: &str) -> Value {
    json!({ "path": path, "line": line, "symbol": symbol, "new_name": new_name })
}

fn range(line: usize, start: usize, end: usize) -> Value {
    json!({ "start": { "line": line, "character": start }, "end": { "line": line, "character": end } })
}

/// A house with two files, of which `price.rs` is open, and a model that makes this call.
async fn call(
    tool: &str,
    arguments: Value,
    start: impl FnOnce(tests::harness::Start) -> tests::harness::Start,
) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    model.next(|t| t.tool(tool, arguments));
    model.next(|t| t.text("Done."));
    let opal =
        Opal::start(&model).offers(&ALL).file("price.rs", PRICE).file("cart.rs", CART).open("price.rs");
    (model, start(opal).await)
}

trait Found {
    /// Answers with an output of the tool that was called.
    fn found(&self, field: &str, value: Value);
}

impl Found for Seen {
    fn found(&self, field: &str, value: Value) {
        self.answer(json!({ "ok": true, "output": { "tool": self["tool"], field: value } }));
    }
}

/// Where `total` is in the two files.
fn places(opal: &Opal) -> Value {
    json!([
        { "uri": opal.editor.uri("price.rs"), "range": range(0, 3, 8) },
        { "uri": opal.editor.uri("cart.rs"), "range": range(3, 19, 24) },
        { "uri": opal.editor.uri("cart.rs"), "range": range(0, 11, 16) },
        { "uri": opal.editor.uri("cart.rs"), "range": range(0, 11, 16) },
    ])
}

/// The edit that makes it `sum`.
fn rename_edit(opal: &Opal) -> Value {
    let edit = |line, start| json!({ "range": range(line, start, start + 5), "newText": "sum" });
    json!({ "changes": {
        opal.editor.uri("price.rs"): [edit(0, 3)],
        opal.editor.uri("cart.rs"): [edit(0, 11), edit(3, 19)],
    }})
}

async fn told(model: &FakeModel, turn: &Turn) -> String {
    assert_eq!(turn.end().await, "completed");
    model.last_request().last_result()
}

#[tokio::test]
async fn references_with_their_lines() {
    let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    assert_eq!(asked["tool"], "references");
    assert_eq!(asked["arguments"]["uri"], opal.editor.uri("price.rs"));
    assert_eq!(asked["arguments"]["position"], range(0, 3, 8)["start"]);
    asked.found("locations", places(&opal));
    assert_eq!(
        told(&model, &turn).await,
        "3 lines in 2 files\n\
         cart.rs:1: use price::total;\n\
         cart.rs:4: println!(\"{}\", total(1.0));\n\
         price.rs:1: fn total(net: f64) -> f64 {"
    );
}

#[tokio::test]
async fn places_are_those_of_the_unsaved_text_as_the_editor_counts() {
    for profile in [Profile::Opal, Profile::VsCode] {
        let (model, opal) =
            call("definition", at("price.rs", 2, "total"), |start| start.profile(profile)).await;
        opal.editor.set_text("price.rs", "// new\n/* é𝄞 */ total\n");
        let turn = opal.prompt("go").await;
        let asked = turn.until("client/tool_call").await;
        let expected = opal.editor.range_of("price.rs", "total");
        assert_eq!(asked["arguments"]["position"], expected["start"], "{profile:?}");
        asked.found("locations", json!([{ "uri": opal.editor.uri("price.rs"), "range": expected }]));
        assert_eq!(told(&model, &turn).await, "1 line in 1 file\nprice.rs:2: /* é𝄞 */ total");
    }
}

#[tokio::test]
async fn a_symbol_that_does_not_stand_there_is_not_asked_for() {
    for (arguments, words) in [
        (
            at("price.rs", 2, "total"),
            "price.rs: `total` does not stand in line 2, which is `net * 1.19`; it stands in line 1",
        ),
        (at("price.rs", 9, "total"), "price.rs: there is no line 9"),
        (at("price.rs", 1, "price::total"), "expected one name"),
        (at("prise.rs", 1, "total"), "did you mean price.rs?"),
        (json!({ "path": "price.rs", "line": "one", "symbol": "total" }), "bad arguments: `line`"),
    ] {
        let (model, opal) = call("references", arguments, |start| start).await;
        let told = told(&model, &opal.prompt("go").await).await;
        assert!(told.contains(words), "{told}");
        assert_eq!(opal.editor.count("client/tool_call"), 0);
    }
}

#[tokio::test]
async fn what_is_outside_is_named_and_not_quoted() {
    let (model, opal) = call("definition", at("price.rs", 1, "total"), |start| start).await;
    let library = opal.outside().join("library.rs");
    std::fs::write(&library, "pub fn total() {}\n").unwrap();
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    let uri = tests::editor::file_uri(&library, false);
    asked.found(
        "locations",
        json!([
            { "uri": uri, "range": range(0, 7, 12) },
            { "uri": "jdt://contents/library.jar", "range": range(4, 0, 1) },
        ]),
    );
    let told = told(&model, &turn).await;
    assert!(told.contains("library.rs:1\n") && told.contains("jdt://contents/library.jar:5\n"), "{told}");
    assert!(!told.contains("pub fn") && told.contains("not quoted"), "{told}");
    assert_eq!(opal.editor.count("client/confirm"), 0);
}

#[tokio::test]
async fn symbols_of_a_file_and_of_the_workspace() {
    for (arguments, asked_for) in
        [(json!({ "path": "cart.rs" }), "uri"), (json!({ "query": "pay" }), "query")]
    {
        let (model, opal) = call("symbols", arguments, |start| start).await;
        let turn = opal.prompt("go").await;
        let asked = turn.until("client/tool_call").await;
        let expected = match asked_for {
            "uri" => json!({ "uri": opal.editor.uri("cart.rs") }),
            _ => json!({ "query": "pay" }),
        };
        assert_eq!(asked["arguments"], expected);
        let uri = opal.editor.uri("cart.rs");
        asked.found("symbols", json!([
            { "name": "paid", "kind": 13, "location": { "uri": uri, "range": range(3, 0, 4) }, "containerName": "pay" },
            { "name": "pay", "kind": 12, "location": { "uri": uri, "range": range(2, 3, 6) } },
            { "name": "pay", "kind": 99, "location": { "uri": "file:///else/where.rs", "range": range(2, 3, 6) } },
        ]));
        assert_eq!(
            told(&model, &turn).await,
            "cart.rs:3: function pay\ncart.rs:4: variable paid in pay\n[and 1 symbol outside the workspace]"
        );
    }
}

#[tokio::test]
async fn diagnostics_the_worst_first() {
    let (model, opal) = call("diagnostics", json!({ "paths": ["price.rs", "cart.rs"] }), |start| start).await;
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    let uri = opal.editor.uri("price.rs");
    assert_eq!(asked["arguments"], json!({ "uris": [uri, opal.editor.uri("cart.rs")], "settle": false }));
    asked.found("files", json!([{ "uri": uri, "diagnostics": [
        { "range": range(0, 0, 1), "message": "unused\n  variable", "severity": 2, "source": "rustc", "code": 7 },
        { "range": range(1, 4, 7), "message": "cannot find `net`", "severity": 1, "code": "E0425" },
        { "range": range(2, 0, 1), "message": "odd" },
    ] }]));
    assert_eq!(
        told(&model, &turn).await,
        "price.rs:2: error E0425: cannot find `net`\n\
         price.rs:3: error: odd\n\
         price.rs:1: warning 7 (rustc): unused variable\n\
         [the editor knows nothing of cart.rs]"
    );
}

#[tokio::test]
async fn diagnostics_are_cut_to_a_line() {
    let (model, opal) = call("diagnostics", json!({ "paths": [] }), |start| start).await;
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    assert_eq!(asked["arguments"], json!({ "settle": false }), "no path is every file");
    let long = "long\n".repeat(200_000);
    asked.found(
        "files",
        json!([{ "uri": opal.editor.uri("price.rs"), "diagnostics": [
        { "range": range(0, 0, 1), "message": long, "source": long, "code": long },
    ] }]),
    );
    let told = told(&model, &turn).await;
    assert!(told.lines().count() == 1 && told.len() < 1_000, "{} bytes", told.len());
}

#[tokio::test]
async fn diagnostics_of_what_was_just_edited() {
    let model = FakeModel::start().await;
    // One answer: the second call waits for the first.
    model.next(|t| t.tool("edit", calls::edit("price.rs", "net *", "nett *")).tool("diagnostics", json!({})));
    model.next(|t| t.text("Done."));
    let start = Opal::start(&model).offers(&ALL).mode("auto_edit").file("price.rs", PRICE).open("price.rs");
    let opal = start.await;
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    assert_eq!(asked["arguments"], json!({ "settle": true }));
    assert!(opal.text("price.rs").contains("nett"));
    asked.found("files", json!([]));
    assert_eq!(told(&model, &turn).await, "nothing is wrong, as far as the editor knows");
}

#[tokio::test]
async fn a_rename_is_asked_for_once_made_everywhere_and_taken_back() {
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
    opal.editor.type_over("price.rs", "1.19", "1.07");
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    assert_eq!(asked["arguments"]["new_name"], "sum");
    asked.found("edit", rename_edit(&opal));
    let question = turn.until("client/confirm").await;
    assert_eq!(question["title"], "Rename total to sum in 2 files (+3 −3)");
    let diff = question["details"]["diff"].as_str().unwrap().to_owned();
    assert!(diff.contains("+fn sum(net") && diff.contains("+use price::sum;"), "{diff}");
    assert_eq!(question["details"]["path"], Value::Null);
    question.allow();
    let told = told(&model, &turn).await;
    assert!(told.contains("price.rs: +1 −1") && told.contains("cart.rs: +2 −2"), "{told}");
    assert_eq!(opal.editor.count("client/confirm"), 1);
    let price = PRICE.replace("1.19", "1.07");
    assert_eq!(opal.text("price.rs"), price.replace("total", "sum"));
    assert_eq!(opal.file("price.rs"), PRICE, "what the user left unsaved stays unsaved");
    assert_eq!(opal.file("cart.rs"), CART.replace("total", "sum"));

    let undo = json!({ "session_id": opal.session, "turn_id": turn.turn_id });
    let undone = opal.editor.request("session/undo", undo).await.unwrap();
    assert_eq!((undone["files"].as_array().unwrap().len(), &undone["conflicts"]), (2, &json!([])));
    assert_eq!(opal.text("price.rs"), price);
    assert_eq!(opal.file("cart.rs"), CART);
}

#[tokio::test]
async fn what_the_editor_wrote_was_not_seen() {
    let model = FakeModel::start().await;
    model.next(|t| t.tool("read", calls::read("price.rs")));
    model.next(|t| t.tool("rename", renamed("price.rs", 1, "total", "sum")));
    model.next(|t| t.tool("write", calls::write("price.rs", "fn sum() {}\n")));
    model.next(|t| t.text("Done."));
    let opal = Opal::start(&model).offers(&ALL).mode("auto_edit");
    let opal = opal.file("price.rs", PRICE).file("cart.rs", CART).open("price.rs").await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await.found("edit", rename_edit(&opal));
    let told = told(&model, &turn).await;
    assert!(told.contains("you have not seen all"), "{told}");
    assert_eq!(opal.text("price.rs"), PRICE.replace("total", "sum"));
}

#[tokio::test]
async fn an_edit_is_read_as_the_editor_counts() {
    for profile in [Profile::Opal, Profile::VsCode] {
        let start = |start: tests::harness::Start| start.mode("auto_edit").profile(profile);
        let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
        opal.editor.set_text("price.rs", "/* é𝄞 */ total\r\n");
        let turn = opal.prompt("go").await;
        let version = opal.editor.document_version("price.rs");
        let document = json!({ "uri": opal.editor.uri("price.rs"), "version": version });
        let edits = json!([{ "range": opal.editor.range_of("price.rs", "total"), "newText": "sum" }]);
        let edit = json!({ "documentChanges": [{ "textDocument": document, "edits": edits }] });
        turn.until("client/tool_call").await.found("edit", edit);
        told(&model, &turn).await;
        assert_eq!(opal.text("price.rs"), "/* é𝄞 */ sum\r\n", "{profile:?}");
    }
}

#[tokio::test]
async fn a_rename_that_is_denied_changes_nothing() {
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await.found("edit", rename_edit(&opal));
    turn.until("client/confirm").await.deny("keep the name");
    assert!(told(&model, &turn).await.contains("keep the name"));
    assert_eq!((opal.text("price.rs"), opal.file("cart.rs")), (PRICE.to_owned(), CART.to_owned()));
    assert_eq!(opal.editor.count("workspace/applyEdit"), 0);
}

#[tokio::test]
async fn a_rename_asks_for_what_is_outside_by_itself() {
    let start = |start: tests::harness::Start| start.mode("auto_edit");
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    let library = opal.outside().join("library.rs");
    std::fs::write(&library, "total\n").unwrap();
    let turn = opal.prompt("go").await;
    let mut edit = rename_edit(&opal);
    let uri = tests::editor::file_uri(&library, false);
    edit["changes"][uri] = json!([{ "range": range(0, 0, 5), "newText": "sum" }]);
    turn.until("client/tool_call").await.found("edit", edit);
    let question = turn.until("client/confirm").await;
    assert_eq!(question["title"], "Rename total to sum in 1 file (+1 −1)");
    assert_eq!(question["details"]["path"], library.to_str().unwrap());
    question.deny("not there");
    assert!(told(&model, &turn).await.contains("not there"));
    assert_eq!(opal.text("price.rs"), PRICE, "all or nothing");
}

#[tokio::test]
async fn a_rename_where_nothing_may_be_written_is_not_even_asked_for() {
    let start = |start: tests::harness::Start| start.mode("read_only");
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    assert!(told(&model, &opal.prompt("go").await).await.contains("read-only"));
    assert_eq!(opal.editor.count("client/tool_call"), 0);
}

#[tokio::test]
async fn the_user_types_while_a_rename_waits() {
    let start = |start: tests::harness::Start| start.confirm(Confirm::Hold);
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await.found("edit", rename_edit(&opal));
    let question = turn.until("client/confirm").await;
    opal.editor.type_over("price.rs", "}\n", "}\n// typed\n");
    question.allow();
    told(&model, &turn).await;
    assert_eq!(opal.text("price.rs"), format!("{}// typed\n", PRICE.replace("total", "sum")));
    assert_eq!(opal.file("cart.rs"), CART.replace("total", "sum"));
}

#[tokio::test]
async fn the_user_types_where_a_rename_would_change() {
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await.found("edit", rename_edit(&opal));
    let question = turn.until("client/confirm").await;
    opal.editor.type_over("price.rs", "fn total", "fn grand_total");
    question.allow();
    let told = told(&model, &turn).await;
    assert!(told.contains("NOT renamed in price.rs") && told.contains("cart.rs: +2 −2"), "{told}");
    assert_eq!(opal.text("price.rs"), PRICE.replace("total", "grand_total"));
}

#[tokio::test]
async fn the_user_makes_a_rename_while_it_waits() {
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
    let turn = opal.prompt("go").await;
    let mut edit = rename_edit(&opal);
    edit["changes"].as_object_mut().unwrap().remove(&opal.editor.uri("cart.rs"));
    turn.until("client/tool_call").await.found("edit", edit);
    let question = turn.until("client/confirm").await;
    opal.editor.type_over("price.rs", "total", "sum");
    question.allow();
    assert_eq!(told(&model, &turn).await, "price.rs has this text already; nothing was changed");
}

/// Its edits are of the text that it had when it was asked, and many do not say so.
#[tokio::test]
async fn the_user_types_while_the_editor_plans_a_rename() {
    let start = |start: tests::harness::Start| start.mode("auto_edit").open("cart.rs");
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    let turn = opal.prompt("go").await;
    let asked = turn.until("client/tool_call").await;
    opal.editor.type_over("cart.rs", "use", "\nuse");
    asked.found("edit", rename_edit(&opal));
    assert!(told(&model, &turn).await.contains("cart.rs is open with another text"));
    assert_eq!(opal.text("price.rs"), PRICE);
    assert_eq!(opal.text("cart.rs"), format!("\n{CART}"));
}

#[tokio::test]
async fn a_rename_in_what_another_editor_has_unsaved() {
    let model = FakeModel::start().await;
    let start = Opal::start(&model).mode("auto_edit").file("price.rs", PRICE).file("cart.rs", CART);
    let mut opal = start.open("cart.rs").await;
    let able = opal.second_editor(Options { tools: ALL.to_vec(), ..Options::default() }).await;
    opal.editor.type_over("cart.rs", "use", "\nuse");
    model.next(|t| t.tool("rename", renamed("price.rs", 1, "total", "sum")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("go").await;
    let asked = able.until(Some(&turn.session), 0, "client/tool_call", |_| true).await;
    asked.found("edit", rename_edit(&opal));
    let told = told(&model, &turn).await;
    assert!(told.contains("cart.rs is open with another text"), "{told}");
    assert_eq!(opal.file("price.rs"), PRICE);
}

/// A language server takes two spellings for two files.
#[cfg(unix)]
#[tokio::test]
async fn a_rename_in_a_file_of_two_names() {
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
    let directory = opal.directory();
    std::os::unix::fs::symlink(directory.join("cart.rs"), directory.join("link.rs")).unwrap();
    let turn = opal.prompt("go").await;
    let mut edit = rename_edit(&opal);
    edit["changes"][opal.editor.uri("link.rs")] = edit["changes"][opal.editor.uri("cart.rs")].clone();
    turn.until("client/tool_call").await.found("edit", edit);
    let question = turn.until("client/confirm").await;
    assert_eq!(question["title"], "Rename total to sum in 2 files (+3 −3)");
    question.allow();
    told(&model, &turn).await;
    assert_eq!(opal.file("cart.rs"), CART.replace("total", "sum"));
}

/// Some language servers answer with whole texts, and with line ends of their own.
#[tokio::test]
async fn a_rename_keeps_the_line_ends() {
    let start =
        |start: tests::harness::Start| start.mode("auto_edit").file("dos.rs", CART.replace('\n', "\r\n"));
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    let turn = opal.prompt("go").await;
    let whole =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": u32::MAX, "character": 0 } });
    let whole = json!([{ "range": whole, "newText": CART.replace("total", "sum") }]);
    let edit = json!({ "changes": { opal.editor.uri("dos.rs"): whole } });
    turn.until("client/tool_call").await.found("edit", edit);
    assert_eq!(told(&model, &turn).await, "dos.rs: +2 −2");
    assert_eq!(opal.file("dos.rs"), CART.replace("total", "sum").replace('\n', "\r\n"));
}

#[tokio::test]
async fn a_rename_in_many_files_is_told_briefly() {
    let names: Vec<String> = (0..120).map(|n| format!("f{n}.rs")).collect();
    let start = |start: tests::harness::Start| {
        names.iter().fold(start.mode("auto_edit"), |start, name| start.file(name, "total\n"))
    };
    let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), start).await;
    let turn = opal.prompt("go").await;
    let edit = json!([{ "range": range(0, 0, 5), "newText": "sum" }]);
    let changes: serde_json::Map<_, _> =
        names.iter().map(|name| (opal.editor.uri(name), edit.clone())).collect();
    turn.until("client/tool_call").await.found("edit", json!({ "changes": changes }));
    let told = told(&model, &turn).await;
    assert!(told.lines().count() == 101 && told.ends_with("[and 20 files more]"), "{told}");
    assert!(names.iter().all(|name| opal.file(name) == "sum\n"));
}

/// What an editor may answer to a rename, and what the model is told of it.
#[tokio::test]
async fn a_rename_that_cannot_be_made() {
    let price = |opal: &Opal| opal.editor.uri("price.rs");
    let edit = json!({ "range": range(0, 3, 8), "newText": "sum" });
    type Answer<'a> = &'a dyn Fn(&Opal) -> Value;
    let cases: [(Answer, &str); 10] = [
        (&|_| Value::Null, "would change nothing"),
        (&|_| json!({ "changes": {} }), "would change nothing"),
        (&|_| json!({ "changes": 5 }), "edit: changes: invalid type"),
        (
            &|opal| json!({ "documentChanges": [{ "kind": "rename", "oldUri": price(opal), "newUri": "file:///b" }] }),
            "would rename files too",
        ),
        (
            &|opal| {
                json!({ "documentChanges": [
                { "textDocument": { "uri": price(opal), "version": 77 }, "edits": [edit] },
            ] })
            },
            "open with another text",
        ),
        (&|opal| json!({ "changes": { price(opal): [edit, edit] } }), "overlap"),
        (&|opal| json!({ "changes": { opal.editor.uri("no.rs"): [edit] } }), "no.rs does not exist"),
        (
            &|opal| json!({ "changes": { price(opal): [{ "range": range(0, 3, 8), "newText": "total" }] } }),
            "would change nothing",
        ),
        (
            &|opal| json!({ "changes": { price(opal): [{ "range": range(77, 0, 5), "newText": "sum" }] } }),
            "there is no 78:1",
        ),
        (
            &|opal| json!({ "changes": { price(opal): [{ "range": range(0, 60, 65), "newText": "sum" }] } }),
            "there is no 1:61",
        ),
    ];
    for (answer, words) in cases {
        let (model, opal) = call("rename", renamed("price.rs", 1, "total", "sum"), |start| start).await;
        let turn = opal.prompt("go").await;
        turn.until("client/tool_call").await.found("edit", answer(&opal));
        let told = told(&model, &turn).await;
        assert!(told.contains(words), "{words}: {told}");
        assert_eq!(opal.text("price.rs"), PRICE);
        assert_eq!(opal.editor.count("client/confirm"), 0);
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    let locations =
        |locations: Value| json!({ "ok": true, "output": { "tool": "references", "locations": locations } });
    for (answer, words) in [
        (
            json!({ "ok": false, "error": "No language server is attached." }),
            "the editor says: No language server",
        ),
        (json!({ "ok": false }), "without a reason"),
        (Value::Null, "cannot be used"),
        (json!({ "ok": true }), "no `output`"),
        (json!({ "ok": true, "output": { "tool": "symbols", "symbols": [] } }), "an output of `symbols`"),
        (json!({ "ok": true, "output": { "tool": "weather" } }), "unknown variant `weather`"),
        (locations(json!([{ "uri": 5 }])), "cannot be used"),
        (locations(json!([])), "knows of no references"),
    ] {
        let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
        let turn = opal.prompt("go").await;
        turn.until("client/tool_call").await.answer(answer);
        let told = told(&model, &turn).await;
        assert!(told.contains(words), "{words}: {told}");
    }
    let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await.answer_error(-32601, "no such method");
    assert!(told(&model, &turn).await.contains("no such method"));
}

#[tokio::test]
async fn places_that_are_nowhere_do_no_harm() {
    let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
    let turn = opal.prompt("go").await;
    let far = json!({ "line": u32::MAX, "character": u32::MAX });
    let far = json!({ "start": far, "end": far });
    turn.until("client/tool_call").await.found(
        "locations",
        json!([
            { "uri": opal.editor.uri("price.rs"), "range": far },
            { "uri": opal.editor.uri("gone.rs"), "range": far },
            { "uri": "", "range": far },
            { "uri": "file://%ff", "range": far },
        ]),
    );
    let told = told(&model, &turn).await;
    assert!(told.starts_with("4 lines in 4 files") && told.contains("price.rs:4294967296"), "{told}");
}

#[tokio::test]
async fn a_hundred_lines_are_shown_of_many() {
    let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
    let turn = opal.prompt("go").await;
    let uri = opal.editor.uri("cart.rs");
    let many: Vec<Value> = (0..5_000).map(|line| json!({ "uri": uri, "range": range(line, 0, 1) })).collect();
    turn.until("client/tool_call").await.found("locations", json!(many));
    let told = told(&model, &turn).await;
    assert_eq!(told.lines().count(), 102);
    assert!(told.starts_with("5000 lines in 1 file\n") && told.ends_with("[and 4900 lines more]"), "{told}");
}

#[tokio::test]
async fn an_abort_withdraws_the_request() {
    let (model, opal) = call("references", at("price.rs", 1, "total"), |start| start).await;
    let turn = opal.prompt("go").await;
    turn.until("client/tool_call").await;
    model.forget_scripts();
    turn.abort().await;
    assert_eq!(turn.end().await, "aborted");
    assert_eq!(opal.editor.count("$/cancelRequest"), 1);
}

#[tokio::test]
async fn an_editor_that_does_not_answer_is_given_up() {
    let start =
        |start: tests::harness::Start| start.limits(|limits| limits.client_tool = Duration::from_millis(50));
    let (model, opal) = call("references", at("price.rs", 1, "total"), start).await;
    let turn = opal.prompt("go").await;
    let told = told(&model, &turn).await;
    assert!(told.contains("has not answered within"), "{told}");
    assert_eq!(opal.editor.count("$/cancelRequest"), 1);
}

#[tokio::test]
async fn only_what_a_client_offers_is_offered_to_the_model() {
    for (offered, profile) in
        [(&ALL[..0], Profile::Opal), (&ALL[1..2], Profile::Opal), (&ALL[..], Profile::Kate)]
    {
        let model = FakeModel::start().await;
        model.next(|t| t.tool("symbols", json!({ "query": "a" })));
        model.next(|t| t.text("Done."));
        let opal = Opal::start(&model).offers(offered).profile(profile).await;
        assert_eq!(opal.run("go").await, "completed");
        let request = model.last_request();
        let tools: Vec<&str> = request.tools().into_iter().filter(|tool| ALL.contains(tool)).collect();
        let expected = if profile == Profile::Opal { offered } else { &[] };
        assert_eq!(tools, expected);
        assert!(request.last_result().contains("there is no tool `symbols`"));
    }
}

#[tokio::test]
async fn a_session_can_be_started_with_some_of_them() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Done."));
    let start = Opal::start(&model).offers(&ALL).session("tools", json!(["read", "symbols"]));
    let opal = start.await;
    assert_eq!(opal.run("go").await, "completed");
    assert_eq!(model.last_request().tools(), ["read", "symbols"]);
    let params = json!({ "working_dir": opal.directory(), "tools": ["reed"] });
    let refused = opal.editor.request("session/start", params).await.unwrap_err();
    assert!(refused.message.contains("reed") && refused.message.contains("rename"), "{refused}");
}

/// The list only grows, and at its end: what was sent before stays as it was.
#[tokio::test]
async fn an_editor_comes_and_goes() {
    let model = FakeModel::start().await;
    model.next(|t| t.text("Alone."));
    let mut opal = Opal::start(&model).file("price.rs", PRICE).await;
    assert_eq!(opal.run("one").await, "completed");
    let alone = model.last_request();

    let able = opal.second_editor(Options { tools: ALL.to_vec(), ..Options::default() }).await;
    model.expect_new_prefix();
    model.next(|t| t.tool("references", at("price.rs", 1, "total")));
    model.next(|t| t.text("Gone."));
    let turn = opal.prompt("two").await;
    able.until(Some(&turn.session), 0, "client/tool_call", |_| true).await;
    able.vanish();
    assert!(told(&model, &turn).await.contains("the editor has gone"));
    let request = model.last_request();
    let with_it: Vec<&str> = alone.tools().into_iter().chain(ALL).collect();
    assert_eq!(request.tools(), with_it);

    model.next(|t| t.tool("references", at("price.rs", 1, "total")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("three").await;
    assert!(told(&model, &turn).await.contains("no editor that could be asked"));
    assert_eq!(model.last_request().tools(), with_it, "the beginning stays the same");
}

/// The other editor counts in the text that it has, which is not the one that the model has read.
#[tokio::test]
async fn an_editor_with_another_text_is_not_asked() {
    let model = FakeModel::start().await;
    let mut opal = Opal::start(&model).file("price.rs", PRICE).open("price.rs").await;
    let able = opal.second_editor(Options { tools: ALL.to_vec(), ..Options::default() }).await;
    opal.editor.set_text("price.rs", "// not saved\n/* */ total\n");
    model.next(|t| t.tool("references", at("price.rs", 2, "total")));
    model.next(|t| t.text("Done."));
    let turn = opal.prompt("go").await;
    let told = told(&model, &turn).await;
    assert!(told.contains("another text"), "{told}");
    assert_eq!(able.count("client/tool_call"), 0);
}

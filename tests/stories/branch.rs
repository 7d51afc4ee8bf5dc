//! Going back in a conversation, and on from there.

use serde_json::{Value, json};
use tests::{FakeModel, Opal, calls};

async fn ask(opal: &Opal, method: &str, mut params: Value) -> Value {
    params["session_id"] = json!(opal.session);
    opal.editor.request(method, params).await.unwrap()
}

/// A talk of prompts, each with an answer; in each turn `a` becomes what was said.
async fn talk(says: &[&str]) -> (FakeModel, Opal) {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).mode("auto_edit").file("a", "zero\n").open("a").await;
    let mut stands = "zero";
    for says in says {
        say(&model, &opal, stands, says).await;
        stands = says;
    }
    (model, opal)
}

async fn say(model: &FakeModel, opal: &Opal, stands: &str, says: &str) {
    model.next(|t| t.tool("edit", calls::edit("a", stands, says)));
    model.next(|t| t.text(format!("answer {says}")));
    assert_eq!(opal.run(says).await, "completed");
}

/// The tree, a line for each entry: its depth, its kind and its words.
async fn tree(opal: &Opal) -> (Vec<String>, Value) {
    let tree = ask(opal, "session/tree", json!({})).await;
    let mut depths: Vec<(String, usize)> = Vec::new();
    let mut lines = Vec::new();
    for entry in tree["entries"].as_array().unwrap() {
        let parent = entry["parent_id"].as_str();
        let depth = parent.map_or(0, |parent| depths.iter().find(|(id, _)| id == parent).unwrap().1 + 1);
        depths.push((entry["entry_id"].as_str().unwrap().into(), depth));
        let mark = if entry["on_branch"] == true { "*" } else { " " };
        if entry["kind"] != "tool_result" && entry["summary"] != "(tool calls)" {
            lines.push(format!(
                "{mark} {} {}",
                entry["kind"].as_str().unwrap(),
                entry["summary"].as_str().unwrap()
            ));
        }
    }
    (lines, tree)
}

/// The id of the entry with these words.
async fn entry(opal: &Opal, words: &str) -> String {
    let (_, tree) = tree(opal).await;
    let entries = tree["entries"].as_array().unwrap();
    let found = entries.iter().find(|entry| entry["summary"] == words);
    found.unwrap_or_else(|| panic!("no {words} in {tree}"))["entry_id"].as_str().unwrap().to_owned()
}

/// Whoever reads a conversation later sees of a call what those saw who were there.
#[tokio::test]
async fn calls_are_told_again_as_they_were_told() {
    let model = FakeModel::start().await;
    let opal = Opal::start(&model).file("a", "of a\n").file("b", "of b\n").await;
    for path in ["a", "b"] {
        model.next(|t| t.tool_with_id("same", "read", calls::read(path)).tool("read", "{\"path\": "));
        model.next(|t| t.text("Done."));
        model.expect_new_prefix();
        assert_eq!(opal.run(path).await, "completed");
        if path == "a" {
            let to = json!({ "entry_id": entry(&opal, "a").await, "before": true });
            ask(&opal, "session/branch", to).await;
        }
    }
    let events = opal.editor.events(&opal.session).into_iter();
    let told: Vec<Value> = events.filter(|event| event["type"] == "tool_execution_start").collect();
    let history = ask(&opal, "session/history", json!({})).await;
    let contents = history["entries"].as_array().unwrap().iter().map(|entry| &entry["content"]);
    let again: Vec<&Value> = contents.filter(|content| content["kind"] == "tool_result").collect();
    assert_eq!((told.len(), again.len()), (4, 2), "one branch: {history}");
    for told in &told[2..] {
        let again = again.iter().find(|content| content["call_id"] == told["call_id"]).unwrap();
        assert_eq!((&told["tool"], &told["args"]), (&again["tool"], &again["args"]));
    }
    let (_, tree) = tree(&opal).await;
    let lines = tree["entries"].as_array().unwrap().iter().filter_map(|entry| entry["summary"].as_str());
    let reads: Vec<&str> = lines.filter(|line| line.starts_with("read ")).collect();
    assert_eq!(reads, ["read a: of a", "read b: of b"]);
}

#[tokio::test]
async fn back_and_on_and_back_again() {
    let (model, opal) = talk(&["first", "second"]).await;
    let (at_first, at_second) = (entry(&opal, "answer first").await, entry(&opal, "answer second").await);
    let params = json!({ "entry_id": at_first, "restore_files": true });
    let branched = ask(&opal, "session/branch", params).await;
    assert_eq!(branched["leaf"], at_first.as_str());
    assert_eq!(branched["restored"]["files"][0]["path"], "a");
    assert_eq!(opal.text("a"), "first\n");

    model.expect_new_prefix();
    say(&model, &opal, "first", "other").await;
    assert_eq!(model.last_request().user_texts(), ["first", "other"]);
    let (lines, _) = tree(&opal).await;
    assert_eq!(
        lines,
        [
            "* user first",
            "* assistant answer first",
            "  user second",
            "  assistant answer second",
            "  undo Changes taken back in a",
            "* user other",
            "* assistant answer other",
        ]
    );

    let params = json!({ "entry_id": at_second, "restore_files": true });
    ask(&opal, "session/branch", params).await;
    assert_eq!(opal.text("a"), "second\n");
    model.expect_new_prefix();
    say(&model, &opal, "second", "third").await;
    assert_eq!(model.last_request().user_texts(), ["first", "second", "third"]);
    let history = ask(&opal, "session/history", json!({})).await;
    let prompts: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["content"]["kind"] == "user")
        .map(|entry| entry["content"]["text"].as_str().unwrap())
        .collect();
    assert_eq!(prompts, ["first", "second", "third"]);
}

#[tokio::test]
async fn before_the_first_prompt() {
    let (model, opal) = talk(&["first"]).await;
    let params = json!({ "entry_id": entry(&opal, "first").await, "before": true, "restore_files": true });
    let branched = ask(&opal, "session/branch", params).await;
    assert!(branched.get("leaf").is_none(), "{branched}");
    assert_eq!(opal.text("a"), "zero\n");
    model.expect_new_prefix();
    say(&model, &opal, "zero", "again").await;
    assert_eq!(model.last_request().user_texts(), ["again"]);
    assert_eq!(tree(&opal).await.0.last().unwrap(), "* assistant answer again");
}

#[tokio::test]
async fn files_that_stay_are_told() {
    let (model, opal) = talk(&["first", "second"]).await;
    let params = json!({ "entry_id": entry(&opal, "answer first").await });
    ask(&opal, "session/branch", params).await;
    assert_eq!(opal.text("a"), "second\n");
    model.expect_new_prefix();
    model.next(|t| t.tool("write", calls::write("a", "blind\n")));
    model.next(|t| t.text("It refused."));
    assert_eq!(opal.run("go on").await, "completed");
    let request = model.last_request();
    assert!(request.user_texts()[1].contains("have not been put back"), "{:?}", request.user_texts());
    // What it has seen on another branch it has not seen here.
    assert!(request.last_result().contains("read it first"), "{}", request.last_result());
}

#[tokio::test]
async fn what_the_user_changed_since_is_not_lost() {
    let (model, opal) = talk(&["first", "second"]).await;
    opal.editor.type_over("a", "second\n", "second, typed\n");
    let params = json!({ "entry_id": entry(&opal, "answer first").await, "restore_files": true });
    let branched = ask(&opal, "session/branch", params).await;
    assert_eq!(branched["restored"]["conflicts"][0]["path"], "a", "{branched}");
    assert_eq!(opal.text("a"), "second, typed\n");
    // And the model does not take the file to be what it was.
    model.expect_new_prefix();
    model.next(|t| t.text("Hm."));
    assert_eq!(opal.run("go on").await, "completed");
    assert!(model.last_request().user_texts()[1].contains("have not been put back"));
}

#[tokio::test]
async fn in_the_middle_of_a_turn() {
    let (model, opal) = talk(&["first"]).await;
    let (_, whole) = tree(&opal).await;
    let calls = whole["entries"].as_array().unwrap().iter().find(|entry| entry["summary"] == "(tool calls)");
    let params = json!({ "entry_id": calls.unwrap()["entry_id"] });
    ask(&opal, "session/branch", params).await;
    model.expect_new_prefix();
    model.next(|t| t.text("Hm."));
    assert_eq!(opal.run("go on").await, "completed");
    let results = model.last_request().results();
    assert_eq!(results.len(), 1);
    assert!(results[0].contains("on this branch"), "{results:?}");
}

#[tokio::test]
async fn what_cannot_be_gone_to() {
    let (model, opal) = talk(&["first"]).await;
    let refused = async |entry: &str| {
        let params = json!({ "session_id": opal.session, "entry_id": entry });
        opal.editor.request("session/branch", params).await.unwrap_err().message
    };
    assert!(refused("4711").await.contains("has no entry 4711"));
    assert!(refused("x").await.contains("entry_id: expected"));
    model.next(|t| t.text("half").hang());
    let turn = opal.prompt("2").await;
    turn.until("message_delta").await;
    assert!(refused("1").await.contains("a turn is running"));
    turn.abort().await;
}

#[tokio::test]
async fn a_tree_in_pages() {
    let (_model, opal) = talk(&["first", "second"]).await;
    let whole = ask(&opal, "session/tree", json!({})).await["entries"].as_array().unwrap().clone();
    let mut pieces = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = ask(&opal, "session/tree", json!({ "limit": 3, "cursor": cursor })).await;
        pieces.extend(page["entries"].as_array().unwrap().clone());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(pieces, whole);
}

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::client_tools::ClientTool;
use crate::process::Shell;
use crate::tools::Toolbox;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "edits": {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "properties": {
                    "old": {"type": "string"}, "new": {"type": "string"}, "all": {"type": "boolean"}
                },
                "required": ["old", "new"]
            }},
            "offset": {"type": "integer", "minimum": 1},
            "timeout": {"type": "number"},
            "background": {"type": "boolean"},
            "paths": {"type": "array", "items": {"type": "string"}},
            "action": {"type": "string", "enum": ["wait", "kill"]}
        },
        "required": ["path"]
    })
}

/// What stands for the arguments besides `path`.
#[track_caller]
fn check(sent: &str, taken: Value) {
    let arguments = arguments(sent, &schema()).unwrap_or_else(|error| panic!("{sent}: {error}"));
    let mut expected = json!({"path": "a"});
    expected.as_object_mut().unwrap().extend(taken.as_object().unwrap().clone());
    assert_eq!(arguments, expected, "{sent}");
}

#[track_caller]
fn check_refused(sent: &str, told: &str) {
    assert_eq!(arguments(sent, &schema()).unwrap_err(), told, "{sent}");
}

#[test]
fn what_can_mean_only_one_thing_is_taken() {
    let edits = json!({"edits": [{"old": "1", "new": "2"}]});
    for sent in [
        r#"{"path": "a", "edits": [{"old": "1", "new": "2"}]}"#,
        r#"{"path": "a", "edits": "[{\"old\": \"1\", \"new\": \"2\"}]"}"#,
        r#"{"path": "a", "edits": ["{\"old\": \"1\", \"new\": \"2\"}"]}"#,
        r#"{"path": "a", "edits": {"old": "1", "new": "2"}}"#,
        r#"{"path": "a", "edits": "{\"old\": \"1\", \"new\": \"2\",}"}"#,
        r#"{"path": "a", "edits": [{"old": 1, "new": 2}]}"#,
        r#"{"path": "a", "edits": [{"old": "1", "new": "2", "all": null},],}"#,
        r#""{\"path\": \"a\", \"edits\": [{\"old\": \"1\", \"new\": \"2\"}]}""#,
        r#"[{"path": "a", "edits": [{"old": "1", "new": "2"}]}]"#,
    ] {
        check(sent, edits.clone());
    }
    for (sent, taken) in [
        (r#""offset": "2""#, json!({"offset": 2})),
        (r#""offset": " 2 ""#, json!({"offset": 2})),
        (r#""offset": 2.0"#, json!({"offset": 2})),
        (r#""offset": "2.0""#, json!({"offset": 2})),
        (r#""offset": 0"#, json!({"offset": 0})),
        (r#""offset": null"#, json!({})),
        (r#""timeout": "1.5""#, json!({"timeout": 1.5})),
        (r#""background": "false""#, json!({"background": false})),
        (r#""background": "True""#, json!({"background": true})),
        (r#""paths": "b""#, json!({"paths": ["b"]})),
        (r#""paths": "[\"b\", \"c\"]""#, json!({"paths": ["b", "c"]})),
        (r#""paths": "[b""#, json!({"paths": ["[b"]})),
        (r#""paths": "[1]""#, json!({"paths": ["[1]"]})),
        (r#""paths": []"#, json!({"paths": []})),
        (r#""action": "Wait""#, json!({"action": "wait"})),
        (r#""unknown": null"#, json!({"unknown": null})),
    ] {
        check(&format!(r#"{{"path": "a", {sent}}}"#), taken);
    }
    check(r#"{"path": ["a"],}"#, json!({}));
    check("{\"path\": \"a\", \"paths\": \"1\n2\t,}\"}", json!({"paths": ["1\n2\t,}"]}));
}

#[test]
fn the_members_of_the_only_item_may_stand_beside_the_others() {
    let mut schema = schema();
    schema["required"] = json!(["path", "edits"]);
    let sent = r#"{"path": "a", "old": "1", "new": "2", "all": "true"}"#;
    let taken = json!({"path": "a", "edits": [{"old": "1", "new": "2", "all": true}]});
    assert_eq!(arguments(sent, &schema).unwrap(), taken);
}

#[test]
fn texts_stay_as_they_are() {
    for text in ["", " ", "2", "true", "null", "[1]", "{\"a\": 1,}", "a,]"] {
        let sent = json!({"path": text, "edits": [{"old": text, "new": text}]});
        assert_eq!(arguments(&sent.to_string(), &schema()).unwrap(), sent);
    }
}

#[test]
fn what_is_refused_is_told_with_an_example() {
    check_refused("{}", r#"bad arguments: `path`: it is missing. Send them in this form: {"path":"..."}"#);
    check_refused("", r#"bad arguments: `path`: it is missing. Send them in this form: {"path":"..."}"#);
    check_refused(
        r#"{"path": "a", "edits": "one"}"#,
        r#"bad arguments: `edits`: a list of objects is wanted, not a string. Send them in this form: {"edits":[{"new":"...","old":"..."}],"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "edits": [{"old": "1"}]}"#,
        r#"bad arguments: `edits[0].new`: it is missing. Send them in this form: {"edits":[{"new":"...","old":"..."}],"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "edits": []}"#,
        r#"bad arguments: `edits`: at least 1 is needed. Send them in this form: {"edits":[{"new":"...","old":"..."}],"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "offset": "two"}"#,
        r#"bad arguments: `offset`: an integer is wanted, not a string. Send them in this form: {"offset":1,"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "offset": 1.5}"#,
        r#"bad arguments: `offset`: an integer is wanted, not a fraction. Send them in this form: {"offset":1,"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "offset": -1}"#,
        r#"bad arguments: `offset`: an integer of at least 1 is wanted, not -1. Send them in this form: {"offset":1,"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a", "action": "look"}"#,
        r#"bad arguments: `action`: one of "wait", "kill" is wanted, not "look". Send them in this form: {"action":"wait","path":"..."}"#,
    );
    check_refused(
        r#"{"path": {}}"#,
        r#"bad arguments: `path`: a string is wanted, not an object. Send them in this form: {"path":"..."}"#,
    );
    check_refused(
        r#"{"path": 1.10}"#,
        r#"bad arguments: `path`: a string is wanted, not a fraction. Send them in this form: {"path":"..."}"#,
    );
    check_refused(
        r#"{"path": null}"#,
        r#"bad arguments: `path`: a string is wanted, not null. Send them in this form: {"path":"..."}"#,
    );
    check_refused(
        "[1]",
        r#"bad arguments: an object is wanted, not a list. Send them in this form: {"path":"..."}"#,
    );
    check_refused(
        r#"{"path": "a"#,
        r#"the arguments are not valid JSON: EOF while parsing a string at line 1 column 11. Send JSON of this form: {"path":"..."}"#,
    );
}

#[test]
fn every_tool_takes_its_own_example() {
    let mut toolbox = Arc::new(Toolbox::new(&Shell::usual(), None).unwrap());
    Toolbox::offer(&mut toolbox, &ClientTool::ALL);
    for spec in &*toolbox.specs() {
        let example = example(&spec.parameters, None);
        assert_eq!(arguments(&example.to_string(), &spec.parameters), Ok(example), "{}", spec.name);
    }
}

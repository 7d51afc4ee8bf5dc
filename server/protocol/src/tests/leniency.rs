//! What a reader of the wire lets pass: the other side may be of another version.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::round_trip;
use crate::*;

/// Decodes `json` as a `T` and compares with what stands for it.
#[track_caller]
fn check<T: Serialize + DeserializeOwned>(json: &str, expected: &str) {
    let json: Value = serde_json::from_str(json).unwrap();
    let expected: Value = serde_json::from_str(expected).unwrap();
    match round_trip::<T>(&json) {
        Ok(again) => assert_eq!(again, expected, "{json}"),
        Err(error) => panic!("{json}: {error}"),
    }
}

#[track_caller]
fn check_refused<T: Serialize + DeserializeOwned>(json: &str, reason: &str) {
    let json: Value = serde_json::from_str(json).unwrap();
    let error = round_trip::<T>(&json).unwrap_err().to_string();
    assert!(error.contains(reason), "{json}: {error}");
}

#[test]
fn an_unknown_event_is_unknown() {
    let event: EventParams =
        serde_json::from_str(r#"{"session_id":"s","seq":7,"type":"weather","sky":{"blue":true}}"#).unwrap();
    let expected =
        EventParams { session_id: "s".to_owned(), seq: 7, first_seq: None, event: AgentEvent::Unknown };
    assert_eq!(event, expected);
}

#[test]
fn unknown_values_of_open_lists_are_unknown() {
    check::<EndReason>(r#""bored""#, r#""unknown""#);
    check::<WaitingFor>(r#"{"kind":"moon","phase":1}"#, r#"{"kind":"unknown"}"#);
    check::<EventParams>(
        r#"{"session_id":"s","seq":1,"type":"agent_end","reason":"bored"}"#,
        r#"{"session_id":"s","seq":1,"type":"agent_end","reason":"unknown"}"#,
    );
}

#[test]
fn unknown_values_of_closed_lists_are_refused() {
    check_refused::<PermissionMode>(r#""yolo""#, "unknown variant `yolo`");
    check_refused::<ConfirmAction>(r#""maybe""#, "unknown variant `maybe`");
    check_refused::<Attachment>(r#"{"type":"video"}"#, "unknown variant `video`");
}

#[test]
fn unknown_fields_are_ignored() {
    check::<PromptParams>(
        r#"{"session_id":"s","text":"t","mood":"good"}"#,
        r#"{"session_id":"s","text":"t"}"#,
    );
    check::<Attachment>(
        r#"{"type":"file","uri":"file:///a","mood":1}"#,
        r#"{"type":"file","uri":"file:///a"}"#,
    );
    check::<EventParams>(
        r#"{"session_id":"s","seq":1,"type":"agent_start","at":5}"#,
        r#"{"session_id":"s","seq":1,"type":"agent_start"}"#,
    );
    check::<ClientCapabilities>(
        r#"{"version":2,"confirm":true,"telepathy":true}"#,
        r#"{"version":2,"confirm":true,"input":false,"save_documents":false}"#,
    );
}

#[test]
fn null_equals_absent() {
    check::<PromptParams>(
        r#"{"session_id":"s","text":"t","turn_id":null}"#,
        r#"{"session_id":"s","text":"t"}"#,
    );
    check::<SessionStartParams>(
        r#"{"working_dir":"/w","model":null,"thinking_level":null,"system_prompt":null,"tools":null,
            "permission_mode":null,"shell":null}"#,
        r#"{"working_dir":"/w"}"#,
    );
    check::<SessionResumeParams>(r#"{"session_id":null,"working_dir":"/w"}"#, r#"{"working_dir":"/w"}"#);
    check::<ConfirmResult>(r#"{"action":"deny","message":null}"#, r#"{"action":"deny"}"#);
    check::<EventParams>(
        r#"{"session_id":"s","seq":1,"first_seq":null,"type":"status_update","state":"idle","waiting_for":null}"#,
        r#"{"session_id":"s","seq":1,"type":"status_update","state":"idle"}"#,
    );
    check::<ErrorData>(r#"{"hint":null}"#, "{}");
}

/// Lists and flags with a default are optional too.
#[test]

fn null_equals_absent_for_lists_and_flags() {
    check::<PromptParams>(
        r#"{"session_id":"s","text":"t","attachments":null}"#,
        r#"{"session_id":"s","text":"t"}"#,
    );
    check::<InputParams>(
        r#"{"session_id":"s","question_id":"q","prompt":"p","sensitive":null,"choices":null}"#,
        r#"{"session_id":"s","question_id":"q","prompt":"p","sensitive":false}"#,
    );
    check::<ClientCapabilities>(
        r#"{"version":1,"confirm":null,"input":null,"save_documents":null}"#,
        r#"{"version":1,"confirm":false,"input":false,"save_documents":false}"#,
    );
}

#[test]
fn a_cancelled_input_has_three_spellings() {
    check::<Option<InputResult>>("null", "null");
    check::<Option<InputResult>>("{}", r#"{"text":null}"#);
    check::<Option<InputResult>>(r#"{"text":null}"#, r#"{"text":null}"#);
}

#[test]
fn levels_keep_their_names() {
    let all = r#"["off","minimal","low","medium","high","xhigh","max"]"#;
    check::<Vec<ThinkingLevel>>(all, all);
}

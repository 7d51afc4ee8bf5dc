//! `protocol.md` says something of everything, and its examples are what the types say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Wire, round_trip, wires};
use crate::methods::METHODS;
use crate::render::{Fence, Model, Shape, fences};
use crate::{CODES, ClientCapabilities, Direction, ErrorData, ServerCapabilities, client_to_server_methods};

pub(super) fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol.md");
    std::fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

/// What the protocol takes from JSON-RPC and LSP; the rest has to be in the table of methods.
const PLAIN_LSP: [&str; 11] = [
    "initialize",
    "initialized",
    "shutdown",
    "exit",
    "$/cancelRequest",
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didSave",
    "window/showMessageRequest",
    "workspace/applyEdit",
    "workspace/didChangeConfiguration",
];

/// The messages of one side, as the examples have them.
struct Examples<'a> {
    all: Vec<(Direction, Fence<'a>, Value)>,
}

impl<'a> Examples<'a> {
    fn read(document: &'a str) -> Self {
        let mut all = Vec::new();
        for fence in fences(document).into_iter().filter(|fence| fence.info.starts_with("json")) {
            let from = match fence.info {
                "json client" => Direction::ClientToServer,
                "json server" => Direction::ServerToClient,
                other => panic!("line {}: say who writes this: `json client`, not `{other}`", fence.line),
            };
            for message in serde_json::Deserializer::from_str(fence.text).into_iter() {
                let message = message.unwrap_or_else(|error| panic!("line {}: {error}", fence.line));
                all.push((from, fence, message));
            }
        }
        Examples { all }
    }
}

/// Checks one example after another; a response belongs to the latest request with its id from the other side.
struct Checker {
    wires: BTreeMap<&'static str, Wire>,
    asked: Vec<(Direction, Value, String)>,
}

impl Checker {
    fn new() -> Self {
        let wires = wires().into_iter().map(|wire| (wire.name, wire)).collect();
        Checker { wires, asked: Vec::new() }
    }

    fn check(&mut self, from: Direction, message: &Value) -> Result<(), String> {
        if message["jsonrpc"] != "2.0" {
            return Err("not JSON-RPC 2.0".to_owned());
        }
        match message["method"].as_str() {
            Some(method) => self.check_call(from, method, message),
            None => self.check_answer(from, message),
        }
    }

    fn check_call(&mut self, from: Direction, method: &str, message: &Value) -> Result<(), String> {
        if let Some(id) = message.get("id") {
            self.asked.push((from, id.clone(), method.to_owned()));
        }
        if method == "initialize" {
            let opal = &message["params"]["capabilities"]["experimental"]["opal"];
            return if opal.is_null() { Ok(()) } else { same::<ClientCapabilities>(opal) };
        }
        if PLAIN_LSP.contains(&method) {
            return Ok(());
        }
        let info =
            METHODS.iter().find(|info| info.name == method).ok_or_else(|| format!("no method {method}"))?;
        if info.direction != from {
            return Err(format!("{method} comes from the other side"));
        }
        if info.result.is_some() != message.get("id").is_some() {
            return Err(format!("{method}: a request has an id, a notification has none"));
        }
        let params = &message["params"];
        compare(params, (self.wires[method].params)(params))
    }

    fn check_answer(&self, from: Direction, message: &Value) -> Result<(), String> {
        let id = &message["id"];
        if let Some(error) = message.get("error") {
            return check_error(error);
        }
        let asked = self.asked.iter().rev().find(|(side, asked, _)| *side != from && asked == id);
        let (_, _, method) = asked.ok_or_else(|| format!("nobody asked {id}"))?;
        let result = message.get("result").ok_or("neither result nor error")?;
        if method == "initialize" {
            return check_server_capabilities(&result["capabilities"]["experimental"]["opal"]);
        }
        match self.wires.get(method.as_str()).and_then(|wire| wire.result) {
            Some(again) => compare(result, again(result)),
            None => Ok(()),
        }
    }
}

fn check_server_capabilities(opal: &Value) -> Result<(), String> {
    same::<ServerCapabilities>(opal)?;
    compare(&opal["methods"], Ok(client_to_server_methods().collect()))
}

fn check_error(error: &Value) -> Result<(), String> {
    let code = error["code"].as_i64().ok_or("an error without code")?;
    if !CODES.iter().any(|known| known.code == code) {
        return Err(format!("{code} is not in the table of codes"));
    }
    error["message"].as_str().ok_or("an error without message")?;
    error.get("data").map_or(Ok(()), same::<ErrorData>)
}

fn same<T: serde::Serialize + serde::de::DeserializeOwned>(json: &Value) -> Result<(), String> {
    compare(json, round_trip::<T>(json))
}

fn compare(example: &Value, again: serde_json::Result<Value>) -> Result<(), String> {
    let again = again.map_err(|error| format!("{error} in {example}"))?;
    if again == *example { Ok(()) } else { Err(format!("is read as {again}, which is not {example}")) }
}

#[test]
fn every_method_can_be_checked() {
    let checked: Vec<_> = wires().iter().map(|wire| (wire.name, wire.result.is_some())).collect();
    let listed: Vec<_> = METHODS.iter().map(|info| (info.name, info.result.is_some())).collect();
    assert_eq!(checked, listed);
}

#[test]
fn examples_decode_and_lose_nothing() {
    let document = text();
    let mut checker = Checker::new();
    for (from, fence, message) in Examples::read(&document).all {
        if let Err(problem) = checker.check(from, &message) {
            panic!("protocol.md, the example at line {} ({}): {problem}", fence.line, fence.section);
        }
    }
}

#[test]
fn events_of_the_conversation_are_continuous() {
    let document = text();
    let mut last = 0;
    for (_, fence, message) in Examples::read(&document).all {
        let params = &message["params"];
        if fence.section == "A whole conversation" && message["method"] == "agent/event" {
            let first = params.get("first_seq").unwrap_or(&params["seq"]);
            assert_eq!(first.as_u64(), Some(last + 1), "{message}");
            last = params["seq"].as_u64().unwrap();
        }
    }
    assert!(last > 0);
}

#[test]
fn examples_are_really_checked() {
    let check = |from, message: &str| {
        let message = serde_json::from_str(message).unwrap();
        Checker::new().check(from, &message).unwrap_err()
    };
    let client = Direction::ClientToServer;
    let steer = r#"{"jsonrpc":"2.0","id":1,"method":"agent/steer","params":{"session_id":"a","text":"b"}}"#;
    assert!(check(client, &steer.replace("steer", "stir")).contains("no method agent/stir"));
    assert!(check(Direction::ServerToClient, steer).contains("comes from the other side"));
    assert!(check(client, &steer.replace(r#""id":1,"#, "")).contains("a request has an id"));
    assert!(check(client, &steer.replace("text", "txt")).contains("missing field `text`"));
    assert!(check(client, &steer.replace(r#""b""#, r#""b","lost":1"#)).contains("is read as"));
    assert!(check(client, r#"{"jsonrpc":"2.0","id":1,"result":null}"#).contains("nobody asked 1"));
}

/// The text below a heading, up to the next of the same or a higher level.
fn section<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let heading = format!("\n### {title}\n");
    let start = document.find(&heading)? + heading.len();
    let rest = &document[start..];
    let end = ["\n### ", "\n## "].iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
    Some(&rest[..end])
}

#[test]
fn every_method_has_a_section() {
    let document = text();
    let examples = Examples::read(&document);
    for info in METHODS {
        let title = format!("`{}`", info.name);
        let section =
            section(&document, &title).unwrap_or_else(|| panic!("protocol.md has no section ### {title}"));
        let generated = format!("<!-- generated:{} -->", info.name);
        for part in [
            &generated,
            "**Direction:**",
            "**Params:**",
            "**Capability:**",
            "**Order:**",
            "**Errors:**",
            "**On cancel:**",
        ] {
            assert!(section.contains(part), "the section of {} has no {part}", info.name);
        }
        let here = examples.all.iter().filter(|(_, fence, _)| fence.section == title);
        let (calls, answers): (Vec<_>, Vec<_>) =
            here.partition(|(_, _, message)| message.get("method").is_some());
        assert!(
            calls.iter().any(|(_, _, call)| call["method"] == info.name),
            "no example calls {}",
            info.name
        );
        let answered = answers.iter().any(|(_, _, answer)| answer.get("result").is_some());
        assert_eq!(answered, info.result.is_some(), "an example of a result of {}", info.name);
    }
}

#[test]
fn every_event_and_every_type_appears() {
    let document = text();
    let model = Model::read().unwrap();
    let headings: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("#### type ")).collect();
    for definition in &model.definitions {
        assert!(
            headings.contains(format!("`{}`", definition.name).as_str()),
            "nothing shows {}",
            definition.name
        );
        if let Shape::Union(union) = &definition.shape {
            for variant in &union.variants {
                let row = format!("| `\"{}\"` |", variant.value);
                assert!(document.contains(&row), "nothing shows {} of {}", variant.value, definition.name);
            }
        }
    }
}

/// The name of a heading in a link, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    let document = text();
    let headings = document.lines().filter(|line| line.starts_with('#'));
    let mut slugs = BTreeSet::new();
    for heading in headings.map(|line| line.trim_start_matches('#').trim()) {
        assert!(slugs.insert(slug(heading)), "two headings are linked to like {heading}");
    }
    for (idx, line) in document.lines().enumerate() {
        for link in line.split("](#").skip(1) {
            let target = link.split(')').next().unwrap();
            assert!(slugs.contains(target), "protocol.md:{}: #{target} leads nowhere", idx + 1);
        }
    }
}

#[test]
fn lengths_in_framed_examples_are_right() {
    let document = text();
    let mut n_frames = 0;
    for fence in fences(&document).into_iter().filter(|fence| fence.text.starts_with("Content-Length")) {
        let mut rest = fence.text;
        while let Some((header, body)) = rest.split_once("\n\n") {
            let length: usize =
                header.trim_start().strip_prefix("Content-Length: ").unwrap().parse().unwrap();
            serde_json::from_str::<Value>(&body[..length]).unwrap();
            rest = &body[length..];
            n_frames += 1;
        }
        assert_eq!(rest.trim(), "");
    }
    assert!(n_frames > 0);
}

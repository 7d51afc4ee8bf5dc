//! The clients offer the commands of the list, under its titles.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::COMMANDS;

#[test]
fn the_extension_contributes_exactly_these() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vscode-extension/package.json");
    let package: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let contributed = package["contributes"]["commands"].as_array().unwrap();
    let field = |command: &Value, name: &str| command[name].as_str().unwrap_or_default().to_owned();
    let contributed: Vec<_> =
        contributed.iter().map(|command| (field(command, "command"), field(command, "title"))).collect();
    let listed: Vec<_> =
        COMMANDS.iter().map(|command| (command.id.to_owned(), command.title.to_owned())).collect();
    assert_eq!(contributed, listed);
}

#[test]
fn names_and_ids_are_told_apart() {
    let names: BTreeSet<_> = COMMANDS.iter().map(|command| command.name).collect();
    let ids: BTreeSet<_> = COMMANDS.iter().map(|command| command.id).collect();
    assert_eq!((names.len(), ids.len()), (COMMANDS.len(), COMMANDS.len()));
}

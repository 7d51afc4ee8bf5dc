//! Stories: the real server, a fake editor, a fake model, and what a person would see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abort;
mod background;
mod branch;
mod cli;
mod client_tools;
mod commands;
mod compaction;
mod connections;
mod copilot;
mod crash;
mod disk;
mod documents;
mod edits;
mod endings;
mod families;
mod faults;
mod files;
mod frames;
mod handshake;
mod keyring;
#[cfg(target_os = "linux")]
mod left_behind;
mod models;
mod order;
mod outputs;
mod params;
mod permissions;
mod printing;
mod process;
mod python_client;
mod questions;
mod queue;
mod resume;
mod run;
mod saving;
mod secrets;
mod service;
mod sessions;
mod signin;
#[cfg(target_os = "linux")]
mod terminal;
mod tools;
mod typing;
mod undo;
mod usage;

/// Every file of this folder is a module above: a story that is not compiled proves nothing.
#[test]
fn every_story_is_listed() {
    let listed = include_str!("main.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/stories");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let is_listed = module == "main" || listed.lines().any(|line| line == format!("mod {module};"));
        assert!(is_listed, "`mod {module};` is missing in stories/main.rs");
    }
}

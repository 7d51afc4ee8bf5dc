//! The harness itself: an editor against a tiny scripted server, a model against scripted requests.

mod body;
mod documents;
mod families;
mod frames;
mod script;
mod server;

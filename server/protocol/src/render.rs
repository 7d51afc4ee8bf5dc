//! Renders the copies of the wire that are not Rust: tables of `protocol.md`, TypeScript, Lua.
//!
//! [`Model::read`] walks the schemas of [`METHODS`](crate::methods::METHODS) once; each printer turns the model
//! into text. The tests of this crate compare the text with what is checked in, and write it when
//! `UPDATE_EXPECT=1` is set.
//!
//! It deliberately touches no file, and it refuses a shape that it does not know: a type that serde can
//! write but no printer can show is a mistake to see in a test, not an `any` to find in an editor.

mod fences;
mod lua;
mod markdown;
mod model;
mod typescript;

pub use fences::{Fence, fences};
pub use lua::lua;
pub use markdown::{BadMark, markdown};
pub use model::{
    Definition, EnumValue, Field, Method, Model, Object, Shape, Type, Union, UnknownShape, Variant,
};
pub use typescript::typescript;

/// How the generated copies are written anew.
pub const COMMAND: &str = "UPDATE_EXPECT=1 cargo test -p protocol";

/// The name by which an editor's code knows a method, in words: `["session", "start"]`, `["prompt"]`.
///
/// The nouns `agent` and `client` go without saying.
fn words(method: &str) -> Vec<&str> {
    let short = method.strip_prefix("agent/").or_else(|| method.strip_prefix("client/")).unwrap_or(method);
    short.split(['/', '_']).collect()
}

/// `turn_start` as `TurnStart`.
fn pascal_case<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Adds what the reader of a copy cannot see otherwise: that a later version may send more.
fn doc_of(definition: &Definition) -> Option<String> {
    let open = match &definition.shape {
        Shape::Enum { open, .. } => *open,
        Shape::Union(union) => union.open,
        Shape::Object(_) => false,
    };
    let more = open.then(|| "Later versions may add to these: ignore what you do not know.".to_owned());
    match (definition.doc.clone(), more) {
        (Some(doc), Some(more)) => Some(format!("{doc} {more}")),
        (doc, more) => doc.or(more),
    }
}

//! Arguments of Opal's own tools, as a model writes them.

use serde_json::{Value, json};

pub fn read(path: &str) -> Value {
    json!({ "path": path })
}

pub fn edit(path: &str, old_text: &str, new_text: &str) -> Value {
    json!({ "path": path, "edits": [{ "old_text": old_text, "new_text": new_text }] })
}

pub fn write(path: &str, content: &str) -> Value {
    json!({ "path": path, "content": content })
}

pub fn shell(command: &str) -> Value {
    json!({ "command": command })
}

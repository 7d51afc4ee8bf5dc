//! How a model says which symbol it means: by its name and the line it stands in, which it has read. The
//! place in the line is found in the text as it stands.

use serde::Deserialize;
use serde_json::{Value, json};
use text::find_name;

use super::read::{permitted, with_suggestions};
use crate::call::Call;
use crate::client_tools::Place;
use crate::result::ToolError;
use crate::tool::decode;

#[derive(Debug, Deserialize)]
struct Args {
    path: String,
    line: usize,
    symbol: String,
    #[serde(default)]
    occurrence: Option<usize>,
}

/// The parameters that say it, and `more`.
pub(super) fn parameters(more: &[(&str, Value)]) -> Value {
    let mut properties = json!({
        "path": {"type": "string", "description": "relative to the working directory, or absolute"},
        "line": {"type": "integer", "minimum": 1, "description": "a line in which the symbol stands, counted from 1"},
        "symbol": {"type": "string", "description": "its name as it stands there, without what is around it"},
        "occurrence": {"type": "integer", "minimum": 1, "description": "which one, if the name stands there several times; else the first"}
    });
    let mut required = vec!["path", "line", "symbol"];
    for (name, schema) in more {
        properties[name] = schema.clone();
        required.push(name);
    }
    json!({"type": "object", "properties": properties, "required": required})
}

pub(super) async fn place(args: Value, call: &Call) -> Result<Place, ToolError> {
    let args: Args = decode(args)?;
    let name = permitted(&args.path, call).await?;
    let file = match call.wait(call.context.workspace.read(&name)).await? {
        Ok(file) => file,
        Err(error) => return Err(with_suggestions(error, &args.path, &name, call).await),
    };
    let found = find_name(&file.text, args.line, &args.symbol, args.occurrence.unwrap_or(1));
    let offset =
        found.map_err(|error| ToolError::failed(format!("{}: {error}", call.context.display(&name))))?;
    Ok(Place { file, offset })
}

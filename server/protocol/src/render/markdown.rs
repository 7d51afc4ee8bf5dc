//! The generated parts of `protocol.md`.

use std::error::Error;
use std::fmt::{self, Write as _};

use super::doc_of;
use super::fences::fences;
use super::model::{Definition, EnumValue, Field, Method, Model, Object, Shape, Type, Union, Variant};
use crate::error::CODES;
use crate::{Argument, COMMANDS, Command, Direction};

const OPEN: &str = "<!-- generated:";
const OPEN_END: &str = " -->\n";
const CLOSE: &str = "<!-- /generated -->";

/// The section whose examples are shown a second time in LSP's framing.
const CONVERSATION: &str = "A whole conversation";

/// What stands between `<!-- generated:NAME -->` and `<!-- /generated -->`.
#[derive(Debug, Clone, Copy)]
enum Block<'a> {
    /// `client-methods`: what a client may call.
    ClientMethods,
    /// `server-methods`: what the server may call.
    ServerMethods,
    /// `capabilities`
    Capabilities,
    /// `commands`: what a user can tell an editor to do.
    Commands,
    /// `events`
    Events,
    /// `errors`
    Errors,
    /// `types`: those that no other block shows.
    Types,
    /// `conversation`: the examples of that section in LSP's framing.
    Conversation,
    /// A method's name: its direction and its types.
    Method(&'a Method),
}

/// A mark that nothing can be rendered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadMark {
    Unknown { name: String },
    Unclosed { name: String },
}

impl fmt::Display for BadMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadMark::Unknown { name } => write!(f, "nothing is generated under the name {name}"),
            BadMark::Unclosed { name } => write!(f, "the generated block {name} is not closed"),
        }
    }
}

impl Error for BadMark {}

/// Returns `document` with everything between its marks rendered anew.
///
/// # Errors
/// [`BadMark`] for a name under which nothing is generated, and for a block without end.
pub fn markdown(model: &Model, document: &str) -> Result<String, BadMark> {
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, body) = after.split_once(OPEN_END).unwrap_or((after, ""));
        let (_old, after) =
            body.split_once(CLOSE).ok_or_else(|| BadMark::Unclosed { name: name.to_owned() })?;
        let block = Block::named(model, name).ok_or_else(|| BadMark::Unknown { name: name.to_owned() })?;
        let text = block.render(model, document);
        let _ = write!(out, "{before}{OPEN}{name}{OPEN_END}{}\n{CLOSE}", text.trim_end());
        rest = after;
    }
    Ok(out + rest)
}

impl<'a> Block<'a> {
    fn named(model: &'a Model, name: &str) -> Option<Block<'a>> {
        Some(match name {
            "client-methods" => Block::ClientMethods,
            "server-methods" => Block::ServerMethods,
            "capabilities" => Block::Capabilities,
            "commands" => Block::Commands,
            "events" => Block::Events,
            "errors" => Block::Errors,
            "types" => Block::Types,
            "conversation" => Block::Conversation,
            name => Block::Method(model.methods.iter().find(|method| method.info.name == name)?),
        })
    }

    fn render(self, model: &Model, document: &str) -> String {
        match self {
            Block::ClientMethods => method_table(model, Direction::ClientToServer),
            Block::ServerMethods => method_table(model, Direction::ServerToClient),
            Block::Capabilities => definitions(model, |name| CAPABILITIES.contains(&name)),
            Block::Commands => command_table(),
            Block::Events => definitions(model, |name| name == EVENTS),
            Block::Errors => error_table() + "\n" + &definitions(model, |name| name == ERROR_DATA),
            Block::Types => definitions(model, |name| !shown_elsewhere(model, name)),
            Block::Conversation => framed(document),
            Block::Method(method) => method_shapes(model, method),
        }
    }
}

const CAPABILITIES: [&str; 2] = ["ClientCapabilities", "ServerCapabilities"];
const EVENTS: &str = "AgentEvent";
const ERROR_DATA: &str = "ErrorData";

fn shown_elsewhere(model: &Model, name: &str) -> bool {
    name == EVENTS || name == ERROR_DATA || CAPABILITIES.contains(&name) || users(model, name).count() == 1
}

/// The methods that have this type as params or result.
fn users<'a>(model: &'a Model, name: &str) -> impl Iterator<Item = &'a Method> {
    let uses = move |ty: &Type| ty.name() == Some(name);
    model
        .methods
        .iter()
        .filter(move |method| uses(&method.params) || method.result.as_ref().is_some_and(uses))
}

fn method_table(model: &Model, direction: Direction) -> String {
    let mut out = "| method | params → result | after | |\n|---|---|---|---|\n".to_owned();
    for method in model.methods.iter().filter(|method| method.info.direction == direction) {
        let info = &method.info;
        let anchor = info.name.replace('/', "");
        let shape = match &method.result {
            Some(result) => format!("{} → {}", type_link(&method.params), type_link(result)),
            None => format!("{}, not answered", type_link(&method.params)),
        };
        let _ =
            writeln!(out, "| [`{}`](#{anchor}) | {shape} | {} | {} |", info.name, info.after, info.summary);
    }
    out
}

fn method_shapes(model: &Model, method: &Method) -> String {
    let arrow = match method.info.direction {
        Direction::ClientToServer => "client → server",
        Direction::ServerToClient => "server → client",
    };
    let kind = if method.result.is_some() { "request" } else { "notification" };
    let params = type_link(&method.params);
    let result = method.result.as_ref().map(|result| format!(" **Result:** {}.", type_link(result)));
    let mut out = format!(
        "{}\n\n**Direction:** {arrow}, {kind}. **Params:** {params}.{}\n",
        method.info.summary,
        result.unwrap_or_default()
    );
    let own = |name: &str| users(model, name).count() == 1;
    for name in std::iter::once(&method.params).chain(&method.result).filter_map(Type::name) {
        if own(name) {
            out += "\n";
            out += &definitions(model, |other| other == name);
        }
    }
    out
}

fn command_table() -> String {
    let mut out = "| title | `:Opal` | VS Code | argument | |\n|---|---|---|---|---|\n".to_owned();
    for Command { name, id, title, argument, help } in COMMANDS {
        let argument = if *argument == Argument::None { "" } else { argument.name() };
        let _ = writeln!(out, "| {title} | `{name}` | `{id}` | {argument} | {help} |");
    }
    out
}

fn error_table() -> String {
    let mut out = "| code | name | meaning |\n|---|---|---|\n".to_owned();
    for code in CODES {
        let number = code.code.to_string().replace('-', "−");
        let _ = writeln!(out, "| {number} | `{}` | {} |", code.name, cell(code.meaning));
    }
    out
}

fn definitions(model: &Model, wanted: impl Fn(&str) -> bool) -> String {
    let chosen = model.definitions.iter().filter(|definition| wanted(&definition.name));
    chosen.map(definition).collect::<Vec<_>>().join("\n")
}

fn definition(definition: &Definition) -> String {
    let mut out = format!("#### type `{}`\n\n", definition.name);
    if let Some(doc) = doc_of(definition) {
        let _ = writeln!(out, "{doc}\n");
    }
    out + &match &definition.shape {
        Shape::Object(object) => object_table(object),
        Shape::Enum { values, .. } => enum_table(values),
        Shape::Union(union) => union_table(union),
    }
}

fn object_table(object: &Object) -> String {
    let mut out = String::new();
    if !object.fields.is_empty() {
        out += "| field | type | required | |\n|---|---|---|---|\n";
    }
    for field in &object.fields {
        let required = if field.required { "yes" } else { "no" };
        let doc = cell(field.doc.as_deref().unwrap_or_default());
        let _ = writeln!(out, "| `{}` | {} | {required} | {doc} |", field.name, type_link(&field.ty));
    }
    if let Some(base) = &object.extends {
        let _ = writeln!(out, "\nThe fields of [{base}]({}) stand beside these.", anchor(base));
    }
    out
}

fn enum_table(values: &[EnumValue]) -> String {
    if values.iter().all(|value| value.doc.is_none()) {
        let quoted = values.iter().map(|value| format!("`\"{}\"`", value.value));
        return format!("One of {}.\n", quoted.collect::<Vec<_>>().join(", "));
    }
    let mut out = "| value | |\n|---|---|\n".to_owned();
    for value in values {
        let _ =
            writeln!(out, "| `\"{}\"` | {} |", value.value, cell(value.doc.as_deref().unwrap_or_default()));
    }
    out
}

fn union_table(union: &Union) -> String {
    let mut out = format!("| `{}` | fields | |\n|---|---|---|\n", union.tag);
    for variant in &union.variants {
        let doc = cell(variant.doc.as_deref().unwrap_or_default());
        let _ = writeln!(out, "| `\"{}\"` | {} | {doc} |", variant.value, variant_fields(variant));
    }
    out
}

fn variant_fields(variant: &Variant) -> String {
    let base = variant.object.extends.iter().map(|base| format!("those of [{base}]({})", anchor(base)));
    let fields = variant.object.fields.iter().map(field_phrase);
    base.chain(fields).collect::<Vec<_>>().join("<br>")
}

/// `` `diff` string: Unified diff. ``
fn field_phrase(field: &Field) -> String {
    let optional = if field.required { "" } else { ", optional" };
    let doc = field.doc.as_ref().map(|doc| format!(": {}", cell(doc))).unwrap_or_default();
    format!("`{}` {}{optional}{doc}", field.name, type_link(&field.ty))
}

fn type_link(ty: &Type) -> String {
    match ty {
        Type::Any => "any JSON".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Integer => "integer".to_owned(),
        Type::Number => "number".to_owned(),
        Type::String => "string".to_owned(),
        Type::Array(items) => format!("array of {}", type_link(items)),
        Type::Nullable(inner) => format!("{} or `null`", type_link(inner)),
        Type::Ref(name) => format!("[{name}]({})", anchor(name)),
    }
}

/// Where GitHub puts the heading of a type. `type` keeps `AgentEvent` apart from the method `agent/event`.
fn anchor(name: &str) -> String {
    format!("#type-{}", name.to_lowercase())
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The conversation's lines as each side writes them in LSP's framing.
fn framed(document: &str) -> String {
    let stream = |info: &str| {
        let of_side = |fence: &super::fences::Fence| fence.section == CONVERSATION && fence.info == info;
        let blocks = fences(document).into_iter().filter(of_side);
        let frames = blocks.flat_map(|fence| fence.text.lines());
        frames.map(|line| format!("Content-Length: {}\n\n{line}", line.len())).collect::<String>()
    };
    format!(
        "What the client writes:\n\n```text\n{}\n```\n\nWhat the server writes:\n\n```text\n{}\n```\n",
        stream("json client"),
        stream("json server")
    )
}

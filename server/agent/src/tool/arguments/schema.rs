//! The part of JSON Schema that tools use: types, `properties`, `required`, `items`, `enum` and `minItems`.

use std::fmt;

use serde_json::{Map, Value, json};

/// The `type` of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// Why arguments do not fit a schema.
#[derive(Debug, PartialEq)]
pub(super) struct Problem {
    /// The argument, or the part of one, as in `edits[0].old_text`.
    path: String,
    /// The argument.
    pub(super) argument: Option<String>,
    why: String,
}

impl Type {
    /// `None`: any value fits, as far as is known.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        Some(match schema.get("type")?.as_str()? {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }
}

/// Names the required properties of an object.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns the first thing that does not fit.
pub(super) fn find_problem(arguments: &Value, schema: &Value) -> Option<Problem> {
    problem_at("", arguments, schema).map(|(path, why)| {
        let argument = path.split(['.', '[']).next().filter(|name| !name.is_empty()).map(str::to_owned);
        Problem { path, argument, why }
    })
}

fn problem_at(path: &str, value: &Value, schema: &Value) -> Option<(String, String)> {
    let wanted = Type::of(schema)?;
    if !wanted.is_of(value) {
        return Some((path.into(), format!("{} is wanted, not {}", named(schema), found(value))));
    }
    match value {
        Value::Object(members) => {
            let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if let Some(missing) = required(schema).into_iter().find(|name| !members.contains_key(*name)) {
                return Some((inner(missing), "it is missing".into()));
            }
            let properties = schema.get("properties")?.as_object()?;
            members.iter().find_map(|(name, value)| problem_at(&inner(name), value, properties.get(name)?))
        }
        Value::Array(values) => {
            let fewest = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default();
            if (values.len() as u64) < fewest {
                return Some((path.into(), format!("at least {fewest} is needed")));
            }
            let items = schema.get("items")?;
            let mut values = values.iter().enumerate();
            values.find_map(|(idx, value)| problem_at(&format!("{path}[{idx}]"), value, items))
        }
        Value::String(text) => {
            let choices = schema.get("enum")?.as_array()?;
            let is_choice = choices.iter().any(|choice| choice == text);
            (!is_choice).then(|| (path.into(), format!("{} is wanted, not {text:?}", named(schema))))
        }
        // Zero is left to the tools: some models count from it.
        Value::Number(number) => {
            let fewest = schema.get("minimum")?.as_f64().filter(|fewest| *fewest >= 0.0)?;
            let is_less = number.as_f64().is_some_and(|number| number < 0.0);
            is_less.then(|| {
                (path.into(), format!("{} of at least {fewest} is wanted, not {number}", named(schema)))
            })
        }
        Value::Null | Value::Bool(_) => None,
    }
}

/// Returns arguments that fit: those that are required, and `also`.
pub(super) fn example(schema: &Value, also: Option<&str>) -> Value {
    match Type::of(schema) {
        Some(Type::Object) => {
            let required = required(schema);
            let properties = schema.get("properties").and_then(Value::as_object);
            let wanted = |name: &str| required.contains(&name) || also == Some(name);
            let mut members = Map::new();
            for (name, property) in properties.into_iter().flatten().filter(|(name, _)| wanted(name)) {
                members.insert(name.clone(), example(property, None));
            }
            Value::Object(members)
        }
        Some(Type::Array) => {
            Value::Array(schema.get("items").map(|items| example(items, None)).into_iter().collect())
        }
        Some(Type::String) => schema.pointer("/enum/0").cloned().unwrap_or_else(|| json!("...")),
        Some(Type::Integer | Type::Number) => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some(Type::Boolean) => json!(true),
        None => Value::Null,
    }
}

fn named(schema: &Value) -> String {
    let choices = schema.get("enum").and_then(Value::as_array);
    match (Type::of(schema), choices) {
        (_, Some(choices)) => {
            let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
            format!("one of {}", choices.join(", "))
        }
        (Some(Type::Object), _) => "an object".into(),
        (Some(Type::Array), _) => match schema.get("items").and_then(Type::of) {
            Some(Type::Object) => "a list of objects".into(),
            Some(Type::String) => "a list of strings".into(),
            _ => "a list".into(),
        },
        (Some(Type::String), _) => "a string".into(),
        (Some(Type::Integer), _) => "an integer".into(),
        (Some(Type::Number), _) => "a number".into(),
        (Some(Type::Boolean), _) => "`true` or `false`".into(),
        (None, _) => "a value".into(),
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.why),
            path => write!(f, "`{path}`: {}", self.why),
        }
    }
}

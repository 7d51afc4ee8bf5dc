//! The arguments of a call, as models send them.
//!
//! Small models send a list as a string of JSON, a number as a string, one value for a list of one. Whatever can
//! mean only one thing, given the tool's schema, is taken as that; everything else is refused with an example, because
//! a model that reads why its JSON is wrong, but not what is right, tries the same again.

mod json;
mod schema;

use std::borrow::Cow;

use serde_json::{Map, Value};

use schema::{Type, example, find_problem};

/// Returns the arguments in the form that the tool's schema has.
///
/// # Errors
/// A message for the model: which argument is wrong, and how right ones look.
pub(crate) fn arguments(text: &str, schema: &Value) -> Result<Value, String> {
    let arguments = match parse(text) {
        Ok(arguments) => coerced(arguments, schema),
        Err(error) => {
            let example = example(schema, None);
            return Err(format!(
                "the arguments are not valid JSON: {error}. Send JSON of this form: {example}"
            ));
        }
    };
    match find_problem(&arguments, schema) {
        None => Ok(arguments),
        Some(problem) => {
            let example = example(schema, problem.argument.as_deref());
            Err(format!("bad arguments: {problem}. Send them in this form: {example}"))
        }
    }
}

/// Parses JSON, and what is JSON but for slips that leave no doubt. Nothing at all is an object without members.
fn parse(text: &str) -> Result<Value, serde_json::Error> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_str(text).or_else(|error| match json::repaired(text) {
        Cow::Owned(repaired) => serde_json::from_str(&repaired).map_err(|_| error),
        Cow::Borrowed(_) => Err(error),
    })
}

/// Returns the value as the schema wants it, as far as it can mean only one thing.
fn coerced(value: Value, schema: &Value) -> Value {
    match (Type::of(schema), value) {
        (Some(Type::Object), value) => object(value, schema),
        (Some(Type::Array), value) => array(value, schema),
        (Some(Type::String), value) => string(value, schema),
        (Some(Type::Integer), value) => integer(value),
        (Some(Type::Number), value) => number(value),
        (Some(Type::Boolean), value) => boolean(value),
        (None, value) => value,
    }
}

fn object(value: Value, schema: &Value) -> Value {
    let mut members = match value {
        Value::Object(members) => members,
        Value::String(text) => match parse(&text) {
            Ok(Value::Object(members)) => members,
            _ => return Value::String(text),
        },
        Value::Array(mut values) if matches!(values[..], [Value::Object(_)]) => {
            return object(values.swap_remove(0), schema);
        }
        other => return other,
    };
    lift_single_item(&mut members, schema);
    let required = schema::required(schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        match members.remove(name) {
            // Models fill in what they leave out.
            Some(Value::Null) if !required.contains(&name.as_str()) => {}
            Some(value) => {
                members.insert(name.clone(), coerced(value, property));
            }
            None => {}
        }
    }
    Value::Object(members)
}

/// Makes a list of the members of its only item, where they stand beside the other arguments.
fn lift_single_item(members: &mut Map<String, Value>, schema: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for name in schema::required(schema) {
        let Some(items) = properties.get(name).and_then(|list| list.get("items")) else { continue };
        let of_item = schema::required(items);
        let is_lifted = |name: &&str| members.contains_key(*name) && !properties.contains_key(*name);
        if members.contains_key(name) || of_item.is_empty() || !of_item.iter().all(is_lifted) {
            continue;
        }
        let names = items.get("properties").and_then(Value::as_object).into_iter().flatten();
        let names = names.map(|(name, _)| name).filter(|name| !properties.contains_key(*name));
        let item = names.filter_map(|name| members.remove_entry(name)).collect();
        members.insert(name.to_owned(), Value::Array(vec![Value::Object(item)]));
    }
}

fn array(value: Value, schema: &Value) -> Value {
    let Some(items) = schema.get("items") else { return value };
    let values = match value {
        Value::Array(values) => values,
        Value::String(text) => match parse(&text) {
            Ok(Value::Array(values)) if is_list_of(items, &values) => values,
            Ok(object @ Value::Object(_)) if Type::of(items) == Some(Type::Object) => vec![object],
            _ if Type::of(items) == Some(Type::String) => vec![Value::String(text)],
            _ => return Value::String(text),
        },
        Value::Null => return Value::Null,
        one => vec![one],
    };
    Value::Array(values.into_iter().map(|value| coerced(value, items)).collect())
}

/// A path may look like JSON: of strings there must be nothing else in the list.
fn is_list_of(items: &Value, values: &[Value]) -> bool {
    Type::of(items) != Some(Type::String) || values.iter().all(Value::is_string)
}

fn string(value: Value, schema: &Value) -> Value {
    let text = match value {
        Value::String(text) => text,
        Value::Bool(flag) => flag.to_string(),
        // Other numbers are written in more than one way.
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Array(mut values) if matches!(values[..], [Value::String(_)]) => {
            return string(values.swap_remove(0), schema);
        }
        other => return other,
    };
    let named =
        |choice: &&Value| choice.as_str().is_some_and(|choice| choice.eq_ignore_ascii_case(text.trim()));
    match schema.get("enum").and_then(Value::as_array).and_then(|choices| choices.iter().find(named)) {
        Some(choice) => choice.clone(),
        None => Value::String(text),
    }
}

/// The largest float below which every integer is one.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

fn integer(value: Value) -> Value {
    match number(value) {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < MAX_EXACT => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        other => other,
    }
}

fn number(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text.trim()) {
            Ok(number @ Value::Number(_)) => number,
            _ => Value::String(text),
        },
        other => other,
    }
}

fn boolean(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Value::Bool(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Value::Bool(false),
        other => other,
    }
}

#[cfg(test)]
mod tests;
